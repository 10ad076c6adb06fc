
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PROBE_PAGE_H_INCLUDED_
#define _AOPCTL_PROBE_PAGE_H_INCLUDED_


#include <stdint.h>

#include "http.h"


/* Three answers: dynamic pages differ from each other. */

typedef enum {
    AOPCTL_PAGE_SAME = 0,
    AOPCTL_PAGE_ANOTHER,
    AOPCTL_PAGE_SIMILAR         /* it could be the same one, or not */
} aopctl_same_e;


/* As much of an answer as it takes to recognize it. */

#define AOPCTL_PAGE_URL    1664
#define AOPCTL_PAGE_WORDS  32768
#define AOPCTL_PAGE_BITS   64

typedef struct {
    int          status;        /* 0: there is none */
    unsigned     self:1;        /* redirects to the requested host */
    size_t       path;          /* of such a redirect begins there in url */
    char         url[AOPCTL_PAGE_URL];  /* "": no redirect */

    /* a set of words: a bit is that of a hash */

    uint64_t     words[AOPCTL_PAGE_WORDS / AOPCTL_PAGE_BITS];
} aopctl_page_t;


/* From an answer of a host, over TLS or plain. */

void aopctl_probe_page_make(aopctl_page_t *page, const aopctl_http_t *http,
    unsigned tls, const char *host);

aopctl_same_e aopctl_probe_page_compare(const aopctl_page_t *a,
    const aopctl_page_t *b);


#endif /* _AOPCTL_PROBE_PAGE_H_INCLUDED_ */
