
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Names of servers, each in a form that "server_name" takes.  Regular
 * expressions are PCRE2's, as nginx's are.
 */


#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>
#include <string.h>

#include "names.h"


/* a host comes from the client, and an expression may be slow */

#define AOPCTL_NAMES_LIMIT  100000


static int aopctl_names_regex(void *regex, const char *host, size_t len);


const char *
aopctl_names_parse(ngx_aop_name_t *name, const char *text)
{
    int             code;
    PCRE2_SIZE      offset;

    static PCRE2_UCHAR  err[256];

    name->data = text;
    name->len = strlen(text);
    name->regex = NULL;

    if (name->len == 0) {
        return "empty";
    }

    if (text[0] == '$') {
        return "variables are known only to nginx (use the name itself)";
    }

    if (text[0] != '~') {
        return ngx_aop_name_valid(text, name->len)
               ? NULL : "not a valid name or wildcard of \"server_name\"";
    }

    if (name->len == 1) {
        return "the regular expression is empty";
    }

    /* nginx compares with a host in lower case */

    name->regex = pcre2_compile((PCRE2_SPTR) text + 1, name->len - 1,
                                PCRE2_CASELESS, &code, &offset, NULL);

    if (name->regex != NULL) {
        return NULL;
    }

    (void) pcre2_get_error_message(code, err, sizeof(err));

    return (char *) err;
}


int
aopctl_names_have(const ngx_aop_name_t *names, size_t n,
    const aopctl_bytes_t *host)
{
    size_t  i, len;

    len = ngx_aop_name_host(host->data, host->len);

    for (i = 0; i < n; i++) {
        if (ngx_aop_name_match(&names[i], host->data, len,
                               aopctl_names_regex))
        {
            return 1;
        }
    }

    return 0;
}


static int
aopctl_names_regex(void *regex, const char *host, size_t len)
{
    int                          rc;
    static pcre2_match_data     *data;
    static pcre2_match_context  *context;

    if (data == NULL) {
        data = pcre2_match_data_create(1, NULL);
        context = pcre2_match_context_create(NULL);

        if (context != NULL) {
            (void) pcre2_set_match_limit(context, AOPCTL_NAMES_LIMIT);
        }
    }

    rc = data ? pcre2_match(regex, (PCRE2_SPTR) host, len, 0, 0, data, context)
              : PCRE2_ERROR_NOMEMORY;

    return rc != PCRE2_ERROR_NOMATCH;
}
