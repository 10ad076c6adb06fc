
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What was applied to a request. */


#include "ngx_http_aop_request.h"


static void ngx_http_aop_failure_cleanup(void *data);


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
