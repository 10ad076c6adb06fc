
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A row of failures, and when it is over.  No failure may shorten the time
 * that the ones before it take, and one that has to give up its place leaves
 * behind until when it would have counted.
 */


#include <string.h>

#include "ngx_aop_spell.h"


#define NGX_AOP_SPELL_HALF  (NGX_AOP_EVIDENCE_DAY / 2)

/* a day, and as much as what comes daily may be late: else it is new */

#define NGX_AOP_SPELL_LONG  (NGX_AOP_EVIDENCE_DAY + 3600)


static void ngx_aop_spell_start(ngx_aop_spell_t *spell, time_t t);
static void ngx_aop_spell_gap(ngx_aop_spell_t *spell, time_t t, time_t gap);
static time_t ngx_aop_spell_usual(const ngx_aop_spell_t *spell);


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
    spell->gap[1] = ngx_aop_spell_usual(spell);
    spell->gap[0] = 0;

    spell->first = t;
    spell->last = t;
    spell->turn = t;
}


/*
 * The usual interval is the longest of the last half to whole day: for bursts,
 * it is the time between them.
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


/* What was seen once, or for less than that time, may come once a day. */

time_t
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
 * A host that fails again after a time as long as that needs twice the time:
 * the last one was not enough.
 */

time_t
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


time_t
ngx_aop_spell_last(const ngx_aop_spell_t *spells, size_t n)
{
    size_t  i;
    time_t  last;

    last = 0;

    for (i = 0; i < n; i++) {
        last = (spells[i].last > last) ? spells[i].last : last;
    }

    return last;
}


int
ngx_aop_spell_over(const ngx_aop_spell_t *spells, size_t n, time_t now)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        if (now <= ngx_aop_spell_settles(&spells[i], NGX_AOP_EVIDENCE_DAY)) {
            return 0;
        }
    }

    return 1;
}


void
ngx_aop_spell_lose(ngx_aop_lost_t *lost, const ngx_aop_spell_t *spells,
    size_t n)
{
    size_t           i;
    time_t           until;
    ngx_aop_lost_t  *kind;

    for (i = 0; i < n; i++) {
        kind = &lost[i % NGX_AOP_SPELLS];
        until = ngx_aop_spell_settles(&spells[i], NGX_AOP_EVIDENCE_DAY);

        if (until > kind->until) {
            kind->until = until;
        }

        if (spells[i].last > kind->last) {
            kind->last = spells[i].last;
        }
    }
}


/* What is long over goes first, then the least frequent, then the oldest. */

int
ngx_aop_spell_rather(const ngx_aop_spell_t *one, uint64_t count,
    const ngx_aop_spell_t *two, uint64_t least, size_t n, time_t now)
{
    int  first, second;

    if (least == UINT64_MAX) {
        return 1;
    }

    first = ngx_aop_spell_over(one, n, now);
    second = ngx_aop_spell_over(two, n, now);

    if (first != second) {
        return first;
    }

    if (count != least) {
        return count < least;
    }

    return ngx_aop_spell_last(one, n) < ngx_aop_spell_last(two, n);
}


int
ngx_aop_spell_void(ngx_aop_spell_t *spells, size_t n, uint32_t *verdicts)
{
    size_t    i;
    unsigned  verdict;

    for (i = NGX_AOP_SPELL_CERTIFICATE; i < n; i += NGX_AOP_SPELLS) {
        memset(&spells[i], 0, sizeof(ngx_aop_spell_t));
    }

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        if (ngx_aop_spell_kind(verdict) == NGX_AOP_SPELL_CERTIFICATE) {
            verdicts[verdict] = 0;
        }
    }

    return ngx_aop_spell_last(spells, n) == 0;
}


void
ngx_aop_spell_back(ngx_aop_spell_t *spells, size_t n, time_t t)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        ngx_aop_spell_not_after(&spells[i].first, t);
        ngx_aop_spell_not_after(&spells[i].last, t);
        ngx_aop_spell_not_after(&spells[i].turn, t);
    }
}


void
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


void
ngx_aop_spell_not_after(time_t *t, time_t now)
{
    if (*t > now) {
        *t = now;
    }
}


uint64_t
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
