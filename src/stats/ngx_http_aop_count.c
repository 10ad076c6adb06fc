
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Counting of requests and connections.  A request that passed takes no lock:
 * one atomic addition, and the time of day twice.
 */


#include "ngx_http_aop_stats.h"
#include "ngx_aop_name.h"


static ngx_inline ngx_http_aop_server_t *ngx_http_aop_count_known(
    ngx_http_request_t *r);
static void ngx_http_aop_count_evidence(ngx_http_request_t *r,
    ngx_http_aop_server_t *server, const ngx_http_aop_peer_t *peer,
    ngx_aop_verdict_e verdict, ngx_aop_unjudged_e unjudged,
    ngx_aop_last_t *last);
static ngx_inline ngx_uint_t ngx_http_aop_count_like(ngx_http_request_t *r,
    ngx_http_aop_server_t *server, const ngx_http_aop_peer_t *peer);
static ngx_uint_t ngx_http_aop_count_ray(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_count_tool(ngx_http_request_t *r);
static uint64_t ngx_http_aop_count_hash(ngx_http_request_t *r);
static void ngx_http_aop_count_add(ngx_http_aop_counter_t *counter);
static void ngx_http_aop_count_connection(ngx_http_request_t *r,
    ngx_http_aop_server_t *server, const ngx_http_aop_state_t *state,
    ngx_aop_peer_e peer);
static ngx_uint_t ngx_http_aop_count_other_host(ngx_http_request_t *r,
    ngx_http_aop_server_t *server);
static ngx_uint_t ngx_http_aop_count_names(ngx_http_server_name_t *sn,
    ngx_str_t *host);
static int ngx_http_aop_count_regex(void *regex, const char *host,
    size_t len);


void
ngx_http_aop_count(ngx_http_request_t *r, const ngx_http_aop_state_t *state)
{
    ngx_aop_last_t             *last;
    ngx_aop_verdict_e           verdict;
    ngx_http_aop_peer_t         found;
    ngx_http_aop_conn_t        *conn;
    ngx_http_aop_server_t      *server;
    const ngx_http_aop_peer_t  *peer;

    server = ngx_http_aop_count_known(r);

    if (server == NULL) {
        return;
    }

    conn = state->conn;

    if (conn != NULL && conn->peer.addr.data != NULL) {
        peer = &conn->peer;

    } else {
        ngx_http_aop_peer(r, &found);
        peer = &found;
    }

    verdict = state->result->verdict;

    ngx_http_aop_count_add(&server->shared->requests[state->mode - 1]
                                                   [verdict][peer->class]);

    if (conn != NULL && !conn->counted) {
        conn->counted = 1;
        ngx_http_aop_count_connection(r, server, state, peer->class);
    }

    if (verdict != NGX_AOP_VERDICT_OK) {
        ngx_http_aop_failing_peers_add(r, server, state, peer,
                                  ngx_http_aop_count_other_host(r, server));
        return;
    }

    /* the peer is the connection's own unless it can move */

    last = (peer != &found) ? &conn->last : NULL;

    if (last == NULL
        || last->evidence == NULL
        || !ngx_aop_evidence_again(&server->shared->evidence, last,
                                   ngx_http_aop_shm_time(server->shared),
                                   ngx_http_aop_count_like(r, server, peer)))
    {
        ngx_http_aop_count_evidence(r, server, peer, verdict, NGX_AOP_JUDGED,
                                    last);
    }
}


void
ngx_http_aop_count_failed(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state)
{
    ngx_http_aop_peer_t     peer;
    ngx_http_aop_server_t  *server;

    server = ngx_http_aop_count_known(r);

    if (server == NULL) {
        return;
    }

    ngx_http_aop_peer(r, &peer);

    ngx_http_aop_count_evidence(r, server, &peer, state->result->verdict,
                                NGX_AOP_JUDGED, NULL);
}


/*
 * A location with "aop off" in a server that verifies is meant to be exempt.
 * If the server's own mode was "off", nobody knows what would have been
 * rejected.
 */

void
ngx_http_aop_count_off(ngx_http_request_t *r)
{
    ngx_aop_unjudged_e        unjudged;
    ngx_http_aop_mode_t      *mode;
    ngx_http_aop_peer_t       peer;
    ngx_http_aop_server_t    *server;
    ngx_http_aop_loc_conf_t  *alcf;

    mode = ngx_http_aop_server_mode(r);
    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);

    if (alcf->mode != mode) {
        return;
    }

    server = ngx_http_aop_count_known(r);

    if (server == NULL) {
        return;
    }

    ngx_http_aop_peer(r, &peer);

    unjudged = (mode->mode == NGX_HTTP_AOP_MODE_VARIABLE)
               ? NGX_AOP_UNJUDGED_VARIABLE : NGX_AOP_UNJUDGED_LOCATION;

    ngx_http_aop_count_evidence(r, server, &peer, NGX_AOP_VERDICT_OK, unjudged,
                                NULL);
}


/* What matters only for failures is not determined for requests that passed. */

static void
ngx_http_aop_count_evidence(ngx_http_request_t *r,
    ngx_http_aop_server_t *server, const ngx_http_aop_peer_t *peer,
    ngx_aop_verdict_e verdict, ngx_aop_unjudged_e unjudged,
    ngx_aop_last_t *last)
{
    ngx_uint_t            like;
    ngx_aop_event_t       event;
    ngx_http_aop_stat_t  *stat;

    stat = server->shared;
    like = ngx_http_aop_count_like(r, server, peer);

    ngx_memzero(&event, sizeof(ngx_aop_event_t));

    event.time = ngx_http_aop_shm_time(stat);
    event.verdict = verdict;
    event.peer = peer->class;
    event.unjudged = unjudged;
    event.generation = server->epoch;

    event.addr = (char *) peer->addr.data;
    event.addr_len = peer->addr.len;
    event.host = (char *) r->headers_in.server.data;
    event.host_len = r->headers_in.server.len;

    event.private = peer->private;
    event.ray = (like & NGX_AOP_LIKE_RAY) != 0;
    event.tool = (like & NGX_AOP_LIKE_TOOL) != 0;
    event.other_host = (like & NGX_AOP_LIKE_OTHER_HOST) != 0;

    event.full = (r->connection->ssl != NULL
                  && !SSL_session_reused(r->connection->ssl->connection));

    if (peer->private && verdict != NGX_AOP_VERDICT_OK) {
        event.request = ngx_http_aop_count_hash(r);
    }

    if (!ngx_aop_evidence_fast(&stat->evidence, &event, last)) {
        ngx_http_aop_shm_lock();

        ngx_aop_evidence_add(&stat->evidence, &event);

        ngx_http_aop_shm_unlock();
    }
}


static ngx_inline ngx_uint_t
ngx_http_aop_count_like(ngx_http_request_t *r, ngx_http_aop_server_t *server,
    const ngx_http_aop_peer_t *peer)
{
    ngx_uint_t  like;

    like = 0;

    if ((peer->private || peer->class == NGX_AOP_PEER_DIRECT)
        && ngx_http_aop_count_ray(r))
    {
        like |= NGX_AOP_LIKE_RAY;
    }

    if (peer->private && ngx_http_aop_count_tool(r)) {
        like |= NGX_AOP_LIKE_TOOL;
    }

    if ((peer->class == NGX_AOP_PEER_EDGE || like & NGX_AOP_LIKE_RAY)
        && ngx_http_aop_count_other_host(r, server))
    {
        like |= NGX_AOP_LIKE_OTHER_HOST;
    }

    return like;
}


ngx_uint_t
ngx_http_aop_count_relay(ngx_http_request_t *r,
    const ngx_http_aop_peer_t *peer)
{
    ngx_http_aop_server_t  *server;

    if (!peer->private) {
        return 0;
    }

    server = ngx_http_aop_count_known(r);

    return server != NULL
           && ngx_aop_evidence_relay(&server->shared->evidence,
                                     (char *) peer->addr.data,
                                     peer->addr.len);
}


/* If AOP is not on yet, only CF-Ray shows that others may be hidden. */

const char *
ngx_http_aop_count_hint(ngx_http_request_t *r,
    const ngx_http_aop_peer_t *peer, ngx_aop_verdict_e verdict)
{
    ngx_aop_answer_t          answer;
    ngx_http_aop_srv_conf_t  *ascf;

    ngx_memzero(&answer, sizeof(ngx_aop_answer_t));

    answer.relay = ngx_http_aop_count_relay(r, peer);
    answer.suspected = ngx_http_aop_count_ray(r);

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    answer.classical = ascf->classical;

    return ngx_aop_ready_hint(&answer, verdict, peer->class);
}


static ngx_uint_t
ngx_http_aop_count_ray(ngx_http_request_t *r)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part != NULL; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len == sizeof("CF-Ray") - 1
                && h[i].value.len != 0
                && ngx_strncasecmp(h[i].key.data, (u_char *) "CF-Ray",
                                   sizeof("CF-Ray") - 1)
                   == 0)
            {
                return 1;
            }
        }
    }

    return 0;
}


static ngx_uint_t
ngx_http_aop_count_tool(ngx_http_request_t *r)
{
    ngx_str_t  *agent;

    if (r->headers_in.user_agent == NULL) {
        return 0;
    }

    agent = &r->headers_in.user_agent->value;

    return ngx_strnstr(agent->data, "aopctl", agent->len) != NULL;
}


/* Requests with the same path and user agent are alike. */

static uint64_t
ngx_http_aop_count_hash(ngx_http_request_t *r)
{
    uint64_t    hash;
    ngx_str_t  *agent, path;

    path = ngx_http_aop_failing_peers_path(r);

    hash = ngx_aop_top_hash(NGX_AOP_TOP_SEED, (char *) path.data, path.len);

    if (r->headers_in.user_agent == NULL) {
        return hash;
    }

    agent = &r->headers_in.user_agent->value;

    return ngx_aop_top_hash(hash, (char *) agent->data, agent->len);
}


/*
 * NULL if the server is not counted.  A server that is not in the current
 * configuration is not counted either: its place will be given to another one,
 * at a time when workers of its own may still run.
 */

static ngx_inline ngx_http_aop_server_t *
ngx_http_aop_count_known(ngx_http_request_t *r)
{
    ngx_http_aop_server_t     *server;
    ngx_http_aop_srv_conf_t   *ascf;
    ngx_http_aop_main_conf_t  *amcf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);
    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);

    if (!ascf->listed) {
        return NULL;
    }

    server = amcf->servers.elts;
    server += ascf->server;

    ngx_http_aop_zone_recheck(server);

    return (server->shared && server->shared->gone == 0) ? server : NULL;
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
    ngx_http_aop_server_t *server, const ngx_http_aop_state_t *state,
    ngx_aop_peer_e peer)
{
    ngx_ssl_conn_t           *ssl;
    ngx_http_aop_handshake_e  handshake;

    ssl = r->connection->ssl->connection;

    handshake = SSL_session_reused(ssl) ? NGX_HTTP_AOP_HANDSHAKE_RESUMED
           : state->conn->declined ? NGX_HTTP_AOP_HANDSHAKE_DECLINED
           : NGX_HTTP_AOP_HANDSHAKE_FULL;

    ngx_http_aop_count_add(&server->shared->connections[handshake][peer]);

    if (handshake != NGX_HTTP_AOP_HANDSHAKE_RESUMED
        && state->result->verdict == NGX_AOP_VERDICT_OK)
    {
        ngx_http_aop_clients_add(r, server->shared, state->result);
        ngx_http_aop_expiry_clients(ngx_cycle->log, server);
    }
}


/*
 * A request that nginx gave to the server only because it is the default of
 * the address: a scanner's, or a host that points here by mistake.
 */

static ngx_uint_t
ngx_http_aop_count_other_host(ngx_http_request_t *r,
    ngx_http_aop_server_t *server)
{
    ngx_str_t                host;
    ngx_uint_t               i;
    ngx_http_server_name_t  *sn;

    /* if a name selected the server, the host is its own */

    if (server->cscf != r->http_connection->addr_conf->default_server) {
        return 0;
    }

    sn = server->names;
    host = r->headers_in.server;

    /* nginx has both in lower case, and most servers need only this */

    if (server->nnames
        && host.len != 0
        && host.len == sn->name.len
        && ngx_memcmp(host.data, sn->name.data, host.len) == 0)
    {
        return 0;
    }

    for (i = 0; i < server->nnames; i++) {
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

    ngx_str_t     text;
    ngx_regex_t  *re = regex;

    text.data = (u_char *) host;
    text.len = len;

    return ngx_regex_exec(re, &text, NULL, 0) != NGX_REGEX_NO_MATCHED;

#else

    return 1;

#endif
}
