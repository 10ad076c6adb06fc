
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The report as a page for a person in a hurry: the answer for each server
 * first, then what fails and from where, then certificates with days left.
 * One answer, no script, nothing from outside.
 */


#include <stdio.h>
#include <string.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_report.h"


/* of a table; all of them are in the other formats */

#define NGX_AOP_REPORT_HTML_ROWS    200

#define NGX_AOP_REPORT_HTML_SOON    30
#define NGX_AOP_REPORT_HTML_URGENT  14


/* The parts: the head, the cards by their answer, the tables, the foot. */

typedef enum {
    NGX_AOP_REPORT_HTML_NO = 0,
    NGX_AOP_REPORT_HTML_UNKNOWN,
    NGX_AOP_REPORT_HTML_YES,
    NGX_AOP_REPORT_HTML_ENFORCED,
    NGX_AOP_REPORT_HTML_ANSWERS
} ngx_aop_report_html_answer_e;

#define NGX_AOP_REPORT_HTML_CARDS   1
#define NGX_AOP_REPORT_HTML_TABLES                                            \
    (NGX_AOP_REPORT_HTML_CARDS + NGX_AOP_REPORT_HTML_ANSWERS + 1)
#define NGX_AOP_REPORT_HTML_FOOT    (NGX_AOP_REPORT_PARTS - 1)


static void ngx_aop_report_html_start(ngx_aop_report_t *report);
static void ngx_aop_report_html_end(ngx_aop_report_t *report);
static void ngx_aop_report_html_answers(ngx_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_aop_report_html_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server);
static ngx_aop_report_html_answer_e ngx_aop_report_html_answer(
    const ngx_aop_report_server_t *server);
static void ngx_aop_report_html_label(ngx_aop_text_t *text,
    const char *label);
static void ngx_aop_report_html_why(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_server_t *server);
static void ngx_aop_report_html_refused(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_server_t *server);
static void ngx_aop_report_html_expiry(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_server_t *server);
static const ngx_aop_report_cert_t *ngx_aop_report_html_next(
    ngx_aop_report_t *report, const ngx_aop_report_server_t *server);
static int ngx_aop_report_html_rank(ngx_aop_report_t *report,
    const ngx_aop_report_cert_t *cert);
static void ngx_aop_report_html_peer(ngx_aop_report_t *report, unsigned list,
    const ngx_aop_report_peer_t *peer);
static void ngx_aop_report_html_main(ngx_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_aop_report_html_tables(ngx_aop_report_t *report);
static void ngx_aop_report_html_table(ngx_aop_report_t *report, size_t i,
    uint64_t more);
static void ngx_aop_report_html_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row);
static void ngx_aop_report_html_columns(ngx_aop_text_t *text,
    const ngx_aop_report_table_t *table, const char *server);
static void ngx_aop_report_html_cell(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_column_t *column,
    const ngx_aop_report_value_t *value);
static void ngx_aop_report_html_value(ngx_aop_report_t *report,
    ngx_aop_text_t *text, ngx_aop_report_type_e type,
    const ngx_aop_report_value_t *value);
static int ngx_aop_report_html_is_number(ngx_aop_report_type_e type);
static const char *ngx_aop_report_html_class(ngx_aop_report_type_e type,
    const ngx_aop_report_value_t *value);
static void ngx_aop_report_html_number(ngx_aop_text_t *text, int64_t number);
static void ngx_aop_report_html_time(ngx_aop_text_t *text, time_t t,
    time_t now);
static void ngx_aop_report_html_list(ngx_aop_text_t *text,
    const ngx_aop_report_list_t *list);
static void ngx_aop_report_html_text(ngx_aop_text_t *text, const char *s);


/* by ngx_aop_report_html_answer_e: what wants attention comes first */

static const struct {
    const char  *class;
    const char  *word;
} ngx_aop_report_html_words[NGX_AOP_REPORT_HTML_ANSWERS] = {
    { "no", "No" },
    { "unknown", "Unknown" },
    { "yes", "Yes" },
    { "enforced", "Enforced" }
};


const ngx_aop_report_writer_t  ngx_aop_report_html = {
    "html",
    "text/html; charset=utf-8",
    ngx_aop_report_html_start,
    ngx_aop_report_html_server,
    ngx_aop_report_html_row,
    ngx_aop_report_html_peer,
    ngx_aop_report_html_end
};


static const char  ngx_aop_report_html_head[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
    "<meta name=\"color-scheme\" content=\"light dark\">"
    "<meta name=\"robots\" content=\"noindex\">"
    "<meta http-equiv=\"refresh\" content=\"15\">\n";

static const char  ngx_aop_report_html_style[] =
    "<style>"
    ":root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--card:#f6f8fa;"
    "--line:#d0d7de;--soft:#57606a;--yes:#116329;--no:#b3152e;"
    "--unknown:#7d4e00;--enforced:#0550ae}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;"
    "--card:#161b22;--line:#30363d;--soft:#9198a1;--yes:#56d364;--no:#ff8f87;"
    "--unknown:#e3b341;--enforced:#79c0ff}}\n"
    "*{box-sizing:border-box}"
    "body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:1rem;"
    "max-width:80rem;color:var(--ink);background:var(--paper)}\n"
    "h1{font-size:1.3rem;margin:0}h2{font-size:1.05rem;margin:2rem 0 .5rem}"
    "p{margin:.3rem 0}header p,footer,.none,small{color:var(--soft);"
    "font-size:.85rem}a{color:inherit}\n"
    ".servers{display:grid;gap:.7rem;margin-top:1rem;"
    "grid-template-columns:repeat(auto-fill,minmax(min(26rem,100%),1fr))}"
    ".answer{border:1px solid var(--line);border-left:.4rem solid;"
    "border-radius:.4rem;padding:.5rem .9rem;background:var(--card);"
    "overflow-wrap:anywhere}"
    ".answer h2{margin:0;display:flex;flex-wrap:wrap;gap:0 .6rem;"
    "align-items:baseline}"
    ".answer b{font-size:1.5rem}small{font-weight:400}"
    ".hint{border-left:.15rem solid var(--line);padding-left:.6rem;"
    "color:var(--soft);font-size:.9rem}"
    ".yes{border-left-color:var(--yes)}.no{border-left-color:var(--no)}"
    ".unknown{border-left-color:var(--unknown)}"
    ".enforced{border-left-color:var(--enforced)}"
    ".enforced b{color:var(--enforced)}"
    ".yes b{color:var(--yes)}.no b,.urgent{color:var(--no)}"
    ".unknown b,.soon{color:var(--unknown)}.urgent,.soon{font-weight:600}\n"
    "table{border-collapse:collapse;font-size:.85rem;width:100%}"
    "th,td{text-align:left;padding:.3rem .9rem .3rem 0;"
    "border-bottom:1px solid var(--line);vertical-align:top}"
    "th{color:var(--soft);font-weight:600;white-space:nowrap}"
    ".c-server,.c-address,.c-subject,.c-anchor,.c-host,.c-uri,.c-user_agent,"
    ".c-fingerprint{overflow-wrap:anywhere}"
    ".c-server{min-width:9rem}.c-address{min-width:7.5rem}"
    ".c-host{min-width:6rem}.c-fingerprint{min-width:9rem}"
    ".number{font-variant-numeric:tabular-nums;text-align:right}"
    "time{white-space:nowrap}"
    ".c-fingerprint,.c-uri{font-family:ui-monospace,monospace;"
    "font-size:.75rem}\n"

    /* on a phone a row is a few lines of text */

    "@media(max-width:60rem){thead{display:none}table,tbody,tr{display:block}"
    "tr{border-bottom:1px solid var(--line);padding:.5rem 0}"
    "td,td.number{display:inline-block;max-width:100%;border:0;padding:0;"
    "margin-right:.9rem;text-align:left;min-width:0}"
    "td.c-server{display:block;font-weight:600}td:empty{display:none}"
    "td::before{content:attr(data-th)' ';color:var(--soft);"
    "font:.75rem system-ui,sans-serif}"
    "td.c-server::before{content:none}}\n"
    "</style></head>";


static void
ngx_aop_report_html_start(ngx_aop_report_t *report)
{
    (void) report;
}


/* In the title as well, so that a tab in the background tells. */

static void
ngx_aop_report_html_end(ngx_aop_report_t *report)
{
    char             date[NGX_AOP_DATE];
    ngx_aop_text_t  *text;

    text = ngx_aop_report_part(report, 0);

    ngx_aop_text_puts(text, ngx_aop_report_html_head);
    ngx_aop_text_puts(text, "<title>");
    ngx_aop_report_html_answers(report, text);
    ngx_aop_text_puts(text, "Authenticated Origin Pulls</title>");
    ngx_aop_text_puts(text, ngx_aop_report_html_style);

    ngx_aop_text_puts(text, "<body><header><h1>Authenticated Origin Pulls: "
                      "safe to enforce?</h1><p>");
    ngx_aop_report_html_answers(report, text);
    ngx_aop_text_printf(text, "as of %s, refreshed every 15 seconds</p>"
                        "</header>\n", ngx_aop_cert_date(report->now, date));

    ngx_aop_report_html_main(report, text);
    ngx_aop_report_html_tables(report);

    ngx_aop_text_printf(ngx_aop_report_part(report, NGX_AOP_REPORT_HTML_FOOT),
                        "<footer><p>ngx_http_aop_module %s, nginx %s, %s. "
                        "Times are UTC; counts are since the zone was made. "
                        "The same as <a href=\"?format=json\">JSON</a> and <a "
                        "href=\"?format=prometheus\">Prometheus text</a>."
                        "</p></footer></body></html>\n",
                        report->module, report->nginx, report->openssl);
}


/* What the cards are between. */

static void
ngx_aop_report_html_main(ngx_aop_report_t *report, ngx_aop_text_t *text)
{
    size_t    i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < NGX_AOP_REPORT_HTML_ANSWERS; i++) {
        n += report->answers[i];
    }

    if (n == 0) {
        ngx_aop_text_puts(text, "<p>No server uses \"aop\".</p>\n");
        return;
    }

    ngx_aop_text_puts(text, "<main class=\"servers\">\n");
    ngx_aop_text_puts(ngx_aop_report_part(report,
                                          NGX_AOP_REPORT_HTML_TABLES - 1),
                      "</main>\n");
}


static void
ngx_aop_report_html_tables(ngx_aop_report_t *report)
{
    size_t                         i;
    uint64_t                       more;
    unsigned                       list;
    const ngx_aop_report_table_t  *table;

    for (list = 0; list < 2; list++) {
        for (i = 0; i < report->ntop[list]; i++) {
            ngx_aop_report_data_peer_row(report, list, &report->top[list][i],
                                         ngx_aop_report_html_row);
        }
    }

    list = 0;

    for (i = 0; ngx_aop_report_data_tables[i].columns; i++) {
        table = &ngx_aop_report_data_tables[i];
        more = 0;

        if (table->brief) {
            more = report->peers[list] - report->ntop[list];
            list++;
        }

        if (table->title != NULL && !table->flat) {
            ngx_aop_report_html_table(report, i, more);
        }
    }
}


/* How many servers have each answer. */

static void
ngx_aop_report_html_answers(ngx_aop_report_t *report, ngx_aop_text_t *text)
{
    size_t  i;

    for (i = 0; i < NGX_AOP_REPORT_HTML_ANSWERS; i++) {
        if (report->answers[i]) {
            ngx_aop_text_printf(text, "%s: %llu \302\267 ",
                                ngx_aop_report_html_words[i].word,
                                (unsigned long long) report->answers[i]);
        }
    }
}


static void
ngx_aop_report_html_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server)
{
    ngx_aop_text_t                *text;
    ngx_aop_report_html_answer_e   answer;
    const ngx_aop_report_table_t  *table;

    answer = ngx_aop_report_html_answer(server);
    text = ngx_aop_report_part(report, NGX_AOP_REPORT_HTML_CARDS + answer);

    report->answers[answer]++;

    ngx_aop_text_printf(text, "<section class=\"answer %s\"><h2><b>%s</b> ",
                        ngx_aop_report_html_words[answer].class,
                        ngx_aop_report_html_words[answer].word);
    ngx_aop_report_html_label(text, server->name);
    ngx_aop_text_printf(text, " <small>mode %s</small></h2>", server->mode);

    ngx_aop_report_html_why(report, text, server);
    ngx_aop_report_html_expiry(report, text, server);

    ngx_aop_text_puts(text, "</section>\n");

    for (table = ngx_aop_report_data_tables; table->columns; table++) {
        if (table->title != NULL && table->rows != NULL && !table->flat) {
            table->rows(report, table, server, ngx_aop_report_html_row);
        }
    }
}


static ngx_aop_report_html_answer_e
ngx_aop_report_html_answer(const ngx_aop_report_server_t *server)
{
    if (server->state == NGX_AOP_STATE_ENFORCED) {
        return NGX_AOP_REPORT_HTML_ENFORCED;
    }

    switch (server->answer.ready) {

    case NGX_AOP_READY_NO:
        return NGX_AOP_REPORT_HTML_NO;

    case NGX_AOP_READY_YES:
        return NGX_AOP_REPORT_HTML_YES;

    default:
        return NGX_AOP_REPORT_HTML_UNKNOWN;
    }
}


/* The name is what matters, the address may follow after a space. */

static void
ngx_aop_report_html_label(ngx_aop_text_t *text, const char *label)
{
    size_t  len;

    len = strcspn(label, " ");

    ngx_aop_text_puts(text, "<span>");
    ngx_aop_text_html(text, label, len);
    ngx_aop_text_puts(text, "</span>");

    if (label[len] != '\0') {
        ngx_aop_text_puts(text, " <small>");
        ngx_aop_report_html_text(text, &label[len + 1]);
        ngx_aop_text_puts(text, "</small>");
    }
}


/* With what to do about the worst of the failures that decide. */

static void
ngx_aop_report_html_why(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server)
{
    int  enforced;

    enforced = (server->state == NGX_AOP_STATE_ENFORCED);

    if (enforced && server->counted) {
        ngx_aop_report_html_refused(report, text, server);
    }

    if (!enforced
        || !server->counted
        || server->answer.ready == NGX_AOP_READY_NO)
    {
        ngx_aop_text_puts(text, "<p>");
        ngx_aop_report_html_text(text, server->why);
        ngx_aop_text_puts(text, "</p>");
    }

    if (server->answer.hint != NULL) {
        ngx_aop_text_puts(text, "<p class=\"hint\">");
        ngx_aop_report_html_text(text, server->answer.hint);
        ngx_aop_text_puts(text, "</p>");
    }
}


/* Of an enforced server nobody asks whether to enforce it. */

static void
ngx_aop_report_html_refused(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server)
{
    uint64_t         cloudflare, private;
    const uint64_t  *failed;

    failed = &server->answer.sums[NGX_AOP_SUM_FAILED];

    cloudflare = failed[NGX_AOP_FROM_CLOUDFLARE]
                 + failed[NGX_AOP_FROM_OTHER_HOST];
    private = failed[NGX_AOP_FROM_PRIVATE];

    (void) report;

    ngx_aop_text_puts(text, "<p>In 24 h refused: ");
    ngx_aop_report_html_number(text, cloudflare);
    ngx_aop_text_puts(text, cloudflare == 1 ? " request" : " requests");
    ngx_aop_text_puts(text, " from Cloudflare, ");
    ngx_aop_report_html_number(text, private);
    ngx_aop_text_puts(text, " from private addresses, ");
    ngx_aop_report_html_number(text, failed[NGX_AOP_FROM_DIRECT]
                                     + failed[NGX_AOP_FROM_STRANGER]);
    ngx_aop_text_puts(text, " from others</p>");
}


/* The certificate or CRL to look after first, if that is soon. */

static void
ngx_aop_report_html_expiry(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server)
{
    ngx_aop_report_value_t        days;
    const ngx_aop_report_cert_t  *cert;

    cert = ngx_aop_report_html_next(report, server);

    if (cert == NULL) {
        return;
    }

    days.number = ngx_aop_cert_days(cert->not_after, report->now);

    ngx_aop_text_printf(text, "<p class=\"%s\">%s ",
                        ngx_aop_report_html_class(NGX_AOP_REPORT_DAYS, &days),
                        cert->kind);
    ngx_aop_report_html_text(text, cert->subject);
    ngx_aop_text_puts(text, ": ");
    ngx_aop_report_html_number(text, days.number);
    ngx_aop_text_printf(text, " day%s left</p>",
                        days.number == 1 ? "" : "s");
}


/* The first of the best rank; they are in the order of their dates. */

static const ngx_aop_report_cert_t *
ngx_aop_report_html_next(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server)
{
    int                           best, rank;
    size_t                        i;
    const ngx_aop_report_cert_t  *next;

    best = 0;
    next = NULL;

    for (i = 0; i < server->ncerts; i++) {
        rank = ngx_aop_report_html_rank(report, &server->certs[i]);

        if (rank > best) {
            best = rank;
            next = &server->certs[i];
        }
    }

    return next;
}


/*
 * What has expired comes first.  A CRL comes last: one that is renewed each day
 * is always near its end.
 */

static int
ngx_aop_report_html_rank(ngx_aop_report_t *report,
    const ngx_aop_report_cert_t *cert)
{
    long long  days;

    if (cert->not_after == 0 || cert->replaced) {
        return 0;
    }

    days = ngx_aop_cert_days(cert->not_after, report->now);

    if (days > NGX_AOP_REPORT_HTML_SOON) {
        return 0;
    }

    if (days < 0) {
        return 3;
    }

    return strcmp(cert->kind, "crl") == 0 ? 1 : 2;
}


/* Of each list the most frequent ones are kept, there is no room for more. */

static void
ngx_aop_report_html_peer(ngx_aop_report_t *report, unsigned list,
    const ngx_aop_report_peer_t *peer)
{
    size_t                  i;
    ngx_aop_report_peer_t  *top;

    if (report->top[list] == NULL) {
        report->top[list] = report->alloc(report->data,
                                          NGX_AOP_REPORT_TOP
                                          * sizeof(ngx_aop_report_peer_t));
    }

    top = report->top[list];

    if (top == NULL) {
        report->failed = 1;
        return;
    }

    i = report->ntop[list];

    while (i > 0 && top[i - 1].count < peer->count) {
        i--;
    }

    if (i == NGX_AOP_REPORT_TOP) {
        return;
    }

    if (report->ntop[list] < NGX_AOP_REPORT_TOP) {
        report->ntop[list]++;
    }

    memmove(&top[i + 1], &top[i],
            (report->ntop[list] - i - 1) * sizeof(ngx_aop_report_peer_t));

    top[i] = *peer;
}


/* The rows of all servers are in one table, with the server as a column. */

static void
ngx_aop_report_html_table(ngx_aop_report_t *report, size_t i, uint64_t more)
{
    uint64_t                       rows;
    ngx_aop_text_t                *text;
    const ngx_aop_report_table_t  *table;

    table = &ngx_aop_report_data_tables[i];
    text = ngx_aop_report_part(report, NGX_AOP_REPORT_HTML_TABLES + i);
    rows = report->parts[NGX_AOP_REPORT_HTML_TABLES + i].rows;

    if (rows == 0) {
        ngx_aop_text_printf(text, "<h2>%s</h2>\n<p class=\"none\">None.</p>\n",
                            table->title);
        return;
    }

    ngx_aop_text_puts(text, "</tbody></table>\n");

    if (rows > NGX_AOP_REPORT_HTML_ROWS) {
        more += rows - NGX_AOP_REPORT_HTML_ROWS;
    }

    if (more) {
        ngx_aop_text_printf(text, "<p class=\"none\">And %llu more, see "
                            "<a href=\"?format=json\">JSON</a>.</p>\n",
                            (unsigned long long) more);
    }
}


static void
ngx_aop_report_html_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row)
{
    size_t                          i;
    uint64_t                       *rows;
    ngx_aop_text_t                 *text;
    ngx_aop_report_value_t          name;
    const ngx_aop_report_column_t  *column;

    static const ngx_aop_report_column_t  column_server = {
        "server", "Server", NGX_AOP_REPORT_TEXT, 0
    };

    if (table->title == NULL || table->flat) {
        return;
    }

    i = NGX_AOP_REPORT_HTML_TABLES + (table - ngx_aop_report_data_tables);
    text = ngx_aop_report_part(report, i);
    rows = &report->parts[i].rows;

    if ((*rows)++ == 0) {
        ngx_aop_report_html_columns(text, table, server);
    }

    if (*rows > NGX_AOP_REPORT_HTML_ROWS) {
        return;
    }

    ngx_aop_text_puts(text, "<tr>");

    if (server != NULL) {
        name.text = server;
        ngx_aop_report_html_cell(report, text, &column_server, &name);
    }

    for (column = table->columns; column->name; column++) {
        if (column->title != NULL) {
            ngx_aop_report_html_cell(report, text, column,
                                     &row[column - table->columns]);
        }
    }

    ngx_aop_text_puts(text, "</tr>\n");
}


static void
ngx_aop_report_html_columns(ngx_aop_text_t *text,
    const ngx_aop_report_table_t *table, const char *server)
{
    const char                     *class;
    const ngx_aop_report_column_t  *column;

    ngx_aop_text_printf(text, "<h2>%s</h2>\n<table><thead><tr>",
                        table->title);

    if (server != NULL) {
        ngx_aop_text_puts(text, "<th>Server</th>");
    }

    for (column = table->columns; column->name; column++) {
        if (column->title != NULL) {
            class = ngx_aop_report_html_is_number(column->type)
                    ? " class=\"number\"" : "";

            ngx_aop_text_printf(text, "<th%s>%s</th>", class, column->title);
        }
    }

    ngx_aop_text_puts(text, "</tr></thead><tbody>\n");
}


/* On a phone the heading is above, so each cell has its own. */

static void
ngx_aop_report_html_cell(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_column_t *column,
    const ngx_aop_report_value_t *value)
{
    ngx_aop_text_printf(text, "<td class=\"c-%s %s%s\" data-th=\"",
                        column->name,
                        ngx_aop_report_html_is_number(column->type)
                        ? "number " : "",
                        ngx_aop_report_html_class(column->type, value));
    ngx_aop_report_html_text(text, column->title);
    ngx_aop_text_puts(text, "\">");

    ngx_aop_report_html_value(report, text, column->type, value);

    ngx_aop_text_puts(text, "</td>");
}


static void
ngx_aop_report_html_value(ngx_aop_report_t *report, ngx_aop_text_t *text,
    ngx_aop_report_type_e type, const ngx_aop_report_value_t *value)
{
    switch (type) {

    case NGX_AOP_REPORT_TEXT:
        ngx_aop_report_html_text(text, value->text);
        break;

    case NGX_AOP_REPORT_DAYS:

        if (value->number != NGX_AOP_REPORT_NEVER) {
            ngx_aop_report_html_number(text, value->number);
        }

        break;

    case NGX_AOP_REPORT_NUMBER:
        ngx_aop_report_html_number(text, value->number);
        break;

    case NGX_AOP_REPORT_TIME:

        if (value->number) {
            ngx_aop_report_html_time(text, value->number, report->now);
        }

        break;

    case NGX_AOP_REPORT_BOOLEAN:
        ngx_aop_text_puts(text, value->number ? "yes" : "no");
        break;

    case NGX_AOP_REPORT_LIST:
        ngx_aop_report_html_list(text, value->list);
        break;
    }
}


static int
ngx_aop_report_html_is_number(ngx_aop_report_type_e type)
{
    return type == NGX_AOP_REPORT_NUMBER || type == NGX_AOP_REPORT_DAYS;
}


static const char *
ngx_aop_report_html_class(ngx_aop_report_type_e type,
    const ngx_aop_report_value_t *value)
{
    if (type != NGX_AOP_REPORT_DAYS
        || value->number > NGX_AOP_REPORT_HTML_SOON)
    {
        return "";
    }

    return (value->number > NGX_AOP_REPORT_HTML_URGENT) ? "soon" : "urgent";
}


/* 1284567 is 1,284,567 */

static void
ngx_aop_report_html_number(ngx_aop_text_t *text, int64_t number)
{
    int   i, n;
    char  digits[sizeof("-9223372036854775808")];

    n = snprintf(digits, sizeof(digits), "%lld", (long long) number);

    for (i = 0; i < n; i++) {
        ngx_aop_text_put(text, &digits[i], 1);

        if (digits[i] != '-' && i + 1 < n && (n - i - 1) % 3 == 0) {
            ngx_aop_text_puts(text, ",");
        }
    }
}


/* What is past is told by its age, with the time itself as a tip. */

static void
ngx_aop_report_html_time(ngx_aop_text_t *text, time_t t, time_t now)
{
    char    date[NGX_AOP_DATE];
    size_t  i;
    time_t  age;

    static const struct {
        time_t       below;
        time_t       unit;
        const char  *word;
    } units[] = {
        { 120, 1, "s" },
        { 120 * 60, 60, "min" },
        { 48 * 3600, 3600, "h" },
        { 0, 86400, "days" }
    };

    age = now - t;

    (void) ngx_aop_cert_date(t, date);

    ngx_aop_text_printf(text, "<time datetime=\"%s\" title=\"%s\">", date,
                        date);

    if (age < 0) {
        ngx_aop_text_printf(text, "%.10s</time>", date);
        return;
    }

    for (i = 0; units[i].below && age >= units[i].below; i++) { /* void */ }

    ngx_aop_text_printf(text, "%lld %s ago</time>",
                        (long long) (age / units[i].unit), units[i].word);
}


static void
ngx_aop_report_html_list(ngx_aop_text_t *text,
    const ngx_aop_report_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        ngx_aop_text_puts(text, i ? ", " : "");
        ngx_aop_report_html_text(text, list->names[i]);
    }
}


static void
ngx_aop_report_html_text(ngx_aop_text_t *text, const char *s)
{
    ngx_aop_text_html(text, s, strlen(s));
}
