
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What a log says, counted.  Lines may come in any order, as from rotated
 * files named in any order; the memory depends only on the number of servers,
 * which is bounded.
 */


#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <netinet/in.h>

#include "names.h"
#include "log_stats.h"
#include "ngx_aop_mode.h"
#include "ngx_aop_text.h"


static int aopctl_log_stats_entry(aopctl_log_stats_t *stats,
    const aopctl_log_line_t *line);
static aopctl_server_t *aopctl_log_stats_server(aopctl_log_stats_t *stats,
    const aopctl_log_line_t *line);
static aopctl_server_t *aopctl_log_stats_new(const char *name,
    const char *origin);
static uint64_t aopctl_log_stats_hash(const char *name, const char *origin);
static void aopctl_log_stats_name(char *name, const aopctl_bytes_t *text);
static int aopctl_log_stats_judged(aopctl_log_stats_t *stats,
    aopctl_server_t *server, const aopctl_log_line_t *line);
static void aopctl_log_stats_mode(aopctl_server_t *server,
    const aopctl_log_line_t *line);
static int aopctl_log_stats_evidence(aopctl_server_t *server,
    const aopctl_log_line_t *line, unsigned other_host);
static ngx_aop_unjudged_e aopctl_log_stats_unjudged(
    const aopctl_server_t *server, const aopctl_log_line_t *line);
static unsigned aopctl_log_stats_private(const aopctl_log_line_t *line);
static unsigned aopctl_log_stats_from(const aopctl_log_line_t *line,
    const char *word);
static size_t aopctl_log_stats_host(char *name, size_t size,
    const aopctl_bytes_t *host);
static int aopctl_log_stats_tops(aopctl_server_t *server,
    const aopctl_log_line_t *line, unsigned other_host);
static unsigned aopctl_log_stats_other_host(const aopctl_log_stats_t *stats,
    const aopctl_bytes_t *host);
static unsigned aopctl_log_stats_wanted(const aopctl_log_stats_t *stats,
    const aopctl_bytes_t *server);
static int aopctl_log_stats_passed(aopctl_server_t *server,
    const aopctl_log_line_t *line);
static void aopctl_log_stats_span(time_t *first, time_t *last, time_t t);


int
aopctl_log_stats_line(aopctl_log_stats_t *stats, const char *text, size_t len)
{
    int                rc;
    aopctl_log_line_t  line;

    stats->lines++;

    switch (aopctl_log_line_parse(&line, text, len)) {

    case AOPCTL_LOG_LINE_OTHER:
        stats->other++;
        return 1;

    case AOPCTL_LOG_LINE_DAMAGED:
        stats->damaged++;
        return 1;

    default:
        break;
    }

    rc = 1;

    if (!aopctl_log_stats_wanted(stats, &line.server)) {
        stats->other_servers++;

    } else if (line.time < stats->since) {
        stats->before++;

    } else {
        rc = aopctl_log_stats_entry(stats, &line);
    }

    aopctl_log_line_free(&line);

    return rc;
}


static int
aopctl_log_stats_entry(aopctl_log_stats_t *stats,
    const aopctl_log_line_t *line)
{
    aopctl_server_t  *server;

    server = aopctl_log_stats_server(stats, line);

    if (server == NULL) {
        return 0;
    }

    aopctl_log_stats_span(&stats->first, &stats->last, line->time);

    if (line->time > server->seen) {
        server->seen = line->time;
    }

    stats->outcomes[line->outcome]++;
    server->outcomes[line->outcome]++;

    if (line->outcome == AOPCTL_OUTCOME_OFF) {
        return aopctl_log_stats_evidence(server, line, 0);
    }

    return aopctl_log_stats_judged(stats, server, line);
}


/*
 * A server's name comes from the configuration, so there are few; if there are
 * more than there is room for, all of them share the last place.
 */

static aopctl_server_t *
aopctl_log_stats_server(aopctl_log_stats_t *stats,
    const aopctl_log_line_t *line)
{
    char              name[AOPCTL_NAME], origin[AOPCTL_NAME];
    size_t            i;
    uint64_t          hash;
    aopctl_server_t  *server;

    aopctl_log_stats_name(name, &line->server);
    aopctl_log_stats_name(origin, &line->origin);

    hash = aopctl_log_stats_hash(name, origin);

    for (i = 0; i < stats->nservers; i++) {
        server = stats->servers[i];

        if (server->hash == hash
            && strcmp(server->name, name) == 0
            && strcmp(server->origin, origin) == 0)
        {
            return server;
        }
    }

    if (stats->nservers == AOPCTL_SERVERS) {
        return stats->servers[AOPCTL_SERVERS - 1];
    }

    if (stats->nservers == AOPCTL_SERVERS - 1) {
        server = aopctl_log_stats_new("(further servers)", "");

    } else {
        server = aopctl_log_stats_new(name, origin);
    }

    if (server != NULL) {
        stats->servers[stats->nservers++] = server;
    }

    return server;
}


static aopctl_server_t *
aopctl_log_stats_new(const char *name, const char *origin)
{
    aopctl_server_t  *server;

    server = calloc(1, sizeof(aopctl_server_t));

    if (server != NULL) {
        strcpy(server->name, name);
        strcpy(server->origin, origin);

        server->hash = aopctl_log_stats_hash(name, origin);

        ngx_aop_evidence_init(&server->evidence, 0, 1);
    }

    return server;
}


static uint64_t
aopctl_log_stats_hash(const char *name, const char *origin)
{
    uint64_t  hash;

    hash = ngx_aop_top_hash(NGX_AOP_TOP_SEED, name, strlen(name));

    return ngx_aop_top_hash(hash, origin, strlen(origin));
}


static void
aopctl_log_stats_name(char *name, const aopctl_bytes_t *text)
{
    size_t  n;

    n = ngx_aop_text_utf8(name, AOPCTL_NAME - 1, text->data, text->len);

    name[n] = '\0';
}


static int
aopctl_log_stats_judged(aopctl_log_stats_t *stats, aopctl_server_t *server,
    const aopctl_log_line_t *line)
{
    unsigned       other_host;
    aopctl_time_e  kind;

    other_host = aopctl_log_stats_other_host(stats, &line->host);
    kind = AOPCTL_TIME_PASSED;

    if (line->outcome != AOPCTL_OUTCOME_PASSED) {
        kind = (line->peer == NGX_AOP_PEER_DIRECT) ? AOPCTL_TIME_FAILED_DIRECT
                                               : AOPCTL_TIME_FAILED;
    }

    aopctl_log_stats_mode(server, line);
    aopctl_log_stats_span(&server->first, &server->last, line->time);

    server->requests[line->verdict][line->peer]++;

    if (line->verdict == NGX_AOP_VERDICT_NONE
        && line->peer == NGX_AOP_PEER_EDGE)
    {
        server->classical = (line->tls.len == 7
                             && memcmp(line->tls.data, "TLSv1.2", 7) == 0);
    }

    aopctl_timeline_add(&server->timeline, line->time, kind);

    if (!aopctl_log_stats_evidence(server, line, other_host)) {
        return 0;
    }

    switch (kind) {

    case AOPCTL_TIME_PASSED:
        return aopctl_log_stats_passed(server, line);

    case AOPCTL_TIME_FAILED:
        return aopctl_log_stats_tops(server, line, other_host);

    default:
        return 1;
    }
}


static int
aopctl_log_stats_passed(aopctl_server_t *server, const aopctl_log_line_t *line)
{
    aopctl_passed_t  *passed;

    passed = server->passed;

    if (passed == NULL) {
        passed = calloc(1, sizeof(aopctl_passed_t));

        if (passed == NULL) {
            return 0;
        }

        server->passed = passed;
    }

    aopctl_passed_add(passed, line);

    return 1;
}


static void
aopctl_log_stats_mode(aopctl_server_t *server, const aopctl_log_line_t *line)
{
    size_t          n;
    ngx_aop_mode_e  mode;

    if (ngx_aop_mode_parse(&mode, line->mode.data, line->mode.len)) {
        server->modes |= 1u << mode;
    }

    if (line->time >= server->last) {
        n = ngx_aop_text_utf8(server->mode, sizeof(server->mode) - 1,
                              line->mode.data, line->mode.len);
        server->mode[n] = '\0';

        server->partly = aopctl_log_stats_from(line, "variable")
                         || aopctl_log_stats_from(line, "location");
    }
}


/* Returns 0 if memory is short. */

static int
aopctl_log_stats_evidence(aopctl_server_t *server,
    const aopctl_log_line_t *line, unsigned other_host)
{
    char             host[AOPCTL_NAME];
    ngx_aop_event_t  event;

    memset(&event, 0, sizeof(ngx_aop_event_t));

    if (line->outcome == AOPCTL_OUTCOME_OFF) {
        event.unjudged = aopctl_log_stats_unjudged(server, line);

        if (event.unjudged == NGX_AOP_JUDGED) {
            return 1;
        }
    }

    event.time = line->time;
    event.verdict = line->verdict;
    event.peer = line->peer;
    event.addr = line->addr.data;
    event.addr_len = line->addr.len;
    event.host = host;
    event.host_len = aopctl_log_stats_host(host, sizeof(host), &line->host);
    event.private = aopctl_log_stats_private(line);
    event.ray = (line->ray.len != 0);
    event.other_host = other_host;
    event.full = line->full;
    event.tool = (memmem(line->agent.data, line->agent.len, "aopctl", 6)
                  != NULL);
    event.request = ngx_aop_top_hash(NGX_AOP_TOP_SEED, line->path.data,
                                     line->path.len);
    event.request = ngx_aop_top_hash(event.request, line->agent.data,
                                     line->agent.len);

    ngx_aop_evidence_add(&server->evidence, &event);

    return line->outcome != AOPCTL_OUTCOME_PASSED
           || (event.peer == NGX_AOP_PEER_DIRECT
               || aopctl_passes_add(&server->passes, host, event.host_len,
                                    line->time));
}


/*
 * A location with "aop off" in a server that verifies is meant to be exempt,
 * and so is a server that never verifies.
 */

static ngx_aop_unjudged_e
aopctl_log_stats_unjudged(const aopctl_server_t *server,
    const aopctl_log_line_t *line)
{
    if (aopctl_log_stats_from(line, "variable")) {
        return NGX_AOP_UNJUDGED_VARIABLE;
    }

    return aopctl_log_stats_from(line, "server") ? NGX_AOP_UNJUDGED_LOCATION
                                              : NGX_AOP_JUDGED;
}


static unsigned
aopctl_log_stats_from(const aopctl_log_line_t *line, const char *word)
{
    return line->mode_from.len == strlen(word)
           && memcmp(line->mode_from.data, word, line->mode_from.len) == 0;
}


/* By its number, also if "aop_edge" lists it. */

static unsigned
aopctl_log_stats_private(const aopctl_log_line_t *line)
{
    ngx_aop_range_t      range;
    struct sockaddr_in6  sin6;

    if (line->peer != NGX_AOP_PEER_EDGE) {
        return line->peer == NGX_AOP_PEER_PRIVATE;
    }

    if (!ngx_aop_peer_range_parse(&range, line->addr.data, line->addr.len)) {
        return 0;
    }

    memset(&sin6, 0, sizeof(sin6));

    sin6.sin6_family = AF_INET6;
    memcpy(&sin6.sin6_addr, range.addr, sizeof(range.addr));

    return ngx_aop_peer_class((struct sockaddr *) &sin6, NULL, 0)
           == NGX_AOP_PEER_PRIVATE;
}


/* As nginx does: in lower case, without the port. */

static size_t
aopctl_log_stats_host(char *name, size_t size, const aopctl_bytes_t *host)
{
    size_t  i, len;

    len = host->len;

    for (i = len; i > 0 && isdigit((unsigned char) host->data[i - 1]); i--) {
        /* void */
    }

    if (i > 0 && i < len && host->data[i - 1] == ':') {
        len = i - 1;
    }

    for (i = 0; i < len && i < size; i++) {
        name[i] = tolower((unsigned char) host->data[i]);
    }

    return i;
}


static int
aopctl_log_stats_tops(aopctl_server_t *server, const aopctl_log_line_t *line,
    unsigned other_host)
{
    if (server->tops == NULL) {
        server->tops = calloc(AOPCTL_TOPS, sizeof(aopctl_top_t));

        if (server->tops == NULL) {
            return 0;
        }
    }

    aopctl_top_add(&server->tops[AOPCTL_TOP_ADDRESSES], line, &line->addr,
                   other_host);
    aopctl_top_add(&server->tops[AOPCTL_TOP_HOSTS], line, &line->host,
                   other_host);
    aopctl_top_add(&server->tops[AOPCTL_TOP_PATHS], line, &line->path,
                   other_host);
    aopctl_top_add(&server->tops[AOPCTL_TOP_AGENTS], line, &line->agent,
                   other_host);

    return 1;
}


static unsigned
aopctl_log_stats_other_host(const aopctl_log_stats_t *stats,
    const aopctl_bytes_t *host)
{
    return stats->nnames != 0
           && !aopctl_names_have(stats->names, stats->nnames, host);
}


static unsigned
aopctl_log_stats_wanted(const aopctl_log_stats_t *stats,
    const aopctl_bytes_t *server)
{
    size_t  i;

    for (i = 0; i < stats->nonly; i++) {
        if (strlen(stats->only[i]) == server->len
            && strncasecmp(stats->only[i], server->data, server->len) == 0)
        {
            return 1;
        }
    }

    return stats->nonly == 0;
}


static void
aopctl_log_stats_span(time_t *first, time_t *last, time_t t)
{
    if (*first == 0 || t < *first) {
        *first = t;
    }

    if (t > *last) {
        *last = t;
    }
}


void
aopctl_log_stats_free(aopctl_log_stats_t *stats)
{
    size_t  i;

    for (i = 0; i < stats->nservers; i++) {
        aopctl_passes_free(&stats->servers[i]->passes);
        free(stats->servers[i]->tops);
        free(stats->servers[i]->passed);
        free(stats->servers[i]);
    }
}


ngx_aop_ready_e
aopctl_log_stats_answer(const aopctl_log_stats_t *stats,
    aopctl_server_t *server, ngx_aop_text_t *why, ngx_aop_answer_t *answer)
{
    size_t                i;
    time_t                last;
    uint64_t              passed;
    ngx_aop_host_t       *host;
    ngx_aop_ready_conf_t  conf;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        host = &server->evidence.hosts[i];

        last = host->spells[0].last;
        last = (host->spells[1].last > last) ? host->spells[1].last : last;

        passed = aopctl_passes_since(&server->passes, host->name, last);

        if (passed > host->passed) {
            host->passed = passed;
        }
    }

    conf = stats->conf;

    conf.classical = server->classical;
    conf.state = server->partly ? NGX_AOP_STATE_PARTLY
                 : strcmp(server->mode, "on") == 0 ? NGX_AOP_STATE_ENFORCED
                 : NGX_AOP_STATE_OBSERVING;

    return ngx_aop_ready(&server->evidence, &conf,
                         aopctl_log_stats_end(stats, server), why, answer);
}


time_t
aopctl_log_stats_end(const aopctl_log_stats_t *stats,
    const aopctl_server_t *server)
{
    size_t  i;
    time_t  end;

    end = 0;

    for (i = 0; i < stats->nservers; i++) {
        if (strcmp(stats->servers[i]->origin, server->origin) == 0
            && stats->servers[i]->seen > end)
        {
            end = stats->servers[i]->seen;
        }
    }

    return end;
}
