
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The report as JSON (RFC 8259); times are ISO 8601, none is null. */


#include <string.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_report.h"


/* The members of the answer that are not tables; each table is a part after. */

#define NGX_AOP_REPORT_JSON_SERVERS  0
#define NGX_AOP_REPORT_JSON_TABLES   1


static void ngx_aop_report_json_start(ngx_aop_report_t *report);
static void ngx_aop_report_json_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server);
static void ngx_aop_report_json_server_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row);
static void ngx_aop_report_json_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row);
static void ngx_aop_report_json_end(ngx_aop_report_t *report);
static void ngx_aop_report_json_object(ngx_aop_report_t *report, size_t i,
    const ngx_aop_report_table_t *table, const ngx_aop_report_value_t *row);
static void ngx_aop_report_json_members(ngx_aop_text_t *text,
    const ngx_aop_report_table_t *table, const ngx_aop_report_value_t *row);
static void ngx_aop_report_json_value(ngx_aop_text_t *text,
    ngx_aop_report_type_e type, const ngx_aop_report_value_t *value);
static void ngx_aop_report_json_number(ngx_aop_text_t *text, int64_t number,
    int null);
static void ngx_aop_report_json_time(ngx_aop_text_t *text, time_t t);
static void ngx_aop_report_json_list(ngx_aop_text_t *text,
    const ngx_aop_report_list_t *list);
static void ngx_aop_report_json_string(ngx_aop_text_t *text, const char *s);


const ngx_aop_report_writer_t  ngx_aop_report_json = {
    "json",
    "application/json",
    0,
    ngx_aop_report_json_start,
    ngx_aop_report_json_server,
    ngx_aop_report_json_row,
    NULL,
    NULL,
    ngx_aop_report_json_end
};


static void
ngx_aop_report_json_start(ngx_aop_report_t *report)
{
    size_t                         i;
    ngx_aop_text_t                *text;
    const ngx_aop_report_table_t  *table;

    ngx_aop_text_puts(ngx_aop_report_part(report, NGX_AOP_REPORT_JSON_SERVERS),
                      "{");

    for (i = 0; ngx_aop_report_data_tables[i].columns; i++) {
        table = &ngx_aop_report_data_tables[i];

        if (table->name != NULL && table->rows == NULL && !table->flat) {
            text = ngx_aop_report_part(report, NGX_AOP_REPORT_JSON_TABLES + i);
            ngx_aop_text_printf(text, ",\n\"%s\":[", table->name);
        }
    }
}


/* The flat table comes first; each member but the first follows a comma. */

static void
ngx_aop_report_json_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server)
{
    ngx_aop_text_t                *text;
    ngx_aop_report_part_t         *part;
    const ngx_aop_report_table_t  *table;

    text = ngx_aop_report_part(report, NGX_AOP_REPORT_JSON_SERVERS);
    part = &report->parts[NGX_AOP_REPORT_JSON_SERVERS];

    if (report->answers[0]++ == 0) {
        ngx_aop_text_puts(text, ",\"servers\":[\n{");

    } else {
        ngx_aop_text_puts(text, ",\n{");
    }

    for (table = ngx_aop_report_data_tables; table->columns; table++) {

        if (table->name == NULL || table->rows == NULL) {
            continue;
        }

        if (!table->flat) {
            ngx_aop_text_printf(text, ",\n\"%s\":[", table->name);
        }

        part->rows = 0;
        table->rows(report, table, server, ngx_aop_report_json_server_row);

        if (!table->flat) {
            ngx_aop_text_puts(text, "]");
        }
    }

    ngx_aop_text_puts(text, "}");
}


static void
ngx_aop_report_json_server_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row)
{
    (void) server;

    ngx_aop_report_json_object(report, NGX_AOP_REPORT_JSON_SERVERS, table,
                               row);
}


static void
ngx_aop_report_json_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row)
{
    size_t  i;

    (void) server;

    if (table->name == NULL) {
        return;
    }

    i = table->flat ? NGX_AOP_REPORT_JSON_SERVERS
                    : NGX_AOP_REPORT_JSON_TABLES
                      + (size_t) (table - ngx_aop_report_data_tables);

    ngx_aop_report_json_object(report, i, table, row);
}


static void
ngx_aop_report_json_end(ngx_aop_report_t *report)
{
    size_t                         i;
    const ngx_aop_report_table_t  *table;

    ngx_aop_text_puts(ngx_aop_report_part(report, NGX_AOP_REPORT_JSON_SERVERS),
                      report->answers[0] ? "]" : ",\"servers\":[]");

    for (i = 0; ngx_aop_report_data_tables[i].columns; i++) {
        table = &ngx_aop_report_data_tables[i];

        if (table->name != NULL && table->rows == NULL && !table->flat) {
            ngx_aop_text_puts(ngx_aop_report_part(report,
                                              NGX_AOP_REPORT_JSON_TABLES + i),
                              "]");
        }
    }

    ngx_aop_text_puts(ngx_aop_report_part(report, NGX_AOP_REPORT_PARTS - 1),
                      "}\n");
}


static void
ngx_aop_report_json_object(ngx_aop_report_t *report, size_t i,
    const ngx_aop_report_table_t *table, const ngx_aop_report_value_t *row)
{
    ngx_aop_text_t  *text;

    text = ngx_aop_report_part(report, i);

    if (table->flat) {
        ngx_aop_report_json_members(text, table, row);
        return;
    }

    ngx_aop_text_puts(text, report->parts[i].rows++ ? ",\n{" : "\n{");
    ngx_aop_report_json_members(text, table, row);
    ngx_aop_text_puts(text, "}");
}


static void
ngx_aop_report_json_members(ngx_aop_text_t *text,
    const ngx_aop_report_table_t *table, const ngx_aop_report_value_t *row)
{
    size_t                          i;
    const ngx_aop_report_column_t  *column;

    column = table->columns;

    for (i = 0; column[i].name; i++) {
        ngx_aop_text_puts(text, i ? ",\"" : "\"");
        ngx_aop_text_puts(text, column[i].name);
        ngx_aop_text_puts(text, "\":");
        ngx_aop_report_json_value(text, column[i].type, &row[i]);
    }
}


static void
ngx_aop_report_json_value(ngx_aop_text_t *text, ngx_aop_report_type_e type,
    const ngx_aop_report_value_t *value)
{
    switch (type) {

    case NGX_AOP_REPORT_TEXT:
    case NGX_AOP_REPORT_SERVER:
    case NGX_AOP_REPORT_VERDICT:
        ngx_aop_report_json_string(text, value->text);
        break;

    case NGX_AOP_REPORT_NUMBER:
        ngx_aop_report_json_number(text, value->number, 0);
        break;

    case NGX_AOP_REPORT_DAYS:
        ngx_aop_report_json_number(text, value->number,
                                   value->number == NGX_AOP_REPORT_NEVER);
        break;

    case NGX_AOP_REPORT_TIME:
        ngx_aop_report_json_time(text, value->number);
        break;

    case NGX_AOP_REPORT_BOOLEAN:
        ngx_aop_text_puts(text, value->number ? "true" : "false");
        break;

    case NGX_AOP_REPORT_LIST:
        ngx_aop_report_json_list(text, value->list);
        break;
    }
}


static void
ngx_aop_report_json_number(ngx_aop_text_t *text, int64_t number, int null)
{
    if (null) {
        ngx_aop_text_puts(text, "null");
        return;
    }

    ngx_aop_text_printf(text, "%lld", (long long) number);
}


static void
ngx_aop_report_json_time(ngx_aop_text_t *text, time_t t)
{
    char  date[NGX_AOP_DATE];

    if (t == 0) {
        ngx_aop_text_puts(text, "null");
        return;
    }

    ngx_aop_text_puts(text, "\"");
    ngx_aop_text_puts(text, ngx_aop_cert_date(t, date));
    ngx_aop_text_puts(text, "\"");
}


static void
ngx_aop_report_json_list(ngx_aop_text_t *text,
    const ngx_aop_report_list_t *list)
{
    size_t  i;

    ngx_aop_text_puts(text, "[");

    for (i = 0; i < list->n; i++) {
        ngx_aop_text_puts(text, i ? "," : "");
        ngx_aop_report_json_string(text, list->names[i]);
    }

    ngx_aop_text_puts(text, "]");
}


static void
ngx_aop_report_json_string(ngx_aop_text_t *text, const char *s)
{
    ngx_aop_text_puts(text, "\"");
    ngx_aop_text_json(text, s, strlen(s));
    ngx_aop_text_puts(text, "\"");
}
