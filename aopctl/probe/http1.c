
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * One request over HTTP/1.1, and its answer: the head, and the start of the
 * body up to where it says that it ends.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http.h"
#include "ngx_aop_version.h"


#define AOPCTL_HTTP_HEAD  16384


/* What was read: the head is parsed, and the body passed on. */

typedef struct {
    size_t            len;
    const char       *next;         /* after the line that was looked at */
    size_t            left;         /* of the body; (size_t) -1: to the end */
    unsigned          chunked:1;
    char              data[AOPCTL_HTTP_HEAD + 1];
} aopctl_http1_t;


static int aopctl_http1_send(aopctl_conn_t *conn,
    const aopctl_request_t *request);
static int aopctl_http1_head(aopctl_conn_t *conn, aopctl_http1_t *h1,
    aopctl_http_t *http);
static int aopctl_http1_more(aopctl_conn_t *conn, aopctl_http1_t *h1);
static void aopctl_http1_drop(aopctl_http1_t *h1, const char *before);
static int aopctl_http1_status(const char *line);
static void aopctl_http1_headers(aopctl_http1_t *h1, aopctl_http_t *http);
static void aopctl_http1_header(aopctl_http1_t *h1, aopctl_http_t *http,
    const char *line, size_t len);
static void aopctl_http1_body(aopctl_conn_t *conn, aopctl_http1_t *h1,
    aopctl_http_t *http);
static int aopctl_http1_chunk(aopctl_conn_t *conn, aopctl_http1_t *h1);
static int aopctl_http1_line(aopctl_conn_t *conn, aopctl_http1_t *h1,
    char *line, size_t size);
static size_t aopctl_http1_fill(aopctl_conn_t *conn, aopctl_http1_t *h1);


void
aopctl_http1(aopctl_conn_t *conn, const aopctl_request_t *request,
    aopctl_http_t *http)
{
    aopctl_http1_t  h1;

    aopctl_http_init(http);

    if (!aopctl_http1_send(conn, request)
        || !aopctl_http1_head(conn, &h1, http))
    {
        return;
    }

    aopctl_http1_headers(&h1, http);

    if (h1.next != NULL && !request->keep) {
        aopctl_http1_body(conn, &h1, http);
    }

    aopctl_http_end(http);
}


static int
aopctl_http1_send(aopctl_conn_t *conn, const aopctl_request_t *request)
{
    int   n;
    char  text[4096];

    n = snprintf(text, sizeof(text),
                 "GET %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "User-Agent: aopctl/" NGX_HTTP_AOP_VERSION "\r\n"
                 "Accept: */*\r\n"
                 "%s%s%s"
                 "%s"
                 "\r\n", request->path, request->host,
                 request->visitor ? "CF-Connecting-IP: " : "",
                 request->visitor ? request->visitor : "",
                 request->visitor ? "\r\n" : "",
                 request->keep ? "" : "Connection: close\r\n");

    return aopctl_conn_write(conn, text, n);
}


/*
 * Reads to the end of the head, or as much as there is room for.  A connection
 * that breaks after the first line has given its answer; an interim answer is
 * none.
 */

static int
aopctl_http1_head(aopctl_conn_t *conn, aopctl_http1_t *h1, aopctl_http_t *http)
{
    int  n;

    h1->len = 0;
    h1->data[0] = '\0';

    do {
        n = 1;
        h1->next = memmem(h1->data, h1->len, "\r\n\r\n", 4);

        if (h1->next == NULL) {
            n = aopctl_http1_more(conn, h1);

        } else if (aopctl_http1_status(h1->data) / 100 == 1) {
            aopctl_http1_drop(h1, h1->next + 4);
            h1->next = NULL;
        }
    } while (h1->next == NULL && n > 0);

    if (h1->len == 0
        || (n == -1 && memchr(h1->data, '\n', h1->len) == NULL))
    {
        return 0;
    }

    http->status = aopctl_http1_status(h1->data);

    if (http->status == 0) {
        snprintf(conn->err, sizeof(conn->err), "the response is not HTTP");
    }

    return http->status != 0;
}


/* As aopctl_conn_read(); also 0 if there is no more room. */

static int
aopctl_http1_more(aopctl_conn_t *conn, aopctl_http1_t *h1)
{
    int  n;

    if (h1->len == AOPCTL_HTTP_HEAD) {
        return 0;
    }

    n = aopctl_conn_read(conn, h1->data + h1->len, AOPCTL_HTTP_HEAD - h1->len);

    if (n > 0) {
        h1->len += n;
        h1->data[h1->len] = '\0';
    }

    if (h1->len == 0 && n == 0) {
        snprintf(conn->err, sizeof(conn->err),
                 "closed by the server without a response");
    }

    return n;
}


/* Drops what precedes. */

static void
aopctl_http1_drop(aopctl_http1_t *h1, const char *before)
{
    h1->len -= before - h1->data;
    memmove(h1->data, before, h1->len);
    h1->data[h1->len] = '\0';
}


static int
aopctl_http1_status(const char *line)
{
    int  status;

    if (strncmp(line, "HTTP/1.", 7) != 0
        || (line[7] != '0' && line[7] != '1')
        || sscanf(line + 8, " %3d", &status) != 1
        || status < 100)
    {
        return 0;
    }

    return status;
}


/* The lines after the first one, as many as are complete. */

static void
aopctl_http1_headers(aopctl_http1_t *h1, aopctl_http_t *http)
{
    const char  *line, *last, *end;

    h1->left = (size_t) -1;
    h1->chunked = 0;

    last = h1->next ? h1->next + 2 : h1->data + h1->len;
    end = memchr(h1->data, '\n', last - h1->data);

    while (end != NULL) {
        line = end + 1;
        end = memchr(line, '\n', last - line);

        if (end != NULL) {
            aopctl_http1_header(h1, http, line, end - line);
        }
    }

    if (h1->next != NULL) {
        h1->next += 4;
    }
}


static void
aopctl_http1_header(aopctl_http1_t *h1, aopctl_http_t *http, const char *line,
    size_t len)
{
    size_t       namelen;
    const char  *value, *end;

    value = memchr(line, ':', len);
    if (value == NULL) {
        return;
    }

    namelen = value - line;
    end = line + len;

    for (value++; value < end && (*value == ' ' || *value == '\t'); value++) {
        /* void */
    }

    while (end > value && (end[-1] == '\r' || end[-1] == ' ')) {
        end--;
    }

    if (namelen == 14 && strncasecmp(line, "content-length", 14) == 0) {
        h1->left = strtoul(value, NULL, 10);

    } else if (namelen == 17
               && strncasecmp(line, "transfer-encoding", 17) == 0)
    {
        h1->chunked = 1;

    } else {
        aopctl_http_header(http, line, namelen, value, end - value);
    }
}


/* A body that breaks off is as good as what arrived of it. */

static void
aopctl_http1_body(aopctl_conn_t *conn, aopctl_http1_t *h1, aopctl_http_t *http)
{
    size_t  n;

    if (h1->chunked) {
        h1->left = 0;
    }

    for ( ;; ) {
        if (h1->left == 0 && !aopctl_http1_chunk(conn, h1)) {
            return;
        }

        n = aopctl_http1_fill(conn, h1);
        n = (n < h1->left) ? n : h1->left;

        if (n == 0 || !aopctl_http_add(http, h1->next, n)) {
            return;
        }

        h1->next += n;
        h1->left -= n;
    }
}


/* Determines the length of the next chunk; returns 0 if there is none. */

static int
aopctl_http1_chunk(aopctl_conn_t *conn, aopctl_http1_t *h1)
{
    char  line[32];

    if (!h1->chunked || !aopctl_http1_line(conn, h1, line, sizeof(line))) {
        return 0;
    }

    /* what ends the chunk before */

    if (line[0] == '\r' && !aopctl_http1_line(conn, h1, line, sizeof(line))) {
        return 0;
    }

    h1->left = strtoul(line, NULL, 16);

    return h1->left != 0;
}


/* A line of the body, of which the start is passed. */

static int
aopctl_http1_line(aopctl_conn_t *conn, aopctl_http1_t *h1, char *line,
    size_t size)
{
    char    ch;
    size_t  len;

    len = 0;

    do {
        if (aopctl_http1_fill(conn, h1) == 0) {
            return 0;
        }

        ch = *h1->next++;

        if (len < size - 1) {
            line[len++] = ch;
        }
    } while (ch != '\n');

    line[len] = '\0';

    return 1;
}


/* The number of bytes at h1->next; reads if there are none. */

static size_t
aopctl_http1_fill(aopctl_conn_t *conn, aopctl_http1_t *h1)
{
    if (h1->next == h1->data + h1->len) {
        aopctl_http1_drop(h1, h1->next);
        h1->next = h1->data;

        (void) aopctl_http1_more(conn, h1);
    }

    return h1->data + h1->len - h1->next;
}
