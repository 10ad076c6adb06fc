
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Warnings about the expiry of certificates and CRLs: "aop_expiry_warning".
 * For each there is one line when nginx starts, if it expires soon, one at
 * each threshold that it passes later, and one when it has expired; the first
 * worker watches them for all.
 *
 * What lives shortly is renewed late: a threshold longer than half of its life
 * would be a warning about each fresh CRL.
 */


#include "ngx_http_aop_stats.h"


#define NGX_HTTP_AOP_EXPIRY_SOON   1000         /* msec after the start */
#define NGX_HTTP_AOP_EXPIRY_TICK   3600000
#define NGX_HTTP_AOP_EXPIRY_BATCH  64           /* servers at a time */
#define NGX_HTTP_AOP_EXPIRY_CRL    86400


static int ngx_libc_cdecl ngx_http_aop_expiry_cmp(const void *one,
    const void *two);
static void ngx_http_aop_expiry_handler(ngx_event_t *ev);
static ngx_uint_t ngx_http_aop_expiry_batch(ngx_log_t *log);
static void ngx_http_aop_expiry_server(ngx_pool_t *pool, ngx_log_t *log,
    ngx_http_aop_server_t *server, time_t last, time_t now);
static ngx_int_t ngx_http_aop_expiry_firsts(ngx_cycle_t *cycle,
    ngx_http_aop_main_conf_t *amcf);
static int ngx_libc_cdecl ngx_http_aop_expiry_cmp_known(const void *one,
    const void *two);
static int ngx_http_aop_expiry_cmp_warning(const ngx_http_aop_server_t *one,
    const ngx_http_aop_server_t *two);
static ngx_uint_t ngx_http_aop_expiry_stage(
    const ngx_http_aop_srv_conf_t *ascf, const ngx_http_aop_validity_t *ending,
    time_t now);
static void ngx_http_aop_expiry_log(ngx_log_t *log,
    const ngx_http_aop_server_t *server, const ngx_http_aop_validity_t *ending,
    time_t now);


static ngx_event_t       ngx_http_aop_expiry_event;
static ngx_connection_t  ngx_http_aop_expiry_dummy;
static time_t            ngx_http_aop_expiry_last;
static time_t            ngx_http_aop_expiry_now;
static ngx_uint_t        ngx_http_aop_expiry_next;


static ngx_array_t  ngx_http_aop_expiry_none;


char *
ngx_http_aop_expiry_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_srv_conf_t  *ascf = conf;

    time_t      *threshold, t;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (ascf->expiry != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        ascf->expiry = &ngx_http_aop_expiry_none;
        return NGX_CONF_OK;
    }

    ascf->expiry = ngx_array_create(cf->pool, 4, sizeof(time_t));
    if (ascf->expiry == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 1; i < cf->args->nelts; i++) {

        t = ngx_parse_time(&value[i], 1);

        if (t == (time_t) NGX_ERROR || t == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid time \"%V\" in "
                               "\"aop_expiry_warning\"", &value[i]);
            return NGX_CONF_ERROR;
        }

        threshold = ngx_array_push(ascf->expiry);
        if (threshold == NULL) {
            return NGX_CONF_ERROR;
        }

        *threshold = t;
    }

    ngx_qsort(ascf->expiry->elts, ascf->expiry->nelts, sizeof(time_t),
              ngx_http_aop_expiry_cmp);

    return NGX_CONF_OK;
}


/* The longest comes first. */

static int ngx_libc_cdecl
ngx_http_aop_expiry_cmp(const void *one, const void *two)
{
    const time_t  *first = one;
    const time_t  *second = two;

    return (*first < *second) - (*first > *second);
}


ngx_array_t *
ngx_http_aop_expiry_default(ngx_conf_t *cf)
{
    time_t       *threshold;
    ngx_array_t  *expiry;

    expiry = ngx_array_create(cf->pool, 2, sizeof(time_t));
    if (expiry == NULL) {
        return NULL;
    }

    threshold = ngx_array_push_n(expiry, 2);
    if (threshold == NULL) {
        return NULL;
    }

    threshold[0] = 30 * 86400;
    threshold[1] = 14 * 86400;

    return expiry;
}


/* In the master process, so that it is logged once. */

void
ngx_http_aop_expiry_start(ngx_cycle_t *cycle)
{
    ngx_uint_t                 i;
    ngx_http_aop_server_t     *server;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_aop_module);

    if (amcf == NULL) {
        return;
    }

    if (ngx_http_aop_expiry_firsts(cycle, amcf) != NGX_OK) {
        return;
    }

    server = amcf->servers.elts;

    for (i = 0; i < amcf->servers.nelts; i++) {
        if (server[i].first) {
            ngx_http_aop_expiry_server(cycle->pool, cycle->log, &server[i], 0,
                                       ngx_time());
        }
    }
}


void
ngx_http_aop_expiry_watch(ngx_cycle_t *cycle)
{
    ngx_event_t  *ev;

    if ((ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
        || ngx_worker != 0
        || ngx_http_cycle_get_module_main_conf(cycle, ngx_http_aop_module)
           == NULL)
    {
        return;
    }

    ngx_http_aop_expiry_last = ngx_time();
    ngx_http_aop_expiry_dummy.fd = (ngx_socket_t) -1;

    ev = &ngx_http_aop_expiry_event;

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_http_aop_expiry_handler;
    ev->data = &ngx_http_aop_expiry_dummy;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_HTTP_AOP_EXPIRY_SOON);
}


/* There may be thousands of servers, while requests wait. */

static void
ngx_http_aop_expiry_handler(ngx_event_t *ev)
{
    if (ngx_http_aop_expiry_next == 0) {
        ngx_http_aop_expiry_now = ngx_time();
    }

    if (ngx_http_aop_expiry_batch(ev->log)) {
        ngx_add_timer(ev, 1);
        return;
    }

    ngx_http_aop_expiry_next = 0;
    ngx_http_aop_expiry_last = ngx_http_aop_expiry_now;

    ngx_add_timer(ev, NGX_HTTP_AOP_EXPIRY_TICK);
}


/* The next servers; returns whether there are more. */

static ngx_uint_t
ngx_http_aop_expiry_batch(ngx_log_t *log)
{
    ngx_uint_t                 i, n;
    ngx_pool_t                *pool;
    ngx_http_aop_server_t     *server;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_http_aop_module);
    server = amcf->servers.elts;

    i = ngx_http_aop_expiry_next;
    n = ngx_min(i + NGX_HTTP_AOP_EXPIRY_BATCH, amcf->servers.nelts);

    ngx_http_aop_expiry_next = n;

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, log);

    if (pool != NULL) {
        for ( /* void */ ; i < n; i++) {
            ngx_http_aop_expiry_clients(log, &server[i]);

            if (server[i].first) {
                ngx_http_aop_expiry_server(pool, log, &server[i],
                                           ngx_http_aop_expiry_last,
                                           ngx_http_aop_expiry_now);
            }
        }

        ngx_destroy_pool(pool);
    }

    return n < amcf->servers.nelts;
}


/*
 * Anchors and CRLs: what has passed a threshold from "last" to "now", or all
 * that has passed one if "last" is 0.
 */

static void
ngx_http_aop_expiry_server(ngx_pool_t *pool, ngx_log_t *log,
    ngx_http_aop_server_t *server, time_t last, time_t now)
{
    ngx_uint_t                i, stage, before;
    ngx_array_t              *endings;
    ngx_http_aop_validity_t  *ending;
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = server->cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    endings = ngx_http_aop_validity(pool, ascf->policy, NULL);

    if (endings == NULL) {
        return;
    }

    ending = endings->elts;

    for (i = 0; i < endings->nelts; i++) {
        stage = ngx_http_aop_expiry_stage(ascf, &ending[i], now);
        before = last ? ngx_http_aop_expiry_stage(ascf, &ending[i], last) : 0;

        if (stage > before) {
            ngx_http_aop_expiry_log(log, server, &ending[i], now);
        }
    }
}


/* Client certificates: the workers share which thresholds were logged. */

void
ngx_http_aop_expiry_clients(ngx_log_t *log, ngx_http_aop_server_t *server)
{
    ngx_uint_t                i, stage;
    ngx_http_aop_client_t     client[NGX_HTTP_AOP_CLIENTS];
    ngx_http_aop_validity_t   ending;
    ngx_http_aop_srv_conf_t  *ascf;

    ngx_http_aop_zone_recheck(server);

    if (server->shared == NULL) {
        return;
    }

    ascf = server->cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    ngx_http_aop_shm_clients(server->shared, client);

    for (i = 0; i < NGX_HTTP_AOP_CLIENTS; i++) {

        ngx_memzero(&ending, sizeof(ngx_http_aop_validity_t));

        ending.kind = "client";
        ending.subject = client[i].subject;
        ending.not_before = client[i].not_before;
        ending.not_after = client[i].not_after;

        stage = ngx_http_aop_expiry_stage(ascf, &ending, ngx_time());

        if (stage <= client[i].warned
            || ngx_http_aop_validity_client_anchor(ascf->policy,
                                                   &client[i]) == NULL
            || ngx_http_aop_validity_client_replaced(ascf->policy, client,
                                                     &client[i])
            || !ngx_http_aop_shm_warned(server->shared, &client[i], stage))
        {
            continue;
        }

        ngx_http_aop_expiry_log(log, server, &ending, ngx_time());
    }
}


/* Servers with the same policy and thresholds are logged once. */

static ngx_int_t
ngx_http_aop_expiry_firsts(ngx_cycle_t *cycle, ngx_http_aop_main_conf_t *amcf)
{
    ngx_uint_t              i, n;
    ngx_pool_t             *pool;
    ngx_http_aop_server_t  *server, **sorted;

    n = amcf->servers.nelts;
    server = amcf->servers.elts;

    if (n == 0) {
        return NGX_OK;
    }

    pool = ngx_create_pool(NGX_DEFAULT_POOL_SIZE, cycle->log);
    if (pool == NULL) {
        return NGX_ERROR;
    }

    sorted = ngx_palloc(pool, n * sizeof(ngx_http_aop_server_t *));

    if (sorted != NULL) {

        for (i = 0; i < n; i++) {
            sorted[i] = &server[i];
        }

        ngx_qsort(sorted, n, sizeof(ngx_http_aop_server_t *),
                  ngx_http_aop_expiry_cmp_known);

        for (i = 0; i < n; i++) {
            sorted[i]->first = (i == 0
                                || ngx_http_aop_expiry_cmp_warning(
                                                  sorted[i - 1], sorted[i])
                                   != 0);
        }
    }

    ngx_destroy_pool(pool);

    return sorted ? NGX_OK : NGX_ERROR;
}


static int ngx_libc_cdecl
ngx_http_aop_expiry_cmp_known(const void *one, const void *two)
{
    int                           rc;
    const ngx_http_aop_server_t  *first = *(ngx_http_aop_server_t **) one;
    const ngx_http_aop_server_t  *second = *(ngx_http_aop_server_t **) two;

    rc = ngx_http_aop_expiry_cmp_warning(first, second);

    return rc ? rc : (first > second) - (first < second);
}


/* 0 if both have the same warnings. */

static int
ngx_http_aop_expiry_cmp_warning(const ngx_http_aop_server_t *one,
    const ngx_http_aop_server_t *two)
{
    uintptr_t                 first, second;
    ngx_http_aop_srv_conf_t  *ascf, *other;

    ascf = one->cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    other = two->cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    first = (uintptr_t) ascf->policy;
    second = (uintptr_t) other->policy;

    if (first == second) {
        first = (uintptr_t) ascf->expiry;
        second = (uintptr_t) other->expiry;
    }

    return (first > second) - (first < second);
}


/* How many thresholds have passed; the last one is the expiry itself. */

static ngx_uint_t
ngx_http_aop_expiry_stage(const ngx_http_aop_srv_conf_t *ascf,
    const ngx_http_aop_validity_t *ending, time_t now)
{
    time_t      *threshold, left, half;
    ngx_uint_t   i, stage;

    stage = 0;
    threshold = ascf->expiry->elts;

    /* a CRL may not expire, and 0 would be a date in 1970 */

    if (ascf->expiry->nelts == 0 || ending->not_after == 0) {
        return 0;
    }

    left = ending->not_after - now;
    half = (ending->not_after - ending->not_before) / 2;

    for (i = 0; i < ascf->expiry->nelts; i++) {
        stage += (left <= threshold[i] && threshold[i] <= half);
    }

    /* CRLs are short-lived: for them the last day matters */

    stage += (ngx_strcmp(ending->kind, "crl") == 0
              && left <= NGX_HTTP_AOP_EXPIRY_CRL);
    stage += (left < 0);

    return stage;
}


static void
ngx_http_aop_expiry_log(ngx_log_t *log, const ngx_http_aop_server_t *server,
    const ngx_http_aop_validity_t *ending, time_t now)
{
    char        date[NGX_AOP_DATE];
    ngx_int_t   days;
    ngx_uint_t  i;

    static const struct {
        const char  *kind;
        const char  *what;
        const char  *effect;
        const char  *advice;
    } words[] = {
        { "anchor", "CA", ", certificates issued by it are rejected",
          "add the new CA to \"aop_ca\"" },
        { "crl", "CRL of the CA", ", certificates of this CA are rejected",
          "update \"aop_crl\" and reload" },
        { "client", "client certificate", "", "upload a new one to Cloudflare" }
    };

    for (i = 0; ngx_strcmp(words[i].kind, ending->kind) != 0; i++) {
        /* void */
    }

    ngx_aop_cert_date(ending->not_after, date);

    if (ending->not_after < now) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "aop: %s \"%s\" expired on %s%s; %s, server: %V",
                      words[i].what, ending->subject, date, words[i].effect,
                      words[i].advice, &server->label);

    } else {
        days = ngx_http_aop_validity_days_left(ending->not_after);

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "aop: %s \"%s\" expires in %i day%s, on %s; %s, "
                      "server: %V",
                      words[i].what, ending->subject, days,
                      days == 1 ? "" : "s", date, words[i].advice,
                      &server->label);
    }
}
