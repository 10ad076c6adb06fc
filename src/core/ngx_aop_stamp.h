
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_STAMP_H_INCLUDED_
#define _NGX_AOP_STAMP_H_INCLUDED_


#include <time.h>
#include <openssl/ssl.h>

#include "ngx_aop_policy.h"
#include "ngx_aop_verify.h"


/*
 * What a full handshake found out, kept in the TLS session: a resumed one
 * runs no verification, and OpenSSL keeps of the chain only the leaf.
 *
 * Each byte is hashed and encrypted with every ticket, so a policy is known by
 * the first bytes of its digest, and an anchor, one of the policy's, by fewer.
 * The leaf belongs to the session as the stamp does.  It is known by the first
 * bytes of its signature, as to encode it again, for its digest, would cost
 * more than all the rest.
 */

#define NGX_AOP_STAMP_POLICY  16
#define NGX_AOP_STAMP_ANCHOR  8
#define NGX_AOP_STAMP_LEAF    16

typedef struct {
    ngx_aop_verdict_e  verdict;
    unsigned char      policy[NGX_AOP_STAMP_POLICY];
    unsigned char      anchor[NGX_AOP_STAMP_ANCHOR];    /* zeroes: none */
    unsigned char      leaf[NGX_AOP_STAMP_LEAF];
    time_t             made;                    /* the full handshake */
    time_t             valid_until;             /* of verdict ok */
} ngx_aop_stamp_t;


typedef enum {
    NGX_AOP_STAMP_NONE = 0,     /* nothing of ours in the session */
    NGX_AOP_STAMP_BAD,          /* of another version, or damaged */
    NGX_AOP_STAMP_READ
} ngx_aop_stamp_e;


/*
 * ngx_aop_stamp_init() fills a stamp with the judgement of the session's leaf.
 *
 * ngx_aop_stamp_write() puts it into a session, in place of what other
 * application data that has.  It returns 1, or 0 if memory is short: the
 * session is then as good as not stamped.
 */

void ngx_aop_stamp_init(ngx_aop_stamp_t *stamp,
    const ngx_aop_policy_t *policy, const X509 *leaf,
    const ngx_aop_result_t *result, time_t now);
int ngx_aop_stamp_write(SSL_SESSION *session, const ngx_aop_stamp_t *stamp);

/* Fills *stamp only if it returns NGX_AOP_STAMP_READ. */

ngx_aop_stamp_e ngx_aop_stamp_read(SSL_SESSION *session,
    ngx_aop_stamp_t *stamp);


/*
 * ngx_aop_stamp_resumable() returns whether the session may be resumed where
 * policy applies, at most timeout seconds after its full handshake.
 */

int ngx_aop_stamp_resumable(const ngx_aop_stamp_t *stamp,
    const ngx_aop_policy_t *policy, time_t timeout, time_t now);


/*
 * ngx_aop_stamp_result() fills *result from the stamp of a resumed session and
 * returns 1 if it answers for this leaf under this policy: with "ok", or with
 * what has expired since.  Otherwise it returns 0, and the leaf has to be
 * judged.  result->leaf is not known then.
 */

int ngx_aop_stamp_result(const ngx_aop_stamp_t *stamp,
    const ngx_aop_policy_t *policy, const X509 *leaf, time_t now,
    ngx_aop_result_t *result);


#endif /* _NGX_AOP_STAMP_H_INCLUDED_ */
