
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The most frequent peers that failed, in two lists of fixed length, so that
 * scanners cannot push out what comes from the edge.  The lists are kept by
 * the "space-saving" algorithm (Metwally, Agrawal, El Abbadi, 2005): a new
 * peer takes the place of the least frequent one, and its count.
 */


#include "ngx_http_aop_stats.h"
#include "ngx_aop_text.h"


static int ngx_libc_cdecl ngx_http_aop_failing_peers_cmp(const void *one,
    const void *two);
static ngx_http_aop_failing_peer_t *ngx_http_aop_failing_peers_place(
    ngx_http_aop_failing_peer_t *top, const ngx_http_aop_stat_t *stat,
    ngx_aop_verdict_e verdict, const char *addr);
static void ngx_http_aop_failing_peers_text(char *buf, size_t size,
    const u_char *data, size_t len);


void
ngx_http_aop_failing_peers_add(ngx_http_request_t *r,
    ngx_http_aop_server_t *server,
    const ngx_http_aop_state_t *state, const ngx_http_aop_peer_t *peer,
    ngx_uint_t foreign)
{
    char                          addr[NGX_HTTP_AOP_ADDR_LEN];
    u_char                       *query;
    ngx_uint_t                    list;
    ngx_str_t                     uri;
    ngx_table_elt_t              *agent;
    ngx_http_aop_failing_peer_t  *top;
    ngx_http_aop_shared_t        *shared;
    ngx_http_aop_main_conf_t     *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);
    shared = ngx_http_aop_shm_get(amcf->zone);

    if (shared == NULL) {
        return;
    }

    list = (peer->class == NGX_AOP_PEER_DIRECT) ? NGX_HTTP_AOP_FAILING_DIRECT
                                                : NGX_HTTP_AOP_FAILING_EDGE;

    ngx_http_aop_failing_peers_text(addr, sizeof(addr), peer->addr.data,
                                    peer->addr.len);

    uri = r->unparsed_uri;
    query = ngx_strlchr(uri.data, uri.data + uri.len, '?');

    if (query != NULL) {
        uri.len = query - uri.data;
    }

    agent = r->headers_in.user_agent;

    ngx_http_aop_shm_lock();

    top = ngx_http_aop_failing_peers_place(shared->top[list], server->shared,
                                           state->result->verdict, addr);

    top->peer = peer->class;
    top->count++;
    top->last = ngx_time();
    top->refused = (state->mode == NGX_AOP_MODE_ON);
    top->foreign = foreign;

    ngx_http_aop_failing_peers_text(top->host, sizeof(top->host),
                                    r->headers_in.server.data,
                                    r->headers_in.server.len);
    ngx_http_aop_failing_peers_text(top->uri, sizeof(top->uri), uri.data,
                                    uri.len);
    ngx_http_aop_failing_peers_text(top->agent, sizeof(top->agent),
                                    agent ? agent->value.data : NULL,
                                    agent ? agent->value.len : 0);

    ngx_http_aop_shm_unlock();
}


static ngx_http_aop_failing_peer_t *
ngx_http_aop_failing_peers_place(ngx_http_aop_failing_peer_t *top,
    const ngx_http_aop_stat_t *stat, ngx_aop_verdict_e verdict,
    const char *addr)
{
    ngx_uint_t                    i, count;
    ngx_http_aop_failing_peer_t  *least;

    least = top;

    for (i = 0; i < NGX_HTTP_AOP_FAILING_PEERS; i++) {

        if (top[i].server == stat
            && top[i].verdict == verdict
            && ngx_strcmp(top[i].addr, addr) == 0)
        {
            return &top[i];
        }

        if (top[i].count < least->count) {
            least = &top[i];
        }
    }

    count = least->count;

    ngx_memzero(least, sizeof(ngx_http_aop_failing_peer_t));

    least->server = (ngx_http_aop_stat_t *) stat;
    least->verdict = verdict;
    least->count = count;
    least->error = count;
    least->first = ngx_time();

    (void) ngx_cpystrn((u_char *) least->addr, (u_char *) addr,
                       sizeof(least->addr));

    return least;
}


static void
ngx_http_aop_failing_peers_text(char *buf, size_t size, const u_char *data,
    size_t len)
{
    size_t  n;

    n = ngx_aop_text_utf8(buf, size - 1, (const char *) data, len);

    buf[n] = '\0';
}


const ngx_http_aop_failing_peer_t *
ngx_http_aop_failing_peers_copy(ngx_http_request_t *r,
    ngx_http_aop_failing_peers_e list, ngx_uint_t *n)
{
    ngx_http_aop_failing_peer_t  *top;
    ngx_http_aop_shared_t        *shared;
    ngx_http_aop_main_conf_t     *amcf;

    *n = 0;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);
    shared = ngx_http_aop_shm_get(amcf->zone);

    top = ngx_palloc(r->pool, sizeof(shared->top[list]));
    if (top == NULL) {
        return NULL;
    }

    ngx_http_aop_shm_lock();

    ngx_memcpy(top, shared->top[list], sizeof(shared->top[list]));

    ngx_http_aop_shm_unlock();

    ngx_qsort(top, NGX_HTTP_AOP_FAILING_PEERS,
              sizeof(ngx_http_aop_failing_peer_t),
              ngx_http_aop_failing_peers_cmp);

    while (*n < NGX_HTTP_AOP_FAILING_PEERS && top[*n].server != NULL) {
        (*n)++;
    }

    return top;
}


static int ngx_libc_cdecl
ngx_http_aop_failing_peers_cmp(const void *one, const void *two)
{
    const ngx_http_aop_failing_peer_t  *first = one;
    const ngx_http_aop_failing_peer_t  *second = two;

    return (first->count < second->count) - (first->count > second->count);
}
