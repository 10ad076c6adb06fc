
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A connection to a host that may be slow, silent or hostile, with one
 * deadline and one limit of bytes for all of it.  Both are checked whenever
 * the host was heard, not only when there is nothing to read.
 */


#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>

#include "conn.h"


static int aopctl_conn_connected(aopctl_conn_t *conn);
static long aopctl_conn_sent(BIO *bio, int operation, const char *data,
    size_t len, int argi, long argl, int rc, size_t *sent);
static void aopctl_conn_heard(aopctl_conn_t *conn);
static int aopctl_conn_wait(aopctl_conn_t *conn, short events);
static int aopctl_conn_bounded(aopctl_conn_t *conn);
static int aopctl_conn_timed_out(aopctl_conn_t *conn);
static int aopctl_conn_again(aopctl_conn_t *conn, int rc, short events);
static int aopctl_conn_tls_failed(aopctl_conn_t *conn);
static int aopctl_conn_failed(aopctl_conn_t *conn, const char *what,
    const char *why);


int
aopctl_conn_open(aopctl_conn_t *conn, const struct addrinfo *addr,
    double deadline)
{
    memset(conn, 0, sizeof(aopctl_conn_t));

    conn->alert = -1;
    conn->deadline = deadline;

    conn->fd = socket(addr->ai_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC,
                      0);
    if (conn->fd == -1) {
        return aopctl_conn_failed(conn, "cannot connect", strerror(errno));
    }

    if (connect(conn->fd, addr->ai_addr, addr->ai_addrlen) == 0) {
        return 1;
    }

    if (errno != EINPROGRESS) {
        return aopctl_conn_failed(conn, "cannot connect", strerror(errno));
    }

    return aopctl_conn_connected(conn);
}


static int
aopctl_conn_connected(aopctl_conn_t *conn)
{
    int        error;
    socklen_t  len;

    if (!aopctl_conn_wait(conn, POLLOUT)) {
        return 0;
    }

    len = sizeof(int);

    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0) {
        error = errno;
    }

    if (error != 0) {
        return aopctl_conn_failed(conn, "cannot connect", strerror(error));
    }

    return 1;
}


int
aopctl_conn_tls(aopctl_conn_t *conn, SSL *ssl)
{
    int  rc;

    conn->ssl = ssl;

    if (!SSL_set_fd(ssl, conn->fd)) {
        return aopctl_conn_failed(conn, "TLS failed", "out of memory");
    }

    /* otherwise OpenSSL itself continues to read records without data */

    SSL_clear_mode(ssl, SSL_MODE_AUTO_RETRY);

    do {
        errno = 0;
        ERR_clear_error();
        rc = SSL_connect(ssl);
    } while (rc <= 0 && aopctl_conn_again(conn, rc, 0));

    BIO_set_callback_ex(SSL_get_wbio(ssl), aopctl_conn_sent);
    BIO_set_callback_arg(SSL_get_wbio(ssl), (char *) conn);

    return rc > 0;
}


/* After a failed write OpenSSL 4 does not read any more: so none fails. */

static long
aopctl_conn_sent(BIO *bio, int operation, const char *data, size_t len,
    int argi, long argl, int rc, size_t *sent)
{
    aopctl_conn_t  *conn;

    if (operation != (BIO_CB_WRITE|BIO_CB_RETURN)
        || rc > 0
        || BIO_should_retry(bio))
    {
        return rc;
    }

    conn = (aopctl_conn_t *) BIO_get_callback_arg(bio);
    conn->unsent = errno ? errno : EPIPE;

    *sent = len;

    return 1;
}


int
aopctl_conn_write(aopctl_conn_t *conn, const void *data, size_t len)
{
    int                   n;
    const unsigned char  *p;

    for (p = data; len > 0; p += n, len -= n) {

        do {
            errno = 0;
            ERR_clear_error();
            n = conn->ssl ? SSL_write(conn->ssl, p, (int) len)
                          : (int) send(conn->fd, p, len, MSG_NOSIGNAL);
        } while (n <= 0 && aopctl_conn_again(conn, n, POLLOUT));

        if (conn->unsent) {
            n = aopctl_conn_failed(conn, "connection failed",
                                   strerror(conn->unsent));
        }

        if (n <= 0) {
            aopctl_conn_heard(conn);
            return 0;
        }
    }

    return 1;
}


/*
 * A peer that closed without reading our data sent an alert before: it is
 * still there, and says more than that the connection was reset.
 */

static void
aopctl_conn_heard(aopctl_conn_t *conn)
{
    char  c, err[sizeof(conn->err)];

    if (conn->ssl == NULL || conn->timed_out || conn->alert != -1) {
        return;
    }

    memcpy(err, conn->err, sizeof(err));

    (void) aopctl_conn_read(conn, &c, 1);

    if (conn->alert == -1) {
        memcpy(conn->err, err, sizeof(err));
    }
}


int
aopctl_conn_read(aopctl_conn_t *conn, void *buf, size_t size)
{
    int  n;

    do {
        if (!aopctl_conn_bounded(conn)) {
            return -1;
        }

        errno = 0;
        ERR_clear_error();
        n = conn->ssl ? SSL_read(conn->ssl, buf, (int) size)
                      : (int) recv(conn->fd, buf, size, 0);

        if (conn->ssl == NULL && n == 0) {
            return 0;
        }

        if (conn->ssl != NULL && n <= 0
            && SSL_get_error(conn->ssl, n) == SSL_ERROR_ZERO_RETURN)
        {
            return 0;
        }
    } while (n <= 0 && aopctl_conn_again(conn, n, POLLIN));

    if (n > 0) {
        conn->received += n;
        return n;
    }

    return -1;
}


/* Whether to try again, after waiting; the error is set if not. */

static int
aopctl_conn_again(aopctl_conn_t *conn, int rc, short events)
{
    if (!aopctl_conn_bounded(conn)) {
        return 0;
    }

    if (conn->ssl == NULL) {
        if (errno == EAGAIN || errno == EINTR) {
            return aopctl_conn_wait(conn, events);
        }

        return aopctl_conn_failed(conn, "connection failed", strerror(errno));
    }

    switch (SSL_get_error(conn->ssl, rc)) {

    case SSL_ERROR_WANT_READ:
        return aopctl_conn_wait(conn, POLLIN);

    case SSL_ERROR_WANT_WRITE:
        return aopctl_conn_wait(conn, POLLOUT);

    case SSL_ERROR_SSL:
        return aopctl_conn_tls_failed(conn);

    default:
        return aopctl_conn_failed(conn, "connection failed",
                                  errno ? strerror(errno)
                                        : "closed by the server");
    }
}


static int
aopctl_conn_tls_failed(aopctl_conn_t *conn)
{
    int            reason;
    unsigned long  error;

    error = ERR_peek_error();
    reason = ERR_GET_REASON(error);

    if (reason >= SSL_AD_REASON_OFFSET) {
        conn->alert = reason - SSL_AD_REASON_OFFSET;
    }

    /* the errors of OpenSSL for bytes that are not TLS */

    if (reason == SSL_R_WRONG_VERSION_NUMBER
        || reason == SSL_R_PACKET_LENGTH_TOO_LONG)
    {
        return aopctl_conn_failed(conn, "TLS failed: wrong version number",
                                  "is this port plain HTTP?");
    }

    return aopctl_conn_failed(conn, "TLS failed",
                              ERR_reason_error_string(error));
}


static int
aopctl_conn_wait(aopctl_conn_t *conn, short events)
{
    int            rc;
    double         left;
    struct pollfd  pfd;

    pfd.fd = conn->fd;
    pfd.events = events;

    do {
        left = conn->deadline - aopctl_conn_now();

        if (left <= 0) {
            return aopctl_conn_timed_out(conn);
        }

        rc = poll(&pfd, 1, (int) (left * 1000) + 1);
    } while (rc == 0 || (rc == -1 && errno == EINTR));

    if (rc == -1) {
        conn->here = 1;
        return aopctl_conn_failed(conn, "poll() failed", strerror(errno));
    }

    return 1;
}


/* All bytes of TLS count, also those that never become data. */

static int
aopctl_conn_bounded(aopctl_conn_t *conn)
{
    uint64_t  received;

    received = conn->ssl ? BIO_number_read(SSL_get_rbio(conn->ssl))
                         : conn->received;

    if (received > AOPCTL_CONN_BYTES) {
        return aopctl_conn_failed(conn, "too much data from the server", NULL);
    }

    if (aopctl_conn_now() >= conn->deadline) {
        return aopctl_conn_timed_out(conn);
    }

    return 1;
}


static int
aopctl_conn_timed_out(aopctl_conn_t *conn)
{
    conn->timed_out = 1;

    return aopctl_conn_failed(conn, "timed out", NULL);
}


static int
aopctl_conn_failed(aopctl_conn_t *conn, const char *what, const char *why)
{
    snprintf(conn->err, sizeof(conn->err), "%s%s%s", what, why ? ": " : "",
             why ? why : "");

    return 0;
}


/*
 * OpenSSL does not resume a session of a connection that was not shut down;
 * ours ends once it has heard enough.
 */

void
aopctl_conn_close(aopctl_conn_t *conn)
{
    if (conn->ssl != NULL) {
        SSL_set_shutdown(conn->ssl, SSL_SENT_SHUTDOWN|SSL_RECEIVED_SHUTDOWN);
        SSL_free(conn->ssl);
    }

    if (conn->fd != -1) {
        close(conn->fd);
    }

    conn->ssl = NULL;
    conn->fd = -1;
}


double
aopctl_conn_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}
