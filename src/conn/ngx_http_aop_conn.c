
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What is known of a TLS connection: how its certificate was judged by each
 * policy in question, and facts of the certificate.  All of it is determined
 * at most once a connection, and only on demand.
 */


#include "ngx_http_aop_conn.h"
#include "ngx_aop_cache.h"
#include "ngx_aop_key.h"
#include "ngx_aop_leaf.h"
#include "ngx_aop_stamp.h"


#define ngx_http_aop_conn_get(pool)                                           \
    ((ngx_http_aop_conn_t *)                                                  \
         ngx_http_aop_pool_get(pool, ngx_http_aop_conn_cleanup))


static void ngx_http_aop_conn_cleanup(void *data);
static void ngx_http_aop_judgement_init(ngx_http_aop_judgement_t *judgement,
    ngx_http_aop_conn_t *conn);
static ngx_http_aop_judgement_t *ngx_http_aop_conn_find(
    ngx_http_aop_conn_t *conn, const ngx_aop_policy_t *policy);
static void ngx_http_aop_conn_result(ngx_ssl_conn_t *ssl,
    ngx_http_aop_conn_t *conn, const ngx_aop_policy_t *policy, X509 *x509,
    STACK_OF(X509) *chain, ngx_uint_t handshake, ngx_aop_result_t *result);
static void ngx_http_aop_conn_leaf(ngx_http_aop_conn_t *conn, X509 *x509);
static ngx_uint_t ngx_http_aop_conn_resumed(ngx_ssl_conn_t *ssl,
    const ngx_aop_policy_t *policy, const X509 *leaf,
    ngx_aop_result_t *result);
static void ngx_http_aop_conn_verify(const ngx_aop_policy_t *policy,
    const ngx_aop_leaf_t *leaf, STACK_OF(X509) *chain,
    ngx_aop_result_t *result);
static ngx_int_t ngx_http_aop_conn_fact_of(ngx_http_aop_conn_t *conn,
    X509 *leaf, ngx_aop_cert_fact_e fact, ngx_str_t *text);
static ngx_int_t ngx_http_aop_conn_fingerprint(ngx_http_aop_conn_t *conn,
    ngx_str_t *text);
static ngx_int_t ngx_http_aop_conn_print(ngx_pool_t *pool, X509 *leaf,
    ngx_aop_cert_fact_e fact, size_t max, ngx_str_t *text);


static ngx_http_aop_state_t      ngx_http_aop_state_off;
static ngx_http_aop_judgement_t  ngx_http_aop_plaintext;
static ngx_http_aop_judgement_t  ngx_http_aop_failed;

/* the process's own */
static ngx_aop_cache_t       ngx_http_aop_cache;
static ngx_aop_leaf_table_t  ngx_http_aop_leaves;

static ngx_http_aop_cache_pt    ngx_http_aop_cache_handler;
static ngx_http_aop_resumed_pt  ngx_http_aop_resumed_handler;

static ngx_str_t  ngx_http_aop_no_fact = ngx_string("");

/* a serial number has 20 octets at most (RFC 5280, 4.1.2.2) */

static const size_t  ngx_http_aop_fact_max[NGX_AOP_CERT_FACTS] = {
    NGX_HTTP_AOP_NAME_MAX,      /* NGX_AOP_CERT_SUBJECT */
    NGX_HTTP_AOP_NAME_MAX,      /* NGX_AOP_CERT_ISSUER */
    64,                         /* NGX_AOP_CERT_SERIAL */
    2 * NGX_AOP_DIGEST,         /* NGX_AOP_CERT_FINGERPRINT */
    2 * NGX_AOP_DIGEST,         /* NGX_AOP_CERT_SPKI */
    NGX_AOP_DATE,               /* NGX_AOP_CERT_NOT_AFTER */
    NGX_AOP_KEY_NAME            /* NGX_AOP_CERT_KEY */
};


/*
 * Each request comes here: if the certificate was judged before, there are
 * only comparisons.
 */

ngx_http_aop_judgement_t *
ngx_http_aop_conn_judge_request(ngx_http_request_t *r)
{
    ngx_connection_t          *c;
    ngx_http_aop_conn_t       *conn;
    ngx_http_aop_srv_conf_t   *ascf, *handshake;
    ngx_http_aop_judgement_t  *judgement;

    c = r->connection;

    if (c->ssl == NULL) {
        return &ngx_http_aop_plaintext;
    }

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    conn = ngx_http_aop_conn_get(c->pool);

    if (conn != NULL) {
        judgement = ngx_http_aop_conn_find(conn, ascf->policy);

        if (judgement != NULL) {
            return judgement;
        }
    }

    handshake = ngx_http_get_module_srv_conf(r->main->http_connection->conf_ctx,
                                             ngx_http_aop_module);

    return ngx_http_aop_conn_judge(c->ssl->connection, ascf->policy, NULL,
                                   NULL, ascf->policy == handshake->policy);
}


ngx_http_aop_state_t *
ngx_http_aop_conn_state(ngx_http_request_t *r, ngx_aop_mode_e mode)
{
    ngx_http_aop_srv_conf_t  *ascf;

    if (mode == NGX_AOP_MODE_OFF) {
        return &ngx_http_aop_state_off;
    }

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    return &ngx_http_aop_conn_judge_request(r)->state[mode - 1][ascf->uniform];
}


ngx_http_aop_judgement_t *
ngx_http_aop_conn_judge(ngx_ssl_conn_t *ssl, const ngx_aop_policy_t *policy,
    X509 *x509, STACK_OF(X509) *chain, ngx_uint_t handshake)
{
    ngx_http_aop_conn_t       *conn;
    ngx_http_aop_judgement_t  *judgement;

    conn = ngx_http_aop_conn(ssl);
    if (conn == NULL) {
        return &ngx_http_aop_failed;
    }

    judgement = ngx_http_aop_conn_find(conn, policy);

    if (judgement != NULL) {
        return judgement;
    }

    /*
     * an expired judgement stays where it is: a request that is still being
     * served may point to it
     */

    judgement = ngx_palloc(conn->pool, sizeof(ngx_http_aop_judgement_t));
    if (judgement == NULL) {
        return &ngx_http_aop_failed;
    }

    ngx_http_aop_conn_result(ssl, conn, policy, x509, chain, handshake,
                             &judgement->result);

    judgement->policy = policy;
    ngx_http_aop_judgement_init(judgement, conn);

    judgement->next = conn->judgements;
    conn->judgements = judgement;

    return judgement;
}


static ngx_http_aop_judgement_t *
ngx_http_aop_conn_find(ngx_http_aop_conn_t *conn,
    const ngx_aop_policy_t *policy)
{
    ngx_http_aop_judgement_t  *judgement;

    for (judgement = conn->judgements;
         judgement != NULL;
         judgement = judgement->next)
    {
        if (judgement->policy != policy) {
            continue;
        }

        if (judgement->result.verdict == NGX_AOP_VERDICT_OK
            && judgement->result.valid_until < ngx_time())
        {
            return NULL;
        }

        return judgement;
    }

    return NULL;
}


static void
ngx_http_aop_conn_result(ngx_ssl_conn_t *ssl, ngx_http_aop_conn_t *conn,
    const ngx_aop_policy_t *policy, X509 *x509, STACK_OF(X509) *chain,
    ngx_uint_t handshake, ngx_aop_result_t *result)
{
    X509  *cert;

    cert = NULL;

    if (x509 == NULL) {

        /* a resumed session has a leaf only; the server's chain has no leaf */

        cert = SSL_get_peer_certificate(ssl);
        x509 = cert;
        chain = SSL_get_peer_cert_chain(ssl);
    }

    if (x509 == NULL) {
        ngx_memzero(result, sizeof(ngx_aop_result_t));
        result->verdict = NGX_AOP_VERDICT_NONE;

    } else if (ngx_http_aop_conn_resumed(ssl, policy, x509, result)) {
        if (conn->cached && ngx_http_aop_resumed_handler != NULL) {
            ngx_http_aop_resumed_handler(ssl);
        }

    } else {
        ngx_http_aop_conn_leaf(conn, x509);
        ngx_http_aop_conn_verify(policy, &conn->leaf, chain, result);
        conn->leaf.x509 = NULL;
    }

    if (!handshake
        && result->verdict != NGX_AOP_VERDICT_OK
        && result->verdict != NGX_AOP_VERDICT_ERROR)
    {
        result->verdict = NGX_AOP_VERDICT_MISDIRECTED;
        result->reason = NULL;
    }

    if (result->reason == NULL) {
        result->reason = ngx_aop_verdict(result->verdict)->meaning;
    }

    X509_free(cert);
}


/* The certificate of a connection is the same for each policy. */

static void
ngx_http_aop_conn_leaf(ngx_http_aop_conn_t *conn, X509 *x509)
{
    if (!conn->leaf.digested) {
        ngx_aop_leaf_find(&ngx_http_aop_leaves, &conn->leaf, x509);
    }

    conn->leaf.x509 = x509;
}


/* A resumed session has no chain: the stamp has the result for it. */

static ngx_uint_t
ngx_http_aop_conn_resumed(ngx_ssl_conn_t *ssl,
    const ngx_aop_policy_t *policy, const X509 *leaf,
    ngx_aop_result_t *result)
{
    ngx_aop_stamp_t  stamp;

    return SSL_session_reused(ssl)
           && ngx_aop_stamp_read(SSL_get0_session(ssl), &stamp)
              == NGX_AOP_STAMP_READ
           && ngx_aop_stamp_result(&stamp, policy, leaf, ngx_time(), result);
}


static void
ngx_http_aop_conn_verify(const ngx_aop_policy_t *policy,
    const ngx_aop_leaf_t *leaf, STACK_OF(X509) *chain,
    ngx_aop_result_t *result)
{
    ngx_uint_t  hit;

    hit = ngx_aop_cache_judge(&ngx_http_aop_cache, policy, leaf, chain,
                              ngx_time(), result);

    if (ngx_http_aop_cache_handler != NULL) {
        ngx_http_aop_cache_handler(hit);
    }
}


void
ngx_http_aop_conn_cache(ngx_http_aop_cache_pt handler)
{
    ngx_http_aop_cache_handler = handler;
}


void
ngx_http_aop_conn_resume(ngx_http_aop_resumed_pt handler)
{
    ngx_http_aop_resumed_handler = handler;
}


static void
ngx_http_aop_judgement_init(ngx_http_aop_judgement_t *judgement,
    ngx_http_aop_conn_t *conn)
{
    ngx_uint_t             mode;
    ngx_http_aop_state_t  *state;

    ngx_memzero(judgement->state, sizeof(judgement->state));

    for (mode = NGX_AOP_MODE_OPTIONAL; mode < NGX_AOP_MODES; mode++) {
        state = judgement->state[mode - 1];

        state[0].result = &judgement->result;
        state[0].conn = conn;
        state[0].mode = mode;

        state[1] = state[0];
        state[1].settled = (judgement->result.verdict == NGX_AOP_VERDICT_OK);
    }
}


ngx_http_aop_conn_t *
ngx_http_aop_conn(ngx_ssl_conn_t *ssl)
{
    ngx_connection_t     *c;
    ngx_http_aop_conn_t  *conn;

    /* the pool of r->connection is that of one stream only on HTTP/3 */

    c = ngx_ssl_get_connection(ssl);

    conn = ngx_http_aop_conn_get(c->pool);

    if (conn != NULL) {
        return conn;
    }

    conn = ngx_http_aop_pool_add(c->pool, sizeof(ngx_http_aop_conn_t),
                                 ngx_http_aop_conn_cleanup);
    if (conn == NULL) {
        return NULL;
    }

    conn->pool = c->pool;

    /* a QUIC connection may move to another address (RFC 9000, 9) */

    conn->moves = (c->type == SOCK_DGRAM);

    return conn;
}


ngx_http_aop_conn_t *
ngx_http_aop_conn_known(ngx_ssl_conn_t *ssl)
{
    ngx_connection_t  *c;

    c = ngx_ssl_get_connection(ssl);

    return ngx_http_aop_conn_get(c->pool);
}


/*
 * But on HTTP/3 the pool is the connection's own, and all that is known of it
 * is found without OpenSSL.
 */

ngx_http_aop_conn_t *
ngx_http_aop_conn_request(ngx_http_request_t *r)
{
    ngx_connection_t     *c;
    ngx_http_aop_conn_t  *conn;

    c = r->connection;

    if (c->ssl == NULL) {
        return NULL;
    }

    conn = ngx_http_aop_conn_get(c->pool);

    return (conn != NULL) ? conn : ngx_http_aop_conn(c->ssl->connection);
}


static void
ngx_http_aop_conn_cleanup(void *data)
{
    ngx_http_aop_conn_t  *conn = data;

    X509_free(conn->cert);
}


/*
 * What is kept for the life of the connection is small, whatever was
 * presented.
 */

ngx_str_t *
ngx_http_aop_conn_fact(ngx_http_request_t *r, ngx_aop_cert_fact_e fact)
{
    X509                 *leaf;
    ngx_str_t            *text;
    ngx_ssl_conn_t       *ssl;
    ngx_http_aop_conn_t  *conn;

    if (r->connection->ssl == NULL) {
        return &ngx_http_aop_no_fact;
    }

    ssl = r->connection->ssl->connection;

    conn = ngx_http_aop_conn(ssl);
    if (conn == NULL) {
        return NULL;
    }

    if (conn->facts == NULL) {
        conn->facts = ngx_pcalloc(conn->pool,
                                  NGX_AOP_CERT_FACTS * sizeof(ngx_str_t));
        if (conn->facts == NULL) {
            return NULL;
        }
    }

    text = &conn->facts[fact];

    if (text->data != NULL) {
        return text;
    }

    leaf = SSL_get_peer_certificate(ssl);

    if (leaf == NULL) {
        *text = ngx_http_aop_no_fact;

    } else if (ngx_http_aop_conn_fact_of(conn, leaf, fact, text) != NGX_OK) {
        text = NULL;
    }

    X509_free(leaf);

    return text;
}


static ngx_int_t
ngx_http_aop_conn_fact_of(ngx_http_aop_conn_t *conn, X509 *leaf,
    ngx_aop_cert_fact_e fact, ngx_str_t *text)
{
    ngx_int_t  rc;

    if (fact == NGX_AOP_CERT_FINGERPRINT) {
        ngx_http_aop_conn_leaf(conn, leaf);
        conn->leaf.x509 = NULL;

        if (conn->leaf.digested) {
            return ngx_http_aop_conn_fingerprint(conn, text);
        }
    }

    rc = ngx_http_aop_conn_print(conn->pool, leaf, fact,
                                 ngx_http_aop_fact_max[fact], text);

    if (rc == NGX_DECLINED) {
        conn->cut |= 1u << fact;
        return NGX_OK;
    }

    return rc;
}


static ngx_int_t
ngx_http_aop_conn_fingerprint(ngx_http_aop_conn_t *conn, ngx_str_t *text)
{
    text->data = ngx_pnalloc(conn->pool, 2 * NGX_AOP_DIGEST);
    if (text->data == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_hex_dump(text->data, conn->leaf.digest, NGX_AOP_DIGEST)
                - text->data;

    return NGX_OK;
}


/*
 * A variable may decide something, so it is never cut: a client could choose
 * what is at the cut.
 */

ngx_int_t
ngx_http_aop_conn_whole_fact(ngx_http_request_t *r, ngx_aop_cert_fact_e fact,
    ngx_str_t *text)
{
    X509                 *leaf;
    ngx_int_t             rc;
    ngx_str_t            *kept;
    ngx_ssl_conn_t       *ssl;
    ngx_http_aop_conn_t  *conn;

    kept = ngx_http_aop_conn_fact(r, fact);

    if (kept == NULL) {
        return NGX_ERROR;
    }

    *text = *kept;

    if (r->connection->ssl == NULL) {
        return NGX_OK;
    }

    ssl = r->connection->ssl->connection;
    conn = ngx_http_aop_conn(ssl);

    if (conn == NULL || !(conn->cut & 1u << fact)) {
        return NGX_OK;
    }

    leaf = SSL_get_peer_certificate(ssl);

    rc = ngx_http_aop_conn_print(r->pool, leaf, fact, NGX_MAX_SIZE_T_VALUE,
                                 text);

    X509_free(leaf);

    return rc;
}


/* NGX_DECLINED if more than max bytes would have been needed. */

static ngx_int_t
ngx_http_aop_conn_print(ngx_pool_t *pool, X509 *leaf,
    ngx_aop_cert_fact_e fact, size_t max, ngx_str_t *text)
{
    BIO        *bio;
    char       *data;
    size_t      len;
    u_char     *p;
    ngx_int_t   rc;

    rc = NGX_ERROR;

    ERR_set_mark();

    bio = BIO_new(BIO_s_mem());

    if (bio != NULL) {

        /* a field that is not what X.509 says has no text */

        data = "";
        len = 0;

        if (ngx_aop_cert_print(leaf, fact, bio)) {
            len = BIO_get_mem_data(bio, &data);
        }

        text->len = ngx_aop_cert_cut(data, len, max);

        p = ngx_pnalloc(pool, text->len + 1);

        if (p != NULL) {
            /* OpenSSL has no address for nothing */

            if (text->len != 0) {
                ngx_memcpy(p, data, text->len);
            }

            text->data = p;
            rc = (text->len == len) ? NGX_OK : NGX_DECLINED;
        }
    }

    BIO_free(bio);

    ERR_pop_to_mark();

    return rc;
}


ngx_int_t
ngx_http_aop_conn_init(ngx_conf_t *cf)
{
    ngx_aop_result_t  *result;

    result = &ngx_http_aop_plaintext.result;
    result->verdict = NGX_AOP_VERDICT_PLAINTEXT;
    result->reason = ngx_aop_verdict(NGX_AOP_VERDICT_PLAINTEXT)->meaning;
    ngx_http_aop_judgement_init(&ngx_http_aop_plaintext, NULL);

    result = &ngx_http_aop_failed.result;
    result->verdict = NGX_AOP_VERDICT_ERROR;
    result->reason = ngx_aop_verdict(NGX_AOP_VERDICT_ERROR)->meaning;
    ngx_http_aop_judgement_init(&ngx_http_aop_failed, NULL);

    return NGX_OK;
}
