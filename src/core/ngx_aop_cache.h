
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_CACHE_H_INCLUDED_
#define _NGX_AOP_CACHE_H_INCLUDED_


#include "ngx_aop_policy.h"
#include "ngx_aop_verify.h"


/*
 * An entry for a chain that passed.  The key includes the digest of the
 * policy, and thereby the order of its anchors: the index means the same in
 * any policy with this key, so no pointer is kept.
 */

typedef struct {
    unsigned char  key[NGX_AOP_DIGEST];
    size_t         anchor;
    time_t         made;
    time_t         valid_until;
} ngx_aop_cache_slot_t;


/*
 * Chains differ by leaf, so this is about how many client certificates a
 * process remembers; up to a third of it almost certainly, even if they come
 * in turn.  Zeroed memory is an empty cache, and pages that were never written
 * to cost nothing.
 */

#define NGX_AOP_CACHE_SLOTS  16384

typedef struct {
    ngx_aop_cache_slot_t  slots[NGX_AOP_CACHE_SLOTS];
} ngx_aop_cache_t;


/*
 * A chain is verified again after this many seconds.  Nothing known would
 * change the answer before valid_until; this is the limit for the unknown.
 */

#define NGX_AOP_CACHE_TTL  300


/*
 * ngx_aop_cache_judge() fills *result as ngx_aop_verify() does, from the cache
 * if the same question was recently answered with "ok".  Returns 1 in this
 * case, 0 if the chain was verified.
 */

int ngx_aop_cache_judge(ngx_aop_cache_t *cache,
    const ngx_aop_policy_t *policy, const ngx_aop_leaf_t *leaf,
    STACK_OF(X509) *chain, time_t now, ngx_aop_result_t *result);


#endif /* _NGX_AOP_CACHE_H_INCLUDED_ */
