
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What the report tells: its tables, and where their rows come from.  A new
 * number is a new row or column here, and all formats have it.
 */


#include "ngx_http_aop_report.h"


static void ngx_http_aop_rows_versions(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_cache(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_ready(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_mode(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_ready_metric(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_requests(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_refused(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_would_refuse(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_failed(ngx_http_aop_report_t *report,
    ngx_uint_t on, ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_connections(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_certificates(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_expiry_metric(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_endings(ngx_http_aop_report_t *report,
    ngx_uint_t replaced, ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_edge(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_direct(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data);
static void ngx_http_aop_rows_top(ngx_http_aop_report_t *report,
    ngx_http_aop_failing_peers_e list, ngx_http_aop_row_pt row, void *data);


static const ngx_http_aop_column_t  ngx_http_aop_columns_versions[] = {
    { "module", "ngx_http_aop_module", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "nginx", "nginx", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "openssl", "OpenSSL", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "time", "As of", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_http_aop_column_t  ngx_http_aop_columns_cache[] = {
    { "result", "Result", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "count", "Count", NGX_HTTP_AOP_TYPE_NUMBER, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_http_aop_column_t  ngx_http_aop_columns_ready[] = {
    { "name", "Server", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "mode", "Mode", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "ready", "Ready", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "why", "Why", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "since", "Since", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { "state", "State", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "settles", "Settled at", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_http_aop_column_t  ngx_http_aop_columns_mode[] = {
    { "mode", NULL, NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "value", NULL, NGX_HTTP_AOP_TYPE_NUMBER, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_http_aop_column_t  ngx_http_aop_columns_ready_metric[] = {
    { "value", NULL, NGX_HTTP_AOP_TYPE_NUMBER, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_http_aop_column_t  ngx_http_aop_columns_requests[] = {
    { "mode", "Mode", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "verdict", "Verdict", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "peer", "From", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "count", "Requests", NGX_HTTP_AOP_TYPE_NUMBER, 0 },
    { "first", "First", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { "last", "Last", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_http_aop_column_t  ngx_http_aop_columns_failed[] = {
    { "verdict", "Verdict", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "peer", "From", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "count", "Requests", NGX_HTTP_AOP_TYPE_NUMBER, 0 },
    { "first", "First", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { "last", "Last", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_http_aop_column_t  ngx_http_aop_columns_connections[] = {
    { "resumed", "Resumed", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "count", "Connections", NGX_HTTP_AOP_TYPE_NUMBER, 0 },
    { "first", "First", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { "last", "Last", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_http_aop_column_t  ngx_http_aop_columns_certificates[] = {
    { "kind", "Kind", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "subject", "Subject", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "fingerprint", "SHA-256", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "anchor", "By anchor", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "not_after", "Ends", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { "days_left", "Days left", NGX_HTTP_AOP_TYPE_DAYS, 0 },
    { "last", "Last passed", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { "key", "Key", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_http_aop_column_t  ngx_http_aop_columns_top[] = {
    { "server", "Server", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "address", "Address", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "peer", "From", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "verdict", "Verdict", NGX_HTTP_AOP_TYPE_TEXT, 1 },
    { "count", "Requests, at least", NGX_HTTP_AOP_TYPE_NUMBER, 0 },
    { "error", NULL, NGX_HTTP_AOP_TYPE_NUMBER, 0 },
    { "refused", NULL, NGX_HTTP_AOP_TYPE_BOOLEAN, 0 },
    { "first", NULL, NGX_HTTP_AOP_TYPE_TIME, 0 },
    { "last", "Last", NGX_HTTP_AOP_TYPE_TIME, 0 },
    { "host", "Last host", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "uri", "Last URI", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { "user_agent", "Last user agent", NGX_HTTP_AOP_TYPE_TEXT, 0 },
    { NULL, NULL, 0, 0 }
};


const ngx_http_aop_table_t  ngx_http_aop_report_data_tables[] = {

    { "versions", "Versions", ngx_http_aop_columns_versions,
      NULL, NULL, NULL, 0, 0, 1, 0, ngx_http_aop_rows_versions },

    { "readiness", "Safe to enforce?", ngx_http_aop_columns_ready,
      NULL, NULL, NULL, 0, 1, 1, 0, ngx_http_aop_rows_ready },

    { NULL, NULL, ngx_http_aop_columns_mode,
      "nginx_aop_mode_info", "gauge",
      "The mode that the server's own \"aop\" directive gives; always 1.",
      1, 1, 0, 0, ngx_http_aop_rows_mode },

    { NULL, NULL, ngx_http_aop_columns_ready_metric,
      "nginx_aop_ready", "gauge",
      "Whether enforcing now would lock out no traffic that matters: "
      "1 yes, 0 no, absent if that cannot be told.",
      0, 1, 0, 0, ngx_http_aop_rows_ready_metric },

    { "failing_edge", "What fails from Cloudflare's edge and from private "
      "addresses", ngx_http_aop_columns_top,
      NULL, NULL, NULL, 0, 0, 0, 1, ngx_http_aop_rows_edge },

    { "failing_direct", "What fails from other addresses",
      ngx_http_aop_columns_top,
      NULL, NULL, NULL, 0, 0, 0, 1, ngx_http_aop_rows_direct },

    { "refused", "Refused", ngx_http_aop_columns_failed,
      "nginx_aop_refused_total", "counter",
      "Requests that were refused.", 2, 1, 0, 0, ngx_http_aop_rows_refused },

    { "would_be_refused", "Would be refused", ngx_http_aop_columns_failed,
      NULL, NULL, NULL, 0, 1, 0, 0, ngx_http_aop_rows_would_refuse },

    { "certificates", "Certificates", ngx_http_aop_columns_certificates,
      NULL, NULL, NULL, 0, 1, 0, 0, ngx_http_aop_rows_certificates },

    { NULL, NULL, ngx_http_aop_columns_certificates,
      "nginx_aop_certificate_expiry_timestamp_seconds", "gauge",
      "When an anchor, a CRL, or a client certificate that passed by one of "
      "the anchors ends; of client certificates with one subject the one "
      "that passed last, of others the next to end.",
      4, 1, 0, 0, ngx_http_aop_rows_expiry_metric },

    { "requests", "Requests judged", ngx_http_aop_columns_requests,
      "nginx_aop_requests_total", "counter",
      "Requests that were judged.", 3, 1, 0, 0, ngx_http_aop_rows_requests },

    { "connections", "Connections", ngx_http_aop_columns_connections,
      "nginx_aop_connections_total", "counter",
      "TLS connections, at their first judged request; resumed=declined is "
      "a full handshake because the session was not good any more.",
      1, 1, 0, 0, ngx_http_aop_rows_connections },

    { "verify_cache", "Verified chains", ngx_http_aop_columns_cache,
      "nginx_aop_verify_cache_total", "counter",
      "Chains that were looked up in the cache of verified ones.",
      1, 0, 0, 0, ngx_http_aop_rows_cache },

    { NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, NULL }
};


static const char *const  ngx_http_aop_conns[NGX_HTTP_AOP_HANDSHAKES] = {
    "no", "yes", "declined"
};


static void
ngx_http_aop_rows_versions(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_value_t  value[NGX_HTTP_AOP_COLUMNS];

    value[0].text = NGX_HTTP_AOP_VERSION;
    value[1].text = NGINX_VERSION;
    value[2].text = OpenSSL_version(OPENSSL_VERSION);
    value[3].number = ngx_time();

    row(data, value);
}


static void
ngx_http_aop_rows_cache(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_value_t  value[NGX_HTTP_AOP_COLUMNS];

    if (report->shared == NULL) {
        return;
    }

    value[0].text = "hit";
    value[1].number = report->shared->cache_hits;
    row(data, value);

    value[0].text = "miss";
    value[1].number = report->shared->cache_misses;
    row(data, value);
}


static void
ngx_http_aop_rows_ready(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_value_t  value[NGX_HTTP_AOP_COLUMNS];

    value[0].text = report->label;
    value[1].text = report->mode;
    value[2].text = ngx_aop_ready_word(report->ready);
    value[3].text = report->why;
    value[4].number = report->answer.since;
    value[5].text = ngx_aop_ready_state_word(report->state);
    value[6].number = report->answer.settles;

    row(data, value);
}


static void
ngx_http_aop_rows_mode(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_value_t  value[NGX_HTTP_AOP_COLUMNS];

    value[0].text = report->mode;
    value[1].number = 1;

    row(data, value);
}


static void
ngx_http_aop_rows_ready_metric(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_value_t  value[NGX_HTTP_AOP_COLUMNS];

    if (report->ready == NGX_AOP_READY_UNKNOWN) {
        return;
    }

    value[0].number = (report->ready == NGX_AOP_READY_YES);

    row(data, value);
}


static void
ngx_http_aop_rows_requests(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_uint_t               on, verdict, peer;
    ngx_http_aop_value_t     value[NGX_HTTP_AOP_COLUMNS];
    ngx_http_aop_counter_t  *counter;

    if (report->server->shared == NULL) {
        return;
    }

    for (on = 0; on <= 1; on++) {
        value[0].text = on ? "on" : "optional";

        for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
            value[1].text = ngx_aop_verdict(verdict)->word;

            for (peer = 0; peer < NGX_AOP_PEERS; peer++) {
                counter = &report->server->shared->requests[on][verdict][peer];

                if (counter->count == 0) {
                    continue;
                }

                value[2].text = ngx_aop_peer_word(peer);
                value[3].number = counter->count;
                value[4].number = counter->first;
                value[5].number = counter->last;

                row(data, value);
            }
        }
    }
}


static void
ngx_http_aop_rows_refused(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_rows_failed(report, 1, row, data);
}


static void
ngx_http_aop_rows_would_refuse(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_rows_failed(report, 0, row, data);
}


static void
ngx_http_aop_rows_failed(ngx_http_aop_report_t *report, ngx_uint_t on,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_uint_t               verdict, peer;
    ngx_http_aop_value_t     value[NGX_HTTP_AOP_COLUMNS];
    ngx_http_aop_counter_t  *counter;

    if (report->server->shared == NULL) {
        return;
    }

    for (verdict = NGX_AOP_VERDICT_OK
         + 1; verdict < NGX_AOP_VERDICTS; verdict++) {
        value[0].text = ngx_aop_verdict(verdict)->word;

        for (peer = 0; peer < NGX_AOP_PEERS; peer++) {
            counter = &report->server->shared->requests[on][verdict][peer];

            if (counter->count == 0) {
                continue;
            }

            value[1].text = ngx_aop_peer_word(peer);
            value[2].number = counter->count;
            value[3].number = counter->first;
            value[4].number = counter->last;

            row(data, value);
        }
    }
}


static void
ngx_http_aop_rows_connections(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_uint_t               conn, peer;
    ngx_http_aop_value_t     value[NGX_HTTP_AOP_COLUMNS];
    ngx_http_aop_counter_t  *counter;

    if (report->server->shared == NULL) {
        return;
    }

    for (conn = 0; conn < NGX_HTTP_AOP_HANDSHAKES; conn++) {
        ngx_memzero(value, sizeof(value));

        value[0].text = ngx_http_aop_conns[conn];

        for (peer = 0; peer < NGX_AOP_PEERS; peer++) {
            counter = &report->server->shared->connections[conn][peer];

            if (counter->count == 0) {
                continue;
            }

            value[1].number += counter->count;

            if (value[2].number == 0 || counter->first < value[2].number) {
                value[2].number = counter->first;
            }

            value[3].number = ngx_max(value[3].number, counter->last);
        }

        if (value[1].number) {
            row(data, value);
        }
    }
}


static void
ngx_http_aop_rows_certificates(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_rows_endings(report, 1, row, data);
}


/* One subject is one series: that of the certificate which is in use now. */

static void
ngx_http_aop_rows_expiry_metric(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_rows_endings(report, 0, row, data);
}


/* The next to end comes first. */

static void
ngx_http_aop_rows_endings(ngx_http_aop_report_t *report, ngx_uint_t replaced,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_uint_t             i;
    ngx_http_aop_value_t   value[NGX_HTTP_AOP_COLUMNS];
    ngx_http_aop_validity_t  *ending;

    ending = report->endings->elts;

    for (i = 0; i < report->endings->nelts; i++) {

        if (ending[i].replaced && !replaced) {
            continue;
        }

        value[0].text = ending[i].kind;
        value[1].text = ending[i].subject;
        value[2].text = ending[i].fingerprint;
        value[3].text = ending[i].anchor;
        value[4].number = ending[i].not_after;
        value[5].number = ending[i].not_after
                          ? ngx_http_aop_validity_days_left(ending[i].not_after)
                          : NGX_HTTP_AOP_NEVER;
        value[6].number = ending[i].last;
        value[7].text = ending[i].key;

        row(data, value);
    }
}


static void
ngx_http_aop_rows_edge(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_rows_top(report, NGX_HTTP_AOP_FAILING_EDGE, row, data);
}


static void
ngx_http_aop_rows_direct(ngx_http_aop_report_t *report,
    ngx_http_aop_row_pt row, void *data)
{
    ngx_http_aop_rows_top(report, NGX_HTTP_AOP_FAILING_DIRECT, row, data);
}


static void
ngx_http_aop_rows_top(ngx_http_aop_report_t *report,
    ngx_http_aop_failing_peers_e list, ngx_http_aop_row_pt row, void *data)
{
    ngx_uint_t                          i, n;
    ngx_http_aop_value_t                value[NGX_HTTP_AOP_COLUMNS];
    const ngx_http_aop_failing_row_t   *rows;
    const ngx_http_aop_failing_peer_t  *peer;

    if (report->shared == NULL) {
        return;
    }

    rows = ngx_http_aop_failing_peers_copy(report->request, list, &n);
    if (rows == NULL) {
        report->failed = 1;
        return;
    }

    for (i = 0; i < n; i++) {
        peer = &rows[i].peer;

        value[0].text = rows[i].server;
        value[1].text = peer->addr;
        value[2].text = ngx_aop_peer_word(peer->peer);
        value[3].text = ngx_aop_verdict(peer->verdict)->word;
        value[4].number = peer->top.count;
        value[5].number = rows[i].missing;
        value[6].number = peer->refused;
        value[7].number = peer->top.first;
        value[8].number = peer->top.last;
        value[9].text = peer->host;
        value[10].text = peer->uri;
        value[11].text = peer->agent;

        row(data, value);
    }
}


ngx_int_t
ngx_http_aop_report_data_server(ngx_http_aop_report_t *report,
    ngx_http_aop_server_t *server)
{
    ngx_aop_text_t            why;
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_aop_loc_conf_t  *alcf;

    ascf = server->cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    alcf = server->cscf->ctx->loc_conf[ngx_http_aop_module.ctx_index];

    ngx_http_aop_zone_recheck(server);

    report->server = server;
    report->mode = (alcf->mode->mode == NGX_HTTP_AOP_MODE_VARIABLE) ? "variable"
                   : ngx_aop_mode_word(alcf->mode->mode);

    (void) ngx_cpystrn((u_char *) report->label, server->label.data,
                       ngx_min(sizeof(report->label), server->label.len + 1));

    report->endings = ngx_http_aop_validity(report->request->pool,
                                            ascf->policy, server->shared);
    if (report->endings == NULL) {
        report->failed = 1;
        return NGX_ERROR;
    }

    ngx_memzero(&report->answer, sizeof(ngx_aop_answer_t));

    report->state = ngx_http_aop_ready_state(server->cscf);

    ngx_aop_text_init(&why, report->why, sizeof(report->why) - 1);

    if (server->shared == NULL) {
        report->ready = NGX_AOP_READY_UNKNOWN;
        ngx_aop_text_puts(&why, report->shared
                          ? "not counted: \"aop_zone\" is full"
                          : "not counted: the counters in \"aop_zone\" are of "
                            "another version of the module");

    } else {
        ngx_http_aop_ready(server, &why, &report->answer);
        report->ready = report->answer.ready;
    }

    *why.pos = '\0';

    return NGX_OK;
}
