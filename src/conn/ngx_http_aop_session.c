
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which TLS sessions may be resumed.  Where the server that nginx is going to
 * select uses the module: only one that was stamped "ok" under the same
 * policy.  Where it does not: any but those that were stamped.  All others
 * fall back to a full handshake; a handshake is never failed here.  What its
 * own server would not resume is not kept in a session cache either.
 *
 * OpenSSL decides on a session before nginx knows the server, and by the
 * callbacks of the SSL_CTX that the connection was made with: that of the
 * default server of the address.  So the name is read from the ClientHello;
 * and from the session, whose name OpenSSL may tell nginx instead (up to TLS
 * 1.2; older versions also with TLS 1.3, where the ClientHello has none).
 */


#include "ngx_http_aop_conn.h"
#include "ngx_aop_stamp.h"


typedef SSL_SESSION *(*ngx_http_aop_get_session_pt)(ngx_ssl_conn_t *ssl,
    const unsigned char *id, int len, int *copy);
typedef int (*ngx_http_aop_new_session_pt)(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session);


/* Who was asked before us, or NULL. */

typedef struct {
    ngx_http_aop_get_session_pt  get;
    ngx_http_aop_new_session_pt  new;
} ngx_http_aop_session_ctx_t;


static SSL_TICKET_RETURN ngx_http_aop_session_ticket(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session, const unsigned char *name, size_t len,
    SSL_TICKET_STATUS status, void *arg);
static SSL_TICKET_RETURN ngx_http_aop_session_ignore(ngx_ssl_conn_t *ssl);
static SSL_SESSION *ngx_http_aop_session_get(ngx_ssl_conn_t *ssl,
    const unsigned char *id, int len, int *copy);
static SSL_SESSION *ngx_http_aop_session_get_cached(ngx_ssl_conn_t *ssl,
    const unsigned char *id, int len, int *copy);
static int ngx_http_aop_session_new(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session);
static ngx_uint_t ngx_http_aop_session_usable(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session);
static ngx_uint_t ngx_http_aop_session_permits(
    ngx_http_core_srv_conf_t *cscf, SSL_SESSION *session);


static int  ngx_http_aop_session_index = -1;


ngx_int_t
ngx_http_aop_session_arm(ngx_conf_t *cf, ngx_http_ssl_srv_conf_t *sscf)
{
    SSL_CTX                     *ctx;
    ngx_http_aop_session_ctx_t  *sctx;

    ctx = sscf->ssl.ctx;

    if (ngx_http_aop_session_index == -1) {
        ngx_http_aop_session_index = SSL_CTX_get_ex_new_index(0, NULL, NULL,
                                                              NULL, NULL);
        if (ngx_http_aop_session_index == -1) {
            goto failed;
        }
    }

    if (SSL_CTX_get_ex_data(ctx, ngx_http_aop_session_index) != NULL) {
        return NGX_OK;
    }

    sctx = ngx_palloc(cf->pool, sizeof(ngx_http_aop_session_ctx_t));
    if (sctx == NULL) {
        return NGX_ERROR;
    }

    if (ngx_http_aop_object_arm(cf, sscf) != NGX_OK) {
        goto failed;
    }

    sctx->get = SSL_CTX_sess_get_get_cb(ctx);
    sctx->new = SSL_CTX_sess_get_new_cb(ctx);

    if (SSL_CTX_set_ex_data(ctx, ngx_http_aop_session_index, sctx) == 0
        || SSL_CTX_set_session_ticket_cb(ctx, ngx_http_aop_object_issue,
                                         ngx_http_aop_session_ticket, NULL)
           == 0)
    {
        goto failed;
    }

    SSL_CTX_sess_set_get_cb(ctx, ngx_http_aop_session_get);
    SSL_CTX_sess_set_new_cb(ctx, ngx_http_aop_session_new);

    /* OpenSSL's own cache answers without asking anybody */

    SSL_CTX_set_session_cache_mode(ctx, SSL_CTX_get_session_cache_mode(ctx)
                                        |SSL_SESS_CACHE_NO_INTERNAL_LOOKUP);

    return NGX_OK;

failed:

    ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                  "cannot set the session callbacks of \"aop\"");

    return NGX_ERROR;
}


static SSL_TICKET_RETURN
ngx_http_aop_session_ticket(ngx_ssl_conn_t *ssl, SSL_SESSION *session,
    const unsigned char *name, size_t len, SSL_TICKET_STATUS status,
    void *arg)
{
    switch (status) {

    case SSL_TICKET_SUCCESS:
    case SSL_TICKET_SUCCESS_RENEW:

        if (!ngx_http_aop_session_usable(ssl, session)) {
            return ngx_http_aop_session_ignore(ssl);
        }

        return (status == SSL_TICKET_SUCCESS) ? SSL_TICKET_RETURN_USE
                                              : SSL_TICKET_RETURN_USE_RENEW;

    default: /* SSL_TICKET_EMPTY, SSL_TICKET_NO_DECRYPT */
        return ngx_http_aop_session_ignore(ssl);
    }
}


/*
 * In TLS 1.2 ServerHello promises a ticket, before the certificate comes.
 * Without that OpenSSL looks for a session by its id, and gives one to a new
 * session.
 */

static SSL_TICKET_RETURN
ngx_http_aop_session_ignore(ngx_ssl_conn_t *ssl)
{
    ngx_http_aop_srv_conf_t   *ascf;
    ngx_http_ssl_srv_conf_t   *sscf;
    ngx_http_core_srv_conf_t  *cscf;

    if (SSL_version(ssl) == TLS1_3_VERSION
        || !ngx_http_aop_object_applies(ssl, NULL))
    {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }

    cscf = ngx_http_aop_sni_server(ssl);

    if (cscf == NULL) {
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    return (ascf->policy != NULL && sscf->verify == 0)
           ? SSL_TICKET_RETURN_IGNORE : SSL_TICKET_RETURN_IGNORE_RENEW;
}


static SSL_SESSION *
ngx_http_aop_session_get(ngx_ssl_conn_t *ssl, const unsigned char *id,
    int len, int *copy)
{
    SSL_SESSION  *session;

    session = ngx_http_aop_object_find(ssl, id, len);

    if (session == NULL) {
        session = ngx_http_aop_session_get_cached(ssl, id, len, copy);

    } else if (ngx_http_aop_session_usable(ssl, session)) {
        session = ngx_http_aop_object_offer(ssl, session, copy);

    } else {
        session = NULL;
    }

    if (session == NULL) {
        ngx_http_aop_object_miss(ssl);
    }

    return session;
}


static SSL_SESSION *
ngx_http_aop_session_get_cached(ngx_ssl_conn_t *ssl, const unsigned char *id,
    int len, int *copy)
{
    SSL_SESSION                 *session;
    ngx_connection_t            *c;
    ngx_http_aop_conn_t         *conn;
    ngx_http_aop_session_ctx_t  *sctx;

    c = ngx_ssl_get_connection(ssl);

    sctx = SSL_CTX_get_ex_data(c->ssl->session_ctx,
                               ngx_http_aop_session_index);

    session = ngx_http_aop_object_cached(ssl) ? sctx->get(ssl, id, len, copy)
                                              : NULL;

    if (session == NULL || ngx_http_aop_session_pending(session)) {
        return session;
    }

    if (ngx_http_aop_session_usable(ssl, session)) {
        conn = ngx_http_aop_conn(ssl);

        if (conn != NULL) {
            conn->cached = 1;
        }

        return session;
    }

    /* OpenSSL takes a reference of its own only if *copy is set */

    if (!*copy) {
        SSL_SESSION_free(session);
    }

    return NULL;
}


/*
 * OpenSSL asks to store every session, also one whose certificate failed or
 * never came: that would only take the place of a good one.  One that comes of
 * another, which was resumed, is as good as that.  There c->data may be a
 * request already: with early data the handshake ends after it has begun.
 */

static int
ngx_http_aop_session_new(ngx_ssl_conn_t *ssl, SSL_SESSION *session)
{
    ngx_uint_t                   cached;
    ngx_connection_t            *c;
    ngx_http_connection_t       *hc;
    ngx_http_core_srv_conf_t    *cscf;
    ngx_http_aop_session_ctx_t  *sctx;

    c = ngx_ssl_get_connection(ssl);

    if (!SSL_session_reused(ssl)) {
        hc = c->data;

        cscf = ngx_http_get_module_srv_conf(hc->conf_ctx,
                                            ngx_http_core_module);

        if (!ngx_http_aop_session_permits(cscf, session)) {
            return 0;
        }
    }

    cached = ngx_http_aop_object_keep(ssl, session);

    sctx = SSL_CTX_get_ex_data(c->ssl->session_ctx,
                               ngx_http_aop_session_index);

    return (cached && sctx->new != NULL) ? sctx->new(ssl, session) : 0;
}


/*
 * It depends on the versions of TLS, OpenSSL and nginx which of the two names
 * selects the server: so both servers have to agree.
 */

static ngx_uint_t
ngx_http_aop_session_usable(ngx_ssl_conn_t *ssl, SSL_SESSION *session)
{
    ngx_uint_t            usable;
    ngx_http_aop_conn_t  *conn;

    usable = ngx_http_aop_session_permits(ngx_http_aop_sni_server(ssl),
                                          session)
             && ngx_http_aop_session_permits(
                                 ngx_http_aop_sni_made_for(ssl, session),
                                 session);

    if (!usable) {
        conn = ngx_http_aop_conn(ssl);

        if (conn != NULL) {
            conn->declined = 1;
        }
    }

    return usable;
}


static ngx_uint_t
ngx_http_aop_session_permits(ngx_http_core_srv_conf_t *cscf,
    SSL_SESSION *session)
{
    ngx_aop_stamp_e           rc;
    ngx_aop_stamp_t           stamp;
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_ssl_srv_conf_t  *sscf;

    if (cscf == NULL) {
        return 0;
    }

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    rc = ngx_aop_stamp_read(session, &stamp);

    if (ascf->policy == NULL) {
        return rc == NGX_AOP_STAMP_NONE;
    }

    /* "ssl_verify_client" would take our result for its own */

    return rc == NGX_AOP_STAMP_READ
           && sscf->verify == 0
           && ngx_aop_stamp_resumable(&stamp, ascf->policy,
                                      ascf->session_timeout, ngx_time());
}
