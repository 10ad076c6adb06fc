
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The end of a connection whose certificate was refused: open requests are
 * still answered, then it is closed, and its session is dropped.
 */


#include "ngx_http_aop_conn.h"


static void ngx_http_aop_drop_session(ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_goaway(ngx_http_request_t *r);
static void ngx_http_aop_goaway_handler(ngx_event_t *ev);
static void ngx_http_aop_goaway_cleanup(void *data);
#if (NGX_HTTP_AOP_V3)
static ngx_int_t ngx_http_aop_goaway_v3(ngx_connection_t *c);


/* An nginx without HTTP/3 does not have it, and loads the module. */

#pragma weak ngx_http_v3_send_goaway

#endif


ngx_int_t
ngx_http_aop_close_connection(ngx_http_request_t *r)
{
    ngx_http_aop_drop_session(r);

    /* r->keepalive is for HTTP/1 only */

    r->keepalive = 0;

    if (r->stream != NULL) {
        return ngx_http_aop_goaway(r);
    }

#if (NGX_HTTP_AOP_V3)

    if (r->http_version == NGX_HTTP_VERSION_30) {
        return ngx_http_aop_goaway_v3(r->connection);
    }

#endif

    return NGX_OK;
}


/* The session of a rejected request is not resumed, as with stock nginx. */

static void
ngx_http_aop_drop_session(ngx_http_request_t *r)
{
    ngx_ssl_connection_t  *ssl;

    ssl = r->connection->ssl;

    if (ssl != NULL) {
        ngx_ssl_remove_cached_session(ssl->session_ctx,
                                      SSL_get0_session(ssl->connection));
    }
}


/*
 * nginx sends GOAWAY and waits for the open streams when a connection with
 * c->close set is read from (ngx_http_v2_read_handler()).  That is done from
 * an event of our own, after the current one.
 */

static ngx_int_t
ngx_http_aop_goaway(ngx_http_request_t *r)
{
    ngx_event_t       *ev;
    ngx_connection_t  *c;

    c = r->stream->connection->connection;

    if (ngx_http_aop_pool_get(c->pool, ngx_http_aop_goaway_cleanup) != NULL) {
        return NGX_OK;
    }

    ev = ngx_http_aop_pool_add(c->pool, sizeof(ngx_event_t),
                               ngx_http_aop_goaway_cleanup);
    if (ev == NULL) {
        return NGX_ERROR;
    }

    ev->data = c;
    ev->handler = ngx_http_aop_goaway_handler;
    ev->log = c->log;

    ngx_post_event(ev, &ngx_posted_events);

    return NGX_OK;
}


static void
ngx_http_aop_goaway_handler(ngx_event_t *ev)
{
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ev->data;
    rev = c->read;

    c->close = 1;

    rev->handler(rev);

    /* what the client sent meanwhile for its open streams was not read */

    if (c->fd != (ngx_socket_t) -1 && rev->ready) {
        ngx_post_event(rev, &ngx_posted_events);
    }
}


static void
ngx_http_aop_goaway_cleanup(void *data)
{
    ngx_event_t  *ev = data;

    if (ev->posted) {
        ngx_delete_posted_event(ev);
    }
}


#if (NGX_HTTP_AOP_V3)

/* ngx_http_v3_shutdown() may close the connection before the answer is out. */

static ngx_int_t
ngx_http_aop_goaway_v3(ngx_connection_t *c)
{
    ngx_http_v3_session_t  *h3c;

    h3c = ngx_http_v3_get_session(c);

    if (h3c->goaway) {
        return NGX_OK;
    }

    h3c->goaway = 1;

    return ngx_http_v3_send_goaway(c, h3c->next_request_id);
}

#endif
