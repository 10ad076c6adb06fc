
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Settles what the report says, once for each answer: the counters are copied,
 * the rule is applied, and all formats write the same.
 */


#include "ngx_http_aop_report.h"


static void ngx_http_aop_settle_ready(ngx_aop_report_server_t *settled,
    ngx_http_aop_server_t *server, char *buf, size_t size);
static void ngx_http_aop_settle_counts(ngx_aop_report_server_t *settled,
    const ngx_http_aop_stat_t *stat);
static void ngx_http_aop_settle_count(ngx_aop_report_count_t *sum,
    const ngx_http_aop_counter_t *counter);
static ngx_int_t ngx_http_aop_settle_certs(ngx_aop_report_server_t *settled,
    ngx_http_aop_server_t *server, ngx_pool_t *pool);
static void ngx_http_aop_settle_peers(ngx_aop_report_t *report,
    const ngx_http_aop_server_t *server, ngx_http_aop_failing_peers_e list);


ngx_int_t
ngx_http_aop_settle_server(ngx_aop_report_t *report,
    ngx_http_aop_server_t *server, ngx_pool_t *pool)
{
    char                      why[4096], label[NGX_HTTP_AOP_LABEL_LEN];
    ngx_http_aop_loc_conf_t  *alcf;
    ngx_aop_report_server_t   settled;

    alcf = server->cscf->ctx->loc_conf[ngx_http_aop_module.ctx_index];

    ngx_http_aop_zone_recheck(server);

    ngx_memzero(&settled, sizeof(ngx_aop_report_server_t));

    (void) ngx_cpystrn((u_char *) label, server->label.data,
                       ngx_min(sizeof(label), server->label.len + 1));

    settled.name = label;
    settled.mode = (alcf->mode->mode == NGX_HTTP_AOP_MODE_VARIABLE)
                   ? "variable" : ngx_aop_mode_word(alcf->mode->mode);
    settled.state = ngx_http_aop_ready_state(server->cscf);

    ngx_http_aop_settle_ready(&settled, server, why, sizeof(why));

    if (server->shared != NULL) {
        ngx_http_aop_settle_counts(&settled, server->shared);
    }

    if (ngx_http_aop_settle_certs(&settled, server, pool) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_aop_report_data_server(report, &settled);

    if (server->shared != NULL) {
        ngx_http_aop_settle_peers(report, server, NGX_HTTP_AOP_FAILING_EDGE);
        ngx_http_aop_settle_peers(report, server, NGX_HTTP_AOP_FAILING_DIRECT);
    }

    return NGX_OK;
}


static void
ngx_http_aop_settle_ready(ngx_aop_report_server_t *settled,
    ngx_http_aop_server_t *server, char *buf, size_t size)
{
    ngx_aop_text_t             why;
    ngx_http_aop_main_conf_t  *amcf;

    ngx_aop_text_init(&why, buf, size - 1);

    settled->why = buf;
    settled->answer.ready = NGX_AOP_READY_UNKNOWN;

    if (server->shared != NULL) {
        settled->counted = 1;
        ngx_http_aop_ready(server, &why, &settled->answer);

    } else {
        amcf = server->cscf->ctx->main_conf[ngx_http_aop_module.ctx_index];

        ngx_aop_text_puts(&why, ngx_http_aop_shm_get(amcf->zone)
                          ? "not counted: \"aop_zone\" is full"
                          : "not counted: \"aop_zone\" was created by another "
                            "version of the module");
    }

    *why.pos = '\0';
}


static void
ngx_http_aop_settle_counts(ngx_aop_report_server_t *settled,
    const ngx_http_aop_stat_t *stat)
{
    ngx_uint_t  on, verdict, peer, handshake;

    for (peer = 0; peer < NGX_AOP_PEERS; peer++) {

        for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
            for (on = 0; on <= 1; on++) {
                ngx_http_aop_settle_count(
                                        &settled->requests[on][verdict][peer],
                                        &stat->requests[on][verdict][peer]);
            }
        }

        for (handshake = 0; handshake < NGX_HTTP_AOP_HANDSHAKES; handshake++) {
            ngx_http_aop_settle_count(&settled->connections[handshake],
                                      &stat->connections[handshake][peer]);
        }
    }
}


static void
ngx_http_aop_settle_count(ngx_aop_report_count_t *sum,
    const ngx_http_aop_counter_t *counter)
{
    if (counter->count == 0) {
        return;
    }

    sum->count += counter->count;

    if (sum->first == 0 || counter->first < sum->first) {
        sum->first = counter->first;
    }

    sum->last = ngx_max(sum->last, counter->last);
}


static ngx_int_t
ngx_http_aop_settle_certs(ngx_aop_report_server_t *settled,
    ngx_http_aop_server_t *server, ngx_pool_t *pool)
{
    ngx_uint_t                i;
    ngx_array_t              *validity;
    ngx_aop_report_cert_t    *cert;
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_aop_validity_t  *one;

    ascf = server->cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    validity = ngx_http_aop_validity(pool, ascf->policy, server->shared);
    if (validity == NULL) {
        return NGX_ERROR;
    }

    cert = ngx_pcalloc(pool, ngx_max(validity->nelts, 1)
                             * sizeof(ngx_aop_report_cert_t));
    if (cert == NULL) {
        return NGX_ERROR;
    }

    settled->certs = cert;
    settled->ncerts = validity->nelts;

    one = validity->elts;

    for (i = 0; i < validity->nelts; i++) {
        cert[i].kind = one[i].kind;
        cert[i].subject = one[i].subject;
        cert[i].fingerprint = one[i].fingerprint;
        cert[i].anchor = one[i].anchor;
        cert[i].key = one[i].key;
        cert[i].group = one[i].group;
        cert[i].not_before = one[i].not_before;
        cert[i].not_after = one[i].not_after;
        cert[i].last = one[i].last;
        cert[i].replaced = one[i].replaced;
    }

    return NGX_OK;
}


static void
ngx_http_aop_settle_peers(ngx_aop_report_t *report,
    const ngx_http_aop_server_t *server, ngx_http_aop_failing_peers_e list)
{
    ngx_uint_t                          i, n;
    ngx_aop_report_peer_t               peer;
    ngx_http_aop_failing_row_t          row[NGX_HTTP_AOP_FAILING_PEERS];
    const ngx_http_aop_failing_peer_t  *failed;

    n = ngx_http_aop_failing_peers_copy(server->shared, list, row);

    for (i = 0; i < n; i++) {
        failed = &row[i].peer;

        ngx_memzero(&peer, sizeof(ngx_aop_report_peer_t));

        peer.server = (const char *) server->label.data;
        peer.verdict = failed->verdict;
        peer.peer = failed->peer;
        peer.count = failed->top.count;
        peer.error = row[i].missing;
        peer.first = failed->top.first;
        peer.last = failed->top.last;
        peer.refused = failed->refused;

        ngx_memcpy(peer.addr, failed->addr, sizeof(failed->addr));
        ngx_memcpy(peer.host, failed->host, sizeof(failed->host));
        ngx_memcpy(peer.uri, failed->uri, sizeof(failed->uri));
        ngx_memcpy(peer.agent, failed->agent, sizeof(failed->agent));

        ngx_aop_report_data_peer(report, list, &peer);
    }
}


void
ngx_http_aop_settle_rest(ngx_aop_report_t *report,
    ngx_http_aop_main_conf_t *amcf)
{
    ngx_http_aop_shared_t  *shared;

    shared = ngx_http_aop_shm_get(amcf->zone);

    if (shared != NULL) {
        ngx_aop_report_data_cache(report, shared->cache_hits,
                                  shared->cache_misses);
    }
}


void
ngx_http_aop_settle_unprotected(ngx_aop_report_t *report,
    ngx_http_aop_unprotected_t *server)
{
    ngx_aop_report_unprotected_t  settled;

    ngx_memzero(&settled, sizeof(ngx_aop_report_unprotected_t));

    settled.name = server->name;
    settled.file = server->file;
    settled.line = server->line;
    settled.beside.names = server->beside;
    settled.beside.n = server->nbeside;
    settled.beside_more = server->more;
    settled.explicit = server->explicit;

    ngx_aop_report_data_unprotected(report, &settled);
}
