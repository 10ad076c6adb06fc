
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The report as a page for a person in a hurry: readiness of each server
 * first, then what fails and from where, then certificates with days left.
 * One answer, no script, nothing from outside.
 */


#include "ngx_http_aop_report.h"


typedef struct {
    ngx_aop_text_t               *text;
    const ngx_http_aop_table_t   *table;
    ngx_uint_t                    rows;
} ngx_http_aop_html_t;


static void ngx_http_aop_html_servers(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_http_aop_html_ready(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_http_aop_html_tables(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text, ngx_uint_t server);
static void ngx_http_aop_html_head(ngx_http_aop_html_t *ctx);
static void ngx_http_aop_html_row(void *data,
    const ngx_http_aop_value_t *row);
static void ngx_http_aop_html_value(ngx_aop_text_t *text,
    ngx_http_aop_type_e type, const ngx_http_aop_value_t *value);
static void ngx_http_aop_html_text(ngx_aop_text_t *text, const char *data);


static const char  ngx_http_aop_html_start[] =
    "<!DOCTYPE html>\n"
    "<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
    "<meta http-equiv=\"refresh\" content=\"10\">"
    "<title>Authenticated Origin Pulls</title><style>"
    ":root{color-scheme:light dark;--ink:#1b1f24;--paper:#fff;--line:#d0d7de;"
    "--soft:#57606a;--yes:#116329;--no:#a40e26;--unknown:#7d4e00}"
    "@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--paper:#0d1117;"
    "--line:#30363d;--soft:#9198a1;--yes:#3fb950;--no:#ff7b72;"
    "--unknown:#d29922}}"
    "body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:1rem;"
    "max-width:75rem;color:var(--ink);background:var(--paper)}"
    "h1{font-size:1.35rem}h2{font-size:1.1rem;margin:1.5rem 0 .5rem}"
    "h3{font-size:.95rem;margin:1rem 0 .25rem}"
    ".server{border:1px solid var(--line);border-left:.4rem solid;"
    "border-radius:.4rem;padding:.6rem .8rem;margin:.6rem 0}"
    ".yes{border-left-color:var(--yes)}.no{border-left-color:var(--no)}"
    ".unknown{border-left-color:var(--unknown)}"
    ".yes b{color:var(--yes)}.no b{color:var(--no)}"
    ".unknown b{color:var(--unknown)}"
    ".server p{margin:.25rem 0;overflow-wrap:anywhere}"
    ".wide{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:.85rem;min-width:100%}"
    "th,td{text-align:left;padding:.25rem .6rem .25rem 0;"
    "border-bottom:1px solid var(--line);vertical-align:top}"
    "td{max-width:22rem;overflow-wrap:anywhere}"
    "th{color:var(--soft);font-weight:600;white-space:nowrap}"
    "td.number{font-variant-numeric:tabular-nums;text-align:right}"
    "time{white-space:nowrap}footer,.none{color:var(--soft);font-size:.85rem}"
    "</style></head><body><h1>Authenticated Origin Pulls</h1>\n";


void
ngx_http_aop_report_html(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    char                  date[NGX_AOP_DATE];
    ngx_uint_t            i;
    ngx_http_aop_known_t  *known;

    ngx_aop_text_puts(text, ngx_http_aop_html_start);

    ngx_http_aop_html_servers(report, text);
    ngx_http_aop_html_tables(report, text, 0);

    known = report->amcf->servers.elts;

    for (i = 0; i < report->amcf->servers.nelts; i++) {

        if (ngx_http_aop_report_server(report, &known[i]) != NGX_OK) {
            text->overflow = 1;
            return;
        }

        ngx_aop_text_puts(text, "<h2>");
        ngx_http_aop_html_text(text, report->label);
        ngx_aop_text_puts(text, "</h2>\n");

        ngx_http_aop_html_tables(report, text, 1);
    }

    ngx_aop_text_printf(text, "<footer><p>%s; ngx_http_aop_module %s, nginx "
                        "%s, %s</p></footer></body></html>\n",
                        ngx_aop_cert_date(ngx_time(), date),
                        NGX_HTTP_AOP_VERSION, NGINX_VERSION,
                        OpenSSL_version(OPENSSL_VERSION));
}


static void
ngx_http_aop_html_servers(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    ngx_uint_t             i;
    ngx_http_aop_known_t  *known;

    ngx_aop_text_puts(text, "<h2>Safe to enforce?</h2>\n");

    known = report->amcf->servers.elts;

    if (report->amcf->servers.nelts == 0) {
        ngx_aop_text_puts(text, "<p class=\"none\">No server uses "
                          "\"aop\".</p>\n");
    }

    for (i = 0; i < report->amcf->servers.nelts; i++) {

        if (ngx_http_aop_report_server(report, &known[i]) != NGX_OK) {
            text->overflow = 1;
            return;
        }

        ngx_http_aop_html_ready(report, text);
    }
}


static void
ngx_http_aop_html_ready(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    const char  *word;

    word = ngx_aop_ready_word(report->ready);

    ngx_aop_text_printf(text, "<section class=\"server %s\"><p><b>%s</b> ",
                        word, word);
    ngx_http_aop_html_text(text, report->label);
    ngx_aop_text_printf(text, " &middot; mode %s</p><p>", report->mode);
    ngx_http_aop_html_text(text, report->why);
    ngx_aop_text_puts(text, "</p></section>\n");
}


static void
ngx_http_aop_html_tables(ngx_http_aop_report_t *report, ngx_aop_text_t *text,
    ngx_uint_t server)
{
    ngx_http_aop_html_t          ctx;
    const ngx_http_aop_table_t  *table;

    ctx.text = text;

    for (table = ngx_http_aop_tables; table->rows; table++) {

        if (table->name == NULL || table->flat || table->server != server) {
            continue;
        }

        ctx.table = table;
        ctx.rows = 0;

        ngx_aop_text_printf(text, "<h3>%s</h3>", table->title);

        table->rows(report, ngx_http_aop_html_row, &ctx);

        ngx_aop_text_puts(text, ctx.rows ? "</tbody></table></div>\n"
                                         : "<p class=\"none\">None.</p>\n");
    }
}


static void
ngx_http_aop_html_row(void *data, const ngx_http_aop_value_t *row)
{
    ngx_http_aop_html_t *ctx = data;

    ngx_uint_t                    i;
    const ngx_http_aop_column_t  *column;

    if (ctx->rows++ == 0) {
        ngx_http_aop_html_head(ctx);
    }

    column = ctx->table->columns;

    ngx_aop_text_puts(ctx->text, "<tr>");

    for (i = 0; column[i].name; i++) {
        ngx_aop_text_puts(ctx->text, column[i].type == NGX_HTTP_AOP_NUMBER
                                     ? "<td class=\"number\">" : "<td>");
        ngx_http_aop_html_value(ctx->text, column[i].type, &row[i]);
        ngx_aop_text_puts(ctx->text, "</td>");
    }

    ngx_aop_text_puts(ctx->text, "</tr>\n");
}


static void
ngx_http_aop_html_head(ngx_http_aop_html_t *ctx)
{
    ngx_uint_t                    i;
    const ngx_http_aop_column_t  *column;

    column = ctx->table->columns;

    ngx_aop_text_puts(ctx->text, "<div class=\"wide\"><table><thead><tr>");

    for (i = 0; column[i].name; i++) {
        ngx_aop_text_printf(ctx->text, "<th>%s</th>", column[i].title);
    }

    ngx_aop_text_puts(ctx->text, "</tr></thead><tbody>\n");
}


static void
ngx_http_aop_html_value(ngx_aop_text_t *text, ngx_http_aop_type_e type,
    const ngx_http_aop_value_t *value)
{
    char  date[NGX_AOP_DATE];

    switch (type) {

    case NGX_HTTP_AOP_TEXT:
        ngx_http_aop_html_text(text, value->text);
        break;

    case NGX_HTTP_AOP_NUMBER:
        ngx_aop_text_printf(text, "%lld", (long long) value->number);
        break;

    case NGX_HTTP_AOP_TIME:

        if (value->number) {
            ngx_aop_text_printf(text, "<time>%s</time>",
                                ngx_aop_cert_date(value->number, date));
        }

        break;

    case NGX_HTTP_AOP_BOOLEAN:
        ngx_aop_text_puts(text, value->number ? "yes" : "no");
        break;
    }
}


static void
ngx_http_aop_html_text(ngx_aop_text_t *text, const char *data)
{
    ngx_aop_text_html(text, data, ngx_strlen(data));
}
