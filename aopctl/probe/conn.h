
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_CONN_H_INCLUDED_
#define _AOPCTL_CONN_H_INCLUDED_


#include <netdb.h>
#include <openssl/ssl.h>


/*
 * A connection, plain or TLS.  Everything done with it ends in time, even if
 * the host always has more to send: at most AOPCTL_CONN_BYTES are read, enough
 * for a handshake and two bodies of a page.
 */

#define AOPCTL_CONN_BYTES  1048576

typedef struct {
    int         fd;
    SSL        *ssl;            /* owned; NULL: plain */
    double      deadline;       /* as aopctl_conn_now() */
    size_t      received;       /* of a plain connection, bytes */
    int         alert;          /* that the peer sent; -1: none */
    int         unsent;         /* errno of a write that failed; 0: none */
    unsigned    timed_out:1;
    unsigned    here:1;         /* it failed here, not at the peer */
    char        err[256];
} aopctl_conn_t;


/*
 * These return 1, or 0 with err set.  aopctl_conn_tls() takes ssl over, which
 * is ready for SSL_connect().
 */

int aopctl_conn_open(aopctl_conn_t *conn, const struct addrinfo *addr,
    double deadline);
int aopctl_conn_tls(aopctl_conn_t *conn, SSL *ssl);
int aopctl_conn_write(aopctl_conn_t *conn, const void *data, size_t len);

/* The number of bytes read, 0 at the end, -1 on errors. */

int aopctl_conn_read(aopctl_conn_t *conn, void *buf, size_t size);

void aopctl_conn_close(aopctl_conn_t *conn);


/* Seconds of a clock that is never set. */

double aopctl_conn_now(void);


#endif /* _AOPCTL_CONN_H_INCLUDED_ */
