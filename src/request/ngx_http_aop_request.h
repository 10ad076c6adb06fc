
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_REQUEST_H_INCLUDED_
#define _NGX_HTTP_AOP_REQUEST_H_INCLUDED_


#include "ngx_http_aop_conn.h"


/*
 * Is this request served?  The mode is applied here, and nowhere else; the
 * outcome is logged, and available in variables.
 */


/* The first failure of a request; kept in its pool over redirects. */

typedef struct {
    ngx_http_aop_state_t    state;      /* as it was refused; no result: not */
    void                  **location;   /* loc_conf of the error page */
    unsigned                by_location:1;  /* has the mode of a location */
    unsigned                refused:1;
    unsigned                pass:1;     /* a redirect to error_page may come */
    unsigned                entering:1; /* its location is not known yet */
} ngx_http_aop_failure_t;


/*
 * ngx_http_aop_phase_init() registers the phase handlers,
 * ngx_http_aop_phase_order() moves them to the front of their phases.
 *
 * ngx_http_aop_phase_check(): are the phases as we know them?  NGX_ERROR is
 * logged.
 */

ngx_int_t ngx_http_aop_phase_init(ngx_conf_t *cf);
ngx_int_t ngx_http_aop_phase_order(ngx_cycle_t *cycle);
ngx_int_t ngx_http_aop_phase_check(ngx_http_core_main_conf_t *cmcf,
    ngx_log_t *log);


/*
 * For the phase handlers.  ngx_http_aop_request_enabled(): the request is one
 * to be judged here at all.  ngx_http_aop_request_applied(): this mode, or
 * this variable's, is the one that was applied last; that of a request which
 * is not enabled never is.  ngx_http_aop_apply() applies it; returns
 * NGX_DECLINED, or the status to refuse with.
 *
 * Of the latter, ngx_http_aop_mode_state() is what "aop $variable" gives, NULL
 * if memory is short; ngx_http_aop_refuse() is for a state that failed.
 *
 * ngx_http_aop_request_settled(): it passed, it was counted, and no other mode
 * can be applied to it.  Most requests are, once the first phase is over.
 *
 * ngx_http_aop_error_page_enter(): this is the redirect to the page of a
 * refusal, and ngx_http_aop_error_page_in() the location that it leads to;
 * both are let through once.
 */

static ngx_inline ngx_uint_t ngx_http_aop_request_enabled(
    ngx_http_request_t *r);
static ngx_inline ngx_uint_t ngx_http_aop_request_applied(
    ngx_http_request_t *r, const ngx_http_aop_mode_t *mode);
static ngx_inline ngx_uint_t ngx_http_aop_request_settled(
    ngx_http_request_t *r);
ngx_int_t ngx_http_aop_apply(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode);
ngx_http_aop_state_t *ngx_http_aop_mode_state(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode);
ngx_int_t ngx_http_aop_refuse(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode, const ngx_http_aop_state_t *state);
ngx_uint_t ngx_http_aop_error_page_enter(ngx_http_request_t *r);
ngx_uint_t ngx_http_aop_error_page_in(ngx_http_request_t *r);


/*
 * What was applied to the request; the first failure if there was one; NULL
 * if nothing has been applied.
 */

const ngx_http_aop_state_t *ngx_http_aop_request_state(ngx_http_request_t *r);

/*
 * ngx_http_aop_request_failure() returns the failure of a request, or NULL;
 * ngx_http_aop_request_failure_add() makes one, NULL if memory is short.
 */

ngx_http_aop_failure_t *ngx_http_aop_request_failure(ngx_http_request_t *r);
ngx_http_aop_failure_t *ngx_http_aop_request_failure_add(
    ngx_http_request_t *r);

/*
 * What gave the mode: "server", "location" or "variable"; empty if none has
 * been applied.
 */

const char *ngx_http_aop_request_mode_from(ngx_http_request_t *r);


/* One line for a request that was refused, or would have been. */

void ngx_http_aop_log(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);

/* One line for an invalid value of an "aop $variable". */

void ngx_http_aop_log_mode(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode, ngx_str_t *value);


ngx_int_t ngx_http_aop_variables_init(ngx_conf_t *cf);


/* The value of $aop_json, and the log format "aop_json" that consists of it. */

ngx_int_t ngx_http_aop_log_format_json(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
ngx_int_t ngx_http_aop_log_format_init(ngx_conf_t *cf);


/*
 * ngx_http_aop_real_ip_apply() sets the client's address as "aop_real_ip" says;
 * returns NGX_DECLINED, or the status to end the request with.
 * ngx_http_aop_real_ip_restore() sets it once more if it was set.
 *
 * ngx_http_aop_real_ip_parse() returns 1 and the address in the header of that
 * name, of NGX_AOP_ADDR bytes, or 0: it was not sent exactly once, or is not
 * exactly one address.  Whether to believe it is the caller's question.
 *
 * ngx_http_aop_real_ip_directive() is "aop_real_ip".
 */

ngx_int_t ngx_http_aop_real_ip_apply(ngx_http_request_t *r);
void ngx_http_aop_real_ip_restore(ngx_http_request_t *r);
ngx_uint_t ngx_http_aop_real_ip_parse(ngx_http_request_t *r,
    const ngx_str_t *name, u_char *addr);
char *ngx_http_aop_real_ip_directive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


/*
 * ngx_http_aop_outcome() counts and logs the request, unless that was done,
 * as what was applied to it; ngx_http_aop_outcome_settled() counts one that is
 * settled, with the state that was applied just now.
 *
 * ngx_http_aop_outcome_variable() makes room for what is known of that;
 * ngx_http_aop_outcome_init() installs a header filter.
 */

void ngx_http_aop_outcome(ngx_http_request_t *r);
void ngx_http_aop_outcome_settled(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);
ngx_int_t ngx_http_aop_outcome_variable(ngx_conf_t *cf);
void ngx_http_aop_outcome_init(void);


/*
 * Each request asks these three again and again.  Subrequests are not verified:
 * they are part of their parent request.
 */

static ngx_inline ngx_uint_t
ngx_http_aop_request_enabled(ngx_http_request_t *r)
{
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    return r == r->main && ascf->policy != NULL;
}


/* r->ctx is zeroed by each internal redirect, so a state there is current. */

static ngx_inline ngx_uint_t
ngx_http_aop_request_applied(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode)
{
    ngx_http_aop_state_t  *state;

    state = ngx_http_get_module_ctx(r, ngx_http_aop_module);

    if (state == NULL || state->page) {
        return 0;
    }

    if (mode->mode == NGX_HTTP_AOP_MODE_VARIABLE) {
        return state->source == mode;
    }

    return state->mode == mode->mode;
}


static ngx_inline ngx_uint_t
ngx_http_aop_request_settled(ngx_http_request_t *r)
{
    ngx_http_aop_state_t  *state;

    state = ngx_http_get_module_ctx(r, ngx_http_aop_module);

    return state != NULL && state->settled;
}


#endif /* _NGX_HTTP_AOP_REQUEST_H_INCLUDED_ */
