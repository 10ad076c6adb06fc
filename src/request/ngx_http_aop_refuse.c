
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What becomes of a request that failed: the only place where a verdict turns
 * into a refusal.
 */


#include "ngx_http_aop_request.h"
#include "ngx_http_aop_stats.h"


static ngx_int_t ngx_http_aop_refuse_request(ngx_http_request_t *r,
    ngx_http_aop_failure_t *failure);
static ngx_int_t ngx_http_aop_refuse_status(ngx_http_request_t *r,
    ngx_aop_verdict_e verdict);


ngx_int_t
ngx_http_aop_refuse(ngx_http_request_t *r, const ngx_http_aop_mode_t *conf,
    const ngx_http_aop_state_t *state)
{
    ngx_http_aop_failure_t  *failure;

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

    return ngx_http_aop_refuse_request(r, failure);
}


static ngx_int_t
ngx_http_aop_refuse_request(ngx_http_request_t *r,
    ngx_http_aop_failure_t *failure)
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
