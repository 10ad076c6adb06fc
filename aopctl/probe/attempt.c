
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * One visit to an origin, and its result: served, refused, or unclear.  The
 * origin's own certificate is not verified: the address says who it is.
 */


#include <stdio.h>
#include <string.h>
#include <openssl/err.h>

#include "probe.h"
#include "ngx_aop_cert.h"


/* nginx's own, seen if error_page or a proxy passes them on */

#define AOPCTL_CERT_ERROR  495
#define AOPCTL_NO_CERT     496

#define AOPCTL_CA_NAMES    20


/* A connection that is being made. */

typedef struct {
    aopctl_probe_t          *probe;
    const aopctl_attempt_t  *attempt;
    aopctl_answer_t         *answer;
    SSL_SESSION             *session;   /* the last one offered; owned */
} aopctl_visit_t;


static const char *aopctl_attempt_sni(const aopctl_visit_t *visit);
static double aopctl_attempt_deadline(const aopctl_probe_t *probe);
static void aopctl_attempt_again(aopctl_visit_t *visit, aopctl_answer_t *again);
static void aopctl_attempt_visit(aopctl_visit_t *visit, const char *sni,
    SSL_SESSION *session);
static void aopctl_attempt_late(aopctl_answer_t *answer);
static SSL *aopctl_attempt_ssl(aopctl_visit_t *visit, const char *sni,
    SSL_SESSION *session);
static void aopctl_attempt_http(aopctl_visit_t *visit, aopctl_conn_t *conn);
static void aopctl_attempt_request(const aopctl_probe_t *probe,
    const aopctl_attempt_t *attempt, aopctl_request_t *request);
static int aopctl_attempt_cert(SSL *ssl, void *data);
static void aopctl_attempt_names(aopctl_probe_t *probe,
    const STACK_OF(X509_NAME) *names);
static int aopctl_attempt_session(SSL *ssl, SSL_SESSION *session);
static void aopctl_attempt_message(int write_p, int version, int type,
    const void *buf, size_t len, SSL *ssl, void *data);
static void aopctl_attempt_answer(aopctl_answer_t *answer,
    const aopctl_conn_t *conn, const aopctl_http_t *http,
    const aopctl_request_t *request);
static void aopctl_attempt_status(aopctl_answer_t *answer);
static int aopctl_attempt_is_doubtful(const aopctl_answer_t *answer);
static void aopctl_attempt_given(const aopctl_visit_t *visit);
static void aopctl_attempt_failed(aopctl_answer_t *answer,
    const aopctl_conn_t *conn);
static int aopctl_attempt_refused(const aopctl_conn_t *conn);
static int aopctl_attempt_absent(const aopctl_conn_t *conn);


int
aopctl_attempt_init(aopctl_probe_t *probe)
{
    probe->ctx = SSL_CTX_new(TLS_client_method());
    probe->ca_names = json_array();

    if (probe->ctx == NULL || probe->ca_names == NULL) {
        return 0;
    }

    /* whatever the origin's own certificate, its answer is what matters */

    SSL_CTX_set_security_level(probe->ctx, 0);
    SSL_CTX_set_verify(probe->ctx, SSL_VERIFY_NONE, NULL);

    SSL_CTX_set_session_cache_mode(probe->ctx, SSL_SESS_CACHE_CLIENT
                                               |SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(probe->ctx, aopctl_attempt_session);

    return 1;
}


void
aopctl_attempt_free(aopctl_probe_t *probe)
{
    X509_NAME_free(probe->ca);
    SSL_CTX_free(probe->ctx);
    json_decref(probe->ca_names);
}


void
aopctl_attempt(aopctl_probe_t *probe, const aopctl_attempt_t *attempt,
    aopctl_answer_t *first, aopctl_answer_t *again)
{
    aopctl_visit_t  visit;

    memset(first, 0, sizeof(aopctl_answer_t));
    memset(&visit, 0, sizeof(aopctl_visit_t));

    visit.probe = probe;
    visit.attempt = attempt;
    visit.answer = first;

    aopctl_attempt_visit(&visit, attempt->nameless ? NULL
                         : aopctl_attempt_sni(&visit), NULL);

    if (again != NULL) {
        aopctl_attempt_again(&visit, again);
    }

    SSL_SESSION_free(visit.session);
}


static const char *
aopctl_attempt_sni(const aopctl_visit_t *visit)
{
    return visit->attempt->sni ? visit->attempt->sni : visit->probe->sni;
}


/* A visit has a time limit, and so have all of them together. */

static double
aopctl_attempt_deadline(const aopctl_probe_t *probe)
{
    double  deadline;

    deadline = aopctl_conn_now() + (double) probe->timeout;

    return (deadline < probe->deadline) ? deadline : probe->deadline;
}


/* With the session of the first visit. */

static void
aopctl_attempt_again(aopctl_visit_t *visit, aopctl_answer_t *again)
{
    SSL_SESSION  *session;

    memset(again, 0, sizeof(aopctl_answer_t));

    session = visit->session;
    visit->session = NULL;

    if (visit->answer->silent
        || session == NULL
        || !SSL_SESSION_is_resumable(session))
    {
        again->result = AOPCTL_RESULT_NOT_OFFERED;
        snprintf(again->text, sizeof(again->text), "no session was offered");

    } else {
        visit->answer = again;
        aopctl_attempt_visit(visit, aopctl_attempt_sni(visit), session);
    }

    SSL_SESSION_free(session);
}


static void
aopctl_attempt_visit(aopctl_visit_t *visit, const char *sni,
    SSL_SESSION *session)
{
    SSL            *ssl;
    aopctl_conn_t   conn;

    if (aopctl_conn_now() >= visit->probe->deadline) {
        aopctl_attempt_late(visit->answer);
        return;
    }

    if (!aopctl_conn_open(&conn, visit->probe->addr,
                          aopctl_attempt_deadline(visit->probe)))
    {
        visit->answer->silent = 1;
        aopctl_attempt_failed(visit->answer, &conn);
        aopctl_conn_close(&conn);
        return;
    }

    ssl = aopctl_attempt_ssl(visit, sni, session);

    if (ssl == NULL) {
        conn.here = 1;
        snprintf(conn.err, sizeof(conn.err),
                 "not supported by this OpenSSL");
        aopctl_attempt_failed(visit->answer, &conn);

    } else if (aopctl_conn_tls(&conn, ssl)) {
        visit->answer->spoke = 1;
        visit->answer->resumed = SSL_session_reused(ssl);
        aopctl_attempt_http(visit, &conn);

    } else {
        aopctl_attempt_failed(visit->answer, &conn);
    }

    if (visit->attempt->who == AOPCTL_CLIENT_GIVEN) {
        aopctl_attempt_given(visit);
    }

    if (conn.timed_out
        && visit->answer->status == 0
        && aopctl_conn_now() >= visit->probe->deadline)
    {
        aopctl_attempt_late(visit->answer);
    }

    aopctl_conn_close(&conn);
}


static void
aopctl_attempt_late(aopctl_answer_t *answer)
{
    answer->silent = 1;
    answer->failed = 1;
    answer->result = AOPCTL_RESULT_UNCLEAR;

    snprintf(answer->text, sizeof(answer->text), "the time limit for all "
             "connections is exceeded (try a longer --timeout)");
}


static SSL *
aopctl_attempt_ssl(aopctl_visit_t *visit, const char *sni, SSL_SESSION *session)
{
    SSL  *ssl;
    int   min, max;

    static const unsigned char  http1[] = "\010http/1.1";
    static const unsigned char  http2[] = "\002h2";

    ssl = SSL_new(visit->probe->ctx);
    if (ssl == NULL) {
        return NULL;
    }

    SSL_set_cert_cb(ssl, aopctl_attempt_cert, visit);
    SSL_set_msg_callback(ssl, aopctl_attempt_message);
    SSL_set_msg_callback_arg(ssl, visit);

    min = visit->attempt->version ? visit->attempt->version : TLS1_2_VERSION;
    max = visit->attempt->version;

    if (!SSL_set_app_data(ssl, visit)
        || !SSL_set_min_proto_version(ssl, min)
        || !SSL_set_max_proto_version(ssl, max)
        || (visit->attempt->http2
            ? SSL_set_alpn_protos(ssl, http2, sizeof(http2) - 1)
            : SSL_set_alpn_protos(ssl, http1, sizeof(http1) - 1))
        || (sni != NULL && !SSL_set_tlsext_host_name(ssl, sni))
        || (session != NULL && !SSL_set_session(ssl, session)))
    {
        SSL_free(ssl);
        return NULL;
    }

    return ssl;
}


static void
aopctl_attempt_http(aopctl_visit_t *visit, aopctl_conn_t *conn)
{
    unsigned              len;
    aopctl_http_t         http;
    aopctl_request_t      request;
    const unsigned char  *protocol;

    SSL_get0_alpn_selected(conn->ssl, &protocol, &len);

    if (visit->attempt->http2 && len != 2) {
        visit->answer->result = AOPCTL_RESULT_NOT_OFFERED;
        snprintf(visit->answer->text, sizeof(visit->answer->text),
                 "does not offer HTTP/2");
        return;
    }

    aopctl_attempt_request(visit->probe, visit->attempt, &request);

    (visit->attempt->http2 ? aopctl_http2 : aopctl_http1)(conn, &request,
                                                          &http);

    aopctl_attempt_answer(visit->answer, conn, &http, &request);
}


static void
aopctl_attempt_request(const aopctl_probe_t *probe,
    const aopctl_attempt_t *attempt, aopctl_request_t *request)
{
    request->host = attempt->host ? attempt->host : probe->authority;
    request->path = attempt->path ? attempt->path : probe->path;
    request->visitor = attempt->visitor;
    request->keep = attempt->keep;
}


/* OpenSSL calls it when the server requests a certificate. */

static int
aopctl_attempt_cert(SSL *ssl, void *data)
{
    int                         rc;
    aopctl_visit_t             *visit = data;
    aopctl_client_cert_t        cert;
    const STACK_OF(X509_NAME)  *names;

    visit->answer->asked = 1;

    names = SSL_get0_peer_CA_list(ssl);

    if (names != NULL) {
        aopctl_attempt_names(visit->probe, names);
    }

    switch (visit->attempt->who) {

    case AOPCTL_CLIENT_GIVEN:
        return aopctl_client_cert_show(&visit->probe->given, ssl);

    case AOPCTL_CLIENT_SELF_SIGNED:
        if (!aopctl_client_cert_make(&cert, visit->probe->ca)) {
            return 0;
        }

        rc = aopctl_client_cert_show(&cert, ssl);

        aopctl_client_cert_free(&cert);

        return rc;

    default:
        return 1;
    }
}


static void
aopctl_attempt_names(aopctl_probe_t *probe, const STACK_OF(X509_NAME) *names)
{
    int    i;
    char  *name;

    if (json_array_size(probe->ca_names) != 0 || sk_X509_NAME_num(names) == 0)
    {
        return;
    }

    probe->ca = X509_NAME_dup(sk_X509_NAME_value(names, 0));

    for (i = 0; i < sk_X509_NAME_num(names) && i < AOPCTL_CA_NAMES; i++) {
        name = ngx_aop_cert_name(sk_X509_NAME_value(names, i));

        if (name != NULL) {
            aopctl_json_append(probe->ca_names, aopctl_json_text(name));
        }

        OPENSSL_free(name);
    }
}


static int
aopctl_attempt_session(SSL *ssl, SSL_SESSION *session)
{
    aopctl_visit_t  *visit;

    visit = SSL_get_app_data(ssl);

    SSL_SESSION_free(visit->session);
    visit->session = session;

    return 1;
}


/*
 * Whether we have sent a certificate: where OpenSSL finds no signature that the
 * protocol and the server have for its key, it sends an empty list, and no
 * CertificateVerify after it (RFC 8446, 4.4.3; RFC 5246, 7.4.8).  The list
 * itself may be compressed.
 */

static void
aopctl_attempt_message(int write_p, int version, int type, const void *buf,
    size_t len, SSL *ssl, void *data)
{
    aopctl_visit_t       *visit = data;
    const unsigned char  *message = buf;

    if (write_p
        && type == SSL3_RT_HANDSHAKE
        && len > SSL3_HM_HEADER_LENGTH
        && message[0] == SSL3_MT_CERTIFICATE_VERIFY)
    {
        visit->answer->shown = 1;
    }
}


static void
aopctl_attempt_answer(aopctl_answer_t *answer, const aopctl_conn_t *conn,
    const aopctl_http_t *http, const aopctl_request_t *request)
{
    const aopctl_page_t  *page;

    if (http->status == 0) {
        aopctl_attempt_failed(answer, conn);
        return;
    }

    answer->spoke = 1;
    answer->status = http->status;
    answer->kept = http->kept;
    answer->http3 = http->http3;
    answer->title = http->page;

    aopctl_probe_page_make(&answer->page, http, conn->ssl != NULL,
                           request->host);

    page = &answer->page;
    answer->loop = page->self
                   && strcmp(page->url + page->path, request->path) == 0;

    aopctl_attempt_status(answer);
}


/*
 * Answers that all clients may get are doubtful: a folder without an index is
 * answered with 403 for everyone.
 */

static void
aopctl_attempt_status(aopctl_answer_t *answer)
{
    snprintf(answer->text, sizeof(answer->text), "HTTP status %d%s%.128s",
             answer->status, answer->page.url[0] ? ", a redirect to " : "",
             answer->page.url);

    answer->certificate = (answer->title == AOPCTL_PAGE_CERT
                           || answer->status == AOPCTL_CERT_ERROR
                           || answer->status == AOPCTL_NO_CERT);

    if (answer->certificate || aopctl_attempt_is_doubtful(answer)) {
        answer->result = AOPCTL_RESULT_REFUSED;
        answer->doubtful = !answer->certificate;

    } else {
        answer->result = AOPCTL_RESULT_SERVED;
    }
}


/*
 * Once a certificate was requested (now, or when the session was made), any
 * error may be what strangers get in its place; so may a redirect to another
 * host, or to where they are.  If it was not, some still may: nobody is served
 * there, or not now.
 */

static int
aopctl_attempt_is_doubtful(const aopctl_answer_t *answer)
{
    switch (answer->status) {

    case 400:
    case 403:
    case 408:
    case 421:
    case 429:
    case 500:
    case 503:
        return 1;

    default:
        return (answer->asked || answer->resumed)
               && (answer->status >= 400
                   || (answer->page.url[0] != '\0' && !answer->page.self)
                   || answer->loop);
    }
}


/* A rejection without the given certificate is not about the certificate. */

static void
aopctl_attempt_given(const aopctl_visit_t *visit)
{
    aopctl_answer_t  *answer;

    answer = visit->answer;

    if (!answer->asked || answer->shown || answer->silent || answer->failed) {
        return;
    }

    answer->result = AOPCTL_RESULT_NOT_OFFERED;
    answer->doubtful = 0;

    snprintf(answer->text, sizeof(answer->text), "this protocol or the server "
             "supports no signature algorithm for the key of the given "
             "certificate");
}


/*
 * Servers other than nginx reject in the handshake, with an alert; one that
 * closes after requesting a certificate may do so to everyone.
 */

static void
aopctl_attempt_failed(aopctl_answer_t *answer, const aopctl_conn_t *conn)
{
    snprintf(answer->text, sizeof(answer->text), "%s", conn->err);

    answer->spoke |= (answer->asked || conn->alert != -1);
    answer->silent |= conn->timed_out;
    answer->failed |= conn->here;

    if (answer->silent || answer->failed) {
        answer->result = AOPCTL_RESULT_UNCLEAR;

    } else if (answer->asked) {
        answer->result = AOPCTL_RESULT_REFUSED;
        answer->doubtful = !aopctl_attempt_refused(conn);

    } else if (aopctl_attempt_absent(conn)) {
        answer->result = AOPCTL_RESULT_NOT_OFFERED;

    } else {
        answer->result = AOPCTL_RESULT_UNCLEAR;
    }
}


/* After a certificate was requested, these alerts are about it. */

static int
aopctl_attempt_refused(const aopctl_conn_t *conn)
{
    switch (conn->alert) {

    case SSL_AD_HANDSHAKE_FAILURE:      /* TLS 1.2: none was sent */
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case SSL_AD_CERTIFICATE_REQUIRED:
        return 1;

    default:
        return 0;
    }
}


/*
 * An alert before a certificate was requested: this protocol, or a handshake
 * for this name, is not for anyone.
 */

static int
aopctl_attempt_absent(const aopctl_conn_t *conn)
{
    return conn->ssl != NULL
           && conn->alert != -1
           && !SSL_is_init_finished(conn->ssl);
}


int
aopctl_attempt_redirect(const aopctl_answer_t *answer,
    char path[AOPCTL_PAGE_URL])
{
    const aopctl_page_t  *page;

    page = &answer->page;

    if (!page->self || answer->loop) {
        return 0;
    }

    snprintf(path, AOPCTL_PAGE_URL, "%s", page->url + page->path);
    path[strcspn(path, "# \r\n\t")] = '\0';

    return path[0] == '/';
}


void
aopctl_attempt_plain(aopctl_probe_t *probe, const struct addrinfo *addr,
    const aopctl_attempt_t *attempt, aopctl_answer_t *answer)
{
    aopctl_conn_t     conn;
    aopctl_http_t     http;
    aopctl_request_t  request;

    memset(answer, 0, sizeof(aopctl_answer_t));

    if (aopctl_conn_now() >= probe->deadline) {
        aopctl_attempt_late(answer);
        return;
    }

    if (!aopctl_conn_open(&conn, addr, aopctl_attempt_deadline(probe))) {
        aopctl_attempt_failed(answer, &conn);
        answer->result = answer->failed ? AOPCTL_RESULT_UNCLEAR
                                        : AOPCTL_RESULT_NOT_OFFERED;

    } else {
        aopctl_attempt_request(probe, attempt, &request);
        aopctl_http1(&conn, &request, &http);
        aopctl_attempt_answer(answer, &conn, &http, &request);
    }

    aopctl_conn_close(&conn);
}
