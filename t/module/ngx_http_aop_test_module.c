
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What other people's modules may do, for the tests: answer a request early,
 * skip the rest of a phase, change the location behind nginx's back, verify
 * certificates by a callback of their own.
 *
 *     aop_test answer_post_read | answer_server_rewrite | answer_rewrite
 *              | answer_preaccess | skip_post_read | skip_preaccess
 *              | redirect_post_read | redirect_access | verify
 *              | change_phases ...;
 *     aop_test_location @name;
 *
 * "redirect" is an internal one, to /redirected.  "verify" finds fault with
 * every certificate: X509_V_ERR_APPLICATION_VERIFICATION.  "change_phases" has
 * FIND_CONFIG be something else, as it may be in another nginx.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_HTTP_AOP_TEST_ANSWER_POST_READ       0x0002
#define NGX_HTTP_AOP_TEST_ANSWER_SERVER_REWRITE  0x0004
#define NGX_HTTP_AOP_TEST_ANSWER_REWRITE         0x0008
#define NGX_HTTP_AOP_TEST_ANSWER_PREACCESS       0x0010
#define NGX_HTTP_AOP_TEST_SKIP_POST_READ         0x0020
#define NGX_HTTP_AOP_TEST_SKIP_PREACCESS         0x0040
#define NGX_HTTP_AOP_TEST_REDIRECT_POST_READ     0x0080
#define NGX_HTTP_AOP_TEST_REDIRECT_ACCESS        0x0100
#define NGX_HTTP_AOP_TEST_VERIFY                 0x0200
#define NGX_HTTP_AOP_TEST_CHANGE_PHASES          0x0400


typedef struct {
    ngx_uint_t  does;
    ngx_str_t   location;
} ngx_http_aop_test_conf_t;


static ngx_int_t ngx_http_aop_test_post_read_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_test_server_rewrite_handler(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_test_rewrite_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_test_preaccess_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_test_access_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_test_redirect(ngx_http_request_t *r);
static void ngx_http_aop_test_change_location(ngx_http_request_t *r,
    ngx_str_t *name);
static int ngx_http_aop_test_cert(ngx_ssl_conn_t *ssl, void *arg);
static int ngx_http_aop_test_verify(int ok, X509_STORE_CTX *ctx);
static void *ngx_http_aop_test_create_conf(ngx_conf_t *cf);
static ngx_int_t ngx_http_aop_test_init(ngx_conf_t *cf);
static void ngx_http_aop_test_init_server(ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_aop_test_add_zone(ngx_conf_t *cf,
    ngx_http_core_main_conf_t *cmcf);
static ngx_int_t ngx_http_aop_test_change_phases(ngx_shm_zone_t *zone,
    void *data);
static ngx_int_t ngx_http_aop_test_find_config(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph);


static ngx_conf_bitmask_t  ngx_http_aop_test_does[] = {
    { ngx_string("answer_post_read"), NGX_HTTP_AOP_TEST_ANSWER_POST_READ },
    { ngx_string("answer_server_rewrite"),
      NGX_HTTP_AOP_TEST_ANSWER_SERVER_REWRITE },
    { ngx_string("answer_rewrite"), NGX_HTTP_AOP_TEST_ANSWER_REWRITE },
    { ngx_string("answer_preaccess"), NGX_HTTP_AOP_TEST_ANSWER_PREACCESS },
    { ngx_string("skip_post_read"), NGX_HTTP_AOP_TEST_SKIP_POST_READ },
    { ngx_string("skip_preaccess"), NGX_HTTP_AOP_TEST_SKIP_PREACCESS },
    { ngx_string("redirect_post_read"), NGX_HTTP_AOP_TEST_REDIRECT_POST_READ },
    { ngx_string("redirect_access"), NGX_HTTP_AOP_TEST_REDIRECT_ACCESS },
    { ngx_string("verify"), NGX_HTTP_AOP_TEST_VERIFY },
    { ngx_string("change_phases"), NGX_HTTP_AOP_TEST_CHANGE_PHASES },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_aop_test_commands[] = {

    { ngx_string("aop_test"),
      NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_aop_test_conf_t, does),
      &ngx_http_aop_test_does },

    { ngx_string("aop_test_location"),
      NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_aop_test_conf_t, location),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_aop_test_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_aop_test_init,                /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_http_aop_test_create_conf,         /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_aop_test_module = {
    NGX_MODULE_V1,
    &ngx_http_aop_test_module_ctx,         /* module context */
    ngx_http_aop_test_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_aop_test_post_read_handler(ngx_http_request_t *r)
{
    ngx_http_aop_test_conf_t  *conf;

    conf = ngx_http_get_module_srv_conf(r, ngx_http_aop_test_module);

    if (conf->does & NGX_HTTP_AOP_TEST_ANSWER_POST_READ) {
        return NGX_HTTP_NO_CONTENT;
    }

    if ((conf->does & NGX_HTTP_AOP_TEST_REDIRECT_POST_READ) && !r->internal) {
        return ngx_http_aop_test_redirect(r);
    }

    return (conf->does & NGX_HTTP_AOP_TEST_SKIP_POST_READ) ? NGX_OK
                                                           : NGX_DECLINED;
}


static ngx_int_t
ngx_http_aop_test_server_rewrite_handler(ngx_http_request_t *r)
{
    ngx_http_aop_test_conf_t  *conf;

    conf = ngx_http_get_module_srv_conf(r, ngx_http_aop_test_module);

    return (conf->does & NGX_HTTP_AOP_TEST_ANSWER_SERVER_REWRITE)
           ? NGX_HTTP_NO_CONTENT : NGX_DECLINED;
}


static ngx_int_t
ngx_http_aop_test_rewrite_handler(ngx_http_request_t *r)
{
    ngx_http_aop_test_conf_t  *conf;

    conf = ngx_http_get_module_srv_conf(r, ngx_http_aop_test_module);

    if (conf->does & NGX_HTTP_AOP_TEST_ANSWER_REWRITE) {
        return NGX_HTTP_NO_CONTENT;
    }

    if (conf->location.len) {
        ngx_http_aop_test_change_location(r, &conf->location);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_aop_test_preaccess_handler(ngx_http_request_t *r)
{
    ngx_http_aop_test_conf_t  *conf;

    conf = ngx_http_get_module_srv_conf(r, ngx_http_aop_test_module);

    if (conf->does & NGX_HTTP_AOP_TEST_ANSWER_PREACCESS) {
        return NGX_HTTP_NO_CONTENT;
    }

    return (conf->does & NGX_HTTP_AOP_TEST_SKIP_PREACCESS) ? NGX_OK
                                                           : NGX_DECLINED;
}


static ngx_int_t
ngx_http_aop_test_access_handler(ngx_http_request_t *r)
{
    ngx_http_aop_test_conf_t  *conf;

    conf = ngx_http_get_module_srv_conf(r, ngx_http_aop_test_module);

    if ((conf->does & NGX_HTTP_AOP_TEST_REDIRECT_ACCESS) && !r->internal) {
        return ngx_http_aop_test_redirect(r);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_http_aop_test_redirect(ngx_http_request_t *r)
{
    ngx_str_t  uri = ngx_string("/redirected");

    (void) ngx_http_internal_redirect(r, &uri, &r->args);

    /* it has taken a reference, as for a handler of CONTENT */

    ngx_http_finalize_request(r, NGX_DONE);

    return NGX_DONE;
}


static void
ngx_http_aop_test_change_location(ngx_http_request_t *r, ngx_str_t *name)
{
    ngx_http_core_srv_conf_t   *cscf;
    ngx_http_core_loc_conf_t  **clcfp;

    cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (cscf->named_locations == NULL) {
        return;
    }

    for (clcfp = cscf->named_locations; *clcfp; clcfp++) {
        if ((*clcfp)->name.len == name->len
            && ngx_strncmp((*clcfp)->name.data, name->data, name->len) == 0)
        {
            r->loc_conf = (*clcfp)->loc_conf;
            ngx_http_update_location_config(r);
        }
    }
}


/* Where Lua's "ssl_certificate_by_lua" sets one, too. */

static int
ngx_http_aop_test_cert(ngx_ssl_conn_t *ssl, void *arg)
{
    SSL_set_verify(ssl, SSL_VERIFY_PEER, ngx_http_aop_test_verify);

    return 1;
}


static int
ngx_http_aop_test_verify(int ok, X509_STORE_CTX *ctx)
{
    X509_STORE_CTX_set_error(ctx, X509_V_ERR_APPLICATION_VERIFICATION);

    return 1;
}


static void *
ngx_http_aop_test_create_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_aop_test_conf_t));
}


static ngx_int_t
ngx_http_aop_test_init(ngx_conf_t *cf)
{
    ngx_uint_t                  i;
    ngx_http_handler_pt        *h;
    ngx_http_core_srv_conf_t  **cscfp;
    ngx_http_core_main_conf_t  *cmcf;

    static const struct {
        ngx_http_phases         phase;
        ngx_http_handler_pt     handler;
    } phases[] = {
        { NGX_HTTP_POST_READ_PHASE, ngx_http_aop_test_post_read_handler },
        { NGX_HTTP_SERVER_REWRITE_PHASE,
          ngx_http_aop_test_server_rewrite_handler },
        { NGX_HTTP_REWRITE_PHASE, ngx_http_aop_test_rewrite_handler },
        { NGX_HTTP_PREACCESS_PHASE, ngx_http_aop_test_preaccess_handler },
        { NGX_HTTP_ACCESS_PHASE, ngx_http_aop_test_access_handler }
    };

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    for (i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {

        h = ngx_array_push(&cmcf->phases[phases[i].phase].handlers);
        if (h == NULL) {
            return NGX_ERROR;
        }

        *h = phases[i].handler;
    }

    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ngx_http_aop_test_init_server(cscfp[i]);
    }

    return ngx_http_aop_test_add_zone(cf, cmcf);
}


/* A zone is prepared when the phases are there, and before any module is. */

static ngx_int_t
ngx_http_aop_test_add_zone(ngx_conf_t *cf, ngx_http_core_main_conf_t *cmcf)
{
    ngx_str_t                   name = ngx_string("aop_test");
    ngx_uint_t                  i;
    ngx_shm_zone_t             *zone;
    ngx_http_aop_test_conf_t   *conf;
    ngx_http_core_srv_conf_t  **cscfp;

    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        conf = cscfp[i]->ctx->srv_conf[ngx_http_aop_test_module.ctx_index];

        if (conf->does & NGX_HTTP_AOP_TEST_CHANGE_PHASES) {

            zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize,
                                         &ngx_http_aop_test_module);
            if (zone == NULL) {
                return NGX_ERROR;
            }

            zone->init = ngx_http_aop_test_change_phases;
            zone->data = cmcf;
        }
    }

    return NGX_OK;
}


static void
ngx_http_aop_test_init_server(ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_ssl_srv_conf_t   *sscf;
    ngx_http_aop_test_conf_t  *conf;

    conf = cscf->ctx->srv_conf[ngx_http_aop_test_module.ctx_index];
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if ((conf->does & NGX_HTTP_AOP_TEST_VERIFY) && sscf->ssl.ctx != NULL) {
        SSL_CTX_set_cert_cb(sscf->ssl.ctx, ngx_http_aop_test_cert, NULL);
    }
}


static ngx_int_t
ngx_http_aop_test_change_phases(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_phase_handler_t   *ph;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = zone->data;

    ph = cmcf->phase_engine.handlers
         + cmcf->phase_engine.location_rewrite_index - 1;

    ph->checker = ngx_http_aop_test_find_config;

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_test_find_config(ngx_http_request_t *r,
    ngx_http_phase_handler_t *ph)
{
    return ngx_http_core_find_config_phase(r, ph);
}
