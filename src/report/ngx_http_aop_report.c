
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "aop_report": answers GET and HEAD with the state of the rollout.  Who may
 * ask is the operator's to say, with "allow" and "deny".
 */


#include "ngx_http_aop_report.h"


/* a report that does not fit is tried with twice the room, up to the last */

#define NGX_HTTP_AOP_REPORT_FIRST  (64 * 1024)
#define NGX_HTTP_AOP_REPORT_LAST   (64 * 1024 * 1024)


typedef struct {
    ngx_str_t       name;
    ngx_str_t       type;
    void          (*write)(ngx_http_aop_report_t *report,
                        ngx_aop_text_t *text);
} ngx_http_aop_writer_t;


static ngx_int_t ngx_http_aop_report_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_report_cross_site(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_report_is(ngx_http_request_t *r,
    ngx_str_t *name, const char *word);
static const ngx_http_aop_writer_t *ngx_http_aop_report_writer(
    ngx_http_request_t *r);
static const ngx_http_aop_writer_t *ngx_http_aop_report_find(ngx_str_t *name);
static ngx_int_t ngx_http_aop_report_write(ngx_http_request_t *r,
    const ngx_http_aop_writer_t *writer, ngx_aop_text_t *text);
static ngx_int_t ngx_http_aop_report_send(ngx_http_request_t *r,
    const ngx_http_aop_writer_t *writer, ngx_aop_text_t *text);
static ngx_int_t ngx_http_aop_report_header(ngx_http_request_t *r,
    const char *name, const char *value);


static const ngx_http_aop_writer_t  ngx_http_aop_writers[] = {
    { ngx_string("json"), ngx_string("application/json"),
      ngx_http_aop_report_json },
    { ngx_string("prometheus"), ngx_string("text/plain; version=0.0.4"),
      ngx_http_aop_report_prometheus },
    { ngx_string("html"), ngx_string("text/html; charset=utf-8"),
      ngx_http_aop_report_html },
    { ngx_null_string, ngx_null_string, NULL }
};


static const struct {
    const char  *name;
    const char  *value;
} ngx_http_aop_report_headers[] = {
    { "Cache-Control", "no-store" },
    { "X-Content-Type-Options", "nosniff" },
    { "Content-Security-Policy",
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'" },
    { NULL, NULL }
};


char *
ngx_http_aop_report_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_loc_conf_t  *alcf = conf;

    ngx_str_t                 *value, name;
    ngx_http_core_loc_conf_t  *clcf;

    if (alcf->report != NULL) {
        return "is duplicate";
    }

    ngx_str_set(&name, "json");

    if (cf->args->nelts == 2) {
        value = cf->args->elts;
        name = value[1];
    }

    alcf->report = ngx_http_aop_report_find(&name);

    if (alcf->report == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid format \"%V\" in \"aop_report\", it must "
                           "be \"json\", \"prometheus\" or \"html\"", &name);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_aop_report_handler;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_aop_report_handler(ngx_http_request_t *r)
{
    ngx_int_t                     rc;
    ngx_aop_text_t                text;
    const ngx_http_aop_writer_t  *writer;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if (ngx_http_aop_report_cross_site(r)) {
        return NGX_HTTP_FORBIDDEN;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    writer = ngx_http_aop_report_writer(r);

    if (writer == NULL) {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (ngx_http_aop_report_write(r, writer, &text) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    return ngx_http_aop_report_send(r, writer, &text);
}


/*
 * A page of another site makes a browser send this request, which may reach
 * an address that the page's author cannot.  A link from there is followed.
 */

static ngx_uint_t
ngx_http_aop_report_cross_site(ngx_http_request_t *r)
{
    static ngx_str_t  site = ngx_string("http_sec_fetch_site");
    static ngx_str_t  mode = ngx_string("http_sec_fetch_mode");

    return ngx_http_aop_report_is(r, &site, "cross-site")
           && !ngx_http_aop_report_is(r, &mode, "navigate");
}


static ngx_uint_t
ngx_http_aop_report_is(ngx_http_request_t *r, ngx_str_t *name,
    const char *word)
{
    ngx_http_variable_value_t  *vv;

    vv = ngx_http_get_variable(r, name, ngx_hash_key(name->data, name->len));

    return vv != NULL
           && !vv->not_found
           && vv->len == ngx_strlen(word)
           && ngx_strncmp(vv->data, word, vv->len) == 0;
}


/* NULL if the request asks for a format that there is not. */

static const ngx_http_aop_writer_t *
ngx_http_aop_report_writer(ngx_http_request_t *r)
{
    ngx_str_t                 name;
    ngx_http_aop_loc_conf_t  *alcf;

    if (ngx_http_arg(r, (u_char *) "format", 6, &name) == NGX_OK) {
        return ngx_http_aop_report_find(&name);
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);

    return alcf->report;
}


static const ngx_http_aop_writer_t *
ngx_http_aop_report_find(ngx_str_t *name)
{
    const ngx_http_aop_writer_t  *writer;

    for (writer = ngx_http_aop_writers; writer->name.len; writer++) {
        if (name->len == writer->name.len
            && ngx_strncmp(name->data, writer->name.data, name->len) == 0)
        {
            return writer;
        }
    }

    return NULL;
}


/* Half a report is not sent: it is written whole, or not at all. */

static ngx_int_t
ngx_http_aop_report_write(ngx_http_request_t *r,
    const ngx_http_aop_writer_t *writer, ngx_aop_text_t *text)
{
    char                   *buf;
    size_t                  size;
    ngx_http_aop_report_t  *report;

    report = ngx_pcalloc(r->pool, sizeof(ngx_http_aop_report_t));
    if (report == NULL) {
        return NGX_ERROR;
    }

    report->request = r;
    report->amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);
    report->shared = ngx_http_aop_shm_get(report->amcf->zone);

    for (size = NGX_HTTP_AOP_REPORT_FIRST;
         size <= NGX_HTTP_AOP_REPORT_LAST;
         size *= 2)
    {
        buf = ngx_palloc(r->pool, size);
        if (buf == NULL) {
            return NGX_ERROR;
        }

        ngx_aop_text_init(text, buf, size);

        writer->write(report, text);

        if (report->failed) {
            return NGX_ERROR;
        }

        if (!text->overflow) {
            return NGX_OK;
        }

        ngx_pfree(r->pool, buf);
    }

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "aop: the report is larger than %uz bytes",
                  (size_t) NGX_HTTP_AOP_REPORT_LAST);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_aop_report_send(ngx_http_request_t *r,
    const ngx_http_aop_writer_t *writer, ngx_aop_text_t *text)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_uint_t    i;
    ngx_chain_t   out;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = text->pos - text->start;
    r->headers_out.content_type = writer->type;
    r->headers_out.content_type_len = writer->type.len;

    for (i = 0; ngx_http_aop_report_headers[i].name; i++) {
        if (ngx_http_aop_report_header(r, ngx_http_aop_report_headers[i].name,
                                       ngx_http_aop_report_headers[i].value)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = (u_char *) text->start;
    b->last = (u_char *) text->pos;
    b->memory = 1;
    b->last_buf = (r == r->main);
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_aop_report_header(ngx_http_request_t *r, const char *name,
    const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = ngx_strlen(value);
    h->value.data = (u_char *) value;

    return NGX_OK;
}
