
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What failed from each private address.  The most frequent addresses stay.
 * One address may send a health check each second and a backup once a day:
 * requests that are alike have rows of their own, so that the end of the one
 * is not taken for the end of the other.
 */


#include <string.h>

#include "ngx_aop_private.h"
#include "ngx_aop_spell.h"
#include "ngx_aop_text.h"


/* so many do not pass by the hand of an administrator */

#define NGX_AOP_PRIVATE_CARRIED  10


static size_t ngx_aop_private_place(ngx_aop_evidence_t *evidence);
static size_t ngx_aop_private_resting(const ngx_aop_evidence_t *evidence);
static ngx_aop_spell_t *ngx_aop_private_row(ngx_aop_evidence_t *evidence,
    ngx_aop_private_t *peer, const ngx_aop_event_t *event);


ngx_aop_private_t *
ngx_aop_private_find(ngx_aop_evidence_t *evidence, const char *addr,
    size_t len)
{
    size_t              i;
    uint64_t            hash;
    ngx_aop_private_t  *peer;

    if (evidence->nprivates == 0) {
        return NULL;
    }

    hash = ngx_aop_top_key(addr, len);

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        peer = &evidence->privates[i];

        if (evidence->private_hashes[i] == hash
            && ngx_aop_text_is(peer->addr, sizeof(peer->addr), addr, len))
        {
            return peer;
        }
    }

    return NULL;
}


ngx_aop_private_t *
ngx_aop_private(ngx_aop_evidence_t *evidence, const ngx_aop_event_t *event)
{
    size_t              i;
    ngx_aop_private_t  *peer;

    peer = ngx_aop_private_find(evidence, event->addr, event->addr_len);

    if (peer != NULL) {
        return peer;
    }

    i = ngx_aop_private_place(evidence);
    peer = &evidence->privates[i];

    if (evidence->private_hashes[i] != 0) {
        ngx_aop_spell_lose(evidence->lost_privates, peer->spells,
                           NGX_AOP_PRIVATE_SPELLS);
        __atomic_store_n(&evidence->private_hashes[i], 0, __ATOMIC_RELEASE);

    } else {
        evidence->nprivates++;
    }

    memset(peer, 0, sizeof(ngx_aop_private_t));

    ngx_aop_text_copy(peer->addr, sizeof(peer->addr), event->addr,
                      event->addr_len);

    __atomic_store_n(&evidence->private_hashes[i],
                     ngx_aop_top_key(event->addr, event->addr_len),
                     __ATOMIC_RELEASE);

    return peer;
}


/* Relays stay, for what comes through them would be taken for private. */

static size_t
ngx_aop_private_place(ngx_aop_evidence_t *evidence)
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

        if (!ngx_aop_private_relay(peer, evidence->latest)
            && ngx_aop_spell_rather(peer->spells, count,
                                    evidence->privates[place].spells, least,
                                    NGX_AOP_PRIVATE_SPELLS, evidence->latest))
        {
            place = i;
            least = count;
        }
    }

    return (least != UINT64_MAX) ? place : ngx_aop_private_resting(evidence);
}


static size_t
ngx_aop_private_resting(const ngx_aop_evidence_t *evidence)
{
    size_t  i, place;

    place = 0;

    for (i = 1; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        if (evidence->privates[i].relay < evidence->privates[place].relay) {
            place = i;
        }
    }

    return place;
}


void
ngx_aop_private_failed(ngx_aop_evidence_t *evidence, ngx_aop_private_t *peer,
    const ngx_aop_event_t *event)
{
    ngx_aop_spell_t  *row;

    row = ngx_aop_private_row(evidence, peer, event);

    ngx_aop_spell_add(&row[ngx_aop_spell_kind(event->verdict)], event->time);

    peer->verdicts[event->verdict]++;

    if (event->ray) {
        peer->rayed++;

    } else {
        peer->unrayed++;
    }
}


/* The last row is for all that have none of their own. */

static ngx_aop_spell_t *
ngx_aop_private_row(ngx_aop_evidence_t *evidence, ngx_aop_private_t *peer,
    const ngx_aop_event_t *event)
{
    size_t            i;
    ngx_aop_spell_t  *row;

    for (i = 0; i < NGX_AOP_PRIVATE_REQUESTS; i++) {
        row = &peer->spells[i * NGX_AOP_SPELLS];

        if (peer->requests[i] == event->request
            && ngx_aop_spell_last(row, NGX_AOP_SPELLS) != 0)
        {
            return row;
        }
    }

    for (i = 0; i < NGX_AOP_PRIVATE_REQUESTS; i++) {
        row = &peer->spells[i * NGX_AOP_SPELLS];

        if (ngx_aop_spell_over(row, NGX_AOP_SPELLS, event->time)) {
            ngx_aop_spell_lose(evidence->lost_privates, row, NGX_AOP_SPELLS);
            memset(row, 0, NGX_AOP_SPELLS * sizeof(ngx_aop_spell_t));
            peer->requests[i] = event->request;

            return row;
        }
    }

    return &peer->spells[NGX_AOP_PRIVATE_REQUESTS * NGX_AOP_SPELLS];
}


ngx_aop_private_t *
ngx_aop_private_carried(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event, uint32_t *credit)
{
    ngx_aop_private_t  *peer;

    peer = ngx_aop_private(evidence, event);

    if (event->time - peer->relay >= NGX_AOP_EVIDENCE_DAY) {
        peer->carried = 0;
        peer->own = 0;
    }

    peer->carried++;

    *credit = (peer->carried == NGX_AOP_PRIVATE_CARRIED) ? peer->own : 0;

    /* what came from a listed address was Cloudflare's before */

    if (!event->other_host && event->peer == NGX_AOP_PEER_PRIVATE) {
        peer->own++;
    }

    if (event->time > peer->relay) {
        peer->relay = event->time;
    }

    return peer;
}


/* One that was a relay may become an address like others. */

int
ngx_aop_private_relay(const ngx_aop_private_t *peer, time_t t)
{
    return peer->carried >= NGX_AOP_PRIVATE_CARRIED
           && t - peer->relay < NGX_AOP_EVIDENCE_DAY;
}


/* If it was no relay any more when it failed last, it is none. */

int
ngx_aop_private_hides(const ngx_aop_private_t *peer)
{
    return ngx_aop_private_relay(peer,
                                 ngx_aop_spell_last(peer->spells,
                                                    NGX_AOP_PRIVATE_SPELLS));
}


int
ngx_aop_private_hidden(const ngx_aop_evidence_t *evidence)
{
    size_t  i;

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        if (evidence->private_hashes[i] != 0
            && ngx_aop_private_hides(&evidence->privates[i]))
        {
            return 1;
        }
    }

    return 0;
}


const ngx_aop_private_t *
ngx_aop_private_turned(const ngx_aop_evidence_t *evidence, time_t now,
    time_t quiet)
{
    size_t                    i;
    const ngx_aop_private_t  *peer;

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        peer = &evidence->privates[i];

        if (evidence->private_hashes[i] != 0
            && peer->unrayed != 0
            && ngx_aop_private_hides(peer)
            && now < ngx_aop_spell_last(peer->spells, NGX_AOP_PRIVATE_SPELLS)
                     + quiet)
        {
            return peer;
        }
    }

    return NULL;
}


time_t
ngx_aop_private_settles(const ngx_aop_evidence_t *evidence, size_t i,
    time_t quiet)
{
    size_t                    n;
    time_t                    settles, t;
    const ngx_aop_private_t  *peer;

    peer = &evidence->privates[i];

    if (evidence->private_hashes[i] == 0 || ngx_aop_private_hides(peer)) {
        return 0;
    }

    settles = 0;

    for (n = 0; n < NGX_AOP_PRIVATE_SPELLS; n++) {
        t = ngx_aop_spell_settles(&peer->spells[n], quiet);
        settles = (t > settles) ? t : settles;
    }

    return settles;
}


void
ngx_aop_private_policy(ngx_aop_evidence_t *evidence)
{
    size_t              i;
    ngx_aop_private_t  *peer;

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        peer = &evidence->privates[i];

        if (evidence->private_hashes[i] != 0
            && ngx_aop_spell_void(peer->spells, NGX_AOP_PRIVATE_SPELLS,
                                  peer->verdicts)
            && peer->carried == 0)
        {
            evidence->private_hashes[i] = 0;
            evidence->nprivates--;
        }
    }

    memset(&evidence->lost_privates[NGX_AOP_SPELL_CERTIFICATE], 0,
           sizeof(ngx_aop_lost_t));
}


void
ngx_aop_private_back(ngx_aop_evidence_t *evidence, time_t t)
{
    size_t  i;

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        ngx_aop_spell_back(evidence->privates[i].spells,
                           NGX_AOP_PRIVATE_SPELLS, t);
        ngx_aop_spell_not_after(&evidence->privates[i].relay, t);
    }

    ngx_aop_spell_back_lost(evidence->lost_privates, t);
}
