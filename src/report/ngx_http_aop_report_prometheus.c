
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The report in Prometheus' text format 0.0.4: the tables that have a metric,
 * each as one family, with the columns that are labels as its labels.
 */


#include "ngx_http_aop_report.h"


typedef struct {
    ngx_aop_text_t               *text;
    const ngx_http_aop_table_t   *table;
    const char                   *server;   /* NULL in tables of no server */
    size_t                        start;    /* of the family, in text */
} ngx_http_aop_prometheus_t;


static void ngx_http_aop_prometheus_family(ngx_http_aop_report_t *report,
    ngx_http_aop_prometheus_t *ctx);
static void ngx_http_aop_prometheus_row(void *data,
    const ngx_http_aop_value_t *row);
static void ngx_http_aop_prometheus_label(ngx_aop_text_t *text,
    const char **separator, const char *name, const char *value);
static ngx_uint_t ngx_http_aop_prometheus_known(ngx_aop_text_t *text,
    size_t start, size_t sample);


void
ngx_http_aop_report_prometheus(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text)
{
    ngx_http_aop_prometheus_t    ctx;
    const ngx_http_aop_table_t  *table;

    ctx.text = text;

    for (table = ngx_http_aop_report_data_tables; table->rows; table++) {

        if (table->metric == NULL) {
            continue;
        }

        ctx.table = table;
        ctx.server = NULL;

        ngx_aop_text_printf(text, "# HELP %s %s\n# TYPE %s %s\n",
                            table->metric, table->help,
                            table->metric, table->type);

        ctx.start = text->pos - text->start;

        ngx_http_aop_prometheus_family(report, &ctx);
    }
}


static void
ngx_http_aop_prometheus_family(ngx_http_aop_report_t *report,
    ngx_http_aop_prometheus_t *ctx)
{
    ngx_uint_t              i;
    ngx_http_aop_server_t  *server;

    if (!ctx->table->server) {
        ctx->table->rows(report, ngx_http_aop_prometheus_row, ctx);
        return;
    }

    server = report->amcf->servers.elts;

    for (i = 0; i < report->amcf->servers.nelts; i++) {

        if (ngx_http_aop_report_data_server(report, &server[i]) != NGX_OK) {
            ctx->text->overflow = 1;
            return;
        }

        ctx->server = report->label;
        ctx->table->rows(report, ngx_http_aop_prometheus_row, ctx);
    }
}


static void
ngx_http_aop_prometheus_row(void *data, const ngx_http_aop_value_t *row)
{
    ngx_http_aop_prometheus_t *ctx = data;

    size_t                        sample;
    ngx_uint_t                    i;
    const char                   *separator;
    ngx_aop_text_t               *text;
    const ngx_http_aop_column_t  *column;

    text = ctx->text;
    column = ctx->table->columns;
    sample = text->pos - text->start;
    separator = "{";

    /* a CRL may have no end, and 1970 would be one */

    if (column[ctx->table->value].type == NGX_HTTP_AOP_TYPE_TIME
        && row[ctx->table->value].number == 0)
    {
        return;
    }

    ngx_aop_text_puts(text, ctx->table->metric);

    if (ctx->server != NULL) {
        ngx_http_aop_prometheus_label(text, &separator, "server", ctx->server);
    }

    for (i = 0; column[i].name; i++) {
        if (column[i].label) {
            ngx_http_aop_prometheus_label(text, &separator, column[i].name,
                                          row[i].text);
        }
    }

    ngx_aop_text_puts(text, "} ");

    /* of two certificates of one name the one that ends first is told */

    if (ngx_http_aop_prometheus_known(text, ctx->start, sample)) {
        text->pos = text->start + sample;
        return;
    }

    ngx_aop_text_printf(text, "%lld\n",
                        (long long) row[ctx->table->value].number);
}


static void
ngx_http_aop_prometheus_label(ngx_aop_text_t *text, const char **separator,
    const char *name, const char *value)
{
    ngx_aop_text_printf(text, "%s%s=\"", *separator, name);
    ngx_aop_text_label(text, value, ngx_strlen(value));
    ngx_aop_text_puts(text, "\"");

    *separator = ",";
}


/* Has the family a sample of the same labels already? */

static ngx_uint_t
ngx_http_aop_prometheus_known(ngx_aop_text_t *text, size_t start,
    size_t sample)
{
    return !text->overflow
           && memmem(text->start + start, sample - start, text->start + sample,
                     text->pos - text->start - sample)
              != NULL;
}
