
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The tables of the page.  The rows of all servers are in one table, with the
 * server as a column.
 */


#include <string.h>

#include "ngx_aop_page.h"


static void ngx_aop_page_table_start(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_table_t *table,
    const char *server);
static void ngx_aop_page_table_heading(ngx_aop_text_t *text,
    const ngx_aop_report_column_t *column);
static void ngx_aop_page_table_cell(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_column_t *column,
    const ngx_aop_report_value_t *value);
static void ngx_aop_page_table_value(ngx_aop_report_t *report,
    ngx_aop_text_t *text, ngx_aop_report_type_e type,
    const ngx_aop_report_value_t *value);
static void ngx_aop_page_table_list(ngx_aop_text_t *text,
    const ngx_aop_report_list_t *list);
static void ngx_aop_page_table_server(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const char *name);
static const char *ngx_aop_page_table_class(ngx_aop_report_type_e type,
    const ngx_aop_report_value_t *value);
static int ngx_aop_page_table_is_number(ngx_aop_report_type_e type);


static const ngx_aop_report_column_t  ngx_aop_page_table_servers = {
    "server", "Server", NGX_AOP_REPORT_SERVER, 0
};


int
ngx_aop_page_table_all(const ngx_aop_report_t *report)
{
    return report->view.all || report->view.server != NULL;
}


void
ngx_aop_page_table_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row)
{
    ngx_aop_text_t                 *text;
    ngx_aop_report_part_t          *part;
    ngx_aop_report_value_t          name;
    const ngx_aop_report_column_t  *column;

    part = &report->parts[NGX_AOP_PAGE_PART_TABLES
                          + (table - ngx_aop_report_data_tables)];
    text = ngx_aop_report_part(report, part - report->parts);

    if (part->rows++ == 0) {
        ngx_aop_page_table_start(report, text, table, server);
    }

    if (part->rows > NGX_AOP_PAGE_ROWS && !ngx_aop_page_table_all(report)) {
        return;
    }

    ngx_aop_text_puts(text, "<tr role=\"row\">");

    if (server != NULL) {
        name.text = server;
        ngx_aop_page_table_cell(report, text, &ngx_aop_page_table_servers,
                                &name);
    }

    for (column = table->columns; column->name; column++) {
        if (column->title != NULL) {
            ngx_aop_page_table_cell(report, text, column,
                                    &row[column - table->columns]);
        }
    }

    ngx_aop_text_puts(text, "</tr>\n");
}


/*
 * Failures are visible at once, the rest on request.  Some screen readers take
 * a table that is laid out as lines of text for one only if it has the role.
 */

static void
ngx_aop_page_table_start(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_table_t *table, const char *server)
{
    const ngx_aop_report_column_t  *column;

    ngx_aop_text_printf(text, "<details class=\"t\"%s><summary><h2>%s</h2>"
                        "</summary>\n<table role=\"table\"><thead "
                        "role=\"rowgroup\"><tr role=\"row\">",
                        (table->brief || report->view.server) ? " open" : "",
                        table->title);

    if (server != NULL) {
        ngx_aop_page_table_heading(text, &ngx_aop_page_table_servers);
    }

    for (column = table->columns; column->name; column++) {
        if (column->title != NULL) {
            ngx_aop_page_table_heading(text, column);
        }
    }

    ngx_aop_text_puts(text, "</tr></thead><tbody role=\"rowgroup\">\n");
}


static void
ngx_aop_page_table_heading(ngx_aop_text_t *text,
    const ngx_aop_report_column_t *column)
{
    ngx_aop_text_printf(text, "<th role=\"columnheader\"%s>%s</th>",
                        ngx_aop_page_table_is_number(column->type)
                        ? " class=\"number\"" : "",
                        column->title);
}


void
ngx_aop_page_table_end(ngx_aop_report_t *report, size_t i, uint64_t all)
{
    uint64_t                rows;
    ngx_aop_text_t         *text;
    ngx_aop_report_view_t   view;

    text = ngx_aop_report_part(report, NGX_AOP_PAGE_PART_TABLES + i);
    rows = report->parts[NGX_AOP_PAGE_PART_TABLES + i].rows;

    if (rows == 0) {
        ngx_aop_text_printf(text, "<h2>%s</h2>\n<p class=\"none\">None.</p>\n",
                            ngx_aop_report_data_tables[i].title);
        return;
    }

    ngx_aop_text_puts(text, "</tbody></table>\n");

    all = (all > rows) ? all : rows;

    if (rows > NGX_AOP_PAGE_ROWS && !ngx_aop_page_table_all(report)) {
        rows = NGX_AOP_PAGE_ROWS;
    }

    if (all > rows) {
        view = report->view;
        view.all = 1;

        ngx_aop_text_puts(text, "<p class=\"none\">");
        ngx_aop_page_text_number(text, (int64_t) rows);
        ngx_aop_text_puts(text, " of ");
        ngx_aop_page_text_number(text, (int64_t) all);
        ngx_aop_text_puts(text, ", <a href=");
        ngx_aop_page_text_href(text, "html", &view);
        ngx_aop_text_puts(text, ">all</a></p>\n");
    }

    ngx_aop_text_puts(text, "</details>\n");
}


/* On a phone the heading is above, so each cell has its own. */

static void
ngx_aop_page_table_cell(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_column_t *column,
    const ngx_aop_report_value_t *value)
{
    ngx_aop_text_printf(text, "<td role=\"cell\" class=\"c-%s%s%s\" "
                        "data-th=\"",
                        column->name,
                        ngx_aop_page_table_is_number(column->type)
                        ? " number" : "",
                        ngx_aop_page_table_class(column->type, value));
    ngx_aop_page_text(text, column->title);
    ngx_aop_text_puts(text, "\">");

    ngx_aop_page_table_value(report, text, column->type, value);

    ngx_aop_text_puts(text, "</td>");
}


static void
ngx_aop_page_table_value(ngx_aop_report_t *report, ngx_aop_text_t *text,
    ngx_aop_report_type_e type, const ngx_aop_report_value_t *value)
{
    switch (type) {

    case NGX_AOP_REPORT_TEXT:
        ngx_aop_page_text(text, value->text);
        break;

    case NGX_AOP_REPORT_SERVER:
        ngx_aop_page_table_server(report, text, value->text);
        break;

    case NGX_AOP_REPORT_VERDICT:
        ngx_aop_page_text_verdict(text, value->text);
        break;

    case NGX_AOP_REPORT_DAYS:

        if (value->number != NGX_AOP_REPORT_NEVER) {
            ngx_aop_page_text_number(text, value->number);
        }

        break;

    case NGX_AOP_REPORT_NUMBER:
        ngx_aop_page_text_number(text, value->number);
        break;

    case NGX_AOP_REPORT_TIME:

        if (value->number) {
            ngx_aop_page_text_time(text, value->number, report->now);
        }

        break;

    case NGX_AOP_REPORT_BOOLEAN:
        ngx_aop_text_puts(text, value->number ? "yes" : "no");
        break;

    case NGX_AOP_REPORT_LIST:
        ngx_aop_page_table_list(text, value->list);
        break;
    }
}


static void
ngx_aop_page_table_list(ngx_aop_text_t *text,
    const ngx_aop_report_list_t *list)
{
    size_t  i;

    for (i = 0; i < list->n; i++) {
        ngx_aop_text_puts(text, i ? ", " : "");
        ngx_aop_page_text(text, list->names[i]);
    }
}


static void
ngx_aop_page_table_server(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const char *name)
{
    ngx_aop_report_view_t  view;

    if (report->view.server != NULL) {
        ngx_aop_page_text_name(text, name);
        return;
    }

    view = report->view;
    view.server = name;

    ngx_aop_text_puts(text, "<a href=");
    ngx_aop_page_text_href(text, "html", &view);
    ngx_aop_text_puts(text, ">");
    ngx_aop_page_text_name(text, name);
    ngx_aop_text_puts(text, "</a>");
}


static const char *
ngx_aop_page_table_class(ngx_aop_report_type_e type,
    const ngx_aop_report_value_t *value)
{
    if (type != NGX_AOP_REPORT_DAYS || value->number > NGX_AOP_PAGE_SOON) {
        return "";
    }

    return (value->number > NGX_AOP_PAGE_URGENT) ? " soon" : " urgent";
}


static int
ngx_aop_page_table_is_number(ngx_aop_report_type_e type)
{
    return type == NGX_AOP_REPORT_NUMBER || type == NGX_AOP_REPORT_DAYS;
}
