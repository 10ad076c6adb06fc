
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * nginx's own check of client certificates beside ours: whose result is it?
 *
 * OpenSSL keeps one verify result for a connection, and nginx takes it for
 * the result of "ssl_verify_client" in whichever server a request names.  A
 * verdict is of a certificate and a policy, so none of ours is ever put there:
 * what the module has verified is kept by OpenSSL as not verified, and
 * $ssl_client_verify goes by the server of the request instead.
 */


#include "ngx_http_aop_conn.h"


/* $ssl_client_verify as it was before */

typedef struct {
    ngx_http_get_variable_pt  get;
    uintptr_t                 data;
} ngx_http_aop_stock_t;


static ngx_int_t ngx_http_aop_stock_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_uint_t ngx_http_aop_stock_ours(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_stock_presented(ngx_ssl_conn_t *ssl);
static ngx_uint_t ngx_http_aop_stock_other_callback(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_stock_result(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const ngx_aop_result_t *result);


/*
 * The server's directive verifies in the SSL_CTX that the directive was
 * applied to.  A server without a certificate of its own handshakes in the
 * default server's, whose CAs, such as those of "ssl_trusted_certificate",
 * are not for clients unless that one has "ssl_verify_client" as well.
 */

ngx_uint_t
ngx_http_aop_stock_verifies(ngx_http_connection_t *hc)
{
    ngx_http_ssl_srv_conf_t   *sscf;
    ngx_http_core_srv_conf_t  *cscf;

    sscf = ngx_http_get_module_srv_conf(hc->conf_ctx, ngx_http_ssl_module);

    if (sscf->verify == 0 || sscf->ssl.ctx != NULL) {
        return sscf->verify != 0;
    }

    cscf = hc->addr_conf->default_server;
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    return sscf->verify != 0;
}


static ngx_int_t
ngx_http_aop_stock_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_aop_stock_t  *stock = (ngx_http_aop_stock_t *) data;

    ngx_http_aop_judgement_t  *judgement;

    if (!ngx_http_aop_stock_ours(r)) {
        return stock->get(r, v, stock->data);
    }

    judgement = ngx_http_aop_conn_judge_request(r->main);

    return ngx_http_aop_stock_result(r, v, &judgement->result);
}


/* Is the verdict of "aop" the one about this certificate? */

static ngx_uint_t
ngx_http_aop_stock_ours(ngx_http_request_t *r)
{
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_ssl_srv_conf_t  *sscf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);
    sscf = ngx_http_get_module_srv_conf(r, ngx_http_ssl_module);

    return r->connection->ssl != NULL
           && ascf->policy != NULL
           && sscf->verify == 0
           && ngx_http_aop_stock_presented(r->connection->ssl->connection)
           && !ngx_http_aop_stock_other_callback(r);
}


static ngx_uint_t
ngx_http_aop_stock_presented(ngx_ssl_conn_t *ssl)
{
    X509  *leaf;

    leaf = SSL_get_peer_certificate(ssl);
    X509_free(leaf);

    return leaf != NULL;
}


/*
 * A verify callback that others, such as Lua, set during the handshake is for
 * the server of the handshake, and for no other.
 */

static ngx_uint_t
ngx_http_aop_stock_other_callback(ngx_http_request_t *r)
{
    ngx_http_aop_conn_t  *conn;

    conn = ngx_http_aop_conn(r->connection->ssl->connection);

    return conn != NULL
           && conn->other_callback
           && r->main->http_connection->conf_ctx->srv_conf == r->srv_conf;
}


/* In nginx's words. */

static ngx_int_t
ngx_http_aop_stock_result(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    const ngx_aop_result_t *result)
{
    int          error;
    u_char      *p;
    size_t       len;
    const char  *text;

    static u_char  success[] = "SUCCESS";

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    if (result->verdict == NGX_AOP_VERDICT_OK) {
        v->data = success;
        v->len = sizeof(success) - 1;
        return NGX_OK;
    }

    /* X509_V_OK: the chain passed, but a pin did not match */

    error = (result->error != X509_V_OK) ? result->error
                                         : X509_V_ERR_APPLICATION_VERIFICATION;

    text = X509_verify_cert_error_string(error);
    len = sizeof("FAILED:") - 1 + ngx_strlen(text);

    p = ngx_pnalloc(r->pool, len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->len = len;

    p = ngx_cpymem(p, "FAILED:", sizeof("FAILED:") - 1);
    ngx_memcpy(p, text, ngx_strlen(text));

    return NGX_OK;
}


/*
 * The variable exists already: nginx's own modules come before others.  If the
 * configuration gives the name another meaning ("map"), that one holds, as it
 * does without the module.
 */

ngx_int_t
ngx_http_aop_stock_init(ngx_conf_t *cf)
{
    ngx_http_variable_t   *var;
    ngx_http_aop_stock_t  *stock;

    static ngx_str_t  name = ngx_string("ssl_client_verify");

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_CHANGEABLE);
    if (var == NULL || var->get_handler == NULL) {
        return NGX_ERROR;
    }

    stock = ngx_palloc(cf->pool, sizeof(ngx_http_aop_stock_t));
    if (stock == NULL) {
        return NGX_ERROR;
    }

    stock->get = var->get_handler;
    stock->data = var->data;

    var->get_handler = ngx_http_aop_stock_variable;
    var->data = (uintptr_t) stock;

    return NGX_OK;
}
