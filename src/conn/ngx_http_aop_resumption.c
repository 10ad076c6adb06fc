
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Does it pay to resume a session, and in which form?  The figures that the
 * rules go by are in docs/internals.md.
 */


#include "ngx_http_aop_conn.h"


static ngx_uint_t ngx_http_aop_resumption_cheap(X509 *leaf);


/*
 * up to this size a key of a curve is cheap to sign with and to verify, and one
 * of RSA to verify
 */

#define NGX_HTTP_AOP_CHEAP_EC_BITS   256
#define NGX_HTTP_AOP_CHEAP_RSA_BITS  2048

#define NGX_HTTP_AOP_OPENSSL_3_0    0x30000000L
#define NGX_HTTP_AOP_OPENSSL_3_5    0x30500000L


/*
 * Nothing is cheaper to resume than an object, but only the worker that made
 * it has it: a client that comes to another one makes a full handshake.  So
 * where the others cannot find the session in a cache, a ticket is better if
 * resuming it costs less than that.
 *
 * In TLS 1.2 it always does: nothing is signed, and the client certificate is
 * parsed once, not twice.
 */

ngx_uint_t
ngx_http_aop_resumption_by_object(ngx_ssl_conn_t *ssl, X509 *leaf,
    ngx_uint_t cached)
{
    return cached
           || ngx_http_aop_resumption_alone()
           || (SSL_version(ssl) == TLS1_3_VERSION
               && !ngx_http_aop_resumption_by_ticket(ssl, leaf));
}


ngx_uint_t
ngx_http_aop_resumption_alone(void)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(ngx_cycle->conf_ctx,
                                           ngx_core_module);

    return ngx_process == NGX_PROCESS_SINGLE || ccf->worker_processes == 1;
}


/*
 * Resuming saves two signatures, the server's own and the check of the
 * client's.  It costs to parse the client certificate twice in TLS 1.3, out of
 * the ticket that came and for the one that is sent.  From OpenSSL 3.0 until
 * 3.5 that is dearer than both signatures if these are cheap.
 */

ngx_uint_t
ngx_http_aop_resumption_by_ticket(ngx_ssl_conn_t *ssl, X509 *leaf)
{
    EVP_PKEY       *key;
    unsigned long   version;

    version = OpenSSL_version_num();

    if (version < NGX_HTTP_AOP_OPENSSL_3_0
        || version >= NGX_HTTP_AOP_OPENSSL_3_5)
    {
        return 1;
    }

    key = SSL_get_privatekey(ssl);

    return key == NULL
           || EVP_PKEY_bits(key) > NGX_HTTP_AOP_CHEAP_EC_BITS
           || !ngx_http_aop_resumption_cheap(leaf);
}


/* A signature of RSA is dear to make, but not to verify. */

static ngx_uint_t
ngx_http_aop_resumption_cheap(X509 *leaf)
{
    int        bits;
    EVP_PKEY  *key;

    key = X509_get0_pubkey(leaf);

    if (key == NULL) {
        return 0;
    }

    bits = (EVP_PKEY_base_id(key) == EVP_PKEY_RSA)
           ? NGX_HTTP_AOP_CHEAP_RSA_BITS : NGX_HTTP_AOP_CHEAP_EC_BITS;

    return EVP_PKEY_bits(key) <= bits;
}
