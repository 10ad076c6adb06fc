
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Is this host a name of this server?  The answer decides whether a failure
 * counts, so it is nginx's own: the names are those of "server_name", compared
 * as ngx_hash_find_combined() does.
 */


#include <string.h>
#include <strings.h>

#include "ngx_aop_name.h"


static int ngx_aop_name_below(const char *suffix, size_t n, const char *host,
    size_t len);
static int ngx_aop_name_equal(const char *name, size_t n, const char *host,
    size_t len);


int
ngx_aop_name_match(const ngx_aop_name_t *name, const char *host, size_t len,
    ngx_aop_name_regex_pt regex)
{
    size_t       n;
    const char  *p;

    p = name->data;
    n = name->len;

    if (name->regex != NULL) {
        return regex(name->regex, host, len);
    }

    if (n == 0 || (n == 1 && p[0] == '_')) {
        return 1;
    }

    if (n > 1 && p[0] == '.') {
        return ngx_aop_name_below(p, n, host, len)
               || ngx_aop_name_equal(p + 1, n - 1, host, len);
    }

    if (n > 2 && p[0] == '*') {
        return ngx_aop_name_below(p + 1, n - 1, host, len);
    }

    if (n > 2 && p[n - 1] == '*') {
        return len >= n && strncasecmp(host, p, n - 1) == 0;
    }

    return ngx_aop_name_equal(p, n, host, len);
}


/* The suffix begins with a dot; at least one character has to precede it. */

static int
ngx_aop_name_below(const char *suffix, size_t n, const char *host, size_t len)
{
    return len > n && strncasecmp(host + len - n, suffix, n) == 0;
}


static int
ngx_aop_name_equal(const char *name, size_t n, const char *host, size_t len)
{
    return len == n && strncasecmp(host, name, n) == 0;
}


/* As ngx_http_validate_host(): an IPv6 address has its colons in brackets. */

size_t
ngx_aop_name_host(const char *host, size_t len)
{
    size_t       n;
    const char  *end;

    end = NULL;

    if (len != 0 && host[0] == '[') {
        end = memchr(host, ']', len);
    }

    n = end ? (size_t) (end - host) : 0;

    end = memchr(host + n, ':', len - n);

    if (end != NULL) {
        len = end - host;
    }

    if (len != 0 && host[len - 1] == '.') {
        len--;
    }

    return len;
}


/* As ngx_hash_add_key(). */

int
ngx_aop_name_valid(const char *name, size_t len)
{
    size_t       i;
    const char  *star;

    if (len == 0 || memchr(name, '\0', len) != NULL) {
        return 0;
    }

    for (i = 1; i < len; i++) {
        if (name[i] == '.' && name[i - 1] == '.') {
            return 0;
        }
    }

    star = memchr(name, '*', len);

    if (star == NULL) {
        return 1;
    }

    i = star - name;

    if (len < 3 || memchr(star + 1, '*', len - i - 1) != NULL) {
        return 0;
    }

    return (i == 0 && name[1] == '.')
           || (i == len - 1 && name[i - 1] == '.' && name[0] != '.');
}
