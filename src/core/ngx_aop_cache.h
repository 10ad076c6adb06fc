
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_CACHE_H_INCLUDED_
#define _NGX_AOP_CACHE_H_INCLUDED_


#include "ngx_aop_policy.h"
#include "ngx_aop_verify.h"


/*
 * Of a chain that passed.  The key has the policy's digest in it, and thereby
 * the order of its anchors: the index means the same in any policy that the
 * key fits, and no pointer is kept.
 */

typedef struct {
    unsigned char  key[NGX_AOP_DIGEST];
    size_t         anchor;
    time_t         made;
    time_t         valid_until;
} ngx_aop_cache_slot_t;


/*
 * Chains differ by leaf, so this is about how many client certificates a
 * process remembers: a third of it all but certainly, even in turn.  Zeroed
 * memory is an empty cache, and memory that was never written to costs nothing.
 */

#define NGX_AOP_CACHE_SLOTS  16384

typedef struct {
    ngx_aop_cache_slot_t  slots[NGX_AOP_CACHE_SLOTS];
} ngx_aop_cache_t;


/*
 * A chain is verified again after so many seconds.  Nothing is known that
 * would change the answer before valid_until; this bounds what is not known.
 */

#define NGX_AOP_CACHE_TTL  300


/*
 * ngx_aop_cache_judge() fills *result as ngx_aop_verify() does, and takes that
 * from the cache if this very question was answered with "ok" lately.
 * Returns 1 if so, 0 if the chain was verified.
 */

int ngx_aop_cache_judge(ngx_aop_cache_t *cache,
    const ngx_aop_policy_t *policy, const ngx_aop_leaf_t *leaf,
    STACK_OF(X509) *chain, time_t now, ngx_aop_result_t *result);


#endif /* _NGX_AOP_CACHE_H_INCLUDED_ */
