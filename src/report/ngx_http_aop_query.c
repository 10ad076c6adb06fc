
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What of the report is requested, and in which format: by the directive, and
 * by the arguments "format", "server", "show" and "refresh".
 */


#include "ngx_http_aop_report.h"


static ngx_int_t ngx_http_aop_query_server(ngx_http_request_t *r,
    ngx_http_aop_query_t *query);
static ngx_uint_t ngx_http_aop_query_known(ngx_http_request_t *r,
    const ngx_http_aop_query_t *query);
static ngx_uint_t ngx_http_aop_query_arg(ngx_http_request_t *r,
    const char *name, const char *word);


static const ngx_aop_report_writer_t *const  ngx_http_aop_query_writers[] = {
    &ngx_aop_report_json,
    &ngx_aop_report_prometheus,
    &ngx_aop_report_html,
    NULL
};


ngx_int_t
ngx_http_aop_query_read(ngx_http_request_t *r, ngx_http_aop_query_t *query)
{
    ngx_str_t                 name;
    ngx_http_aop_loc_conf_t  *alcf;

    ngx_memzero(query, sizeof(ngx_http_aop_query_t));

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);

    query->writer = alcf->report;

    if (ngx_http_arg(r, (u_char *) "format", 6, &name) == NGX_OK) {
        query->writer = ngx_http_aop_query_writer(&name);
    }

    if (query->writer == NULL) {
        return NGX_HTTP_BAD_REQUEST;
    }

    /* other formats have no use for it, and one report for all that wait */

    if (query->writer->refresh) {
        query->all = ngx_http_aop_query_arg(r, "show", "all");
        query->paused = ngx_http_aop_query_arg(r, "refresh", "off");
    }

    return ngx_http_aop_query_server(r, query);
}


const ngx_aop_report_writer_t *
ngx_http_aop_query_writer(ngx_str_t *name)
{
    size_t                                 len;
    const ngx_aop_report_writer_t *const  *writer;

    for (writer = ngx_http_aop_query_writers; *writer; writer++) {
        len = ngx_strlen((*writer)->name);

        if (name->len == len
            && ngx_strncmp(name->data, (*writer)->name, len) == 0)
        {
            return *writer;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_http_aop_query_server(ngx_http_request_t *r, ngx_http_aop_query_t *query)
{
    u_char     *dst, *src;
    ngx_str_t   name;

    if (ngx_http_arg(r, (u_char *) "server", 6, &name) != NGX_OK) {
        return NGX_OK;
    }

    dst = ngx_pnalloc(r->pool, name.len + 1);
    if (dst == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    query->server.data = dst;
    src = name.data;

    ngx_unescape_uri(&dst, &src, name.len, 0);

    query->server.len = dst - query->server.data;
    *dst = '\0';

    return ngx_strlen(query->server.data) == query->server.len
           && ngx_http_aop_query_known(r, query)
           ? NGX_OK : NGX_HTTP_NOT_FOUND;
}


static ngx_uint_t
ngx_http_aop_query_known(ngx_http_request_t *r,
    const ngx_http_aop_query_t *query)
{
    ngx_uint_t                   i;
    ngx_http_aop_server_t       *server;
    ngx_http_aop_main_conf_t    *amcf;
    ngx_http_aop_unprotected_t  *unprotected;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_aop_module);

    server = amcf->servers.elts;

    for (i = 0; i < amcf->servers.nelts; i++) {
        if (ngx_http_aop_query_has(query, (char *) server[i].label.data)) {
            return 1;
        }
    }

    unprotected = amcf->unprotected.elts;

    for (i = 0; i < amcf->unprotected.nelts; i++) {
        if (ngx_http_aop_query_has(query, unprotected[i].name)) {
            return 1;
        }
    }

    return 0;
}


/* The address may be left out. */

ngx_uint_t
ngx_http_aop_query_has(const ngx_http_aop_query_t *query, const char *label)
{
    const ngx_str_t  *name;

    name = &query->server;

    return name->data == NULL
           || (ngx_strncmp(label, name->data, name->len) == 0
               && (label[name->len] == '\0' || label[name->len] == ' '));
}


ngx_uint_t
ngx_http_aop_query_same(const ngx_http_aop_query_t *one,
    const ngx_http_aop_query_t *two)
{
    return one->writer == two->writer
           && one->all == two->all
           && one->paused == two->paused
           && (one->server.data == NULL) == (two->server.data == NULL)
           && one->server.len == two->server.len
           && ngx_memcmp(one->server.data, two->server.data, one->server.len)
              == 0;
}


static ngx_uint_t
ngx_http_aop_query_arg(ngx_http_request_t *r, const char *name,
    const char *word)
{
    ngx_str_t  value;

    return ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) == NGX_OK
           && value.len == ngx_strlen(word)
           && ngx_strncmp(value.data, word, value.len) == 0;
}
