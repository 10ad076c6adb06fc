
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "aop_report": answers GET and HEAD with the state of the rollout.  The
 * operator decides who may request it, with "allow" and "deny".
 */


#include "ngx_http_aop_report.h"


static ngx_int_t ngx_http_aop_report_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_report_watch(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_report_cross_site(ngx_http_request_t *r);
static ngx_uint_t ngx_http_aop_report_is(ngx_http_request_t *r,
    ngx_str_t *name, const char *word);
static void ngx_http_aop_report_done(ngx_http_aop_wait_t *wait, ngx_int_t rc);
static ngx_int_t ngx_http_aop_report_send(ngx_http_aop_wait_t *wait);
static ngx_int_t ngx_http_aop_report_refresh(ngx_http_aop_wait_t *wait);
static ngx_chain_t *ngx_http_aop_report_chain(ngx_http_aop_wait_t *wait);
static ngx_int_t ngx_http_aop_report_header(ngx_http_request_t *r,
    const char *name, const char *value);


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

    alcf->report = ngx_http_aop_query_writer(&name);

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
    ngx_int_t             rc;
    ngx_http_aop_wait_t  *wait;

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

    wait = ngx_pcalloc(r->pool, sizeof(ngx_http_aop_wait_t));
    if (wait == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_aop_query_read(r, &wait->query);

    if (rc != NGX_OK) {
        return rc;
    }

    wait->request = r;
    wait->handler = ngx_http_aop_report_done;

    if (ngx_http_aop_report_watch(r) != NGX_OK
        || ngx_http_aop_build_wait(wait) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->main->count++;

    return NGX_DONE;
}


/* As in limit_req: a client that leaves meanwhile is noticed. */

static ngx_int_t
ngx_http_aop_report_watch(ngx_http_request_t *r)
{
    if (r != r->main || r->discard_body) {
        return NGX_OK;
    }

    if (r->connection->read->ready) {
        ngx_post_event(r->connection->read, &ngx_posted_events);

    } else if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    r->read_event_handler = ngx_http_test_reading;

    return NGX_OK;
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


static void
ngx_http_aop_report_done(ngx_http_aop_wait_t *wait, ngx_int_t rc)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = wait->request;
    c = r->connection;

    ngx_http_set_log_request(c->log, r);

    if (r == r->main && !r->discard_body) {
        r->read_event_handler = ngx_http_block_reading;
    }

    ngx_http_finalize_request(r, (rc == NGX_OK)
                                 ? ngx_http_aop_report_send(wait) : rc);

    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_aop_report_send(ngx_http_aop_wait_t *wait)
{
    ngx_int_t            rc;
    ngx_uint_t           i;
    ngx_chain_t         *out;
    ngx_http_request_t  *r;

    r = wait->request;

    out = ngx_http_aop_report_chain(wait);
    if (out == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = wait->len;
    r->headers_out.content_type.data = (u_char *) wait->query.writer->type;
    r->headers_out.content_type.len = ngx_strlen(wait->query.writer->type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;

    for (i = 0; ngx_http_aop_report_headers[i].name; i++) {
        if (ngx_http_aop_report_header(r, ngx_http_aop_report_headers[i].name,
                                       ngx_http_aop_report_headers[i].value)
            != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (ngx_http_aop_report_refresh(wait) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_output_filter(r, out);
}


/* A header, so that a page that was saved stays as it is. */

static ngx_int_t
ngx_http_aop_report_refresh(ngx_http_aop_wait_t *wait)
{
    u_char              *seconds;
    ngx_http_request_t  *r;

    if (wait->query.writer->refresh == 0 || wait->query.paused) {
        return NGX_OK;
    }

    r = wait->request;

    seconds = ngx_pnalloc(r->pool, NGX_INT_T_LEN + 1);
    if (seconds == NULL) {
        return NGX_ERROR;
    }

    *ngx_sprintf(seconds, "%ud", wait->query.writer->refresh) = '\0';

    return ngx_http_aop_report_header(r, "Refresh", (char *) seconds);
}


/* Made before the header is sent: half a report is not sent. */

static ngx_chain_t *
ngx_http_aop_report_chain(ngx_http_aop_wait_t *wait)
{
    ngx_buf_t                     *b;
    ngx_chain_t                   *out, **ll;
    ngx_http_request_t            *r;
    const ngx_aop_report_block_t  *block;

    r = wait->request;
    b = NULL;
    ll = &out;

    for (block = wait->blocks; block; block = block->next) {

        if (block->start == block->end) {
            continue;
        }

        *ll = ngx_alloc_chain_link(r->pool);
        if (*ll == NULL) {
            return NULL;
        }

        b = ngx_calloc_buf(r->pool);
        if (b == NULL) {
            return NULL;
        }

        b->pos = (u_char *) block->start;
        b->last = (u_char *) block->end;
        b->memory = 1;

        (*ll)->buf = b;
        ll = &(*ll)->next;
    }

    *ll = NULL;

    if (b == NULL) {
        return NULL;
    }

    b->last_in_chain = 1;
    b->last_buf = (r == r->main);

    return out;
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
