
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The report in Prometheus' text format 0.0.4: the tables that have a metric,
 * each as one family and part, with the columns that are labels as its labels.
 */


#include <string.h>

#include "ngx_aop_report.h"


static void ngx_aop_report_prometheus_start(ngx_aop_report_t *report);
static void ngx_aop_report_prometheus_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server);
static void ngx_aop_report_prometheus_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row);
static void ngx_aop_report_prometheus_end(ngx_aop_report_t *report);
static void ngx_aop_report_prometheus_label(ngx_aop_text_t *text,
    const char **separator, const char *name, const char *value);


const ngx_aop_report_writer_t  ngx_aop_report_prometheus = {
    "prometheus",
    "text/plain; version=0.0.4",
    0,
    ngx_aop_report_prometheus_start,
    ngx_aop_report_prometheus_server,
    ngx_aop_report_prometheus_row,
    NULL,
    NULL,
    ngx_aop_report_prometheus_end
};


static void
ngx_aop_report_prometheus_start(ngx_aop_report_t *report)
{
    size_t                         i;
    const ngx_aop_report_table_t  *table;

    for (i = 0; ngx_aop_report_data_tables[i].columns; i++) {
        table = &ngx_aop_report_data_tables[i];

        if (table->metric != NULL) {
            ngx_aop_text_printf(ngx_aop_report_part(report, i),
                                "# HELP %s %s\n# TYPE %s %s\n",
                                table->metric, table->help, table->metric,
                                table->type);
        }
    }
}


static void
ngx_aop_report_prometheus_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server)
{
    const ngx_aop_report_table_t  *table;

    for (table = ngx_aop_report_data_tables; table->columns; table++) {
        if (table->metric != NULL && table->rows != NULL) {
            table->rows(report, table, server, ngx_aop_report_prometheus_row);
        }
    }
}


static void
ngx_aop_report_prometheus_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row)
{
    size_t                          i;
    const char                     *separator;
    ngx_aop_text_t                 *text;
    const ngx_aop_report_column_t  *column;

    if (table->metric == NULL) {
        return;
    }

    text = ngx_aop_report_part(report, table - ngx_aop_report_data_tables);
    column = table->columns;
    separator = "{";

    ngx_aop_text_puts(text, table->metric);

    if (server != NULL) {
        ngx_aop_report_prometheus_label(text, &separator, "server", server);
    }

    for (i = 0; column[i].name; i++) {
        if (column[i].label) {
            ngx_aop_report_prometheus_label(text, &separator, column[i].name,
                                            row[i].text);
        }
    }

    ngx_aop_text_printf(text, "} %lld\n",
                        (long long) row[table->value].number);
}


static void
ngx_aop_report_prometheus_end(ngx_aop_report_t *report)
{
    (void) report;
}


static void
ngx_aop_report_prometheus_label(ngx_aop_text_t *text, const char **separator,
    const char *name, const char *value)
{
    ngx_aop_text_puts(text, *separator);
    ngx_aop_text_puts(text, name);
    ngx_aop_text_puts(text, "=\"");
    ngx_aop_text_label(text, value, strlen(value));
    ngx_aop_text_puts(text, "\"");

    *separator = ",";
}
