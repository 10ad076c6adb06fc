
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * One line of a log, understood or not.  A line that contradicts itself was
 * not written by the module, and counts as damaged, like one that is cut off.
 */


#include <string.h>

#include "log_line.h"
#include "ngx_aop_time.h"
#include "prefix.h"


typedef struct {
    const char         *word;
    aopctl_outcome_e    outcome;
} aopctl_log_line_status_t;


static aopctl_log_line_e aopctl_log_line_load(json_t **json, const char *text,
    size_t len);
static int aopctl_log_line_wrapped(const json_t *json, aopctl_bytes_t *inner);
static aopctl_log_line_e aopctl_log_line_unwrap(json_t **json,
    const aopctl_bytes_t *inner);
static aopctl_log_line_e aopctl_log_line_other(const char *text, size_t len);
static int aopctl_log_line_fill(aopctl_log_line_t *line);
static int aopctl_log_line_judged(aopctl_log_line_t *line);
static int aopctl_log_line_outcome(aopctl_log_line_t *line);
static int aopctl_log_line_verdict(aopctl_log_line_t *line);
static int aopctl_log_line_peer(aopctl_log_line_t *line);
static int aopctl_log_line_host(aopctl_log_line_t *line);
static void aopctl_log_line_off(aopctl_log_line_t *line);
static int aopctl_log_line_text(const aopctl_log_line_t *line, const char *key,
    aopctl_bytes_t *bytes);
static void aopctl_log_line_optional(const aopctl_log_line_t *line,
    const char *key, aopctl_bytes_t *bytes);
static int aopctl_log_line_is(const aopctl_bytes_t *bytes, const char *word);


static const aopctl_log_line_status_t  aopctl_log_line_statuses[] = {
    { "", AOPCTL_OUTCOME_OFF },
    { "PASSED", AOPCTL_OUTCOME_PASSED },
    { "REJECTED_DRY_RUN", AOPCTL_OUTCOME_WOULD_BE_REFUSED },
    { "REJECTED", AOPCTL_OUTCOME_REFUSED }
};


aopctl_log_line_e
aopctl_log_line_parse(aopctl_log_line_t *line, const char *text, size_t len)
{
    json_t            *json;
    aopctl_log_line_e  rc;
    aopctl_bytes_t     inner;

    json = NULL;
    rc = aopctl_log_line_load(&json, text, len);

    if (rc == AOPCTL_LOG_LINE_OK && aopctl_log_line_wrapped(json, &inner)) {
        rc = aopctl_log_line_unwrap(&json, &inner);
    }

    if (rc != AOPCTL_LOG_LINE_OK) {
        return rc;
    }

    /* the JSON of another program: all of our lines have this */

    if (json_object_get(json, "verdict") == NULL) {
        json_decref(json);
        return AOPCTL_LOG_LINE_OTHER;
    }

    memset(line, 0, sizeof(aopctl_log_line_t));

    line->json = json;

    if (!aopctl_log_line_fill(line)) {
        aopctl_log_line_free(line);
        return AOPCTL_LOG_LINE_DAMAGED;
    }

    return AOPCTL_LOG_LINE_OK;
}


static aopctl_log_line_e
aopctl_log_line_load(json_t **json, const char *text, size_t len)
{
    size_t        n;
    json_error_t  error;

    n = 0;

    if (len != 0 && text[0] != '{') {
        n = aopctl_prefix(text, len);
    }

    text += n;
    len -= n;

    if (len == 0 || text[0] != '{') {
        return aopctl_log_line_other(text, len);
    }

    *json = json_loadb(text, len, JSON_ALLOW_NUL|JSON_REJECT_DUPLICATES,
                       &error);

    return *json ? AOPCTL_LOG_LINE_OK : AOPCTL_LOG_LINE_DAMAGED;
}


/*
 * Docker's files are of JSON that holds the line as "log", "journalctl -o json"
 * has it as "MESSAGE", log collectors as "message".
 */

static int
aopctl_log_line_wrapped(const json_t *json, aopctl_bytes_t *inner)
{
    size_t         i;
    const json_t  *value;

    static const char *const  keys[] = { "log", "MESSAGE", "message" };

    if (json_object_get(json, "verdict") != NULL) {
        return 0;
    }

    for (i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        value = json_object_get(json, keys[i]);

        if (value == NULL) {
            continue;
        }

        /* journalctl leaves out what is long, unless with --all */

        inner->data = json_string_value(value);
        inner->len = json_string_length(value);

        return 1;
    }

    return 0;
}


static aopctl_log_line_e
aopctl_log_line_unwrap(json_t **json, const aopctl_bytes_t *inner)
{
    size_t             len;
    json_t            *wrapper;
    aopctl_log_line_e  rc;

    wrapper = *json;
    *json = NULL;

    rc = AOPCTL_LOG_LINE_DAMAGED;
    len = inner->len;

    if (inner->data != NULL) {
        len -= (len != 0 && inner->data[len - 1] == '\n');
        rc = aopctl_log_line_load(json, inner->data, len);
    }

    json_decref(wrapper);

    return rc;
}


/*
 * A line that lost its beginning still holds our words, and after a crash of
 * the machine a log may hold zeros.
 */

static aopctl_log_line_e
aopctl_log_line_other(const char *text, size_t len)
{
    static const char  word[] = "\"verdict\":\"";

    if (memmem(text, len, word, sizeof(word) - 1) || memchr(text, '\0', len)) {
        return AOPCTL_LOG_LINE_DAMAGED;
    }

    return AOPCTL_LOG_LINE_OTHER;
}


void
aopctl_log_line_free(aopctl_log_line_t *line)
{
    json_decref(line->json);
    line->json = NULL;
}


static int
aopctl_log_line_fill(aopctl_log_line_t *line)
{
    aopctl_bytes_t  time;

    /* lines of 0.1 lack the first two */

    aopctl_log_line_optional(line, "origin", &line->origin);
    aopctl_log_line_optional(line, "mode_from", &line->mode_from);
    aopctl_log_line_optional(line, "tls", &line->tls);
    aopctl_log_line_optional(line, "ray", &line->ray);

    aopctl_log_line_off(line);

    return aopctl_log_line_text(line, "time", &time)
           && aopctl_log_line_time(time.data, &line->time)
           && aopctl_log_line_text(line, "server", &line->server)
           && aopctl_log_line_text(line, "mode", &line->mode)
           && aopctl_log_line_outcome(line)
           && (line->outcome == AOPCTL_OUTCOME_OFF
               || aopctl_log_line_judged(line));
}


static int
aopctl_log_line_judged(aopctl_log_line_t *line)
{
    aopctl_bytes_t  resumed;

    if (!aopctl_log_line_verdict(line)
        || !aopctl_log_line_peer(line)
        || !aopctl_log_line_text(line, "resumed", &resumed)
        || !aopctl_log_line_text(line, "peer_addr", &line->addr)
        || !aopctl_log_line_host(line)
        || !aopctl_log_line_text(line, "uri", &line->path)
        || !aopctl_log_line_text(line, "ua", &line->agent))
    {
        return 0;
    }

    line->full = aopctl_log_line_is(&resumed, ".");

    aopctl_log_line_optional(line, "anchor", &line->anchor);
    aopctl_log_line_optional(line, "subject", &line->subject);
    aopctl_log_line_optional(line, "fingerprint", &line->fingerprint);
    aopctl_log_line_optional(line, "not_after", &line->not_after);

    return (line->outcome == AOPCTL_OUTCOME_PASSED)
           == (line->verdict == NGX_AOP_VERDICT_OK);
}


static int
aopctl_log_line_outcome(aopctl_log_line_t *line)
{
    size_t          i;
    aopctl_bytes_t  status;

    if (!aopctl_log_line_text(line, "status", &status)) {
        return 0;
    }

    for (i = 0; i < sizeof(aopctl_log_line_statuses)
                    / sizeof(aopctl_log_line_statuses[0]); i++)
    {
        if (aopctl_log_line_is(&status, aopctl_log_line_statuses[i].word)) {
            line->outcome = aopctl_log_line_statuses[i].outcome;
            return 1;
        }
    }

    return 0;
}


static int
aopctl_log_line_verdict(aopctl_log_line_t *line)
{
    unsigned        i;
    aopctl_bytes_t  verdict;

    if (!aopctl_log_line_text(line, "verdict", &verdict)) {
        return 0;
    }

    for (i = 0; i < NGX_AOP_VERDICTS; i++) {
        if (aopctl_log_line_is(&verdict, ngx_aop_verdict(i)->word)) {
            line->verdict = i;
            return 1;
        }
    }

    return 0;
}


static int
aopctl_log_line_peer(aopctl_log_line_t *line)
{
    unsigned        i;
    aopctl_bytes_t  peer;

    if (!aopctl_log_line_text(line, "peer", &peer)) {
        return 0;
    }

    for (i = 0; i < NGX_AOP_PEERS; i++) {
        if (aopctl_log_line_is(&peer, ngx_aop_peer_word(i))) {
            line->peer = i;
            return 1;
        }
    }

    return 0;
}


/*
 * The log has the host as the client sent it.  As in nginx, a port and a final
 * dot are dropped, and the server's name is used if none was sent.
 */

static int
aopctl_log_line_host(aopctl_log_line_t *line)
{
    const char      *end, *colon;
    aopctl_bytes_t  *host;

    host = &line->host;

    if (!aopctl_log_line_text(line, "host", host)) {
        return 0;
    }

    end = host->data + host->len;
    colon = memrchr(host->data, ':', host->len);

    if (colon != NULL && memchr(colon, ']', end - colon) == NULL) {
        host->len = colon - host->data;
    }

    if (host->len && host->data[host->len - 1] == '.') {
        host->len--;
    }

    if (host->len == 0) {
        *host = line->server;
    }

    return 1;
}


/* A line without a verdict also counts, if it is complete. */

static void
aopctl_log_line_off(aopctl_log_line_t *line)
{
    line->peer = NGX_AOP_PEER_DIRECT;

    aopctl_log_line_optional(line, "peer_addr", &line->addr);
    aopctl_log_line_optional(line, "host", &line->host);
    aopctl_log_line_optional(line, "uri", &line->path);
    aopctl_log_line_optional(line, "ua", &line->agent);

    (void) aopctl_log_line_peer(line);
}


static int
aopctl_log_line_text(const aopctl_log_line_t *line, const char *key,
    aopctl_bytes_t *bytes)
{
    const json_t  *value;

    value = json_object_get(line->json, key);

    bytes->data = json_string_value(value);
    bytes->len = json_string_length(value);

    return bytes->data != NULL;
}


static void
aopctl_log_line_optional(const aopctl_log_line_t *line, const char *key,
    aopctl_bytes_t *bytes)
{
    if (!aopctl_log_line_text(line, key, bytes)) {
        bytes->data = "";
        bytes->len = 0;
    }
}


static int
aopctl_log_line_is(const aopctl_bytes_t *bytes, const char *word)
{
    return bytes->len == strlen(word)
           && memcmp(bytes->data, word, bytes->len) == 0;
}


int
aopctl_log_line_time(const char *text, time_t *t)
{
    int64_t  seconds;

    if (!ngx_aop_time_parse(text, &seconds)) {
        return 0;
    }

    *t = ngx_aop_time_fit(seconds);

    return *t > 0;
}
