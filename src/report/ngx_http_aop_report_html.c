
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The report as a page for a person in a hurry: readiness of each server
 * first, then what fails and from where, then certificates with days left.
 * One answer, no script, nothing from outside.
 */


#include "ngx_http_aop_report.h"


/* of a table; all of them are in the other formats */

#define NGX_HTTP_AOP_HTML_ROWS    200
#define NGX_HTTP_AOP_HTML_TOP     10

#define NGX_HTTP_AOP_HTML_SOON    30
#define NGX_HTTP_AOP_HTML_URGENT  14


typedef struct {
    ngx_aop_text_t               *text;
    const ngx_http_aop_table_t   *table;
    const char                   *server;   /* NULL in tables of no server */
    ngx_uint_t                    rows;
    ngx_uint_t                    max;
} ngx_http_aop_html_t;


static void ngx_http_aop_html_answers(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_http_aop_html_servers(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);
static ngx_uint_t ngx_http_aop_html_ready(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text, ngx_aop_ready_e ready, ngx_uint_t show);
static void ngx_http_aop_html_server(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_http_aop_html_label(ngx_aop_text_t *text,
    const char *label);
static void ngx_http_aop_html_hint(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_http_aop_html_ending(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_http_aop_html_table(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_http_aop_table_t *table);
static void ngx_http_aop_html_rows(ngx_http_aop_report_t *report,
    ngx_http_aop_html_t *ctx);
static void ngx_http_aop_html_head(ngx_http_aop_html_t *ctx);
static void ngx_http_aop_html_row(void *data,
    const ngx_http_aop_value_t *row);
static void ngx_http_aop_html_cell(ngx_aop_text_t *text,
    const ngx_http_aop_column_t *column, const ngx_http_aop_value_t *value);
static void ngx_http_aop_html_value(ngx_aop_text_t *text,
    ngx_http_aop_type_e type, const ngx_http_aop_value_t *value);
static const char *ngx_http_aop_html_class(ngx_http_aop_type_e type,
    const ngx_http_aop_value_t *value);
static void ngx_http_aop_html_number(ngx_aop_text_t *text, int64_t number);
static void ngx_http_aop_html_time(ngx_aop_text_t *text, time_t t);
static void ngx_http_aop_html_text(ngx_aop_text_t *text, const char *data);


/* what wants attention comes first */

static const struct {
    ngx_aop_ready_e   ready;
    const char       *word;
} ngx_http_aop_html_words[] = {
    { NGX_AOP_READY_NO, "No" },
    { NGX_AOP_READY_UNKNOWN, "Unknown" },
    { NGX_AOP_READY_YES, "Yes" },
    { 0, NULL }
};


static const char  ngx_http_aop_html_start[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
    "<meta name=\"color-scheme\" content=\"light dark\">"
    "<meta name=\"robots\" content=\"noindex\">"
    "<meta http-equiv=\"refresh\" content=\"15\">\n";

static const char  ngx_http_aop_html_style[] =
    "<style>"
    ":root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--card:#f6f8fa;"
    "--line:#d0d7de;--soft:#57606a;--yes:#116329;--no:#b3152e;"
    "--unknown:#7d4e00}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;"
    "--card:#161b22;--line:#30363d;--soft:#9198a1;--yes:#56d364;--no:#ff8f87;"
    "--unknown:#e3b341}}\n"
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


void
ngx_http_aop_report_html(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    char                         date[NGX_AOP_DATE];
    const ngx_http_aop_table_t  *table;

    /* in the title, so that a tab in the background tells, too */

    ngx_aop_text_puts(text, ngx_http_aop_html_start);
    ngx_aop_text_puts(text, "<title>");
    ngx_http_aop_html_answers(report, text);
    ngx_aop_text_puts(text, "Authenticated Origin Pulls</title>");
    ngx_aop_text_puts(text, ngx_http_aop_html_style);

    ngx_aop_text_puts(text, "<body><header><h1>Authenticated Origin Pulls: "
                      "safe to enforce?</h1><p>");
    ngx_http_aop_html_answers(report, text);
    ngx_aop_text_printf(text, "as of %s, refreshed every 15 seconds</p>"
                        "</header>\n", ngx_aop_cert_date(ngx_time(), date));

    ngx_http_aop_html_servers(report, text);

    for (table = ngx_http_aop_report_data_tables; table->rows; table++) {
        if (table->name != NULL && !table->flat) {
            ngx_http_aop_html_table(report, text, table);
        }
    }

    ngx_aop_text_printf(text, "<footer><p>ngx_http_aop_module %s, nginx %s, "
                        "%s. Times are UTC; counts are since the zone was "
                        "made. The same as <a href=\"?format=json\">JSON</a> "
                        "and <a href=\"?format=prometheus\">Prometheus "
                        "text</a>.</p></footer></body></html>\n",
                        NGX_HTTP_AOP_VERSION, NGINX_VERSION,
                        OpenSSL_version(OPENSSL_VERSION));
}


/* How many servers have each answer. */

static void
ngx_http_aop_html_answers(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    ngx_uint_t  i, n;

    for (i = 0; ngx_http_aop_html_words[i].word; i++) {
        n = ngx_http_aop_html_ready(report, text,
                                    ngx_http_aop_html_words[i].ready, 0);
        if (n) {
            ngx_aop_text_printf(text, "%s: %ld \302\267 ",
                                ngx_http_aop_html_words[i].word, (long) n);
        }
    }
}


static void
ngx_http_aop_html_servers(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    ngx_uint_t  i;

    if (report->amcf->servers.nelts == 0) {
        ngx_aop_text_puts(text, "<p>No server uses \"aop\".</p>\n");
        return;
    }

    ngx_aop_text_puts(text, "<main class=\"servers\">\n");

    for (i = 0; ngx_http_aop_html_words[i].word; i++) {
        (void) ngx_http_aop_html_ready(report, text,
                                       ngx_http_aop_html_words[i].ready, 1);
    }

    ngx_aop_text_puts(text, "</main>\n");
}


/* Returns how many servers have that answer, and may show them. */

static ngx_uint_t
ngx_http_aop_html_ready(ngx_http_aop_report_t *report, ngx_aop_text_t *text,
    ngx_aop_ready_e ready, ngx_uint_t show)
{
    ngx_uint_t              i, n;
    ngx_http_aop_server_t  *server;

    n = 0;
    server = report->amcf->servers.elts;

    for (i = 0; i < report->amcf->servers.nelts; i++) {

        if (ngx_http_aop_report_data_server(report, &server[i]) != NGX_OK) {
            text->overflow = 1;
            return n;
        }

        if (report->ready != ready) {
            continue;
        }

        n++;

        if (show) {
            ngx_http_aop_html_server(report, text);
        }
    }

    return n;
}


static void
ngx_http_aop_html_server(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    ngx_uint_t  i;

    for (i = 0; ngx_http_aop_html_words[i].ready != report->ready; i++) {
        /* void */
    }

    ngx_aop_text_printf(text, "<section class=\"answer %s\"><h2><b>%s</b> ",
                        ngx_aop_ready_word(report->ready),
                        ngx_http_aop_html_words[i].word);
    ngx_http_aop_html_label(text, report->label);
    ngx_aop_text_printf(text, " <small>mode %s</small></h2><p>",
                        report->mode);
    ngx_http_aop_html_text(text, report->why);
    ngx_aop_text_puts(text, "</p>");

    ngx_http_aop_html_hint(report, text);
    ngx_http_aop_html_ending(report, text);

    ngx_aop_text_puts(text, "</section>\n");
}


/* The name is what matters, the address may follow after a space. */

static void
ngx_http_aop_html_label(ngx_aop_text_t *text, const char *label)
{
    size_t  len;

    len = strcspn(label, " ");

    ngx_aop_text_puts(text, "<span>");
    ngx_aop_text_html(text, label, len);
    ngx_aop_text_puts(text, "</span>");

    if (label[len] != '\0') {
        ngx_aop_text_puts(text, " <small>");
        ngx_http_aop_html_text(text, &label[len + 1]);
        ngx_aop_text_puts(text, "</small>");
    }
}


/* What to do about the worst of the failures that decide. */

static void
ngx_http_aop_html_hint(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    if (report->answer.hint != NULL) {
        ngx_aop_text_puts(text, "<p class=\"hint\">");
        ngx_http_aop_html_text(text, report->answer.hint);
        ngx_aop_text_puts(text, "</p>");
    }
}


/* The certificate or CRL that ends next, if that is soon. */

static void
ngx_http_aop_html_ending(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    ngx_uint_t                i;
    const char               *class;
    ngx_http_aop_value_t      days;
    ngx_http_aop_validity_t  *ending;

    ending = report->endings->elts;

    for (i = 0; i < report->endings->nelts; i++) {

        if (ending[i].not_after == 0 || ending[i].replaced) {
            continue;
        }

        days.number = ngx_http_aop_validity_days_left(ending[i].not_after);
        class = ngx_http_aop_html_class(NGX_HTTP_AOP_TYPE_DAYS, &days);

        if (class[0] != '\0') {
            ngx_aop_text_printf(text, "<p class=\"%s\">%s ", class,
                                ending[i].kind);
            ngx_http_aop_html_text(text, ending[i].subject);
            ngx_aop_text_puts(text, ": ");
            ngx_http_aop_html_value(text, NGX_HTTP_AOP_TYPE_DAYS, &days);
            ngx_aop_text_puts(text, " days left</p>");
        }

        return;
    }
}


/* The rows of all servers are in one table, with the server as a column. */

static void
ngx_http_aop_html_table(ngx_http_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_http_aop_table_t *table)
{
    ngx_http_aop_html_t  ctx;

    ngx_memzero(&ctx, sizeof(ngx_http_aop_html_t));

    ctx.text = text;
    ctx.table = table;
    ctx.max = table->brief ? NGX_HTTP_AOP_HTML_TOP : NGX_HTTP_AOP_HTML_ROWS;

    ngx_aop_text_printf(text, "<h2>%s</h2>\n", table->title);

    ngx_http_aop_html_rows(report, &ctx);

    if (ctx.rows == 0) {
        ngx_aop_text_puts(text, "<p class=\"none\">None.</p>\n");
        return;
    }

    ngx_aop_text_puts(text, "</tbody></table>\n");

    if (ctx.rows > ctx.max) {
        ngx_aop_text_printf(text, "<p class=\"none\">And %ld more, see "
                            "<a href=\"?format=json\">JSON</a>.</p>\n",
                            (long) (ctx.rows - ctx.max));
    }
}


static void
ngx_http_aop_html_rows(ngx_http_aop_report_t *report, ngx_http_aop_html_t *ctx)
{
    ngx_uint_t              i;
    ngx_http_aop_server_t  *server;

    if (!ctx->table->server) {
        ctx->table->rows(report, ngx_http_aop_html_row, ctx);
        return;
    }

    server = report->amcf->servers.elts;

    for (i = 0; i < report->amcf->servers.nelts; i++) {

        if (ngx_http_aop_report_data_server(report, &server[i]) != NGX_OK) {
            ctx->text->overflow = 1;
            return;
        }

        ctx->server = report->label;
        ctx->table->rows(report, ngx_http_aop_html_row, ctx);
    }
}


static void
ngx_http_aop_html_row(void *data, const ngx_http_aop_value_t *row)
{
    ngx_http_aop_html_t *ctx = data;

    ngx_uint_t                    i;
    ngx_http_aop_value_t          server;
    const ngx_http_aop_column_t  *column;

    static const ngx_http_aop_column_t  column_server = {
        "server", "Server", NGX_HTTP_AOP_TYPE_TEXT, 0
    };

    if (ctx->rows++ == 0) {
        ngx_http_aop_html_head(ctx);
    }

    if (ctx->rows > ctx->max) {
        return;
    }

    column = ctx->table->columns;

    ngx_aop_text_puts(ctx->text, "<tr>");

    if (ctx->server != NULL) {
        server.text = ctx->server;
        ngx_http_aop_html_cell(ctx->text, &column_server, &server);
    }

    for (i = 0; column[i].name; i++) {
        if (column[i].title != NULL) {
            ngx_http_aop_html_cell(ctx->text, &column[i], &row[i]);
        }
    }

    ngx_aop_text_puts(ctx->text, "</tr>\n");
}


static void
ngx_http_aop_html_head(ngx_http_aop_html_t *ctx)
{
    ngx_uint_t                    i;
    const char                   *class;
    const ngx_http_aop_column_t  *column;

    column = ctx->table->columns;

    ngx_aop_text_puts(ctx->text, "<table><thead><tr>");

    if (ctx->server != NULL) {
        ngx_aop_text_puts(ctx->text, "<th>Server</th>");
    }

    for (i = 0; column[i].name; i++) {

        if (column[i].title == NULL) {
            continue;
        }

        class = (column[i].type == NGX_HTTP_AOP_TYPE_NUMBER
                 || column[i].type == NGX_HTTP_AOP_TYPE_DAYS)
                ? " class=\"number\"" : "";

        ngx_aop_text_printf(ctx->text, "<th%s>%s</th>", class,
                            column[i].title);
    }

    ngx_aop_text_puts(ctx->text, "</tr></thead><tbody>\n");
}


/* On a phone the heading is above, so each cell has its own. */

static void
ngx_http_aop_html_cell(ngx_aop_text_t *text,
    const ngx_http_aop_column_t *column, const ngx_http_aop_value_t *value)
{
    const char  *kind;

    kind = (column->type == NGX_HTTP_AOP_TYPE_NUMBER
            || column->type == NGX_HTTP_AOP_TYPE_DAYS)
           ? "number " : "";

    ngx_aop_text_printf(text, "<td class=\"c-%s %s%s\" data-th=\"%s\">",
                        column->name, kind,
                        ngx_http_aop_html_class(column->type, value),
                        column->title);

    ngx_http_aop_html_value(text, column->type, value);

    ngx_aop_text_puts(text, "</td>");
}


static void
ngx_http_aop_html_value(ngx_aop_text_t *text, ngx_http_aop_type_e type,
    const ngx_http_aop_value_t *value)
{
    switch (type) {

    case NGX_HTTP_AOP_TYPE_TEXT:
        ngx_http_aop_html_text(text, value->text);
        break;

    case NGX_HTTP_AOP_TYPE_DAYS:

        if (value->number != NGX_HTTP_AOP_NEVER) {
            ngx_http_aop_html_number(text, value->number);
        }

        break;

    case NGX_HTTP_AOP_TYPE_NUMBER:
        ngx_http_aop_html_number(text, value->number);
        break;

    case NGX_HTTP_AOP_TYPE_TIME:

        if (value->number) {
            ngx_http_aop_html_time(text, value->number);
        }

        break;

    case NGX_HTTP_AOP_TYPE_BOOLEAN:
        ngx_aop_text_puts(text, value->number ? "yes" : "no");
        break;
    }
}


static const char *
ngx_http_aop_html_class(ngx_http_aop_type_e type,
    const ngx_http_aop_value_t *value)
{
    if (type != NGX_HTTP_AOP_TYPE_DAYS
        || value->number > NGX_HTTP_AOP_HTML_SOON) {
        return "";
    }

    return (value->number > NGX_HTTP_AOP_HTML_URGENT) ? "soon" : "urgent";
}


/* 1284567 is 1,284,567 */

static void
ngx_http_aop_html_number(ngx_aop_text_t *text, int64_t number)
{
    int      i, n;
    char     digits[NGX_INT64_LEN + 1];

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
ngx_http_aop_html_time(ngx_aop_text_t *text, time_t t)
{
    char        date[NGX_AOP_DATE];
    time_t      age;
    ngx_uint_t  i;

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

    age = ngx_time() - t;

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
ngx_http_aop_html_text(ngx_aop_text_t *text, const char *data)
{
    ngx_aop_text_html(text, data, ngx_strlen(data));
}
