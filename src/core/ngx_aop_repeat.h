
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_REPEAT_H_INCLUDED_
#define _NGX_AOP_REPEAT_H_INCLUDED_


#include "ngx_aop_evidence.h"


/*
 * ngx_aop_repeat_add() takes a request that failed and came through a relay
 * without CF-Ray.
 *
 * ngx_aop_repeat() returns requests that may be the health check of a relay
 * itself, the most frequent; NULL if there are none, or none for "quiet"
 * seconds.
 */

void ngx_aop_repeat_add(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);
const ngx_aop_repeat_t *ngx_aop_repeat(const ngx_aop_evidence_t *evidence,
    time_t now, time_t quiet);

/* Whether so many other kinds came that one may have been missed. */

int ngx_aop_repeat_flood(const ngx_aop_evidence_t *evidence, time_t now);

/* For a clock that was set back to t. */

void ngx_aop_repeat_back(ngx_aop_evidence_t *evidence, time_t t);


#endif /* _NGX_AOP_REPEAT_H_INCLUDED_ */
