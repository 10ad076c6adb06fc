
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Cloudflare Authenticated Origin Pulls: refuses requests that did not come
 * through Cloudflare, or only reports those that it would refuse.
 */


#include "ngx_http_aop_conf.h"
#include "ngx_http_aop_report.h"
#include "ngx_http_aop_request.h"
#include "ngx_aop_selfissued.h"
#include "ngx_aop_version.h"


#define NGX_HTTP_AOP_ZONE_MIN  (256 * 1024)


static char *ngx_http_aop_set_mode(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_aop_parse_mode(ngx_conf_t *cf,
    ngx_http_aop_mode_t *mode, ngx_str_t *value);
static ngx_int_t ngx_http_aop_add_location(ngx_conf_t *cf,
    ngx_http_aop_mode_t *mode);
static char *ngx_http_aop_check_zone_size(ngx_conf_t *cf, void *post,
    void *data);
static ngx_int_t ngx_http_aop_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_aop_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_aop_init_zone(ngx_shm_zone_t *zone, void *data);
static void ngx_http_aop_check_openssl(ngx_conf_t *cf);
static ngx_int_t ngx_http_aop_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_aop_init_process(ngx_cycle_t *cycle);
static void *ngx_http_aop_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_aop_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_aop_create_srv_conf(ngx_conf_t *cf);
static char *ngx_http_aop_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static void *ngx_http_aop_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_aop_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);


static ngx_conf_enum_t  ngx_http_aop_log_levels[] = {
    { ngx_string("info"), NGX_LOG_INFO },
    { ngx_string("notice"), NGX_LOG_NOTICE },
    { ngx_string("warn"), NGX_LOG_WARN },
    { ngx_string("error"), NGX_LOG_ERR },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_aop_require[] = {
    { ngx_string("off"), NGX_HTTP_AOP_REQUIRE_OFF },
    { ngx_string("post_quantum"), NGX_HTTP_AOP_REQUIRE_POST_QUANTUM },
    { ngx_null_string, 0 }
};


static ngx_conf_num_bounds_t  ngx_http_aop_verify_depth_bounds = {
    ngx_conf_check_num_bounds, 0, 100
};


/* as of "limit_req_status" */

static ngx_conf_num_bounds_t  ngx_http_aop_status_bounds = {
    ngx_conf_check_num_bounds, 400, 599
};


static ngx_conf_post_t  ngx_http_aop_zone_check = {
    ngx_http_aop_check_zone_size
};


static ngx_http_aop_mode_t  ngx_http_aop_mode_off;


static ngx_command_t  ngx_http_aop_commands[] = {

    { ngx_string("aop"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_aop_set_mode,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aop_ca"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_aop_ca_set,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aop_crl"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_aop_ca_set_crl,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aop_verify_depth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_aop_srv_conf_t, verify_depth),
      &ngx_http_aop_verify_depth_bounds },

    { ngx_string("aop_pin"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_aop_ca_set_pin,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aop_require"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_aop_ca_set_require,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_aop_srv_conf_t, require),
      &ngx_http_aop_require },

    { ngx_string("aop_session_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_aop_srv_conf_t, session_timeout),
      NULL },

    { ngx_string("aop_ready"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE12,
      ngx_http_aop_ready_set,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aop_expiry_warning"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_1MORE,
      ngx_http_aop_expiry_set,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aop_real_ip"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_http_aop_real_ip_directive,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aop_status"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_aop_loc_conf_t, status),
      &ngx_http_aop_status_bounds },

    { ngx_string("aop_log_level"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_aop_loc_conf_t, log_level),
      &ngx_http_aop_log_levels },

    { ngx_string("aop_log_interval"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_aop_main_conf_t, log_interval),
      NULL },

    { ngx_string("aop_edge"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_aop_peer_set_edge,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aop_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_aop_zone_set,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_aop_main_conf_t, zone_size),
      &ngx_http_aop_zone_check },

    { ngx_string("aop_report"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_aop_report_set,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_aop_module_ctx = {
    ngx_http_aop_preconfiguration,         /* preconfiguration */
    ngx_http_aop_init,                     /* postconfiguration */

    ngx_http_aop_create_main_conf,         /* create main configuration */
    ngx_http_aop_init_main_conf,           /* init main configuration */

    ngx_http_aop_create_srv_conf,          /* create server configuration */
    ngx_http_aop_merge_srv_conf,           /* merge server configuration */

    ngx_http_aop_create_loc_conf,          /* create location configuration */
    ngx_http_aop_merge_loc_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_aop_module = {
    NGX_MODULE_V1,
    &ngx_http_aop_module_ctx,              /* module context */
    ngx_http_aop_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_aop_init_module,              /* init module */
    ngx_http_aop_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static char *
ngx_http_aop_set_mode(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_loc_conf_t  *alcf = conf;

    ngx_str_t            *value;
    ngx_http_aop_mode_t  *mode;

    if (alcf->mode != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    mode = ngx_pcalloc(cf->pool, sizeof(ngx_http_aop_mode_t));
    if (mode == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    mode->file = cf->conf_file->file.name.data;
    mode->line = cf->conf_file->line;

    if (ngx_http_aop_parse_mode(cf, mode, &value[1]) != NGX_OK
        || ngx_http_aop_add_location(cf, mode) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    alcf->mode = mode;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_aop_parse_mode(ngx_conf_t *cf, ngx_http_aop_mode_t *mode,
    ngx_str_t *value)
{
    ngx_http_compile_complex_value_t  ccv;

    if (ngx_aop_mode_parse(&mode->mode, (char *) value->data, value->len)) {
        return NGX_OK;
    }

    if (ngx_http_script_variables_count(value) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"aop\" directive, it "
                           "must be \"off\", \"optional\", \"on\" or a "
                           "variable", value);
        return NGX_ERROR;
    }

    mode->mode = NGX_HTTP_AOP_MODE_VARIABLE;

    mode->value = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (mode->value == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = value;
    ccv.complex_value = mode->value;

    return ngx_http_compile_complex_value(&ccv);
}


/* A server has to know the modes of its locations. */

static ngx_int_t
ngx_http_aop_add_location(ngx_conf_t *cf, ngx_http_aop_mode_t *mode)
{
    ngx_http_aop_mode_t      **location;
    ngx_http_aop_srv_conf_t   *ascf;

    if (!(cf->cmd_type & NGX_HTTP_LOC_CONF)) {
        return NGX_OK;
    }

    ascf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_aop_module);

    if (ascf->locations == NULL) {
        ascf->locations = ngx_array_create(cf->pool, 4,
                                           sizeof(ngx_http_aop_mode_t *));
        if (ascf->locations == NULL) {
            return NGX_ERROR;
        }
    }

    location = ngx_array_push(ascf->locations);
    if (location == NULL) {
        return NGX_ERROR;
    }

    *location = mode;

    return NGX_OK;
}


static char *
ngx_http_aop_check_zone_size(ngx_conf_t *cf, void *post, void *data)
{
    size_t  *size = data;

    if (*size < NGX_HTTP_AOP_ZONE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aop_zone\" is too small, it must be at least "
                           "%udk", NGX_HTTP_AOP_ZONE_MIN / 1024);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_aop_preconfiguration(ngx_conf_t *cf)
{
    if (ngx_http_aop_variables_init(cf) != NGX_OK
        || ngx_http_aop_outcome_variable(cf) != NGX_OK
        || ngx_http_aop_stock_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_aop_log_format_init(cf);
}


static ngx_int_t
ngx_http_aop_init(ngx_conf_t *cf)
{
    ngx_http_aop_main_conf_t  *amcf;

    if (ngx_http_aop_conn_init(cf) != NGX_OK
        || ngx_http_aop_servers_init(cf) != NGX_OK
        || ngx_http_aop_zone_add(cf, ngx_http_aop_init_zone) != NGX_OK
        || ngx_http_aop_unprotected_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);
    amcf->cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    ngx_http_aop_check_openssl(cf);

    return ngx_http_aop_phase_init(cf);
}


static void
ngx_http_aop_check_openssl(ngx_conf_t *cf)
{
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);

    if (amcf->policies.root == &amcf->sentinel
        || !ngx_aop_selfissued_openssl(OpenSSL_version_num()))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "%s rejects certificates that have the name of their "
                  "issuer, such as Cloudflare's; \"aop\" accepts them, "
                  "\"ssl_verify_client\" does not (update to OpenSSL 4.0.3)",
                  OpenSSL_version(OPENSSL_VERSION));
}


/*
 * The phases exist now, and a reload can still be rejected: later, nginx could
 * only exit.
 */

static ngx_int_t
ngx_http_aop_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_aop_main_conf_t  *amcf;

    amcf = zone->data;

    if (amcf->servers.nelts != 0
        && ngx_http_aop_phase_check(amcf->cmcf, zone->shm.log) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_aop_zone_init(zone, data);
}


static ngx_int_t
ngx_http_aop_init_module(ngx_cycle_t *cycle)
{
    if (ngx_http_aop_phase_order(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_aop_zone_bind(cycle);
    ngx_http_aop_throttle_init(cycle);

    if (!ngx_test_config) {
        ngx_http_aop_expiry_start(cycle);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_init_process(ngx_cycle_t *cycle)
{
    ngx_http_aop_expiry_watch(cycle);

    return NGX_OK;
}


static void *
ngx_http_aop_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_aop_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_aop_main_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    ngx_rbtree_init(&conf->policies, &conf->sentinel,
                    ngx_str_rbtree_insert_value);

    if (ngx_array_init(&conf->servers, cf->pool, 4,
                       sizeof(ngx_http_aop_server_t))
        != NGX_OK
        || ngx_array_init(&conf->unprotected, cf->pool, 4,
                          sizeof(ngx_http_aop_unprotected_t))
           != NGX_OK)
    {
        return NULL;
    }

    conf->zone_size = NGX_CONF_UNSET_SIZE;
    conf->log_interval = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_aop_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_aop_main_conf_t  *amcf = conf;

    ngx_conf_init_size_value(amcf->zone_size, 0);
    ngx_conf_init_value(amcf->log_interval, 10);

    return NGX_CONF_OK;
}


static void *
ngx_http_aop_create_srv_conf(ngx_conf_t *cf)
{
    ngx_http_aop_srv_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_aop_srv_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->locations = NULL;
     *     conf->policy = NULL;
     *     conf->relaxed = 0;
     */

    conf->ca = NGX_CONF_UNSET_PTR;
    conf->crls = NGX_CONF_UNSET_PTR;
    conf->pins = NGX_CONF_UNSET_PTR;
    conf->verify_depth = NGX_CONF_UNSET;
    conf->require = NGX_CONF_UNSET_UINT;
    conf->session_timeout = NGX_CONF_UNSET;
    conf->ready_requests = NGX_CONF_UNSET;
    conf->ready_time = NGX_CONF_UNSET;
    conf->expiry = NGX_CONF_UNSET_PTR;
    conf->real_ip = NGX_CONF_UNSET_PTR;
    conf->auth_level = -1;

    return conf;
}


static char *
ngx_http_aop_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_aop_srv_conf_t  *prev = parent;
    ngx_http_aop_srv_conf_t  *conf = child;

    if (prev->ca == NGX_CONF_UNSET_PTR) {
        prev->ca = ngx_http_aop_ca_default(cf);

        if (prev->ca == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (prev->expiry == NGX_CONF_UNSET_PTR) {
        prev->expiry = ngx_http_aop_expiry_default(cf);

        if (prev->expiry == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    ngx_conf_merge_ptr_value(conf->ca, prev->ca, NULL);
    ngx_conf_merge_ptr_value(conf->crls, prev->crls, NULL);
    ngx_conf_merge_ptr_value(conf->pins, prev->pins, NULL);
    ngx_conf_merge_value(conf->verify_depth, prev->verify_depth, 1);
    ngx_conf_merge_uint_value(conf->require, prev->require,
                              NGX_HTTP_AOP_REQUIRE_OFF);
    ngx_conf_merge_value(conf->session_timeout, prev->session_timeout, 3600);
    ngx_conf_merge_value(conf->ready_requests, prev->ready_requests,
                         NGX_AOP_READY_REQUESTS);
    ngx_conf_merge_value(conf->ready_time, prev->ready_time,
                         NGX_AOP_READY_TIME);
    ngx_conf_merge_ptr_value(conf->expiry, prev->expiry, NULL);
    ngx_conf_merge_ptr_value(conf->real_ip, prev->real_ip, NULL);

    return NGX_CONF_OK;
}


static void *
ngx_http_aop_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_aop_loc_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_http_aop_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    /*
     * set by ngx_pcalloc():
     *
     *     conf->report = NULL;
     */

    conf->mode = NGX_CONF_UNSET_PTR;
    conf->log_level = NGX_CONF_UNSET_UINT;
    conf->status = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_aop_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_aop_loc_conf_t  *prev = parent;
    ngx_http_aop_loc_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->mode, prev->mode, &ngx_http_aop_mode_off);
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_ERR);
    ngx_conf_merge_value(conf->status, prev->status, 0);

    return NGX_CONF_OK;
}
