
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_VALIDITY_H_INCLUDED_
#define _NGX_HTTP_AOP_VALIDITY_H_INCLUDED_


#include "ngx_http_aop_zone.h"


/* Something that a server depends on, and that ends. */

typedef struct {
    const char             *kind;           /* "anchor", "crl" or "client" */
    const char             *subject;        /* of a CRL its issuer */
    const char             *fingerprint;    /* SHA-256, hexadecimal */
    const char             *anchor;         /* of a client certificate, or "" */
    time_t                  not_before;
    time_t                  not_after;      /* 0: it does not end */
    time_t                  last;           /* of a client one: it passed */
    ngx_uint_t              replaced;       /* see below */
} ngx_http_aop_validity_t;


/*
 * ngx_http_aop_validity() lists what a policy depends on and the last client
 * certificates of a server (may be NULL), the next to end first.  All of it
 * is in the pool; NULL if memory is short.
 */

ngx_array_t *ngx_http_aop_validity(ngx_pool_t *pool,
    const ngx_aop_policy_t *policy, const ngx_http_aop_stat_t *stat);


/*
 * A client certificate matters as long as its anchor is one of the policy's:
 * ngx_http_aop_validity_client_anchor() is that one, or NULL (also for a free
 * place).
 *
 * It is replaced if another one that matters has its subject and passed after
 * it: that is what a renewal looks like from here, and the end of the old one
 * is no news then.  "clients" are a copy of all of a server.
 */

const ngx_aop_anchor_t *ngx_http_aop_validity_client_anchor(
    const ngx_aop_policy_t *policy, const ngx_http_aop_client_t *client);
ngx_uint_t ngx_http_aop_validity_client_replaced(const ngx_aop_policy_t *policy,
    const ngx_http_aop_client_t *clients, const ngx_http_aop_client_t *client);


/* Whole days from now; negative once the time has passed. */

ngx_int_t ngx_http_aop_validity_days_left(time_t not_after);


/*
 * ngx_http_aop_expiry_start() says, once, what ends soon, and
 * ngx_http_aop_expiry_watch() has the first worker look after it.
 *
 * ngx_http_aop_expiry_clients() says so of the client certificates of a
 * server; it may be called from any worker.
 */

void ngx_http_aop_expiry_start(ngx_cycle_t *cycle);
void ngx_http_aop_expiry_watch(ngx_cycle_t *cycle);
void ngx_http_aop_expiry_clients(ngx_log_t *log, ngx_http_aop_server_t *server);


#endif /* _NGX_HTTP_AOP_VALIDITY_H_INCLUDED_ */
