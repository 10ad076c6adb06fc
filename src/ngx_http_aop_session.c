
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which TLS sessions may be resumed.  Where the server that nginx is going to
 * select uses the module: only one that was stamped "ok" under the same
 * policy.  Where it does not: any but those that were stamped.  All others
 * fall back to a full handshake; a handshake is never failed here.
 *
 * OpenSSL decides on a session before nginx knows the server, and by the
 * callbacks of the SSL_CTX that the connection was made with: that of the
 * default server of the address.  So the name is read from the ClientHello.
 */


#include "ngx_http_aop.h"
#include "ngx_aop_stamp.h"


typedef SSL_SESSION *(*ngx_http_aop_get_session_pt)(ngx_ssl_conn_t *ssl,
    const unsigned char *id, int len, int *copy);


typedef struct {
    ngx_http_aop_get_session_pt  get;   /* who was asked before us, or NULL */
} ngx_http_aop_session_ctx_t;


static SSL_TICKET_RETURN ngx_http_aop_session_ticket(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session, const unsigned char *name, size_t len,
    SSL_TICKET_STATUS status, void *arg);
static SSL_SESSION *ngx_http_aop_session_get(ngx_ssl_conn_t *ssl,
    const unsigned char *id, int len, int *copy);
static ngx_uint_t ngx_http_aop_session_usable(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session);
static ngx_http_core_srv_conf_t *ngx_http_aop_session_server(
    ngx_ssl_conn_t *ssl);
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

    if (session == NULL || ngx_http_aop_session_usable(ssl, session)) {
        return session;
    }

    /* OpenSSL takes a reference of its own only if *copy is set */

    if (!*copy) {
        SSL_SESSION_free(session);
    }

    return NULL;
}


static ngx_uint_t
ngx_http_aop_session_usable(ngx_ssl_conn_t *ssl, SSL_SESSION *session)
{
    ngx_uint_t                 usable;
    ngx_aop_stamp_e            rc;
    ngx_aop_stamp_t            stamp;
    ngx_http_aop_record_t     *record;
    ngx_http_aop_srv_conf_t   *ascf;
    ngx_http_ssl_srv_conf_t   *sscf;
    ngx_http_core_srv_conf_t  *cscf;

    usable = 0;

    cscf = ngx_http_aop_session_server(ssl);

    if (cscf != NULL) {
        ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
        sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        rc = ngx_aop_stamp_read(session, &stamp);

        if (ascf->policy == NULL) {
            usable = (rc == NGX_AOP_STAMP_NONE);

        } else if (rc == NGX_AOP_STAMP_READ && sscf->verify == 0) {

            /* "ssl_verify_client" would take our result for its own */

            usable = ngx_aop_stamp_resumable(&stamp, ascf->policy,
                                             ascf->session_timeout,
                                             ngx_time());
        }
    }

    if (!usable) {
        record = ngx_http_aop_record(ssl);

        if (record != NULL) {
            record->declined = 1;
        }
    }

    return usable;
}


/* The server that nginx is going to select; NULL if that cannot be told. */

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

    if (rc == NGX_DECLINED || hc->addr_conf->virtual_names == NULL) {
        return hc->addr_conf->default_server;
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

    if (n == 0 || n > len - 5 || n > NGX_HTTP_AOP_NAME_LEN) {
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
