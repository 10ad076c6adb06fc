
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What a log says, for a person: the answer first, then what it rests on. */


#include <stdio.h>
#include <string.h>

#include "report.h"
#include "term.h"


#define AOPCTL_REPORT_BAR  20


typedef struct {
    const char  *key;
    const char  *title;
} aopctl_report_title_t;


static void aopctl_report_print_log(const json_t *answer);
static void aopctl_report_print_server(const json_t *server);
static const char *aopctl_report_mode(const json_t *server, char *buf,
    size_t size);
static void aopctl_report_print_requests(const json_t *requests);
static void aopctl_report_print_hints(const json_t *requests);
static void aopctl_report_print_timeline(const json_t *slots);
static void aopctl_report_print_behind(const json_t *behind);
static void aopctl_report_print_top(const char *title, const json_t *list);
static void aopctl_report_print_passed(const json_t *list);
static int aopctl_report_stands_out(const json_t *item);
static const char *aopctl_report_bar(char *bar, long long count,
    long long max);


static const aopctl_report_title_t  aopctl_report_titles[] = {
    { "addresses", "addresses" },
    { "hosts", "hosts" },
    { "paths", "paths" },
    { "user_agents", "user agents" }
};


void
aopctl_report_text_print(const json_t *answer)
{
    size_t         i;
    const json_t  *server;

    aopctl_report_print_log(answer);

    json_array_foreach(json_object_get(answer, "servers"), i, server) {
        aopctl_term_line(AOPCTL_COLOR_PLAIN, "%s", "");
        aopctl_report_print_server(server);
    }

    aopctl_term_line(AOPCTL_COLOR_PLAIN, "%s", "");
    aopctl_report_text_print_end(answer);
}


void
aopctl_report_text_print_end(const json_t *answer)
{
    const char  *ready;

    ready = aopctl_json_str(answer, "ready");

    aopctl_term_line(aopctl_report_text_color(ready), "ready: %s: %s",
                     strcmp(ready, "cannot_tell") == 0 ? "cannot tell" : ready,
                     aopctl_json_str(answer, "why"));
}


static void
aopctl_report_print_log(const json_t *answer)
{
    long long    damaged, other, before, other_servers;
    const char  *first;

    first = aopctl_json_str(answer, "first");

    aopctl_term_line(AOPCTL_COLOR_PLAIN,
                     "lines: %lld, verified requests: %lld%s%s%s%s",
                     aopctl_json_int(answer, "lines"),
                     aopctl_json_int(answer, "judged"),
                     first[0] ? ", " : "", first, first[0] ? " to " : "",
                     aopctl_json_str(answer, "last"));

    damaged = aopctl_json_int(answer, "damaged");
    other = aopctl_json_int(answer, "other");
    before = aopctl_json_int(answer, "before_since");
    other_servers = aopctl_json_int(answer, "other_servers");

    if (damaged) {
        aopctl_term_line(AOPCTL_COLOR_YELLOW, "damaged lines: %lld",
                         damaged);
    }

    if (other) {
        aopctl_term_line(AOPCTL_COLOR_YELLOW,
                         "lines that are not in the aop_json format: %lld",
                         other);
    }

    if (before) {
        aopctl_term_line(AOPCTL_COLOR_PLAIN,
                         "lines that are older than --since: %lld", before);
    }

    if (other_servers) {
        aopctl_term_line(AOPCTL_COLOR_PLAIN, "lines of other servers: %lld",
                         other_servers);
    }
}


static void
aopctl_report_print_server(const json_t *server)
{
    char           modes[64];
    const char    *name, *ready, *origin;
    const json_t  *requests;

    name = aopctl_json_str(server, "name");
    origin = aopctl_json_str(server, "origin");
    ready = aopctl_json_str(server, "ready");

    aopctl_term_line(AOPCTL_COLOR_BOLD, "%s%s%s", name[0] ? name
                     : "(no server_name)", origin[0] ? " on " : "", origin);

    if (ready[0] == '\0') {
        aopctl_term_line(AOPCTL_COLOR_PLAIN, "  not verified: %lld request%s",
                         aopctl_json_int(server, "off"),
                         aopctl_json_int(server, "off") == 1 ? "" : "s");
        return;
    }

    aopctl_term_line(aopctl_report_text_color(ready), "  ready: %s: %s", ready,
                     aopctl_json_str(server, "why"));

    aopctl_term_line(AOPCTL_COLOR_PLAIN, "  aop %s: %lld verified, %lld "
                     "passed, %lld would be refused, %lld refused; %lld not "
                     "verified",
                     aopctl_report_mode(server, modes, sizeof(modes)),
                     aopctl_json_int(server, "judged"),
                     aopctl_json_int(server, "passed"),
                     aopctl_json_int(server, "would_be_refused"),
                     aopctl_json_int(server, "refused"),
                     aopctl_json_int(server, "off"));

    requests = json_object_get(server, "requests");

    aopctl_report_print_requests(requests);
    aopctl_report_print_hints(requests);
    aopctl_report_print_timeline(json_object_get(server, "over_time"));
    aopctl_report_print_behind(json_object_get(server, "behind"));
    aopctl_report_print_passed(json_object_get(server, "certificates"));
}


/* A canary has more than one, and so has a log from before and after. */

static const char *
aopctl_report_mode(const json_t *server, char *buf, size_t size)
{
    size_t         i, n;
    const json_t  *modes, *mode;

    modes = json_object_get(server, "modes");

    if (json_array_size(modes) < 2) {
        return aopctl_json_str(server, "mode");
    }

    n = 0;

    json_array_foreach(modes, i, mode) {
        n += snprintf(buf + n, size - n, "%s%s", i ? " and " : "",
                      json_string_value(mode));
    }

    return buf;
}


static void
aopctl_report_print_requests(const json_t *requests)
{
    size_t         i;
    const json_t  *request;

    aopctl_term_line(AOPCTL_COLOR_PLAIN, "  %10s  %-13s  %s", "requests",
                     "verdict", "from");

    json_array_foreach(requests, i, request) {
        aopctl_term_line(AOPCTL_COLOR_PLAIN, "  %10lld  %-13s  %s",
                         aopctl_json_int(request, "count"),
                         aopctl_json_str(request, "verdict"),
                         aopctl_json_str(request, "peer"));
    }
}


static void
aopctl_report_print_hints(const json_t *requests)
{
    size_t         i;
    const char    *hint;
    const json_t  *request;

    json_array_foreach(requests, i, request) {
        hint = aopctl_json_str(request, "hint");

        if (hint[0] != '\0') {
            aopctl_term_line(AOPCTL_COLOR_PLAIN, "  %s, %s: %s",
                             aopctl_json_str(request, "verdict"),
                             aopctl_json_str(request, "peer"), hint);
        }
    }
}


/* Times as in the log's ISO 8601, without seconds. */

static void
aopctl_report_print_timeline(const json_t *slots)
{
    char           bar[AOPCTL_REPORT_BAR + 1];
    size_t         i;
    long long      failed, max;
    const json_t  *slot;

    max = 0;

    json_array_foreach(slots, i, slot) {
        failed = aopctl_json_int(slot, "failed");
        max = (failed > max) ? failed : max;
    }

    aopctl_term_line(AOPCTL_COLOR_PLAIN, "  %-16s  %10s  %13s  %s",
                     "time (UTC)",
                     "passed", "failed direct", "failed from edge and private");

    json_array_foreach(slots, i, slot) {
        failed = aopctl_json_int(slot, "failed");

        aopctl_term_line(failed ? AOPCTL_COLOR_RED : AOPCTL_COLOR_PLAIN,
                         "  %.16s  %10lld  %13lld  %lld %s",
                         aopctl_json_str(slot, "from"),
                         aopctl_json_int(slot, "passed"),
                         aopctl_json_int(slot, "failed_direct"), failed,
                         aopctl_report_bar(bar, failed, max));
    }
}


static void
aopctl_report_print_behind(const json_t *behind)
{
    size_t         i;
    const json_t  *list;

    for (i = 0; i < sizeof(aopctl_report_titles)
                    / sizeof(aopctl_report_titles[0]); i++)
    {
        list = json_object_get(behind, aopctl_report_titles[i].key);

        if (json_array_size(list) != 0) {
            aopctl_report_print_top(aopctl_report_titles[i].title, list);
        }
    }
}


static void
aopctl_report_print_top(const char *title, const json_t *list)
{
    size_t         i, n;
    const char    *text;
    const json_t  *item;

    n = 0;

    aopctl_term_line(AOPCTL_COLOR_BOLD,
                     "  %s behind the failures from edge and private", title);

    json_array_foreach(list, i, item) {

        if (!aopctl_report_stands_out(item)) {
            continue;
        }

        n++;
        text = aopctl_json_str(item, "text");

        aopctl_term_line(AOPCTL_COLOR_PLAIN,
                         "  %10lld  %-13s  %-7s  last %s  %s",
                         aopctl_json_int(item, "count"),
                         aopctl_json_str(item, "verdict"),
                         aopctl_json_str(item, "peer"),
                         aopctl_json_str(item, "last"),
                         text[0] ? text : "(none)");
    }

    if (n == 0) {
        aopctl_term_line(AOPCTL_COLOR_PLAIN,
                         "              many, none is frequent");
    }
}


static void
aopctl_report_print_passed(const json_t *list)
{
    size_t         i;
    const char    *not_after;
    const json_t  *item;

    if (json_array_size(list) == 0) {
        return;
    }

    aopctl_term_line(AOPCTL_COLOR_BOLD, "  client certificates that passed");

    json_array_foreach(list, i, item) {
        not_after = aopctl_json_str(item, "not_after");

        aopctl_term_line(AOPCTL_COLOR_PLAIN,
                         "  %10lld  last %s  %s, issued under %s%s%s, %.16s",
                         aopctl_json_int(item, "count"),
                         aopctl_json_str(item, "last"),
                         aopctl_json_str(item, "subject"),
                         aopctl_json_str(item, "anchor"),
                         not_after[0] ? ", expires " : "", not_after,
                         aopctl_json_str(item, "fingerprint"));
    }
}


/*
 * If there are many different texts, most of a count may belong to the others
 * whose place the text took.
 */

static int
aopctl_report_stands_out(const json_t *item)
{
    return aopctl_json_int(item, "error") * 2 <= aopctl_json_int(item, "count");
}


static const char *
aopctl_report_bar(char *bar, long long count, long long max)
{
    size_t  n;

    /* a single failure must be visible */

    n = (count == 0) ? 0 : 1 + (size_t) (count * (AOPCTL_REPORT_BAR - 1)
                                         / max);

    memset(bar, '#', n);
    bar[n] = '\0';

    return bar;
}


aopctl_color_e
aopctl_report_text_color(const char *ready)
{
    switch (ready[0]) {

    case 'y':
        return AOPCTL_COLOR_GREEN;

    case 'n':
        return AOPCTL_COLOR_RED;

    default:
        return AOPCTL_COLOR_YELLOW;
    }
}
