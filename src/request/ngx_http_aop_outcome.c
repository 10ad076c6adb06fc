
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * When a request is counted and logged: once, as soon as nothing can change
 * any more what becomes of it.  It may be in progress for hours then.
 *
 * A refusal is final.  What no location of the server could refuse is, too.
 * Where modes differ, a redirect (by try_files, error_page, X-Accel-Redirect)
 * may lead to a stricter location, until the header of the response is out;
 * the last to ask is the log phase, for what never had a response.
 */


#include "ngx_http_aop_request.h"
#include "ngx_http_aop_stats.h"


static ngx_int_t ngx_http_aop_outcome_header_filter(ngx_http_request_t *r);
static const ngx_http_aop_state_t *ngx_http_aop_outcome_uncounted(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_outcome_failed(
    const ngx_http_aop_state_t *state);
static void ngx_http_aop_outcome_count(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);
static void ngx_http_aop_outcome_cleanup(void *data);


static ngx_http_output_header_filter_pt  ngx_http_aop_outcome_next_filter;


/*
 * The state that a request was counted with is kept in its pool over redirects:
 * as the data of a cleanup, which saves an allocation for each request.
 */

void
ngx_http_aop_outcome(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t          *cln;
    const ngx_http_aop_state_t  *state;

    state = ngx_http_aop_outcome_uncounted(r);

    if (state == NULL) {
        return;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {

        /* the log phase needs no memory */

        return;
    }

    cln->handler = ngx_http_aop_outcome_cleanup;
    cln->data = (void *) state;

    ngx_http_aop_outcome_count(r, state);
}


void
ngx_http_aop_outcome_log(ngx_http_request_t *r)
{
    const ngx_http_aop_state_t  *state;

    state = ngx_http_aop_outcome_uncounted(r);

    if (state != NULL) {
        ngx_http_aop_outcome_count(r, state);
    }
}


/* What other filters make of the response may still be a redirect. */

static ngx_int_t
ngx_http_aop_outcome_header_filter(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_aop_outcome_next_filter(r);

    if (r->header_sent && ngx_http_aop_request_enabled(r)) {
        ngx_http_aop_outcome(r);
    }

    return rc;
}


/*
 * NULL: there is nothing to count.  No mode is applied after a request was
 * counted, but by a redirect.  A certificate that passed may expire before
 * that, so what was counted as passed is counted once more if it fails then.
 */

static const ngx_http_aop_state_t *
ngx_http_aop_outcome_uncounted(ngx_http_request_t *r)
{
    const ngx_http_aop_state_t  *state, *counted;

    counted = ngx_http_aop_pool_get(r->pool, ngx_http_aop_outcome_cleanup);

    if (counted != NULL
        && (!r->internal || ngx_http_aop_outcome_failed(counted)))
    {
        return NULL;
    }

    state = ngx_http_aop_request_state(r);

    if (counted != NULL
        && state != NULL
        && !ngx_http_aop_outcome_failed(state))
    {
        return NULL;
    }

    return state;
}


static ngx_uint_t
ngx_http_aop_outcome_failed(const ngx_http_aop_state_t *state)
{
    return state->result != NULL
           && state->result->verdict != NGX_AOP_VERDICT_OK;
}


static void
ngx_http_aop_outcome_count(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state)
{
    if (state->result == NULL) {
        ngx_http_aop_count_off(r);
        return;
    }

    ngx_http_aop_count(r, state);

    if (ngx_http_aop_outcome_failed(state)) {
        ngx_http_aop_log(r, state);
    }
}


/* There is nothing to clean up: the handler identifies the data. */

static void
ngx_http_aop_outcome_cleanup(void *data)
{
}


void
ngx_http_aop_outcome_init(void)
{
    ngx_http_aop_outcome_next_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_aop_outcome_header_filter;
}
