
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_HTTP_H_INCLUDED_
#define _AOPCTL_HTTP_H_INCLUDED_


#include "conn.h"


/* An error page of nginx's own that tells more than its status. */

typedef enum {
    AOPCTL_PAGE_OTHER = 0,
    AOPCTL_PAGE_CERT,           /* no certificate, or not a good one */
    AOPCTL_PAGE_HTTPS           /* the port is for HTTPS only */
} aopctl_page_e;


typedef struct {
    int              status;        /* 0: no answer */
    aopctl_page_e    page;          /* for status AOPCTL_HTTP_PAGED only */
    unsigned         to_https:1;    /* a redirect to https:// */
} aopctl_http_t;


/* What nginx sends with such pages. */

#define AOPCTL_HTTP_PAGED  400


/* What is asked for. */

typedef struct {
    const char      *host;
    const char      *path;
    const char      *visitor;       /* whom to come for; NULL: not said */
} aopctl_request_t;


/*
 * One GET and the head of its answer, and which page that is, over HTTP/1.1
 * and over HTTP/2.  Where there is no answer, conn->err tells why.
 */

typedef void (*aopctl_http_pt)(aopctl_conn_t *conn,
    const aopctl_request_t *request, aopctl_http_t *http);

void aopctl_http1(aopctl_conn_t *conn, const aopctl_request_t *request,
    aopctl_http_t *http);
void aopctl_http2(aopctl_conn_t *conn, const aopctl_request_t *request,
    aopctl_http_t *http);


/* Which page a body, or as much of it as has come, is. */

aopctl_page_e aopctl_http_page(const char *body, size_t len);


#endif /* _AOPCTL_HTTP_H_INCLUDED_ */
