
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Pages over HTTP, in parallel.  The other side may be slow, endless or not
 * the one that was meant: each page has a limit of time and size, all of them
 * together have one of size, and a redirect is not followed, because it could
 * lead the request and its password elsewhere.  Only a whole page with status
 * 200 is a page.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

#include "fetch.h"
#include "ngx_aop_version.h"


/* at a time; each takes up to three descriptors, of 1,024 that are usual */

#define AOPCTL_FETCH_PARALLEL  200

#define AOPCTL_FETCH_MB        ((size_t) 1024 * 1024)
#define AOPCTL_FETCH_BODY      (64 * AOPCTL_FETCH_MB)
#define AOPCTL_FETCH_BODIES    (256 * AOPCTL_FETCH_MB)
#define AOPCTL_FETCH_HEADER    ((size_t) 256 * 1024)

#define AOPCTL_FETCH_ERR       512


typedef struct {
    const aopctl_fetch_conf_t  *conf;
    const aopctl_origins_t     *origins;
    aopctl_fetch_pt             callback;
    void                       *data;
    CURLM                      *multi;
    size_t                      next;       /* to be requested */
    size_t                      done;
    size_t                      held;       /* bytes of all that are going on */
} aopctl_fetch_t;


typedef struct {
    aopctl_fetch_t             *fetch;
    CURL                       *easy;
    size_t                      origin;
    char                       *body;
    size_t                      len;
    size_t                      size;
    size_t                      header;
    const char                 *stopped;    /* by us, and why */
    char                        curl_err[CURL_ERROR_SIZE];
} aopctl_transfer_t;


static int aopctl_fetch_all(aopctl_fetch_t *fetch);
static int aopctl_fetch_start(aopctl_fetch_t *fetch);
static int aopctl_fetch_setup(aopctl_transfer_t *transfer);
static int aopctl_fetch_setup_tls(aopctl_transfer_t *transfer);
static int aopctl_fetch_setup_scheme(CURL *easy);
static size_t aopctl_fetch_header(char *data, size_t size, size_t n,
    void *userp);
static size_t aopctl_fetch_body(char *data, size_t size, size_t n,
    void *userp);
static int aopctl_fetch_grow(aopctl_transfer_t *transfer, size_t len);
static int aopctl_fetch_done(aopctl_fetch_t *fetch);
static void aopctl_fetch_end(aopctl_transfer_t *transfer, CURLcode code);
static const char *aopctl_fetch_failed(aopctl_transfer_t *transfer,
    CURLcode code, char *err);
static void aopctl_fetch_refused(aopctl_transfer_t *transfer, long status,
    char *err);
static void aopctl_fetch_free(aopctl_transfer_t *transfer);


int
aopctl_fetch(const aopctl_fetch_conf_t *conf, const aopctl_origins_t *origins,
    aopctl_fetch_pt callback, void *data)
{
    int             rc;
    aopctl_fetch_t  fetch;

    memset(&fetch, 0, sizeof(aopctl_fetch_t));

    fetch.conf = conf;
    fetch.origins = origins;
    fetch.callback = callback;
    fetch.data = data;
    fetch.multi = curl_multi_init();

    rc = fetch.multi && aopctl_fetch_all(&fetch);

    /* after a failure, what is in progress ends with the process */

    curl_multi_cleanup(fetch.multi);

    return rc;
}


static int
aopctl_fetch_all(aopctl_fetch_t *fetch)
{
    int  running;

    while (fetch->done < fetch->origins->n) {

        while (fetch->next < fetch->origins->n
               && fetch->next - fetch->done < AOPCTL_FETCH_PARALLEL)
        {
            if (!aopctl_fetch_start(fetch)) {
                return 0;
            }
        }

        if (curl_multi_perform(fetch->multi, &running) != CURLM_OK) {
            return 0;
        }

        if (aopctl_fetch_done(fetch) || !running) {
            continue;
        }

        if (curl_multi_poll(fetch->multi, NULL, 0, 1000, NULL) != CURLM_OK) {
            return 0;
        }
    }

    return 1;
}


static int
aopctl_fetch_start(aopctl_fetch_t *fetch)
{
    aopctl_transfer_t  *transfer;

    transfer = calloc(1, sizeof(aopctl_transfer_t));

    if (transfer == NULL) {
        return 0;
    }

    transfer->fetch = fetch;
    transfer->origin = fetch->next;
    transfer->easy = curl_easy_init();

    if (transfer->easy == NULL
        || !aopctl_fetch_setup(transfer)
        || curl_multi_add_handle(fetch->multi, transfer->easy) != CURLM_OK)
    {
        aopctl_fetch_free(transfer);
        return 0;
    }

    fetch->next++;

    return 1;
}


#define aopctl_fetch_set(easy, option, value)                                \
    (curl_easy_setopt(easy, option, value) == CURLE_OK)


static int
aopctl_fetch_setup(aopctl_transfer_t *transfer)
{
    CURL                       *easy;
    const aopctl_fetch_conf_t  *conf;

    easy = transfer->easy;
    conf = transfer->fetch->conf;

    return aopctl_fetch_set(easy, CURLOPT_URL, transfer->fetch->origins
                            ->origin[transfer->origin].request)
           && aopctl_fetch_set(easy, CURLOPT_PRIVATE, transfer)
           && aopctl_fetch_set(easy, CURLOPT_ERRORBUFFER, transfer->curl_err)
           && aopctl_fetch_set(easy, CURLOPT_USERAGENT,
                               "aopctl/" NGX_HTTP_AOP_VERSION)
           && aopctl_fetch_set(easy, CURLOPT_NOSIGNAL, 1L)
           && aopctl_fetch_set(easy, CURLOPT_FOLLOWLOCATION, 0L)
           && aopctl_fetch_set(easy, CURLOPT_HTTP_VERSION,
                               (long) CURL_HTTP_VERSION_1_1)
           && aopctl_fetch_set(easy, CURLOPT_TIMEOUT_MS, 1000 * conf->timeout)
           && aopctl_fetch_set(easy, CURLOPT_WRITEFUNCTION, aopctl_fetch_body)
           && aopctl_fetch_set(easy, CURLOPT_WRITEDATA, transfer)
           && aopctl_fetch_set(easy, CURLOPT_HEADERFUNCTION,
                               aopctl_fetch_header)
           && aopctl_fetch_set(easy, CURLOPT_HEADERDATA, transfer)
           && aopctl_fetch_setup_scheme(easy)
           && aopctl_fetch_setup_tls(transfer);
}


/*
 * Besides the file, Debian's curl knows a folder of CAs, which would be
 * trusted in addition to those of --cacert; and with it, curl reads the
 * system's file, which has the same CAs, for each connection anew.
 */

static int
aopctl_fetch_setup_tls(aopctl_transfer_t *transfer)
{
    CURL                       *easy;
    const aopctl_fetch_conf_t  *conf;

    easy = transfer->easy;
    conf = transfer->fetch->conf;

    if (conf->cacert != NULL
        && !aopctl_fetch_set(easy, CURLOPT_CAINFO, conf->cacert))
    {
        return 0;
    }

    if ((conf->cacert != NULL || curl_version_info(CURLVERSION_NOW)->cainfo)
        && !aopctl_fetch_set(easy, CURLOPT_CAPATH, NULL))
    {
        return 0;
    }

    return conf->netrc == NULL
           || (aopctl_fetch_set(easy, CURLOPT_NETRC,
                                (long) CURL_NETRC_REQUIRED)
               && aopctl_fetch_set(easy, CURLOPT_NETRC_FILE, conf->netrc)
               && aopctl_fetch_set(easy, CURLOPT_HTTPAUTH,
                                   (long) CURLAUTH_BASIC));
}


/*
 * By name, because curl deprecated one of these for another.  With QUICK_EXIT
 * the end does not wait for a resolver that hangs.
 */

static int
aopctl_fetch_setup_scheme(CURL *easy)
{
    const struct curl_easyoption  *option;

    option = curl_easy_option_by_name("QUICK_EXIT");

    if (option != NULL && !aopctl_fetch_set(easy, option->id, 1L)) {
        return 0;
    }

    option = curl_easy_option_by_name("PROTOCOLS_STR");

    if (option != NULL) {
        return aopctl_fetch_set(easy, option->id, "http,https");
    }

    option = curl_easy_option_by_name("PROTOCOLS");

    return option != NULL
           && aopctl_fetch_set(easy, option->id,
                               (long) (CURLPROTO_HTTP|CURLPROTO_HTTPS));
}


static size_t
aopctl_fetch_header(char *data, size_t size, size_t n, void *userp)
{
    aopctl_transfer_t  *transfer = userp;

    transfer->header += size * n;

    if (transfer->header > AOPCTL_FETCH_HEADER) {
        transfer->stopped = "more than 256 KB of headers";
        return 0;
    }

    return size * n;
}


static size_t
aopctl_fetch_body(char *data, size_t size, size_t n, void *userp)
{
    aopctl_transfer_t  *transfer = userp;

    long    status;
    size_t  len;

    len = size * n;
    status = 0;

    (void) curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);

    /* the page of an error is not read */

    if (status != 200 || !aopctl_fetch_grow(transfer, len)) {
        return 0;
    }

    memcpy(transfer->body + transfer->len, data, len);
    transfer->len += len;

    return len;
}


/* Makes room for len more bytes; returns 0 if they are too many. */

static int
aopctl_fetch_grow(aopctl_transfer_t *transfer, size_t len)
{
    char            *body;
    size_t           size;
    aopctl_fetch_t  *fetch;

    fetch = transfer->fetch;

    if (len > AOPCTL_FETCH_BODY - transfer->len) {
        transfer->stopped = "more than 64 MB";
        return 0;
    }

    if (len <= transfer->size - transfer->len) {
        return 1;
    }

    size = transfer->size ? 2 * transfer->size : 64 * 1024;
    size = (size > transfer->len + len) ? size : transfer->len + len;

    if (size - transfer->size > AOPCTL_FETCH_BODIES - fetch->held) {
        transfer->stopped = "more than 256 MB of pages at a time";
        return 0;
    }

    body = realloc(transfer->body, size);

    if (body == NULL) {
        transfer->stopped = "out of memory";
        return 0;
    }

    fetch->held += size - transfer->size;
    transfer->body = body;
    transfer->size = size;

    return 1;
}


/* The number of transfers that have ended. */

static int
aopctl_fetch_done(aopctl_fetch_t *fetch)
{
    int                 n, left;
    CURLMsg            *msg;
    CURLcode            code;
    aopctl_transfer_t  *transfer;

    n = 0;

    while ((msg = curl_multi_info_read(fetch->multi, &left)) != NULL) {

        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        /* the message is gone with the handle */

        code = msg->data.result;
        transfer = NULL;
        (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
                                 &transfer);

        aopctl_fetch_end(transfer, code);
        n++;
    }

    return n;
}


static void
aopctl_fetch_end(aopctl_transfer_t *transfer, CURLcode code)
{
    char              err[AOPCTL_FETCH_ERR];
    aopctl_fetched_t  page;
    aopctl_fetch_t   *fetch;

    fetch = transfer->fetch;

    page.err = aopctl_fetch_failed(transfer, code, err);
    page.body = transfer->body ? transfer->body : "";
    page.len = transfer->len;

    fetch->callback(fetch->data, transfer->origin, &page);
    fetch->done++;

    (void) curl_multi_remove_handle(fetch->multi, transfer->easy);
    aopctl_fetch_free(transfer);
}


/* NULL if the page came, otherwise the reason, in err. */

static const char *
aopctl_fetch_failed(aopctl_transfer_t *transfer, CURLcode code, char *err)
{
    long         status;
    const char  *reason;

    status = 0;
    (void) curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);

    if (transfer->stopped != NULL) {
        snprintf(err, AOPCTL_FETCH_ERR, "%s", transfer->stopped);
        return err;
    }

    if (code == CURLE_OPERATION_TIMEDOUT) {
        snprintf(err, AOPCTL_FETCH_ERR, "no %sresponse within %ld second%s",
                 status ? "complete " : "", transfer->fetch->conf->timeout,
                 transfer->fetch->conf->timeout == 1 ? "" : "s");
        return err;
    }

    if (status != 0 && status != 200
        && (code == CURLE_OK || code == CURLE_WRITE_ERROR))
    {
        aopctl_fetch_refused(transfer, status, err);
        return err;
    }

    if (code == CURLE_OK) {
        return NULL;
    }

    /* equal causes in equal words: curl's own include address and time */

    reason = (code == CURLE_COULDNT_CONNECT
              || code == CURLE_COULDNT_RESOLVE_HOST
              || transfer->curl_err[0] == '\0')
             ? curl_easy_strerror(code) : transfer->curl_err;

    snprintf(err, AOPCTL_FETCH_ERR, "%s", reason);

    return err;
}


static void
aopctl_fetch_refused(aopctl_transfer_t *transfer, long status, char *err)
{
    const char  *hint;
    const char  *location;

    location = NULL;
    (void) curl_easy_getinfo(transfer->easy, CURLINFO_REDIRECT_URL, &location);

    if (location != NULL) {
        snprintf(err, AOPCTL_FETCH_ERR, "status %ld, a redirect, which is not "
                 "followed, to %.200s", status, location);
        return;
    }

    switch (status) {

    case 401:
        hint = transfer->fetch->conf->netrc
               ? " (no entry, or a wrong one, in the file of --netrc-file)"
               : " (a password is required, use --netrc-file)";
        break;

    case 403:
        hint = " (\"allow\" of that location must include this address)";
        break;

    case 404:
        hint = " (is there a location with \"aop_report\"?)";
        break;

    default:
        hint = "";
        break;
    }

    snprintf(err, AOPCTL_FETCH_ERR, "status %ld%s", status, hint);
}


static void
aopctl_fetch_free(aopctl_transfer_t *transfer)
{
    curl_easy_cleanup(transfer->easy);
    transfer->fetch->held -= transfer->size;
    free(transfer->body);
    free(transfer);
}
