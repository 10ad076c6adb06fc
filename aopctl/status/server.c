
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What does a status page mean for one server?  "yes" and "enforced" are what
 * people act on: a page without "state", an outdated one, a server that was
 * not counted, and any unknown word are "unknown".
 */


#include <string.h>

#include "answer.h"
#include "server.h"
#include "ngx_aop_text.h"
#include "ngx_aop_time.h"


#define AOPCTL_SERVER_WINDOW  (24 * 60 * 60)
#define AOPCTL_SERVER_WHY     1024

/* client certificates of one subject are compared with each other */

#define AOPCTL_SERVER_CERTS   1000


/* The requests from Cloudflare that were rejected in the window. */

typedef struct {
    uint64_t         n;
    const char      *first;
    const char      *last;
    ngx_aop_text_t   verdicts;
    char             buf[256];
} aopctl_server_refused_t;


typedef struct {
    const char  *name;
    const char  *mode;
    const char  *ready;
    const char  *why;
    const char  *state;             /* NULL: of a module without it */
    const char  *since;             /* NULL: not counted */
} aopctl_server_t;


static int aopctl_server_fields(const json_t *object, aopctl_server_t *server);
static const char *aopctl_server_text(const json_t *object, const char *key);
static int aopctl_server_date(const json_t *object, const char *key);
static int aopctl_server_refused(const json_t *rows,
    const aopctl_server_t *server, const aopctl_server_page_t *page,
    aopctl_server_refused_t *refused);
static int aopctl_server_recent(const json_t *row,
    const aopctl_server_t *server, const aopctl_server_page_t *page);
static void aopctl_server_add(aopctl_server_refused_t *refused,
    const json_t *row);
static json_t *aopctl_server_days(const json_t *certs);
static int aopctl_server_cert(const json_t *cert);
static int aopctl_server_replaced(const json_t *certs, const json_t *cert);
static aopctl_answer_e aopctl_server_answer(const aopctl_server_t *server,
    const aopctl_server_page_t *page, const aopctl_server_refused_t *refused,
    ngx_aop_text_t *reason);
static void aopctl_server_enforced(const aopctl_server_t *server,
    const aopctl_server_page_t *page, ngx_aop_text_t *reason);
static aopctl_answer_e aopctl_server_ready(const aopctl_server_t *server,
    ngx_aop_text_t *reason);
static json_t *aopctl_server_json(const aopctl_server_t *server, json_t *days,
    aopctl_answer_e answer, const ngx_aop_text_t *reason);
static int aopctl_server_beside(const json_t *beside, ngx_aop_text_t *text);


json_t *
aopctl_server_read(const json_t *object, const aopctl_server_page_t *page)
{
    char                      buf[AOPCTL_SERVER_WHY];
    json_t                   *days;
    ngx_aop_text_t            reason;
    aopctl_answer_e           answer;
    aopctl_server_t           server;
    aopctl_server_refused_t   refused;

    if (!aopctl_server_fields(object, &server)
        || !aopctl_server_refused(json_object_get(object, "refused"), &server,
                                  page, &refused))
    {
        return NULL;
    }

    days = aopctl_server_days(json_object_get(object, "certificates"));

    if (days == NULL) {
        return NULL;
    }

    ngx_aop_text_init(&reason, buf, sizeof(buf));

    answer = aopctl_server_answer(&server, page, &refused, &reason);

    return aopctl_server_json(&server, days, answer, &reason);
}


static int
aopctl_server_fields(const json_t *object, aopctl_server_t *server)
{
    server->name = aopctl_server_text(object, "name");
    server->mode = aopctl_server_text(object, "mode");
    server->ready = aopctl_server_text(object, "ready");
    server->why = aopctl_server_text(object, "why");
    server->state = aopctl_server_text(object, "state");
    server->since = aopctl_server_text(object, "since");

    if (server->name == NULL || server->mode == NULL || server->why == NULL
        || server->ready == NULL)
    {
        return 0;
    }

    if (json_object_get(object, "state") != NULL && server->state == NULL) {
        return 0;
    }

    return aopctl_server_date(object, "since")
           && (strcmp(server->ready, "yes") == 0
               || strcmp(server->ready, "no") == 0
               || strcmp(server->ready, "unknown") == 0);
}


static const char *
aopctl_server_text(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}


/* Whether it is a date or null. */

static int
aopctl_server_date(const json_t *object, const char *key)
{
    int64_t        t;
    const json_t  *value;

    value = json_object_get(object, key);

    return json_is_null(value)
           || (json_is_string(value)
               && ngx_aop_time_parse(json_string_value(value), &t));
}


/* Returns 0 if the rows are not those of a status page. */

static int
aopctl_server_refused(const json_t *rows, const aopctl_server_t *server,
    const aopctl_server_page_t *page, aopctl_server_refused_t *refused)
{
    size_t         i;
    const char    *peer;
    const json_t  *row;

    memset(refused, 0, sizeof(aopctl_server_refused_t));
    ngx_aop_text_init(&refused->verdicts, refused->buf,
                      sizeof(refused->buf) - 1);

    if (!json_is_array(rows)) {
        return 0;
    }

    json_array_foreach(rows, i, row) {

        peer = aopctl_server_text(row, "peer");

        if (peer == NULL
            || aopctl_server_text(row, "verdict") == NULL
            || !json_is_integer(json_object_get(row, "count"))
            || !aopctl_server_date(row, "first")
            || !aopctl_server_date(row, "last"))
        {
            return 0;
        }

        if (strcmp(peer, "edge") == 0
            && aopctl_json_int(row, "count") > 0
            && aopctl_server_recent(row, server, page))
        {
            aopctl_server_add(refused, row);
        }
    }

    *refused->verdicts.pos = '\0';

    return 1;
}


/*
 * The window is of 24 hours, or as old as the policy: what an earlier policy
 * said of certificates no longer counts; that there was none still does.
 */

static int
aopctl_server_recent(const json_t *row, const aopctl_server_t *server,
    const aopctl_server_page_t *page)
{
    int64_t      last, since;
    const char  *verdict;

    verdict = aopctl_json_str(row, "verdict");

    if (!ngx_aop_time_parse(aopctl_json_str(row, "last"), &last)) {
        return 1;
    }

    if (last <= page->time - AOPCTL_SERVER_WINDOW) {
        return 0;
    }

    return strcmp(verdict, "none") == 0
           || strcmp(verdict, "plaintext") == 0
           || strcmp(verdict, "misdirected") == 0
           || server->since == NULL
           || !ngx_aop_time_parse(server->since, &since)
           || last >= since;
}


static void
aopctl_server_add(aopctl_server_refused_t *refused, const json_t *row)
{
    uint64_t     count;
    const char  *first, *last, *verdict;

    first = aopctl_json_str(row, "first");
    last = aopctl_json_str(row, "last");
    verdict = aopctl_json_str(row, "verdict");

    ngx_aop_text_printf(&refused->verdicts, "%s%.32s: %lld",
                        refused->n ? ", " : "", verdict,
                        aopctl_json_int(row, "count"));

    /* their sum must not wrap around */

    count = (uint64_t) aopctl_json_int(row, "count");
    refused->n = (count > UINT64_MAX - refused->n) ? UINT64_MAX
                                                   : refused->n + count;

    if (refused->first == NULL || strcmp(first, refused->first) < 0) {
        refused->first = first;
    }

    if (refused->last == NULL || strcmp(last, refused->last) > 0) {
        refused->last = last;
    }
}


/*
 * Days to the next one that expires; json null if none does, NULL if it is not
 * a list.
 */

static json_t *
aopctl_server_days(const json_t *certs)
{
    size_t         i;
    json_t        *left;
    const json_t  *cert, *days;

    if (!json_is_array(certs)
        || json_array_size(certs) > AOPCTL_SERVER_CERTS)
    {
        return NULL;
    }

    left = json_null();

    json_array_foreach(certs, i, cert) {

        if (!aopctl_server_cert(cert)) {
            json_decref(left);
            return NULL;
        }

        days = json_object_get(cert, "days_left");

        if (json_is_null(days)
            || (json_is_integer(left)
                && json_integer_value(days) >= json_integer_value(left))
            || aopctl_server_replaced(certs, cert))
        {
            continue;
        }

        json_decref(left);
        left = json_integer(json_integer_value(days));
    }

    return left;
}


static int
aopctl_server_cert(const json_t *cert)
{
    const json_t  *days;

    days = json_object_get(cert, "days_left");

    return aopctl_server_text(cert, "kind") != NULL
           && aopctl_server_text(cert, "subject") != NULL
           && aopctl_server_date(cert, "last")
           && (json_is_integer(days) || json_is_null(days));
}


/* Of client certificates of one subject, the one that passed last is in use. */

static int
aopctl_server_replaced(const json_t *certs, const json_t *cert)
{
    size_t         i;
    const char    *last;
    const json_t  *other;

    if (strcmp(aopctl_json_str(cert, "kind"), "client") != 0) {
        return 0;
    }

    last = aopctl_json_str(cert, "last");

    json_array_foreach(certs, i, other) {
        if (strcmp(aopctl_json_str(other, "kind"), "client") == 0
            && strcmp(aopctl_json_str(other, "subject"),
                      aopctl_json_str(cert, "subject")) == 0
            && strcmp(aopctl_json_str(other, "last"), last) > 0)
        {
            return 1;
        }
    }

    return 0;
}


static aopctl_answer_e
aopctl_server_answer(const aopctl_server_t *server,
    const aopctl_server_page_t *page, const aopctl_server_refused_t *refused,
    ngx_aop_text_t *reason)
{
    int  enforced;

    enforced = strcmp(server->state ? server->state : "", "enforced") == 0;

    if (strcmp(server->ready, "no") == 0) {
        ngx_aop_text_printf(reason, "%.800s", server->why);
        return AOPCTL_ANSWER_NO;
    }

    /* without "state", the mode of the server is all that is known */

    if (refused->n && (enforced || (server->state == NULL
                                    && strcmp(server->mode, "on") == 0)))
    {
        ngx_aop_text_printf(reason, "%llu request%s from Cloudflare rejected "
                            "(%s) since %.32s, last at %.32s",
                            (unsigned long long) refused->n,
                            refused->n == 1 ? "" : "s", refused->buf,
                            refused->first, refused->last);
        return AOPCTL_ANSWER_REJECTING;
    }

    if (page->stale) {
        ngx_aop_text_printf(reason, "the page was created at %.32s (a cached "
                            "copy, or a wrong clock?)", page->date);
        return AOPCTL_ANSWER_UNKNOWN;
    }

    if (server->state == NULL) {
        ngx_aop_text_printf(reason, "version %.32s of the module uses an "
                            "older rule (upgrade it): mode %.32s, %s: %.600s",
                            page->module, server->mode, server->ready,
                            server->why);
        return AOPCTL_ANSWER_UNKNOWN;
    }

    if (enforced && server->since != NULL) {
        aopctl_server_enforced(server, page, reason);
        return AOPCTL_ANSWER_ENFORCED;
    }

    return aopctl_server_ready(server, reason);
}


static void
aopctl_server_enforced(const aopctl_server_t *server,
    const aopctl_server_page_t *page, ngx_aop_text_t *reason)
{
    int64_t  since;

    ngx_aop_text_puts(reason, "no request from Cloudflare rejected ");

    if (ngx_aop_time_parse(server->since, &since)
        && since > page->time - AOPCTL_SERVER_WINDOW)
    {
        ngx_aop_text_printf(reason, "since %.32s", server->since);

    } else {
        ngx_aop_text_puts(reason, "in 24 h");
    }
}


/* For a server that does not enforce, and for one that is not counted. */

static aopctl_answer_e
aopctl_server_ready(const aopctl_server_t *server, ngx_aop_text_t *reason)
{
    if (strcmp(server->state, "observing") != 0
        && strcmp(server->state, "partly") != 0
        && strcmp(server->state, "enforced") != 0)
    {
        ngx_aop_text_printf(reason, "unknown state \"%.32s\": %s: %.800s",
                            server->state, server->ready, server->why);
        return AOPCTL_ANSWER_UNKNOWN;
    }

    ngx_aop_text_printf(reason, "%.800s", server->why);

    return (strcmp(server->ready, "yes") == 0 && server->since != NULL)
           ? AOPCTL_ANSWER_YES : AOPCTL_ANSWER_UNKNOWN;
}


/* Takes over days. */

static json_t *
aopctl_server_json(const aopctl_server_t *server, json_t *days,
    aopctl_answer_e answer, const ngx_aop_text_t *reason)
{
    json_t  *object;

    object = json_object();

    aopctl_json_set(object, "name", aopctl_json_text(server->name));
    aopctl_json_set(object, "answer", json_string(aopctl_answer_word(answer)));
    aopctl_json_set(object, "reason",
                    aopctl_json_bytes(reason->start,
                                      reason->pos - reason->start));
    aopctl_json_set(object, "mode", aopctl_json_text(server->mode));
    aopctl_json_set(object, "state", server->state
                    ? aopctl_json_text(server->state) : json_null());
    aopctl_json_set(object, "ready", json_string(server->ready));
    aopctl_json_set(object, "why", aopctl_json_text(server->why));
    aopctl_json_set(object, "days_left", days);

    return object;
}


json_t *
aopctl_server_unprotected(const json_t *object)
{
    int              beside;
    char             buf[AOPCTL_SERVER_WHY];
    json_t          *answer;
    const char      *name, *file;
    ngx_aop_text_t   text;
    const json_t    *explicit;

    name = aopctl_server_text(object, "name");
    file = aopctl_server_text(object, "file");
    explicit = json_object_get(object, "explicit");

    if (name == NULL || file == NULL || !json_is_boolean(explicit)
        || !json_is_integer(json_object_get(object, "line")))
    {
        return NULL;
    }

    ngx_aop_text_init(&text, buf, sizeof(buf));
    ngx_aop_text_printf(&text, "%s in %.400s:%lld",
                        json_is_true(explicit) ? "\"aop off\"" : "no \"aop\"",
                        file, aopctl_json_int(object, "line"));

    beside = aopctl_server_beside(json_object_get(object, "beside"), &text);

    if (beside < 0) {
        return NULL;
    }

    answer = json_object();

    aopctl_json_set(answer, "name", aopctl_json_text(name));
    aopctl_json_set(answer, "answer", json_string(
                    aopctl_answer_word(beside && !json_is_true(explicit)
                                     ? AOPCTL_ANSWER_UNPROTECTED
                                     : AOPCTL_ANSWER_OFF)));
    aopctl_json_set(answer, "reason",
                    aopctl_json_bytes(buf, text.pos - text.start));

    return answer;
}


/* Names of the enforced servers of its address: whether any; -1 if no names. */

static int
aopctl_server_beside(const json_t *beside, ngx_aop_text_t *text)
{
    size_t       i, n;
    const char  *name;

    if (json_is_string(beside)) {
        name = json_string_value(beside);

        if (name[0] == '\0') {
            return 0;
        }

        ngx_aop_text_printf(text, ", at the address of enforced %.400s", name);
        return 1;
    }

    if (!json_is_array(beside)) {
        return -1;
    }

    n = json_array_size(beside);

    for (i = 0; i < n; i++) {
        if (!json_is_string(json_array_get(beside, i))) {
            return -1;
        }
    }

    if (n == 0) {
        return 0;
    }

    name = json_string_value(json_array_get(beside, 0));
    ngx_aop_text_printf(text, ", at the address of enforced %.200s",
                        name[0] ? name : "server without a name");

    if (n > 1) {
        ngx_aop_text_printf(text, " and %zu more", n - 1);
    }

    return 1;
}
