
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Where in the life of a request its mode is applied, and that nobody comes
 * before us there.
 *
 * A request can enter at any of four phases, so we are in each of them, and
 * find out each time whether the mode that holds where the request is now has
 * been applied already.  POST_READ comes first but can be skipped by another
 * handler; error_page for a malformed request and internal redirects start at
 * SERVER_REWRITE; a named location at REWRITE; and a module may still change
 * the location before PREACCESS.  ACCESS is not used: "satisfy any" would let
 * another module overrule us.
 *
 * Most requests pass in POST_READ, in a server with one mode, and are settled.
 * For these the phases that follow are left in our checkers already.
 */


#include "ngx_http_aop_request.h"
#include "ngx_http_aop_stats.h"


typedef struct {
    ngx_http_phases             phase;
    ngx_http_handler_pt         handler;

    /* in place of nginx's, for this handler alone; NULL: none */
    ngx_http_phase_handler_pt   checker;
} ngx_http_aop_phase_t;


static ngx_int_t ngx_http_aop_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_server_rewrite_checker(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph);
static ngx_int_t ngx_http_aop_preaccess_checker(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph);
static ngx_int_t ngx_http_aop_server_rewrite_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_rewrite_checker(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph);
static ngx_int_t ngx_http_aop_rewrite_apply(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph);
static ngx_int_t ngx_http_aop_rewrite_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_address_checker(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph);
static ngx_int_t ngx_http_aop_moved_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_phase_apply(ngx_http_request_t *r,
    const ngx_http_aop_mode_t *mode);
static ngx_int_t ngx_http_aop_log_handler(ngx_http_request_t *r);
static ngx_http_phase_handler_t *ngx_http_aop_phase_run(
    ngx_http_phase_handler_t *ph, ngx_http_phase_handler_pt checker,
    ngx_http_handler_pt handler);
static void ngx_http_aop_phase_first(ngx_http_phase_handler_t *ph);
static void ngx_http_aop_phase_watch_address(ngx_http_phase_handler_t *ph);
static void ngx_http_aop_phase_checkers(ngx_http_phase_handler_t *ph);


static const ngx_http_aop_phase_t  ngx_http_aop_phases[] = {
    { NGX_HTTP_POST_READ_PHASE, ngx_http_aop_post_read_handler, NULL },
    { NGX_HTTP_SERVER_REWRITE_PHASE, ngx_http_aop_server_rewrite_handler,
      ngx_http_aop_server_rewrite_checker },
    { NGX_HTTP_PREACCESS_PHASE, ngx_http_aop_preaccess_handler,
      ngx_http_aop_preaccess_checker },
    { NGX_HTTP_LOG_PHASE, ngx_http_aop_log_handler, NULL }
};

#define NGX_HTTP_AOP_PHASES                                                   \
    (sizeof(ngx_http_aop_phases) / sizeof(ngx_http_aop_phases[0]))


/* The mode of the server, if it can be known this early. */

static ngx_int_t
ngx_http_aop_post_read_handler(ngx_http_request_t *r)
{
    ngx_http_aop_mode_t      *mode;
    ngx_http_aop_srv_conf_t  *ascf;

    if (!ngx_http_aop_request_enabled(r)) {
        return NGX_DECLINED;
    }

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);
    mode = ngx_http_aop_server_mode(r);

    /* a variable would freeze $remote_addr before realip has changed it */

    if (ascf->relaxed || mode->mode == NGX_HTTP_AOP_MODE_VARIABLE) {
        return NGX_DECLINED;
    }

    return ngx_http_aop_phase_apply(r, mode);
}


static ngx_int_t
ngx_http_aop_server_rewrite_checker(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph)
{
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    if (ngx_http_aop_request_settled(r) && ascf->real_ip == NULL) {
        r->phase_handler++;
        return NGX_AGAIN;
    }

    return ngx_http_core_rewrite_phase(r, ph);
}


static ngx_int_t
ngx_http_aop_preaccess_checker(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph)
{
    if (ngx_http_aop_request_settled(r)) {
        r->phase_handler++;
        return NGX_AGAIN;
    }

    return ngx_http_core_generic_phase(r, ph);
}


/* The mode of the server, and then the client's address. */

static ngx_int_t
ngx_http_aop_server_rewrite_handler(ngx_http_request_t *r)
{
    ngx_int_t                   rc;
    ngx_http_aop_mode_t        *mode;
    ngx_http_aop_srv_conf_t    *ascf;
    ngx_http_core_main_conf_t  *cmcf;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);
    mode = ngx_http_aop_server_mode(r);

    if (!ngx_http_aop_request_applied(r, mode)) {

        if (!ngx_http_aop_request_enabled(r)) {
            return NGX_DECLINED;
        }

        if (ngx_http_aop_error_page_enter(r)) {

            /*
             * only the location that error_page names is let through: the
             * server's own "return" and "rewrite" are not, so on to
             * FIND_CONFIG, which stands before the handlers of REWRITE
             */

            cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
            r->phase_handler = cmcf->phase_engine.location_rewrite_index - 2;

            return NGX_DECLINED;
        }

        rc = ascf->relaxed ? NGX_DECLINED : ngx_http_aop_phase_apply(r, mode);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    return ascf->real_ip ? ngx_http_aop_real_ip_apply(r) : NGX_DECLINED;
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
    if (ngx_http_aop_request_settled(r)) {
        return ngx_http_core_rewrite_phase(r, ph);
    }

    return ngx_http_aop_rewrite_apply(r, ph);
}


static ngx_int_t
ngx_http_aop_rewrite_apply(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph)
{
    ngx_int_t                   rc;
    ngx_uint_t                  first;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    first = cmcf->phase_engine.location_rewrite_index;

    rc = ((ngx_uint_t) r->phase_handler == first)
         ? ngx_http_aop_rewrite_handler(r) : ngx_http_aop_moved_handler(r);

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

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);

    if (ngx_http_aop_request_applied(r, alcf->mode)
        && (alcf->mode->mode != NGX_HTTP_AOP_MODE_VARIABLE
            || alcf->mode == ngx_http_aop_server_mode(r)))
    {
        return NGX_DECLINED;
    }

    if (!ngx_http_aop_request_enabled(r) || ngx_http_aop_error_page_in(r)) {
        return NGX_DECLINED;
    }

    return ngx_http_aop_phase_apply(r, alcf->mode);
}


/*
 * If no further mode could make a difference, the request is counted: the next
 * phases may take hours.
 */

static ngx_int_t
ngx_http_aop_preaccess_handler(ngx_http_request_t *r)
{
    ngx_int_t                 rc;
    ngx_http_aop_srv_conf_t  *ascf;

    rc = ngx_http_aop_moved_handler(r);

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    if (rc == NGX_DECLINED
        && !ascf->mixed
        && ngx_http_aop_request_enabled(r))
    {
        ngx_http_aop_outcome(r);
    }

    return rc;
}


/* The mode of the location, which may have changed since. */

static ngx_int_t
ngx_http_aop_moved_handler(ngx_http_request_t *r)
{
    ngx_http_aop_state_t     *state;
    ngx_http_aop_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);

    if (ngx_http_aop_request_applied(r, alcf->mode)
        || !ngx_http_aop_request_enabled(r))
    {
        return NGX_DECLINED;
    }

    state = ngx_http_get_module_ctx(r, ngx_http_aop_module);

    if (state != NULL && state->page) {
        return NGX_DECLINED;
    }

    return ngx_http_aop_phase_apply(r, alcf->mode);
}


/*
 * nginx's realip looks for an address here, too, and would replace the one
 * that a certificate vouches for.  The handlers that follow may depend on it.
 */

static ngx_int_t
ngx_http_aop_address_checker(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph)
{
    ngx_int_t  rc;

    rc = ngx_http_core_generic_phase(r, ph);

    /* NGX_OK: the request waits, or is gone */

    if (rc == NGX_AGAIN) {
        ngx_http_aop_real_ip_restore(r);
    }

    return rc;
}


static ngx_int_t
ngx_http_aop_log_handler(ngx_http_request_t *r)
{
    if (!ngx_http_aop_request_settled(r) && ngx_http_aop_request_enabled(r)) {
        ngx_http_aop_outcome(r);
    }

    return NGX_OK;
}


/* A rejection is final. */

static ngx_int_t
ngx_http_aop_phase_apply(ngx_http_request_t *r, const ngx_http_aop_mode_t *mode)
{
    ngx_int_t  rc;

    rc = ngx_http_aop_apply(r, mode);

    if (rc != NGX_DECLINED) {
        ngx_http_aop_outcome(r);
    }

    return rc;
}


ngx_int_t
ngx_http_aop_phase_init(ngx_conf_t *cf)
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

    ngx_http_aop_outcome_init();

    return NGX_OK;
}


/*
 * What the functions above take for granted of the phase engine, which another
 * nginx, or a module that was loaded before us, may have made otherwise: which
 * phases follow each other, that the handlers of one stand side by side with
 * a checker in common, and that ours are among them.
 */

ngx_int_t
ngx_http_aop_phase_check(ngx_http_core_main_conf_t *cmcf, ngx_log_t *log)
{
    ngx_uint_t                 n;
    ngx_http_phase_handler_t  *first, *ph, *rewrite;

    first = cmcf->phase_engine.handlers;

    ph = ngx_http_aop_phase_run(first, ngx_http_core_generic_phase,
                                ngx_http_aop_post_read_handler);

    if (ph == NULL || ph != first + cmcf->phase_engine.server_rewrite_index) {
        goto unknown;
    }

    ph = ngx_http_aop_phase_run(ph, ngx_http_core_rewrite_phase,
                                ngx_http_aop_server_rewrite_handler);

    if (ph == NULL || ph->checker != ngx_http_core_find_config_phase) {
        goto unknown;
    }

    rewrite = ph + 1;
    n = cmcf->phases[NGX_HTTP_REWRITE_PHASE].handlers.nelts;

    ph = ngx_http_aop_phase_run(rewrite, ngx_http_core_rewrite_phase, NULL);

    if (rewrite != first + cmcf->phase_engine.location_rewrite_index
        || ph != rewrite + n)
    {
        goto unknown;
    }

    if (n) {
        if (ph->checker != ngx_http_core_post_rewrite_phase) {
            goto unknown;
        }

        ph++;
    }

    if (ngx_http_aop_phase_run(ph, ngx_http_core_generic_phase,
                               ngx_http_aop_preaccess_handler)
        != NULL)
    {
        return NGX_OK;
    }

unknown:

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "unexpected order of request phases: requests could be "
                  "answered before \"aop\" verifies them (another module may "
                  "have changed the phases)");

    return NGX_ERROR;
}


/* Returns the end of a phase; NULL if the handler is not in it. */

static ngx_http_phase_handler_t *
ngx_http_aop_phase_run(ngx_http_phase_handler_t *ph,
    ngx_http_phase_handler_pt checker, ngx_http_handler_pt handler)
{
    ngx_uint_t  found;

    found = (handler == NULL);

    for ( /* void */ ; ph->checker == checker; ph++) {
        if (ph->handler == handler) {
            found = 1;
        }
    }

    return found ? ph : NULL;
}


/*
 * Handlers run in the reverse order of registration, so a module that is
 * loaded later runs before us, and could answer.  The handlers of a phase
 * stand side by side in the phase engine and have a checker in common, but
 * for REWRITE, which shares its checker with SERVER_REWRITE; FIND_CONFIG is
 * between the two.
 */

ngx_int_t
ngx_http_aop_phase_order(ngx_cycle_t *cycle)
{
    ngx_http_phase_handler_t   *ph;
    ngx_http_aop_main_conf_t   *amcf;
    ngx_http_core_main_conf_t  *cmcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_aop_module);

    if (amcf == NULL || amcf->servers.nelts == 0) {
        return NGX_OK;
    }

    cmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);

    if (ngx_http_aop_phase_check(cmcf, cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_aop_phase_first(cmcf->phase_engine.handlers);

    if (amcf->real_ip) {
        ngx_http_aop_phase_watch_address(cmcf->phase_engine.handlers);
    }

    ngx_http_aop_phase_checkers(cmcf->phase_engine.handlers);

    ph = cmcf->phase_engine.handlers
         + cmcf->phase_engine.location_rewrite_index;

    while (ph->checker == ngx_http_core_rewrite_phase) {
        ph->checker = ngx_http_aop_rewrite_checker;
        ph++;
    }

    return NGX_OK;
}


static void
ngx_http_aop_phase_first(ngx_http_phase_handler_t *ph)
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


/* Ours is the first one of PREACCESS then. */

static void
ngx_http_aop_phase_watch_address(ngx_http_phase_handler_t *ph)
{
    while (ph->handler != ngx_http_aop_preaccess_handler) {
        ph++;
    }

    for (ph++; ph->checker == ngx_http_core_generic_phase; ph++) {
        ph->checker = ngx_http_aop_address_checker;
    }
}


static void
ngx_http_aop_phase_checkers(ngx_http_phase_handler_t *ph)
{
    ngx_uint_t  i;

    for ( /* void */ ; ph->checker; ph++) {
        for (i = 0; i < NGX_HTTP_AOP_PHASES; i++) {
            if (ph->handler == ngx_http_aop_phases[i].handler
                && ngx_http_aop_phases[i].checker != NULL)
            {
                ph->checker = ngx_http_aop_phases[i].checker;
            }
        }
    }
}
