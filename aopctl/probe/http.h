
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_HTTP_H_INCLUDED_
#define _AOPCTL_HTTP_H_INCLUDED_


#include "conn.h"


/* An error page of nginx's own that is more specific than its status. */

typedef enum {
    AOPCTL_PAGE_OTHER = 0,
    AOPCTL_PAGE_CERT,           /* no certificate, or not a good one */
    AOPCTL_PAGE_HTTPS           /* the port is for HTTPS only */
} aopctl_page_e;


#define AOPCTL_HTTP_LOCATION  512
#define AOPCTL_HTTP_BODY      65536

typedef struct {
    int              status;        /* 0: no answer */
    aopctl_page_e    page;          /* for status AOPCTL_HTTP_PAGED only */
    unsigned         kept:1;        /* the server keeps the connection */
    unsigned         http3:1;       /* announced by Alt-Svc */
    char             location[AOPCTL_HTTP_LOCATION];  /* "": none */
    size_t           len;           /* of the body, or of its start */
    char             body[AOPCTL_HTTP_BODY];
} aopctl_http_t;


/* What nginx sends with such pages. */

#define AOPCTL_HTTP_PAGED  400


/* A request. */

typedef struct {
    const char      *host;
    const char      *path;
    const char      *visitor;       /* CF-Connecting-IP, or NULL */

    /* leave it to the server whether to keep the connection; no body is read */

    unsigned         keep:1;
} aopctl_request_t;


/*
 * One GET and its answer, with the start of the body, over HTTP/1.1 and over
 * HTTP/2.  If there is no answer, conn->err says why.
 */

typedef void (*aopctl_http_pt)(aopctl_conn_t *conn,
    const aopctl_request_t *request, aopctl_http_t *http);

void aopctl_http1(aopctl_conn_t *conn, const aopctl_request_t *request,
    aopctl_http_t *http);
void aopctl_http2(aopctl_conn_t *conn, const aopctl_request_t *request,
    aopctl_http_t *http);


/* Starts an answer. */

void aopctl_http_init(aopctl_http_t *http);

/* A header of the answer; the name in any case. */

void aopctl_http_header(aopctl_http_t *http, const char *name, size_t namelen,
    const char *value, size_t len);

/* A piece of the body; returns 0 when no more of it is wanted. */

int aopctl_http_add(aopctl_http_t *http, const char *data, size_t len);

/* Determines which page the body is. */

void aopctl_http_end(aopctl_http_t *http);


#endif /* _AOPCTL_HTTP_H_INCLUDED_ */
