
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_SESSIONS_H_INCLUDED_
#define _NGX_AOP_SESSIONS_H_INCLUDED_


#include <time.h>
#include <openssl/ssl.h>

#include "ngx_aop_cert.h"


/* The owner is compared only: the SSL_CTX that the session was made in. */

typedef struct {
    SSL_SESSION              *session;      /* owned; NULL: free */
    const void               *owner;
    unsigned long             added;
    time_t                    expires;
} ngx_aop_sessions_slot_t;


/* A certificate that connections and sessions have in common. */

typedef struct {
    X509                     *x509;         /* owned; NULL: free */
    unsigned char             digest[NGX_AOP_DIGEST];
} ngx_aop_sessions_cert_t;


/*
 * Bounds the memory: a session holds the client's certificates, parsed.
 * Zeroed memory is an empty table.
 */

#define NGX_AOP_SESSIONS_SLOTS  512
#define NGX_AOP_SESSIONS_CERTS  64

typedef struct {
    unsigned long             added;        /* how many so far */
    ngx_aop_sessions_slot_t   slots[NGX_AOP_SESSIONS_SLOTS];
    ngx_aop_sessions_cert_t   certs[NGX_AOP_SESSIONS_CERTS];
} ngx_aop_sessions_t;


/*
 * ngx_aop_sessions_find() returns the session of an owner by its id, borrowed
 * from the table; NULL if there is none, or if its timeout has passed.
 *
 * ngx_aop_sessions_add() takes over a reference to a session; it returns 0
 * and does not if the session has no id.
 *
 * ngx_aop_sessions_remove() drops that very session: another one may have its
 * id, since with a ticket of TLS 1.2 the client chooses the id.
 *
 * ngx_aop_sessions_cert() returns the certificate that the table has by that
 * SHA-256, which is x509 from now on if there was none and OpenSSL has parsed
 * all of it.  It is borrowed from the table until the next call.  Leaves
 * OpenSSL's error queue as it was.
 *
 * ngx_aop_sessions_clear() frees all that the table has.
 */

SSL_SESSION *ngx_aop_sessions_find(ngx_aop_sessions_t *table,
    const void *owner, const unsigned char *id, size_t len, time_t now);
int ngx_aop_sessions_add(ngx_aop_sessions_t *table, const void *owner,
    SSL_SESSION *session, time_t now);
void ngx_aop_sessions_remove(ngx_aop_sessions_t *table, const void *owner,
    SSL_SESSION *session);
X509 *ngx_aop_sessions_cert(ngx_aop_sessions_t *table, X509 *x509,
    const unsigned char *digest);
void ngx_aop_sessions_clear(ngx_aop_sessions_t *table);


#endif /* _NGX_AOP_SESSIONS_H_INCLUDED_ */
