
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Is it a relay's own health check?  Behind an address that hides others, what
 * fails without CF-Ray is strangers' or the relay's own, and nothing in a
 * request tells which.  But a health check does not vary: the same path, host,
 * and user agent come again and again.  A stranger may do so, too; then it
 * cannot be known.
 */


#include <string.h>

#include "ngx_aop_repeat.h"
#include "ngx_aop_text.h"


#define NGX_AOP_REPEAT_LEAST  10
#define NGX_AOP_REPEAT_REGULAR  5       /* if the intervals are alike */
#define NGX_AOP_REPEAT_SPAN   600       /* not one burst */
#define NGX_AOP_REPEAT_MEAN   600       /* the longest interval on average */
#define NGX_AOP_REPEAT_STALE  1200
#define NGX_AOP_REPEAT_FLOOD  6         /* then few new ones come in */


static void ngx_aop_repeat_expire(ngx_aop_evidence_t *evidence, time_t t);
static uint64_t ngx_aop_repeat_hash(const ngx_aop_event_t *event);
static int ngx_aop_repeat_same(const void *item, const void *key);
static void ngx_aop_repeat_interval(ngx_aop_repeat_t *repeat, time_t t);
static int ngx_aop_repeat_steady(const ngx_aop_repeat_t *repeat);
static int ngx_aop_repeat_regular(const ngx_aop_repeat_t *repeat);


void
ngx_aop_repeat_add(ngx_aop_evidence_t *evidence, const ngx_aop_event_t *event)
{
    uint64_t           hash;
    ngx_aop_repeat_t  *repeat;

    ngx_aop_repeat_expire(evidence, event->time);

    hash = ngx_aop_repeat_hash(event);

    repeat = ngx_aop_top_add(&evidence->repeated, evidence->repeats,
                             NGX_AOP_EVIDENCE_REPEATS,
                             sizeof(ngx_aop_repeat_t), hash, &hash,
                             ngx_aop_repeat_same, event->time, 0);

    if (repeat == NULL) {
        return;
    }

    if (repeat->top.count > 1) {
        ngx_aop_repeat_interval(repeat, event->time);
        return;
    }

    repeat->before = event->time;

    ngx_aop_text_copy(repeat->addr, sizeof(repeat->addr), event->addr,
                      event->addr_len);
    ngx_aop_text_copy(repeat->host, sizeof(repeat->host), event->host,
                      event->host_len);
}


/* The lines of a log may come in any order. */

static void
ngx_aop_repeat_interval(ngx_aop_repeat_t *repeat, time_t t)
{
    time_t  interval;

    interval = (t > repeat->before) ? t - repeat->before : repeat->before - t;
    repeat->before = t;

    if (interval < repeat->shortest || repeat->top.count == 2) {
        repeat->shortest = interval;
    }

    if (interval > repeat->longest) {
        repeat->longest = interval;
    }
}


/*
 * What came only once is dropped soon; what comes repeatedly stays for a day.
 */

static void
ngx_aop_repeat_expire(ngx_aop_evidence_t *evidence, time_t t)
{
    size_t             i;
    time_t             age;
    ngx_aop_repeat_t  *repeat;

    for (i = 0; i < NGX_AOP_EVIDENCE_REPEATS; i++) {
        repeat = &evidence->repeats[i];
        age = t - repeat->top.last;

        if (age >= NGX_AOP_EVIDENCE_DAY
            || (age >= NGX_AOP_REPEAT_STALE
                && !ngx_aop_repeat_steady(repeat)))
        {
            memset(repeat, 0, sizeof(ngx_aop_repeat_t));
        }
    }
}


static uint64_t
ngx_aop_repeat_hash(const ngx_aop_event_t *event)
{
    uint64_t  hash;

    hash = ngx_aop_top_hash(NGX_AOP_TOP_SEED, event->addr, event->addr_len);
    hash = ngx_aop_top_hash(hash, "\n", 1);
    hash = ngx_aop_top_hash(hash, event->host, event->host_len);

    return hash ^ event->request;
}


/* A request with the hash of another adds a doubt, and never removes one. */

static int
ngx_aop_repeat_same(const void *item, const void *key)
{
    const ngx_aop_repeat_t  *repeat = item;

    return repeat->top.hash == *(const uint64_t *) key;
}


const ngx_aop_repeat_t *
ngx_aop_repeat(const ngx_aop_evidence_t *evidence, time_t now, time_t quiet)
{
    size_t                   i;
    const ngx_aop_repeat_t  *repeat, *most;

    most = NULL;

    for (i = 0; i < NGX_AOP_EVIDENCE_REPEATS; i++) {
        repeat = &evidence->repeats[i];

        if (ngx_aop_repeat_steady(repeat)
            && now - repeat->top.last < quiet
            && (most == NULL || repeat->top.count > most->top.count))
        {
            most = repeat;
        }
    }

    return most;
}


int
ngx_aop_repeat_flood(const ngx_aop_evidence_t *evidence, time_t now)
{
    size_t                     i;
    const ngx_aop_top_item_t  *item;

    for (i = 0; i < NGX_AOP_EVIDENCE_REPEATS; i++) {
        item = &evidence->repeats[i].top;

        if (item->weight < NGX_AOP_REPEAT_FLOOD
            || now - item->last >= NGX_AOP_REPEAT_STALE)
        {
            return 0;
        }
    }

    return 1;
}


static int
ngx_aop_repeat_steady(const ngx_aop_repeat_t *repeat)
{
    time_t                     span;
    const ngx_aop_top_item_t  *item;

    item = &repeat->top;
    span = item->last - item->first;

    if (span < NGX_AOP_REPEAT_SPAN) {
        return 0;
    }

    return ngx_aop_repeat_regular(repeat)
           || (item->count >= NGX_AOP_REPEAT_LEAST
               && (uint64_t) span <= (item->count - 1) * NGX_AOP_REPEAT_MEAN);
}


/* A timer shows soon; visitors do not keep time. */

static int
ngx_aop_repeat_regular(const ngx_aop_repeat_t *repeat)
{
    return repeat->top.count >= NGX_AOP_REPEAT_REGULAR
           && repeat->longest <= repeat->shortest + repeat->shortest / 4;
}


void
ngx_aop_repeat_back(ngx_aop_evidence_t *evidence, time_t t)
{
    size_t               i;
    ngx_aop_top_item_t  *item;

    for (i = 0; i < NGX_AOP_EVIDENCE_REPEATS; i++) {
        item = &evidence->repeats[i].top;
        evidence->repeats[i].before = t;

        /* since when it has come is kept */

        if (item->last > t) {
            item->first -= item->last - t;
            item->last = t;
        }
    }
}
