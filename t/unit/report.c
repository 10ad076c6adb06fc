
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The report's writers, over servers that are made up, read back strictly. */


#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report_read.h"


#define UNIT_NOW    1893456000          /* 2030-01-01 */
#define UNIT_DAY    86400
#define UNIT_CERTS  8


typedef struct {
    ngx_aop_report_t          report;
    ngx_aop_report_server_t   server;
    ngx_aop_report_cert_t     certs[UNIT_CERTS];
    void                     *memory;
    size_t                    left;     /* of allocations that succeed */
    char                     *text;
    size_t                    len;
} unit_report_t;


static const ngx_aop_report_writer_t *const  unit_writers[] = {
    &ngx_aop_report_json, &ngx_aop_report_prometheus, &ngx_aop_report_html
};


/* of allocations of a report that succeed */

static size_t  unit_left = 1000000;


static void *
unit_alloc(void *data, size_t size)
{
    unit_report_t *unit = data;

    if (unit->left == 0) {
        return NULL;
    }

    unit->left--;

    return read_alloc(&unit->memory, size);
}


static unit_report_t *
unit_start(const ngx_aop_report_writer_t *writer)
{
    unit_report_t  *unit;

    unit = calloc(1, sizeof(unit_report_t));
    assert_non_null(unit);

    unit->left = unit_left;

    unit->report.writer = writer;
    unit->report.alloc = unit_alloc;
    unit->report.data = unit;
    unit->report.module = "1.2.3";
    unit->report.nginx = "1.30.0";
    unit->report.openssl = "OpenSSL 3.6";
    unit->report.now = UNIT_NOW;

    unit->server.name = "www.test:443";
    unit->server.mode = "optional";
    unit->server.why = "1 of 2 requests from Cloudflare failed";
    unit->server.counted = 1;
    unit->server.answer.ready = NGX_AOP_READY_UNKNOWN;

    ngx_aop_report_data_start(&unit->report);

    return unit;
}


static void
unit_cert(unit_report_t *unit, const char *kind, const char *subject, int days)
{
    ngx_aop_report_cert_t  *cert;

    cert = &unit->certs[unit->server.ncerts++];
    unit->server.certs = unit->certs;

    cert->kind = kind;
    cert->subject = subject;
    cert->fingerprint = "aa";
    cert->anchor = "";
    cert->key = "";
    cert->group = "";
    cert->not_after = UNIT_NOW + days * UNIT_DAY + UNIT_DAY / 2;
}


static void
unit_peer(unit_report_t *unit, unsigned list, const char *addr, unsigned n)
{
    ngx_aop_report_peer_t  peer;

    memset(&peer, 0, sizeof(ngx_aop_report_peer_t));

    peer.server = "www.test:443";
    peer.verdict = NGX_AOP_VERDICT_NONE;
    peer.count = n;
    strcpy(peer.addr, addr);
    strcpy(peer.uri, "/x");

    ngx_aop_report_data_peer(&unit->report, list, &peer);
}


static void
unit_unprotected(unit_report_t *unit)
{
    ngx_aop_report_unprotected_t  server;

    static const char *const  beside[] = { "www.test:443", "b.test:443" };

    memset(&server, 0, sizeof(ngx_aop_report_unprotected_t));

    server.name = "open.test:443";
    server.file = "/etc/nginx/nginx.conf";
    server.line = 12;
    server.beside.names = beside;
    server.beside.n = 2;
    server.explicit = 1;

    ngx_aop_report_data_unprotected(&unit->report, &server);
}


static void
unit_end(unit_report_t *unit)
{
    ngx_aop_report_data_end(&unit->report);

    unit->text = read_whole(&unit->report, &unit->len);
}


static void
unit_free(unit_report_t *unit)
{
    read_free(&unit->memory);
    free(unit->text);
    free(unit);
}


static void
unit_is(unit_report_t *unit, const char *path, const char *expected)
{
    char  value[4096] = "";

    assert_int_equal(read_json(unit->text, unit->len, path, value,
                               sizeof(value)), 1);
    assert_string_equal(value, expected);
}


static void
unit_metric(unit_report_t *unit, const char *series, long long expected)
{
    long long  value;

    assert_int_equal(read_metrics(unit->text, unit->len, series, &value), 1);
    assert_true(value == expected);
}


static void
unit_well_formed(unit_report_t *unit)
{
    assert_non_null(unit->text);

    if (unit->report.writer == &ngx_aop_report_json) {
        assert_int_equal(read_json(unit->text, unit->len, NULL, NULL, 0), 0);

    } else if (unit->report.writer == &ngx_aop_report_prometheus) {
        assert_int_equal(read_metrics(unit->text, unit->len, NULL, NULL), 0);

    } else {
        assert_int_equal(read_html(unit->text, unit->len), 0);
    }
}


static void
unit_json(void **state)
{
    unit_report_t  *unit;

    (void) state;

    unit = unit_start(&ngx_aop_report_json);

    unit->server.answer.since = UNIT_NOW - 60;
    unit->server.answer.settles = UNIT_NOW + 60;
    unit->server.state = NGX_AOP_STATE_PARTLY;
    unit->server.requests[1][NGX_AOP_VERDICT_NONE][NGX_AOP_PEER_EDGE].count = 7;
    unit->server.requests[0][NGX_AOP_VERDICT_PIN][NGX_AOP_PEER_DIRECT].count
        = 8;
    unit->server.connections[NGX_AOP_REPORT_DECLINED].count = 9;
    unit_cert(unit, "anchor", "CN=b", 300);
    unit_cert(unit, "client", "CN=a", 3);

    ngx_aop_report_data_server(&unit->report, &unit->server);
    unit->server.name = "b.test:443";
    ngx_aop_report_data_server(&unit->report, &unit->server);

    unit_peer(unit, 0, "192.0.2.1", 5);
    unit_peer(unit, 1, "192.0.2.2", 6);
    unit_unprotected(unit);
    ngx_aop_report_data_cache(&unit->report, 11, 12);
    unit_end(unit);
    unit_well_formed(unit);

    unit_is(unit, "module", "1.2.3");
    unit_is(unit, "time", "2030-01-01T00:00:00Z");
    unit_is(unit, "servers", "2");
    unit_is(unit, "servers/0/name", "www.test:443");
    unit_is(unit, "servers/1/name", "b.test:443");
    unit_is(unit, "servers/0/state", "partly");
    unit_is(unit, "servers/0/ready", "unknown");
    unit_is(unit, "servers/0/since", "2029-12-31T23:59:00Z");
    unit_is(unit, "servers/0/settles", "2030-01-01T00:01:00Z");
    unit_is(unit, "servers/0/refused", "1");
    unit_is(unit, "servers/0/refused/0/verdict", "none");
    unit_is(unit, "servers/0/refused/0/count", "7");
    unit_is(unit, "servers/0/would_be_refused/0/verdict", "pin");
    unit_is(unit, "servers/0/requests", "2");
    unit_is(unit, "servers/0/connections/0/resumed", "declined");
    unit_is(unit, "servers/0/certificates/0/subject", "CN=a");
    unit_is(unit, "servers/0/certificates/0/days_left", "3");
    unit_is(unit, "servers/0/certificates/1/subject", "CN=b");
    unit_is(unit, "failing_edge/0/address", "192.0.2.1");
    unit_is(unit, "failing_direct/0/count", "6");
    unit_is(unit, "unprotected", "1");
    unit_is(unit, "unprotected/0/name", "open.test:443");
    unit_is(unit, "unprotected/0/file", "/etc/nginx/nginx.conf");
    unit_is(unit, "unprotected/0/line", "12");
    unit_is(unit, "unprotected/0/explicit", "true");
    unit_is(unit, "unprotected/0/beside/1", "b.test:443");
    unit_is(unit, "unprotected/0/beside_more", "false");
    unit_is(unit, "verify_cache/1/count", "12");

    unit_free(unit);
}


static void
unit_prometheus(void **state)
{
    unit_report_t  *unit;

    (void) state;

    unit = unit_start(&ngx_aop_report_prometheus);

    unit->server.answer.ready = NGX_AOP_READY_NO;
    unit->server.requests[1][NGX_AOP_VERDICT_NONE][NGX_AOP_PEER_EDGE].count = 7;
    ngx_aop_report_data_server(&unit->report, &unit->server);

    unit->server.name = "b.test:443";
    unit->server.state = NGX_AOP_STATE_ENFORCED;
    unit->server.mode = "on";
    unit->server.answer.ready = NGX_AOP_READY_YES;
    ngx_aop_report_data_server(&unit->report, &unit->server);

    unit_peer(unit, 0, "192.0.2.1", 5);
    unit_unprotected(unit);
    ngx_aop_report_data_cache(&unit->report, 11, 12);
    unit_end(unit);
    unit_well_formed(unit);

    unit_metric(unit, "nginx_aop_ready{server=\"www.test:443\"}", 0);
    unit_metric(unit, "nginx_aop_ready{server=\"b.test:443\"}", 1);
    unit_metric(unit, "nginx_aop_counted{server=\"www.test:443\"}", 1);
    unit_metric(unit, "nginx_aop_mode_info{server=\"b.test:443\",mode=\"on\"}",
                1);
    unit_metric(unit, "nginx_aop_mode_info{server=\"open.test:443\","
                "mode=\"off\"}", 1);
    unit_metric(unit, "nginx_aop_refused_total{server=\"www.test:443\","
                "verdict=\"none\",peer=\"edge\"}", 7);
    unit_metric(unit, "nginx_aop_verify_cache_total{result=\"miss\"}", 12);

    unit_free(unit);
}


/* An answer that is not known is a sample too, and so is counting. */

static void
unit_ready_state(void **state)
{
    unsigned        ready, i;
    char            series[128];
    unit_report_t  *unit;

    static const ngx_aop_ready_e  answers[] = {
        NGX_AOP_READY_YES, NGX_AOP_READY_NO, NGX_AOP_READY_UNKNOWN
    };

    static const char *const  words[] = { "yes", "no", "unknown" };

    (void) state;

    for (ready = 0; ready < unit_nelts(answers); ready++) {
        unit = unit_start(&ngx_aop_report_prometheus);

        unit->server.answer.ready = answers[ready];
        unit->server.counted = 0;
        ngx_aop_report_data_server(&unit->report, &unit->server);
        unit_end(unit);
        unit_well_formed(unit);

        for (i = 0; i < unit_nelts(words); i++) {
            snprintf(series, sizeof(series), "nginx_aop_ready_state{"
                     "server=\"www.test:443\",state=\"%s\"}", words[i]);
            unit_metric(unit, series, i == ready);
        }

        unit_metric(unit, "nginx_aop_counted{server=\"www.test:443\"}", 0);
        assert_true((strstr(unit->text, "\nnginx_aop_ready{") == NULL)
                    == (answers[ready] == NGX_AOP_READY_UNKNOWN));

        unit_free(unit);
    }
}


/* A certificate is one series, also by two anchors, of those in use. */

static void
unit_series(void **state)
{
    unit_report_t  *unit;

    (void) state;

    unit = unit_start(&ngx_aop_report_prometheus);

    unit_cert(unit, "client", "CN=a", 90);
    unit_cert(unit, "client", "CN=a", 90);
    unit_cert(unit, "client", "CN=a", 60);
    unit_cert(unit, "client", "CN=replaced", 1);
    unit_cert(unit, "anchor", "CN=a", 90);
    unit_cert(unit, "client", "\x01", 9);
    unit_cert(unit, "client", "\x02", 8);
    unit_cert(unit, "crl", "CN=endless", 8);

    unit->certs[2].fingerprint = "bb";
    unit->certs[3].fingerprint = "cc";
    unit->certs[3].replaced = 1;
    unit->certs[5].fingerprint = "dd";
    unit->certs[6].fingerprint = "ee";
    unit->certs[7].not_after = 0;

    ngx_aop_report_data_server(&unit->report, &unit->server);
    unit_end(unit);
    unit_well_formed(unit);

#define SERIES  "nginx_aop_certificate_expiry_timestamp_seconds"              \
                "{server=\"www.test:443\",kind="

    unit_metric(unit, SERIES "\"client\",subject=\"CN=a\","
                "fingerprint=\"aa\"}",
                UNIT_NOW + 90 * UNIT_DAY + UNIT_DAY / 2);
    unit_metric(unit, SERIES "\"client\",subject=\"CN=a\","
                "fingerprint=\"bb\"}",
                UNIT_NOW + 60 * UNIT_DAY + UNIT_DAY / 2);
    unit_metric(unit, SERIES "\"anchor\",subject=\"CN=a\","
                "fingerprint=\"aa\"}",
                UNIT_NOW + 90 * UNIT_DAY + UNIT_DAY / 2);
    unit_metric(unit, SERIES "\"client\",subject=\"\xef\xbf\xbd\","
                "fingerprint=\"dd\"}",
                UNIT_NOW + 9 * UNIT_DAY + UNIT_DAY / 2);
    unit_metric(unit, SERIES "\"client\",subject=\"\xef\xbf\xbd\","
                "fingerprint=\"ee\"}",
                UNIT_NOW + 8 * UNIT_DAY + UNIT_DAY / 2);
    assert_null(strstr(unit->text, "replaced\""));
    assert_null(strstr(unit->text, "endless"));

    unit_free(unit);
}


static void
unit_has(unit_report_t *unit, const char *text)
{
    if (strstr(unit->text, text) == NULL) {
        fail_msg("not on the page: %s", text);
    }
}


static void
unit_hasnt(unit_report_t *unit, const char *text)
{
    if (strstr(unit->text, text) != NULL) {
        fail_msg("on the page: %s", text);
    }
}


/* That texts are on the page, in this order; the last one is NULL. */

static void
unit_order(unit_report_t *unit, const char *const *texts)
{
    const char  *p;

    for (p = unit->text; *texts != NULL; texts++) {
        p = strstr(p, *texts);

        if (p == NULL) {
            fail_msg("not on the page, or not there: %s", *texts);
        }
    }
}


static void
unit_page(void **state)
{
    size_t          i;
    char            addr[32];
    unit_report_t  *unit;

    static const char *const  order[] = {
        "<b>No</b>", "<b>Enforced</b>", "<b>Off</b>", ">192.0.2.7<" /* 24 */,
        ">192.0.2.14<" /* 23 */, "10 of 25, <a href=\"?format=html&amp;show="
        "all\">all</a>", "id=\"verdict-none\"", "</html>", NULL
    };

    (void) state;

    unit = unit_start(&ngx_aop_report_html);

    unit->server.state = NGX_AOP_STATE_ENFORCED;
    unit->server.mode = "on";
    unit->server.answer.ready = NGX_AOP_READY_YES;
    unit->server.why = "not shown";
    unit->server.answer.sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_CLOUDFLARE] = 1;
    unit->server.answer.sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_PRIVATE] = 1234;
    ngx_aop_report_data_server(&unit->report, &unit->server);

    unit->server.name = "b.test:443";
    unit->server.state = NGX_AOP_STATE_OBSERVING;
    unit->server.mode = "optional";
    unit->server.answer.ready = NGX_AOP_READY_NO;
    unit->server.answer.hint = "do <this>";
    unit->server.why = "many failed";
    ngx_aop_report_data_server(&unit->report, &unit->server);

    for (i = 0; i < 25; i++) {
        snprintf(addr, sizeof(addr), "192.0.2.%zu", i);
        unit_peer(unit, 1, addr, i * 7 % 25);
    }

    unit_unprotected(unit);
    unit_end(unit);
    unit_well_formed(unit);

    unit_has(unit, "<title>No: 1 \302\267 Enforced: 1 ");
    unit_has(unit, "24 h: 1 request from Cloudflare, 1,234 from private "
             "addresses, 0 from others");
    unit_hasnt(unit, "not shown");
    unit_has(unit, "do &#60;this&#62;");
    unit_has(unit, ">open.test:443</span>");
    unit_has(unit, ">www.<wbr>test:443</a>");
    unit_has(unit, ">Needs attention: 1</a> \302\267 <a href=\"#enforcing\">"
             "Enforcing: 1</a> \302\267 <a href=\"#off\">Off: 1</a>");
    unit_hasnt(unit, "id=\"observing\"");
    unit_hasnt(unit, ">192.0.2.18<");   /* 1 */

    unit_order(unit, order);

    unit_free(unit);
}


/* What needs attention comes first, in whatever order it is settled. */

typedef struct {
    const char       *name;
    const char       *mode;
    const char       *word;
    const char       *shown;
    ngx_aop_state_e   state;
    ngx_aop_ready_e   ready;
    ngx_aop_cause_e   cause;
    uint64_t          failed;
    int               days;         /* left; 0: no certificate */
    unsigned          lost:1;       /* it is not counted */
} unit_rank_t;

static const unit_rank_t  unit_ranks[] = {
    { "failing", "on", "Failing", "3 failed from Cloudflare: none",
      NGX_AOP_STATE_ENFORCED, NGX_AOP_READY_NO, NGX_AOP_CAUSE_FAILED, 3, 0,
      0 },
    { "edge", "optional", "No", "3 failed from Cloudflare: none",
      NGX_AOP_STATE_OBSERVING, NGX_AOP_READY_NO, NGX_AOP_CAUSE_FAILED, 3, 0,
      0 },
    { "private", "optional", "No", "7 failed from private addresses: none",
      NGX_AOP_STATE_OBSERVING, NGX_AOP_READY_NO, NGX_AOP_CAUSE_FAILED, 0, 0,
      0 },
    { "expiring", "on", "Enforced", "client CN=a: 14 days left",
      NGX_AOP_STATE_ENFORCED, NGX_AOP_READY_YES, NGX_AOP_CAUSE_NONE, 0, 14,
      0 },
    { "canary", "variable", "Unknown", "not all requests are verified",
      NGX_AOP_STATE_PARTLY, NGX_AOP_READY_UNKNOWN, NGX_AOP_CAUSE_UNJUDGED, 0,
      0, 0 },
    { "lost", "on", "Enforced", "not counted",
      NGX_AOP_STATE_ENFORCED, NGX_AOP_READY_UNKNOWN, 0, 0, 0, 1 },
    { "waiting", "optional", "Unknown", "not enough traffic yet",
      NGX_AOP_STATE_OBSERVING, NGX_AOP_READY_UNKNOWN, NGX_AOP_CAUSE_TRAFFIC,
      0, 15, 0 },
    { "safe", "optional", "Yes", "all 1,000 passed",
      NGX_AOP_STATE_OBSERVING, NGX_AOP_READY_YES, NGX_AOP_CAUSE_NONE, 0, 0,
      0 },
    { "exempt", "on", "Partly", "1,000 passed, 5 rejected",
      NGX_AOP_STATE_PARTLY, NGX_AOP_READY_YES, NGX_AOP_CAUSE_NONE, 0, 0, 0 },
};


static void
unit_rank(void **state)
{
    char                line[unit_nelts(unit_ranks)][256];
    size_t              i, n;
    unit_report_t      *unit;
    const unit_rank_t  *rank;
    const char         *order[unit_nelts(unit_ranks) + 4];

    (void) state;

    unit = unit_start(&ngx_aop_report_html);
    unit->report.servers = 100;

    unit->server.answer.failed_private = 7;
    unit->server.answer.verdict = NGX_AOP_VERDICT_NONE;
    unit->server.answer.sums[NGX_AOP_SUM_PASSED] = 1000;
    unit->server.answer.sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_DIRECT] = 5;

    unit_cert(unit, "client", "CN=a", 0);

    /* in another order, which is kept where nothing else decides */

    for (i = 0; i < unit_nelts(unit_ranks); i++) {
        rank = &unit_ranks[i * 4 % unit_nelts(unit_ranks)];

        unit->server.name = rank->name;
        unit->server.mode = rank->mode;
        unit->server.state = rank->state;
        unit->server.answer.ready = rank->ready;
        unit->server.answer.cause = rank->cause;
        unit->server.answer.failed = rank->failed;
        unit->server.counted = !rank->lost;
        unit->server.ncerts = (rank->days != 0);
        unit->certs[0].not_after = UNIT_NOW + rank->days * UNIT_DAY + 9;

        ngx_aop_report_data_server(&unit->report, &unit->server);
    }

    unit_end(unit);
    unit_well_formed(unit);

    n = 0;
    order[n++] = "<section id=\"attention\">";

    for (i = 0; i < unit_nelts(unit_ranks); i++) {
        rank = &unit_ranks[i];

        if (strcmp(rank->name, "waiting") == 0) {
            order[n++] = "<section id=\"observing\">";

        } else if (strcmp(rank->name, "exempt") == 0) {
            order[n++] = "<section id=\"enforcing\">";
        }

        snprintf(line[i], sizeof(line[i]), "<b>%s</b> <span class=\"n\">%s</span> "
                 "<span class=\"w\">%s%s%s</span>", rank->word, rank->name,
                 rank->days == 14 ? "<span class=\"urgent\">" : "",
                 rank->shown, rank->days == 14 ? "</span>" : "");
        unit_has(unit, line[i]);

        order[n++] = line[i];
    }

    order[n] = NULL;
    unit_order(unit, order);

    unit_hasnt(unit, " open>");

    unit_free(unit);
}


/* Few servers are open, of some the first that need it, of many none. */

static void
unit_open(void **state)
{
    size_t          i, j, n, open;
    unit_report_t  *unit;
    const char     *p;

    static const struct {
        size_t  servers;
        size_t  open;
    } cases[] = { { 3, 3 }, { 4, 3 }, { 20, 3 }, { 21, 0 } };

    (void) state;

    for (i = 0; i < unit_nelts(cases); i++) {
        unit = unit_start(&ngx_aop_report_html);
        unit->report.servers = cases[i].servers;

        n = cases[i].servers;

        for (j = 0; j < n; j++) {
            unit->server.answer.ready = (n == 3 || j % 2) ? NGX_AOP_READY_YES
                                                          : NGX_AOP_READY_NO;
            unit->server.name = (n > 3 && j % 2 == 0) ? "bad" : "good";
            ngx_aop_report_data_server(&unit->report, &unit->server);
        }

        unit_end(unit);
        unit_well_formed(unit);

        open = 0;

        for (p = unit->text;
             (p = strstr(p, " open><summary><b>")) != NULL;
             p++)
        {
            open++;
        }

        assert_int_equal(open, n == 4 ? 2 : cases[i].open);
        unit_free(unit);
    }
}


/* Bars of all heights: to one scale, and no failure is too small to be seen. */

static void
unit_trend(void **state)
{
    unit_report_t    *unit;
    ngx_aop_trend_t  *trend;

    (void) state;

    unit = unit_start(&ngx_aop_report_html);
    trend = unit->server.answer.trend;

    trend[0].passed = 500;
    trend[1].passed = 500;
    trend[2].failed = 500;
    trend[3].passed = 500;
    trend[3].failed = 500;
    trend[22].passed = 499;
    trend[22].failed = 1;
    trend[23].passed = 1;
    ngx_aop_report_data_server(&unit->report, &unit->server);

    unit->server.name = "idle.test";
    memset(trend, 0, sizeof(unit->server.answer.trend));
    ngx_aop_report_data_server(&unit->report, &unit->server);

    unit_end(unit);
    unit_well_formed(unit);

    unit_has(unit, "<svg viewBox=\"0 0 96 20\" aria-hidden=\"true\">"
             "<path class=\"p\" d=\"M2 20V11M6 20V11M14 11V2M90 18V9M94 20V19\">"
             "</path><path class=\"f\" d=\"M10 20V11M14 20V11M90 20V18\">"
             "</path></svg></summary>");
    unit_has(unit, "in 24 h: 2,000 passed, 1,001 failed; in this hour: 1 "
             "passed, 0 failed");

    assert_null(strstr(strstr(unit->text, "<svg ") + 1, "<svg "));

    unit_free(unit);
}


/* The hours of JSON: those in which there was something. */

static void
unit_hours(void **state)
{
    unit_report_t  *unit;

    (void) state;

    unit = unit_start(&ngx_aop_report_json);

    unit->server.answer.hour = UNIT_NOW;
    unit->server.answer.trend[22].passed = 7;
    unit->server.answer.trend[23].failed = 8;

    ngx_aop_report_data_server(&unit->report, &unit->server);
    unit_end(unit);
    unit_well_formed(unit);

    unit_is(unit, "servers/0/hours", "2");
    unit_is(unit, "servers/0/hours/0/start", "2029-12-31T23:00:00Z");
    unit_is(unit, "servers/0/hours/0/passed", "7");
    unit_is(unit, "servers/0/hours/0/failed", "0");
    unit_is(unit, "servers/0/hours/1/start", "2030-01-01T00:00:00Z");
    unit_is(unit, "servers/0/hours/1/failed", "8");

    unit_free(unit);
}


/* Lines to copy go with the hint of the table, and with no other. */

static void
unit_hint(void **state)
{
    unsigned        relay;
    unit_report_t  *unit;

    (void) state;

    for (relay = 0; relay <= 1; relay++) {
        unit = unit_start(&ngx_aop_report_html);

        unit->server.answer.ready = NGX_AOP_READY_NO;
        unit->server.answer.cause = NGX_AOP_CAUSE_FAILED;
        unit->server.answer.failed_private = 1;
        unit->server.answer.verdict = NGX_AOP_VERDICT_NONE;
        unit->server.answer.peer = NGX_AOP_PEER_PRIVATE;
        unit->server.answer.relay = relay;
        unit->server.answer.hint = ngx_aop_ready_hint(&unit->server.answer,
                                                      NGX_AOP_VERDICT_NONE,
                                                      NGX_AOP_PEER_PRIVATE);

        ngx_aop_report_data_server(&unit->report, &unit->server);
        unit_end(unit);
        unit_well_formed(unit);

        unit_has(unit, "<p class=\"hint\"><a href=\"#verdict-none\">none</a>: "
                 "private address");

        /* once where the verdict is explained, once here */

        assert_true((strstr(strstr(unit->text, "<pre>location = /health {\n"
                                   "    aop off;\n    ...\n}</pre>") + 1,
                            "<pre>location = /health {") == NULL)
                    == relay);

        unit_free(unit);
    }
}


/* A link for each verdict that there is, to a place that there is. */

static void
unit_verdicts(void **state)
{
    char            text[64];
    unsigned        verdict;
    unit_report_t  *unit;

    (void) state;

    unit = unit_start(&ngx_aop_report_html);

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        unit->server.requests[0][verdict][NGX_AOP_PEER_EDGE].count = 1;
    }

    ngx_aop_report_data_server(&unit->report, &unit->server);
    unit_end(unit);
    unit_well_formed(unit);

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        snprintf(text, sizeof(text), "<a href=\"#verdict-%s\">%s</a>",
                 ngx_aop_verdict(verdict)->word,
                 ngx_aop_verdict(verdict)->word);
        unit_has(unit, text);

        snprintf(text, sizeof(text), "<div id=\"verdict-%s\"><dt>%s</dt><dd>",
                 ngx_aop_verdict(verdict)->word,
                 ngx_aop_verdict(verdict)->word);
        unit_has(unit, text);
    }

    unit_free(unit);
}


/* With more than one anchor: which of them is used. */

static void
unit_anchors(void **state)
{
    unit_report_t  *unit;

    (void) state;

    unit = unit_start(&ngx_aop_report_html);

    unit_cert(unit, "anchor", "CN=old", 90);
    ngx_aop_report_data_server(&unit->report, &unit->server);

    unit_cert(unit, "anchor", "CN=new", 900);
    unit_cert(unit, "client", "CN=edge", 91);
    unit->certs[1].last = UNIT_NOW - 30;
    unit->certs[2].last = UNIT_NOW - 30;
    unit->certs[2].anchor = "CN=new";

    ngx_aop_report_data_server(&unit->report, &unit->server);
    unit_end(unit);
    unit_well_formed(unit);

    unit_has(unit, "<ul><li>anchor CN=old: no certificate has passed by it"
             "</li><li>anchor CN=new: last passed <time datetime=\"2029-12-31"
             "T23:59:30Z\" title=\"2029-12-31T23:59:30Z\">30 s ago</time>, "
             "client CN=edge</li></ul>");

    /* and not for the server with one */

    assert_null(strstr(strstr(unit->text, "<ul>") + 1, "<ul>"));

    unit_free(unit);
}


/* One server: nothing is cut short, and the links keep to it. */

static void
unit_view(void **state)
{
    char            addr[32];
    size_t          i;
    unsigned        one;
    unit_report_t  *unit;

    (void) state;

    for (one = 0; one <= 1; one++) {
        unit = unit_start(&ngx_aop_report_html);

        unit->report.view.paused = 1;
        unit->report.view.server = one ? "a b&+%\xff.test" : NULL;

        ngx_aop_report_data_server(&unit->report, &unit->server);

        for (i = 1; i < 100; i++) {
            snprintf(addr, sizeof(addr), "192.0.2.%zu", i);
            unit_peer(unit, 0, addr, 1);
        }

        unit_end(unit);
        unit_well_formed(unit);

        if (one) {
            unit_has(unit, "192.0.2.99<");
            unit_hasnt(unit, ">all</a>");
            unit_has(unit, "not refreshed, <a href=\"?format=html&amp;server="
                     "a%20b%26%2B%25%FF.test\">refresh</a> \302\267 <a "
                     "href=\"?format=html&amp;refresh=off\">all servers</a>");
            unit_has(unit, "<a href=\"?format=json&amp;server=a%20b%26%2B%25"
                     "%FF.test&amp;refresh=off\">JSON</a>");

        } else {
            unit_hasnt(unit, "192.0.2.99<");
            unit_has(unit, "10 of 99, <a href=\"?format=html&amp;show=all&amp;"
                     "refresh=off\">all</a>");
            unit_has(unit, "<a href=\"?format=html&amp;server=www.test%3A443"
                     "&amp;refresh=off\">this server alone</a>");
        }

        unit_free(unit);
    }
}


/* Enforced, but every certificate is out of date: that is not a calm matter. */

static void
unit_enforced(void **state)
{
    unit_report_t  *unit;

    (void) state;

    unit = unit_start(&ngx_aop_report_html);

    unit->server.state = NGX_AOP_STATE_ENFORCED;
    unit->server.answer.ready = NGX_AOP_READY_NO;
    unit->server.why = "out of date: the CA";
    ngx_aop_report_data_server(&unit->report, &unit->server);

    unit->server.counted = 0;
    unit->server.answer.ready = NGX_AOP_READY_UNKNOWN;
    unit->server.why = "the zone is full";
    ngx_aop_report_data_server(&unit->report, &unit->server);

    unit_end(unit);
    unit_well_formed(unit);

    assert_non_null(strstr(unit->text, "out of date: the CA"));
    assert_non_null(strstr(unit->text, "the zone is full"));

    unit_free(unit);
}


typedef struct {
    const char  *name;
    struct {
        const char  *kind;
        const char  *subject;
        int          days;
    } certs[3];
    const char  *shown;         /* NULL: none is */
} unit_expiry_case_t;

static const unit_expiry_case_t  unit_expiry_cases[] = {
    { "expiry: a client before a daily CRL",
      { { "crl", "CN=daily", 0 }, { "client", "CN=edge", 20 } },
      ">client CN=edge: 20 days left</span></p>" },
    { "expiry: an anchor before a daily CRL",
      { { "crl", "CN=daily", 0 }, { "anchor", "CN=ca", 30 } },
      ">anchor CN=ca: 30 days left" },
    { "expiry: the next one of these",
      { { "anchor", "CN=ca", 30 }, { "client", "CN=edge", 1 } },
      ">client CN=edge: 1 day left" },
    { "expiry: a CRL that expired before a client",
      { { "client", "CN=edge", 1 }, { "crl", "CN=daily", -1 } },
      ">crl CN=daily: -1 days left" },
    { "expiry: a CRL alone",
      { { "crl", "CN=daily", 0 }, { "client", "CN=edge", 31 } },
      ">crl CN=daily: 0 days left" },
    { "expiry: nothing soon",
      { { "anchor", "CN=ca", 31 } }, NULL },
};


static void
unit_expiry(void **state)
{
    size_t          i;
    unit_report_t  *unit;

    const unit_expiry_case_t *test = *state;

    unit = unit_start(&ngx_aop_report_html);

    for (i = 0; i < 3 && test->certs[i].kind; i++) {
        unit_cert(unit, test->certs[i].kind, test->certs[i].subject,
                  test->certs[i].days);
    }

    ngx_aop_report_data_server(&unit->report, &unit->server);
    unit_end(unit);
    unit_well_formed(unit);

    if (test->shown) {
        assert_non_null(strstr(unit->text, test->shown));

    } else {
        unit_hasnt(unit, " days left<");
    }

    unit_free(unit);
}


/* All text of all formats, and a part that needs many blocks. */

static void
unit_hostile(void **state)
{
    size_t                  i, n;
    unit_report_t          *unit;
    ngx_aop_report_peer_t   peer;

    static char  text[20000];

    static const char  hostile[] =
        "</section>\"'\\\\&<b>\n\r\t\x1b[1m\x7f\xc2\x9b\xff\xed\xa0\x80} 1\n";

    (void) state;

    for (n = 0; n + sizeof(hostile) < sizeof(text); n += sizeof(hostile) - 1) {
        memcpy(text + n, hostile, sizeof(hostile));
    }

    for (i = 0; i < unit_nelts(unit_writers); i++) {
        unit = unit_start(unit_writers[i]);

        unit->server.name = text;
        unit->server.why = text;
        unit->server.answer.hint = text;
        unit_cert(unit, "client", text, 3);
        unit_cert(unit, "client", text + 1, 4);
        ngx_aop_report_data_server(&unit->report, &unit->server);

        memset(&peer, 0, sizeof(ngx_aop_report_peer_t));

        peer.server = text;
        memcpy(peer.addr, text, sizeof(peer.addr) - 1);
        memcpy(peer.host, text, sizeof(peer.host) - 1);
        memcpy(peer.uri, text, sizeof(peer.uri) - 1);
        memcpy(peer.agent, text, sizeof(peer.agent) - 1);
        ngx_aop_report_data_peer(&unit->report, 0, &peer);

        unit_end(unit);
        unit_well_formed(unit);
        unit_free(unit);
    }
}


static void
unit_none(void **state)
{
    size_t          i;
    unit_report_t  *unit;

    (void) state;

    for (i = 0; i < unit_nelts(unit_writers); i++) {
        unit = unit_start(unit_writers[i]);
        unit_end(unit);
        unit_well_formed(unit);

        if (i == 0) {
            unit_is(unit, "servers", "0");
            unit_is(unit, "unprotected", "0");
        }

        unit_free(unit);
    }
}


/* Twice the servers are twice the text, and little more memory than that. */

static void
unit_linear(void **state)
{
    char            name[32];
    size_t          i, n, len[2];
    unsigned        twice;
    unit_report_t  *unit;

    (void) state;

    for (i = 0; i < unit_nelts(unit_writers); i++) {
        for (twice = 0; twice <= 1; twice++) {
            unit = unit_start(unit_writers[i]);

            unit->server.requests[0][0][0].count = 1000;
            unit->server.requests[0][1][0].count = 1000;
            unit_cert(unit, "client", "CN=a", 90);

            for (n = 0; n < 2000u << twice; n++) {
                snprintf(name, sizeof(name), "%05zu.test:443", n);
                unit->server.name = name;
                ngx_aop_report_data_server(&unit->report, &unit->server);
            }

            unit_end(unit);
            unit_well_formed(unit);

            assert_true(unit->report.size < unit->len + unit->len / 4
                        + NGX_AOP_REPORT_PARTS * NGX_AOP_REPORT_BLOCK);

            len[twice] = unit->len;
            unit_free(unit);
        }

        assert_true(len[1] <= 2 * len[0]);
    }
}


/* However many blocks there are: without one of them there is no answer. */

static void
unit_memory(void **state)
{
    size_t          i, left, n;
    unit_report_t  *unit;

    (void) state;

    for (i = 0; i < unit_nelts(unit_writers); i++) {
        for (left = 0; left < 200; left++) {
            unit_left = left;
            unit = unit_start(unit_writers[i]);
            unit_left = 1000000;

            unit_cert(unit, "client", "CN=a", 90);

            for (n = 0; n < 100; n++) {
                ngx_aop_report_data_server(&unit->report, &unit->server);
            }

            unit_peer(unit, 0, "192.0.2.1", 5);
            unit_end(unit);

            assert_true(unit->report.failed == (unit->text == NULL));

            n = (unit->text != NULL);
            unit_free(unit);

            if (n) {
                break;
            }
        }

        assert_true(left > 0 && left < 200);
    }
}


int
main(void)
{
    unit_case("JSON", unit_json, NULL);
    unit_case("Prometheus", unit_prometheus, NULL);
    unit_case("Prometheus: unknown, not counted", unit_ready_state, NULL);
    unit_case("Prometheus: certificates", unit_series, NULL);
    unit_case("page", unit_page, NULL);
    unit_case("page: what needs attention first", unit_rank, NULL);
    unit_case("page: what is open", unit_open, NULL);
    unit_case("page: bars", unit_trend, NULL);
    unit_case("JSON: hours", unit_hours, NULL);
    unit_case("page: lines to copy", unit_hint, NULL);
    unit_case("page: verdicts", unit_verdicts, NULL);
    unit_case("page: anchors", unit_anchors, NULL);
    unit_case("page: views and links", unit_view, NULL);
    unit_case("page: enforced, and something is wrong", unit_enforced, NULL);
    unit_cases(unit_expiry_cases, unit_expiry);
    unit_case("hostile text", unit_hostile, NULL);
    unit_case("no server", unit_none, NULL);
    unit_case("linear", unit_linear, NULL);
    unit_case("memory is short", unit_memory, NULL);

    return unit_run("report", NULL, NULL);
}
