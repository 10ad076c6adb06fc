
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Applies the mode to a request: the only place where a verdict turns into a
 * refusal.
 */


#include "ngx_http_aop_request.h"
#include "ngx_http_aop_stats.h"


static ngx_int_t ngx_http_aop_mode(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf, ngx_aop_mode_e *mode);
static ngx_int_t ngx_http_aop_mode_value(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf, ngx_str_t *value);
static ngx_http_aop_state_t *ngx_http_aop_request_set_state(
    ngx_http_request_t *r, const ngx_http_aop_mode_t *conf);
static ngx_http_aop_state_t *ngx_http_aop_request_own_state(
    ngx_http_request_t *r, const ngx_http_aop_mode_t *conf);
static ngx_http_aop_state_t *ngx_http_aop_request_state_of(
    ngx_http_request_t *r, ngx_aop_mode_e mode);
static ngx_int_t ngx_http_aop_refuse(ngx_http_request_t *r,
    ngx_http_aop_failure_t *failure);
static ngx_int_t ngx_http_aop_refuse_status(ngx_http_request_t *r,
    ngx_aop_verdict_e verdict);
static void ngx_http_aop_failure_cleanup(void *data);


static ngx_http_aop_state_t  ngx_http_aop_state_off;


ngx_int_t
ngx_http_aop_request_apply(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf)
{
    ngx_http_aop_state_t    *state;
    ngx_http_aop_failure_t  *failure;

    state = ngx_http_aop_request_set_state(r, conf);
    if (state == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (state->result == NULL || state->result->verdict == NGX_AOP_VERDICT_OK) {
        return NGX_DECLINED;
    }

    failure = ngx_http_aop_request_failure(r);

    if (failure == NULL) {
        failure = ngx_http_aop_request_failure_add(r);

        if (failure == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (failure->state.result == NULL) {
        ngx_http_aop_count_failed(r, state);
    }

    if (!failure->refused) {
        failure->state = *state;
        failure->by_location = (conf != ngx_http_aop_server_mode(r));
    }

    if (state->mode == NGX_AOP_MODE_OPTIONAL) {
        return NGX_DECLINED;
    }

    return ngx_http_aop_refuse(r, failure);
}


static ngx_int_t
ngx_http_aop_mode(ngx_http_request_t *r, const ngx_http_aop_mode_t *conf,
    ngx_aop_mode_e *mode)
{
    ngx_str_t  value;

    if (ngx_http_aop_mode_value(r, conf, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_aop_mode_parse(mode, (char *) value.data, value.len)) {
        return NGX_OK;
    }

    if (ngx_http_aop_throttle_allows_mode(r)) {
        ngx_http_aop_log_mode(r, conf, &value);
    }

    *mode = NGX_AOP_MODE_ON;

    return NGX_OK;
}


/*
 * nginx remembers the values of variables.  If "aop_real_ip" may set another
 * address after this, those that were evaluated for the mode are dropped.
 */

static ngx_int_t
ngx_http_aop_mode_value(ngx_http_request_t *r, const ngx_http_aop_mode_t *conf,
    ngx_str_t *value)
{
    size_t                      size;
    ngx_int_t                   rc;
    ngx_http_aop_srv_conf_t    *ascf;
    ngx_http_variable_value_t  *known;
    ngx_http_core_main_conf_t  *cmcf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    if (ascf->real_ip == NULL || r->internal) {
        return ngx_http_complex_value(r, conf->value, value);
    }

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    size = cmcf->variables.nelts * sizeof(ngx_http_variable_value_t);

    known = r->variables;

    r->variables = ngx_palloc(r->pool, size);
    if (r->variables == NULL) {
        r->variables = known;
        return NGX_ERROR;
    }

    ngx_memcpy(r->variables, known, size);

    rc = ngx_http_complex_value(r, conf->value, value);

    r->variables = known;

    return rc;
}


/* NULL: memory is short.  What is to be changed of a state has to be a copy. */

static ngx_http_aop_state_t *
ngx_http_aop_request_set_state(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf)
{
    ngx_http_aop_state_t  *state;

    state = (conf->mode == NGX_HTTP_AOP_MODE_VARIABLE)
            ? ngx_http_aop_request_own_state(r, conf)
            : ngx_http_aop_request_state_of(r, conf->mode);

    if (state != NULL) {
        ngx_http_set_ctx(r, state, ngx_http_aop_module);
    }

    return state;
}


static ngx_http_aop_state_t *
ngx_http_aop_request_own_state(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf)
{
    ngx_aop_mode_e         mode;
    ngx_http_aop_state_t  *state;

    if (ngx_http_aop_mode(r, conf, &mode) != NGX_OK) {
        return NULL;
    }

    state = ngx_palloc(r->pool, sizeof(ngx_http_aop_state_t));
    if (state == NULL) {
        return NULL;
    }

    *state = *ngx_http_aop_request_state_of(r, mode);
    state->source = conf;

    return state;
}


static ngx_http_aop_state_t *
ngx_http_aop_request_state_of(ngx_http_request_t *r, ngx_aop_mode_e mode)
{
    if (mode == NGX_AOP_MODE_OFF) {
        return &ngx_http_aop_state_off;
    }

    return &ngx_http_aop_conn_judge_request(r)->state[mode];
}


static ngx_int_t
ngx_http_aop_refuse(ngx_http_request_t *r, ngx_http_aop_failure_t *failure)
{
    /* one page per rejection: a rejected page has no other page */

    if (failure->refused) {
        r->error_page = 1;
    }

    failure->pass = !failure->refused;
    failure->refused = 1;

    if (failure->state.result->verdict == NGX_AOP_VERDICT_MISDIRECTED) {

        /* the connection and its session are valid for their own server */

        r->keepalive = 0;

    } else if (ngx_http_aop_close_connection(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_aop_refuse_status(r, failure->state.result->verdict);
}


/* "aop_status" replaces the status for the client's certificate. */

static ngx_int_t
ngx_http_aop_refuse_status(ngx_http_request_t *r, ngx_aop_verdict_e verdict)
{
    ngx_http_aop_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);

    if (alcf->status == 0
        || verdict == NGX_AOP_VERDICT_MISDIRECTED
        || verdict == NGX_AOP_VERDICT_ERROR)
    {
        return ngx_aop_verdict(verdict)->status;
    }

    return alcf->status;
}


const ngx_http_aop_state_t *
ngx_http_aop_request_state(ngx_http_request_t *r)
{
    ngx_http_aop_state_t    *state;
    ngx_http_aop_failure_t  *failure;

    failure = ngx_http_aop_request_failure(r->main);

    if (failure != NULL && failure->state.result != NULL) {
        return &failure->state;
    }

    state = ngx_http_get_module_ctx(r->main, ngx_http_aop_module);

    /* no mode was applied to an error page without a failure */

    return (state == NULL || state->page) ? NULL : state;
}


const char *
ngx_http_aop_request_mode_from(ngx_http_request_t *r)
{
    ngx_uint_t                   by_location;
    ngx_http_aop_failure_t      *failure;
    ngx_http_aop_loc_conf_t     *alcf;
    ngx_http_aop_srv_conf_t     *ascf;
    const ngx_http_aop_state_t  *state;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    if (ascf->policy == NULL) {
        return "server";
    }

    state = ngx_http_aop_request_state(r);

    if (state == NULL) {
        return "";
    }

    if (state->source != NULL) {
        return "variable";
    }

    failure = ngx_http_aop_request_failure(r);

    if (failure != NULL) {
        by_location = failure->by_location;

    } else {

        /* a location that was found but not entered has not been applied */

        alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);
        by_location = (alcf->mode != ngx_http_aop_server_mode(r)
                       && alcf->mode->mode == state->mode);
    }

    return by_location ? "location" : "server";
}


ngx_http_aop_failure_t *
ngx_http_aop_request_failure(ngx_http_request_t *r)
{
    return ngx_http_aop_pool_get(r->pool, ngx_http_aop_failure_cleanup);
}


ngx_http_aop_failure_t *
ngx_http_aop_request_failure_add(ngx_http_request_t *r)
{
    return ngx_http_aop_pool_add(r->pool, sizeof(ngx_http_aop_failure_t),
                                 ngx_http_aop_failure_cleanup);
}


/* There is nothing to clean up: the handler identifies the data. */

static void
ngx_http_aop_failure_cleanup(void *data)
{
}
