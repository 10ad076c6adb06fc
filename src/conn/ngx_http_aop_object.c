
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Sessions that a worker keeps as objects, for clients that come back to it.
 * A ticket and nginx's cache hold a session as octets, and to parse the client
 * certificate out of them is most of what resuming costs.
 *
 * Only sessions that were stamped "ok" are kept.  Which of them may be resumed
 * is decided by ngx_http_aop_session.c as for any other.  They belong to one
 * configuration and one process, and are gone with it.
 *
 * The id of such a session is what TLS 1.2 has for it, and in TLS 1.3 it takes
 * the place of the ticket, as OpenSSL does it with SSL_OP_NO_TICKET.
 */


#include "ngx_http_aop_conn.h"
#include "ngx_aop_stamp.h"


typedef void (*ngx_http_aop_object_remove_pt)(SSL_CTX *ctx,
    SSL_SESSION *session);


/* Of an SSL_CTX, which is also the owner of its sessions in the table. */

typedef struct {
    ngx_aop_sessions_t             *table;      /* NULL: none are kept */
    ngx_http_aop_object_remove_pt   remove;     /* who was called before us */
    unsigned                        shared:1;   /* nginx has a cache */
    unsigned                        added:1;    /* it has ours, instead */
} ngx_http_aop_object_ctx_t;


static ngx_uint_t ngx_http_aop_object_allowed(ngx_http_ssl_srv_conf_t *sscf);
static ngx_int_t ngx_http_aop_object_add_cache(ngx_conf_t *cf,
    ngx_http_ssl_srv_conf_t *sscf);
static ngx_aop_sessions_t *ngx_http_aop_object_table(ngx_conf_t *cf);
static void ngx_http_aop_object_cleanup(void *data);
static void ngx_http_aop_object_adopt(ngx_ssl_conn_t *ssl);
static int ngx_http_aop_object_psk(ngx_ssl_conn_t *ssl,
    const unsigned char *id, size_t len, SSL_SESSION **session);
static ngx_uint_t ngx_http_aop_object_ours(ngx_ssl_conn_t *ssl,
    SSL_SESSION *session);
static void ngx_http_aop_object_add(ngx_http_aop_object_ctx_t *octx,
    SSL_SESSION *session);
static void ngx_http_aop_object_drop(ngx_ssl_conn_t *ssl,
    const unsigned char *id);
static void ngx_http_aop_object_remove(SSL_CTX *ctx, SSL_SESSION *session);
static ngx_uint_t ngx_http_aop_object_stamped(SSL_SESSION *session);
static ngx_uint_t ngx_http_aop_object_small(ngx_ssl_conn_t *ssl);
static ngx_uint_t ngx_http_aop_object_resumable(ngx_ssl_conn_t *ssl);
static ngx_http_aop_object_ctx_t *ngx_http_aop_object_ctx(
    ngx_ssl_conn_t *ssl);


/*
 * What a client may send beside its certificate and have kept.  OpenSSL takes
 * 100 KB, certificates of anybody among them.
 */

#define NGX_HTTP_AOP_OBJECT_CHAIN  8192


/* the largest certificate with which nginx's cache takes a session */

#define NGX_HTTP_AOP_OBJECT_CACHED  (NGX_SSL_MAX_SESSION_SIZE - 1024)


/* what is usual for "ssl_session_cache"; memory is used as it fills */

#define NGX_HTTP_AOP_OBJECT_CACHE  (10 * 1024 * 1024)


static int  ngx_http_aop_object_index = -1;

static ngx_str_t  ngx_http_aop_object_zone =
    ngx_string("ngx_http_aop_sessions");

/* that of nginx's own sessions */
static ngx_str_t  ngx_http_aop_object_id_ctx = ngx_string("HTTP");


SSL_SESSION *
ngx_http_aop_object_find(ngx_ssl_conn_t *ssl, const unsigned char *id,
    size_t len)
{
    ngx_http_aop_object_ctx_t  *octx;

    octx = ngx_http_aop_object_ctx(ssl);

    return (octx->table != NULL)
           ? ngx_aop_sessions_find(octx->table, octx, id, len, ngx_time())
           : NULL;
}


/*
 * In TLS 1.3 a session is resumed once (RFC 8446, C.4), so it is dropped when
 * the handshake has made another one: before that nothing has proven that the
 * client knows more of the session than the id, which it sends in the clear.
 */

SSL_SESSION *
ngx_http_aop_object_offer(ngx_ssl_conn_t *ssl, SSL_SESSION *session, int *copy)
{
    unsigned int          len;
    const unsigned char  *id;
    ngx_http_aop_conn_t  *conn;

    conn = ngx_http_aop_conn(ssl);

    if (conn == NULL) {
        return NULL;
    }

    id = SSL_SESSION_get_id(session, &len);

    conn->id = ngx_pnalloc(conn->pool, len);

    if (conn->id == NULL) {
        return NULL;
    }

    ngx_memcpy(conn->id, id, len);

    /* OpenSSL takes a reference of its own */

    *copy = 1;

    return session;
}


/*
 * A session that was read from nginx's cache has been parsed.  In TLS 1.2 the
 * client comes back with the same one.
 */

static void
ngx_http_aop_object_adopt(ngx_ssl_conn_t *ssl)
{
    ngx_http_aop_object_ctx_t  *octx;

    octx = ngx_http_aop_object_ctx(ssl);

    if (octx->table != NULL && SSL_version(ssl) != TLS1_3_VERSION) {
        ngx_http_aop_object_add(octx, SSL_get0_session(ssl));
    }
}


ngx_uint_t
ngx_http_aop_object_cached(ngx_ssl_conn_t *ssl)
{
    ngx_http_aop_object_ctx_t  *octx;

    octx = ngx_http_aop_object_ctx(ssl);

    return octx->shared || (octx->added && !ngx_http_aop_resumption_alone());
}


/* A server without "aop" is to send tickets as it does without the module. */

void
ngx_http_aop_object_miss(ngx_ssl_conn_t *ssl)
{
    ngx_http_aop_conn_t  *conn;

    conn = ngx_http_aop_conn_known(ssl);

    if (conn != NULL && conn->by_id) {
        conn->by_id = 0;
        (void) SSL_clear_options(ssl, SSL_OP_NO_TICKET);
    }
}


/*
 * OpenSSL asks here for pre-shared keys, of which we know none; next it takes
 * the identity for a ticket, or with SSL_OP_NO_TICKET for the id of a session.
 * No ticket is as short as an id.
 */

static int
ngx_http_aop_object_psk(ngx_ssl_conn_t *ssl, const unsigned char *id,
    size_t len, SSL_SESSION **session)
{
    ngx_http_aop_conn_t  *conn;

    *session = NULL;

    /* of several identities the first that can be resumed counts */

    conn = ngx_http_aop_conn_known(ssl);

    if (conn != NULL) {
        conn->id = NULL;
    }

    if (len != SSL_MAX_SSL_SESSION_ID_LENGTH
        || (SSL_get_options(ssl) & SSL_OP_NO_TICKET))
    {
        return 1;
    }

    if (!ngx_http_aop_object_cached(ssl)
        && ngx_http_aop_object_find(ssl, id, len) == NULL)
    {
        return 1;
    }

    conn = ngx_http_aop_conn(ssl);

    if (conn != NULL) {
        conn->by_id = 1;
        (void) SSL_set_options(ssl, SSL_OP_NO_TICKET);
    }

    return 1;
}


/*
 * A parsed certificate is some hundred pieces of memory.  If each connection
 * and each kept session had one of its own, what is freed between them would
 * be scattered over more than the processor has cache for, and all else would
 * take longer.
 *
 * OpenSSL has no function that sets the certificate of a session, but takes it
 * from the list that was to be verified, which owns what is in it.  The one
 * that came remains until a session has been made, or the connection ends, if
 * OpenSSL were to look at it again.
 */

void
ngx_http_aop_object_share(ngx_ssl_conn_t *ssl, STACK_OF(X509) *certs)
{
    X509                       *leaf, *cert;
    ngx_http_aop_conn_t        *conn;
    ngx_http_aop_object_ctx_t  *octx;

    octx = ngx_http_aop_object_ctx(ssl);
    conn = ngx_http_aop_conn_known(ssl);
    leaf = sk_X509_value(certs, 0);

    if (octx->table == NULL
        || conn == NULL
        || conn->cert != NULL
        || !conn->leaf.digested)
    {
        return;
    }

    cert = ngx_aop_sessions_cert(octx->table, leaf, conn->leaf.digest);

    if (cert != leaf && X509_up_ref(cert)) {
        (void) sk_X509_set(certs, 0, cert);
        conn->cert = leaf;
    }
}


/* SNI has nginx set the options of another server in the meantime. */

int
ngx_http_aop_object_issue(ngx_ssl_conn_t *ssl, void *arg)
{
    SSL_SESSION          *session;
    ngx_http_aop_conn_t  *conn;

    session = SSL_get0_session(ssl);

    if (SSL_version(ssl) != TLS1_3_VERSION
        || !ngx_http_aop_object_stamped(session)
        || !ngx_http_aop_object_small(ssl))
    {
        return 1;
    }

    conn = ngx_http_aop_conn(ssl);

    if (conn == NULL) {
        return 1;
    }

    /* after a ticket another one is sent, where tickets are on */

    if (!SSL_session_reused(ssl) || (SSL_get_options(ssl) & SSL_OP_NO_TICKET))
    {
        conn->by_id = ngx_http_aop_object_applies(ssl,
                                             SSL_SESSION_get0_peer(session));
    }

    if (conn->by_id) {
        (void) SSL_set_options(ssl, SSL_OP_NO_TICKET);
    }

    return 1;
}


ngx_uint_t
ngx_http_aop_object_keep(ngx_ssl_conn_t *ssl, SSL_SESSION *session)
{
    ngx_uint_t                  ours;
    ngx_http_aop_object_ctx_t  *octx;

    octx = ngx_http_aop_object_ctx(ssl);

    ours = octx->table != NULL && ngx_http_aop_object_ours(ssl, session);

    /* nginx's cache has the client certificate without its chain */

    if (ours && ngx_http_aop_object_small(ssl)) {
        ngx_http_aop_object_add(octx, session);
    }

    return !octx->added || (ours && !ngx_http_aop_resumption_alone());
}


/* The session was stamped, and the client has an id for it. */

static ngx_uint_t
ngx_http_aop_object_ours(ngx_ssl_conn_t *ssl, SSL_SESSION *session)
{
    ngx_http_aop_conn_t  *conn;

    conn = ngx_http_aop_conn_known(ssl);

    if (conn == NULL) {
        return 0;
    }

    /* the session has the one in common */

    X509_free(conn->cert);
    conn->cert = NULL;

    if (!ngx_http_aop_object_stamped(session)) {
        return 0;
    }

    if (SSL_version(ssl) != TLS1_3_VERSION) {
        return ngx_http_aop_object_applies(ssl, NULL);
    }

    if (conn->id != NULL && SSL_session_reused(ssl)) {
        ngx_http_aop_object_drop(ssl, conn->id);
    }

    return conn->by_id;
}


static void
ngx_http_aop_object_add(ngx_http_aop_object_ctx_t *octx, SSL_SESSION *session)
{
    if (SSL_SESSION_up_ref(session)
        && !ngx_aop_sessions_add(octx->table, octx, session, ngx_time()))
    {
        SSL_SESSION_free(session);
    }
}


static void
ngx_http_aop_object_drop(ngx_ssl_conn_t *ssl, const unsigned char *id)
{
    SSL_SESSION                *session;
    ngx_http_aop_object_ctx_t  *octx;

    octx = ngx_http_aop_object_ctx(ssl);
    session = ngx_http_aop_object_find(ssl, id,
                                       SSL_MAX_SSL_SESSION_ID_LENGTH);

    if (session != NULL) {
        ngx_aop_sessions_remove(octx->table, octx, session);
    }
}


/* OpenSSL or nginx has found that the session is not good any more. */

static void
ngx_http_aop_object_remove(SSL_CTX *ctx, SSL_SESSION *session)
{
    ngx_http_aop_object_ctx_t  *octx;

    octx = SSL_CTX_get_ex_data(ctx, ngx_http_aop_object_index);

    /* a ticket of another server may have come with the id of one of ours */

    if (octx->remove != NULL
        && (!octx->added
            || (ngx_http_aop_object_stamped(session)
                && !ngx_http_aop_resumption_alone())))
    {
        octx->remove(ctx, session);
    }

    /* last: the table may have the last reference */

    ngx_aop_sessions_remove(octx->table, octx, session);
}


ngx_uint_t
ngx_http_aop_object_applies(ngx_ssl_conn_t *ssl, X509 *leaf)
{
    ngx_uint_t                  cached;
    ngx_http_aop_object_ctx_t  *octx;

    octx = ngx_http_aop_object_ctx(ssl);

    if (octx->table == NULL
        || SSL_get_max_early_data(ssl) != 0
        || !ngx_http_aop_object_resumable(ssl))
    {
        return 0;
    }

    if (SSL_get_options(ssl) & SSL_OP_NO_TICKET) {
        return 1;
    }

    cached = ngx_http_aop_object_cached(ssl)
             && (leaf == NULL
                 || i2d_X509(leaf, NULL) <= NGX_HTTP_AOP_OBJECT_CACHED);

    return ngx_http_aop_resumption_by_object(ssl, leaf, cached);
}


ngx_uint_t
ngx_http_aop_object_pays(ngx_ssl_conn_t *ssl, X509 *leaf)
{
    return ngx_http_aop_object_resumable(ssl)
           && (ngx_http_aop_resumption_by_ticket(ssl, leaf)
               || ngx_http_aop_object_applies(ssl, leaf));
}


/* Where tickets are off and there is no cache, no session is wanted. */

static ngx_uint_t
ngx_http_aop_object_resumable(ngx_ssl_conn_t *ssl)
{
    ngx_http_aop_conn_t  *conn;

    if (ngx_http_aop_object_ctx(ssl)->shared
        || (SSL_get_options(ssl) & SSL_OP_NO_TICKET) == 0)
    {
        return 1;
    }

    conn = ngx_http_aop_conn_known(ssl);

    return conn != NULL && conn->by_id;
}


static ngx_uint_t
ngx_http_aop_object_stamped(SSL_SESSION *session)
{
    ngx_aop_stamp_t  stamp;

    return ngx_aop_stamp_read(session, &stamp) == NGX_AOP_STAMP_READ
           && stamp.verdict == NGX_AOP_VERDICT_OK;
}


static ngx_uint_t
ngx_http_aop_object_small(ngx_ssl_conn_t *ssl)
{
    int              i, size, len;
    STACK_OF(X509)  *chain;

    chain = SSL_get_peer_cert_chain(ssl);
    len = 0;

    for (i = 0; i < sk_X509_num(chain); i++) {
        size = i2d_X509(sk_X509_value(chain, i), NULL);

        if (size < 0 || size > NGX_HTTP_AOP_OBJECT_CHAIN - len) {
            return 0;
        }

        len += size;
    }

    return 1;
}


static ngx_http_aop_object_ctx_t *
ngx_http_aop_object_ctx(ngx_ssl_conn_t *ssl)
{
    ngx_connection_t  *c;

    c = ngx_ssl_get_connection(ssl);

    return SSL_CTX_get_ex_data(c->ssl->session_ctx,
                               ngx_http_aop_object_index);
}


ngx_int_t
ngx_http_aop_object_arm(ngx_conf_t *cf, ngx_http_ssl_srv_conf_t *sscf)
{
    SSL_CTX                    *ctx;
    ngx_http_aop_object_ctx_t  *octx;

    ctx = sscf->ssl.ctx;

    octx = ngx_pcalloc(cf->pool, sizeof(ngx_http_aop_object_ctx_t));
    if (octx == NULL) {
        return NGX_ERROR;
    }

    octx->shared = SSL_CTX_sess_get_get_cb(ctx) != NULL;

    if (ngx_http_aop_object_index == -1) {
        ngx_http_aop_object_index = SSL_CTX_get_ex_new_index(0, NULL, NULL,
                                                             NULL, NULL);
    }

    /* OpenSSL 1.1.1 stores nothing under -1, and says that it did */

    if (ngx_http_aop_object_index == -1
        || SSL_CTX_set_ex_data(ctx, ngx_http_aop_object_index, octx) == 0)
    {
        return NGX_ERROR;
    }

    if (!ngx_http_aop_object_allowed(sscf)) {
        return NGX_OK;
    }

    octx->table = ngx_http_aop_object_table(cf);
    if (octx->table == NULL) {
        return NGX_ERROR;
    }

    if (!octx->shared
        && SSL_CTX_sess_get_new_cb(ctx) == NULL
        && SSL_CTX_sess_get_remove_cb(ctx) == NULL)
    {
        if (ngx_http_aop_object_add_cache(cf, sscf) != NGX_OK) {
            return NGX_ERROR;
        }

        octx->added = 1;
    }

    octx->remove = SSL_CTX_sess_get_remove_cb(ctx);

    SSL_CTX_sess_set_remove_cb(ctx, ngx_http_aop_object_remove);
    SSL_CTX_set_psk_find_session_callback(ctx, ngx_http_aop_object_psk);

    ngx_http_aop_conn_resume(ngx_http_aop_object_adopt);

    return NGX_OK;
}


/*
 * Objects add to sessions that the configuration allows: by tickets with keys
 * of nginx's own, or by its cache.  Keys of a file are for sessions that other
 * machines resume as well.  With early data a session is what OpenSSL makes of
 * it.  And OpenSSL's own cache would hold more sessions than without us.
 */

static ngx_uint_t
ngx_http_aop_object_allowed(ngx_http_ssl_srv_conf_t *sscf)
{
    long      mode;
    SSL_CTX  *ctx;

    ctx = sscf->ssl.ctx;
    mode = SSL_CTX_get_session_cache_mode(ctx);

    return (mode & SSL_SESS_CACHE_SERVER)
           && (mode & SSL_SESS_CACHE_NO_INTERNAL_STORE)
           && sscf->session_ticket_keys == NULL
           && SSL_CTX_get_max_early_data(ctx) == 0
           && (SSL_CTX_sess_get_get_cb(ctx) != NULL
               || (SSL_CTX_get_options(ctx) & SSL_OP_NO_TICKET) == 0);
}


/*
 * As "ssl_session_cache shared:" does it, but tickets of servers without "aop"
 * keep OpenSSL's keys.  How many worker processes there are may be read later
 * than this: one alone does not use the cache.
 */

static ngx_int_t
ngx_http_aop_object_add_cache(ngx_conf_t *cf, ngx_http_ssl_srv_conf_t *sscf)
{
    ngx_shm_zone_t  *zone;

    zone = ngx_shared_memory_add(cf, &ngx_http_aop_object_zone,
                                 NGX_HTTP_AOP_OBJECT_CACHE,
                                 &ngx_http_ssl_module);
    if (zone == NULL) {
        return NGX_ERROR;
    }

    zone->init = ngx_ssl_session_cache_init;

    return ngx_ssl_session_cache(&sscf->ssl, &ngx_http_aop_object_id_ctx,
                                 sscf->certificates,
                                 NGX_SSL_NO_BUILTIN_SCACHE, zone,
                                 sscf->session_timeout);
}


/* Workers fill their own copies: that of the master process remains empty. */

static ngx_aop_sessions_t *
ngx_http_aop_object_table(ngx_conf_t *cf)
{
    ngx_pool_cleanup_t        *cln;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);

    if (amcf->sessions != NULL) {
        return amcf->sessions;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    amcf->sessions = ngx_pcalloc(cf->pool, sizeof(ngx_aop_sessions_t));

    if (amcf->sessions != NULL) {
        cln->handler = ngx_http_aop_object_cleanup;
        cln->data = amcf->sessions;
    }

    return amcf->sessions;
}


static void
ngx_http_aop_object_cleanup(void *data)
{
    ngx_aop_sessions_clear(data);
}
