
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_VERDICT_H_INCLUDED_
#define _NGX_AOP_VERDICT_H_INCLUDED_


#include "ngx_aop_peer.h"


/*
 * The closed set of answers to "did this request come through Cloudflare?".
 * A verdict never depends on the mode; what is done about it does.
 */

typedef enum {
    NGX_AOP_VERDICT_OK = 0,
    NGX_AOP_VERDICT_NONE,
    NGX_AOP_VERDICT_MISDIRECTED,
    NGX_AOP_VERDICT_PLAINTEXT,
    NGX_AOP_VERDICT_UNTRUSTED,
    NGX_AOP_VERDICT_ORIGIN_CA,
    NGX_AOP_VERDICT_EXPIRED,
    NGX_AOP_VERDICT_NOT_YET_VALID,
    NGX_AOP_VERDICT_REVOKED,
    NGX_AOP_VERDICT_CRL,
    NGX_AOP_VERDICT_PURPOSE,
    NGX_AOP_VERDICT_DEPTH,
    NGX_AOP_VERDICT_PIN,
    NGX_AOP_VERDICT_WEAK,
    NGX_AOP_VERDICT_INVALID,
    NGX_AOP_VERDICT_ERROR,
    NGX_AOP_VERDICTS
} ngx_aop_verdict_e;


typedef struct {
    const char  *word;      /* in variables, logs, JSON and metric labels */
    const char  *meaning;   /* one sentence, also the default reason */
    int          status;    /* what mode "on" answers; 0 is served */
    const char  *hint[NGX_AOP_PEERS];   /* what to do about it; NULL for ok */
    const char  *snippet[NGX_AOP_PEERS];    /* lines to copy, or NULL */
} ngx_aop_verdict_t;


/*
 * If Cloudflare presents nothing; and what else it may be where the server
 * cannot accept post-quantum signatures.
 */

#define NGX_AOP_VERDICT_HINT_NONE                                             \
    "Cloudflare sent no certificate: is Authenticated Origin Pulls on for "   \
    "this zone or hostname, SSL/TLS mode Full or higher? connections opened " \
    "before keep their verdict up to keepalive_time; a Load Balancing "       \
    "monitor needs \"Simulate Zone\""

#define NGX_AOP_VERDICT_HINT_CLASSICAL                                        \
    NGX_AOP_VERDICT_HINT_NONE "; a post-quantum certificate is presented "    \
    "only to a server with OpenSSL 3.5 and TLS 1.3, if its security level "    \
    "and signature algorithms allow the key"


/*
 * ngx_aop_verdict() returns the row of the table for a verdict; never NULL:
 * a number outside the set is answered with the row of NGX_AOP_VERDICT_ERROR.
 */

const ngx_aop_verdict_t *ngx_aop_verdict(ngx_aop_verdict_e verdict);


/*
 * ngx_aop_verdict_from_x509() maps an X509_V_ERR_* code, as left by
 * X509_verify_cert(), to a verdict.  Codes that say that OpenSSL itself
 * failed are NGX_AOP_VERDICT_ERROR; codes it does not know are
 * NGX_AOP_VERDICT_INVALID.
 */

ngx_aop_verdict_e ngx_aop_verdict_from_x509(int error);


#endif /* _NGX_AOP_VERDICT_H_INCLUDED_ */
