
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_CONN_H_INCLUDED_
#define _NGX_HTTP_AOP_CONN_H_INCLUDED_


#include "ngx_http_aop.h"
#include "ngx_aop_evidence.h"
#include "ngx_aop_peer.h"
#include "ngx_aop_verify.h"


/*
 * What is known about a connection before any request: its handshake, which
 * session it resumes, how its certificate was judged, where it comes from.
 * Nothing here knows of requests, except for what nginx keeps of their
 * connection.
 */


/* The mode that was applied to a request, and what it was applied to. */

typedef struct ngx_http_aop_conn_s  ngx_http_aop_conn_t;

typedef struct {
    const ngx_aop_result_t     *result;     /* NULL: mode "off" */
    ngx_http_aop_conn_t        *conn;       /* NULL: no TLS, or no memory */

    /* the directive whose variable gave the mode; NULL: a constant mode */
    const ngx_http_aop_mode_t  *source;

    ngx_aop_mode_e              mode;

    /* this is the page of error_page for a rejected request */
    unsigned                    page:1;

    /* passed, in a server where no other mode can be applied to it */
    unsigned                    settled:1;
} ngx_http_aop_state_t;


/*
 * One judgement of a connection's certificate.  It carries the states that
 * requests with a constant mode need, so that they allocate nothing.
 */

typedef struct ngx_http_aop_judgement_s  ngx_http_aop_judgement_t;

struct ngx_http_aop_judgement_s {
    const ngx_aop_policy_t     *policy;
    ngx_aop_result_t            result;

    /* of each mode but "off"; the second ones are for servers with one mode */
    ngx_http_aop_state_t        state[NGX_AOP_MODES - 1][2];

    ngx_http_aop_judgement_t   *next;
};


/* Where a connection came from, by its own address. */

typedef struct {
    ngx_aop_peer_e              class;
    unsigned                    private:1;  /* by number, also if listed */
    ngx_str_t                   addr;
} ngx_http_aop_peer_t;


/*
 * What is known of a TLS connection; lives in its pool, and is found there
 * among the cleanups.  OpenSSL's ex_data is no place for it: to be freed from
 * there it would need a function that may be unmapped after a reload.
 */

struct ngx_http_aop_conn_s {
    ngx_pool_t                 *pool;       /* the connection's */
    ngx_http_aop_judgement_t   *judgements; /* one for each policy asked */
    ngx_http_aop_peer_t         peer;       /* addr.data NULL: not yet */
    ngx_aop_leaf_t              leaf;       /* x509: while it is judged */
    ngx_aop_last_t              last;       /* request that passed */
    ngx_str_t                  *facts;      /* by number; NULL: none yet */
    X509                       *cert;       /* owned: another has its place */
    u_char                     *id;         /* of the object it offered */
    unsigned                    cut;        /* bits: facts that are not whole */
    unsigned                    declined:1; /* a session was not resumed */
    unsigned                    counted:1;
    unsigned                    other_callback:1;   /* not ours */
    unsigned                    by_id:1;    /* an id in place of a ticket */
    unsigned                    cached:1;   /* resumed from nginx's cache */
    unsigned                    moves:1;    /* its peer's address may change */
};


/*
 * ngx_http_aop_pool_add() allocates zeroed data that ngx_http_aop_pool_get()
 * finds in the pool by "key", which is called when the pool is destroyed; NULL
 * if memory is short, or if there is no such data.
 *
 * The code of "key" is still there then: nginx keeps a cycle, and with it the
 * module, as long as one of its connections is open.
 */

static ngx_inline void *ngx_http_aop_pool_get(ngx_pool_t *pool,
    ngx_pool_cleanup_pt key);
void *ngx_http_aop_pool_add(ngx_pool_t *pool, size_t size,
    ngx_pool_cleanup_pt key);


typedef void (*ngx_http_aop_cache_pt)(ngx_uint_t hit);
typedef void (*ngx_http_aop_resumed_pt)(ngx_ssl_conn_t *ssl);


/*
 * ngx_http_aop_conn_init() is to be called for each configuration.
 *
 * ngx_http_aop_conn() returns the record of an SSL connection, made if
 * there is none; NULL if memory is short.  ngx_http_aop_conn_known() returns
 * it if it is there, else NULL.  ngx_http_aop_conn_request() returns the
 * record of a request's connection, as ngx_http_aop_conn() does, or NULL if
 * that has no TLS.
 *
 * ngx_http_aop_conn_judge() judges the connection's certificate by a
 * policy, or returns the judgement that was made before and still holds.
 * "handshake" tells that the policy is the one the handshake asked for.
 * Never NULL: what cannot be judged is NGX_AOP_VERDICT_ERROR.
 *
 * ngx_http_aop_conn_judge_request() does so for a request, by the policy of
 * the server that it selected, which must have one; ngx_http_aop_conn_state()
 * does so if the mode asks for it, and returns what a request has with that
 * mode: it is not its own, and never NULL.
 *
 * ngx_http_aop_conn_cache() names what is to be called with each look into
 * the cache of verified chains, and whether it was a hit.
 * ngx_http_aop_conn_resume() names what is to be called when a session that
 * nginx's cache had turns out to be good, after the handshake.
 *
 * ngx_http_aop_conn_fact() returns a fact of the client certificate, cut to
 * what a log needs; an empty string if there is no certificate, NULL if memory
 * is short.  ngx_http_aop_conn_whole_fact() returns all of it, in the
 * request's pool; NGX_ERROR if memory is short.
 */

#define NGX_HTTP_AOP_NAME_MAX  512

ngx_int_t ngx_http_aop_conn_init(ngx_conf_t *cf);
ngx_http_aop_conn_t *ngx_http_aop_conn(ngx_ssl_conn_t *ssl);
ngx_http_aop_conn_t *ngx_http_aop_conn_known(ngx_ssl_conn_t *ssl);
ngx_http_aop_conn_t *ngx_http_aop_conn_request(ngx_http_request_t *r);
ngx_http_aop_judgement_t *ngx_http_aop_conn_judge(ngx_ssl_conn_t *ssl,
    const ngx_aop_policy_t *policy, X509 *leaf, STACK_OF(X509) *chain,
    ngx_uint_t handshake);
ngx_http_aop_judgement_t *ngx_http_aop_conn_judge_request(
    ngx_http_request_t *r);
ngx_http_aop_state_t *ngx_http_aop_conn_state(ngx_http_request_t *r,
    ngx_aop_mode_e mode);
void ngx_http_aop_conn_cache(ngx_http_aop_cache_pt handler);
void ngx_http_aop_conn_resume(ngx_http_aop_resumed_pt handler);
ngx_str_t *ngx_http_aop_conn_fact(ngx_http_request_t *r,
    ngx_aop_cert_fact_e fact);
ngx_int_t ngx_http_aop_conn_whole_fact(ngx_http_request_t *r,
    ngx_aop_cert_fact_e fact, ngx_str_t *text);


/*
 * ngx_http_aop_peer(): the peer of a request's connection; never fails.
 *
 * ngx_http_aop_peer_keep() is to be called before the address of the request's
 * connection is replaced, for the peer to stay the same; NGX_ERROR if memory
 * is short.
 */

void ngx_http_aop_peer(ngx_http_request_t *r, ngx_http_aop_peer_t *peer);
ngx_int_t ngx_http_aop_peer_keep(ngx_http_request_t *r);


/* "aop_edge"; without it the published list of Cloudflare's holds. */

char *ngx_http_aop_peer_set_edge(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/*
 * ngx_http_aop_tls_arm() makes an SSL_CTX ask for a certificate of the
 * policy's anchors and judge what comes; it may be called more than once for
 * an SSL_CTX.  NGX_ERROR if memory is short.
 */

ngx_int_t ngx_http_aop_tls_arm(ngx_conf_t *cf, SSL_CTX *ctx,
    const ngx_aop_policy_t *policy);


/*
 * ngx_http_aop_tls_names() takes the list of CA names from an SSL_CTX that has
 * been armed for all servers, where it is too long for a handshake.  It
 * returns how many there were then, else 0; -1 if memory is short.
 */

ngx_int_t ngx_http_aop_tls_names(SSL_CTX *ctx);


/*
 * ngx_http_aop_sni_server() returns the server that the ClientHello names, and
 * may be called while that is processed; ngx_http_aop_sni_made_for() the
 * server that the session's own name selects, which is what
 * SSL_get_servername() returns once the session is resumed.  NULL: not known.
 */

ngx_http_core_srv_conf_t *ngx_http_aop_sni_server(ngx_ssl_conn_t *ssl);
ngx_http_core_srv_conf_t *ngx_http_aop_sni_made_for(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session);


/*
 * ngx_http_aop_session_arm() puts the SSL_CTX of an address's default server
 * in control of which sessions are resumed at that address; it may be called
 * more than once for an SSL_CTX.  NGX_ERROR if memory is short.
 */

ngx_int_t ngx_http_aop_session_arm(ngx_conf_t *cf,
    ngx_http_ssl_srv_conf_t *sscf);


/*
 * ngx_http_aop_object_arm() has sessions kept as objects at an SSL_CTX, before
 * the callbacks of ngx_http_aop_session_arm() are set; it may be called once.
 * If nginx has no cache there, one is added for the other worker processes.
 * NGX_ERROR if memory is short.
 *
 * ngx_http_aop_object_find() returns the object of an id, or NULL, borrowed.
 * ngx_http_aop_object_offer() hands it to OpenSSL to resume, as a get_session
 * callback does; ngx_http_aop_object_miss() is called if no session was found.
 *
 * ngx_http_aop_object_cached() tells whether nginx's cache is to be asked.
 * ngx_http_aop_object_issue() is called for each ticket that is to be sent,
 * and has it be an id if the session is to be kept.
 * ngx_http_aop_object_keep() then keeps the session, with a reference of its
 * own, and tells whether it is to be stored in nginx's cache as well.
 *
 * ngx_http_aop_object_share() is called with the certificates that passed in
 * the handshake, before a session is made of them: in place of the first they
 * then have the one with the same bytes that other connections and sessions
 * have, with a reference of its own.
 *
 * ngx_http_aop_object_applies() tells whether the sessions of a connection are
 * kept, if their certificates pass.  ngx_http_aop_object_pays() tells whether
 * it is worth to send a ticket or an id at all.  The leaf is NULL in TLS 1.2
 * if it is not known yet.
 */

ngx_int_t ngx_http_aop_object_arm(ngx_conf_t *cf,
    ngx_http_ssl_srv_conf_t *sscf);
SSL_SESSION *ngx_http_aop_object_find(ngx_ssl_conn_t *ssl,
    const unsigned char *id, size_t len);
SSL_SESSION *ngx_http_aop_object_offer(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session, int *copy);
ngx_uint_t ngx_http_aop_object_cached(ngx_ssl_conn_t *ssl);
void ngx_http_aop_object_miss(ngx_ssl_conn_t *ssl);
int ngx_http_aop_object_issue(ngx_ssl_conn_t *ssl, void *arg);
ngx_uint_t ngx_http_aop_object_keep(ngx_ssl_conn_t *ssl, SSL_SESSION *session);
void ngx_http_aop_object_share(ngx_ssl_conn_t *ssl, STACK_OF(X509) *certs);
ngx_uint_t ngx_http_aop_object_applies(ngx_ssl_conn_t *ssl, X509 *leaf);
ngx_uint_t ngx_http_aop_object_pays(ngx_ssl_conn_t *ssl, X509 *leaf);


/*
 * ngx_http_aop_resumption_by_object() tells whether a session is to be kept as
 * an object of this process; "cached" is set if other processes find it in a
 * cache.  ngx_http_aop_resumption_by_ticket() tells whether a ticket pays.
 * ngx_http_aop_resumption_alone(): there is no other worker process.
 */

ngx_uint_t ngx_http_aop_resumption_by_object(ngx_ssl_conn_t *ssl, X509 *leaf,
    ngx_uint_t cached);
ngx_uint_t ngx_http_aop_resumption_alone(void);
ngx_uint_t ngx_http_aop_resumption_by_ticket(ngx_ssl_conn_t *ssl,
    X509 *leaf);


/*
 * ngx_http_aop_addresses_walk() calls the handler for each address that servers
 * listen on, as long as it returns NGX_OK; returns what it has returned last.
 */

typedef ngx_int_t (*ngx_http_aop_address_pt)(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);

ngx_int_t ngx_http_aop_addresses_walk(ngx_conf_t *cf,
    ngx_http_aop_address_pt handler);


/*
 * ngx_http_aop_stock_verifies(): the handshake is one that "ssl_verify_client"
 * of its server verifies.
 *
 * ngx_http_aop_stock_init() has $ssl_client_verify go by the verdict in
 * servers that use "aop" without "ssl_verify_client".
 */

ngx_uint_t ngx_http_aop_stock_verifies(ngx_http_connection_t *hc);
ngx_int_t ngx_http_aop_stock_init(ngx_conf_t *cf);


/*
 * ngx_http_aop_close_connection() has the connection of a refused request end
 * once its open requests are answered, and drops its session; NGX_ERROR if
 * memory is short.
 */

ngx_int_t ngx_http_aop_close_connection(ngx_http_request_t *r);


static ngx_inline void *
ngx_http_aop_pool_get(ngx_pool_t *pool, ngx_pool_cleanup_pt key)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == key) {
            return cln->data;
        }
    }

    return NULL;
}


#endif /* _NGX_HTTP_AOP_CONN_H_INCLUDED_ */
