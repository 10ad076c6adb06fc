
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The most frequent peers of a server that failed, in two lists of fixed
 * length, so that scanners cannot push out failures from the edge, nor peers
 * of one server those of another.
 */


#include "ngx_http_aop_stats.h"
#include "ngx_aop_text.h"


/* A peer of yesterday makes room for one of today. */

#define NGX_HTTP_AOP_FAILING_STALE  86400


/* The part of a server's places that a list has. */

typedef struct {
    ngx_uint_t          first;
    ngx_uint_t          n;
} ngx_http_aop_failing_part_t;

typedef struct {
    ngx_aop_verdict_e   verdict;
    char                addr[sizeof(((ngx_http_aop_failing_peer_t *) 0)
                                    ->addr)];
} ngx_http_aop_failing_key_t;


static int ngx_http_aop_failing_peers_same(const void *item, const void *key);
static void ngx_http_aop_failing_peers_text(char *buf, size_t size,
    const u_char *data, size_t len);


static const ngx_http_aop_failing_part_t
    ngx_http_aop_failing_parts[NGX_HTTP_AOP_FAILING_LISTS] =
{
    { 0, 16 }, { 16, NGX_HTTP_AOP_FAILING_PEERS - 16 }
};


void
ngx_http_aop_failing_peers_add(ngx_http_request_t *r,
    ngx_http_aop_server_t *server,
    const ngx_http_aop_state_t *state, const ngx_http_aop_peer_t *peer,
    ngx_uint_t other_host)
{
    uint64_t                      hash;
    ngx_str_t                     path, *host;
    ngx_table_elt_t              *agent;
    ngx_http_aop_failing_key_t    key;
    ngx_http_aop_failing_peer_t  *item;
    ngx_http_aop_failing_peers_e  list;

    list = (peer->class == NGX_AOP_PEER_DIRECT) ? NGX_HTTP_AOP_FAILING_DIRECT
                                                : NGX_HTTP_AOP_FAILING_EDGE;

    key.verdict = state->result->verdict;
    ngx_http_aop_failing_peers_text(key.addr, sizeof(key.addr),
                                    peer->addr.data, peer->addr.len);

    hash = ngx_aop_top_hash(NGX_AOP_TOP_SEED + key.verdict, key.addr,
                            ngx_strlen(key.addr));

    host = &r->headers_in.server;
    agent = r->headers_in.user_agent;
    path = ngx_http_aop_failing_peers_path(r);

    ngx_http_aop_shm_lock();

    item = ngx_aop_top_add(&server->shared->failing[list],
                           server->shared->peers
                           + ngx_http_aop_failing_parts[list].first,
                           ngx_http_aop_failing_parts[list].n,
                           sizeof(ngx_http_aop_failing_peer_t), hash, &key,
                           ngx_http_aop_failing_peers_same, ngx_time(),
                           NGX_HTTP_AOP_FAILING_STALE);

    if (item != NULL) {
        item->verdict = key.verdict;
        item->peer = peer->class;
        item->refused = (state->mode == NGX_AOP_MODE_ON);
        item->other_host = other_host;

        ngx_memcpy(item->addr, key.addr, sizeof(item->addr));

        ngx_http_aop_failing_peers_text(item->host, sizeof(item->host),
                                        host->data, host->len);
        ngx_http_aop_failing_peers_text(item->uri, sizeof(item->uri),
                                        path.data, path.len);
        ngx_http_aop_failing_peers_text(item->agent, sizeof(item->agent),
                                        agent ? agent->value.data : NULL,
                                        agent ? agent->value.len : 0);
    }

    ngx_http_aop_shm_unlock();
}


static int
ngx_http_aop_failing_peers_same(const void *item, const void *key)
{
    const ngx_http_aop_failing_key_t   *new = key;
    const ngx_http_aop_failing_peer_t  *peer = item;

    return peer->verdict == new->verdict
           && ngx_strcmp(peer->addr, new->addr) == 0;
}


/* The URI as received, without the query. */

ngx_str_t
ngx_http_aop_failing_peers_path(ngx_http_request_t *r)
{
    u_char     *query;
    ngx_str_t   path;

    path = r->unparsed_uri;
    query = ngx_strlchr(path.data, path.data + path.len, '?');

    if (query != NULL) {
        path.len = query - path.data;
    }

    return path;
}


static void
ngx_http_aop_failing_peers_text(char *buf, size_t size, const u_char *data,
    size_t len)
{
    size_t  n;

    n = ngx_aop_text_utf8(buf, size - 1, (const char *) data, len);

    ngx_memzero(buf + n, size - n);
}


ngx_uint_t
ngx_http_aop_failing_peers_copy(const ngx_http_aop_stat_t *stat,
    ngx_http_aop_failing_peers_e list, ngx_http_aop_failing_row_t *row)
{
    uint64_t                            missing;
    ngx_uint_t                          i, n;
    const ngx_http_aop_failing_part_t  *part;
    const ngx_http_aop_failing_peer_t  *peers;

    n = 0;
    part = &ngx_http_aop_failing_parts[list];
    peers = stat->peers + part->first;

    ngx_http_aop_shm_lock();

    missing = ngx_aop_top_missing(&stat->failing[list], peers, part->n,
                                  sizeof(ngx_http_aop_failing_peer_t));

    for (i = 0; i < part->n; i++) {

        /* a worker may have been killed before it wrote the address */

        if (peers[i].top.count != 0 && peers[i].addr[0] != '\0') {
            row[n].peer = peers[i];
            row[n].missing = missing;
            n++;
        }
    }

    ngx_http_aop_shm_unlock();

    ngx_aop_top_sort(row, n, sizeof(ngx_http_aop_failing_row_t));

    return n;
}
