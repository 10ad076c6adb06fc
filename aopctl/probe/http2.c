
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* One request over HTTP/2, and its answer with the start of the body. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <nghttp2/nghttp2.h>

#include "http.h"
#include "ngx_aop_version.h"


typedef struct {
    aopctl_conn_t    *conn;
    aopctl_http_t    *http;
    int32_t           stream;       /* of the request */
    unsigned          done:1;
} aopctl_http2_t;


static nghttp2_session *aopctl_http2_session(aopctl_http2_t *h2);
static int aopctl_http2_request(aopctl_http2_t *h2, nghttp2_session *session,
    const aopctl_request_t *request);
static void aopctl_http2_run(aopctl_http2_t *h2, nghttp2_session *session);
static int aopctl_http2_send(aopctl_http2_t *h2, nghttp2_session *session);
static int aopctl_http2_header(nghttp2_session *session,
    const nghttp2_frame *frame, const uint8_t *name, size_t namelen,
    const uint8_t *value, size_t valuelen, uint8_t flags, void *data);
static int aopctl_http2_data(nghttp2_session *session, uint8_t flags,
    int32_t stream, const uint8_t *data, size_t len, void *user);
static int aopctl_http2_close(nghttp2_session *session, int32_t stream,
    uint32_t error, void *data);


void
aopctl_http2(aopctl_conn_t *conn, const aopctl_request_t *request,
    aopctl_http_t *http)
{
    aopctl_http2_t    h2;
    nghttp2_session  *session;

    aopctl_http_init(http);

    h2.conn = conn;
    h2.http = http;
    h2.done = 0;

    session = aopctl_http2_session(&h2);

    if (session == NULL || !aopctl_http2_request(&h2, session, request)) {
        conn->here = 1;
        snprintf(conn->err, sizeof(conn->err), "out of memory");

    } else {
        aopctl_http2_run(&h2, session);
    }

    nghttp2_session_del(session);
}


static nghttp2_session *
aopctl_http2_session(aopctl_http2_t *h2)
{
    nghttp2_session            *session;
    nghttp2_session_callbacks  *callbacks;

    session = NULL;

    if (nghttp2_session_callbacks_new(&callbacks) != 0) {
        return NULL;
    }

    nghttp2_session_callbacks_set_on_header_callback(callbacks,
                                                     aopctl_http2_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks,
                                                     aopctl_http2_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks,
                                                     aopctl_http2_close);

    (void) nghttp2_session_client_new(&session, callbacks, h2);

    nghttp2_session_callbacks_del(callbacks);

    return session;
}


#define aopctl_http2_nv(name, value)                                          \
    { (uint8_t *) name, (uint8_t *) (value), sizeof(name) - 1,                \
      strlen(value), NGHTTP2_NV_FLAG_NONE }

static int
aopctl_http2_request(aopctl_http2_t *h2, nghttp2_session *session,
    const aopctl_request_t *request)
{
    size_t      n;
    nghttp2_nv  headers[] = {
        aopctl_http2_nv(":method", "GET"),
        aopctl_http2_nv(":scheme", "https"),
        aopctl_http2_nv(":authority", request->host),
        aopctl_http2_nv(":path", request->path),
        aopctl_http2_nv("user-agent", "aopctl/" NGX_HTTP_AOP_VERSION),
        aopctl_http2_nv("cf-connecting-ip", request->visitor
                                            ? request->visitor : "")
    };

    /* the last one is sent only if it says something */

    n = sizeof(headers) / sizeof(headers[0]) - (request->visitor == NULL);

    if (nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, NULL, 0) != 0) {
        return 0;
    }

    h2->stream = nghttp2_submit_request(session, NULL, headers, n, NULL, NULL);

    return h2->stream > 0;
}


static void
aopctl_http2_run(aopctl_http2_t *h2, nghttp2_session *session)
{
    int      n;
    uint8_t  buf[16384];

    while (!h2->done) {

        if (!aopctl_http2_send(h2, session)) {
            break;
        }

        n = aopctl_conn_read(h2->conn, buf, sizeof(buf));

        if (n <= 0) {
            break;
        }

        if (nghttp2_session_mem_recv(session, buf, n) < 0) {
            snprintf(h2->conn->err, sizeof(h2->conn->err),
                     "the response is not HTTP/2");
            break;
        }
    }

    aopctl_http_end(h2->http);

    if (h2->http->status == 0 && h2->conn->err[0] == '\0') {
        snprintf(h2->conn->err, sizeof(h2->conn->err),
                 "closed by the server without a response");
    }
}


static int
aopctl_http2_send(aopctl_http2_t *h2, nghttp2_session *session)
{
    ssize_t         n;
    const uint8_t  *data;

    for ( ;; ) {
        n = nghttp2_session_mem_send(session, &data);

        if (n <= 0) {
            return n == 0;
        }

        if (!aopctl_conn_write(h2->conn, data, n)) {
            return 0;
        }
    }
}


static int
aopctl_http2_header(nghttp2_session *session, const nghttp2_frame *frame,
    const uint8_t *name, size_t namelen, const uint8_t *value,
    size_t valuelen, uint8_t flags, void *data)
{
    int              status;
    aopctl_http2_t  *h2 = data;

    /* what a server pushes was not requested */

    if (frame->hd.stream_id != h2->stream) {
        return 0;
    }

    /* nghttp2 has checked that it is a number of three digits */

    if (namelen == 7 && memcmp(name, ":status", 7) == 0) {
        status = atoi((const char *) value);

        /* an interim answer is none */

        h2->http->status = (status < 200) ? 0 : status;

    } else {
        aopctl_http_header(h2->http, (const char *) name, namelen,
                           (const char *) value, valuelen);
    }

    return 0;
}


static int
aopctl_http2_data(nghttp2_session *session, uint8_t flags, int32_t stream,
    const uint8_t *data, size_t len, void *user)
{
    aopctl_http2_t  *h2 = user;

    if (stream == h2->stream
        && !aopctl_http_add(h2->http, (const char *) data, len))
    {
        h2->done = 1;
    }

    return 0;
}


static int
aopctl_http2_close(nghttp2_session *session, int32_t stream, uint32_t error,
    void *data)
{
    aopctl_http2_t  *h2 = data;

    if (stream == h2->stream) {
        h2->done = 1;
    }

    return 0;
}
