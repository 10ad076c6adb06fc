
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_VERIFY_H_INCLUDED_
#define _NGX_AOP_VERIFY_H_INCLUDED_


#include <time.h>
#include <openssl/x509.h>

#include "ngx_aop_policy.h"
#include "ngx_aop_verdict.h"


typedef struct {
    ngx_aop_verdict_e        verdict;
    int                      error;         /* X509_V_ERR_*, X509_V_OK */
    const char              *reason;        /* static; "" for ok */
    const ngx_aop_anchor_t  *anchor;        /* of the policy, see below */
    time_t                   valid_until;   /* ok: last second it holds */
    unsigned char            leaf[NGX_AOP_DIGEST];      /* which was verified */
} ngx_aop_result_t;


/*
 * ngx_aop_verify() judges a client certificate and the chain presented with it
 * (may be NULL) by a sealed policy, at time now.  A pure function of its
 * arguments: it keeps nothing, owns nothing, and leaves OpenSSL's error queue
 * as it was.
 *
 * It always fills *result.  If there is no answer, that is
 * NGX_AOP_VERDICT_ERROR. valid_until is the earliest end of the certificates
 * and CRLs that the verdict is based on.  The anchor is set if the chain is
 * good: for ok, for pin, and for weak if a key is not post-quantum; else it is
 * NULL.
 */

void ngx_aop_verify(const ngx_aop_policy_t *policy, const ngx_aop_leaf_t *leaf,
    STACK_OF(X509) *chain, time_t now, ngx_aop_result_t *result);


/* Sets verdict, error and the matching reason. */

void ngx_aop_verify_set_result(ngx_aop_result_t *result,
    ngx_aop_verdict_e verdict, int error);


#endif /* _NGX_AOP_VERIFY_H_INCLUDED_ */
