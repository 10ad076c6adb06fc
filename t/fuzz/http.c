
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What a host answers over HTTP/1.1 and HTTP/2, in whatever pieces: it is read
 * within its bounds, to an end, and comes to no more than what a probe can make
 * of it.
 */


#include "probe_page.h"
#include "fuzz.h"


/*
 * The peer: how it ends, and the pieces of its answer, of which it may send the
 * last one without end, if that is no matter of many thousand reads.
 */

#define FUZZ_BROKEN   1
#define FUZZ_ENDLESS  2

/* and how it is asked */

#define FUZZ_HTTP2    4
#define FUZZ_KEEP     8
#define FUZZ_PLAIN    16

#define FUZZ_ENDLESS_MIN  256

static unsigned      fuzz_end;
static size_t        fuzz_read;     /* as many bytes as a connection takes */
static fuzz_input_t  fuzz_pieces;
static fuzz_input_t  fuzz_last;     /* the whole of it */
static fuzz_input_t  fuzz_rest;     /* what has not been read of it */


static int
fuzz_next(void)
{
    while (fuzz_rest.size == 0 && fuzz_pieces.size != 0) {
        fuzz_last = fuzz_piece(&fuzz_pieces);
        fuzz_rest = fuzz_last;
    }

    if (fuzz_rest.size == 0
        && (fuzz_end & FUZZ_ENDLESS)
        && fuzz_last.size >= FUZZ_ENDLESS_MIN)
    {
        fuzz_rest = fuzz_last;
    }

    return fuzz_rest.size != 0;
}


int
aopctl_conn_write(aopctl_conn_t *conn, const void *data, size_t len)
{
    if (fuzz_end & FUZZ_HTTP2) {
        return 1;
    }

    fuzz_check(len >= 4);
    fuzz_check(memcmp((const char *) data + len - 4, "\r\n\r\n", 4) == 0);

    return 1;
}


int
aopctl_conn_read(aopctl_conn_t *conn, void *buf, size_t size)
{
    /* who asks for nothing would take it for the end */

    fuzz_check(size > 0);

    if (fuzz_read > AOPCTL_CONN_BYTES || !fuzz_next()) {

        if (fuzz_end & FUZZ_BROKEN) {
            strcpy(conn->err, "broken");
            return -1;
        }

        return 0;
    }

    if (size > fuzz_rest.size) {
        size = fuzz_rest.size;
    }

    memcpy(buf, fuzz_rest.data, size);

    fuzz_rest.data += size;
    fuzz_rest.size -= size;
    fuzz_read += size;

    return (int) size;
}


static void
fuzz_page(const aopctl_http_t *http)
{
    aopctl_page_t  page;

    aopctl_probe_page_make(&page, http, !(fuzz_end & FUZZ_PLAIN), "a.test");

    fuzz_check(page.path <= strlen(page.url));
    fuzz_check(!page.self || page.url[page.path] == '/');
    fuzz_check(aopctl_probe_page_compare(&page, &page) == AOPCTL_PAGE_SAME);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    aopctl_conn_t     conn;
    aopctl_request_t  request = { "a.test", "/", "192.0.2.1", 0 };

    static aopctl_http_t  http;

    fuzz_pieces.data = data;
    fuzz_pieces.size = size;
    fuzz_end = fuzz_byte(&fuzz_pieces);
    fuzz_read = 0;

    memset(&fuzz_last, 0, sizeof(fuzz_last));
    memset(&fuzz_rest, 0, sizeof(fuzz_rest));
    memset(&conn, 0, sizeof(conn));

    request.keep = (fuzz_end & FUZZ_KEEP) != 0;

    (fuzz_end & FUZZ_HTTP2 ? aopctl_http2 : aopctl_http1)(&conn, &request,
                                                          &http);

    fuzz_check(http.status == 0
               || (http.status >= 100 && http.status <= 999));
    fuzz_check(http.status != 0 || conn.err[0] != '\0');
    fuzz_check(http.page == AOPCTL_PAGE_OTHER
               || http.status == AOPCTL_HTTP_PAGED);
    fuzz_check(http.len <= AOPCTL_HTTP_BODY);
    fuzz_check(strlen(http.location) < AOPCTL_HTTP_LOCATION);

    fuzz_page(&http);

    return 0;
}
