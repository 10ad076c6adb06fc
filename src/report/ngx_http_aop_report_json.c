
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The report as JSON (RFC 8259); times are ISO 8601, none is null. */


#include "ngx_http_aop_report.h"


typedef struct {
    ngx_aop_text_t               *text;
    const ngx_http_aop_table_t   *table;
    ngx_uint_t                    rows;
} ngx_http_aop_json_t;


static void ngx_http_aop_json_tables(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text, ngx_uint_t server, ngx_uint_t flat);
static void ngx_http_aop_json_row(void *data,
    const ngx_http_aop_value_t *row);
static void ngx_http_aop_json_value(ngx_aop_text_t *text,
    ngx_http_aop_type_e type, const ngx_http_aop_value_t *value);


/* Each member but the first of an object follows a comma. */

void
ngx_http_aop_report_json(ngx_http_aop_report_t *report, ngx_aop_text_t *text)
{
    ngx_uint_t              i;
    ngx_http_aop_server_t  *server;

    ngx_aop_text_puts(text, "{");
    ngx_http_aop_json_tables(report, text, 0, 1);
    ngx_aop_text_puts(text, ",\"servers\":[");

    server = report->amcf->servers.elts;

    for (i = 0; i < report->amcf->servers.nelts; i++) {

        if (ngx_http_aop_report_data_server(report, &server[i]) != NGX_OK) {
            text->overflow = 1;
            return;
        }

        ngx_aop_text_puts(text, i ? ",\n{" : "\n{");
        ngx_http_aop_json_tables(report, text, 1, 1);
        ngx_http_aop_json_tables(report, text, 1, 0);
        ngx_aop_text_puts(text, "}");
    }

    ngx_aop_text_puts(text, "]");
    ngx_http_aop_json_tables(report, text, 0, 0);
    ngx_aop_text_puts(text, "}\n");
}


static void
ngx_http_aop_json_tables(ngx_http_aop_report_t *report, ngx_aop_text_t *text,
    ngx_uint_t server, ngx_uint_t flat)
{
    ngx_http_aop_json_t          ctx;
    const ngx_http_aop_table_t  *table;

    ctx.text = text;

    for (table = ngx_http_aop_report_data_tables; table->rows; table++) {

        if (table->name == NULL
            || table->server != server || table->flat != flat)
        {
            continue;
        }

        ctx.table = table;
        ctx.rows = 0;

        if (flat) {
            table->rows(report, ngx_http_aop_json_row, &ctx);
            continue;
        }

        ngx_aop_text_printf(text, ",\n\"%s\":[", table->name);
        table->rows(report, ngx_http_aop_json_row, &ctx);
        ngx_aop_text_puts(text, "]");
    }
}


static void
ngx_http_aop_json_row(void *data, const ngx_http_aop_value_t *row)
{
    ngx_http_aop_json_t *ctx = data;

    ngx_uint_t                    i;
    const ngx_http_aop_column_t  *column;

    if (!ctx->table->flat) {
        ngx_aop_text_puts(ctx->text, ctx->rows++ ? ",\n{" : "\n{");
    }

    column = ctx->table->columns;

    for (i = 0; column[i].name; i++) {
        ngx_aop_text_printf(ctx->text, "%s\"%s\":", i ? "," : "",
                            column[i].name);
        ngx_http_aop_json_value(ctx->text, column[i].type, &row[i]);
    }

    if (!ctx->table->flat) {
        ngx_aop_text_puts(ctx->text, "}");
    }
}


static void
ngx_http_aop_json_value(ngx_aop_text_t *text, ngx_http_aop_type_e type,
    const ngx_http_aop_value_t *value)
{
    char  date[NGX_AOP_DATE];

    switch (type) {

    case NGX_HTTP_AOP_TYPE_TEXT:
        ngx_aop_text_puts(text, "\"");
        ngx_aop_text_json(text, value->text, ngx_strlen(value->text));
        ngx_aop_text_puts(text, "\"");
        break;

    case NGX_HTTP_AOP_TYPE_NUMBER:
        ngx_aop_text_printf(text, "%lld", (long long) value->number);
        break;

    case NGX_HTTP_AOP_TYPE_DAYS:

        if (value->number == NGX_HTTP_AOP_NEVER) {
            ngx_aop_text_puts(text, "null");

        } else {
            ngx_aop_text_printf(text, "%lld", (long long) value->number);
        }

        break;

    case NGX_HTTP_AOP_TYPE_TIME:

        if (value->number == 0) {
            ngx_aop_text_puts(text, "null");

        } else {
            ngx_aop_text_printf(text, "\"%s\"",
                                ngx_aop_cert_date(value->number, date));
        }

        break;

    case NGX_HTTP_AOP_TYPE_BOOLEAN:
        ngx_aop_text_puts(text, value->number ? "true" : "false");
        break;
    }
}
