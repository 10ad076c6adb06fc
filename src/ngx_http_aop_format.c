
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The predefined log format "aop_json": one JSON object a line, valid
 * whatever the peer sends.  nginx's escape=json leaves bytes above 0x7f as
 * they are, so what the peer chooses is made UTF-8 first.
 */


#include "ngx_http_aop.h"
#include "ngx_aop_text.h"


static ngx_int_t ngx_http_aop_format_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void ngx_http_aop_format_path(ngx_http_request_t *r, ngx_str_t *path);
static ngx_int_t ngx_http_aop_format_value(ngx_http_request_t *r,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_http_aop_format_utf8(ngx_pool_t *pool, ngx_str_t *text);
static ngx_module_t *ngx_http_aop_format_module(ngx_cycle_t *cycle);


typedef struct {
    ngx_str_t   name;       /* of ours */
    ngx_str_t   source;     /* of nginx's, empty for the path */
} ngx_http_aop_format_variable_t;


static ngx_http_aop_format_variable_t  ngx_http_aop_format_variables[] = {
    { ngx_string("aop_utf8_host"), ngx_string("host") },
    { ngx_string("aop_utf8_sni"), ngx_string("ssl_server_name") },
    { ngx_string("aop_utf8_path"), ngx_null_string },
    { ngx_string("aop_utf8_ray"), ngx_string("http_cf_ray") },
    { ngx_string("aop_utf8_ua"), ngx_string("http_user_agent") },
    { ngx_null_string, ngx_null_string }
};


#define ngx_http_aop_json(key, variable)  "\"" key "\":\"$" variable "\""

static ngx_str_t  ngx_http_aop_format_args[] = {
    ngx_string("log_format"),
    ngx_string("aop_json"),
    ngx_string("escape=json"),
    ngx_string("{"
        ngx_http_aop_json("time", "time_iso8601") ","
        ngx_http_aop_json("server", "server_name") ","
        ngx_http_aop_json("mode", "aop_mode") ","
        ngx_http_aop_json("status", "aop_status") ","
        ngx_http_aop_json("verdict", "aop_verdict") ","
        ngx_http_aop_json("reason", "aop_reason") ","
        ngx_http_aop_json("peer", "aop_peer") ","
        ngx_http_aop_json("peer_addr", "aop_peer_addr") ","
        ngx_http_aop_json("client_ip", "aop_client_ip") ","
        ngx_http_aop_json("host", "aop_utf8_host") ","
        ngx_http_aop_json("sni", "aop_utf8_sni") ","
        ngx_http_aop_json("method", "request_method") ","
        ngx_http_aop_json("uri", "aop_utf8_path") ","
        ngx_http_aop_json("http_status", "status") ","
        ngx_http_aop_json("tls", "ssl_protocol") ","
        ngx_http_aop_json("resumed", "aop_resumed") ","
        ngx_http_aop_json("anchor", "aop_anchor") ","
        ngx_http_aop_json("subject", "aop_client_subject") ","
        ngx_http_aop_json("issuer", "aop_client_issuer") ","
        ngx_http_aop_json("serial", "aop_client_serial") ","
        ngx_http_aop_json("fingerprint", "aop_client_fingerprint") ","
        ngx_http_aop_json("not_after", "aop_client_not_after") ","
        ngx_http_aop_json("ray", "aop_utf8_ray") ","
        ngx_http_aop_json("ua", "aop_utf8_ua")
        "}")
};


static ngx_int_t
ngx_http_aop_format_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t                        value;
    ngx_http_aop_format_variable_t  *fv;

    fv = (ngx_http_aop_format_variable_t *) data;

    if (fv->source.len == 0) {
        ngx_http_aop_format_path(r->main, &value);

    } else if (ngx_http_aop_format_value(r, &fv->source, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_aop_format_utf8(r->pool, &value) != NGX_OK) {
        return NGX_ERROR;
    }

    v->data = value.data;
    v->len = value.len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


/* As the client sent it, without the query: that may hold secrets. */

static void
ngx_http_aop_format_path(ngx_http_request_t *r, ngx_str_t *path)
{
    u_char  *query;

    *path = r->unparsed_uri;

    query = ngx_strlchr(path->data, path->data + path->len, '?');

    if (query != NULL) {
        path->len = query - path->data;
    }
}


static ngx_int_t
ngx_http_aop_format_value(ngx_http_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_http_variable_value_t  *vv;

    vv = ngx_http_get_variable(r, name, ngx_hash_key(name->data, name->len));

    if (vv == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(value);

    if (!vv->not_found) {
        value->data = vv->data;
        value->len = vv->len;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_format_utf8(ngx_pool_t *pool, ngx_str_t *text)
{
    char        *buf;
    size_t       size;
    ngx_uint_t   i;

    for (i = 0; i < text->len && text->data[i] < 0x80; i++) { /* void */ }

    if (i == text->len) {
        return NGX_OK;
    }

    size = text->len * (sizeof(NGX_AOP_TEXT_REPLACEMENT) - 1);

    buf = ngx_pnalloc(pool, size);
    if (buf == NULL) {
        return NGX_ERROR;
    }

    text->len = ngx_aop_text_utf8(buf, size, (char *) text->data, text->len);
    text->data = (u_char *) buf;

    return NGX_OK;
}


/*
 * The format is defined by the "log_format" directive itself, called with
 * arguments of ours.
 */

ngx_int_t
ngx_http_aop_format_init(ngx_conf_t *cf)
{
    char                            *rv;
    ngx_conf_t                       saved;
    ngx_array_t                      args;
    ngx_module_t                    *log;
    ngx_command_t                   *cmd;
    ngx_http_conf_ctx_t             *ctx;
    ngx_http_variable_t             *var;
    ngx_http_aop_format_variable_t  *fv;

    for (fv = ngx_http_aop_format_variables; fv->name.len; fv++) {

        var = ngx_http_add_variable(cf, &fv->name, NGX_HTTP_VAR_NOCACHEABLE);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = ngx_http_aop_format_variable;
        var->data = (uintptr_t) fv;
    }

    log = ngx_http_aop_format_module(cf->cycle);

    if (log == NULL) {
        return NGX_OK;
    }

    args.elts = ngx_http_aop_format_args;
    args.nelts = sizeof(ngx_http_aop_format_args) / sizeof(ngx_str_t);
    args.size = sizeof(ngx_str_t);
    args.nalloc = args.nelts;
    args.pool = cf->pool;

    saved = *cf;
    cf->args = &args;
    ctx = cf->ctx;
    rv = NGX_CONF_ERROR;

    for (cmd = log->commands; cmd->name.len; cmd++) {
        if (ngx_strcmp(cmd->name.data, "log_format") == 0) {
            rv = cmd->set(cf, cmd, ctx->main_conf[log->ctx_index]);
        }
    }

    *cf = saved;

    return (rv == NGX_CONF_OK) ? NGX_OK : NGX_ERROR;
}


static ngx_module_t *
ngx_http_aop_format_module(ngx_cycle_t *cycle)
{
    ngx_uint_t  i;

    for (i = 0; cycle->modules[i]; i++) {
        if (ngx_strcmp(cycle->modules[i]->name, "ngx_http_log_module") == 0) {
            return cycle->modules[i];
        }
    }

    return NULL;
}
