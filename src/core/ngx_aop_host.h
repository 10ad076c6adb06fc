
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_HOST_H_INCLUDED_
#define _NGX_AOP_HOST_H_INCLUDED_


#include "ngx_aop_evidence.h"


/*
 * The hosts in the evidence: those that failed from Cloudflare, and what
 * passed for them since.  All but ngx_aop_host_passed() is called under the
 * caller's mutex if it changes them.
 */

void ngx_aop_host_passed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);
void ngx_aop_host_failed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);
void ngx_aop_host_other_failed(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);


/*
 * Whether a host's failures decide: one that came through a private address
 * is Cloudflare's or not depending on what that address has turned out to be.
 * ngx_aop_host_decides() is asked by place of hosts[], ngx_aop_host_named()
 * of other_hosts[].
 */

int ngx_aop_host_decides(const ngx_aop_evidence_t *evidence, size_t i);
int ngx_aop_host_named(const ngx_aop_evidence_t *evidence, size_t i);


/*
 * When the failures at this place of hosts[] are settled, if nothing more
 * fails for the time "quiet", and as many requests have passed; 0 if they do
 * not decide.
 */

time_t ngx_aop_host_settles(const ngx_aop_evidence_t *evidence, size_t i,
    time_t quiet, uint64_t requests);


/* For a new policy; and for a clock that was ahead and is set back to t. */

void ngx_aop_host_policy(ngx_aop_evidence_t *evidence);
void ngx_aop_host_back(ngx_aop_evidence_t *evidence, time_t t);


#endif /* _NGX_AOP_HOST_H_INCLUDED_ */
