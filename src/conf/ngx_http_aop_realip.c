
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "aop_real_ip" as it was configured, beside nginx's own realip module: warns
 * where it has no effect, or where realip believes the same header without a
 * certificate.
 */


#include "ngx_http_aop_conf.h"


/*
 * The configuration of nginx's realip for a location, as all versions have it;
 * it is in no header.  The place of its last member is in the module's table of
 * directives, so that another layout is not read.
 */

typedef struct {
    ngx_array_t               *from;
    ngx_uint_t                 type;
    ngx_uint_t                 hash;
    ngx_str_t                  header;
    ngx_flag_t                 recursive;
} ngx_http_aop_realip_conf_t;


static void ngx_http_aop_realip_warn_unused(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_module_t *ngx_http_aop_realip_module(ngx_conf_t *cf);
static void ngx_http_aop_realip_warn_same(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_module_t *realip);


/* realip's kinds of "real_ip_header"; the third has a header of its own */

static ngx_str_t  ngx_http_aop_realip_headers[] = {
    ngx_string("X-Real-IP"),
    ngx_string("X-Forwarded-For"),
    ngx_null_string
};

#define NGX_HTTP_AOP_REALIP_HEADER  2


void
ngx_http_aop_realip_check(ngx_conf_t *cf)
{
    ngx_uint_t                   s;
    ngx_module_t                *realip;
    ngx_http_aop_srv_conf_t     *ascf;
    ngx_http_aop_main_conf_t    *amcf;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);
    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    realip = ngx_http_aop_realip_module(cf);
    cscfp = cmcf->servers.elts;

    for (s = 0; s < cmcf->servers.nelts; s++) {
        ascf = cscfp[s]->ctx->srv_conf[ngx_http_aop_module.ctx_index];

        if (ascf->real_ip == NULL || ascf->policy == NULL) {
            continue;
        }

        amcf->real_ip = 1;
        ascf->real_ip->used = 1;

        if (realip != NULL) {
            ngx_http_aop_realip_warn_same(cf, cscfp[s], realip);
        }
    }

    for (s = 0; s < cmcf->servers.nelts; s++) {
        ngx_http_aop_realip_warn_unused(cf, cscfp[s]);
    }
}


/* One directive may be for many servers. */

static void
ngx_http_aop_realip_warn_unused(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_real_ip_t   *real_ip;
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    real_ip = ascf->real_ip;

    if (real_ip == NULL || real_ip->used) {
        return;
    }

    real_ip->used = 1;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"aop_real_ip\" in %s:%ui has no effect, because \"aop\" "
                  "is \"off\" there (an address is trusted only with a "
                  "verified certificate)",
                  real_ip->file, real_ip->line);
}


/* NULL if there is none, or if its layout is not the known one. */

static ngx_module_t *
ngx_http_aop_realip_module(ngx_conf_t *cf)
{
    ngx_uint_t      i;
    ngx_module_t   *module;
    ngx_command_t  *cmd;

    for (i = 0; cf->cycle->modules[i]; i++) {
        module = cf->cycle->modules[i];

        if (ngx_strcmp(module->name, "ngx_http_realip_module") != 0) {
            continue;
        }

        for (cmd = module->commands; cmd && cmd->name.len; cmd++) {

            if (ngx_strcmp(cmd->name.data, "real_ip_recursive") == 0
                && cmd->conf == NGX_HTTP_LOC_CONF_OFFSET
                && cmd->offset == offsetof(ngx_http_aop_realip_conf_t,
                                           recursive))
            {
                return module;
            }
        }
    }

    return NULL;
}


static void
ngx_http_aop_realip_warn_same(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_module_t *realip)
{
    ngx_str_t                   *header, *ours;
    ngx_http_aop_srv_conf_t     *ascf;
    ngx_http_aop_realip_conf_t  *rlcf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    rlcf = cscf->ctx->loc_conf[realip->ctx_index];

    if (rlcf->from == NULL || rlcf->type > NGX_HTTP_AOP_REALIP_HEADER) {
        return;
    }

    ours = &ascf->real_ip->header;
    header = (rlcf->type == NGX_HTTP_AOP_REALIP_HEADER)
             ? &rlcf->header : &ngx_http_aop_realip_headers[rlcf->type];

    if (header->len != ours->len
        || ngx_strncasecmp(header->data, ours->data, ours->len) != 0)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"real_ip_header %V\" is used with \"aop_real_ip\" in "
                  "%s:%ui, in the server in %s:%ui: clients from the "
                  "addresses in \"set_real_ip_from\" are trusted without a "
                  "verified certificate (remove \"real_ip_header\")",
                  ours, ascf->real_ip->file, ascf->real_ip->line,
                  cscf->file_name, cscf->line);
}
