
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_FETCH_H_INCLUDED_
#define _AOPCTL_FETCH_H_INCLUDED_


#include "origins.h"


typedef struct {
    const char  *cacert;        /* a file of CAs, in place of the system's */
    const char  *netrc;
    long         timeout;       /* of each page, in seconds */
} aopctl_fetch_conf_t;


/*
 * The result of a page: its bytes, or the reason why it could not be read,
 * which may include text of the other side.  Both are borrowed until the call
 * ends.
 */

typedef struct {
    const char  *err;           /* NULL: all of the page is there */
    const char  *body;
    size_t       len;
} aopctl_fetched_t;

typedef void (*aopctl_fetch_pt)(void *data, size_t origin,
    const aopctl_fetched_t *page);


/*
 * Requests the pages of all origins in parallel, and calls back once for each
 * as soon as it arrived or failed, in any order.  Returns 0 if curl or memory
 * failed; not all of them had a callback then.
 */

int aopctl_fetch(const aopctl_fetch_conf_t *conf,
    const aopctl_origins_t *origins, aopctl_fetch_pt callback, void *data);


#endif /* _AOPCTL_FETCH_H_INCLUDED_ */
