
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_PRIVATE_H_INCLUDED_
#define _NGX_AOP_PRIVATE_H_INCLUDED_


#include "ngx_aop_evidence.h"


/*
 * The private addresses in the evidence.  All functions that change them are
 * called under the caller's mutex.
 *
 * ngx_aop_private_find() returns the place of an address, NULL if it has none.
 * ngx_aop_private() makes one if need be, and never returns NULL.
 */

ngx_aop_private_t *ngx_aop_private_find(ngx_aop_evidence_t *evidence,
    const char *addr, size_t len);
ngx_aop_private_t *ngx_aop_private(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);

void ngx_aop_private_failed(ngx_aop_evidence_t *evidence,
    ngx_aop_private_t *peer, const ngx_aop_event_t *event);

/*
 * Takes a request with CF-Ray that passed.  If the address is a relay from
 * then on, credit is how many before it were Cloudflare's, or else 0.
 */

ngx_aop_private_t *ngx_aop_private_carried(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event, uint32_t *credit);


/* Whether it is a relay at that time; or, in general, hides others. */

int ngx_aop_private_relay(const ngx_aop_private_t *peer, time_t t);
int ngx_aop_private_hides(const ngx_aop_private_t *peer);

/* Whether any of them does so. */

int ngx_aop_private_hidden(const ngx_aop_evidence_t *evidence);

/* A relay that was recognized only after requests without CF-Ray had failed. */

const ngx_aop_private_t *ngx_aop_private_turned(
    const ngx_aop_evidence_t *evidence, time_t now, time_t quiet);


/*
 * When the failures at this place are settled, if nothing more fails for the
 * time "quiet"; 0 if they do not decide.
 */

time_t ngx_aop_private_settles(const ngx_aop_evidence_t *evidence, size_t i,
    time_t quiet);


/* For a new policy; and for a clock that was ahead and is set back to t. */

void ngx_aop_private_policy(ngx_aop_evidence_t *evidence);
void ngx_aop_private_back(ngx_aop_evidence_t *evidence, time_t t);


#endif /* _NGX_AOP_PRIVATE_H_INCLUDED_ */
