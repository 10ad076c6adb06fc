
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_SPELL_H_INCLUDED_
#define _NGX_AOP_SPELL_H_INCLUDED_


#include "ngx_aop_evidence.h"


/*
 * The tables of failures inside the evidence.  All that changes them is called
 * under the caller's mutex.
 */

ngx_aop_spell_e ngx_aop_spell_kind(ngx_aop_verdict_e verdict);


/* The place of an address: NULL if it has none; or made, if need be. */

ngx_aop_private_t *ngx_aop_spell_find(ngx_aop_evidence_t *evidence,
    const char *addr, size_t len);
ngx_aop_private_t *ngx_aop_spell_private(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);


void ngx_aop_spell_private_failed(ngx_aop_private_t *peer,
    const ngx_aop_event_t *event);
void ngx_aop_spell_host_failed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);
void ngx_aop_spell_other_host_failed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);


/*
 * Whether a host's failures decide: one that came through a private address
 * is Cloudflare's or not depending on what that address has turned out to be.
 * ngx_aop_spell_decides() is asked by place of hosts[],
 * ngx_aop_spell_named() of other_hosts[].
 */

int ngx_aop_spell_decides(const ngx_aop_evidence_t *evidence, size_t i);
int ngx_aop_spell_named(const ngx_aop_evidence_t *evidence, size_t i);


/*
 * When the failures at this place of hosts[] or privates[] are settled, if
 * nothing more fails for the time "quiet", and a host has passed so many
 * requests; 0 if they do not decide.
 */

time_t ngx_aop_spell_host_settles(const ngx_aop_evidence_t *evidence, size_t i,
    time_t quiet, uint64_t requests);
time_t ngx_aop_spell_private_settles(const ngx_aop_evidence_t *evidence,
    size_t i, time_t quiet);


/* Another policy; and a clock that was ahead and is set back to t. */

void ngx_aop_spell_policy(ngx_aop_evidence_t *evidence);
void ngx_aop_spell_back(ngx_aop_evidence_t *evidence, time_t t);


/* Whether a name, which may have been cut, is that of the text. */

int ngx_aop_spell_is(const char *name, size_t size, const char *text,
    size_t len);

/* never 0 */

uint64_t ngx_aop_spell_hash(const char *text, size_t len);


#endif /* _NGX_AOP_SPELL_H_INCLUDED_ */
