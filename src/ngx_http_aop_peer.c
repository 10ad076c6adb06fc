
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Where a request's connection came from.  The address is the connection's
 * own: what realip takes from a header is what the peer says of itself.
 */


#include "ngx_aop_cloudflare.h"
#include "ngx_http_aop.h"


static void ngx_http_aop_peer_find(ngx_http_request_t *r,
    ngx_http_aop_peer_t *peer);
static ngx_aop_peer_e ngx_http_aop_peer_class(ngx_http_request_t *r,
    ngx_str_t *addr);


static ngx_str_t  ngx_http_aop_realip_addr = ngx_string("realip_remote_addr");


void
ngx_http_aop_peer(ngx_http_request_t *r, ngx_http_aop_peer_t *peer)
{
    ngx_http_aop_record_t  *record;

    record = NULL;

    if (r->connection->ssl != NULL) {
        record = ngx_http_aop_record(r->connection->ssl->connection);
    }

    if (record != NULL && record->peer.addr.data != NULL) {
        *peer = record->peer;
        return;
    }

    ngx_http_aop_peer_find(r, peer);

    if (record == NULL) {
        return;
    }

    record->peer.addr.data = ngx_pstrdup(record->pool, &peer->addr);
    record->peer.addr.len = peer->addr.len;
    record->peer.class = peer->class;
}


static void
ngx_http_aop_peer_find(ngx_http_request_t *r, ngx_http_aop_peer_t *peer)
{
    ngx_uint_t                  key;
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

    peer->class = ngx_http_aop_peer_class(r, &peer->addr);

    /* a PROXY protocol header is believed if a load balancer of ours sent it */

    pp = r->connection->proxy_protocol;

    if (pp != NULL && pp->src_addr.len && peer->class == NGX_AOP_PRIVATE) {
        peer->addr = pp->src_addr;
        peer->class = ngx_http_aop_peer_class(r, &peer->addr);
    }
}


static ngx_aop_peer_e
ngx_http_aop_peer_class(ngx_http_request_t *r, ngx_str_t *addr)
{
    size_t                  n;
    ngx_addr_t              parsed;
    const ngx_aop_range_t  *ranges;

    if (addr->len >= 5 && ngx_strncmp(addr->data, "unix:", 5) == 0) {
        return NGX_AOP_PRIVATE;
    }

    if (ngx_parse_addr(r->pool, &parsed, addr->data, addr->len) != NGX_OK) {
        return NGX_AOP_DIRECT;
    }

    ranges = ngx_aop_cloudflare_ranges(&n);

    return ngx_aop_peer_class(parsed.sockaddr, ranges, n);
}
