
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Cloudflare Authenticated Origin Pulls: refuses requests that did not come
 * through Cloudflare, or only tells which ones it would refuse.
 */


#include "ngx_aop_cloudflare.h"
#include "ngx_aop_pem.h"
#include "ngx_http_aop.h"


static char *ngx_http_aop_set_mode(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_aop_parse_mode(ngx_conf_t *cf,
    ngx_http_aop_mode_t *mode, ngx_str_t *value);
static ngx_int_t ngx_http_aop_add_location(ngx_conf_t *cf,
    ngx_http_aop_mode_t *mode);
static char *ngx_http_aop_set_ca(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_aop_add_cloudflare(ngx_conf_t *cf,
    ngx_array_t *cas);
static ngx_int_t ngx_http_aop_add_file(ngx_conf_t *cf, ngx_array_t *cas,
    ngx_str_t *file);
static ngx_int_t ngx_http_aop_check_ca(ngx_conf_t *cf, X509 *x509,
    ngx_str_t *file);
static ngx_int_t ngx_http_aop_add_ca(ngx_conf_t *cf, ngx_array_t *cas,
    X509 *x509, const char *name);
static void ngx_http_aop_ca_cleanup(void *data);
static ngx_int_t ngx_http_aop_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_aop_init(ngx_conf_t *cf);
static ngx_int_t ngx_http_aop_init_module(ngx_cycle_t *cycle);
static void *ngx_http_aop_create_main_conf(ngx_conf_t *cf);
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


static ngx_conf_num_bounds_t  ngx_http_aop_verify_depth_bounds = {
    ngx_conf_check_num_bounds, 0, 100
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
      ngx_http_aop_set_ca,
      NGX_HTTP_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("aop_verify_depth"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_aop_srv_conf_t, verify_depth),
      &ngx_http_aop_verify_depth_bounds },

    { ngx_string("aop_session_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_SRV_CONF_OFFSET,
      offsetof(ngx_http_aop_srv_conf_t, session_timeout),
      NULL },

    { ngx_string("aop_log_level"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_aop_loc_conf_t, log_level),
      &ngx_http_aop_log_levels },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_aop_module_ctx = {
    ngx_http_aop_add_variables,            /* preconfiguration */
    ngx_http_aop_init,                     /* postconfiguration */

    ngx_http_aop_create_main_conf,         /* create main configuration */
    NULL,                                  /* init main configuration */

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
    NULL,                                  /* init process */
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
    ngx_uint_t                        i;
    ngx_http_compile_complex_value_t  ccv;

    for (i = 0; i < NGX_HTTP_AOP_MODES; i++) {
        if (value->len == ngx_http_aop_mode_words[i].len
            && ngx_strcmp(value->data, ngx_http_aop_mode_words[i].data) == 0)
        {
            mode->mode = i;
            return NGX_OK;
        }
    }

    if (ngx_http_script_variables_count(value) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"aop\" directive, it "
                           "must be \"off\", \"optional\", \"on\" or a "
                           "variable", value);
        return NGX_ERROR;
    }

    mode->mode = NGX_HTTP_AOP_VARIABLE;

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
ngx_http_aop_set_ca(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_srv_conf_t  *ascf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (ascf->ca != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    ascf->ca = ngx_array_create(cf->pool, 4, sizeof(ngx_http_aop_ca_t));
    if (ascf->ca == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "cloudflare") == 0) {
            rc = ngx_http_aop_add_cloudflare(cf, ascf->ca);

        } else {
            rc = ngx_http_aop_add_file(cf, ascf->ca, &value[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_aop_add_cloudflare(ngx_conf_t *cf, ngx_array_t *cas)
{
    X509       *x509;
    ngx_int_t   rc;

    x509 = ngx_aop_cloudflare_ca();

    if (x509 == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot load the built-in \"aop_ca cloudflare\"");
        return NGX_ERROR;
    }

    rc = ngx_http_aop_add_ca(cf, cas, x509, "cloudflare");

    X509_free(x509);

    return rc;
}


static ngx_int_t
ngx_http_aop_add_file(ngx_conf_t *cf, ngx_array_t *cas, ngx_str_t *file)
{
    int            i;
    X509          *x509;
    ngx_int_t      rc;
    ngx_aop_pem_t  pem;

    if (file->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty file name in \"aop_ca\" directive");
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_aop_pem_read(&pem, (char *) file->data)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load \"aop_ca\" file \"%V\": %s",
                           file, pem.err);
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (sk_X509_num(pem.certs) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load \"aop_ca\" file \"%V\": no "
                           "certificate in it, but a CRL", file);
        rc = NGX_ERROR;
    }

    for (i = 0; rc == NGX_OK && i < sk_X509_num(pem.certs); i++) {
        x509 = sk_X509_value(pem.certs, i);

        rc = ngx_http_aop_check_ca(cf, x509, file);

        if (rc == NGX_OK) {
            rc = ngx_http_aop_add_ca(cf, cas, x509, NULL);
        }
    }

    ngx_aop_pem_free(&pem);

    return rc;
}


static ngx_int_t
ngx_http_aop_check_ca(ngx_conf_t *cf, X509 *x509, ngx_str_t *file)
{
    const char  *what;

    switch (ngx_aop_cloudflare_lookalike(x509)) {

    case NGX_AOP_LOOKALIKE_ORIGIN_CA:
        what = "Cloudflare's Origin CA, which signs server certificates for "
               "anyone, not the origin-pull CA";
        break;

    case NGX_AOP_LOOKALIKE_2015:
        what = "the edition of Cloudflare's origin-pull CA that ended in "
               "2020";
        break;

    default:
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"aop_ca\" file \"%V\" holds %s; use the built-in "
                       "\"aop_ca cloudflare\", or the CA of the certificate "
                       "that you uploaded to Cloudflare", file, what);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_aop_add_ca(ngx_conf_t *cf, ngx_array_t *cas, X509 *x509,
    const char *name)
{
    ngx_http_aop_ca_t   *ca;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    ca = ngx_array_push(cas);

    if (cln == NULL || ca == NULL) {
        return NGX_ERROR;
    }

    X509_up_ref(x509);

    cln->handler = ngx_http_aop_ca_cleanup;
    cln->data = x509;

    ca->x509 = x509;
    ca->name = name;

    return NGX_OK;
}


static void
ngx_http_aop_ca_cleanup(void *data)
{
    X509_free(data);
}


static ngx_int_t
ngx_http_aop_add_variables(ngx_conf_t *cf)
{
    return ngx_http_aop_variables_init(cf);
}


static ngx_int_t
ngx_http_aop_init(ngx_conf_t *cf)
{
    if (ngx_http_aop_record_init(cf) != NGX_OK
        || ngx_http_aop_servers_init(cf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_aop_request_init(cf);
}


static ngx_int_t
ngx_http_aop_init_module(ngx_cycle_t *cycle)
{
    ngx_http_aop_request_order(cycle);

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

    if (ngx_array_init(&conf->policies, cf->pool, 4,
                       sizeof(ngx_aop_policy_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return conf;
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
    conf->verify_depth = NGX_CONF_UNSET;
    conf->session_timeout = NGX_CONF_UNSET;

    return conf;
}


static char *
ngx_http_aop_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_aop_srv_conf_t  *prev = parent;
    ngx_http_aop_srv_conf_t  *conf = child;

    if (prev->ca == NGX_CONF_UNSET_PTR) {
        prev->ca = ngx_array_create(cf->pool, 1, sizeof(ngx_http_aop_ca_t));

        if (prev->ca == NULL
            || ngx_http_aop_add_cloudflare(cf, prev->ca) != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    ngx_conf_merge_ptr_value(conf->ca, prev->ca, NULL);
    ngx_conf_merge_value(conf->verify_depth, prev->verify_depth, 1);
    ngx_conf_merge_value(conf->session_timeout, prev->session_timeout, 3600);

    return NGX_CONF_OK;
}


static void *
ngx_http_aop_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_aop_loc_conf_t  *conf;

    conf = ngx_palloc(cf->pool, sizeof(ngx_http_aop_loc_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->mode = NGX_CONF_UNSET_PTR;
    conf->log_level = NGX_CONF_UNSET_UINT;

    return conf;
}


static char *
ngx_http_aop_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_aop_loc_conf_t  *prev = parent;
    ngx_http_aop_loc_conf_t  *conf = child;

    ngx_conf_merge_ptr_value(conf->mode, prev->mode, &ngx_http_aop_mode_off);
    ngx_conf_merge_uint_value(conf->log_level, prev->log_level, NGX_LOG_ERR);

    return NGX_CONF_OK;
}
