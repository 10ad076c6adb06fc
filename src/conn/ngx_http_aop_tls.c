
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The TLS handshake: requests the client's certificate and judges it.  A
 * handshake is never failed here; requests are refused instead.
 */


#include "ngx_http_aop_conn.h"
#include "ngx_aop_stamp.h"


static int ngx_http_aop_tls_verify(X509_STORE_CTX *ctx, void *arg);
static const ngx_aop_result_t *ngx_http_aop_tls_judge(ngx_ssl_conn_t *ssl,
    const ngx_aop_policy_t *policy, X509_STORE_CTX *ctx, ngx_uint_t shared);
static ngx_uint_t ngx_http_aop_tls_shared(ngx_ssl_conn_t *ssl,
    ngx_http_connection_t *hc);
static void ngx_http_aop_tls_tickets(ngx_ssl_conn_t *ssl,
    ngx_http_aop_srv_conf_t *ascf, const ngx_aop_result_t *result,
    X509 *leaf);
static void ngx_http_aop_tls_acknowledge(ngx_ssl_conn_t *ssl);
static ngx_int_t ngx_http_aop_tls_add_name(SSL_CTX *ctx, X509 *x509);


/*
 * The size that clients accept.  The list itself may be of 64 KB (RFC 8446,
 * 4.2.4), but Schannel and others read much less, and each handshake carries
 * it.
 */

#define NGX_HTTP_AOP_NAMES      100
#define NGX_HTTP_AOP_NAMES_LEN  (16 * 1024)


/*
 * OpenSSL calls this in place of X509_verify_cert() when a certificate
 * arrived; if it is not called, there was none.  The server is the one that
 * SNI selected: its SSL_CTX may be the default server's.
 */

static int
ngx_http_aop_tls_verify(X509_STORE_CTX *ctx, void *arg)
{
    ngx_uint_t                shared;
    ngx_ssl_conn_t           *ssl;
    ngx_connection_t         *c;
    const ngx_aop_result_t   *result;
    ngx_http_connection_t    *hc;
    ngx_http_aop_srv_conf_t  *ascf;

    ssl = X509_STORE_CTX_get_ex_data(ctx,
                                     SSL_get_ex_data_X509_STORE_CTX_idx());
    c = ngx_ssl_get_connection(ssl);
    hc = c->data;

    ascf = ngx_http_get_module_srv_conf(hc->conf_ctx, ngx_http_aop_module);

    shared = ngx_http_aop_tls_shared(ssl, hc);

    if (ascf->policy != NULL) {
        result = ngx_http_aop_tls_judge(ssl, ascf->policy, ctx, shared);

        if (!shared) {
            ngx_http_aop_tls_tickets(ssl, ascf, result,
                                     X509_STORE_CTX_get0_cert(ctx));

            if (result->verdict == NGX_AOP_VERDICT_OK) {
                ngx_http_aop_object_share(ssl,
                                          X509_STORE_CTX_get0_untrusted(ctx));
            }
        }
    }

    if (shared) {
        return X509_verify_cert(ctx);
    }

    /*
     * Whatever the verdict: never X509_V_OK, nor an error that nginx excuses
     * with "optional_no_ca".  Any server may be asked for on this connection,
     * or be the one that a resumed session is for, and one that has
     * "ssl_verify_client" takes what OpenSSL keeps for its own result.
     */

    X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);

    return 1;
}


static const ngx_aop_result_t *
ngx_http_aop_tls_judge(ngx_ssl_conn_t *ssl, const ngx_aop_policy_t *policy,
    X509_STORE_CTX *ctx, ngx_uint_t shared)
{
    ngx_aop_stamp_t          stamp;
    const ngx_aop_result_t  *result;

    result = &ngx_http_aop_conn_judge(ssl, policy,
                                      X509_STORE_CTX_get0_cert(ctx),
                                      X509_STORE_CTX_get0_untrusted(ctx), 1)
              ->result;

    /* a session that could not be stamped will not be resumed */

    ngx_aop_stamp_init(&stamp, policy, X509_STORE_CTX_get0_cert(ctx), result,
                       ngx_time());

    /* nor will one that holds the result of others */

    if (shared) {
        stamp.verdict = NGX_AOP_VERDICT_ERROR;
    }

    (void) ngx_aop_stamp_write(SSL_get0_session(ssl), &stamp);

    return result;
}


/*
 * "ssl_verify_client" in the same server, or a verify callback that somebody
 * else has set on the connection: theirs is the result that OpenSSL keeps.
 * That of the default server is nobody's here: SSL_set_verify() leaves it
 * where nginx has none to put in its place (before 1.19.4).
 */

static ngx_uint_t
ngx_http_aop_tls_shared(ngx_ssl_conn_t *ssl, ngx_http_connection_t *hc)
{
    SSL_verify_cb         callback;
    ngx_connection_t     *c;
    ngx_http_aop_conn_t  *conn;

    if (ngx_http_aop_stock_verifies(hc)) {
        return 1;
    }

    c = ngx_ssl_get_connection(ssl);
    callback = SSL_get_verify_callback(ssl);

    if (callback == SSL_CTX_get_verify_callback(SSL_get_SSL_CTX(ssl))
        || callback == SSL_CTX_get_verify_callback(c->ssl->session_ctx))
    {
        return 0;
    }

    conn = ngx_http_aop_conn(ssl);

    if (conn == NULL) {
        return 0;
    }

    conn->other_callback = 1;

    return 1;
}


/*
 * OpenSSL sends two tickets after a full TLS 1.3 handshake, and for each it
 * writes and parses the client's certificate once more, which is the largest
 * part of what asking for the certificate costs.  So as many are sent as pay,
 * never more than were configured: none that will not be resumed from.
 *
 * SSL_set_num_tickets() does not touch TLS 1.2, where ServerHello promises the
 * one ticket before the certificate comes, or does not: that is decided in
 * ngx_http_aop_session.c.
 */

static void
ngx_http_aop_tls_tickets(ngx_ssl_conn_t *ssl, ngx_http_aop_srv_conf_t *ascf,
    const ngx_aop_result_t *result, X509 *leaf)
{
    size_t  n;

    /* a client that is to send early data needs a ticket (RFC 8446, 2.3) */

    if (SSL_get_max_early_data(ssl)) {
        return;
    }

    n = result->verdict == NGX_AOP_VERDICT_OK
        && ascf->session_timeout > 0
        && ngx_http_aop_object_pays(ssl, leaf);

    if (SSL_get_num_tickets(ssl) > n) {
        (void) SSL_set_num_tickets(ssl, n);
    }

    if (SSL_get_num_tickets(ssl) == 0) {
        ngx_http_aop_tls_acknowledge(ssl);
    }
}


/*
 * Without a ticket no message follows the client's Finished in TLS 1.3.  A
 * client without TCP_NODELAY then holds its request back until the kernel
 * sends an acknowledgment, which is delayed by 40 ms unless it is asked for.
 */

static void
ngx_http_aop_tls_acknowledge(ngx_ssl_conn_t *ssl)
{
    int                on;
    ngx_connection_t  *c;

    c = ngx_ssl_get_connection(ssl);

    if (SSL_version(ssl) == TLS1_3_VERSION && c->type == SOCK_STREAM) {
        on = 1;
        (void) setsockopt(c->fd, IPPROTO_TCP, NGX_HTTP_AOP_QUICKACK,
                          (const void *) &on, sizeof(int));
    }
}


ngx_int_t
ngx_http_aop_tls_arm(ngx_conf_t *cf, SSL_CTX *ctx,
    const ngx_aop_policy_t *policy)
{
    size_t  i;

    SSL_CTX_set_cert_verify_callback(ctx, ngx_http_aop_tls_verify, NULL);

    SSL_CTX_set_verify(ctx, SSL_CTX_get_verify_mode(ctx)|SSL_VERIFY_PEER,
                       SSL_CTX_get_verify_callback(ctx));

    /*
     * OpenSSL accepts compressed certificates (RFC 8879), also from those who
     * have none that pass (CVE-2025-66199).  Each has to be inflated, for few
     * bytes less.
     */

    SSL_CTX_set_options(ctx, NGX_HTTP_AOP_UNCOMPRESSED);

    for (i = 0; i < policy->nanchors; i++) {
        if (ngx_http_aop_tls_add_name(ctx, policy->anchors[i].x509)
            != NGX_OK)
        {
            ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                          "SSL_CTX_add_client_CA() failed");
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The names tell the client which certificate to send (RFC 8446, 4.2.4). */

static ngx_int_t
ngx_http_aop_tls_add_name(SSL_CTX *ctx, X509 *x509)
{
    int                   i;
    STACK_OF(X509_NAME)  *names;

    names = SSL_CTX_get_client_CA_list(ctx);

    for (i = 0; i < sk_X509_NAME_num(names); i++) {
        if (X509_NAME_cmp(sk_X509_NAME_value(names, i),
                          X509_get_subject_name(x509))
            == 0)
        {
            return NGX_OK;
        }
    }

    return SSL_CTX_add_client_CA(ctx, x509) ? NGX_OK : NGX_ERROR;
}


/* Without names a client sends what it has (RFC 5246, 7.4.4). */

ngx_int_t
ngx_http_aop_tls_names(SSL_CTX *ctx)
{
    int                   i, n, size;
    size_t                len;
    STACK_OF(X509_NAME)  *names;

    names = SSL_CTX_get_client_CA_list(ctx);
    n = sk_X509_NAME_num(names);
    len = 0;

    for (i = 0; i < n; i++) {
        size = i2d_X509_NAME(sk_X509_NAME_value(names, i), NULL);

        if (size < 0) {
            return -1;
        }

        len += 2 + size;
    }

    if (n <= NGX_HTTP_AOP_NAMES && len <= NGX_HTTP_AOP_NAMES_LEN) {
        return 0;
    }

    names = sk_X509_NAME_new_null();

    if (names == NULL) {
        return -1;
    }

    SSL_CTX_set_client_CA_list(ctx, names);

    return n;
}
