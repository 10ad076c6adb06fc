
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


/* OpenSSL 3.5, which ML-DSA came with; the last level that allows ML-DSA-44 */

#define NGX_HTTP_AOP_TLS13_OPENSSL  0x30500000L
#define NGX_HTTP_AOP_TLS13_LEVEL    3


/* enough for one of ML-DSA-87 by a CA of ML-DSA-87 */

#define NGX_HTTP_AOP_TLS13_SESSION  8192


/* what was warned of: a directive may be that of many servers */

#define NGX_HTTP_AOP_TLS13_NO_VERSION     0x01
#define NGX_HTTP_AOP_TLS13_NO_LEVEL       0x02
#define NGX_HTTP_AOP_TLS13_NO_SIGNATURES  0x04
#define NGX_HTTP_AOP_TLS13_NO_SESSIONS    0x08


/*
 * The TLS of a server at an address.  A connection begins with the SSL_CTX of
 * the default server; SNI selects that of another one, if it has any.
 */

typedef struct {
    ngx_http_core_srv_conf_t  *cscf;
    ngx_http_core_srv_conf_t  *first;
    ngx_http_core_srv_conf_t  *selected;
    u_char                     buf[NGX_MAX_CONF_ERRSTR];
} ngx_http_aop_tls13_t;


static ngx_uint_t ngx_http_aop_tls13_classical(ngx_http_aop_tls13_t *tls);
static void ngx_http_aop_tls13_check_version(ngx_conf_t *cf,
    ngx_http_aop_tls13_t *tls);
static void ngx_http_aop_tls13_check_level(ngx_conf_t *cf,
    ngx_http_aop_tls13_t *tls);
static void ngx_http_aop_tls13_check_signatures(ngx_conf_t *cf,
    ngx_http_aop_tls13_t *tls);
static void ngx_http_aop_tls13_check_sessions(ngx_conf_t *cf,
    ngx_http_aop_tls13_t *tls);
static ngx_int_t ngx_http_aop_tls13_once(ngx_http_aop_tls13_t *tls,
    ngx_http_core_srv_conf_t *owner, ngx_uint_t what, ngx_str_t *name);
static ngx_http_core_srv_conf_t *ngx_http_aop_tls13_missing(
    ngx_http_aop_tls13_t *tls);
static ngx_http_ssl_srv_conf_t *ngx_http_aop_tls13_ssl(
    ngx_http_core_srv_conf_t *cscf);
static const ngx_aop_anchor_t *ngx_http_aop_tls13_anchor(
    const ngx_aop_policy_t *policy);
static ngx_str_t *ngx_http_aop_tls13_excluded(ngx_http_ssl_srv_conf_t *sscf);
static ngx_str_t *ngx_http_aop_tls13_signatures(
    ngx_http_ssl_srv_conf_t *sscf);
static ngx_uint_t ngx_http_aop_tls13_lists(ngx_str_t *list, const char *what);


void
ngx_http_aop_tls13_check(ngx_conf_t *cf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_tls13_t      tls;
    ngx_http_aop_srv_conf_t  *ascf;

    tls.cscf = cscf;
    tls.first = addr->default_server;
    tls.selected = ngx_http_aop_tls13_ssl(cscf)->ssl.ctx ? cscf : tls.first;

    if (ngx_http_aop_tls13_ssl(tls.first)->ssl.ctx == NULL) {
        return;
    }

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    if (ngx_http_aop_tls13_classical(&tls)) {
        ascf->classical = 1;
    }

    if (ngx_http_aop_tls13_anchor(ascf->policy) == NULL) {
        return;
    }

    ngx_http_aop_tls13_check_version(cf, &tls);
    ngx_http_aop_tls13_check_level(cf, &tls);
    ngx_http_aop_tls13_check_signatures(cf, &tls);
    ngx_http_aop_tls13_check_sessions(cf, &tls);
}


/* If so, a post-quantum certificate may be why Cloudflare presents none. */

static ngx_uint_t
ngx_http_aop_tls13_classical(ngx_http_aop_tls13_t *tls)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = ngx_http_aop_tls13_ssl(tls->selected);

    return OpenSSL_version_num() < NGX_HTTP_AOP_TLS13_OPENSSL
           || ngx_http_aop_tls13_missing(tls) != NULL
           || SSL_CTX_get_security_level(sscf->ssl.ctx)
              > NGX_HTTP_AOP_TLS13_LEVEL
           || ngx_http_aop_tls13_excluded(sscf) != NULL;
}


static void
ngx_http_aop_tls13_check_version(ngx_conf_t *cf, ngx_http_aop_tls13_t *tls)
{
    ngx_str_t                  name;
    ngx_http_core_srv_conf_t  *owner;

    owner = ngx_http_aop_tls13_missing(tls);

    if (owner == NULL
        || ngx_http_aop_tls13_once(tls, owner, NGX_HTTP_AOP_TLS13_NO_VERSION,
                                   &name)
           != NGX_OK)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"%s\" of %V does not include TLSv1.3, without which "
                  "Cloudflare cannot present a post-quantum certificate "
                  "(add it)",
                  (ngx_http_aop_tls13_ssl(owner)->protocols & NGX_SSL_TLSv1_3)
                  ? "ssl_conf_command" : "ssl_protocols", &name);
}


/*
 * A server does not offer the signatures that its security level rejects:
 * those of ML-DSA-44 have the strength of level 3, those of ML-DSA-65 of 4.
 */

static void
ngx_http_aop_tls13_check_level(ngx_conf_t *cf, ngx_http_aop_tls13_t *tls)
{
    ngx_int_t  level;
    ngx_str_t  name;

    level = SSL_CTX_get_security_level(
                               ngx_http_aop_tls13_ssl(tls->selected)->ssl.ctx);

    if (level <= NGX_HTTP_AOP_TLS13_LEVEL
        || ngx_http_aop_tls13_once(tls, tls->selected,
                                   NGX_HTTP_AOP_TLS13_NO_LEVEL, &name)
           != NGX_OK)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "the security level of %V is %i, with which Cloudflare "
                  "cannot present a certificate with an %s key (use "
                  "\"@SECLEVEL=3\" in \"ssl_ciphers\", or issue the "
                  "certificate with ML-DSA-87)",
                  &name, level, level == 4 ? "ML-DSA-44"
                                           : "ML-DSA-44 or ML-DSA-65");
}


static void
ngx_http_aop_tls13_check_signatures(ngx_conf_t *cf, ngx_http_aop_tls13_t *tls)
{
    ngx_str_t  name, *list;

    list = ngx_http_aop_tls13_excluded(ngx_http_aop_tls13_ssl(tls->selected));

    if (list == NULL
        || ngx_http_aop_tls13_once(tls, tls->selected,
                                   NGX_HTTP_AOP_TLS13_NO_SIGNATURES, &name)
           != NGX_OK)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"ssl_conf_command\" of %V allows only the signature "
                  "algorithms \"%V\", with which Cloudflare cannot present a "
                  "post-quantum certificate (add mldsa44, mldsa65 or mldsa87)",
                  &name, list);
}


/*
 * Sessions go to the cache of the default server.  It takes none of more than
 * 4096 bytes, or in later versions 8192.
 */

static void
ngx_http_aop_tls13_check_sessions(ngx_conf_t *cf, ngx_http_aop_tls13_t *tls)
{
    ngx_str_t                 name;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = ngx_http_aop_tls13_ssl(tls->selected);

    if (NGX_SSL_MAX_SESSION_SIZE >= NGX_HTTP_AOP_TLS13_SESSION
        || ngx_http_aop_tls13_ssl(tls->first)->shm_zone == NULL
        || (SSL_CTX_get_options(sscf->ssl.ctx) & SSL_OP_NO_TICKET) == 0
        || ngx_http_aop_tls13_once(tls, tls->selected,
                                   NGX_HTTP_AOP_TLS13_NO_SESSIONS, &name)
           != NGX_OK)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "with \"ssl_session_tickets off\" of %V sessions with a "
                  "post-quantum certificate are resumed only by the worker "
                  "process that created them, because \"ssl_session_cache\" "
                  "stores at most %d bytes per session (enable session "
                  "tickets)",
                  &name, NGX_SSL_MAX_SESSION_SIZE);
}


/*
 * Names the server whose directives are meant, and the one that they are too
 * little for.  NGX_DECLINED: that was logged for another one.
 */

static ngx_int_t
ngx_http_aop_tls13_once(ngx_http_aop_tls13_t *tls,
    ngx_http_core_srv_conf_t *owner, ngx_uint_t what, ngx_str_t *name)
{
    u_char                   *p, *last;
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = owner->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    if (ascf->tls13_warned & what) {
        return NGX_DECLINED;
    }

    ascf->tls13_warned |= what;

    last = tls->buf + sizeof(tls->buf);

    p = ngx_slprintf(tls->buf, last, "the server in %s:%ui",
                     owner->file_name, owner->line);

    if (owner != tls->cscf) {
        p = ngx_slprintf(p, last, ", which also applies to the server in "
                         "%s:%ui,", tls->cscf->file_name, tls->cscf->line);
    }

    name->data = tls->buf;
    name->len = p - tls->buf;

    return NGX_OK;
}


/*
 * The server that excludes TLS 1.3, or NULL.  Options are those of the server
 * that SNI selects, but as nginx used to select it, OpenSSL had chosen the
 * version before.  The largest version is never changed by SNI.
 */

static ngx_http_core_srv_conf_t *
ngx_http_aop_tls13_missing(ngx_http_aop_tls13_t *tls)
{
    long                       max;
    ngx_http_core_srv_conf_t  *cscf;

    max = SSL_CTX_get_max_proto_version(
                                  ngx_http_aop_tls13_ssl(tls->first)->ssl.ctx);

    if (max != 0 && max < TLS1_3_VERSION) {
        return tls->first;
    }

    cscf = NGX_HTTP_AOP_SNI_PROTOCOLS ? tls->selected : tls->first;

    return (SSL_CTX_get_options(ngx_http_aop_tls13_ssl(cscf)->ssl.ctx)
            & SSL_OP_NO_TLSv1_3)
           ? cscf : NULL;
}


static ngx_http_ssl_srv_conf_t *
ngx_http_aop_tls13_ssl(ngx_http_core_srv_conf_t *cscf)
{
    return cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
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
            && !ngx_http_aop_tls13_lists(list, "ML-DSA")
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
