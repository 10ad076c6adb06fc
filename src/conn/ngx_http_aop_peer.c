
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Where a request's connection came from.  The address is the connection's
 * own: the one that realip takes from a header is only a claim of the peer.
 */


#include "ngx_http_aop_conn.h"
#include "ngx_aop_addr.h"
#include "ngx_aop_cloudflare.h"


static void ngx_http_aop_peer_find(ngx_http_request_t *r,
    ngx_http_aop_peer_t *peer);
static void ngx_http_aop_peer_cleanup(void *data);
static void ngx_http_aop_peer_class(ngx_http_request_t *r,
    ngx_http_aop_peer_t *peer, ngx_uint_t *trusted);
static ngx_int_t ngx_http_aop_peer_add(ngx_conf_t *cf, ngx_array_t *ranges,
    ngx_str_t *text);
static ngx_int_t ngx_http_aop_peer_add_published(ngx_array_t *ranges);


static ngx_str_t  ngx_http_aop_realip_addr = ngx_string("realip_remote_addr");


void
ngx_http_aop_peer(ngx_http_request_t *r, ngx_http_aop_peer_t *peer)
{
    ngx_http_aop_conn_t  *conn;
    ngx_http_aop_peer_t  *kept;

    conn = ngx_http_aop_conn_request(r);

    if (conn != NULL && conn->peer.addr.data != NULL) {
        *peer = conn->peer;
        return;
    }

    kept = ngx_http_aop_pool_get(r->pool, ngx_http_aop_peer_cleanup);

    if (kept != NULL) {
        *peer = *kept;
        return;
    }

    ngx_http_aop_peer_find(r, peer);

    if (conn == NULL || conn->moves) {
        return;
    }

    conn->peer.addr.data = ngx_pstrdup(conn->pool, &peer->addr);
    conn->peer.addr.len = peer->addr.len;
    conn->peer.class = peer->class;
    conn->peer.private = peer->private;
}


/* The text belongs to the connection, or to its record, and lives longer. */

ngx_int_t
ngx_http_aop_peer_keep(ngx_http_request_t *r)
{
    ngx_http_aop_peer_t  peer, *kept;

    ngx_http_aop_peer(r, &peer);

    kept = ngx_http_aop_pool_add(r->pool, sizeof(ngx_http_aop_peer_t),
                                 ngx_http_aop_peer_cleanup);
    if (kept == NULL) {
        return NGX_ERROR;
    }

    *kept = peer;

    return NGX_OK;
}


/* There is nothing to clean up: the handler identifies the data. */

static void
ngx_http_aop_peer_cleanup(void *data)
{
}


static void
ngx_http_aop_peer_find(ngx_http_request_t *r, ngx_http_aop_peer_t *peer)
{
    ngx_uint_t                  key, trusted;
    ngx_proxy_protocol_t       *pp;
    ngx_http_variable_value_t  *vv;

    /* realip replaces the address of r->connection and keeps the old text */

    peer->addr = r->connection->addr_text;

    key = ngx_hash_key(ngx_http_aop_realip_addr.data,
                       ngx_http_aop_realip_addr.len);

    vv = ngx_http_get_variable(r, &ngx_http_aop_realip_addr, key);

    if (vv != NULL && !vv->not_found && vv->len != 0) {
        peer->addr.data = vv->data;
        peer->addr.len = vv->len;
    }

    ngx_http_aop_peer_class(r, peer, &trusted);

    /* a PROXY protocol header counts if a load balancer of ours sent it */

    pp = r->connection->proxy_protocol;

    if (pp != NULL && pp->src_addr.len && trusted) {
        peer->addr = pp->src_addr;
        ngx_http_aop_peer_class(r, peer, &trusted);
    }
}


/* *trusted: its PROXY protocol header is believed. */

static void
ngx_http_aop_peer_class(ngx_http_request_t *r, ngx_http_aop_peer_t *peer,
    ngx_uint_t *trusted)
{
    size_t                     n;
    ngx_str_t                 *addr;
    struct sockaddr_in6        sin6;
    const ngx_aop_range_t     *ranges;
    ngx_http_aop_main_conf_t  *amcf;

    addr = &peer->addr;
    *trusted = 0;

    if (addr->len >= 5 && ngx_strncmp(addr->data, "unix:", 5) == 0) {
        *trusted = 1;
        peer->class = NGX_AOP_PEER_PRIVATE;
        peer->private = 1;
        return;
    }

    ngx_memzero(&sin6, sizeof(struct sockaddr_in6));
    sin6.sin6_family = AF_INET6;

    if (!ngx_aop_addr_parse((u_char *) &sin6.sin6_addr, (char *) addr->data,
                            addr->len))
    {
        peer->class = NGX_AOP_PEER_DIRECT;
        peer->private = 0;
        return;
    }

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);

    if (amcf->edge != NULL) {
        ranges = amcf->edge->elts;
        n = amcf->edge->nelts;

    } else {
        ranges = ngx_aop_cloudflare_ranges(&n);
    }

    peer->class = ngx_aop_peer_class((struct sockaddr *) &sin6, ranges, n);
    peer->private = ngx_aop_peer_class((struct sockaddr *) &sin6, NULL, 0)
                    == NGX_AOP_PEER_PRIVATE;

    if (peer->class == NGX_AOP_PEER_PRIVATE) {
        *trusted = 1;

    } else if (amcf->proxies != NULL) {
        *trusted = ngx_aop_peer_range_find(amcf->proxies->elts,
                                           amcf->proxies->nelts,
                                           (struct sockaddr *) &sin6);
    }
}


char *
ngx_http_aop_peer_set_edge(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_main_conf_t  *amcf = conf;

    ngx_str_t   *value, text;
    ngx_uint_t   i;

    if (amcf->edge != NULL) {
        return "is duplicate";
    }

    amcf->edge = ngx_array_create(cf->pool, 32, sizeof(ngx_aop_range_t));
    amcf->proxies = ngx_array_create(cf->pool, 4, sizeof(ngx_aop_range_t));

    if (amcf->edge == NULL || amcf->proxies == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "cloudflare") == 0) {
            if (ngx_http_aop_peer_add_published(amcf->edge) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        text = value[i];

        if (ngx_strncmp(text.data, "proxy=", 6) == 0) {
            text.data += 6;
            text.len -= 6;

            if (ngx_http_aop_peer_add(cf, amcf->proxies, &text) != NGX_OK) {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_http_aop_peer_add(cf, amcf->edge, &text) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    /* proxies alone say nothing about Cloudflare's addresses */

    if (amcf->edge->nelts == 0
        && ngx_http_aop_peer_add_published(amcf->edge) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_aop_peer_add(ngx_conf_t *cf, ngx_array_t *ranges, ngx_str_t *text)
{
    ngx_aop_range_t  *range;

    range = ngx_array_push(ranges);
    if (range == NULL) {
        return NGX_ERROR;
    }

    if (!ngx_aop_peer_range_parse(range, (char *) text->data, text->len)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid address range \"%V\" in \"aop_edge\", "
                           "it must be \"cloudflare\" or an address with or "
                           "without \"/bits\"", text);
        return NGX_ERROR;
    }

    if (range->cleared) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                           "low address bits of %V are meaningless", text);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_peer_add_published(ngx_array_t *ranges)
{
    size_t                  n;
    ngx_aop_range_t        *range;
    const ngx_aop_range_t  *published;

    published = ngx_aop_cloudflare_ranges(&n);

    range = ngx_array_push_n(ranges, n);
    if (range == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(range, published, n * sizeof(ngx_aop_range_t));

    return NGX_OK;
}
