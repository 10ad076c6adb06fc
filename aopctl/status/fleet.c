
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * One answer for all servers of all origins: the worst of them.  An origin
 * that did not answer may have servers of any kind, so it is worse than any
 * server about which too little is known.
 */


#include <string.h>

#include "answer.h"
#include "status.h"


#define AOPCTL_FLEET_NAMES  5
#define AOPCTL_FLEET_WHY    2048


typedef struct {
    size_t  answers[AOPCTL_ANSWERS];
    size_t  origins;
    size_t  servers;                /* with "aop" */
} aopctl_fleet_counts_t;


static void aopctl_fleet_count(const json_t *origins,
    aopctl_fleet_counts_t *counts);
static void aopctl_fleet_count_list(const json_t *list,
    aopctl_fleet_counts_t *counts);
static aopctl_status_e aopctl_fleet_status(
    const aopctl_fleet_counts_t *counts);
static json_t *aopctl_fleet_counts(const aopctl_fleet_counts_t *counts);
static void aopctl_fleet_why(const json_t *origins,
    const aopctl_fleet_counts_t *counts, ngx_aop_text_t *text);
static void aopctl_fleet_kind(const json_t *origins,
    const aopctl_fleet_counts_t *counts, aopctl_answer_e answer,
    ngx_aop_text_t *text);
static size_t aopctl_fleet_list(const json_t *list, const char *url,
    aopctl_answer_e answer, size_t n, ngx_aop_text_t *text);


/* What a kind of server does to the whole, and how it is counted. */

static const struct {
    aopctl_status_e   status;
    const char       *of;
    const char       *one;
    const char       *many;
} aopctl_fleet_kinds[AOPCTL_ANSWERS] = {

    { AOPCTL_STATUS_BAD, "server", "is not ready", "are not ready" },
    { AOPCTL_STATUS_BAD, "server",
      "is enforced and rejected requests from Cloudflare",
      "are enforced and rejected requests from Cloudflare" },
    { AOPCTL_STATUS_UNKNOWN, "origin", "could not be read",
      "could not be read" },
    { AOPCTL_STATUS_WARNING, "server", "is unknown", "are unknown" },
    { AOPCTL_STATUS_WARNING, NULL,
      "unprotected server at the address of an enforced one",
      "unprotected servers at the address of enforced ones" },
    { AOPCTL_STATUS_GOOD, NULL, NULL, NULL },
    { AOPCTL_STATUS_GOOD, "server", "is ready", "are ready" },
    { AOPCTL_STATUS_GOOD, "server", "is enforced", "are enforced" }
};


json_t *
aopctl_fleet_origin(const char *url, json_t *page, const char *err)
{
    json_t  *origin;

    origin = page ? page : json_object();

    aopctl_json_set(origin, "url", aopctl_json_text(url));
    aopctl_json_set(origin, "answer", json_string(
                    page ? "read" : aopctl_answer_word(AOPCTL_ANSWER_UNREAD)));

    if (page == NULL) {
        aopctl_json_set(origin, "reason", aopctl_json_text(err));
        aopctl_json_set(origin, "servers", json_array());
        aopctl_json_set(origin, "unprotected", json_array());
    }

    return origin;
}


json_t *
aopctl_fleet_answer(json_t *origins, aopctl_status_e *status)
{
    char                    buf[AOPCTL_FLEET_WHY];
    json_t                 *answer;
    ngx_aop_text_t          why;
    aopctl_fleet_counts_t   counts;

    static const char *const  words[] = { "good", "warning", "bad",
                                          "cannot tell" };

    aopctl_fleet_count(origins, &counts);

    *status = aopctl_fleet_status(&counts);

    ngx_aop_text_init(&why, buf, sizeof(buf));
    aopctl_fleet_why(origins, &counts, &why);

    answer = json_object();

    aopctl_json_set(answer, "status", json_integer(*status));
    aopctl_json_set(answer, "conclusion", json_string(words[*status]));
    aopctl_json_set(answer, "why", aopctl_json_bytes(buf, why.pos - why.start));
    aopctl_json_set(answer, "counts", aopctl_fleet_counts(&counts));
    aopctl_json_set(answer, "origins", origins);

    return answer;
}


static void
aopctl_fleet_count(const json_t *origins, aopctl_fleet_counts_t *counts)
{
    size_t           i;
    const json_t    *origin;

    memset(counts, 0, sizeof(aopctl_fleet_counts_t));

    counts->origins = json_array_size(origins);

    json_array_foreach(origins, i, origin) {

        if (aopctl_answer_of(origin) == AOPCTL_ANSWER_UNREAD) {
            counts->answers[AOPCTL_ANSWER_UNREAD]++;
        }

        counts->servers += json_array_size(json_object_get(origin, "servers"));

        aopctl_fleet_count_list(json_object_get(origin, "servers"), counts);
        aopctl_fleet_count_list(json_object_get(origin, "unprotected"),
                                counts);
    }
}


static void
aopctl_fleet_count_list(const json_t *list, aopctl_fleet_counts_t *counts)
{
    size_t         i;
    const json_t  *server;

    json_array_foreach(list, i, server) {
        counts->answers[aopctl_answer_of(server)]++;
    }
}


/* The answer of the first kind there is; no server at all is not good. */

static aopctl_status_e
aopctl_fleet_status(const aopctl_fleet_counts_t *counts)
{
    unsigned  i;

    for (i = 0; i < AOPCTL_ANSWERS; i++) {
        if (counts->answers[i]
            && aopctl_fleet_kinds[i].status != AOPCTL_STATUS_GOOD)
        {
            return aopctl_fleet_kinds[i].status;
        }
    }

    return counts->servers ? AOPCTL_STATUS_GOOD : AOPCTL_STATUS_UNKNOWN;
}


static json_t *
aopctl_fleet_counts(const aopctl_fleet_counts_t *counts)
{
    json_t    *object;
    unsigned   i;

    object = json_object();

    aopctl_json_set(object, "origins", json_integer(counts->origins));
    aopctl_json_set(object, "servers", json_integer(counts->servers));

    for (i = 0; i < AOPCTL_ANSWERS; i++) {
        aopctl_json_set(object, aopctl_answer_word(i),
                        json_integer(counts->answers[i]));
    }

    return object;
}


/* The number of each kind, with the names of those that are not good. */

static void
aopctl_fleet_why(const json_t *origins, const aopctl_fleet_counts_t *counts,
    ngx_aop_text_t *text)
{
    unsigned  i;

    for (i = 0; i < AOPCTL_ANSWERS; i++) {

        if (counts->answers[i] == 0 || aopctl_fleet_kinds[i].one == NULL) {
            continue;
        }

        if (text->pos != text->start) {
            ngx_aop_text_puts(text, "; ");
        }

        aopctl_fleet_kind(origins, counts, i, text);
    }
}


static void
aopctl_fleet_kind(const json_t *origins, const aopctl_fleet_counts_t *counts,
    aopctl_answer_e answer, ngx_aop_text_t *text)
{
    size_t         i, n, all;
    const char    *of, *words;
    const json_t  *origin;

    n = counts->answers[answer];
    all = (answer == AOPCTL_ANSWER_UNREAD) ? counts->origins : counts->servers;
    of = aopctl_fleet_kinds[answer].of;
    words = (n == 1) ? aopctl_fleet_kinds[answer].one
                     : aopctl_fleet_kinds[answer].many;

    if (of != NULL) {
        ngx_aop_text_printf(text, "%zu of %zu %s%s %s", n, all, of,
                            all == 1 ? "" : "s", words);

    } else {
        ngx_aop_text_printf(text, "%zu %s", n, words);
    }

    if (aopctl_fleet_kinds[answer].status == AOPCTL_STATUS_GOOD) {
        return;
    }

    n = 0;

    json_array_foreach(origins, i, origin) {
        const char  *url = aopctl_json_str(origin, "url");

        if (answer == AOPCTL_ANSWER_UNREAD
            && aopctl_answer_of(origin) == answer
            && n++ < AOPCTL_FLEET_NAMES)
        {
            ngx_aop_text_printf(text, "%s%.100s", n == 1 ? " (" : ", ", url);
        }

        n = aopctl_fleet_list(json_object_get(origin, "servers"), url, answer,
                              n, text);
        n = aopctl_fleet_list(json_object_get(origin, "unprotected"), url,
                              answer, n, text);
    }

    if (n > AOPCTL_FLEET_NAMES) {
        ngx_aop_text_printf(text, " and %zu more", n - AOPCTL_FLEET_NAMES);
    }

    ngx_aop_text_puts(text, ")");
}


/* Returns how many were found, with the n that were before. */

static size_t
aopctl_fleet_list(const json_t *list, const char *url, aopctl_answer_e answer,
    size_t n, ngx_aop_text_t *text)
{
    size_t         i;
    const char    *name;
    const json_t  *server;

    json_array_foreach(list, i, server) {

        if (aopctl_answer_of(server) == answer
            && n++ < AOPCTL_FLEET_NAMES)
        {
            name = aopctl_json_str(server, "name");
            ngx_aop_text_printf(text, "%s%.100s at %.100s",
                                n == 1 ? " (" : ", ",
                                name[0] ? name : "no server_name", url);
        }
    }

    return n;
}
