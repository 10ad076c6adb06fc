
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What a log says, as one JSON value.  The core decides whether it is safe to
 * enforce; a log that cannot show what passed gets no answer.
 */


#include <string.h>

#include "report.h"
#include "ngx_aop_mode.h"
#include "ngx_aop_text.h"


/* a lost hundredth of a log may hold all the failures */

#define AOPCTL_REPORT_DAMAGED  100


static json_t *aopctl_report_servers(aopctl_log_stats_t *stats, size_t top,
    aopctl_status_e *status);
static json_t *aopctl_report_server(const aopctl_log_stats_t *stats,
    aopctl_server_t *server, size_t top, aopctl_status_e *status);
static json_t *aopctl_report_modes(const aopctl_server_t *server);
static void aopctl_report_counts(json_t *object, const uint64_t *outcomes);
static void aopctl_report_span(json_t *object, time_t first, time_t last);
static void aopctl_report_ready(json_t *object, const aopctl_log_stats_t *stats,
    aopctl_server_t *server, ngx_aop_answer_t *told, aopctl_status_e *status);
static aopctl_status_e aopctl_report_status(ngx_aop_ready_e ready);
static json_t *aopctl_report_window(const ngx_aop_answer_t *told, time_t end);
static json_t *aopctl_report_requests(const aopctl_server_t *server,
    const ngx_aop_answer_t *told);
static json_t *aopctl_report_timeline(const aopctl_timeline_t *timeline);
static json_t *aopctl_report_behind(const aopctl_server_t *server, size_t max);
static json_t *aopctl_report_top(aopctl_top_t *top, size_t max);
static void aopctl_report_conclude(json_t *answer, const json_t *servers,
    const aopctl_log_stats_t *stats, aopctl_status_e *status);
static const char *aopctl_report_doubt(const aopctl_log_stats_t *stats,
    aopctl_status_e status);


static const char *const  aopctl_report_outcomes[] = {
    "off", "passed", "would_be_refused", "refused"
};

static const char *const  aopctl_report_kinds[AOPCTL_TIME_KINDS] = {
    "passed", "failed", "failed_direct"
};

static const char *const  aopctl_report_tops[AOPCTL_TOPS] = {
    "addresses", "hosts", "paths", "user_agents"
};


json_t *
aopctl_report_data_answer(aopctl_log_stats_t *stats, size_t top,
    aopctl_status_e *status)
{
    json_t  *answer, *servers;

    *status = AOPCTL_STATUS_GOOD;

    answer = json_object();
    servers = aopctl_report_servers(stats, top, status);

    aopctl_report_conclude(answer, servers, stats, status);
    aopctl_report_span(answer, stats->first, stats->last);

    aopctl_json_set(answer, "lines", json_integer(stats->lines));
    aopctl_report_counts(answer, stats->outcomes);
    aopctl_json_set(answer, "damaged", json_integer(stats->damaged));
    aopctl_json_set(answer, "other", json_integer(stats->other));
    aopctl_json_set(answer, "before_since", json_integer(stats->before));
    aopctl_json_set(answer, "other_servers",
                    json_integer(stats->other_servers));

    aopctl_json_set(answer, "servers", servers);

    return answer;
}


static json_t *
aopctl_report_servers(aopctl_log_stats_t *stats, size_t top,
    aopctl_status_e *status)
{
    size_t   i;
    json_t  *servers;

    servers = json_array();

    for (i = 0; i < stats->nservers; i++) {
        aopctl_json_append(servers,
                           aopctl_report_server(stats, stats->servers[i], top,
                                                status));
    }

    return servers;
}


static json_t *
aopctl_report_server(const aopctl_log_stats_t *stats, aopctl_server_t *server,
    size_t top, aopctl_status_e *status)
{
    json_t            *object;
    ngx_aop_answer_t   told;

    object = json_object();

    aopctl_json_set(object, "name", aopctl_json_text(server->name));
    aopctl_json_set(object, "origin", aopctl_json_text(server->origin));
    aopctl_json_set(object, "mode", aopctl_json_text(server->mode));
    aopctl_json_set(object, "modes", aopctl_report_modes(server));

    aopctl_report_counts(object, server->outcomes);

    /* not verified: there is no readiness */

    if (server->first == 0) {
        return object;
    }

    aopctl_report_span(object, server->first, server->last);
    aopctl_report_ready(object, stats, server, &told, status);

    aopctl_json_set(object, "requests",
                    aopctl_report_requests(server, &told));
    aopctl_json_set(object, "over_time",
                    aopctl_report_timeline(&server->timeline));
    aopctl_json_set(object, "behind", aopctl_report_behind(server, top));
    aopctl_json_set(object, "certificates",
                    aopctl_passed_json(server->passed));

    return object;
}


static json_t *
aopctl_report_modes(const aopctl_server_t *server)
{
    json_t    *list;
    unsigned   mode;

    list = json_array();

    for (mode = 0; mode < NGX_AOP_MODES; mode++) {
        if (server->modes & (1u << mode)) {
            aopctl_json_append(list, json_string(ngx_aop_mode_word(mode)));
        }
    }

    return list;
}


static void
aopctl_report_counts(json_t *object, const uint64_t *outcomes)
{
    unsigned  i;

    aopctl_json_set(object, "judged",
                    json_integer(outcomes[AOPCTL_OUTCOME_PASSED]
                                 + outcomes[AOPCTL_OUTCOME_WOULD_BE_REFUSED]
                                 + outcomes[AOPCTL_OUTCOME_REFUSED]));

    for (i = AOPCTL_OUTCOME_OFF; i <= AOPCTL_OUTCOME_REFUSED; i++) {
        aopctl_json_set(object, aopctl_report_outcomes[i],
                        json_integer(outcomes[i]));
    }
}


static void
aopctl_report_span(json_t *object, time_t first, time_t last)
{
    aopctl_json_set(object, "first",
                    first ? aopctl_json_time(first) : json_null());
    aopctl_json_set(object, "last",
                    last ? aopctl_json_time(last) : json_null());
}


static void
aopctl_report_ready(json_t *object, const aopctl_log_stats_t *stats,
    aopctl_server_t *server, ngx_aop_answer_t *told, aopctl_status_e *status)
{
    char              why[4096];
    ngx_aop_text_t    text;
    ngx_aop_ready_e   ready;

    ngx_aop_text_init(&text, why, sizeof(why));

    ready = aopctl_log_stats_answer(stats, server, &text, told);

    if (aopctl_report_status(ready) > *status) {
        *status = aopctl_report_status(ready);
    }

    aopctl_json_set(object, "ready", json_string(ngx_aop_ready_word(ready)));
    aopctl_json_set(object, "why", aopctl_json_bytes(why, text.pos - why));

    if (told->hint != NULL) {
        aopctl_json_set(object, "hint", json_string(told->hint));
    }

    if (told->settles) {
        aopctl_json_set(object, "settles", aopctl_json_time(told->settles));
    }

    aopctl_json_set(object, "window",
                    aopctl_report_window(told,
                                         aopctl_log_stats_end(stats, server)));
}


static aopctl_status_e
aopctl_report_status(ngx_aop_ready_e ready)
{
    switch (ready) {

    case NGX_AOP_READY_YES:
        return AOPCTL_STATUS_GOOD;

    case NGX_AOP_READY_UNKNOWN:
        return AOPCTL_STATUS_WARNING;

    default:
        return AOPCTL_STATUS_BAD;
    }
}


static json_t *
aopctl_report_window(const ngx_aop_answer_t *told, time_t end)
{
    json_t          *object;
    const uint64_t  *sums;

    sums = told->sums;
    object = json_object();

    aopctl_json_set(object, "from", aopctl_json_time(told->from));
    aopctl_json_set(object, "to", aopctl_json_time(end));
    aopctl_json_set(object, "other_hosts",
                    json_integer(sums[NGX_AOP_SUM_FAILED
                                      + NGX_AOP_FROM_OTHER_HOST]));
    aopctl_json_set(object, "not_verified",
                    json_integer(sums[NGX_AOP_SUM_VARIABLE]
                                 + sums[NGX_AOP_SUM_VARIABLE_PRIVATE]
                                 + sums[NGX_AOP_SUM_LOCATION]
                                 + sums[NGX_AOP_SUM_LOCATION_PRIVATE]));
    aopctl_json_set(object, "aopctl", json_integer(sums[NGX_AOP_SUM_TOOL]));

    return object;
}


static json_t *
aopctl_report_requests(const aopctl_server_t *server,
    const ngx_aop_answer_t *told)
{
    json_t      *list, *object;
    unsigned     verdict, peer;
    const char  *hint;

    list = json_array();

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        for (peer = 0; peer < NGX_AOP_PEERS; peer++) {

            if (server->requests[verdict][peer] == 0) {
                continue;
            }

            object = json_object();

            aopctl_json_set(object, "verdict",
                            json_string(ngx_aop_verdict(verdict)->word));
            aopctl_json_set(object, "peer",
                            json_string(ngx_aop_peer_word(peer)));
            aopctl_json_set(object, "count",
                            json_integer(server->requests[verdict][peer]));

            hint = ngx_aop_ready_hint(told, verdict, peer);

            if (hint != NULL) {
                aopctl_json_set(object, "hint", json_string(hint));
            }

            aopctl_json_append(list, object);
        }
    }

    return list;
}


static json_t *
aopctl_report_timeline(const aopctl_timeline_t *timeline)
{
    size_t   i, kind;
    json_t  *list, *object;

    list = json_array();

    for (i = 0; i < timeline->n; i++) {
        object = json_object();

        aopctl_json_set(object, "from",
                        aopctl_json_time((timeline->first + i)
                                         * timeline->width));
        aopctl_json_set(object, "seconds", json_integer(timeline->width));

        for (kind = 0; kind < AOPCTL_TIME_KINDS; kind++) {
            aopctl_json_set(object, aopctl_report_kinds[kind],
                            json_integer(timeline->slots[i][kind]));
        }

        aopctl_json_append(list, object);
    }

    return list;
}


static json_t *
aopctl_report_behind(const aopctl_server_t *server, size_t max)
{
    json_t    *object;
    unsigned   i;

    object = json_object();

    for (i = 0; i < AOPCTL_TOPS; i++) {
        aopctl_json_set(object, aopctl_report_tops[i],
                        server->tops ? aopctl_report_top(&server->tops[i], max)
                                     : json_array());
    }

    return object;
}


static json_t *
aopctl_report_top(aopctl_top_t *top, size_t max)
{
    size_t                    i, n;
    json_t                   *list, *object;
    uint64_t                  missing;
    const aopctl_top_item_t  *item;

    list = json_array();

    n = aopctl_top_sort(top);
    missing = aopctl_top_missing(top);

    for (i = 0; i < n && i < max; i++) {
        item = &top->items[i];
        object = json_object();

        aopctl_json_set(object, "text", aopctl_json_text(item->text));
        aopctl_json_set(object, "verdict",
                        json_string(ngx_aop_verdict(item->verdict)->word));
        aopctl_json_set(object, "peer",
                        json_string(ngx_aop_peer_word(item->peer)));
        aopctl_json_set(object, "count", json_integer(item->top.count));
        aopctl_json_set(object, "error", json_integer(missing));
        aopctl_json_set(object, "first", aopctl_json_time(item->top.first));
        aopctl_json_set(object, "last", aopctl_json_time(item->top.last));

        aopctl_json_append(list, object);
    }

    return list;
}


static void
aopctl_report_conclude(json_t *answer, const json_t *servers,
    const aopctl_log_stats_t *stats, aopctl_status_e *status)
{
    char             why[4096];
    const char      *doubt;
    ngx_aop_text_t   text;

    static const char *const  words[] = {
        "yes", "unknown", "no", "cannot_tell"
    };

    doubt = aopctl_report_doubt(stats, *status);

    if (doubt != NULL) {
        *status = AOPCTL_STATUS_UNKNOWN;
    }

    ngx_aop_text_init(&text, why, sizeof(why));

    if (doubt != NULL) {
        ngx_aop_text_puts(&text, doubt);

    } else {
        aopctl_report_brief_why(servers, &text);
    }

    aopctl_json_set(answer, "ready", json_string(words[*status]));
    aopctl_json_set(answer, "why", aopctl_json_bytes(why, text.pos - why));
}


/* Why the log is not enough for an answer; NULL if it is. */

static const char *
aopctl_report_doubt(const aopctl_log_stats_t *stats, aopctl_status_e status)
{
    if (stats->outcomes[AOPCTL_OUTCOME_PASSED] == 0
        && stats->outcomes[AOPCTL_OUTCOME_WOULD_BE_REFUSED] == 0
        && stats->outcomes[AOPCTL_OUTCOME_REFUSED] == 0)
    {
        if (stats->other_servers != 0) {
            return "the log contains no verified requests to the server in "
                   "--server";
        }

        return "the log contains no verified requests (is it in the "
               "\"aop_json\" format, and from a server with \"aop optional\" "
               "or \"aop on\"?)";
    }

    /* failures that were found decide anyway */

    if (status == AOPCTL_STATUS_BAD) {
        return NULL;
    }

    if (stats->outcomes[AOPCTL_OUTCOME_PASSED] == 0) {
        return "no requests have passed yet (or the log contains only "
               "failures, because of \"if=$aop_failed\")";
    }

    if (stats->unread) {
        return "part of the log could not be read and may contain failures";
    }

    if (stats->damaged * AOPCTL_REPORT_DAMAGED > stats->lines) {
        return "more than 1% of the lines are damaged and may contain "
               "failures";
    }

    return NULL;
}
