
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
static SSL_SESSION *ngx_http_aop_session_get(ngx_ssl_conn_t *ssl,
    const unsigned char *id, int len, int *copy);
static int ngx_http_aop_session_new(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session);
static ngx_uint_t ngx_http_aop_session_usable(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session);
static ngx_uint_t ngx_http_aop_session_permits(
    ngx_http_core_srv_conf_t *cscf, SSL_SESSION *session);
static ngx_http_core_srv_conf_t *ngx_http_aop_session_server(
    ngx_ssl_conn_t *ssl);
static ngx_http_core_srv_conf_t *ngx_http_aop_session_made_for(
    ngx_ssl_conn_t *ssl, SSL_SESSION *session);
static ngx_int_t ngx_http_aop_session_name(ngx_ssl_conn_t *ssl, u_char *buf,
    ngx_str_t *name);
static ngx_int_t ngx_http_aop_session_normalize(u_char *buf, const u_char *p,
    size_t len, ngx_str_t *name);
static ngx_http_core_srv_conf_t *ngx_http_aop_session_find(
    ngx_http_addr_conf_t *addr, ngx_str_t *name);


/* a host name of RFC 1035, and a dot at its end */

#define NGX_HTTP_AOP_NAME_LEN  255


static int  ngx_http_aop_session_index = -1;


ngx_int_t
ngx_http_aop_session_arm(ngx_conf_t *cf, SSL_CTX *ctx)
{
    ngx_http_aop_session_ctx_t  *sctx;

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

    sctx->get = SSL_CTX_sess_get_get_cb(ctx);
    sctx->new = SSL_CTX_sess_get_new_cb(ctx);

    if (SSL_CTX_set_ex_data(ctx, ngx_http_aop_session_index, sctx) == 0
        || SSL_CTX_set_session_ticket_cb(ctx, NULL,
                                         ngx_http_aop_session_ticket, NULL)
           == 0)
    {
        goto failed;
    }

    if (sctx->get != NULL) {
        SSL_CTX_sess_set_get_cb(ctx, ngx_http_aop_session_get);
    }

    if (sctx->new != NULL) {
        SSL_CTX_sess_set_new_cb(ctx, ngx_http_aop_session_new);
    }

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
            return SSL_TICKET_RETURN_IGNORE_RENEW;
        }

        return (status == SSL_TICKET_SUCCESS) ? SSL_TICKET_RETURN_USE
                                              : SSL_TICKET_RETURN_USE_RENEW;

    default: /* SSL_TICKET_EMPTY, SSL_TICKET_NO_DECRYPT */
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
}


static SSL_SESSION *
ngx_http_aop_session_get(ngx_ssl_conn_t *ssl, const unsigned char *id,
    int len, int *copy)
{
    SSL_SESSION                 *session;
    ngx_connection_t            *c;
    ngx_http_aop_session_ctx_t  *sctx;

    c = ngx_ssl_get_connection(ssl);

    sctx = SSL_CTX_get_ex_data(c->ssl->session_ctx,
                               ngx_http_aop_session_index);

    session = sctx->get(ssl, id, len, copy);

    if (session == NULL
        || ngx_http_aop_session_pending(session)
        || ngx_http_aop_session_usable(ssl, session))
    {
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

    sctx = SSL_CTX_get_ex_data(c->ssl->session_ctx,
                               ngx_http_aop_session_index);

    return sctx->new(ssl, session);
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

    usable = ngx_http_aop_session_permits(ngx_http_aop_session_server(ssl),
                                          session)
             && ngx_http_aop_session_permits(
                             ngx_http_aop_session_made_for(ssl, session),
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


/* The server that the ClientHello names; NULL if that cannot be told. */

static ngx_http_core_srv_conf_t *
ngx_http_aop_session_server(ngx_ssl_conn_t *ssl)
{
    u_char                  buf[NGX_HTTP_AOP_NAME_LEN];
    ngx_int_t               rc;
    ngx_str_t               name;
    ngx_connection_t       *c;
    ngx_http_connection_t  *hc;

    c = ngx_ssl_get_connection(ssl);
    hc = c->data;

    rc = ngx_http_aop_session_name(ssl, buf, &name);

    if (rc == NGX_ERROR) {
        return NULL;
    }

    if (rc == NGX_DECLINED) {
        return hc->addr_conf->default_server;
    }

    return ngx_http_aop_session_find(hc->addr_conf, &name);
}


/*
 * The server that the session's own name selects.  Once the session is
 * resumed, that name is what SSL_get_servername() returns.
 */

static ngx_http_core_srv_conf_t *
ngx_http_aop_session_made_for(ngx_ssl_conn_t *ssl, SSL_SESSION *session)
{
    size_t                  len;
    u_char                  buf[NGX_HTTP_AOP_NAME_LEN];
    ngx_str_t               name;
    const char             *p;
    ngx_connection_t       *c;
    ngx_http_connection_t  *hc;

    c = ngx_ssl_get_connection(ssl);
    hc = c->data;

    p = SSL_SESSION_get0_hostname(session);

    if (p == NULL) {
        return hc->addr_conf->default_server;
    }

    len = ngx_strlen(p);

    if (ngx_http_aop_session_normalize(buf, (const u_char *) p, len, &name)
        != NGX_OK)
    {
        return NULL;
    }

    return ngx_http_aop_session_find(hc->addr_conf, &name);
}


/*
 * The host name of the ClientHello's server_name extension (RFC 6066, 3), as
 * nginx is going to compare it.  NGX_DECLINED: there is none.  NGX_ERROR: it
 * is one that this function does not know how nginx will take it.
 */

static ngx_int_t
ngx_http_aop_session_name(ngx_ssl_conn_t *ssl, u_char *buf, ngx_str_t *name)
{
    size_t                len, n;
    const unsigned char  *p;

    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &len)) {
        return NGX_DECLINED;
    }

    /* a list of 16 bits length: a type, 0 for host_name, 16 bits length */

    if (len < 5 || p[2] != TLSEXT_NAMETYPE_host_name) {
        return NGX_ERROR;
    }

    n = p[3] << 8 | p[4];

    if (n > len - 5) {
        return NGX_ERROR;
    }

    return ngx_http_aop_session_normalize(buf, p + 5, n, name);
}


static ngx_int_t
ngx_http_aop_session_normalize(u_char *buf, const u_char *p, size_t len,
    ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    if (len == 0 || len > NGX_HTTP_AOP_NAME_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        ch = ngx_tolower(p[i]);

        if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')
            && ch != '-' && ch != '_'
            && (ch != '.' || i == 0 || p[i - 1] == '.'))
        {
            return NGX_ERROR;
        }

        buf[i] = ch;
    }

    if (buf[len - 1] == '.') {
        len--;
    }

    name->data = buf;
    name->len = len;

    return NGX_OK;
}


/* As ngx_http_find_virtual_server(), which is not for modules, does it. */

static ngx_http_core_srv_conf_t *
ngx_http_aop_session_find(ngx_http_addr_conf_t *addr, ngx_str_t *name)
{
    ngx_http_core_srv_conf_t  *cscf;

    if (addr->virtual_names == NULL) {
        return addr->default_server;
    }

    cscf = ngx_hash_find_combined(&addr->virtual_names->names,
                                  ngx_hash_key(name->data, name->len),
                                  name->data, name->len);
    if (cscf != NULL) {
        return cscf;
    }

#if (NGX_PCRE)
    {
    ngx_int_t                n;
    ngx_uint_t               i;
    ngx_http_server_name_t  *sn;

    sn = addr->virtual_names->regex;

    for (i = 0; i < addr->virtual_names->nregex; i++) {

        n = ngx_regex_exec(sn[i].regex->regex, name, NULL, 0);

        if (n >= 0) {
            return sn[i].server;
        }

        if (n != NGX_REGEX_NO_MATCHED) {
            return NULL;
        }
    }
    }
#endif

    return addr->default_server;
}
