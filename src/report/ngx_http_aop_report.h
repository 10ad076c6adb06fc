
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_REPORT_H_INCLUDED_
#define _NGX_HTTP_AOP_REPORT_H_INCLUDED_


#include "ngx_http_aop_stats.h"
#include "ngx_aop_report.h"


/*
 * Is it safe to enforce?  The page of "aop_report": what was counted, written
 * for people and for programs.
 */

char *ngx_http_aop_report_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/*
 * What src/core writes, settled from the configuration and the counters.
 * ngx_http_aop_settle_server() settles a server, with memory of the pool;
 * NGX_ERROR if memory is short.  ngx_http_aop_settle_rest() settles what is of
 * no server.
 */

ngx_int_t ngx_http_aop_settle_server(ngx_aop_report_t *report,
    ngx_http_aop_server_t *server, ngx_pool_t *pool);
void ngx_http_aop_settle_rest(ngx_aop_report_t *report,
    ngx_http_aop_main_conf_t *amcf);
void ngx_http_aop_settle_unprotected(ngx_aop_report_t *report,
    ngx_http_aop_unprotected_t *server);


/*
 * What is requested.  ngx_http_aop_query_read() returns NGX_OK or a status: an
 * unknown format or server is an error.
 *
 * ngx_http_aop_query_writer() returns the writer of a format, or NULL;
 * ngx_http_aop_query_has() returns whether a server with that label (or an
 * unprotected one with that name) is requested.
 */

typedef struct {
    const ngx_aop_report_writer_t  *writer;
    ngx_str_t                       server;     /* with a zero; NULL: all */
    unsigned                        all:1;
    unsigned                        paused:1;
} ngx_http_aop_query_t;


ngx_int_t ngx_http_aop_query_read(ngx_http_request_t *r,
    ngx_http_aop_query_t *query);
const ngx_aop_report_writer_t *ngx_http_aop_query_writer(ngx_str_t *name);
ngx_uint_t ngx_http_aop_query_has(const ngx_http_aop_query_t *query,
    const char *label);
ngx_uint_t ngx_http_aop_query_same(const ngx_http_aop_query_t *one,
    const ngx_http_aop_query_t *two);


/*
 * A request that waits for its report.  The handler is called once there is
 * one (NGX_OK; the blocks live as long as the request), or with the status to
 * answer with; not if the request ended before.
 */

typedef struct ngx_http_aop_build_s  ngx_http_aop_build_t;
typedef struct ngx_http_aop_wait_s   ngx_http_aop_wait_t;

typedef void (*ngx_http_aop_wait_pt)(ngx_http_aop_wait_t *wait, ngx_int_t rc);

struct ngx_http_aop_wait_s {
    ngx_queue_t                     queue;
    ngx_http_request_t             *request;
    ngx_http_aop_query_t            query;
    ngx_http_aop_wait_pt            handler;
    ngx_http_aop_build_t           *build;
    unsigned                        waits:1;

    /* with NGX_OK */

    const ngx_aop_report_block_t   *blocks;
    size_t                          len;
};


/* NGX_ERROR if memory is short; the handler is not called then. */

ngx_int_t ngx_http_aop_build_wait(ngx_http_aop_wait_t *wait);


#endif /* _NGX_HTTP_AOP_REPORT_H_INCLUDED_ */
