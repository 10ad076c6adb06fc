
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What a log says, counted.  Lines may come in any order, as from rotated
 * files that were named in any; the memory depends on the number of servers
 * only, and that is bounded.
 */


#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "names.h"
#include "tally.h"
#include "ngx_aop_mode.h"
#include "ngx_aop_text.h"


static int aopctl_tally_entry(aopctl_tally_t *tally,
    const aopctl_entry_t *entry);
static aopctl_server_t *aopctl_tally_server(aopctl_tally_t *tally,
    const aopctl_entry_t *entry);
static aopctl_server_t *aopctl_tally_new(const char *name);
static int aopctl_tally_judged(aopctl_tally_t *tally, aopctl_server_t *server,
    const aopctl_entry_t *entry);
static void aopctl_tally_mode(aopctl_server_t *server,
    const aopctl_entry_t *entry);
static void aopctl_tally_hour(aopctl_server_t *server,
    const aopctl_entry_t *entry, unsigned foreign);
static int aopctl_tally_tops(aopctl_server_t *server,
    const aopctl_entry_t *entry, unsigned foreign);
static unsigned aopctl_tally_foreign(const aopctl_tally_t *tally,
    const aopctl_bytes_t *host);
static unsigned aopctl_tally_wanted(const aopctl_tally_t *tally,
    const aopctl_bytes_t *server);
static int aopctl_tally_passed(aopctl_server_t *server,
    const aopctl_entry_t *entry);
static void aopctl_tally_span(time_t *first, time_t *last, time_t t);


int
aopctl_tally_line(aopctl_tally_t *tally, const char *line, size_t len)
{
    int             rc;
    aopctl_entry_t  entry;

    tally->lines++;

    switch (aopctl_entry_parse(&entry, line, len)) {

    case AOPCTL_ENTRY_OTHER:
        tally->other++;
        return 1;

    case AOPCTL_ENTRY_DAMAGED:
        tally->damaged++;
        return 1;

    default:
        break;
    }

    rc = 1;

    if (!aopctl_tally_wanted(tally, &entry.server)) {
        tally->elsewhere++;

    } else if (entry.time < tally->since) {
        tally->before++;

    } else {
        rc = aopctl_tally_entry(tally, &entry);
    }

    aopctl_entry_free(&entry);

    return rc;
}


static int
aopctl_tally_entry(aopctl_tally_t *tally, const aopctl_entry_t *entry)
{
    aopctl_server_t  *server;

    server = aopctl_tally_server(tally, entry);

    if (server == NULL) {
        return 0;
    }

    aopctl_tally_span(&tally->first, &tally->last, entry->time);

    tally->outcomes[entry->outcome]++;
    server->outcomes[entry->outcome]++;

    return entry->outcome == AOPCTL_OFF
           || aopctl_tally_judged(tally, server, entry);
}


/*
 * A server's name comes from the configuration, so there are few; should
 * there be more than there is room for, the last place is for all of them.
 */

static aopctl_server_t *
aopctl_tally_server(aopctl_tally_t *tally, const aopctl_entry_t *entry)
{
    char              name[AOPCTL_NAME];
    size_t            i, n;
    aopctl_server_t  *server;

    n = ngx_aop_text_utf8(name, sizeof(name) - 1, entry->server.data,
                          entry->server.len);
    name[n] = '\0';

    for (i = 0; i < tally->nservers; i++) {
        if (strcmp(tally->servers[i]->name, name) == 0) {
            return tally->servers[i];
        }
    }

    if (tally->nservers == AOPCTL_SERVERS) {
        return tally->servers[AOPCTL_SERVERS - 1];
    }

    server = aopctl_tally_new(tally->nservers == AOPCTL_SERVERS - 1
                              ? "(further servers)" : name);

    if (server != NULL) {
        tally->servers[tally->nservers++] = server;
    }

    return server;
}


static aopctl_server_t *
aopctl_tally_new(const char *name)
{
    aopctl_server_t  *server;

    server = calloc(1, sizeof(aopctl_server_t));

    if (server != NULL) {
        strcpy(server->name, name);
    }

    return server;
}


static int
aopctl_tally_judged(aopctl_tally_t *tally, aopctl_server_t *server,
    const aopctl_entry_t *entry)
{
    unsigned       foreign;
    aopctl_time_e  kind;

    foreign = aopctl_tally_foreign(tally, &entry->host);
    kind = AOPCTL_TIME_PASSED;

    if (entry->outcome != AOPCTL_PASSED) {
        kind = (entry->peer == NGX_AOP_DIRECT) ? AOPCTL_TIME_FAILED_DIRECT
                                               : AOPCTL_TIME_FAILED;
    }

    aopctl_tally_mode(server, entry);
    aopctl_tally_span(&server->first, &server->last, entry->time);

    server->requests[entry->verdict][entry->peer]++;

    aopctl_tally_hour(server, entry, foreign);
    aopctl_timeline_add(&server->timeline, entry->time, kind);

    switch (kind) {

    case AOPCTL_TIME_PASSED:
        return aopctl_tally_passed(server, entry);

    case AOPCTL_TIME_FAILED:
        return aopctl_tally_tops(server, entry, foreign);

    default:
        return 1;
    }
}


static int
aopctl_tally_passed(aopctl_server_t *server, const aopctl_entry_t *entry)
{
    if (server->passed == NULL) {
        server->passed = calloc(1, sizeof(aopctl_passed_t));

        if (server->passed == NULL) {
            return 0;
        }
    }

    aopctl_passed_add(server->passed, entry);

    return 1;
}


static void
aopctl_tally_mode(aopctl_server_t *server, const aopctl_entry_t *entry)
{
    size_t          n;
    ngx_aop_mode_e  mode;

    if (ngx_aop_mode_parse(&mode, entry->mode.data, entry->mode.len)) {
        server->modes |= 1u << mode;
    }

    if (entry->time >= server->last) {
        n = ngx_aop_text_utf8(server->mode, sizeof(server->mode) - 1,
                              entry->mode.data, entry->mode.len);
        server->mode[n] = '\0';
    }
}


/* An hour that has another one's place is out of the window already. */

static void
aopctl_tally_hour(aopctl_server_t *server, const aopctl_entry_t *entry,
    unsigned foreign)
{
    time_t          number;
    aopctl_hour_t  *hour;

    number = entry->time / 3600;
    hour = &server->hours[number % AOPCTL_HOURS];

    if (hour->hour > number) {
        return;
    }

    if (hour->hour < number) {
        memset(hour, 0, sizeof(aopctl_hour_t));
        hour->hour = number;
    }

    if (foreign && entry->verdict != NGX_AOP_OK) {
        hour->foreign[entry->peer]++;

    } else {
        hour->requests[entry->verdict][entry->peer]++;

        if (entry->verdict != NGX_AOP_OK
            && entry->peer != NGX_AOP_DIRECT
            && entry->time > hour->failed)
        {
            hour->failed = entry->time;
        }
    }

    if (entry->peer != NGX_AOP_EDGE) {
        return;
    }

    if (entry->full) {
        hour->handshakes++;
    }

    if (foreign && entry->verdict == NGX_AOP_OK) {
        hour->elsewhere++;
    }
}


static int
aopctl_tally_tops(aopctl_server_t *server, const aopctl_entry_t *entry,
    unsigned foreign)
{
    if (server->tops == NULL) {
        server->tops = calloc(AOPCTL_TOPS, sizeof(aopctl_top_t));

        if (server->tops == NULL) {
            return 0;
        }
    }

    aopctl_top_add(&server->tops[AOPCTL_TOP_ADDRESSES], entry, &entry->addr,
                   foreign);
    aopctl_top_add(&server->tops[AOPCTL_TOP_HOSTS], entry, &entry->host,
                   foreign);
    aopctl_top_add(&server->tops[AOPCTL_TOP_PATHS], entry, &entry->path,
                   foreign);
    aopctl_top_add(&server->tops[AOPCTL_TOP_AGENTS], entry, &entry->agent,
                   foreign);

    return 1;
}


static unsigned
aopctl_tally_foreign(const aopctl_tally_t *tally, const aopctl_bytes_t *host)
{
    return tally->nnames != 0
           && !aopctl_names_have(tally->names, tally->nnames, host);
}


static unsigned
aopctl_tally_wanted(const aopctl_tally_t *tally, const aopctl_bytes_t *server)
{
    size_t  i;

    for (i = 0; i < tally->nonly; i++) {
        if (strlen(tally->only[i]) == server->len
            && strncasecmp(tally->only[i], server->data, server->len) == 0)
        {
            return 1;
        }
    }

    return tally->nonly == 0;
}


static void
aopctl_tally_span(time_t *first, time_t *last, time_t t)
{
    if (*first == 0 || t < *first) {
        *first = t;
    }

    if (t > *last) {
        *last = t;
    }
}


void
aopctl_tally_free(aopctl_tally_t *tally)
{
    size_t  i;

    for (i = 0; i < tally->nservers; i++) {
        free(tally->servers[i]->tops);
        free(tally->servers[i]->passed);
        free(tally->servers[i]);
    }
}


void
aopctl_tally_window(const aopctl_tally_t *tally,
    const aopctl_server_t *server, ngx_aop_window_t *window)
{
    size_t                i;
    unsigned              peer, verdict;
    const aopctl_hour_t  *hour;

    memset(window, 0, sizeof(ngx_aop_window_t));

    for (i = 0; i < AOPCTL_HOURS; i++) {
        hour = &server->hours[i];

        if (hour->hour * 3600 < aopctl_tally_start(tally)) {
            continue;
        }

        for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
            for (peer = 0; peer < NGX_AOP_PEERS; peer++) {
                window->requests[verdict][peer] +=
                                               hour->requests[verdict][peer];
            }
        }

        for (peer = 0; peer < NGX_AOP_PEERS; peer++) {
            window->foreign[peer] += hour->foreign[peer];
        }

        window->elsewhere += hour->elsewhere;
        window->handshakes += hour->handshakes;

        if (hour->failed > window->last) {
            window->last = hour->failed;
        }
    }
}


time_t
aopctl_tally_start(const aopctl_tally_t *tally)
{
    return (tally->last / 3600 - (AOPCTL_HOURS - 1)) * 3600;
}
