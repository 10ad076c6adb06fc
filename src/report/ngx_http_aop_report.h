
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_REPORT_H_INCLUDED_
#define _NGX_HTTP_AOP_REPORT_H_INCLUDED_


#include "ngx_http_aop_stats.h"
#include "ngx_aop_text.h"
#include "ngx_aop_version.h"


/*
 * Is it safe to enforce?  The page of "aop_report": what was counted, written
 * for people and for programs.
 */

char *ngx_http_aop_report_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


#define NGX_HTTP_AOP_COLUMNS  12


/*
 * The report is a set of tables, described once (ngx_http_aop_report_data.c)
 * and written as JSON, Prometheus text or HTML by writers that know nothing
 * of what is in them.
 */

typedef enum {
    NGX_HTTP_AOP_TYPE_TEXT = 0,
    NGX_HTTP_AOP_TYPE_NUMBER,
    NGX_HTTP_AOP_TYPE_DAYS,          /* left, until something ends */
    NGX_HTTP_AOP_TYPE_TIME,          /* 0 is none */
    NGX_HTTP_AOP_TYPE_BOOLEAN
} ngx_http_aop_type_e;

/* for NGX_HTTP_AOP_TYPE_DAYS: it does not end */

#define NGX_HTTP_AOP_NEVER  INT64_MAX


typedef struct {
    const char             *name;       /* key in JSON, label in Prometheus */
    const char             *title;      /* heading in HTML; NULL: not there */
    ngx_http_aop_type_e     type;
    unsigned                label:1;    /* tells rows apart, is a label */
} ngx_http_aop_column_t;


typedef union {
    const char             *text;
    int64_t                 number;
} ngx_http_aop_value_t;


typedef struct {
    ngx_http_request_t         *request;
    ngx_http_aop_main_conf_t   *amcf;
    ngx_http_aop_shared_t      *shared;

    /* the server that tables of a server are about */

    ngx_http_aop_server_t      *server;
    ngx_array_t                *endings;    /* of ngx_http_aop_validity_t */
    ngx_aop_answer_t            answer;
    ngx_aop_ready_e             ready;
    ngx_aop_state_e             state;
    const char                 *mode;
    char                        label[NGX_HTTP_AOP_LABEL_LEN];
    char                        why[4096];

    unsigned                    failed:1;   /* memory is short */
} ngx_http_aop_report_t;


/* Called with each row of a table. */

typedef void (*ngx_http_aop_row_pt)(void *data,
    const ngx_http_aop_value_t *row);

typedef struct {
    const char                   *name;     /* key in JSON */
    const char                   *title;    /* heading in HTML */
    const ngx_http_aop_column_t  *columns;  /* up to one without a name */

    /* Prometheus: NULL is no metric; the sample is in column "value" */

    const char                   *metric;
    const char                   *type;
    const char                   *help;
    ngx_uint_t                    value;

    unsigned                      server:1; /* is one for each server */
    unsigned                      flat:1;   /* is one row, of the object */
    unsigned                      brief:1;  /* its first rows do for a person */

    void                        (*rows)(ngx_http_aop_report_t *report,
                                     ngx_http_aop_row_pt row, void *data);
} ngx_http_aop_table_t;


/* up to a table without a name */

extern const ngx_http_aop_table_t  ngx_http_aop_report_data_tables[];


/* Settles what the tables of a server need; NGX_ERROR if it has failed. */

ngx_int_t ngx_http_aop_report_data_server(ngx_http_aop_report_t *report,
    ngx_http_aop_server_t *server);


/* The writers; overflow is told by text->overflow. */

void ngx_http_aop_report_json(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);
void ngx_http_aop_report_prometheus(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);
void ngx_http_aop_report_html(ngx_http_aop_report_t *report,
    ngx_aop_text_t *text);


#endif /* _NGX_HTTP_AOP_REPORT_H_INCLUDED_ */
