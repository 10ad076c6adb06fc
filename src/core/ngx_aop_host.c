
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which hosts failed from Cloudflare, and whether that is over.  The most
 * frequent stay; hosts that are not names of the server are only remembered.
 */


#include <string.h>

#include "ngx_aop_host.h"
#include "ngx_aop_private.h"
#include "ngx_aop_spell.h"
#include "ngx_aop_text.h"


static ngx_aop_host_t *ngx_aop_host(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event, uint64_t via);
static size_t ngx_aop_host_place(ngx_aop_evidence_t *evidence);
static ngx_aop_other_host_t *ngx_aop_host_other(
    ngx_aop_evidence_t *evidence, const ngx_aop_event_t *event, uint64_t via);
static uint64_t ngx_aop_host_via(const ngx_aop_event_t *event);
static int ngx_aop_host_through(const ngx_aop_evidence_t *evidence,
    uint64_t via, unsigned ray, unsigned listed);


/*
 * A place may be taken by another host between the lookup and the addition: a
 * count may be too high by one per worker, out of the hundred that are needed.
 */

void
ngx_aop_host_passed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    size_t           i;
    uint64_t         hash;
    ngx_aop_host_t  *host;

    hash = ngx_aop_top_key(event->host, event->host_len);

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {

        if (evidence->host_hashes[i] != hash) {
            continue;
        }

        host = &evidence->hosts[i];

        /* in a log, a line of the same second may have come before */

        if (ngx_aop_text_is(host->name, sizeof(host->name), event->host,
                            event->host_len)
            && (!evidence->log
                || (event->time > host->spells[NGX_AOP_SPELL_KEPT].last
                    && event->time
                       > host->spells[NGX_AOP_SPELL_CERTIFICATE].last)))
        {
            ngx_aop_evidence_inc(&host->passed);
        }
    }
}


void
ngx_aop_host_failed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    ngx_aop_host_t   *host;
    ngx_aop_spell_t  *spell;

    host = ngx_aop_host(evidence, event, ngx_aop_host_via(event));
    spell = &host->spells[ngx_aop_spell_kind(event->verdict)];

    /* in a log, an older line may come later */

    if (event->time >= ngx_aop_spell_last(host->spells, NGX_AOP_SPELLS)) {
        host->passed = 0;
    }

    ngx_aop_spell_add(spell, event->time);

    host->verdicts[event->verdict]++;
}


void
ngx_aop_host_other_failed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    ngx_aop_other_host_t  *other;

    other = ngx_aop_host_other(evidence, event, ngx_aop_host_via(event));

    other->count[ngx_aop_spell_kind(event->verdict)]++;

    if (event->time > other->last) {
        other->last = event->time;
    }
}


static ngx_aop_host_t *
ngx_aop_host(ngx_aop_evidence_t *evidence, const ngx_aop_event_t *event,
    uint64_t via)
{
    size_t           i;
    uint64_t         hash;
    ngx_aop_host_t  *host;

    hash = ngx_aop_top_key(event->host, event->host_len);

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        host = &evidence->hosts[i];

        if (evidence->host_hashes[i] == hash
            && host->via == via
            && (via == 0 || host->ray == event->ray)
            && ngx_aop_text_is(host->name, sizeof(host->name), event->host,
                               event->host_len))
        {
            return host;
        }
    }

    i = ngx_aop_host_place(evidence);
    host = &evidence->hosts[i];

    if (evidence->host_hashes[i] != 0) {
        ngx_aop_spell_lose(evidence->lost_hosts, host->spells,
                           NGX_AOP_SPELLS);
        __atomic_store_n(&evidence->host_hashes[i], 0, __ATOMIC_RELEASE);

    } else {
        evidence->nhosts++;
    }

    memset(host, 0, sizeof(ngx_aop_host_t));

    host->via = via;
    host->ray = event->ray;
    host->listed = (event->peer == NGX_AOP_PEER_EDGE);

    ngx_aop_text_copy(host->name, sizeof(host->name), event->host,
                      event->host_len);

    __atomic_store_n(&evidence->host_hashes[i], hash, __ATOMIC_RELEASE);

    return host;
}


static size_t
ngx_aop_host_place(ngx_aop_evidence_t *evidence)
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
                                 NGX_AOP_SPELLS, evidence->latest))
        {
            place = i;
            least = count;
        }
    }

    return place;
}


static ngx_aop_other_host_t *
ngx_aop_host_other(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event, uint64_t via)
{
    size_t                 i;
    uint64_t               hash, count, least;
    ngx_aop_other_host_t  *other, *place;

    place = evidence->other_hosts;
    least = UINT64_MAX;
    hash = ngx_aop_top_key(event->host, event->host_len);

    for (i = 0; i < NGX_AOP_EVIDENCE_OTHERS; i++) {
        other = &evidence->other_hosts[i];

        if (other->hash == hash
            && other->via == via
            && (via == 0 || other->ray == event->ray)
            && ngx_aop_text_is(other->name, sizeof(other->name), event->host,
                               event->host_len))
        {
            return other;
        }

        count = (uint64_t) other->count[0] + other->count[1];

        if (count < least) {
            place = other;
            least = count;
        }
    }

    memset(place, 0, sizeof(ngx_aop_other_host_t));

    place->hash = hash;
    place->via = via;
    place->ray = event->ray;
    place->listed = (event->peer == NGX_AOP_PEER_EDGE);

    ngx_aop_text_copy(place->name, sizeof(place->name), event->host,
                      event->host_len);

    return place;
}


static uint64_t
ngx_aop_host_via(const ngx_aop_event_t *event)
{
    return event->private ? ngx_aop_top_key(event->addr, event->addr_len)
                          : 0;
}


int
ngx_aop_host_decides(const ngx_aop_evidence_t *evidence, size_t i)
{
    const ngx_aop_host_t  *host;

    host = &evidence->hosts[i];

    return evidence->host_hashes[i] != 0
           && ngx_aop_host_through(evidence, host->via, host->ray,
                                   host->listed);
}


int
ngx_aop_host_named(const ngx_aop_evidence_t *evidence, size_t i)
{
    const ngx_aop_other_host_t  *other;

    other = &evidence->other_hosts[i];

    return other->hash != 0
           && (other->count[0] || other->count[1])
           && ngx_aop_host_through(evidence, other->via, other->ray,
                                   other->listed);
}


/*
 * Did the requests from this private address come from Cloudflare?  If the
 * address is no longer known, yes: that errs on the safe side.
 */

static int
ngx_aop_host_through(const ngx_aop_evidence_t *evidence, uint64_t via,
    unsigned ray, unsigned listed)
{
    size_t  i;

    if (via == 0) {
        return 1;
    }

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        if (evidence->private_hashes[i] == via) {
            return ngx_aop_private_hides(&evidence->privates[i]) ? ray
                                                                 : listed;
        }
    }

    return 1;
}


time_t
ngx_aop_host_settles(const ngx_aop_evidence_t *evidence, size_t i,
    time_t quiet, uint64_t requests)
{
    int                    enough;
    time_t                 first, second;
    const ngx_aop_host_t  *host;

    if (!ngx_aop_host_decides(evidence, i)) {
        return 0;
    }

    host = &evidence->hosts[i];
    enough = (host->passed >= requests);

    first = ngx_aop_spell_settles_host(&host->spells[0], quiet, enough);
    second = ngx_aop_spell_settles_host(&host->spells[1], quiet, enough);

    return (first > second) ? first : second;
}


void
ngx_aop_host_policy(ngx_aop_evidence_t *evidence)
{
    size_t           i;
    ngx_aop_host_t  *host;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        host = &evidence->hosts[i];
        host->passed = 0;

        if (evidence->host_hashes[i] != 0
            && ngx_aop_spell_void(host->spells, NGX_AOP_SPELLS,
                                  host->verdicts))
        {
            evidence->host_hashes[i] = 0;
            evidence->nhosts--;
        }
    }

    for (i = 0; i < NGX_AOP_EVIDENCE_OTHERS; i++) {
        evidence->other_hosts[i].count[NGX_AOP_SPELL_CERTIFICATE] = 0;
    }

    memset(&evidence->lost_hosts[NGX_AOP_SPELL_CERTIFICATE], 0,
           sizeof(ngx_aop_lost_t));
}


void
ngx_aop_host_back(ngx_aop_evidence_t *evidence, time_t t)
{
    size_t  i;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        ngx_aop_spell_back(evidence->hosts[i].spells, NGX_AOP_SPELLS, t);
    }

    for (i = 0; i < NGX_AOP_EVIDENCE_OTHERS; i++) {
        ngx_aop_spell_not_after(&evidence->other_hosts[i].last, t);
    }

    ngx_aop_spell_back_lost(evidence->lost_hosts, t);
}
