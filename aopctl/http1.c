
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * One request over HTTP/1.1; of the answer the head is looked at, and the start
 * of the body where that tells more.
 */


#include <stdio.h>
#include <string.h>

#include "http.h"
#include "ngx_aop_version.h"


#define AOPCTL_HTTP_HEAD  16384


static int aopctl_http1_head(aopctl_conn_t *conn, char *head, size_t *len);
static void aopctl_http1_page(aopctl_conn_t *conn, char *head, size_t len,
    aopctl_http_t *http);
static int aopctl_http1_status(const char *head);
static unsigned aopctl_http1_to_https(const char *head);


void
aopctl_http1(aopctl_conn_t *conn, const aopctl_request_t *request,
    aopctl_http_t *http)
{
    int     n;
    char    head[AOPCTL_HTTP_HEAD + 1], text[4096];
    size_t  len;

    memset(http, 0, sizeof(aopctl_http_t));

    n = snprintf(text, sizeof(text),
                 "GET %s HTTP/1.1\r\n"
                 "Host: %s\r\n"
                 "User-Agent: aopctl/" NGX_HTTP_AOP_VERSION "\r\n"
                 "Accept: */*\r\n"
                 "%s%s%s"
                 "Connection: close\r\n"
                 "\r\n", request->path, request->host,
                 request->visitor ? "CF-Connecting-IP: " : "",
                 request->visitor ? request->visitor : "",
                 request->visitor ? "\r\n" : "");

    if (!aopctl_conn_write(conn, text, n)
        || !aopctl_http1_head(conn, head, &len))
    {
        return;
    }

    http->status = aopctl_http1_status(head);

    if (http->status == 0) {
        snprintf(conn->err, sizeof(conn->err), "the answer is not HTTP");
        return;
    }

    http->to_https = http->status / 100 == 3 && aopctl_http1_to_https(head);

    if (http->status == AOPCTL_HTTP_PAGED) {
        aopctl_http1_page(conn, head, len, http);
    }
}


/*
 * Reads to the end of the head, or as much as there is room for.  A connection
 * that breaks after the first line has given its answer.
 */

static int
aopctl_http1_head(aopctl_conn_t *conn, char *head, size_t *len)
{
    int  n;

    *len = 0;

    do {
        n = aopctl_conn_read(conn, head + *len, AOPCTL_HTTP_HEAD - *len);

        if (n == -1) {
            return memchr(head, '\n', *len) != NULL;
        }

        *len += n;
        head[*len] = '\0';

        if (memmem(head, *len, "\r\n\r\n", 4) != NULL) {
            return 1;
        }
    } while (n > 0 && *len < AOPCTL_HTTP_HEAD);

    if (*len == 0) {
        snprintf(conn->err, sizeof(conn->err),
                 "closed by the server without an answer");
        return 0;
    }

    return 1;
}


/* Reads on, until the page is known, or the rest of the room is used. */

static void
aopctl_http1_page(aopctl_conn_t *conn, char *head, size_t len,
    aopctl_http_t *http)
{
    int          n;
    const char  *body;

    body = memmem(head, len, "\r\n\r\n", 4);

    while (body != NULL) {
        http->page = aopctl_http_page(body, head + len - body);

        if (http->page != AOPCTL_PAGE_OTHER || len == AOPCTL_HTTP_HEAD) {
            return;
        }

        n = aopctl_conn_read(conn, head + len, AOPCTL_HTTP_HEAD - len);

        if (n <= 0) {
            return;
        }

        len += n;
    }
}


static int
aopctl_http1_status(const char *head)
{
    int  status;

    if (strncmp(head, "HTTP/1.", 7) != 0
        || (head[7] != '0' && head[7] != '1')
        || sscanf(head + 8, " %3d", &status) != 1
        || status < 100)
    {
        return 0;
    }

    return status;
}


static unsigned
aopctl_http1_to_https(const char *head)
{
    return strcasestr(head, "\nLocation: https://") != NULL;
}
