
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Applies a mode to a request.  Most requests pass, in a server with one mode:
 * all that is to be done for one of these is done here.
 */


#include "ngx_http_aop_request.h"


ngx_int_t
ngx_http_aop_apply(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf)
{
    ngx_http_aop_state_t  *state;

    state = (conf->mode == NGX_HTTP_AOP_MODE_VARIABLE)
            ? ngx_http_aop_mode_state(r, conf)
            : ngx_http_aop_conn_state(r, conf->mode);

    if (state == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, state, ngx_http_aop_module);

    if (state->settled) {
        ngx_http_aop_outcome_settled(r, state);
        return NGX_DECLINED;
    }

    if (state->result == NULL || state->result->verdict == NGX_AOP_VERDICT_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_aop_refuse(r, conf, state);
}
