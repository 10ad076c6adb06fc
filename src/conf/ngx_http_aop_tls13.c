
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Does a server's TLS let a client present a post-quantum certificate?  TLS
 * has such signatures for version 1.3 only, and a client that finds none among
 * those that the server offers presents no certificate at all: the verdict
 * "none" does not say why.
 */


#include "ngx_http_aop_conf.h"
#include "ngx_http_aop_conn.h"
#include "ngx_aop_key.h"


/* of OpenSSL, the last one that allows ML-DSA-44 */

#define NGX_HTTP_AOP_TLS13_LEVEL  3


static ngx_uint_t ngx_http_aop_tls13_classical(
    ngx_http_core_srv_conf_t *cscf);
static void ngx_http_aop_tls13_check_level(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static void ngx_http_aop_tls13_check_signatures(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static const ngx_aop_anchor_t *ngx_http_aop_tls13_anchor(
    const ngx_aop_policy_t *policy);
static ngx_str_t *ngx_http_aop_tls13_excluded(ngx_http_ssl_srv_conf_t *sscf);
static ngx_str_t *ngx_http_aop_tls13_signatures(
    ngx_http_ssl_srv_conf_t *sscf);
static ngx_uint_t ngx_http_aop_tls13_lists(ngx_str_t *list, const char *what);


void
ngx_http_aop_tls13_check(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_ssl_srv_conf_t  *sscf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    ascf->classical = ngx_http_aop_tls13_classical(cscf);

    if (ngx_http_aop_tls13_anchor(ascf->policy) == NULL) {
        return;
    }

    ngx_http_aop_tls13_check_level(cf, cscf);

    if (sscf->ssl.ctx == NULL) {
        return;
    }

    if (!ngx_http_aop_tls_v13(sscf->ssl.ctx)) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ssl_protocols\" of the server in %s:%ui does not "
                      "include TLSv1.3, without which Cloudflare cannot "
                      "present a post-quantum certificate (add it)",
                      cscf->file_name, cscf->line);
    }

    ngx_http_aop_tls13_check_signatures(cf, cscf);

    /* NGX_SSL_MAX_SESSION_SIZE in nginx's ngx_event_openssl.h */

    if (sscf->shm_zone != NULL
        && (SSL_CTX_get_options(sscf->ssl.ctx) & SSL_OP_NO_TICKET))
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ssl_session_tickets off\" of the server in %s:%ui: "
                      "sessions with a post-quantum certificate are resumed "
                      "only by the worker process that created them, because "
                      "\"ssl_session_cache\" stores at most 4096 bytes per "
                      "session (enable session tickets)",
                      cscf->file_name, cscf->line);
    }
}


/* If so, a post-quantum certificate may be why Cloudflare presents none. */

static ngx_uint_t
ngx_http_aop_tls13_classical(ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_ssl_srv_conf_t  *sscf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    return ascf->auth_level > NGX_HTTP_AOP_TLS13_LEVEL
           || (sscf->ssl.ctx != NULL
               && (ngx_http_aop_tls_classical(sscf->ssl.ctx)
                   || ngx_http_aop_tls13_excluded(sscf) != NULL));
}


/*
 * A server does not offer the signatures that its security level rejects:
 * those of ML-DSA-44 have the strength of level 3, those of ML-DSA-65 of 4.
 */

static void
ngx_http_aop_tls13_check_level(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    if (ascf->auth_level <= NGX_HTTP_AOP_TLS13_LEVEL) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "the security level of the server in %s:%ui is %i, with "
                  "which Cloudflare cannot present a certificate with an "
                  "%s key (use \"@SECLEVEL=3\" in \"ssl_ciphers\", or issue "
                  "the certificate with ML-DSA-87)",
                  cscf->file_name, cscf->line, ascf->auth_level,
                  ascf->auth_level == 4 ? "ML-DSA-44"
                                        : "ML-DSA-44 or ML-DSA-65");
}


static void
ngx_http_aop_tls13_check_signatures(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_str_t                *list;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    list = ngx_http_aop_tls13_excluded(sscf);

    if (list != NULL) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ssl_conf_command\" of the server in %s:%ui allows "
                      "only the signature algorithms \"%V\", with which "
                      "Cloudflare cannot present a post-quantum certificate "
                      "(add mldsa44, mldsa65 or mldsa87)",
                      cscf->file_name, cscf->line, list);
    }
}


/* The first one with a post-quantum key, or NULL. */

static const ngx_aop_anchor_t *
ngx_http_aop_tls13_anchor(const ngx_aop_policy_t *policy)
{
    size_t  i;

    for (i = 0; i < policy->nanchors; i++) {
        if (ngx_aop_key_post_quantum(policy->anchors[i].x509)) {
            return &policy->anchors[i];
        }
    }

    return NULL;
}


/* The list of signatures, if ML-DSA is not among them. */

static ngx_str_t *
ngx_http_aop_tls13_excluded(ngx_http_ssl_srv_conf_t *sscf)
{
    ngx_str_t  *list;

    list = ngx_http_aop_tls13_signatures(sscf);

    return (list != NULL
            && !ngx_http_aop_tls13_lists(list, "mldsa")
            && !ngx_http_aop_tls13_lists(list, "DEFAULT"))
           ? list : NULL;
}


/*
 * The signatures that the server asks its clients for: those that
 * "ssl_conf_command" names for clients, or else for all.  NULL: the default.
 */

static ngx_str_t *
ngx_http_aop_tls13_signatures(ngx_http_ssl_srv_conf_t *sscf)
{
    ngx_str_t     *all, *client;
    ngx_uint_t     i;
    ngx_keyval_t  *command;
    ngx_array_t   *commands;

    commands = ngx_http_aop_ssl_conf_commands(sscf);

    if (commands == NULL) {
        return NULL;
    }

    all = NULL;
    client = NULL;
    command = commands->elts;

    for (i = 0; i < commands->nelts; i++) {

        if (ngx_strcasecmp(command[i].key.data,
                           (u_char *) "SignatureAlgorithms")
            == 0)
        {
            all = &command[i].value;
        }

        if (ngx_strcasecmp(command[i].key.data,
                           (u_char *) "ClientSignatureAlgorithms")
            == 0)
        {
            client = &command[i].value;
        }
    }

    return client ? client : all;
}


static ngx_uint_t
ngx_http_aop_tls13_lists(ngx_str_t *list, const char *what)
{
    return ngx_strcasestrn(list->data, (char *) what, ngx_strlen(what) - 1)
           != NULL;
}
