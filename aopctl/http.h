
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_HTTP_H_INCLUDED_
#define _AOPCTL_HTTP_H_INCLUDED_


#include "conn.h"


typedef struct {
    int         status;         /* 0: no answer */
    unsigned    to_https:1;     /* a redirect to https:// */
} aopctl_http_t;


/*
 * One GET and the head of its answer, over HTTP/1.1 and over HTTP/2.  Where
 * there is no answer, conn->err tells why.
 */

typedef void (*aopctl_http_pt)(aopctl_conn_t *conn, const char *host,
    const char *path, aopctl_http_t *http);

void aopctl_http1(aopctl_conn_t *conn, const char *host, const char *path,
    aopctl_http_t *http);
void aopctl_http2(aopctl_conn_t *conn, const char *host, const char *path,
    aopctl_http_t *http);


#endif /* _AOPCTL_HTTP_H_INCLUDED_ */
