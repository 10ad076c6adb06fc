
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Applies the mode to a request: the only place where a verdict turns into a
 * refusal.
 *
 * A request can enter at any of four phases, so we are in each of them, and
 * find out each time whether the mode that holds where the request is now has
 * been applied already.  POST_READ comes first but can be skipped by another
 * handler; error_page for a malformed request and internal redirects start at
 * SERVER_REWRITE; a named location at REWRITE; and a module may still change
 * the location before PREACCESS.  ACCESS is not used: "satisfy any" would let
 * another module overrule us.
 */


#include "ngx_http_aop_zone.h"


/* The first failure of a request; kept in its pool over redirects. */

typedef struct {
    ngx_http_aop_state_t    state;      /* as it was refused */
    void                  **location;   /* loc_conf of the error page */
    unsigned                refused:1;
    unsigned                pass:1;     /* a redirect to error_page may come */
    unsigned                entering:1; /* its location is not known yet */
} ngx_http_aop_failure_t;


static ngx_int_t ngx_http_aop_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_server_rewrite_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_rewrite_checker(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph);
static ngx_int_t ngx_http_aop_rewrite_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_log_handler(ngx_http_request_t *r);
static void ngx_http_aop_request_first(ngx_http_phase_handler_t *ph);
static ngx_uint_t ngx_http_aop_concerns(ngx_http_request_t *r);
static ngx_http_aop_mode_t *ngx_http_aop_server_mode(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_applied(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode);
static ngx_int_t ngx_http_aop_apply(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode);
static ngx_int_t ngx_http_aop_mode(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf, ngx_aop_mode_e *mode);
static ngx_http_aop_state_t *ngx_http_aop_state_set(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *conf, ngx_aop_mode_e mode);
static ngx_int_t ngx_http_aop_refuse(ngx_http_request_t *r,
    ngx_http_aop_failure_t *failure);
static ngx_http_aop_failure_t *ngx_http_aop_failure(ngx_http_request_t *r);
static ngx_http_aop_failure_t *ngx_http_aop_failure_add(ngx_http_request_t *r);
static void ngx_http_aop_failure_cleanup(void *data);
static ngx_uint_t ngx_http_aop_page(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_page_location(ngx_http_request_t *r);


typedef struct {
    ngx_http_phases         phase;
    ngx_http_handler_pt     handler;
} ngx_http_aop_phase_t;


static const ngx_http_aop_phase_t  ngx_http_aop_phases[] = {
    { NGX_HTTP_POST_READ_PHASE, ngx_http_aop_post_read_handler },
    { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_http_aop_server_rewrite_handler },
    { NGX_HTTP_PREACCESS_PHASE, ngx_http_aop_preaccess_handler },
    { NGX_HTTP_LOG_PHASE, ngx_http_aop_log_handler }
};

#define NGX_HTTP_AOP_PHASES                                                   \
    (sizeof(ngx_http_aop_phases) / sizeof(ngx_http_aop_phases[0]))


static ngx_http_aop_state_t  ngx_http_aop_state_off;


/* The mode of the server, if it can be known this early. */

static ngx_int_t
ngx_http_aop_post_read_handler(ngx_http_request_t *r)
{
    ngx_http_aop_mode_t      *mode;
    ngx_http_aop_srv_conf_t  *ascf;

    if (!ngx_http_aop_concerns(r)) {
        return NGX_DECLINED;
    }

    ngx_http_aop_record_tell(r);

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);
    mode = ngx_http_aop_server_mode(r);

    /* a variable would freeze $remote_addr before realip has changed it */

    if (ascf->relaxed || mode->mode == NGX_HTTP_AOP_VARIABLE) {
        return NGX_DECLINED;
    }

    return ngx_http_aop_apply(r, mode);
}


/* The mode of the server. */

static ngx_int_t
ngx_http_aop_server_rewrite_handler(ngx_http_request_t *r)
{
    ngx_http_aop_mode_t        *mode;
    ngx_http_aop_srv_conf_t    *ascf;
    ngx_http_core_main_conf_t  *cmcf;

    if (!ngx_http_aop_concerns(r)) {
        return NGX_DECLINED;
    }

    ngx_http_aop_record_tell(r);

    if (ngx_http_aop_page(r)) {

        /*
         * only the location that error_page names is let through: the
         * server's own "return" and "rewrite" are not, so on to FIND_CONFIG,
         * which stands before the handlers of REWRITE
         */

        cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
        r->phase_handler = cmcf->phase_engine.location_rewrite_index - 2;

        return NGX_DECLINED;
    }

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);
    mode = ngx_http_aop_server_mode(r);

    if (ascf->relaxed || ngx_http_aop_applied(r, mode)) {
        return NGX_DECLINED;
    }

    return ngx_http_aop_apply(r, mode);
}


/*
 * In REWRITE we stand in the checker of its handlers, not among them: nginx's
 * rewrite module knows by its place in the phase that a request is in no
 * location, where the server's own directives must not run once more.
 */

static ngx_int_t
ngx_http_aop_rewrite_checker(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph)
{
    ngx_int_t                   rc;
    ngx_uint_t                  first;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    first = cmcf->phase_engine.location_rewrite_index;

    rc = ((ngx_uint_t) r->phase_handler == first)
         ? ngx_http_aop_rewrite_handler(r) : ngx_http_aop_preaccess_handler(r);

    if (rc != NGX_DECLINED) {
        ngx_http_finalize_request(r, rc);
        return NGX_OK;
    }

    return ngx_http_core_rewrite_phase(r, ph);
}


/* The mode of the location; a variable is read anew in each one entered. */

static ngx_int_t
ngx_http_aop_rewrite_handler(ngx_http_request_t *r)
{
    ngx_http_aop_loc_conf_t  *alcf;

    if (!ngx_http_aop_concerns(r) || ngx_http_aop_page_location(r)) {
        return NGX_DECLINED;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);

    if (ngx_http_aop_applied(r, alcf->mode)
        && (alcf->mode->mode != NGX_HTTP_AOP_VARIABLE
            || alcf->mode == ngx_http_aop_server_mode(r)))
    {
        return NGX_DECLINED;
    }

    return ngx_http_aop_apply(r, alcf->mode);
}


/* The mode of the location, should somebody have changed it since. */

static ngx_int_t
ngx_http_aop_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_aop_state_t     *state;
    ngx_http_aop_loc_conf_t  *alcf;

    if (!ngx_http_aop_concerns(r)) {
        return NGX_DECLINED;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);
    state = ngx_http_get_module_ctx(r, ngx_http_aop_module);

    if ((state != NULL && state->page) || ngx_http_aop_applied(r, alcf->mode))
    {
        return NGX_DECLINED;
    }

    return ngx_http_aop_apply(r, alcf->mode);
}


/* A request is counted and logged once, with what became of it. */

static ngx_int_t
ngx_http_aop_log_handler(ngx_http_request_t *r)
{
    const ngx_http_aop_state_t  *state;

    if (!ngx_http_aop_concerns(r)) {
        return NGX_OK;
    }

    state = ngx_http_aop_state(r);

    if (state == NULL || state->result == NULL) {
        return NGX_OK;
    }

    ngx_http_aop_count(r, state);

    if (state->result->verdict != NGX_AOP_OK) {
        ngx_http_aop_log(r, state);
    }

    return NGX_OK;
}


/* Subrequests are not judged: they are part of what included them. */

static ngx_uint_t
ngx_http_aop_concerns(ngx_http_request_t *r)
{
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    return r == r->main && ascf->policy != NULL;
}


static ngx_http_aop_mode_t *
ngx_http_aop_server_mode(ngx_http_request_t *r)
{
    ngx_http_core_srv_conf_t  *cscf;
    ngx_http_aop_loc_conf_t   *alcf;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);
    alcf = cscf->ctx->loc_conf[ngx_http_aop_module.ctx_index];

    return alcf->mode;
}


/* r->ctx is zeroed by each internal redirect, so a state there is current. */

static ngx_uint_t
ngx_http_aop_applied(ngx_http_request_t *r, const ngx_http_aop_mode_t *mode)
{
    ngx_http_aop_state_t  *state;

    state = ngx_http_get_module_ctx(r, ngx_http_aop_module);

    if (state == NULL || state->page) {
        return 0;
    }

    if (mode->mode == NGX_HTTP_AOP_VARIABLE) {
        return state->source == mode;
    }

    return state->mode == mode->mode;
}


static ngx_int_t
ngx_http_aop_apply(ngx_http_request_t *r, const ngx_http_aop_mode_t *conf)
{
    ngx_aop_mode_e           mode;
    ngx_http_aop_state_t    *state;
    ngx_http_aop_failure_t  *failure;

    if (ngx_http_aop_mode(r, conf, &mode) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    state = ngx_http_aop_state_set(r, conf, mode);
    if (state == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (state->result == NULL || state->result->verdict == NGX_AOP_OK) {
        return NGX_DECLINED;
    }

    failure = ngx_http_aop_failure(r);

    if (failure == NULL) {
        failure = ngx_http_aop_failure_add(r);
        if (failure == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (!failure->refused) {
        failure->state = *state;
    }

    if (mode == NGX_AOP_OPTIONAL) {
        return NGX_DECLINED;
    }

    return ngx_http_aop_refuse(r, failure);
}


static ngx_int_t
ngx_http_aop_mode(ngx_http_request_t *r, const ngx_http_aop_mode_t *conf,
    ngx_aop_mode_e *mode)
{
    ngx_str_t  value;

    if (conf->mode != NGX_HTTP_AOP_VARIABLE) {
        *mode = conf->mode;
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, conf->value, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_aop_mode_parse(mode, (char *) value.data, value.len)) {
        return NGX_OK;
    }

    if (ngx_http_aop_count_mode_due(r)) {
        ngx_http_aop_log_mode(r, conf, &value);
    }

    *mode = NGX_AOP_ON;

    return NGX_OK;
}


static ngx_http_aop_state_t *
ngx_http_aop_state_set(ngx_http_request_t *r, const ngx_http_aop_mode_t *conf,
    ngx_aop_mode_e mode)
{
    ngx_http_aop_state_t      *state, *own;
    ngx_http_aop_judgement_t  *judgement;

    if (mode == NGX_AOP_OFF) {
        state = &ngx_http_aop_state_off;

    } else {
        judgement = ngx_http_aop_judge(r);
        state = &judgement->state[mode];
    }

    if (conf->mode == NGX_HTTP_AOP_VARIABLE) {

        own = ngx_palloc(r->pool, sizeof(ngx_http_aop_state_t));
        if (own == NULL) {
            return NULL;
        }

        *own = *state;
        own->source = conf;
        state = own;
    }

    ngx_http_set_ctx(r, state, ngx_http_aop_module);

    return state;
}


static ngx_int_t
ngx_http_aop_refuse(ngx_http_request_t *r, ngx_http_aop_failure_t *failure)
{
    /* one page for a refusal: a page that is refused itself has no other */

    if (failure->refused) {
        r->error_page = 1;
    }

    failure->pass = !failure->refused;
    failure->refused = 1;

    if (failure->state.result->verdict == NGX_AOP_MISDIRECTED) {

        /* the connection and its session are good for their own server */

        r->keepalive = 0;

    } else if (ngx_http_aop_close(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_aop_verdict(failure->state.result->verdict)->status;
}


const ngx_http_aop_state_t *
ngx_http_aop_state(ngx_http_request_t *r)
{
    ngx_http_aop_failure_t  *failure;

    failure = ngx_http_aop_failure(r->main);

    return failure ? &failure->state
                   : ngx_http_get_module_ctx(r->main, ngx_http_aop_module);
}


static ngx_http_aop_failure_t *
ngx_http_aop_failure(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    for (cln = r->pool->cleanup; cln; cln = cln->next) {
        if (cln->handler == ngx_http_aop_failure_cleanup) {
            return cln->data;
        }
    }

    return NULL;
}


static ngx_http_aop_failure_t *
ngx_http_aop_failure_add(ngx_http_request_t *r)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_aop_failure_t));
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, sizeof(ngx_http_aop_failure_t));

    cln->handler = ngx_http_aop_failure_cleanup;

    return cln->data;
}


/* There is nothing to clean up: the handler is what the data is found by. */

static void
ngx_http_aop_failure_cleanup(void *data)
{
}


/*
 * After a refusal nginx may redirect to the page that error_page names.  That
 * redirect, and the one location that it leads to, are let through; whatever
 * that location redirects to is judged again.
 */

static ngx_uint_t
ngx_http_aop_page(ngx_http_request_t *r)
{
    ngx_http_aop_failure_t  *failure;

    if (!r->internal || ngx_http_get_module_ctx(r, ngx_http_aop_module)) {
        return 0;
    }

    failure = ngx_http_aop_failure(r);

    if (failure == NULL || !failure->pass || r->post_action) {
        return 0;
    }

    failure->pass = 0;
    failure->entering = 1;
    failure->state.page = 1;

    ngx_http_set_ctx(r, &failure->state, ngx_http_aop_module);

    return 1;
}


static ngx_uint_t
ngx_http_aop_page_location(ngx_http_request_t *r)
{
    ngx_http_aop_state_t    *state;
    ngx_http_aop_failure_t  *failure;

    state = ngx_http_get_module_ctx(r, ngx_http_aop_module);

    if (state == NULL) {

        /* error_page may name a named location */

        if (!ngx_http_aop_page(r)) {
            return 0;
        }

    } else if (!state->page) {
        return 0;
    }

    failure = ngx_http_aop_failure(r);

    if (failure == NULL) {
        return 0;
    }

    if (failure->entering) {
        failure->entering = 0;
        failure->location = r->loc_conf;
    }

    return failure->location == r->loc_conf;
}


ngx_int_t
ngx_http_aop_request_init(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < NGX_HTTP_AOP_PHASES; i++) {

        h = ngx_array_push(
                      &cmcf->phases[ngx_http_aop_phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = ngx_http_aop_phases[i].handler;
    }

    return NGX_OK;
}


/*
 * Handlers run in the reverse order of registration, so a module that is
 * loaded later runs before us, and could answer.  The handlers of a phase
 * stand side by side in the phase engine and have a checker in common, but
 * for REWRITE, which shares its checker with SERVER_REWRITE; FIND_CONFIG is
 * between the two.
 */

void
ngx_http_aop_request_order(ngx_cycle_t *cycle)
{
    ngx_http_phase_handler_t   *ph;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);

    if (cmcf == NULL || cmcf->phase_engine.handlers == NULL) {
        return;
    }

    ngx_http_aop_request_first(cmcf->phase_engine.handlers);

    ph = cmcf->phase_engine.handlers
         + cmcf->phase_engine.location_rewrite_index;

    while (ph->checker == ngx_http_core_rewrite_phase) {
        ph->checker = ngx_http_aop_rewrite_checker;
        ph++;
    }
}


static void
ngx_http_aop_request_first(ngx_http_phase_handler_t *ph)
{
    ngx_uint_t                 i;
    ngx_http_phase_handler_t  *first, ours;

    for (first = ph; ph->checker; ph++) {

        if (ph->checker != first->checker) {
            first = ph;
        }

        for (i = 0; i < NGX_HTTP_AOP_PHASES; i++) {
            if (ph->handler == ngx_http_aop_phases[i].handler) {
                ours = *ph;
                ngx_memmove(first + 1, first, (u_char *) ph - (u_char *) first);
                *first = ours;
            }
        }
    }
}
