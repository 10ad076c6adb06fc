
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


/* What a request was counted as; kept in its pool over redirects. */

typedef struct {
    unsigned                    failed:1;
} ngx_http_aop_outcome_t;


static ngx_int_t ngx_http_aop_outcome_header_filter(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_outcome_counted(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);
static void ngx_http_aop_outcome_count(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);
static void ngx_http_aop_outcome_cleanup(void *data);


static ngx_http_output_header_filter_pt  ngx_http_aop_outcome_next_filter;


void
ngx_http_aop_outcome(ngx_http_request_t *r)
{
    ngx_http_aop_outcome_t      *outcome;
    const ngx_http_aop_state_t  *state;

    state = ngx_http_aop_request_state(r);

    if (state == NULL || ngx_http_aop_outcome_counted(r, state)) {
        return;
    }

    outcome = ngx_http_aop_pool_get(r->pool, ngx_http_aop_outcome_cleanup);

    if (outcome == NULL) {
        outcome = ngx_http_aop_pool_add(r->pool,
                                        sizeof(ngx_http_aop_outcome_t),
                                        ngx_http_aop_outcome_cleanup);
        if (outcome == NULL) {

            /* the log phase needs no memory */

            return;
        }
    }

    outcome->failed = (state->result != NULL
                       && state->result->verdict != NGX_AOP_VERDICT_OK);

    ngx_http_aop_outcome_count(r, state);
}


void
ngx_http_aop_outcome_log(ngx_http_request_t *r)
{
    const ngx_http_aop_state_t  *state;

    state = ngx_http_aop_request_state(r);

    if (state != NULL && !ngx_http_aop_outcome_counted(r, state)) {
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


/* A certificate that passed may expire before a redirect. */

static ngx_uint_t
ngx_http_aop_outcome_counted(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state)
{
    ngx_http_aop_outcome_t  *outcome;

    outcome = ngx_http_aop_pool_get(r->pool, ngx_http_aop_outcome_cleanup);

    return outcome != NULL
           && (outcome->failed
               || state->result == NULL
               || state->result->verdict == NGX_AOP_VERDICT_OK);
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

    if (state->result->verdict != NGX_AOP_VERDICT_OK) {
        ngx_http_aop_log(r, state);
    }
}


/* There is nothing to clean up: the handler is what the data is found by. */

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
