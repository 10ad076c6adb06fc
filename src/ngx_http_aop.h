
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_H_INCLUDED_
#define _NGX_HTTP_AOP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_http_v2.h>

#include "ngx_aop_mode.h"
#include "ngx_aop_policy.h"
#include "ngx_aop_verify.h"
#include "ngx_aop_version.h"


/*
 * The one place that knows which nginx this is.
 *
 * NGX_HTTP_V2, NGX_HTTP_V3 and NGX_QUIC are not asked: they tell of the tree
 * that the module is compiled from.  With "--with-compat" an nginx that has
 * more loads it all the same, and its structures are the same.
 */

/* HTTP/3 came with nginx 1.25.0 */

#if (nginx_version >= 1025000)
#define ngx_http_aop_listens_tls(addr)  ((addr)->opt.ssl || (addr)->opt.quic)
#else
#define ngx_http_aop_listens_tls(addr)  ((addr)->opt.ssl)
#endif

#if (nginx_version >= 1025000 && (NGX_QUIC || NGX_COMPAT))
#define NGX_HTTP_AOP_V3  1
#include <ngx_event_quic.h>
#include <ngx_http_v3.h>
#endif


/* "ssl_ocsp" came with nginx 1.19.0 */

#if (nginx_version >= 1019000)
#define ngx_http_aop_ssl_ocsp(sscf)  ((sscf)->ocsp)
#else
#define ngx_http_aop_ssl_ocsp(sscf)  0
#endif

/* "ssl on" was removed in nginx 1.25.1 */

#if (nginx_version < 1025001)
#define ngx_http_aop_ssl_enabled(sscf)  ((sscf)->enable)
#else
#define ngx_http_aop_ssl_enabled(sscf)  ((void) (sscf), 0)
#endif


/*
 * Some patch OpenSSL to let a get_session callback wait: it then returns what
 * this function does, which is not a session.
 */

extern SSL_SESSION *SSL_magic_pending_session_ptr(void)
    __attribute__((weak));

#define ngx_http_aop_session_pending(session)                                 \
    (SSL_magic_pending_session_ptr != NULL                                    \
     && (session) == SSL_magic_pending_session_ptr())


/* in a directive: each request has a mode of its own */

#define NGX_HTTP_AOP_MODE_VARIABLE  NGX_AOP_MODES


/* An "aop" directive. */

typedef struct {
    ngx_aop_mode_e              mode;
    ngx_http_complex_value_t   *value;      /* of NGX_HTTP_AOP_MODE_VARIABLE */
    u_char                     *file;
    ngx_uint_t                  line;
} ngx_http_aop_mode_t;


/* A certificate of "aop_ca". */

typedef struct {
    X509                       *x509;       /* owned by the cycle's pool */
    const char                 *name;       /* NULL: the subject */
} ngx_http_aop_ca_t;


typedef struct {
    ngx_array_t                 policies;   /* of ngx_aop_policy_t * */
    ngx_array_t                 servers;    /* of ngx_http_aop_server_t */
    ngx_rbtree_t                labels;     /* of the servers */
    ngx_rbtree_node_t           sentinel;

    /* while the configuration is read: the system's store; what was warned */
    X509_STORE                 *roots;
    ngx_array_t                *warned;     /* of const ngx_aop_policy_t * */

    ngx_array_t                *edge;       /* of ngx_aop_range_t */
    ngx_array_t                *proxies;    /* of ngx_aop_range_t */
    time_t                      log_interval;

    /* of the same configuration, for the check of its phases */
    ngx_http_core_main_conf_t  *cmcf;

    size_t                      zone_size;
    ngx_shm_zone_t             *zone;       /* NULL: no server uses it */
} ngx_http_aop_main_conf_t;


typedef struct {
    ngx_array_t                *ca;         /* of ngx_http_aop_ca_t */
    ngx_array_t                *crls;       /* of X509_CRL *, owned likewise */
    ngx_array_t                *pins;       /* of ngx_aop_pin_t */
    ngx_int_t                   verify_depth;
    time_t                      session_timeout;
    ngx_int_t                   ready_requests;
    time_t                      ready_time;
    ngx_array_t                *expiry;     /* of time_t, the longest first */

    /* "aop" directives of the server's locations */
    ngx_array_t                *locations;  /* of ngx_http_aop_mode_t * */

    /* OpenSSL's security level of its handshakes; -1 if it has none */
    ngx_int_t                   auth_level;

    /* set after the configuration was read; NULL: the server is all "off" */
    const ngx_aop_policy_t     *policy;

    /* its place in the main configuration's list, if it is in there */
    ngx_uint_t                  server;
    unsigned                    listed:1;

    /* some location is less strict than the server */
    unsigned                    relaxed:1;

    /* its SSL_CTX asks for a certificate */
    unsigned                    asks:1;
} ngx_http_aop_srv_conf_t;


typedef struct {
    ngx_http_aop_mode_t        *mode;
    ngx_uint_t                  log_level;
    const void                 *report;     /* the format of "aop_report" */
} ngx_http_aop_loc_conf_t;


/* The mode that was applied to a request, and what it was applied to. */

typedef struct {
    const ngx_aop_result_t     *result;     /* NULL: mode "off" */
    ngx_aop_mode_e              mode;

    /* the directive whose variable gave the mode; NULL: a constant mode */
    const ngx_http_aop_mode_t  *source;

    /* this is the page that error_page names for a refusal */
    unsigned                    page:1;
} ngx_http_aop_state_t;


/*
 * One judgement of a connection's certificate.  It carries the states that
 * requests with a constant mode need, so that they allocate nothing.
 */

typedef struct ngx_http_aop_judgement_s  ngx_http_aop_judgement_t;

struct ngx_http_aop_judgement_s {
    const ngx_aop_policy_t     *policy;
    ngx_aop_result_t            result;
    ngx_http_aop_state_t        state[NGX_AOP_MODES];
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

typedef struct {
    ngx_pool_t                 *pool;       /* the connection's */
    ngx_http_aop_judgement_t   *judgements; /* one for each policy asked */
    ngx_http_aop_peer_t         peer;       /* addr.data NULL: not yet */
    ngx_str_t                   facts[NGX_AOP_CERT_FACTS];
    unsigned                    cut;        /* bits: facts that are not whole */
    unsigned                    declined:1; /* a session was not resumed */
    unsigned                    counted:1;
    unsigned                    foreign:1;  /* not our verify callback's */
} ngx_http_aop_conn_t;


/*
 * ngx_http_aop_pool_add() allocates zeroed data that ngx_http_aop_pool_get()
 * finds in the pool by "key", which is called when the pool is destroyed; NULL
 * if memory is short, or if there is no such data.
 *
 * The code of "key" is still there then: nginx keeps a cycle, and with it the
 * module, as long as one of its connections is open.
 */

void *ngx_http_aop_pool_get(ngx_pool_t *pool, ngx_pool_cleanup_pt key);
void *ngx_http_aop_pool_add(ngx_pool_t *pool, size_t size,
    ngx_pool_cleanup_pt key);


/*
 * The directives that say what is trusted; they read their files at once, so
 * that an error names its line.  ngx_http_aop_ca_default() is the value of
 * "aop_ca cloudflare", NULL on failure.
 */

char *ngx_http_aop_ca_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aop_ca_set_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aop_ca_set_pin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_array_t *ngx_http_aop_ca_default(ngx_conf_t *cf);


/*
 * ngx_http_aop_policy_init() makes the policy of a server of what these
 * directives said, shared with the servers where they said the same.
 */

ngx_int_t ngx_http_aop_policy_init(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);


/* "aop_expiry_warning" and its default, NULL if memory is short */

char *ngx_http_aop_expiry_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_array_t *ngx_http_aop_expiry_default(ngx_conf_t *cf);


/* "aop_report" */

char *ngx_http_aop_report_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


typedef void (*ngx_http_aop_cache_pt)(ngx_uint_t hit);


/*
 * ngx_http_aop_conn_init() is to be called for each configuration.
 *
 * ngx_http_aop_conn() returns the record of an SSL connection, made if
 * there is none; NULL if memory is short.
 *
 * ngx_http_aop_conn_judge() judges the connection's certificate by a
 * policy, or returns the judgement that was made before and still holds.
 * "handshake" tells that the policy is the one the handshake asked for.
 * Never NULL: what cannot be judged is NGX_AOP_VERDICT_ERROR.
 *
 * ngx_http_aop_conn_judge_request() does so for a request, by the policy of
 * the server that it selected, which must have one.
 *
 * ngx_http_aop_conn_cache() names what is to be called with each look into
 * the cache of verified chains, and whether it was a hit.
 *
 * ngx_http_aop_conn_fact() returns a fact of the client certificate, cut to
 * what a log needs; an empty string if there is no certificate, NULL if memory
 * is short.  ngx_http_aop_conn_whole_fact() returns all of it, in the
 * request's pool; NGX_ERROR if memory is short.
 */

#define NGX_HTTP_AOP_NAME_MAX  512

ngx_int_t ngx_http_aop_conn_init(ngx_conf_t *cf);
ngx_http_aop_conn_t *ngx_http_aop_conn(ngx_ssl_conn_t *ssl);
ngx_http_aop_judgement_t *ngx_http_aop_conn_judge(ngx_ssl_conn_t *ssl,
    const ngx_aop_policy_t *policy, X509 *leaf, STACK_OF(X509) *chain,
    ngx_uint_t handshake);
ngx_http_aop_judgement_t *ngx_http_aop_conn_judge_request(ngx_http_request_t *r);
void ngx_http_aop_conn_cache(ngx_http_aop_cache_pt handler);
ngx_str_t *ngx_http_aop_conn_fact(ngx_http_request_t *r,
    ngx_aop_cert_fact_e fact);
ngx_int_t ngx_http_aop_conn_whole_fact(ngx_http_request_t *r,
    ngx_aop_cert_fact_e fact, ngx_str_t *text);


char *ngx_http_aop_ready_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* The peer of a request's connection; never fails. */

void ngx_http_aop_peer(ngx_http_request_t *r, ngx_http_aop_peer_t *peer);


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
 * ngx_http_aop_session_arm() puts the SSL_CTX of an address's default server
 * in control of which sessions are resumed at that address; it may be called
 * more than once for an SSL_CTX.  NGX_ERROR if memory is short.
 */

ngx_int_t ngx_http_aop_session_arm(ngx_conf_t *cf, SSL_CTX *ctx);


/*
 * ngx_http_aop_addresses_walk() calls the handler for each address that servers
 * listen on, as long as it returns NGX_OK; returns what it has returned last.
 */

typedef ngx_int_t (*ngx_http_aop_address_pt)(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);

ngx_int_t ngx_http_aop_addresses_walk(ngx_conf_t *cf,
    ngx_http_aop_address_pt handler);


/*
 * ngx_http_aop_servers_init() settles, once all is read, which servers use
 * the module, by which policy, and which SSL_CTX is to ask; says what the
 * administrator should know.
 */

ngx_int_t ngx_http_aop_servers_init(ngx_conf_t *cf);


/*
 * ngx_http_aop_phase_init() registers the phase handlers,
 * ngx_http_aop_phase_order() moves them to the front of their phases.
 *
 * ngx_http_aop_phase_check(): are the phases as we know them?  NGX_ERROR is
 * logged.
 */

ngx_int_t ngx_http_aop_phase_init(ngx_conf_t *cf);
ngx_int_t ngx_http_aop_phase_order(ngx_cycle_t *cycle);
ngx_int_t ngx_http_aop_phase_check(ngx_http_core_main_conf_t *cmcf,
    ngx_log_t *log);


/*
 * For the phase handlers.  ngx_http_aop_request_enabled(): the request is one
 * to be judged here at all.  ngx_http_aop_request_applied(): this mode, or
 * this variable's, is the one that was applied last. 
 * ngx_http_aop_request_apply() applies it; returns NGX_DECLINED, or the status
 * to refuse with.
 *
 * ngx_http_aop_error_page_enter(): this is the redirect to the page of a
 * refusal, and ngx_http_aop_error_page_in() the location that it leads to;
 * both are let through once.
 */

ngx_uint_t ngx_http_aop_request_enabled(ngx_http_request_t *r);
ngx_http_aop_mode_t *ngx_http_aop_request_server_mode(ngx_http_request_t *r);
ngx_uint_t ngx_http_aop_request_applied(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode);
ngx_int_t ngx_http_aop_request_apply(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode);
ngx_uint_t ngx_http_aop_error_page_enter(ngx_http_request_t *r);
ngx_uint_t ngx_http_aop_error_page_in(ngx_http_request_t *r);


/*
 * What was applied to the request; the first failure if there was one; NULL
 * if nothing has been applied.
 */

const ngx_http_aop_state_t *ngx_http_aop_request_state(ngx_http_request_t *r);

/*
 * What gave the mode: "server", "location" or "variable"; empty if none has
 * been applied.
 */

const char *ngx_http_aop_request_mode_from(ngx_http_request_t *r);


/*
 * ngx_http_aop_close_connection() has the connection of a refused request end
 * once its open requests are answered, and drops its session; NGX_ERROR if
 * memory is short.
 */

ngx_int_t ngx_http_aop_close_connection(ngx_http_request_t *r);


/* "aop_edge"; without it the published list of Cloudflare's holds. */

char *ngx_http_aop_peer_set_edge(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/* One line for a request that was refused, or would have been. */

void ngx_http_aop_log(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);

/* One line for a value of an "aop $variable" that is no mode. */

void ngx_http_aop_log_mode(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode, ngx_str_t *value);


ngx_int_t ngx_http_aop_variables_init(ngx_conf_t *cf);


/*
 * ngx_http_aop_stock_verifies(): the handshake is one that "ssl_verify_client"
 * of its server verifies.
 *
 * ngx_http_aop_stock_init() has $ssl_client_verify go by the verdict in
 * servers that use "aop" without "ssl_verify_client".
 */

ngx_uint_t ngx_http_aop_stock_verifies(ngx_http_connection_t *hc);
ngx_int_t ngx_http_aop_stock_init(ngx_conf_t *cf);


/* The value of $aop_json, and the log format "aop_json" that consists of it. */

ngx_int_t ngx_http_aop_log_format_json(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_http_aop_log_format_init(ngx_conf_t *cf);


extern ngx_module_t     ngx_http_aop_module;


#endif /* _NGX_HTTP_AOP_H_INCLUDED_ */
