
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * After a refusal nginx may redirect to the page that error_page names; it
 * also does so for a request without TLS to a port with TLS ("error_page
 * 497").  That redirect, and the one location that it leads to, are let
 * through; any further redirect from there is judged again.
 */


#include "ngx_http_aop_request.h"


static ngx_uint_t ngx_http_aop_error_page_plain(ngx_http_request_t *r);


ngx_uint_t
ngx_http_aop_error_page_enter(ngx_http_request_t *r)
{
    ngx_http_aop_failure_t  *failure;

    if (!r->internal
        || r->post_action
        || ngx_http_get_module_ctx(r, ngx_http_aop_module))
    {
        return 0;
    }

    failure = ngx_http_aop_request_failure(r);

    if (failure == NULL && ngx_http_aop_error_page_plain(r)) {
        failure = ngx_http_aop_request_failure_add(r);

        if (failure != NULL) {
            failure->pass = 1;
        }
    }

    if (failure == NULL || !failure->pass) {
        return 0;
    }

    failure->pass = 0;
    failure->entering = 1;
    failure->state.page = 1;

    ngx_http_set_ctx(r, &failure->state, ngx_http_aop_module);

    return 1;
}


/*
 * nginx serves no such request: its first redirect is on the way to an error
 * page.
 */

static ngx_uint_t
ngx_http_aop_error_page_plain(ngx_http_request_t *r)
{
    return r->http_connection->ssl && r->connection->ssl == NULL;
}


ngx_uint_t
ngx_http_aop_error_page_in(ngx_http_request_t *r)
{
    ngx_http_aop_state_t    *state;
    ngx_http_aop_failure_t  *failure;

    state = ngx_http_get_module_ctx(r, ngx_http_aop_module);

    if (state == NULL) {

        /* error_page can name a named location */

        if (!ngx_http_aop_error_page_enter(r)) {
            return 0;
        }

    } else if (!state->page) {
        return 0;
    }

    failure = ngx_http_aop_request_failure(r);

    if (failure == NULL) {
        return 0;
    }

    if (failure->entering) {
        failure->entering = 0;
        failure->location = r->loc_conf;
    }

    return failure->location == r->loc_conf;
}
