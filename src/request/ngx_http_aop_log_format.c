
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * $aop_json and the predefined log format of it, "aop_json": one JSON object a
 * line, valid and bounded whatever the peer sends.
 */


#include "ngx_http_aop_request.h"
#include "ngx_http_aop_stats.h"
#include "ngx_aop_line.h"


/* with the line break that follows */

#define NGX_HTTP_AOP_LINE  8000


typedef struct ngx_http_aop_log_format_field_s  ngx_http_aop_log_format_field_t;

struct ngx_http_aop_log_format_field_s {
    const char             *name;
    ngx_int_t             (*get)(ngx_http_request_t *r,
                                 const ngx_http_aop_log_format_field_t *field,
                                 ngx_str_t *value);
    ngx_str_t               variable;
    ngx_aop_cert_fact_e     fact;
    size_t                  max;
    unsigned                escaped:1;
};


static ngx_int_t ngx_http_aop_log_format_variable(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value);
static ngx_int_t ngx_http_aop_log_format_fact(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value);
static ngx_int_t ngx_http_aop_log_format_host(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value);
static ngx_int_t ngx_http_aop_log_format_path(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value);
static ngx_int_t ngx_http_aop_log_format_mode_from(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value);


#define ngx_http_aop_log_format_of(name, variable, max)                       \
    { name, ngx_http_aop_log_format_variable, ngx_string(variable), 0, max, 0 }

#define ngx_http_aop_log_format_name(name, variable, max)                     \
    { name, ngx_http_aop_log_format_variable, ngx_string(variable), 0, max, 1 }

#define ngx_http_aop_log_format_cert(name, fact, max)                         \
    { name, ngx_http_aop_log_format_fact, ngx_null_string, fact, max, 1 }

#define ngx_http_aop_log_format_own(name, get, max)                           \
    { name, get, ngx_null_string, 0, max, 0 }

static const ngx_http_aop_log_format_field_t
    ngx_http_aop_log_format_fields[] =
{
    ngx_http_aop_log_format_of("time", "time_iso8601", 32),
    ngx_http_aop_log_format_of("server", "server_name", 255),
    ngx_http_aop_log_format_of("mode", "aop_mode", 16),
    ngx_http_aop_log_format_of("status", "aop_status", 32),
    ngx_http_aop_log_format_of("verdict", "aop_verdict", 32),
    ngx_http_aop_log_format_of("reason", "aop_reason", 255),
    ngx_http_aop_log_format_of("peer", "aop_peer", 16),
    ngx_http_aop_log_format_of("peer_addr", "aop_peer_addr", 128),
    ngx_http_aop_log_format_of("client_ip", "aop_client_ip", 128),
    ngx_http_aop_log_format_own("host", ngx_http_aop_log_format_host, 255),
    ngx_http_aop_log_format_of("sni", "ssl_server_name", 255),
    ngx_http_aop_log_format_of("method", "request_method", 32),
    ngx_http_aop_log_format_own("uri", ngx_http_aop_log_format_path, 1024),
    ngx_http_aop_log_format_of("http_status", "status", 16),
    ngx_http_aop_log_format_of("tls", "ssl_protocol", 16),
    ngx_http_aop_log_format_of("resumed", "aop_resumed", 1),
    ngx_http_aop_log_format_name("anchor", "aop_anchor", 512),
    ngx_http_aop_log_format_cert("subject", NGX_AOP_CERT_SUBJECT, 512),
    ngx_http_aop_log_format_cert("issuer", NGX_AOP_CERT_ISSUER, 512),
    ngx_http_aop_log_format_cert("serial", NGX_AOP_CERT_SERIAL, 64),
    ngx_http_aop_log_format_cert("fingerprint", NGX_AOP_CERT_FINGERPRINT, 64),
    ngx_http_aop_log_format_cert("not_after", NGX_AOP_CERT_NOT_AFTER, 32),
    ngx_http_aop_log_format_of("ray", "http_cf_ray", 64),
    ngx_http_aop_log_format_of("ua", "http_user_agent", 512),
    ngx_http_aop_log_format_of("origin", "hostname", 255),
    ngx_http_aop_log_format_own("mode_from", ngx_http_aop_log_format_mode_from,
                                16),
    ngx_http_aop_log_format_cert("key", NGX_AOP_CERT_KEY, 64)
};

#define NGX_HTTP_AOP_LOG_FORMAT_FIELDS                                        \
    (sizeof(ngx_http_aop_log_format_fields)                                   \
     / sizeof(ngx_http_aop_log_format_fields[0]))


static u_char  ngx_http_aop_log_format_conf[] =
    "log_format aop_json escape=none '$aop_json';";


ngx_int_t
ngx_http_aop_log_format_json(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    char                                    line[NGX_HTTP_AOP_LINE - 1];
    size_t                                  len;
    ngx_str_t                               value;
    ngx_uint_t                              i;
    ngx_aop_line_field_t                    out[NGX_HTTP_AOP_LOG_FORMAT_FIELDS];
    const ngx_http_aop_log_format_field_t  *field;

    for (i = 0; i < NGX_HTTP_AOP_LOG_FORMAT_FIELDS; i++) {
        field = &ngx_http_aop_log_format_fields[i];

        ngx_str_null(&value);

        if (field->get(r, field, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        out[i].name = field->name;
        out[i].data = (char *) value.data;
        out[i].len = value.len;
        out[i].max = field->max;
        out[i].escaped = field->escaped;
    }

    len = ngx_aop_line_json(line, sizeof(line), out,
                            NGX_HTTP_AOP_LOG_FORMAT_FIELDS);

    v->data = ngx_pnalloc(r->pool, len);

    if (len == 0 || v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, line, len);

    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_log_format_variable(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value)
{
    ngx_str_t                  *name;
    ngx_http_variable_value_t  *vv;

    name = (ngx_str_t *) &field->variable;

    vv = ngx_http_get_variable(r, name, ngx_hash_key(name->data, name->len));

    if (vv == NULL) {
        return NGX_ERROR;
    }

    if (!vv->not_found) {
        value->data = vv->data;
        value->len = vv->len;
    }

    return NGX_OK;
}


/* Not the variable, which is not cut. */

static ngx_int_t
ngx_http_aop_log_format_fact(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value)
{
    ngx_str_t  *fact;

    fact = ngx_http_aop_conn_fact(r->main, field->fact);

    if (fact == NULL) {
        return NGX_ERROR;
    }

    *value = *fact;

    return NGX_OK;
}


/* As the client sent it; $host is what nginx made of it. */

static ngx_int_t
ngx_http_aop_log_format_host(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value)
{
    r = r->main;

    if (r->headers_in.host != NULL) {
        *value = r->headers_in.host->value;

    } else if (r->host_start != NULL && r->host_end > r->host_start) {

        /* :authority of HTTP/3, or the host of a request line */

        value->data = r->host_start;
        value->len = r->host_end - r->host_start;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_log_format_path(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value)
{
    *value = ngx_http_aop_failing_peers_path(r->main);

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_log_format_mode_from(ngx_http_request_t *r,
    const ngx_http_aop_log_format_field_t *field, ngx_str_t *value)
{
    value->data = (u_char *) ngx_http_aop_request_mode_from(r->main);
    value->len = ngx_strlen(value->data);

    return NGX_OK;
}


/*
 * nginx reads the definition as it reads one on its command line ("-g"), so
 * that a duplicate name is the usual error.
 */

ngx_int_t
ngx_http_aop_log_format_init(ngx_conf_t *cf)
{
    char             *rv;
    ngx_buf_t         b;
    ngx_conf_t        conf;
    ngx_conf_file_t   file;

    ngx_memzero(&file, sizeof(ngx_conf_file_t));
    ngx_memzero(&b, sizeof(ngx_buf_t));

    b.start = ngx_http_aop_log_format_conf;
    b.pos = b.start;
    b.last = b.start + sizeof(ngx_http_aop_log_format_conf) - 1;
    b.end = b.last;
    b.temporary = 1;

    file.file.fd = NGX_INVALID_FILE;
    file.buffer = &b;

    conf = *cf;
    conf.conf_file = &file;
    conf.module_type = NGX_HTTP_MODULE;
    conf.cmd_type = NGX_HTTP_MAIN_CONF;

    rv = ngx_conf_parse(&conf, NULL);

    return (rv == NGX_CONF_OK) ? NGX_OK : NGX_ERROR;
}
