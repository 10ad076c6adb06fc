
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_SERVER_H_INCLUDED_
#define _AOPCTL_SERVER_H_INCLUDED_


#include <stdint.h>

#include "json.h"


typedef struct {
    const char  *module;            /* its version */
    const char  *date;
    int64_t      time;
    unsigned     stale:1;           /* not of this time */
} aopctl_server_page_t;


/*
 * What the page says of a server, and what this means, owned by the caller;
 * NULL if the object is not one of a status page.
 */

json_t *aopctl_server_read(const json_t *object,
    const aopctl_server_page_t *page);

/* The same for a server without "aop". */

json_t *aopctl_server_unprotected(const json_t *object);


#endif /* _AOPCTL_SERVER_H_INCLUDED_ */
