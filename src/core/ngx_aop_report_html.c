
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The report as a page for a person in a hurry: the servers first, those that
 * need attention before the others, then what fails and from where, then
 * certificates with days left, then what the verdicts mean.
 */


#include <string.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_page.h"


#define NGX_AOP_REPORT_HTML_REFRESH  30


static void ngx_aop_report_html_start(ngx_aop_report_t *report);
static void ngx_aop_report_html_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row);
static void ngx_aop_report_html_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server);
static void ngx_aop_report_html_peer(ngx_aop_report_t *report, unsigned list,
    const ngx_aop_report_peer_t *peer);
static void ngx_aop_report_html_end(ngx_aop_report_t *report);
static void ngx_aop_report_html_head(ngx_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_aop_report_html_refresh(ngx_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_aop_report_html_groups(ngx_aop_report_t *report);
static uint64_t ngx_aop_report_html_count(const ngx_aop_report_t *report,
    size_t group);
static void ngx_aop_report_html_tables(ngx_aop_report_t *report);
static void ngx_aop_report_html_foot(ngx_aop_report_t *report,
    ngx_aop_text_t *text);
static void ngx_aop_report_html_link(ngx_aop_text_t *text, const char *format,
    const ngx_aop_report_view_t *view, const char *words);


/* The servers of the page, of whom each group has the ranks up to one. */

static const struct {
    const char           *id;
    const char           *title;
    ngx_aop_page_rank_e   last;
} ngx_aop_report_html_list[] = {
    { "attention", "Needs attention", NGX_AOP_PAGE_ATTENTION },
    { "observing", "Observing: safe to enforce?", NGX_AOP_PAGE_READY },
    { "enforcing", "Enforcing", NGX_AOP_PAGE_ENFORCED },
    { "off", "Off", NGX_AOP_PAGE_OFF }
};

#define NGX_AOP_REPORT_HTML_GROUPS                                            \
    (sizeof(ngx_aop_report_html_list) / sizeof(ngx_aop_report_html_list[0]))


const ngx_aop_report_writer_t  ngx_aop_report_html = {
    "html",
    "text/html; charset=utf-8",
    NGX_AOP_REPORT_HTML_REFRESH,
    ngx_aop_report_html_start,
    ngx_aop_report_html_server,
    ngx_aop_report_html_row,
    ngx_aop_report_html_peer,
    ngx_aop_page_server_off,
    ngx_aop_report_html_end
};


static void
ngx_aop_report_html_start(ngx_aop_report_t *report)
{
    (void) report;
}


static void
ngx_aop_report_html_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row)
{
    if (table->title != NULL && !table->flat) {
        ngx_aop_page_table_row(report, table, server, row);
    }
}


static void
ngx_aop_report_html_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server)
{
    const ngx_aop_report_table_t  *table;

    ngx_aop_page_server(report, server);

    for (table = ngx_aop_report_data_tables; table->columns; table++) {
        if (table->title != NULL && table->rows != NULL) {
            table->rows(report, table, server, ngx_aop_report_html_row);
        }
    }
}


/* Of each list, the most frequent are kept, unless all are requested. */

static void
ngx_aop_report_html_peer(ngx_aop_report_t *report, unsigned list,
    const ngx_aop_report_peer_t *peer)
{
    size_t                  i;
    ngx_aop_report_peer_t  *top;

    if (ngx_aop_page_table_all(report)) {
        ngx_aop_report_data_peer_row(report, list, peer,
                                     ngx_aop_report_html_row);
        return;
    }

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


static void
ngx_aop_report_html_end(ngx_aop_report_t *report)
{
    ngx_aop_text_t  *foot;

    foot = ngx_aop_report_part(report, NGX_AOP_PAGE_PART_FOOT);

    ngx_aop_report_html_head(report, ngx_aop_report_part(report, 0));
    ngx_aop_report_html_groups(report);
    ngx_aop_report_html_tables(report);
    ngx_aop_page_verdicts(foot);
    ngx_aop_report_html_foot(report, foot);
}


/* Also in the title, for a tab in the background. */

static void
ngx_aop_report_html_head(ngx_aop_report_t *report, ngx_aop_text_t *text)
{
    int       any;
    size_t    i;
    uint64_t  n;

    any = 0;

    ngx_aop_text_puts(text, "<!DOCTYPE html>\n<html lang=\"en\"><head>"
                      "<meta charset=\"utf-8\"><meta name=\"viewport\" "
                      "content=\"width=device-width,initial-scale=1\">"
                      "<meta name=\"color-scheme\" content=\"light dark\">"
                      "<meta name=\"robots\" content=\"noindex\">\n<title>");
    ngx_aop_page_server_words(report, text);
    ngx_aop_text_puts(text, "Authenticated Origin Pulls</title>\n");
    ngx_aop_text_puts(text, ngx_aop_page_style);
    ngx_aop_text_puts(text, "</head>\n<body><header><h1>Authenticated Origin "
                      "Pulls</h1><p>");

    for (i = 0; i < NGX_AOP_REPORT_HTML_GROUPS; i++) {
        n = ngx_aop_report_html_count(report, i);

        if (n != 0) {
            ngx_aop_text_puts(text, any++ ? " \302\267 " : "");
            ngx_aop_text_printf(text, "<a href=\"#%s\">%.*s: %llu</a>",
                                ngx_aop_report_html_list[i].id,
                                (int) strcspn(ngx_aop_report_html_list[i].title,
                                              ":"),
                                ngx_aop_report_html_list[i].title,
                                (unsigned long long) n);
        }
    }

    ngx_aop_text_puts(text, "</p>\n<p>");
    ngx_aop_report_html_refresh(report, text);
    ngx_aop_text_puts(text, "</p></header>\n<main>\n");
}


static void
ngx_aop_report_html_refresh(ngx_aop_report_t *report, ngx_aop_text_t *text)
{
    char                   date[NGX_AOP_DATE];
    ngx_aop_report_view_t  view;

    view = report->view;
    view.paused = !view.paused;

    (void) ngx_aop_cert_date(report->now, date);

    ngx_aop_text_printf(text, "<time datetime=\"%s\" title=\"%s\">%.8s UTC"
                        "</time>, ", date, date, &date[11]);

    if (report->view.paused) {
        ngx_aop_text_puts(text, "not refreshed, ");
        ngx_aop_report_html_link(text, "html", &view, "refresh");

    } else {
        ngx_aop_text_printf(text, "refreshed every %d s, ",
                            NGX_AOP_REPORT_HTML_REFRESH);
        ngx_aop_report_html_link(text, "html", &view, "pause");
    }

    if (view.server != NULL) {
        view = report->view;
        view.server = NULL;

        ngx_aop_text_puts(text, " \302\267 ");
        ngx_aop_report_html_link(text, "html", &view, "all servers");
    }
}


/* What the servers are between, in the parts before and after theirs. */

static void
ngx_aop_report_html_groups(ngx_aop_report_t *report)
{
    int              none;
    size_t           i, part;
    uint64_t         n;
    ngx_aop_text_t  *text;

    none = 1;
    text = ngx_aop_report_part(report, 0);

    for (i = 0; i < NGX_AOP_REPORT_HTML_GROUPS; i++) {
        n = ngx_aop_report_html_count(report, i);

        if (n != 0) {
            none = 0;
            ngx_aop_text_printf(text, "<section id=\"%s\"><h2>%s</h2>\n"
                                "<div class=\"list\">\n",
                                ngx_aop_report_html_list[i].id,
                                ngx_aop_report_html_list[i].title);
        }

        part = NGX_AOP_PAGE_PART_SERVERS + ngx_aop_report_html_list[i].last;
        text = ngx_aop_report_part(report, part);

        if (n != 0) {
            ngx_aop_text_puts(text, "</div></section>\n");
        }
    }

    if (none) {
        ngx_aop_text_puts(text, "<p>No server uses \"aop\".</p>\n");
    }
}


static uint64_t
ngx_aop_report_html_count(const ngx_aop_report_t *report, size_t group)
{
    size_t    rank;
    uint64_t  n;

    n = 0;
    rank = group ? ngx_aop_report_html_list[group - 1].last + 1 : 0;

    for ( /* void */ ; rank <= ngx_aop_report_html_list[group].last; rank++) {
        n += report->parts[NGX_AOP_PAGE_PART_SERVERS + rank].rows;
    }

    return n;
}


static void
ngx_aop_report_html_tables(ngx_aop_report_t *report)
{
    size_t                         i;
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

        if (table->title != NULL && !table->flat) {
            ngx_aop_page_table_end(report, i,
                                   table->brief ? report->peers[list++] : 0);
        }
    }
}


static void
ngx_aop_report_html_foot(ngx_aop_report_t *report, ngx_aop_text_t *text)
{
    ngx_aop_text_printf(text, "</main>\n<footer><p>ngx_http_aop_module %s, "
                        "nginx %s, %s. Times are UTC; counters started when "
                        "\"aop_zone\" was created. The same as ",
                        report->module, report->nginx, report->openssl);
    ngx_aop_report_html_link(text, "json", &report->view, "JSON");
    ngx_aop_text_puts(text, " and ");
    ngx_aop_report_html_link(text, "prometheus", &report->view,
                             "Prometheus text");
    ngx_aop_text_puts(text, ".</p></footer></body></html>\n");
}


static void
ngx_aop_report_html_link(ngx_aop_text_t *text, const char *format,
    const ngx_aop_report_view_t *view, const char *words)
{
    ngx_aop_text_puts(text, "<a href=");
    ngx_aop_page_text_href(text, format, view);
    ngx_aop_text_printf(text, ">%s</a>", words);
}
