
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What is kept of an answer, over any version of HTTP: only as much as a probe
 * can use, whatever the server sends.
 */


#include <string.h>
#include <strings.h>

#include "http.h"


#define aopctl_http_is(name, namelen, word)                                   \
    ((namelen) == sizeof(word) - 1                                            \
     && strncasecmp(name, word, sizeof(word) - 1) == 0)


typedef struct {
    const char     *title;
    aopctl_page_e   page;
} aopctl_title_t;


/*
 * nginx answers 400 for its own statuses 495, 496 and 497: only the title tells
 * them from any other 400.
 */

static const aopctl_title_t  aopctl_titles[] = {
    { "<title>400 No required SSL certificate was sent</title>",
      AOPCTL_PAGE_CERT },
    { "<title>400 The SSL certificate error</title>",
      AOPCTL_PAGE_CERT },
    { "<title>400 The plain HTTP request was sent to HTTPS port</title>",
      AOPCTL_PAGE_HTTPS }
};


void
aopctl_http_init(aopctl_http_t *http)
{
    http->status = 0;
    http->page = AOPCTL_PAGE_OTHER;
    http->kept = 0;
    http->http3 = 0;
    http->location[0] = '\0';
    http->len = 0;
}


void
aopctl_http_header(aopctl_http_t *http, const char *name, size_t namelen,
    const char *value, size_t len)
{
    if (aopctl_http_is(name, namelen, "location")) {
        len = (len < AOPCTL_HTTP_LOCATION) ? len : AOPCTL_HTTP_LOCATION - 1;
        memcpy(http->location, value, len);
        http->location[len] = '\0';

    } else if (aopctl_http_is(name, namelen, "connection")) {
        http->kept = aopctl_http_is(value, len, "keep-alive");

    } else if (aopctl_http_is(name, namelen, "alt-svc")) {
        http->http3 |= memmem(value, len, "h3=", 3) != NULL
                       || memmem(value, len, "h3-", 3) != NULL;
    }
}


int
aopctl_http_add(aopctl_http_t *http, const char *data, size_t len)
{
    if (len > AOPCTL_HTTP_BODY - http->len) {
        len = AOPCTL_HTTP_BODY - http->len;
    }

    memcpy(http->body + http->len, data, len);
    http->len += len;

    return http->len < AOPCTL_HTTP_BODY;
}


void
aopctl_http_end(aopctl_http_t *http)
{
    size_t                 i;
    const aopctl_title_t  *title;

    if (http->status != AOPCTL_HTTP_PAGED) {
        return;
    }

    for (i = 0; i < sizeof(aopctl_titles) / sizeof(aopctl_titles[0]); i++) {
        title = &aopctl_titles[i];

        if (memmem(http->body, http->len, title->title, strlen(title->title))
            != NULL)
        {
            http->page = title->page;
            return;
        }
    }
}
