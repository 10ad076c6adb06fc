
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Counting of requests and connections.  On the way of a request that passed
 * there is no lock: one atomic addition, and twice the time of day.
 */


#include "ngx_http_aop_endings.h"
#include "ngx_aop_name.h"


#define NGX_HTTP_AOP_CLIENT_IN_USE  3600


static ngx_uint_t ngx_http_aop_count_held(ngx_http_request_t *r,
    ngx_http_aop_held_t *held, ngx_uint_t *count, time_t *span);
static ngx_http_aop_throttle_t *ngx_http_aop_count_throttle(
    ngx_http_request_t *r);
static ngx_http_aop_known_t *ngx_http_aop_count_known(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_count_failed(ngx_http_request_t *r,
    ngx_http_aop_known_t *known, ngx_aop_verdict_e verdict,
    ngx_aop_peer_e peer);
static void ngx_http_aop_count_add(ngx_http_aop_counter_t *counter);
static void ngx_http_aop_count_connection(ngx_http_request_t *r,
    ngx_http_aop_known_t *known, const ngx_http_aop_state_t *state,
    ngx_aop_peer_e peer);
static void ngx_http_aop_count_client(ngx_http_request_t *r,
    ngx_http_aop_server_t *server, const ngx_aop_result_t *result);
static ngx_uint_t ngx_http_aop_count_seen(ngx_http_aop_server_t *server,
    const ngx_aop_result_t *result);
static void ngx_http_aop_count_read(ngx_http_request_t *r,
    ngx_http_aop_client_t *client);
static ngx_http_aop_client_t *ngx_http_aop_count_place(
    ngx_http_aop_server_t *server, const u_char *digest);
static void ngx_http_aop_count_hour(ngx_http_aop_server_t *server);
static ngx_uint_t ngx_http_aop_count_foreign(ngx_http_request_t *r,
    ngx_http_aop_known_t *known);
static ngx_uint_t ngx_http_aop_count_names(ngx_http_server_name_t *sn,
    ngx_str_t *host);
static int ngx_http_aop_count_regex(void *regex, const char *host,
    size_t len);


static ngx_http_aop_throttle_t  ngx_http_aop_count_unlisted;


void
ngx_http_aop_count(ngx_http_request_t *r, const ngx_http_aop_state_t *state)
{
    ngx_uint_t              foreign, stale;
    ngx_aop_verdict_e       verdict;
    ngx_http_aop_peer_t     peer;
    ngx_http_aop_known_t   *known;
    ngx_http_aop_server_t  *server;

    known = ngx_http_aop_count_known(r);

    if (known == NULL) {
        return;
    }

    server = known->shared;
    verdict = state->result->verdict;

    ngx_http_aop_peer(r, &peer);

    if (ngx_current_msec - server->tick >= (ngx_msec_t) NGX_HTTP_AOP_HOUR) {
        ngx_http_aop_count_hour(server);
    }

    /* asked before, or a sum could fall below that at the policy's start */

    stale = (known->epoch != server->epoch);

    ngx_http_aop_count_add(&server->requests[state->mode - 1][verdict]
                                            [peer.class]);

    ngx_http_aop_count_connection(r, known, state, peer.class);

    if (verdict != NGX_AOP_OK) {
        foreign = ngx_http_aop_count_failed(r, known, verdict, peer.class);
        ngx_http_aop_top_add(r, known, state, &peer, foreign);

    } else if (stale) {
        (void) ngx_atomic_fetch_add(&server->stale[peer.class], 1);

    } else if (peer.class == NGX_AOP_EDGE
               && ngx_http_aop_count_foreign(r, known))
    {
        (void) ngx_atomic_fetch_add(&server->elsewhere, 1);
    }
}


/*
 * NULL if the server is not counted.  One that the configuration in force does
 * not have is not: its place is given to another one day, at a time when
 * workers of its own may still run.
 */

static ngx_http_aop_known_t *
ngx_http_aop_count_known(ngx_http_request_t *r)
{
    ngx_http_aop_known_t      *known;
    ngx_http_aop_srv_conf_t   *ascf;
    ngx_http_aop_main_conf_t  *amcf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);
    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);

    if (!ascf->listed) {
        return NULL;
    }

    known = amcf->servers.elts;
    known += ascf->server;

    ngx_http_aop_zone_recheck(known);

    return (known->shared && known->shared->gone == 0) ? known : NULL;
}


/* Returns whether the request was for a host that is not the server's. */

static ngx_uint_t
ngx_http_aop_count_failed(ngx_http_request_t *r, ngx_http_aop_known_t *known,
    ngx_aop_verdict_e verdict, ngx_aop_peer_e peer)
{
    ngx_uint_t  foreign;

    foreign = ngx_http_aop_count_foreign(r, known);

    if (known->epoch != known->shared->epoch) {
        return foreign;
    }

    if (foreign) {
        (void) ngx_atomic_fetch_add(&known->shared->foreign[peer], 1);

    } else {
        (void) ngx_atomic_fetch_add(&known->shared->failed[verdict][peer], 1);
    }

    return foreign;
}


static void
ngx_http_aop_count_add(ngx_http_aop_counter_t *counter)
{
    (void) ngx_atomic_fetch_add(&counter->count, 1);

    counter->last = ngx_time();

    if (counter->first == 0) {
        counter->first = counter->last;
    }
}


static void
ngx_http_aop_count_connection(ngx_http_request_t *r,
    ngx_http_aop_known_t *known, const ngx_http_aop_state_t *state,
    ngx_aop_peer_e peer)
{
    ngx_ssl_conn_t         *ssl;
    ngx_http_aop_conn_e     conn;
    ngx_http_aop_record_t  *record;

    if (r->connection->ssl == NULL) {
        return;
    }

    ssl = r->connection->ssl->connection;
    record = ngx_http_aop_record(ssl);

    if (record == NULL || record->counted) {
        return;
    }

    record->counted = 1;

    conn = SSL_session_reused(ssl) ? NGX_HTTP_AOP_CONN_RESUMED
           : record->declined ? NGX_HTTP_AOP_CONN_DECLINED
           : NGX_HTTP_AOP_CONN_FULL;

    ngx_http_aop_count_add(&known->shared->connections[conn][peer]);

    if (conn != NGX_HTTP_AOP_CONN_RESUMED
        && state->result->verdict == NGX_AOP_OK)
    {
        ngx_http_aop_count_client(r, known->shared, state->result);
        ngx_http_aop_expiry_clients(ngx_cycle->log, known);
    }
}


/* What is to be printed of a new certificate is printed without the lock. */

static void
ngx_http_aop_count_client(ngx_http_request_t *r, ngx_http_aop_server_t *server,
    const ngx_aop_result_t *result)
{
    ngx_http_aop_client_t   new, *client;

    if (ngx_http_aop_count_seen(server, result)) {
        return;
    }

    ngx_memzero(&new, sizeof(ngx_http_aop_client_t));

    ngx_memcpy(new.leaf, result->leaf, NGX_AOP_DIGEST);
    ngx_memcpy(new.anchor, result->anchor->digest, NGX_AOP_DIGEST);

    ngx_http_aop_count_read(r, &new);

    ngx_http_aop_shm_lock();

    client = ngx_http_aop_count_place(server, result->leaf);

    if (client != NULL) {

        /* until all of it is there, the place is free */

        client->seen = 0;
        ngx_memory_barrier();

        *client = new;
        ngx_memory_barrier();

        client->seen = ngx_time();
    }

    ngx_http_aop_shm_unlock();
}


/* Notes that a certificate passed; 0: it is not among those that are known. */

static ngx_uint_t
ngx_http_aop_count_seen(ngx_http_aop_server_t *server,
    const ngx_aop_result_t *result)
{
    ngx_uint_t              found;
    ngx_http_aop_client_t  *client;

    found = 0;

    ngx_http_aop_shm_lock();

    client = ngx_http_aop_count_place(server, result->leaf);

    if (client == NULL) {

        /* all places are in use, and it is not worth to be read */

        found = 1;

    } else if (client->seen != 0
               && ngx_memcmp(client->leaf, result->leaf, NGX_AOP_DIGEST) == 0)
    {
        ngx_memcpy(client->anchor, result->anchor->digest, NGX_AOP_DIGEST);
        client->seen = ngx_time();
        found = 1;
    }

    ngx_http_aop_shm_unlock();

    return found;
}


static void
ngx_http_aop_count_read(ngx_http_request_t *r, ngx_http_aop_client_t *client)
{
    X509       *leaf;
    ngx_str_t  *subject;

    leaf = SSL_get_peer_certificate(r->connection->ssl->connection);

    if (leaf != NULL) {
        (void) ngx_aop_cert_time(X509_get0_notBefore(leaf),
                                 &client->not_before);
        (void) ngx_aop_cert_time(X509_get0_notAfter(leaf),
                                 &client->not_after);
        X509_free(leaf);
    }

    subject = ngx_http_aop_record_fact(r, NGX_AOP_CERT_SUBJECT);

    if (subject != NULL) {
        ngx_memcpy(client->subject, subject->data,
                   ngx_aop_cert_cut((char *) subject->data, subject->len,
                                    sizeof(client->subject) - 1));
    }
}


/*
 * The place of a certificate: its own, a free one, or that of the one longest
 * unseen.  NULL if all are in use: many certificates that take turns must not
 * push each other out, and be warned of each time.
 */

static ngx_http_aop_client_t *
ngx_http_aop_count_place(ngx_http_aop_server_t *server, const u_char *digest)
{
    time_t                  now;
    ngx_uint_t              i;
    ngx_http_aop_client_t  *client, *oldest;

    client = server->clients;
    oldest = client;

    for (i = 0; i < NGX_HTTP_AOP_CLIENTS; i++) {

        if (ngx_memcmp(client[i].leaf, digest, NGX_AOP_DIGEST) == 0) {
            return &client[i];
        }

        if (client[i].seen < oldest->seen) {
            oldest = &client[i];
        }
    }

    /* the clock may have been set back since */

    now = ngx_time();

    return (now - oldest->seen > NGX_HTTP_AOP_CLIENT_IN_USE
            || oldest->seen > now)
           ? oldest : NULL;
}


ngx_uint_t
ngx_http_aop_count_due(ngx_http_request_t *r, ngx_uint_t level,
    ngx_aop_verdict_e verdict, ngx_aop_peer_e peer, ngx_uint_t *count,
    time_t *span)
{
    ngx_http_aop_throttle_t  *throttle;

    if (r->connection->log->log_level < level) {
        return 0;
    }

    throttle = ngx_http_aop_count_throttle(r);

    return ngx_http_aop_count_held(r,
                       &throttle->held[level - NGX_LOG_ERR][verdict][peer],
                       count, span);
}


ngx_uint_t
ngx_http_aop_count_mode_due(ngx_http_request_t *r)
{
    time_t      span;
    ngx_uint_t  count;

    if (r->connection->log->log_level < NGX_LOG_ERR) {
        return 0;
    }

    return ngx_http_aop_count_held(r, &ngx_http_aop_count_throttle(r)->mode,
                                   &count, &span);
}


/* Where there is no memory for a server's own, the process has one for all. */

static ngx_http_aop_throttle_t *
ngx_http_aop_count_throttle(ngx_http_request_t *r)
{
    ngx_http_aop_known_t      *known;
    ngx_http_aop_srv_conf_t   *ascf;
    ngx_http_aop_main_conf_t  *amcf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);
    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);

    if (ascf->listed) {
        known = amcf->servers.elts;
        known += ascf->server;

        if (known->throttle != NULL) {
            return known->throttle;
        }
    }

    return &ngx_http_aop_count_unlisted;
}


/*
 * A server without a place in the zone is not counted, but what it logs must
 * be bounded all the same: by each process for itself.
 */

void
ngx_http_aop_count_throttles(ngx_cycle_t *cycle)
{
    ngx_uint_t                 i;
    ngx_http_aop_known_t      *known;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_aop_module);

    if (amcf == NULL) {
        return;
    }

    known = amcf->servers.elts;

    for (i = 0; i < amcf->servers.nelts; i++) {
        known[i].throttle = known[i].shared
                            ? &known[i].shared->throttle
                            : ngx_pcalloc(cycle->pool,
                                          sizeof(ngx_http_aop_throttle_t));
    }
}


static ngx_uint_t
ngx_http_aop_count_held(ngx_http_request_t *r, ngx_http_aop_held_t *held,
    ngx_uint_t *count, time_t *span)
{
    ngx_atomic_uint_t          until, now, interval;
    ngx_http_aop_main_conf_t  *amcf;

    *count = 0;
    *span = 0;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);
    interval = amcf->log_interval;

    if (interval == 0) {
        return 1;
    }

    until = held->until;
    now = ngx_time();

    /* a clock that was set back must not silence it for as long */

    if ((now < until && until - now <= interval)
        || !ngx_atomic_cmp_set(&held->until, until, now + interval))
    {
        (void) ngx_atomic_fetch_add(&held->held, 1);
        return 0;
    }

    *count = held->held;
    (void) ngx_atomic_fetch_add(&held->held, -(ngx_atomic_int_t) *count);

    /* the line before was an interval before "until", or longer ago */

    *span = interval;

    if (now > until + interval) {
        *span += now - until;
    }

    return 1;
}


/* Keeps the sums at the start of each hour; the first to notice does it. */

static void
ngx_http_aop_count_hour(ngx_http_aop_server_t *server)
{
    ngx_http_aop_shm_lock();

    ngx_http_aop_shm_hour(server);

    ngx_http_aop_shm_unlock();
}


void
ngx_http_aop_count_window(ngx_http_aop_server_t *server,
    ngx_aop_window_t *window)
{
    ngx_uint_t           peer, verdict;
    ngx_http_aop_sums_t  sums, base;

    ngx_http_aop_shm_lock();

    ngx_http_aop_shm_hour(server);

    base = (server->hour - server->since >= NGX_HTTP_AOP_HOURS)
           ? server->hours[(server->hour + 1) % NGX_HTTP_AOP_HOURS]
           : server->base;

    ngx_http_aop_shm_unlock();

    ngx_http_aop_shm_sums(server, &sums);

    ngx_memzero(window, sizeof(ngx_aop_window_t));

    for (peer = 0; peer < NGX_AOP_PEERS; peer++) {

        for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
            window->requests[verdict][peer] =
                                      sums.requests[verdict][peer]
                                      - base.requests[verdict][peer];
        }

        window->foreign[peer] = sums.foreign[peer] - base.foreign[peer];
    }

    /* between the two additions of a request the base may have been taken */

    window->elsewhere = sums.elsewhere - base.elsewhere;
    window->elsewhere = ngx_min(window->elsewhere,
                                window->requests[NGX_AOP_OK][NGX_AOP_EDGE]);

    window->handshakes = sums.handshakes - base.handshakes;
}


/*
 * A request that nginx gave to the server only because it is the default of
 * the address: a scanner's, or a host that points here by mistake.
 */

static ngx_uint_t
ngx_http_aop_count_foreign(ngx_http_request_t *r, ngx_http_aop_known_t *known)
{
    ngx_str_t                host;
    ngx_uint_t               i;
    ngx_http_server_name_t  *sn;

    /* where a name led to the server, the host is its own */

    if (known->cscf != r->http_connection->addr_conf->default_server) {
        return 0;
    }

    sn = known->names;
    host = r->headers_in.server;

    /* nginx has both in lower case, and most servers need only this */

    if (known->nnames
        && host.len != 0
        && host.len == sn->name.len
        && ngx_memcmp(host.data, sn->name.data, host.len) == 0)
    {
        return 0;
    }

    for (i = 0; i < known->nnames; i++) {
        if (ngx_http_aop_count_names(&sn[i], &host)) {
            return 0;
        }
    }

    return 1;
}


static ngx_uint_t
ngx_http_aop_count_names(ngx_http_server_name_t *sn, ngx_str_t *host)
{
    ngx_aop_name_t  name;

    name.data = (char *) sn->name.data;
    name.len = sn->name.len;
    name.regex = NULL;

#if (NGX_PCRE)
    name.regex = sn->regex ? sn->regex->regex : NULL;
#endif

    return ngx_aop_name_match(&name, (char *) host->data, host->len,
                              ngx_http_aop_count_regex);
}


static int
ngx_http_aop_count_regex(void *regex, const char *host, size_t len)
{
#if (NGX_PCRE)

    ngx_str_t  text;

    text.data = (u_char *) host;
    text.len = len;

    return ngx_regex_exec((ngx_regex_t *) regex, &text, NULL, 0)
           != NGX_REGEX_NO_MATCHED;

#else

    return 1;

#endif
}
