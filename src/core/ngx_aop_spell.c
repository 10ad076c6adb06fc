
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The tables of failures: by host, of what came from Cloudflare, and by
 * address, of what came from private ones.  The most frequent stay.  One that
 * has to go leaves behind until when it would have counted.
 */


#include <string.h>

#include "ngx_aop_spell.h"
#include "ngx_aop_text.h"


#define NGX_AOP_SPELL_HALF  (NGX_AOP_EVIDENCE_DAY / 2)

/* a day, and as much as what comes daily may be late: else it is new */

#define NGX_AOP_SPELL_LONG  (NGX_AOP_EVIDENCE_DAY + 3600)


static void ngx_aop_spell_add(ngx_aop_spell_t *spell, time_t t);
static void ngx_aop_spell_start(ngx_aop_spell_t *spell, time_t t);
static void ngx_aop_spell_gap(ngx_aop_spell_t *spell, time_t t, time_t gap);
static time_t ngx_aop_spell_usual(const ngx_aop_spell_t *spell);
static time_t ngx_aop_spell_settles(const ngx_aop_spell_t *spell,
    time_t quiet);
static time_t ngx_aop_spell_settles_host(const ngx_aop_spell_t *spell,
    time_t quiet, int enough);
static void ngx_aop_spell_lose(ngx_aop_lost_t *lost,
    const ngx_aop_spell_t *spells);
static ngx_aop_host_t *ngx_aop_spell_host(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event, uint64_t via);
static size_t ngx_aop_spell_host_place(ngx_aop_evidence_t *evidence);
static size_t ngx_aop_spell_private_place(ngx_aop_evidence_t *evidence);
static int ngx_aop_spell_rather(const ngx_aop_spell_t *one, uint64_t count,
    const ngx_aop_spell_t *two, uint64_t least, time_t now);
static ngx_aop_other_host_t *ngx_aop_spell_other_host(
    ngx_aop_evidence_t *evidence, const ngx_aop_event_t *event, uint64_t via);
static uint64_t ngx_aop_spell_via(const ngx_aop_event_t *event);
static int ngx_aop_spell_through(const ngx_aop_evidence_t *evidence,
    uint64_t via, unsigned ray, unsigned listed);
static uint64_t ngx_aop_spell_count(const uint32_t *verdicts);
static int ngx_aop_spell_void(ngx_aop_spell_t *spells, uint32_t *verdicts);
static time_t ngx_aop_spell_last(const ngx_aop_spell_t *spells);
static void ngx_aop_spell_not_after(time_t *t, time_t now);
static void ngx_aop_spell_back_one(ngx_aop_spell_t *spells, time_t t);
static void ngx_aop_spell_back_lost(ngx_aop_lost_t *lost, time_t t);
static void ngx_aop_spell_text(char *name, size_t size, const char *text,
    size_t len);


ngx_aop_spell_e
ngx_aop_spell_kind(ngx_aop_verdict_e verdict)
{
    switch (verdict) {

    case NGX_AOP_VERDICT_NONE:
    case NGX_AOP_VERDICT_PLAINTEXT:
    case NGX_AOP_VERDICT_MISDIRECTED:
    case NGX_AOP_VERDICT_ERROR:
        return NGX_AOP_SPELL_KEPT;

    default:
        return NGX_AOP_SPELL_CERTIFICATE;
    }
}


void
ngx_aop_spell_private_failed(ngx_aop_private_t *peer,
    const ngx_aop_event_t *event)
{
    ngx_aop_spell_add(&peer->spells[ngx_aop_spell_kind(event->verdict)],
                      event->time);

    peer->verdicts[event->verdict]++;

    if (event->ray) {
        peer->rayed++;

    } else {
        peer->unrayed++;
    }
}


void
ngx_aop_spell_host_failed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    ngx_aop_host_t   *host;
    ngx_aop_spell_t  *spell;

    host = ngx_aop_spell_host(evidence, event, ngx_aop_spell_via(event));
    spell = &host->spells[ngx_aop_spell_kind(event->verdict)];

    /* what a log tells late is no news */

    if (event->time >= ngx_aop_spell_last(host->spells)) {
        host->passed = 0;
    }

    ngx_aop_spell_add(spell, event->time);

    host->verdicts[event->verdict]++;
}


void
ngx_aop_spell_other_host_failed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    ngx_aop_other_host_t  *other_host;

    other_host = ngx_aop_spell_other_host(evidence, event,
                                          ngx_aop_spell_via(event));

    other_host->count[ngx_aop_spell_kind(event->verdict)]++;

    if (event->time > other_host->last) {
        other_host->last = event->time;
    }
}


static void
ngx_aop_spell_add(ngx_aop_spell_t *spell, time_t t)
{
    if (spell->last == 0 || t - spell->last > NGX_AOP_SPELL_LONG) {
        ngx_aop_spell_start(spell, t);
        return;
    }

    if (t >= spell->last) {
        ngx_aop_spell_gap(spell, t, t - spell->last);
        spell->last = t;
        return;
    }

    if (t < spell->first && spell->first - t <= NGX_AOP_SPELL_LONG) {
        ngx_aop_spell_gap(spell, t, spell->first - t);
        spell->first = t;
    }
}


static void
ngx_aop_spell_start(ngx_aop_spell_t *spell, time_t t)
{
    /* no failure may shorten the time that the ones before it take */

    spell->gap[1] = ngx_aop_spell_usual(spell);
    spell->gap[0] = 0;

    spell->first = t;
    spell->last = t;
    spell->turn = t;
}


/*
 * The usual interval is the longest of the last half to whole day: what comes
 * in bursts is taken by the time between these.
 */

static void
ngx_aop_spell_gap(ngx_aop_spell_t *spell, time_t t, time_t gap)
{
    if (t - spell->turn >= NGX_AOP_SPELL_HALF) {
        spell->gap[1] = spell->gap[0];
        spell->gap[0] = 0;
        spell->turn = t;
    }

    if (gap > spell->gap[0]) {
        spell->gap[0] = gap;
    }
}


static time_t
ngx_aop_spell_usual(const ngx_aop_spell_t *spell)
{
    return (spell->gap[0] > spell->gap[1]) ? spell->gap[0] : spell->gap[1];
}


time_t
ngx_aop_spell_host_settles(const ngx_aop_evidence_t *evidence, size_t i,
    time_t quiet, uint64_t requests)
{
    int                    enough;
    time_t                 first, second;
    const ngx_aop_host_t  *host;

    if (!ngx_aop_spell_decides(evidence, i)) {
        return 0;
    }

    host = &evidence->hosts[i];
    enough = (host->passed >= requests);

    first = ngx_aop_spell_settles_host(&host->spells[0], quiet, enough);
    second = ngx_aop_spell_settles_host(&host->spells[1], quiet, enough);

    return (first > second) ? first : second;
}


time_t
ngx_aop_spell_private_settles(const ngx_aop_evidence_t *evidence, size_t i,
    time_t quiet)
{
    time_t                    first, second;
    const ngx_aop_private_t  *peer;

    peer = &evidence->privates[i];

    if (evidence->private_hashes[i] == 0 || peer->relay != 0) {
        return 0;
    }

    first = ngx_aop_spell_settles(&peer->spells[0], quiet);
    second = ngx_aop_spell_settles(&peer->spells[1], quiet);

    return (first > second) ? first : second;
}


/* What was seen once, or for less than that time, may come once a day. */

static time_t
ngx_aop_spell_settles(const ngx_aop_spell_t *spell, time_t quiet)
{
    time_t  wait;

    if (spell->last == 0) {
        return 0;
    }

    wait = 2 * ngx_aop_spell_usual(spell);

    if (spell->last - spell->first < quiet && wait < NGX_AOP_EVIDENCE_DAY) {
        wait = NGX_AOP_EVIDENCE_DAY;
    }

    return spell->last + (wait > quiet ? wait : quiet);
}


/*
 * A host that has failed again after a time as long as that needs twice the
 * time: the last that it took, it was not over.
 */

static time_t
ngx_aop_spell_settles_host(const ngx_aop_spell_t *spell, time_t quiet,
    int enough)
{
    time_t  wait, most;

    if (spell->last == 0) {
        return 0;
    }

    most = (quiet > NGX_AOP_EVIDENCE_DAY) ? quiet : NGX_AOP_EVIDENCE_DAY;

    if (!enough) {
        return spell->last + most;
    }

    wait = ngx_aop_spell_usual(spell);
    wait = (wait >= quiet) ? 2 * wait : quiet;

    return spell->last + (wait < most ? wait : most);
}


static void
ngx_aop_spell_lose(ngx_aop_lost_t *lost, const ngx_aop_spell_t *spells)
{
    time_t    until;
    unsigned  kind;

    for (kind = 0; kind < NGX_AOP_SPELLS; kind++) {
        until = ngx_aop_spell_settles(&spells[kind], NGX_AOP_EVIDENCE_DAY);

        if (until > lost[kind].until) {
            lost[kind].until = until;
        }

        if (spells[kind].last > lost[kind].last) {
            lost[kind].last = spells[kind].last;
        }
    }
}


static ngx_aop_host_t *
ngx_aop_spell_host(ngx_aop_evidence_t *evidence, const ngx_aop_event_t *event,
    uint64_t via)
{
    size_t           i;
    uint64_t         hash;
    ngx_aop_host_t  *host;

    hash = ngx_aop_spell_hash(event->host, event->host_len);

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        host = &evidence->hosts[i];

        if (evidence->host_hashes[i] == hash
            && host->via == via
            && (via == 0 || host->ray == event->ray)
            && ngx_aop_spell_is(host->name, sizeof(host->name), event->host,
                                event->host_len))
        {
            return host;
        }
    }

    i = ngx_aop_spell_host_place(evidence);
    host = &evidence->hosts[i];

    if (evidence->host_hashes[i] != 0) {
        ngx_aop_spell_lose(evidence->lost_hosts, host->spells);
        __atomic_store_n(&evidence->host_hashes[i], 0, __ATOMIC_RELEASE);

    } else {
        evidence->nhosts++;
    }

    memset(host, 0, sizeof(ngx_aop_host_t));

    host->via = via;
    host->ray = event->ray;
    host->listed = (event->peer == NGX_AOP_PEER_EDGE);

    ngx_aop_spell_text(host->name, sizeof(host->name), event->host,
                       event->host_len);

    __atomic_store_n(&evidence->host_hashes[i], hash, __ATOMIC_RELEASE);

    return host;
}


static size_t
ngx_aop_spell_host_place(ngx_aop_evidence_t *evidence)
{
    size_t                 i, place;
    uint64_t               count, least;
    const ngx_aop_host_t  *host;

    place = 0;
    least = UINT64_MAX;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {

        if (evidence->host_hashes[i] == 0) {
            return i;
        }

        host = &evidence->hosts[i];
        count = ngx_aop_spell_count(host->verdicts);

        if (ngx_aop_spell_rather(host->spells, count,
                                 evidence->hosts[place].spells, least,
                                 evidence->latest))
        {
            place = i;
            least = count;
        }
    }

    return place;
}


/* What is long over goes first, then the least frequent, then the oldest. */

static int
ngx_aop_spell_rather(const ngx_aop_spell_t *one, uint64_t count,
    const ngx_aop_spell_t *two, uint64_t least, time_t now)
{
    int     first, second;
    time_t  day;

    if (least == UINT64_MAX) {
        return 1;
    }

    day = NGX_AOP_EVIDENCE_DAY;

    first = now > ngx_aop_spell_settles(&one[0], day)
            && now > ngx_aop_spell_settles(&one[1], day);
    second = now > ngx_aop_spell_settles(&two[0], day)
             && now > ngx_aop_spell_settles(&two[1], day);

    if (first != second) {
        return first;
    }

    if (count != least) {
        return count < least;
    }

    return ngx_aop_spell_last(one) < ngx_aop_spell_last(two);
}


ngx_aop_private_t *
ngx_aop_spell_find(ngx_aop_evidence_t *evidence, const char *addr, size_t len)
{
    size_t              i;
    uint64_t            hash;
    ngx_aop_private_t  *peer;

    if (evidence->nprivates == 0) {
        return NULL;
    }

    hash = ngx_aop_spell_hash(addr, len);

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        peer = &evidence->privates[i];

        if (evidence->private_hashes[i] == hash
            && ngx_aop_spell_is(peer->addr, sizeof(peer->addr), addr, len))
        {
            return peer;
        }
    }

    return NULL;
}


ngx_aop_private_t *
ngx_aop_spell_private(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    size_t              i;
    ngx_aop_private_t  *peer;

    peer = ngx_aop_spell_find(evidence, event->addr, event->addr_len);

    if (peer != NULL) {
        return peer;
    }

    i = ngx_aop_spell_private_place(evidence);
    peer = &evidence->privates[i];

    if (evidence->private_hashes[i] != 0) {
        ngx_aop_spell_lose(evidence->lost_privates, peer->spells);
        __atomic_store_n(&evidence->private_hashes[i], 0, __ATOMIC_RELEASE);

    } else {
        evidence->nprivates++;
    }

    memset(peer, 0, sizeof(ngx_aop_private_t));

    ngx_aop_spell_text(peer->addr, sizeof(peer->addr), event->addr,
                       event->addr_len);

    __atomic_store_n(&evidence->private_hashes[i],
                     ngx_aop_spell_hash(event->addr, event->addr_len),
                     __ATOMIC_RELEASE);

    return peer;
}


/* Relays stay, for what comes through them would be taken for private. */

static size_t
ngx_aop_spell_private_place(ngx_aop_evidence_t *evidence)
{
    size_t                    i, place;
    uint64_t                  count, least;
    const ngx_aop_private_t  *peer;

    place = 0;
    least = UINT64_MAX;

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {

        if (evidence->private_hashes[i] == 0) {
            return i;
        }

        peer = &evidence->privates[i];
        count = ngx_aop_spell_count(peer->verdicts);

        if (peer->relay == 0
            && ngx_aop_spell_rather(peer->spells, count,
                                    evidence->privates[place].spells, least,
                                    evidence->latest))
        {
            place = i;
            least = count;
        }
    }

    if (least != UINT64_MAX) {
        return place;
    }

    for (i = 1; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        if (evidence->privates[i].relay < evidence->privates[place].relay) {
            place = i;
        }
    }

    return place;
}


static ngx_aop_other_host_t *
ngx_aop_spell_other_host(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event, uint64_t via)
{
    size_t                 i;
    uint64_t               hash, count, least;
    ngx_aop_other_host_t  *other_host, *place;

    place = evidence->other_hosts;
    least = UINT64_MAX;
    hash = ngx_aop_spell_hash(event->host, event->host_len);

    for (i = 0; i < NGX_AOP_EVIDENCE_OTHERS; i++) {
        other_host = &evidence->other_hosts[i];

        if (other_host->hash == hash
            && other_host->via == via
            && ngx_aop_spell_is(other_host->name, sizeof(other_host->name),
                                event->host, event->host_len))
        {
            return other_host;
        }

        count = (uint64_t) other_host->count[0] + other_host->count[1];

        if (count < least) {
            place = other_host;
            least = count;
        }
    }

    memset(place, 0, sizeof(ngx_aop_other_host_t));

    place->hash = hash;
    place->via = via;

    ngx_aop_spell_text(place->name, sizeof(place->name), event->host,
                       event->host_len);

    return place;
}


static uint64_t
ngx_aop_spell_via(const ngx_aop_event_t *event)
{
    return event->private ? ngx_aop_spell_hash(event->addr, event->addr_len)
                          : 0;
}


int
ngx_aop_spell_decides(const ngx_aop_evidence_t *evidence, size_t i)
{
    const ngx_aop_host_t  *host;

    host = &evidence->hosts[i];

    return evidence->host_hashes[i] != 0
           && ngx_aop_spell_through(evidence, host->via, host->ray,
                                    host->listed);
}


int
ngx_aop_spell_named(const ngx_aop_evidence_t *evidence, size_t i)
{
    const ngx_aop_other_host_t  *other_host;

    other_host = &evidence->other_hosts[i];

    return other_host->hash != 0
           && (other_host->count[0] || other_host->count[1])
           && ngx_aop_spell_through(evidence, other_host->via, 1, 0);
}


/*
 * Is what came through this private address Cloudflare's?  If nothing is
 * known of the address any more, it is: that is the side to err on.
 */

static int
ngx_aop_spell_through(const ngx_aop_evidence_t *evidence, uint64_t via,
    unsigned ray, unsigned listed)
{
    size_t  i;

    if (via == 0) {
        return 1;
    }

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        if (evidence->private_hashes[i] == via) {
            return (evidence->privates[i].relay != 0) ? ray : listed;
        }
    }

    return 1;
}


void
ngx_aop_spell_policy(ngx_aop_evidence_t *evidence)
{
    size_t              i;
    ngx_aop_host_t     *host;
    ngx_aop_private_t  *peer;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        host = &evidence->hosts[i];
        host->passed = 0;

        if (evidence->host_hashes[i] != 0
            && ngx_aop_spell_void(host->spells, host->verdicts))
        {
            evidence->host_hashes[i] = 0;
            evidence->nhosts--;
        }
    }

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        peer = &evidence->privates[i];

        if (evidence->private_hashes[i] != 0
            && ngx_aop_spell_void(peer->spells, peer->verdicts)
            && peer->relay == 0)
        {
            evidence->private_hashes[i] = 0;
            evidence->nprivates--;
        }
    }

    for (i = 0; i < NGX_AOP_EVIDENCE_OTHERS; i++) {
        evidence->other_hosts[i].count[NGX_AOP_SPELL_CERTIFICATE] = 0;
    }

    memset(&evidence->lost_hosts[NGX_AOP_SPELL_CERTIFICATE], 0,
           sizeof(ngx_aop_lost_t));
    memset(&evidence->lost_privates[NGX_AOP_SPELL_CERTIFICATE], 0,
           sizeof(ngx_aop_lost_t));
}


/* Returns whether nothing is left. */

static int
ngx_aop_spell_void(ngx_aop_spell_t *spells, uint32_t *verdicts)
{
    unsigned  verdict;

    memset(&spells[NGX_AOP_SPELL_CERTIFICATE], 0, sizeof(ngx_aop_spell_t));

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        if (ngx_aop_spell_kind(verdict) == NGX_AOP_SPELL_CERTIFICATE) {
            verdicts[verdict] = 0;
        }
    }

    return spells[NGX_AOP_SPELL_KEPT].last == 0;
}


void
ngx_aop_spell_back(ngx_aop_evidence_t *evidence, time_t t)
{
    size_t  i;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        ngx_aop_spell_back_one(evidence->hosts[i].spells, t);
    }

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        ngx_aop_spell_back_one(evidence->privates[i].spells, t);
        ngx_aop_spell_not_after(&evidence->privates[i].relay, t);
    }

    for (i = 0; i < NGX_AOP_EVIDENCE_OTHERS; i++) {
        ngx_aop_spell_not_after(&evidence->other_hosts[i].last, t);
    }

    ngx_aop_spell_back_lost(evidence->lost_hosts, t);
    ngx_aop_spell_back_lost(evidence->lost_privates, t);

    ngx_aop_spell_not_after(&evidence->since, t);
    ngx_aop_spell_not_after(&evidence->first, t);
    ngx_aop_spell_not_after(&evidence->direct, t);
    ngx_aop_spell_not_after(&evidence->unjudged[0], t);
    ngx_aop_spell_not_after(&evidence->unjudged[1], t);
}


static void
ngx_aop_spell_back_one(ngx_aop_spell_t *spells, time_t t)
{
    unsigned  kind;

    for (kind = 0; kind < NGX_AOP_SPELLS; kind++) {
        ngx_aop_spell_not_after(&spells[kind].first, t);
        ngx_aop_spell_not_after(&spells[kind].last, t);
        ngx_aop_spell_not_after(&spells[kind].turn, t);
    }
}


static void
ngx_aop_spell_back_lost(ngx_aop_lost_t *lost, time_t t)
{
    unsigned  kind;

    for (kind = 0; kind < NGX_AOP_SPELLS; kind++) {

        if (lost[kind].last > t) {
            lost[kind].until -= lost[kind].last - t;
            lost[kind].last = t;

            if (lost[kind].until < t + NGX_AOP_EVIDENCE_DAY) {
                lost[kind].until = t + NGX_AOP_EVIDENCE_DAY;
            }
        }
    }
}


static void
ngx_aop_spell_not_after(time_t *t, time_t now)
{
    if (*t > now) {
        *t = now;
    }
}


static uint64_t
ngx_aop_spell_count(const uint32_t *verdicts)
{
    uint64_t  count;
    unsigned  verdict;

    count = 0;

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        count += verdicts[verdict];
    }

    return count;
}


static time_t
ngx_aop_spell_last(const ngx_aop_spell_t *spells)
{
    return (spells[0].last > spells[1].last) ? spells[0].last : spells[1].last;
}


static void
ngx_aop_spell_text(char *name, size_t size, const char *text, size_t len)
{
    size_t  n;

    n = ngx_aop_text_utf8(name, size - 1, text, len);

    name[n] = '\0';
}


int
ngx_aop_spell_is(const char *name, size_t size, const char *text, size_t len)
{
    char  buf[NGX_AOP_EVIDENCE_NAME];

    ngx_aop_spell_text(buf, size, text, len);

    return strcmp(name, buf) == 0;
}


/* FNV-1a; names are compared too, so that two of one hash stay two. */

uint64_t
ngx_aop_spell_hash(const char *text, size_t len)
{
    uint64_t  hash;

    hash = 0xcbf29ce484222325u;

    while (len--) {
        hash = (hash ^ (unsigned char) *text++) * 0x100000001b3u;
    }

    return hash ? hash : 1;
}
