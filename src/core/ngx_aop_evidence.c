
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Evidence, as it arrives.  A request that passed is only counted; a failure
 * from Cloudflare or from a private address is remembered by host or address
 * until it is settled.  Nothing is forgotten just because time has passed: a
 * clock may be a day ahead, and then be set back.
 */


#include <string.h>

#include "ngx_aop_host.h"
#include "ngx_aop_private.h"
#include "ngx_aop_repeat.h"
#include "ngx_aop_spell.h"


/* worker processes do not update their time at the same moment */

#define NGX_AOP_EVIDENCE_SLACK  60


#define ngx_aop_evidence_changed(evidence)                                    \
    ((void) __atomic_fetch_add(&(evidence)->changes, 1, __ATOMIC_RELEASE))


static ngx_aop_hour_t *ngx_aop_evidence_hour(ngx_aop_evidence_t *evidence,
    time_t t);
static void ngx_aop_evidence_clock(ngx_aop_evidence_t *evidence, time_t t);
static void ngx_aop_evidence_back(ngx_aop_evidence_t *evidence, time_t t);
static void ngx_aop_evidence_first(ngx_aop_evidence_t *evidence, time_t t);
static void ngx_aop_evidence_slow(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);
static int ngx_aop_evidence_stale(const ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);
static int ngx_aop_evidence_tool(const ngx_aop_event_t *event);
static ngx_aop_from_e ngx_aop_evidence_from(const ngx_aop_event_t *event,
    const ngx_aop_private_t *peer);
static void ngx_aop_evidence_sum_add(ngx_aop_hour_t *hour, unsigned sum);
static void ngx_aop_evidence_credit(ngx_aop_hour_t *hour, uint32_t n);
static void ngx_aop_evidence_unjudged(ngx_aop_evidence_t *evidence,
    ngx_aop_hour_t *hour, const ngx_aop_event_t *event, ngx_aop_from_e from);
static void ngx_aop_evidence_passed(ngx_aop_evidence_t *evidence,
    ngx_aop_hour_t *hour, const ngx_aop_event_t *event, ngx_aop_from_e from);
static void ngx_aop_evidence_last(const ngx_aop_evidence_t *evidence,
    ngx_aop_hour_t *hour, const ngx_aop_event_t *event, ngx_aop_from_e from,
    uint32_t changes, ngx_aop_last_t *last);
static int ngx_aop_evidence_failed_fast(ngx_aop_hour_t *hour,
    const ngx_aop_event_t *event, ngx_aop_from_e from);
static void ngx_aop_evidence_failed(ngx_aop_evidence_t *evidence,
    ngx_aop_hour_t *hour, const ngx_aop_event_t *event);
static ngx_aop_private_t *ngx_aop_evidence_private(
    ngx_aop_evidence_t *evidence, const ngx_aop_event_t *event);


void
ngx_aop_evidence_init(ngx_aop_evidence_t *evidence, time_t now, int log)
{
    memset(evidence, 0, sizeof(ngx_aop_evidence_t));

    evidence->since = now;
    evidence->log = (log != 0);
}


int
ngx_aop_evidence_fast(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event, ngx_aop_last_t *last)
{
    uint32_t            changes;
    ngx_aop_hour_t     *hour;
    ngx_aop_from_e      from;
    ngx_aop_private_t  *peer;

    changes = __atomic_load_n(&evidence->changes, __ATOMIC_ACQUIRE);

    hour = ngx_aop_evidence_hour(evidence, event->time);

    if (hour == NULL || evidence->log) {
        return 0;
    }

    if (ngx_aop_evidence_stale(evidence, event)) {
        return 1;
    }

    if (ngx_aop_evidence_tool(event)) {
        ngx_aop_evidence_sum_add(hour, NGX_AOP_SUM_TOOL);
        return 1;
    }

    peer = ngx_aop_evidence_private(evidence, event);
    from = ngx_aop_evidence_from(event, peer);

    if (event->unjudged) {
        ngx_aop_evidence_unjudged(evidence, hour, event, from);
        return 1;
    }

    if (evidence->first == 0) {
        return 0;
    }

    if (event->verdict != NGX_AOP_VERDICT_OK) {
        return ngx_aop_evidence_failed_fast(hour, event, from);
    }

    if (event->private && event->ray) {

        if (peer == NULL || !ngx_aop_private_relay(peer, event->time)) {
            return 0;
        }

        peer->relay = event->time;
    }

    ngx_aop_evidence_passed(evidence, hour, event, from);

    if (last != NULL) {
        last->evidence = NULL;

        if (peer == NULL) {
            ngx_aop_evidence_last(evidence, hour, event, from, changes, last);
        }
    }

    return 1;
}


void
ngx_aop_evidence_add(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    ngx_aop_evidence_clock(evidence, event->time);

    if (ngx_aop_evidence_fast(evidence, event, NULL)
        || ngx_aop_evidence_stale(evidence, event))
    {
        return;
    }

    ngx_aop_evidence_slow(evidence, event);

    ngx_aop_evidence_changed(evidence);
}


static void
ngx_aop_evidence_slow(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    uint32_t            credit;
    ngx_aop_hour_t     *hour;
    ngx_aop_private_t  *peer;

    hour = ngx_aop_evidence_hour(evidence, event->time);

    if (ngx_aop_evidence_tool(event)) {
        ngx_aop_evidence_sum_add(hour, NGX_AOP_SUM_TOOL);
        return;
    }

    if (event->unjudged) {
        peer = ngx_aop_evidence_private(evidence, event);
        ngx_aop_evidence_unjudged(evidence, hour, event,
                                  ngx_aop_evidence_from(event, peer));
        return;
    }

    ngx_aop_evidence_first(evidence, event->time);

    if (event->verdict != NGX_AOP_VERDICT_OK) {
        ngx_aop_evidence_failed(evidence, hour, event);
        return;
    }

    peer = ngx_aop_evidence_private(evidence, event);

    if (event->private && event->ray) {
        peer = ngx_aop_private_carried(evidence, event, &credit);
        ngx_aop_evidence_credit(hour, credit);
    }

    ngx_aop_evidence_passed(evidence, hour, event,
                            ngx_aop_evidence_from(event, peer));
}


/*
 * The sums of that hour; NULL if it has no place yet or, in a log, no longer.
 */

static ngx_aop_hour_t *
ngx_aop_evidence_hour(ngx_aop_evidence_t *evidence, time_t t)
{
    time_t           number;
    ngx_aop_hour_t  *hour;

    number = t / NGX_AOP_EVIDENCE_HOUR;
    hour = &evidence->hours[number % NGX_AOP_EVIDENCE_HOURS];

    return (hour->number == number) ? hour : NULL;
}


static void
ngx_aop_evidence_clock(ngx_aop_evidence_t *evidence, time_t t)
{
    time_t           number;
    ngx_aop_hour_t  *hour;

    if (t < evidence->latest - NGX_AOP_EVIDENCE_SLACK) {

        if (evidence->log) {
            evidence->disorder = 1;

        } else {
            ngx_aop_evidence_back(evidence, t);
            evidence->latest = t;
        }
    }

    if (t > evidence->latest) {
        evidence->latest = t;
    }

    number = t / NGX_AOP_EVIDENCE_HOUR;
    hour = &evidence->hours[number % NGX_AOP_EVIDENCE_HOURS];

    if (hour->number < number) {
        memset(hour->sums, 0, sizeof(hour->sums));
        __atomic_store_n(&hour->number, number, __ATOMIC_RELEASE);
    }
}


/*
 * The clock was ahead: times in the future become the present.  Hours in the
 * future are cleared, because nobody knows when their requests passed.
 */

static void
ngx_aop_evidence_back(ngx_aop_evidence_t *evidence, time_t t)
{
    size_t           i;
    ngx_aop_hour_t  *hour;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        hour = &evidence->hours[i];

        if (hour->number > t / NGX_AOP_EVIDENCE_HOUR) {
            hour->number = 0;
        }
    }

    ngx_aop_spell_not_after(&evidence->since, t);
    ngx_aop_spell_not_after(&evidence->first, t);
    ngx_aop_spell_not_after(&evidence->direct, t);
    ngx_aop_spell_not_after(&evidence->unjudged[0], t);
    ngx_aop_spell_not_after(&evidence->unjudged[1], t);

    ngx_aop_host_back(evidence, t);
    ngx_aop_private_back(evidence, t);
    ngx_aop_repeat_back(evidence, t);

    ngx_aop_evidence_changed(evidence);
}


static void
ngx_aop_evidence_first(ngx_aop_evidence_t *evidence, time_t t)
{
    if (evidence->first == 0 || (evidence->log && t < evidence->first)) {
        evidence->first = t;
    }
}


/* Verified by a policy that is no longer in use. */

static int
ngx_aop_evidence_stale(const ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    return event->generation != evidence->generation
           && !event->unjudged
           && ngx_aop_spell_kind(event->verdict) == NGX_AOP_SPELL_CERTIFICATE;
}


/* Any stranger can send this user agent. */

static int
ngx_aop_evidence_tool(const ngx_aop_event_t *event)
{
    return event->tool && event->private && !event->ray;
}


static ngx_aop_from_e
ngx_aop_evidence_from(const ngx_aop_event_t *event,
    const ngx_aop_private_t *peer)
{
    ngx_aop_from_e  from;

    from = (event->peer == NGX_AOP_PEER_EDGE) ? NGX_AOP_FROM_CLOUDFLARE
           : (event->peer == NGX_AOP_PEER_PRIVATE) ? NGX_AOP_FROM_PRIVATE
           : NGX_AOP_FROM_DIRECT;

    if (peer != NULL && ngx_aop_private_relay(peer, event->time)) {
        from = event->ray ? NGX_AOP_FROM_CLOUDFLARE : NGX_AOP_FROM_STRANGER;
    }

    if (from == NGX_AOP_FROM_CLOUDFLARE && event->other_host) {

        /* a private address that is listed, but Cloudflare sends CF-Ray */

        return (event->private && !event->ray) ? NGX_AOP_FROM_PRIVATE
                                               : NGX_AOP_FROM_OTHER_HOST;
    }

    return from;
}


static void
ngx_aop_evidence_sum_add(ngx_aop_hour_t *hour, unsigned sum)
{
    if (hour != NULL) {
        ngx_aop_evidence_inc(&hour->sums[sum]);
    }
}


/* How many were counted as the private address's own in this hour. */

static void
ngx_aop_evidence_credit(ngx_aop_hour_t *hour, uint32_t n)
{
    uint32_t  *sums;

    if (hour == NULL) {
        return;
    }

    sums = &hour->sums[NGX_AOP_SUM_PASSED];

    n = (n < sums[NGX_AOP_FROM_PRIVATE]) ? n : sums[NGX_AOP_FROM_PRIVATE];

    (void) __atomic_fetch_sub(&sums[NGX_AOP_FROM_PRIVATE], n,
                              __ATOMIC_RELAXED);
    (void) __atomic_fetch_add(&sums[NGX_AOP_FROM_CLOUDFLARE], n,
                              __ATOMIC_RELAXED);
}


static void
ngx_aop_evidence_unjudged(ngx_aop_evidence_t *evidence, ngx_aop_hour_t *hour,
    const ngx_aop_event_t *event, ngx_aop_from_e from)
{
    unsigned  sum, private;

    if (from == NGX_AOP_FROM_STRANGER || from == NGX_AOP_FROM_DIRECT) {
        return;
    }

    private = (from == NGX_AOP_FROM_PRIVATE);

    sum = (event->unjudged == NGX_AOP_UNJUDGED_VARIABLE)
          ? NGX_AOP_SUM_VARIABLE : NGX_AOP_SUM_LOCATION;

    ngx_aop_evidence_sum_add(hour, sum + private);

    if (event->time > evidence->unjudged[private] || !evidence->log) {
        evidence->unjudged[private] = event->time;

        if (!private) {
            evidence->resumed = 0;
            ngx_aop_evidence_changed(evidence);
        }
    }
}


static void
ngx_aop_evidence_passed(ngx_aop_evidence_t *evidence, ngx_aop_hour_t *hour,
    const ngx_aop_event_t *event, ngx_aop_from_e from)
{
    ngx_aop_evidence_sum_add(hour, NGX_AOP_SUM_PASSED + from);

    if (from == NGX_AOP_FROM_DIRECT) {

        if (event->time > evidence->direct || !evidence->log) {
            evidence->direct = event->time;
        }

        if (event->ray) {
            ngx_aop_evidence_sum_add(hour, NGX_AOP_SUM_DIRECT_RAY);
        }

        return;
    }

    if (from != NGX_AOP_FROM_CLOUDFLARE) {
        return;
    }

    if (event->full) {
        ngx_aop_evidence_sum_add(hour, NGX_AOP_SUM_HANDSHAKES);
    }

    if (evidence->unjudged[0] != 0
        && (!evidence->log || event->time > evidence->unjudged[0]))
    {
        ngx_aop_evidence_inc(&evidence->resumed);
    }

    if (evidence->nhosts) {
        ngx_aop_host_passed(evidence, event);
    }
}


/*
 * For the connection's next request.  Nothing is noted if more than sums has
 * changed; what could change what such a request is changes "changes".
 */

static void
ngx_aop_evidence_last(const ngx_aop_evidence_t *evidence, ngx_aop_hour_t *hour,
    const ngx_aop_event_t *event, ngx_aop_from_e from, uint32_t changes,
    ngx_aop_last_t *last)
{
    if (from == NGX_AOP_FROM_DIRECT
        || evidence->unjudged[0] != 0
        || evidence->nhosts)
    {
        return;
    }

    last->evidence = evidence;
    last->sums = hour->sums;
    last->start = hour->number * NGX_AOP_EVIDENCE_HOUR;
    last->changes = changes;
    last->like = (event->ray ? NGX_AOP_LIKE_RAY : 0)
                 | (event->tool ? NGX_AOP_LIKE_TOOL : 0)
                 | (event->other_host ? NGX_AOP_LIKE_OTHER_HOST : 0);
    last->full = (event->full && from == NGX_AOP_FROM_CLOUDFLARE);
    last->sum = NGX_AOP_SUM_PASSED + from;
}


/* Failures that may be numerous, and decide nothing. */

static int
ngx_aop_evidence_failed_fast(ngx_aop_hour_t *hour,
    const ngx_aop_event_t *event, ngx_aop_from_e from)
{
    if (from != NGX_AOP_FROM_DIRECT) {
        return 0;
    }

    ngx_aop_evidence_sum_add(hour, NGX_AOP_SUM_FAILED + from);

    if (event->ray) {
        ngx_aop_evidence_sum_add(hour, NGX_AOP_SUM_DIRECT_RAY);
    }

    return 1;
}


static void
ngx_aop_evidence_failed(ngx_aop_evidence_t *evidence, ngx_aop_hour_t *hour,
    const ngx_aop_event_t *event)
{
    ngx_aop_from_e      from;
    ngx_aop_private_t  *peer;

    peer = ngx_aop_evidence_private(evidence, event);
    from = ngx_aop_evidence_from(event, peer);

    if (ngx_aop_evidence_failed_fast(hour, event, from)) {
        return;
    }

    ngx_aop_evidence_sum_add(hour, NGX_AOP_SUM_FAILED + from);

    if (from == NGX_AOP_FROM_STRANGER) {
        peer->unrayed++;
        ngx_aop_repeat_add(evidence, event);
        return;
    }

    if (from == NGX_AOP_FROM_PRIVATE) {
        peer = ngx_aop_private(evidence, event);
        ngx_aop_private_failed(evidence, peer, event);

        /* should the address turn out to be a relay */

        if (!event->ray) {
            ngx_aop_repeat_add(evidence, event);
            return;
        }
    }

    if (event->other_host) {
        ngx_aop_host_other_failed(evidence, event);

    } else {
        ngx_aop_host_failed(evidence, event);
    }
}


/* The place of the connection's address; NULL if it has none. */

static ngx_aop_private_t *
ngx_aop_evidence_private(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event)
{
    if (!event->private || evidence->nprivates == 0) {
        return NULL;
    }

    return ngx_aop_private_find(evidence, event->addr, event->addr_len);
}


int
ngx_aop_evidence_relay(const ngx_aop_evidence_t *evidence, const char *addr,
    size_t len)
{
    const ngx_aop_private_t  *peer;

    peer = ngx_aop_private_find((ngx_aop_evidence_t *) evidence, addr, len);

    return peer != NULL && ngx_aop_private_relay(peer, evidence->latest);
}


void
ngx_aop_evidence_policy(ngx_aop_evidence_t *evidence, time_t now)
{
    size_t    i;
    unsigned  sum;

    ngx_aop_evidence_clock(evidence, now);

    /* what workers of the old one still count is not to be in the new sums */

    evidence->generation++;
    ngx_aop_evidence_changed(evidence);

    evidence->since = now;
    evidence->first = 0;
    evidence->direct = 0;
    evidence->resumed = 0;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        for (sum = 0; sum < NGX_AOP_SUMS; sum++) {

            if (sum < NGX_AOP_SUM_VARIABLE
                || sum > NGX_AOP_SUM_LOCATION_PRIVATE)
            {
                evidence->hours[i].sums[sum] = 0;
            }
        }
    }

    ngx_aop_host_policy(evidence);
    ngx_aop_private_policy(evidence);
}


time_t
ngx_aop_evidence_sum(const ngx_aop_evidence_t *evidence, time_t now,
    uint64_t sums[NGX_AOP_SUMS])
{
    size_t                 i;
    time_t                 start, first, age;
    unsigned               sum;
    const ngx_aop_hour_t  *hour;

    memset(sums, 0, NGX_AOP_SUMS * sizeof(uint64_t));

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        hour = &evidence->hours[i];
        age = now / NGX_AOP_EVIDENCE_HOUR - hour->number;

        if (age < 0 || age >= NGX_AOP_EVIDENCE_HOURS) {
            continue;
        }

        for (sum = 0; sum < NGX_AOP_SUMS; sum++) {
            sums[sum] += hour->sums[sum];
        }
    }

    start = (now / NGX_AOP_EVIDENCE_HOUR - (NGX_AOP_EVIDENCE_HOURS - 1))
            * NGX_AOP_EVIDENCE_HOUR;

    first = evidence->first ? evidence->first : evidence->since;

    return (first > start) ? first : start;
}


/* Other hosts are not names of the server: a stranger may choose them. */

time_t
ngx_aop_evidence_trend(const ngx_aop_evidence_t *evidence, time_t now,
    ngx_aop_trend_t trend[NGX_AOP_EVIDENCE_HOURS])
{
    size_t                 i;
    time_t                 age;
    ngx_aop_trend_t       *one;
    const ngx_aop_hour_t  *hour;

    memset(trend, 0, NGX_AOP_EVIDENCE_HOURS * sizeof(ngx_aop_trend_t));

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        hour = &evidence->hours[i];
        age = now / NGX_AOP_EVIDENCE_HOUR - hour->number;

        if (age < 0 || age >= NGX_AOP_EVIDENCE_HOURS) {
            continue;
        }

        one = &trend[NGX_AOP_EVIDENCE_HOURS - 1 - age];

        one->passed = (uint64_t) hour->sums[NGX_AOP_SUM_PASSED
                                            + NGX_AOP_FROM_CLOUDFLARE]
                      + hour->sums[NGX_AOP_SUM_PASSED + NGX_AOP_FROM_PRIVATE];
        one->failed = (uint64_t) hour->sums[NGX_AOP_SUM_FAILED
                                            + NGX_AOP_FROM_CLOUDFLARE]
                      + hour->sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_PRIVATE];
    }

    return now / NGX_AOP_EVIDENCE_HOUR * NGX_AOP_EVIDENCE_HOUR;
}
