
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
#include "ngx_aop_sessions.h"


/*
 * What all rooms know: which nginx this is, and what was configured.
 *
 * No other place knows which nginx this is.
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

/* "ssl_conf_command" came with nginx 1.19.4 */

#if (nginx_version >= 1019004)
#define ngx_http_aop_ssl_conf_commands(sscf)  ((sscf)->conf_commands)
#else
#define ngx_http_aop_ssl_conf_commands(sscf)  ((void) (sscf), NULL)
#endif

/* "ssl_protocols" of another server than the default one: nginx 1.29.2 */

#define NGX_HTTP_AOP_SNI_PROTOCOLS  (nginx_version >= 1029002)

/* "ssl on" was removed in nginx 1.25.1 */

#if (nginx_version < 1025001)
#define ngx_http_aop_ssl_enabled(sscf)  ((sscf)->enable)
#else
#define ngx_http_aop_ssl_enabled(sscf)  ((void) (sscf), 0)
#endif


/* Linux has it; elsewhere setsockopt() is to know nothing of it */

#ifdef TCP_QUICKACK
#define NGX_HTTP_AOP_QUICKACK  TCP_QUICKACK
#else
#define NGX_HTTP_AOP_QUICKACK  -1
#endif


/* OpenSSL 3.2 and later have it */

#ifdef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
#define NGX_HTTP_AOP_UNCOMPRESSED  SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
#else
#define NGX_HTTP_AOP_UNCOMPRESSED  0
#endif


/*
 * The name of the group that a connection's keys were agreed on with, or NULL;
 * it came with OpenSSL 3.0
 */

#ifdef SSL_CTRL_GET_NEGOTIATED_GROUP
#define ngx_http_aop_ssl_group(ssl)                                           \
    SSL_group_to_name(ssl, SSL_get_negotiated_group(ssl))
#else
#define ngx_http_aop_ssl_group(ssl)  ((void) (ssl), NULL)
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


/* "aop_require" */

#define NGX_HTTP_AOP_REQUIRE_OFF           0
#define NGX_HTTP_AOP_REQUIRE_POST_QUANTUM  1


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


/* An "aop_real_ip" directive that is not "off". */

#define NGX_HTTP_AOP_CONNECTING_IP  "CF-Connecting-IP"

typedef struct {
    ngx_str_t                   header;
    u_char                     *file;
    ngx_uint_t                  line;

    /* some server that uses "aop" has it */
    unsigned                    used:1;
} ngx_http_aop_real_ip_t;


/* A TLS server that is all "off". */

typedef struct {
    ngx_http_core_srv_conf_t   *cscf;
    ngx_http_conf_addr_t       *addr;       /* of the configuration's reading */
    const char                 *name;       /* as of other servers, unique */
    const char                 *file;
    ngx_uint_t                  line;
    const char                **beside;     /* enforced, at its addresses */
    ngx_uint_t                  nbeside;
    unsigned                    more:1;     /* others than these */
    unsigned                    explicit:1; /* "aop off" is written in it */
    ngx_str_node_t              node;       /* of the labels */
    ngx_uint_t                  same;       /* how many have its label so far */
} ngx_http_aop_unprotected_t;


typedef struct {
    ngx_rbtree_t                policies;
    ngx_array_t                 servers;    /* of ngx_http_aop_server_t */
    ngx_array_t                 unprotected;    /* TLS servers, all "off" */
    ngx_rbtree_t                labels;     /* of the servers */
    ngx_rbtree_node_t           sentinel;   /* of both trees */

    /* while the configuration is read: the system's store; what was warned */
    X509_STORE                 *roots;
    ngx_array_t                *warned;     /* of const ngx_aop_policy_t * */

    ngx_array_t                *edge;       /* of ngx_aop_range_t */
    ngx_array_t                *proxies;    /* of ngx_aop_range_t */
    time_t                      log_interval;

    /* of the same configuration, for the check of its phases */
    ngx_http_core_main_conf_t  *cmcf;

    size_t                      zone_size;  /* 0: as large as needed */
    ngx_shm_zone_t             *zone;       /* NULL: no server uses it */

    /* of this configuration and this process */
    ngx_aop_sessions_t         *sessions;

    /* the index of a variable: see ngx_http_aop_outcome.c */
    ngx_int_t                   counted;

    /* some server has "aop_real_ip" */
    unsigned                    real_ip:1;
} ngx_http_aop_main_conf_t;


typedef struct {
    ngx_array_t                *ca;         /* of ngx_http_aop_ca_t */
    ngx_array_t                *crls;       /* of X509_CRL *, owned likewise */
    ngx_array_t                *pins;       /* of ngx_aop_pin_t */
    ngx_int_t                   verify_depth;
    ngx_uint_t                  require;    /* NGX_HTTP_AOP_REQUIRE_* */
    time_t                      session_timeout;
    ngx_int_t                   ready_requests;
    time_t                      ready_time;
    ngx_array_t                *expiry;     /* of time_t, the longest first */
    ngx_http_aop_real_ip_t     *real_ip;    /* NULL: "off" */

    /* "aop" directives of the server's locations */
    ngx_array_t                *locations;  /* of ngx_http_aop_mode_t * */

    /* OpenSSL's security level of its handshakes; -1 if it has none */
    ngx_int_t                   auth_level;

    /* set after the configuration was read; NULL: the server is all "off" */
    const ngx_aop_policy_t     *policy;

    /* its place in the main configuration's list, if it is in there */
    ngx_uint_t                  server;
    unsigned                    listed:1;

    /* it is in the list of unprotected ones, and "server" its place there */
    unsigned                    unprotected:1;

    /* some location is less strict than the server */
    unsigned                    relaxed:1;

    /* its TLS does not offer every ML-DSA signature, at some address */
    unsigned                    classical:1;

    /* what was logged of that */
    unsigned                    tls13_warned:4;

    /* a failure may be refused in one place and let pass in another */
    unsigned                    mixed:1;

    /* there is one mode for all that it serves */
    unsigned                    uniform:1;

    /* its SSL_CTX requests a certificate */
    unsigned                    asks:1;

    /* it listens with TLS on some address */
    unsigned                    tls:1;
} ngx_http_aop_srv_conf_t;


typedef struct {
    ngx_http_aop_mode_t        *mode;
    ngx_uint_t                  log_level;
    ngx_int_t                   status;     /* 0: the verdict's own */
    const void                 *report;     /* the format of "aop_report" */
} ngx_http_aop_loc_conf_t;


extern ngx_module_t     ngx_http_aop_module;


/* The mode of the request's server, whatever its location says. */

#define ngx_http_aop_server_mode(r)                                           \
    (((ngx_http_aop_loc_conf_t *)                                             \
          ((ngx_http_core_srv_conf_t *)                                       \
               ngx_http_get_module_srv_conf(r, ngx_http_core_module))         \
          ->ctx->loc_conf[ngx_http_aop_module.ctx_index])->mode)


#endif /* _NGX_HTTP_AOP_H_INCLUDED_ */
