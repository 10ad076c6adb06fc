
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_SPELL_H_INCLUDED_
#define _NGX_AOP_SPELL_H_INCLUDED_


#include "ngx_aop_evidence.h"


/*
 * Rows of failures, of which an array has one for each kind of verdict, or
 * several times that: the kind of spells[i] is i % NGX_AOP_SPELLS.
 */

ngx_aop_spell_e ngx_aop_spell_kind(ngx_aop_verdict_e verdict);

void ngx_aop_spell_add(ngx_aop_spell_t *spell, time_t t);


/*
 * When it is settled, if nothing more fails for the time "quiet"; 0: nothing
 * failed.  For a host, "enough" is whether as many passed since as have to.
 */

time_t ngx_aop_spell_settles(const ngx_aop_spell_t *spell, time_t quiet);
time_t ngx_aop_spell_settles_host(const ngx_aop_spell_t *spell, time_t quiet,
    int enough);


/* The last failure of all; whether all are settled, and for a day. */

time_t ngx_aop_spell_last(const ngx_aop_spell_t *spells, size_t n);
int ngx_aop_spell_over(const ngx_aop_spell_t *spells, size_t n, time_t now);


/* What is lost with their place; and which of two places is given up. */

void ngx_aop_spell_lose(ngx_aop_lost_t *lost, const ngx_aop_spell_t *spells,
    size_t n);
int ngx_aop_spell_rather(const ngx_aop_spell_t *one, uint64_t count,
    const ngx_aop_spell_t *two, uint64_t least, size_t n, time_t now);


/*
 * For a new policy: failures of certificates no longer count.  Returns whether
 * nothing is left.
 */

int ngx_aop_spell_void(ngx_aop_spell_t *spells, size_t n, uint32_t *verdicts);


/* For a clock that was ahead and is set back to t. */

void ngx_aop_spell_back(ngx_aop_spell_t *spells, size_t n, time_t t);
void ngx_aop_spell_back_lost(ngx_aop_lost_t *lost, time_t t);
void ngx_aop_spell_not_after(time_t *t, time_t now);


uint64_t ngx_aop_spell_count(const uint32_t *verdicts);


#endif /* _NGX_AOP_SPELL_H_INCLUDED_ */
