
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Reports are built in slices, one slice in each round of the event loop,
 * however many requests there are: one report after the other, and all
 * requests for a format that came before it was begun share one answer.  So
 * frequent requests for reports delay each other, but not the requests to
 * other servers.
 *
 * No answer is older than its request.
 *
 * A timer drives it: a worker that is to exit waits for timers.
 */


#include "ngx_http_aop_report.h"
#include "ngx_aop_version.h"


/* a slice ends with the first of these */

#define NGX_HTTP_AOP_BUILD_SERVERS  100
#define NGX_HTTP_AOP_BUILD_SIZE     (256 * 1024)

/* of all reports in a worker that are not yet sent */

#define NGX_HTTP_AOP_BUILD_MAX      (64 * 1024 * 1024)


struct ngx_http_aop_build_s {
    ngx_queue_t                queue;       /* of ngx_http_aop_builds */
    ngx_queue_t                waits;       /* of ngx_http_aop_wait_t */
    ngx_uint_t                 refs;        /* requests that are not finished */
    ngx_pool_t                *pool;
    ngx_http_aop_main_conf_t  *amcf;
    ngx_http_aop_query_t       query;
    ngx_aop_report_t           report;
    ngx_uint_t                 next;        /* server, then unprotected one */
    ngx_uint_t                 begun;
    ngx_int_t                  rc;
    ngx_aop_report_block_t    *blocks;
    size_t                     size;        /* of ngx_http_aop_build_size */
    size_t                     len;
};


static ngx_http_aop_build_t *ngx_http_aop_build_find(
    ngx_http_aop_wait_t *wait, ngx_http_aop_main_conf_t *amcf);
static ngx_http_aop_build_t *ngx_http_aop_build_new(
    const ngx_http_aop_query_t *query, ngx_http_aop_main_conf_t *amcf);
static ngx_int_t ngx_http_aop_build_query(ngx_http_aop_build_t *build,
    const ngx_http_aop_query_t *query);
static void ngx_http_aop_build_unwait(void *data);
static void ngx_http_aop_build_release(void *data);
static void ngx_http_aop_build_free(ngx_http_aop_build_t *build);
static void ngx_http_aop_build_schedule(void);
static void ngx_http_aop_build_handler(ngx_event_t *ev);
static void ngx_http_aop_build_answer(ngx_http_aop_build_t *build);
static void ngx_http_aop_build_slice(ngx_http_aop_build_t *build);
static ngx_int_t ngx_http_aop_build_step(ngx_http_aop_build_t *build,
    ngx_pool_t *pool);
static void ngx_http_aop_build_failed(ngx_http_aop_build_t *build);
static void *ngx_http_aop_build_alloc(void *data, size_t size);


static ngx_queue_t       ngx_http_aop_builds;
static size_t            ngx_http_aop_build_size;
static ngx_event_t       ngx_http_aop_build_event;
static ngx_connection_t  ngx_http_aop_build_dummy;


ngx_int_t
ngx_http_aop_build_wait(ngx_http_aop_wait_t *wait)
{
    ngx_http_cleanup_t        *cln;
    ngx_pool_cleanup_t        *pcln;
    ngx_http_request_t        *r;
    ngx_http_aop_build_t      *build;
    ngx_http_aop_main_conf_t  *amcf;

    r = wait->request;
    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);

    pcln = ngx_pool_cleanup_add(r->pool, 0);
    if (pcln == NULL) {
        return NGX_ERROR;
    }

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    build = ngx_http_aop_build_find(wait, amcf);
    if (build == NULL) {
        return NGX_ERROR;
    }

    /* what is sent may be read until the pool is destroyed */

    pcln->handler = ngx_http_aop_build_release;
    pcln->data = build;

    cln->handler = ngx_http_aop_build_unwait;
    cln->data = wait;

    build->refs++;

    wait->build = build;
    wait->waits = 1;
    ngx_queue_insert_tail(&build->waits, &wait->queue);

    ngx_http_aop_build_schedule();

    return NGX_OK;
}


/* A report that has begun already includes some servers. */

static ngx_http_aop_build_t *
ngx_http_aop_build_find(ngx_http_aop_wait_t *wait,
    ngx_http_aop_main_conf_t *amcf)
{
    ngx_queue_t           *q;
    ngx_http_aop_build_t  *build;

    if (ngx_http_aop_builds.next == NULL) {
        ngx_queue_init(&ngx_http_aop_builds);
    }

    for (q = ngx_queue_head(&ngx_http_aop_builds);
         q != ngx_queue_sentinel(&ngx_http_aop_builds);
         q = ngx_queue_next(q))
    {
        build = ngx_queue_data(q, ngx_http_aop_build_t, queue);

        if (!build->begun
            && build->amcf == amcf
            && ngx_http_aop_query_same(&build->query, &wait->query))
        {
            return build;
        }
    }

    return ngx_http_aop_build_new(&wait->query, amcf);
}


static ngx_http_aop_build_t *
ngx_http_aop_build_new(const ngx_http_aop_query_t *query,
    ngx_http_aop_main_conf_t *amcf)
{
    ngx_pool_t            *pool;
    ngx_http_aop_build_t  *build;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    build = ngx_pcalloc(pool, sizeof(ngx_http_aop_build_t));
    if (build == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    build->pool = pool;
    build->amcf = amcf;

    if (ngx_http_aop_build_query(build, query) != NGX_OK) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    build->report.alloc = ngx_http_aop_build_alloc;
    build->report.data = build;
    build->report.module = NGX_HTTP_AOP_VERSION;
    build->report.nginx = NGINX_VERSION;
    build->report.openssl = OpenSSL_version(OPENSSL_VERSION);

    ngx_queue_init(&build->waits);
    ngx_queue_insert_tail(&ngx_http_aop_builds, &build->queue);

    return build;
}


/* The first waiting request may end before the others. */

static ngx_int_t
ngx_http_aop_build_query(ngx_http_aop_build_t *build,
    const ngx_http_aop_query_t *query)
{
    ngx_uint_t               i;
    ngx_aop_report_t        *report;
    ngx_http_aop_server_t   *server;

    report = &build->report;

    build->query = *query;

    if (query->server.data != NULL) {
        build->query.server.data = ngx_pnalloc(build->pool,
                                               query->server.len + 1);

        if (build->query.server.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(build->query.server.data, query->server.data,
                   query->server.len + 1);
    }

    report->writer = query->writer;
    report->view.server = (const char *) build->query.server.data;
    report->view.all = query->all;
    report->view.paused = query->paused;

    server = build->amcf->servers.elts;

    for (i = 0; i < build->amcf->servers.nelts; i++) {
        report->servers += ngx_http_aop_query_has(query,
                                             (char *) server[i].label.data);
    }

    return NGX_OK;
}


/* The request is finished, or is about to be. */

static void
ngx_http_aop_build_unwait(void *data)
{
    ngx_http_aop_wait_t  *wait = data;

    if (wait->waits) {
        wait->waits = 0;
        ngx_queue_remove(&wait->queue);
    }
}


static void
ngx_http_aop_build_release(void *data)
{
    ngx_http_aop_build_t  *build = data;

    if (--build->refs == 0) {
        ngx_http_aop_build_free(build);
    }
}


static void
ngx_http_aop_build_free(ngx_http_aop_build_t *build)
{
    ngx_queue_remove(&build->queue);

    ngx_http_aop_build_size -= build->size;

    ngx_destroy_pool(build->pool);
}


static void
ngx_http_aop_build_schedule(void)
{
    ngx_event_t  *ev;

    ev = &ngx_http_aop_build_event;

    if (ev->timer_set || ngx_queue_empty(&ngx_http_aop_builds)) {
        return;
    }

    ngx_http_aop_build_dummy.fd = (ngx_socket_t) -1;

    ev->handler = ngx_http_aop_build_handler;
    ev->data = &ngx_http_aop_build_dummy;
    ev->log = ngx_cycle->log;

    ngx_add_timer(ev, 1);
}


/* One slice, or one answer. */

static void
ngx_http_aop_build_handler(ngx_event_t *ev)
{
    ngx_http_aop_build_t  *build;

    if (ngx_queue_empty(&ngx_http_aop_builds)) {
        return;
    }

    build = ngx_queue_data(ngx_queue_head(&ngx_http_aop_builds),
                           ngx_http_aop_build_t, queue);

    build->refs++;

    if (build->blocks == NULL
        && build->rc == NGX_OK
        && !ngx_queue_empty(&build->waits))
    {
        ngx_http_aop_build_slice(build);

    } else {
        ngx_http_aop_build_answer(build);
    }

    ngx_http_aop_build_release(build);

    ngx_http_aop_build_schedule();
}


/* The last waiting request takes it out of the queue, for itself. */

static void
ngx_http_aop_build_answer(ngx_http_aop_build_t *build)
{
    ngx_http_aop_wait_t  *wait;

    if (!ngx_queue_empty(&build->waits)) {
        wait = ngx_queue_data(ngx_queue_head(&build->waits),
                              ngx_http_aop_wait_t, queue);

        ngx_http_aop_build_unwait(wait);

        wait->blocks = build->blocks;
        wait->len = build->len;
        wait->handler(wait, build->rc);
    }

    if (ngx_queue_empty(&build->waits)) {
        ngx_queue_remove(&build->queue);
        ngx_queue_init(&build->queue);
    }
}


static void
ngx_http_aop_build_slice(ngx_http_aop_build_t *build)
{
    size_t       size;
    ngx_int_t    rc;
    ngx_uint_t   i;
    ngx_pool_t  *pool;

    /* nothing that was settled is kept */

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, ngx_cycle->log);

    if (pool == NULL) {
        ngx_http_aop_build_failed(build);
        return;
    }

    if (!build->begun) {
        build->begun = 1;
        build->report.now = ngx_time();
        ngx_aop_report_data_start(&build->report);
    }

    rc = NGX_AGAIN;
    size = build->report.size;

    for (i = 0; i < NGX_HTTP_AOP_BUILD_SERVERS && rc == NGX_AGAIN; i++) {

        if (build->report.size - size > NGX_HTTP_AOP_BUILD_SIZE) {
            break;
        }

        rc = ngx_http_aop_build_step(build, pool);
    }

    ngx_destroy_pool(pool);

    if (rc == NGX_OK) {
        build->blocks = ngx_aop_report_done(&build->report, &build->len);
    }

    if (rc == NGX_ERROR || (rc == NGX_OK && build->blocks == NULL)) {
        ngx_http_aop_build_failed(build);
    }
}


/* NGX_AGAIN: there is more; NGX_OK: it is complete. */

static ngx_int_t
ngx_http_aop_build_step(ngx_http_aop_build_t *build, ngx_pool_t *pool)
{
    ngx_uint_t                   i;
    ngx_http_aop_server_t       *server;
    ngx_http_aop_main_conf_t    *amcf;
    ngx_http_aop_unprotected_t  *unprotected;

    if (build->report.failed) {
        return NGX_ERROR;
    }

    amcf = build->amcf;
    i = build->next++;

    if (i < amcf->servers.nelts) {
        server = amcf->servers.elts;
        server += i;

        if (!ngx_http_aop_query_has(&build->query, (char *) server->label.data))
        {
            return NGX_AGAIN;
        }

        return ngx_http_aop_settle_server(&build->report, server, pool)
               == NGX_OK ? NGX_AGAIN : NGX_ERROR;
    }

    i -= amcf->servers.nelts;

    if (i < amcf->unprotected.nelts) {
        unprotected = amcf->unprotected.elts;
        unprotected += i;

        if (ngx_http_aop_query_has(&build->query, unprotected->name)) {
            ngx_http_aop_settle_unprotected(&build->report, unprotected);
        }

        return NGX_AGAIN;
    }

    ngx_http_aop_settle_rest(&build->report, amcf);
    ngx_aop_report_data_end(&build->report);

    return NGX_OK;
}


static void
ngx_http_aop_build_failed(ngx_http_aop_build_t *build)
{
    if (build->rc == NGX_OK) {
        build->rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
}


/* Slow readers must not fill the memory: further ones have to come again. */

static void *
ngx_http_aop_build_alloc(void *data, size_t size)
{
    ngx_http_aop_build_t  *build = data;

    void  *p;

    if (build->size + size > NGX_HTTP_AOP_BUILD_MAX) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "aop: the report is larger than %uz bytes",
                      (size_t) NGX_HTTP_AOP_BUILD_MAX);
        return NULL;
    }

    if (ngx_http_aop_build_size + size > NGX_HTTP_AOP_BUILD_MAX) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "aop: reports of %uz bytes are still being sent, the "
                      "request is rejected", ngx_http_aop_build_size);

        build->rc = NGX_HTTP_SERVICE_UNAVAILABLE;
        return NULL;
    }

    p = ngx_palloc(build->pool, size);

    if (p != NULL) {
        build->size += size;
        ngx_http_aop_build_size += size;
    }

    return p;
}
