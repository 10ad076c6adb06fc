
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * When a request is counted and logged: once, as soon as nothing can change
 * any more what becomes of it.  It may be in progress for hours then.
 *
 * A refusal is final.  What passed where there is one mode is, too, and in
 * PREACCESS what no location of the server could refuse.
 * Where modes differ, a redirect (by try_files, error_page, X-Accel-Redirect)
 * may lead to a stricter location, until the header of the response is out;
 * the last to ask is the log phase, for what never had a response.
 */


#include "ngx_http_aop_request.h"
#include "ngx_http_aop_stats.h"


static ngx_http_variable_value_t *ngx_http_aop_outcome_counted(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_outcome_header_filter(ngx_http_request_t *r);
static const ngx_http_aop_state_t *ngx_http_aop_outcome_uncounted(
    ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_outcome_failed(
    const ngx_http_aop_state_t *state);
static void ngx_http_aop_outcome_count(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);
static ngx_int_t ngx_http_aop_outcome_no_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);


static ngx_http_output_header_filter_pt  ngx_http_aop_outcome_next_filter;


void
ngx_http_aop_outcome(ngx_http_request_t *r)
{
    const ngx_http_aop_state_t  *state;

    state = ngx_http_aop_outcome_uncounted(r);

    if (state != NULL) {
        ngx_http_aop_outcome_counted(r)->data = (u_char *) state;
        ngx_http_aop_outcome_count(r, state);
    }
}


/* Unlike after a redirect, nothing was applied before. */

void
ngx_http_aop_outcome_settled(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state)
{
    if (r->internal) {
        ngx_http_aop_outcome(r);
        return;
    }

    ngx_http_aop_outcome_counted(r)->data = (u_char *) state;

    ngx_http_aop_count(r, state);
}


/*
 * The state that a request was counted with: redirects keep the variables of a
 * request, unlike r->ctx, and there is room for them already.
 */

static ngx_http_variable_value_t *
ngx_http_aop_outcome_counted(ngx_http_request_t *r)
{
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);

    return &r->variables[amcf->counted];
}


/* What other filters make of the response may still be a redirect. */

static ngx_int_t
ngx_http_aop_outcome_header_filter(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_aop_outcome_next_filter(r);

    if (!ngx_http_aop_request_settled(r)
        && r->header_sent
        && ngx_http_aop_request_enabled(r))
    {
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

    counted = (void *) ngx_http_aop_outcome_counted(r)->data;

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


/* No configuration can name it, as there is a space in its name. */

ngx_int_t
ngx_http_aop_outcome_variable(ngx_conf_t *cf)
{
    ngx_http_variable_t       *var;
    ngx_http_aop_main_conf_t  *amcf;

    static ngx_str_t  name = ngx_string("aop counted");

    var = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOHASH);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_aop_outcome_no_text;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);
    amcf->counted = ngx_http_get_variable_index(cf, &name);

    return (amcf->counted != NGX_ERROR) ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_http_aop_outcome_no_text(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    v->not_found = 1;

    return NGX_OK;
}


void
ngx_http_aop_outcome_init(void)
{
    ngx_http_aop_outcome_next_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_http_aop_outcome_header_filter;
}
