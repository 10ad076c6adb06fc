
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What the report contains: its tables, and where their rows come from.  A new
 * number is a new row or column here, and all formats have it.
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_report.h"


typedef enum {
    NGX_AOP_REPORT_VERSIONS = 0,
    NGX_AOP_REPORT_READINESS,
    NGX_AOP_REPORT_MODE,
    NGX_AOP_REPORT_READY,
    NGX_AOP_REPORT_READY_STATE,
    NGX_AOP_REPORT_COUNTED,
    NGX_AOP_REPORT_UNPROTECTED,
    NGX_AOP_REPORT_EDGE,
    NGX_AOP_REPORT_DIRECT,
    NGX_AOP_REPORT_REFUSED,
    NGX_AOP_REPORT_WOULD_REFUSE,
    NGX_AOP_REPORT_CERTIFICATES,
    NGX_AOP_REPORT_EXPIRY,
    NGX_AOP_REPORT_HOURS,
    NGX_AOP_REPORT_REQUESTS,
    NGX_AOP_REPORT_CONNECTIONS,
    NGX_AOP_REPORT_CACHE
} ngx_aop_report_data_e;


static void ngx_aop_report_data_ready(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_mode(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_mode_row(ngx_aop_report_t *report,
    const char *server, const char *mode, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_ready_metric(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_ready_state(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_counted(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_requests(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_failed(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_count(ngx_aop_report_value_t *value,
    const ngx_aop_report_count_t *count);
static void ngx_aop_report_data_hours(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_connections(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_certificates(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row);
static void ngx_aop_report_data_sort(ngx_aop_report_server_t *server);
static int ngx_aop_report_data_cmp_time(const void *one, const void *two);
static int ngx_aop_report_data_cmp_series(const void *one, const void *two);
static int ngx_aop_report_data_cmp_same(const ngx_aop_report_cert_t *one,
    const ngx_aop_report_cert_t *two);


static const ngx_aop_report_column_t  ngx_aop_report_versions[] = {
    { "module", "ngx_http_aop_module", NGX_AOP_REPORT_TEXT, 0 },
    { "nginx", "nginx", NGX_AOP_REPORT_TEXT, 0 },
    { "openssl", "OpenSSL", NGX_AOP_REPORT_TEXT, 0 },
    { "time", "As of", NGX_AOP_REPORT_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_readiness[] = {
    { "name", "Server", NGX_AOP_REPORT_TEXT, 0 },
    { "mode", "Mode", NGX_AOP_REPORT_TEXT, 0 },
    { "ready", "Ready", NGX_AOP_REPORT_TEXT, 0 },
    { "why", "Why", NGX_AOP_REPORT_TEXT, 0 },
    { "since", "Since", NGX_AOP_REPORT_TIME, 0 },
    { "state", "State", NGX_AOP_REPORT_TEXT, 0 },
    { "settles", "Settled at", NGX_AOP_REPORT_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_mode[] = {
    { "mode", NULL, NGX_AOP_REPORT_TEXT, 1 },
    { "value", NULL, NGX_AOP_REPORT_NUMBER, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_value[] = {
    { "value", NULL, NGX_AOP_REPORT_NUMBER, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_ready_state[] = {
    { "state", NULL, NGX_AOP_REPORT_TEXT, 1 },
    { "value", NULL, NGX_AOP_REPORT_NUMBER, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_unprotected[] = {
    { "name", "Server", NGX_AOP_REPORT_TEXT, 0 },
    { "file", "File", NGX_AOP_REPORT_TEXT, 0 },
    { "line", "Line", NGX_AOP_REPORT_NUMBER, 0 },
    { "explicit", "Off on purpose", NGX_AOP_REPORT_BOOLEAN, 0 },
    { "beside", "Enforced at the same address", NGX_AOP_REPORT_LIST, 0 },
    { "beside_more", NULL, NGX_AOP_REPORT_BOOLEAN, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_peers[] = {
    { "server", "Server", NGX_AOP_REPORT_SERVER, 1 },
    { "address", "Address", NGX_AOP_REPORT_TEXT, 1 },
    { "peer", "From", NGX_AOP_REPORT_TEXT, 0 },
    { "verdict", "Verdict", NGX_AOP_REPORT_VERDICT, 1 },
    { "count", "Requests, at least", NGX_AOP_REPORT_NUMBER, 0 },
    { "error", NULL, NGX_AOP_REPORT_NUMBER, 0 },
    { "refused", NULL, NGX_AOP_REPORT_BOOLEAN, 0 },
    { "first", NULL, NGX_AOP_REPORT_TIME, 0 },
    { "last", "Last", NGX_AOP_REPORT_TIME, 0 },
    { "host", "Last host", NGX_AOP_REPORT_TEXT, 0 },
    { "uri", "Last URI", NGX_AOP_REPORT_TEXT, 0 },
    { "user_agent", "Last user agent", NGX_AOP_REPORT_TEXT, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_failed[] = {
    { "verdict", "Verdict", NGX_AOP_REPORT_VERDICT, 1 },
    { "peer", "From", NGX_AOP_REPORT_TEXT, 1 },
    { "count", "Requests", NGX_AOP_REPORT_NUMBER, 0 },
    { "first", "First", NGX_AOP_REPORT_TIME, 0 },
    { "last", "Last", NGX_AOP_REPORT_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_certificates[] = {
    { "kind", "Kind", NGX_AOP_REPORT_TEXT, 1 },
    { "subject", "Subject", NGX_AOP_REPORT_TEXT, 1 },
    { "fingerprint", "SHA-256", NGX_AOP_REPORT_TEXT, 1 },
    { "anchor", "Trust anchor", NGX_AOP_REPORT_TEXT, 0 },
    { "not_after", "Expires", NGX_AOP_REPORT_TIME, 0 },
    { "days_left", "Days left", NGX_AOP_REPORT_DAYS, 0 },
    { "last", "Last passed", NGX_AOP_REPORT_TIME, 0 },
    { "key", "Key", NGX_AOP_REPORT_TEXT, 0 },
    { "key_agreement", "Key agreement", NGX_AOP_REPORT_TEXT, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_requests[] = {
    { "mode", "In mode", NGX_AOP_REPORT_TEXT, 1 },
    { "verdict", "Verdict", NGX_AOP_REPORT_VERDICT, 1 },
    { "peer", "From", NGX_AOP_REPORT_TEXT, 1 },
    { "count", "Requests", NGX_AOP_REPORT_NUMBER, 0 },
    { "first", "First", NGX_AOP_REPORT_TIME, 0 },
    { "last", "Last", NGX_AOP_REPORT_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_hours[] = {
    { "start", NULL, NGX_AOP_REPORT_TIME, 0 },
    { "passed", NULL, NGX_AOP_REPORT_NUMBER, 0 },
    { "failed", NULL, NGX_AOP_REPORT_NUMBER, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_connections[] = {
    { "resumed", "Resumed", NGX_AOP_REPORT_TEXT, 1 },
    { "count", "Connections", NGX_AOP_REPORT_NUMBER, 0 },
    { "first", "First", NGX_AOP_REPORT_TIME, 0 },
    { "last", "Last", NGX_AOP_REPORT_TIME, 0 },
    { NULL, NULL, 0, 0 }
};

static const ngx_aop_report_column_t  ngx_aop_report_cache[] = {
    { "result", "Result", NGX_AOP_REPORT_TEXT, 1 },
    { "count", "Count", NGX_AOP_REPORT_NUMBER, 0 },
    { NULL, NULL, 0, 0 }
};


/* by ngx_aop_report_data_e */

const ngx_aop_report_table_t  ngx_aop_report_data_tables[] = {

    { "versions", "Versions", ngx_aop_report_versions,
      NULL, NULL, NULL, 0, 1, 0, NULL },

    { "readiness", "Safe to enforce?", ngx_aop_report_readiness,
      NULL, NULL, NULL, 0, 1, 0, ngx_aop_report_data_ready },

    { NULL, NULL, ngx_aop_report_mode,
      "nginx_aop_mode_info", "gauge",
      "The mode that the server's own \"aop\" directive gives, \"off\" for a "
      "TLS server without one; always 1.",
      1, 0, 0, ngx_aop_report_data_mode },

    { NULL, NULL, ngx_aop_report_value,
      "nginx_aop_ready", "gauge",
      "Whether it is safe to enforce now: 1 yes, 0 no, absent if unknown.",
      0, 0, 0, ngx_aop_report_data_ready_metric },

    { NULL, NULL, ngx_aop_report_ready_state,
      "nginx_aop_ready_state", "gauge",
      "The same, with a sample for each answer: 1 for the one that holds, 0 "
      "for the others.",
      1, 0, 0, ngx_aop_report_data_ready_state },

    { NULL, NULL, ngx_aop_report_value,
      "nginx_aop_counted", "gauge",
      "Whether the requests of the server are counted: 0 if \"aop_zone\" is "
      "full or of another version of the module.",
      0, 0, 0, ngx_aop_report_data_counted },

    { "unprotected", NULL, ngx_aop_report_unprotected,
      NULL, NULL, NULL, 0, 0, 0, NULL },

    { "failing_edge", "Failures from Cloudflare and private addresses",
      ngx_aop_report_peers,
      NULL, NULL, NULL, 0, 0, 1, NULL },

    { "failing_direct", "Failures from other addresses",
      ngx_aop_report_peers,
      NULL, NULL, NULL, 0, 0, 1, NULL },

    { "refused", NULL, ngx_aop_report_failed,
      "nginx_aop_refused_total", "counter",
      "Requests that were refused.", 2, 0, 0, ngx_aop_report_data_failed },

    { "would_be_refused", NULL, ngx_aop_report_failed,
      NULL, NULL, NULL, 0, 0, 0, ngx_aop_report_data_failed },

    { "certificates", "Certificates", ngx_aop_report_certificates,
      NULL, NULL, NULL, 0, 0, 0, ngx_aop_report_data_certificates },

    { NULL, NULL, ngx_aop_report_certificates,
      "nginx_aop_certificate_expiry_timestamp_seconds", "gauge",
      "When an anchor, a CRL, or a client certificate that passed by one of "
      "the anchors expires; of client certificates with one subject the one "
      "that passed last.",
      4, 0, 0, ngx_aop_report_data_certificates },

    { "hours", NULL, ngx_aop_report_hours,
      NULL, NULL, NULL, 0, 0, 0, ngx_aop_report_data_hours },

    { "requests", "Requests verified", ngx_aop_report_requests,
      "nginx_aop_requests_total", "counter",
      "Requests that were verified.", 3, 0, 0, ngx_aop_report_data_requests },

    { "connections", "Connections", ngx_aop_report_connections,
      "nginx_aop_connections_total", "counter",
      "TLS connections, at their first verified request; resumed=declined is "
      "a full handshake because the session was no longer valid.",
      1, 0, 0, ngx_aop_report_data_connections },

    { "verify_cache", "Verification cache", ngx_aop_report_cache,
      "nginx_aop_verify_cache_total", "counter",
      "Lookups in the cache of verified chains.",
      1, 0, 0, NULL },

    { NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, NULL }
};


void
ngx_aop_report_data_start(ngx_aop_report_t *report)
{
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];

    report->writer->start(report);

    value[0].text = report->module;
    value[1].text = report->nginx;
    value[2].text = report->openssl;
    value[3].number = report->now;

    report->writer->row(report,
                        &ngx_aop_report_data_tables[NGX_AOP_REPORT_VERSIONS],
                        NULL, value);
}


void
ngx_aop_report_data_server(ngx_aop_report_t *report,
    ngx_aop_report_server_t *server)
{
    ngx_aop_report_data_sort(server);

    report->writer->server(report, server);
}


void
ngx_aop_report_data_peer(ngx_aop_report_t *report, unsigned list,
    const ngx_aop_report_peer_t *peer)
{
    report->peers[list]++;

    if (report->writer->peer != NULL) {
        report->writer->peer(report, list, peer);
        return;
    }

    ngx_aop_report_data_peer_row(report, list, peer, report->writer->row);
}


void
ngx_aop_report_data_peer_row(ngx_aop_report_t *report, unsigned list,
    const ngx_aop_report_peer_t *peer, ngx_aop_report_row_pt row)
{
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];

    value[0].text = peer->server;
    value[1].text = peer->addr;
    value[2].text = ngx_aop_peer_word(peer->peer);
    value[3].text = ngx_aop_verdict(peer->verdict)->word;
    value[4].number = peer->count;
    value[5].number = peer->error;
    value[6].number = peer->refused;
    value[7].number = peer->first;
    value[8].number = peer->last;
    value[9].text = peer->host;
    value[10].text = peer->uri;
    value[11].text = peer->agent;

    row(report, &ngx_aop_report_data_tables[NGX_AOP_REPORT_EDGE + list], NULL,
        value);
}


/* Its mode is a sample next to those of the other servers. */

void
ngx_aop_report_data_unprotected(ngx_aop_report_t *report,
    const ngx_aop_report_unprotected_t *server)
{
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];

    if (report->writer->unprotected != NULL) {
        report->writer->unprotected(report, server);
        return;
    }

    value[0].text = server->name;
    value[1].text = server->file;
    value[2].number = server->line;
    value[3].number = server->explicit;
    value[4].list = &server->beside;
    value[5].number = server->beside_more;

    report->writer->row(report,
                        &ngx_aop_report_data_tables[NGX_AOP_REPORT_UNPROTECTED],
                        NULL, value);

    ngx_aop_report_data_mode_row(report, server->name, "off",
                                 report->writer->row);
}


void
ngx_aop_report_data_cache(ngx_aop_report_t *report, uint64_t hits,
    uint64_t misses)
{
    ngx_aop_report_value_t         value[NGX_AOP_REPORT_COLUMNS];
    const ngx_aop_report_table_t  *table;

    table = &ngx_aop_report_data_tables[NGX_AOP_REPORT_CACHE];

    value[0].text = "hit";
    value[1].number = hits;
    report->writer->row(report, table, NULL, value);

    value[0].text = "miss";
    value[1].number = misses;
    report->writer->row(report, table, NULL, value);
}


void
ngx_aop_report_data_end(ngx_aop_report_t *report)
{
    report->writer->end(report);
}


static void
ngx_aop_report_data_ready(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];

    value[0].text = server->name;
    value[1].text = server->mode;
    value[2].text = ngx_aop_ready_word(server->answer.ready);
    value[3].text = server->why;
    value[4].number = server->answer.since;
    value[5].text = ngx_aop_ready_state_word(server->state);
    value[6].number = server->answer.settles;

    row(report, table, server->name, value);
}


static void
ngx_aop_report_data_mode(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    (void) table;

    ngx_aop_report_data_mode_row(report, server->name, server->mode, row);
}


static void
ngx_aop_report_data_mode_row(ngx_aop_report_t *report, const char *server,
    const char *mode, ngx_aop_report_row_pt row)
{
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];

    value[0].text = mode;
    value[1].number = 1;

    row(report, &ngx_aop_report_data_tables[NGX_AOP_REPORT_MODE], server,
        value);
}


static void
ngx_aop_report_data_ready_metric(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];

    if (server->answer.ready != NGX_AOP_READY_UNKNOWN) {
        value[0].number = (server->answer.ready == NGX_AOP_READY_YES);
        row(report, table, server->name, value);
    }
}


static void
ngx_aop_report_data_ready_state(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    size_t                  i;
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];

    static const ngx_aop_ready_e  answers[] = {
        NGX_AOP_READY_YES, NGX_AOP_READY_NO, NGX_AOP_READY_UNKNOWN
    };

    for (i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        value[0].text = ngx_aop_ready_word(answers[i]);
        value[1].number = (server->answer.ready == answers[i]);

        row(report, table, server->name, value);
    }
}


static void
ngx_aop_report_data_counted(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];

    value[0].number = server->counted;

    row(report, table, server->name, value);
}


static void
ngx_aop_report_data_requests(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    unsigned                       on, verdict, peer;
    ngx_aop_report_value_t         value[NGX_AOP_REPORT_COLUMNS];
    const ngx_aop_report_count_t  *count;

    for (on = 0; on <= 1; on++) {
        value[0].text = on ? "on" : "optional";

        for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
            value[1].text = ngx_aop_verdict(verdict)->word;

            for (peer = 0; peer < NGX_AOP_PEERS; peer++) {
                count = &server->requests[on][verdict][peer];

                if (count->count != 0) {
                    value[2].text = ngx_aop_peer_word(peer);
                    ngx_aop_report_data_count(&value[3], count);

                    row(report, table, server->name, value);
                }
            }
        }
    }
}


/* Requests that were refused or, in the other table, would have been. */

static void
ngx_aop_report_data_failed(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    unsigned                       on, verdict, peer;
    ngx_aop_report_value_t         value[NGX_AOP_REPORT_COLUMNS];
    const ngx_aop_report_count_t  *count;

    on = (table == &ngx_aop_report_data_tables[NGX_AOP_REPORT_REFUSED]);

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {

        if (verdict == NGX_AOP_VERDICT_OK) {
            continue;
        }

        value[0].text = ngx_aop_verdict(verdict)->word;

        for (peer = 0; peer < NGX_AOP_PEERS; peer++) {
            count = &server->requests[on][verdict][peer];

            if (count->count != 0) {
                value[1].text = ngx_aop_peer_word(peer);
                ngx_aop_report_data_count(&value[2], count);

                row(report, table, server->name, value);
            }
        }
    }
}


static void
ngx_aop_report_data_count(ngx_aop_report_value_t *value,
    const ngx_aop_report_count_t *count)
{
    value[0].number = count->count;
    value[1].number = count->first;
    value[2].number = count->last;
}


/* Hours with requests in them. */

static void
ngx_aop_report_data_hours(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    size_t                  i;
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];
    const ngx_aop_trend_t  *trend;

    trend = server->answer.trend;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        if (trend[i].passed != 0 || trend[i].failed != 0) {
            value[0].number = server->answer.hour
                              - (time_t) (NGX_AOP_EVIDENCE_HOURS - 1 - i)
                                * 3600;
            value[1].number = trend[i].passed;
            value[2].number = trend[i].failed;

            row(report, table, server->name, value);
        }
    }
}


static void
ngx_aop_report_data_connections(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    unsigned                i;
    ngx_aop_report_value_t  value[NGX_AOP_REPORT_COLUMNS];

    static const char *const  words[NGX_AOP_REPORT_HANDSHAKES] = {
        "no", "yes", "declined"
    };

    for (i = 0; i < NGX_AOP_REPORT_HANDSHAKES; i++) {
        if (server->connections[i].count != 0) {
            value[0].text = words[i];
            ngx_aop_report_data_count(&value[1], &server->connections[i]);

            row(report, table, server->name, value);
        }
    }
}


/*
 * The next to expire comes first.  In the metric a certificate is one series,
 * by however many anchors it passed; one that does not expire has none,
 * because 0 would be a date in 1970.
 */

static void
ngx_aop_report_data_certificates(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table,
    const ngx_aop_report_server_t *server, ngx_aop_report_row_pt row)
{
    size_t                        i;
    ngx_aop_report_value_t        value[NGX_AOP_REPORT_COLUMNS];
    const ngx_aop_report_cert_t  *cert;

    for (i = 0; i < server->ncerts; i++) {
        cert = &server->certs[i];

        if (table->metric != NULL && !cert->series) {
            continue;
        }

        value[0].text = cert->kind;
        value[1].text = cert->subject;
        value[2].text = cert->fingerprint;
        value[3].text = cert->anchor;
        value[4].number = cert->not_after;
        value[5].number = cert->not_after
                          ? ngx_aop_cert_days(cert->not_after, report->now)
                          : NGX_AOP_REPORT_NEVER;
        value[6].number = cert->last;
        value[7].text = cert->key;
        value[8].text = cert->group;

        row(report, table, server->name, value);
    }
}


/* Of equal certificates, the first one in use is the series. */

static void
ngx_aop_report_data_sort(ngx_aop_report_server_t *server)
{
    size_t                  i;
    ngx_aop_report_cert_t  *cert;

    if (server->ncerts == 0) {
        return;
    }

    cert = server->certs;

    qsort(cert, server->ncerts, sizeof(ngx_aop_report_cert_t),
          ngx_aop_report_data_cmp_series);

    for (i = 0; i < server->ncerts; i++) {
        cert[i].series = !cert[i].replaced
                         && cert[i].not_after != 0
                         && (i == 0
                             || ngx_aop_report_data_cmp_same(&cert[i - 1],
                                                             &cert[i])
                                != 0);
    }

    qsort(cert, server->ncerts, sizeof(ngx_aop_report_cert_t),
          ngx_aop_report_data_cmp_time);
}


static int
ngx_aop_report_data_cmp_time(const void *one, const void *two)
{
    const ngx_aop_report_cert_t  *first = one;
    const ngx_aop_report_cert_t  *second = two;

    return (first->not_after > second->not_after)
           - (first->not_after < second->not_after);
}


/* Those that are not a series come last. */

static int
ngx_aop_report_data_cmp_series(const void *one, const void *two)
{
    int                           rc;
    const ngx_aop_report_cert_t  *first = one;
    const ngx_aop_report_cert_t  *second = two;

    rc = (first->replaced || first->not_after == 0)
         - (second->replaced || second->not_after == 0);

    return rc ? rc : ngx_aop_report_data_cmp_same(first, second);
}


static int
ngx_aop_report_data_cmp_same(const ngx_aop_report_cert_t *one,
    const ngx_aop_report_cert_t *two)
{
    int  rc;

    rc = strcmp(one->kind, two->kind);

    return rc ? rc : strcmp(one->fingerprint, two->fingerprint);
}
