
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The throttle of the lines in error.log: one line per cause and interval,
 * with the number of those that it stands for.
 */


#include "ngx_http_aop_stats.h"


static ngx_http_aop_throttle_t *ngx_http_aop_throttle_of(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_throttle_slot(ngx_http_request_t *r,
    ngx_http_aop_throttle_slot_t *slot, ngx_uint_t *suppressed, time_t *span);


static ngx_http_aop_throttle_t  ngx_http_aop_throttle_unlisted;


ngx_uint_t
ngx_http_aop_throttle_allows(ngx_http_request_t *r, ngx_uint_t level,
    ngx_aop_verdict_e verdict, ngx_aop_peer_e peer, ngx_uint_t *suppressed,
    time_t *span)
{
    ngx_http_aop_throttle_t  *throttle;

    if (r->connection->log->log_level < level) {
        return 0;
    }

    throttle = ngx_http_aop_throttle_of(r);

    return ngx_http_aop_throttle_slot(r,
                       &throttle->slots[level - NGX_LOG_ERR][verdict][peer],
                       suppressed, span);
}


ngx_uint_t
ngx_http_aop_throttle_allows_mode(ngx_http_request_t *r)
{
    time_t      span;
    ngx_uint_t  suppressed;

    if (r->connection->log->log_level < NGX_LOG_ERR) {
        return 0;
    }

    return ngx_http_aop_throttle_slot(r, &ngx_http_aop_throttle_of(r)->mode,
                                      &suppressed, &span);
}


/* If there is no memory for a server's own, the process has one for all. */

static ngx_http_aop_throttle_t *
ngx_http_aop_throttle_of(ngx_http_request_t *r)
{
    ngx_http_aop_server_t     *server;
    ngx_http_aop_srv_conf_t   *ascf;
    ngx_http_aop_main_conf_t  *amcf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);
    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);

    if (ascf->listed) {
        server = amcf->servers.elts;
        server += ascf->server;

        if (server->throttle != NULL) {
            return server->throttle;
        }
    }

    return &ngx_http_aop_throttle_unlisted;
}


static ngx_uint_t
ngx_http_aop_throttle_slot(ngx_http_request_t *r,
    ngx_http_aop_throttle_slot_t *slot, ngx_uint_t *suppressed,
    time_t *span)
{
    ngx_atomic_uint_t          until, now, interval;
    ngx_http_aop_main_conf_t  *amcf;

    *suppressed = 0;
    *span = 0;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);
    interval = amcf->log_interval;

    if (interval == 0) {
        return 1;
    }

    until = slot->until;
    now = ngx_time();

    /*
     * a clock that was set back must not silence it for as long; but another
     * worker may have a later time already
     */

    if ((now < until && until - now <= 3 * interval)
        || !ngx_atomic_cmp_set(&slot->until, until, now + interval))
    {
        (void) ngx_atomic_fetch_add(&slot->suppressed, 1);
        return 0;
    }

    *suppressed = slot->suppressed;
    (void) ngx_atomic_fetch_add(&slot->suppressed,
                                -(ngx_atomic_int_t) *suppressed);

    /* the line before was an interval before "until", or longer ago */

    *span = interval;

    if (now > until + interval) {
        *span += now - until;
    }

    return 1;
}


/*
 * A server without a place in the zone is not counted, but what it logs must
 * be bounded all the same: by each process for itself.
 */

void
ngx_http_aop_throttle_init(ngx_cycle_t *cycle)
{
    ngx_uint_t                 i;
    ngx_http_aop_server_t     *server;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_aop_module);

    if (amcf == NULL) {
        return;
    }

    server = amcf->servers.elts;

    for (i = 0; i < amcf->servers.nelts; i++) {
        server[i].throttle = server[i].shared
                            ? &server[i].shared->throttle
                            : ngx_pcalloc(cycle->pool,
                                          sizeof(ngx_http_aop_throttle_t));
    }
}
