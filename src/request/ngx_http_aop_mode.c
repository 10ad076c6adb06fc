
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The mode of "aop $variable", which is each request's own.
 */


#include "ngx_http_aop_request.h"
#include "ngx_http_aop_stats.h"


static ngx_int_t ngx_http_aop_mode(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf, ngx_aop_mode_e *mode);
static ngx_int_t ngx_http_aop_mode_value(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf, ngx_str_t *value);


/* What is to be changed of a state has to be a copy. */

ngx_http_aop_state_t *
ngx_http_aop_mode_state(ngx_http_request_t *r,
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

    *state = *ngx_http_aop_conn_state(r, mode);
    state->source = conf;

    return state;
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
