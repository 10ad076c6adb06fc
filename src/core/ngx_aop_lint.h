
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_LINT_H_INCLUDED_
#define _NGX_AOP_LINT_H_INCLUDED_


#include <time.h>
#include <openssl/x509.h>

#include "ngx_aop_policy.h"


/* What a certificate is to an administrator who configures "aop_ca". */

typedef enum {
    NGX_AOP_LINT_CLOUDFLARE = 0,    /* the origin-pull CA that is built in */
    NGX_AOP_LINT_CLOUDFLARE_2015,
    NGX_AOP_LINT_ORIGIN_CA,         /* the look-alike: its root */
    NGX_AOP_LINT_ORIGIN_CA_LEAF,    /* by its issuer's name */
    NGX_AOP_LINT_ROOT,
    NGX_AOP_LINT_INTERMEDIATE,
    NGX_AOP_LINT_LEAF,
    NGX_AOP_LINT_KINDS
} ngx_aop_lint_kind_e;


/* What can be wrong with a file, a certificate, a CRL or a policy. */

typedef enum {
    NGX_AOP_LINT_LOOKALIKE = 0,
    NGX_AOP_LINT_OUTDATED,
    NGX_AOP_LINT_DELTA_CRL,
    NGX_AOP_LINT_NOT_YET_VALID,
    NGX_AOP_LINT_ENDED,
    NGX_AOP_LINT_SERVER_CERT,
    NGX_AOP_LINT_WEAK,
    NGX_AOP_LINT_PURPOSE,
    NGX_AOP_LINT_CRITICAL,
    NGX_AOP_LINT_UNMARKED,
    NGX_AOP_LINT_KEY,
    NGX_AOP_LINT_MANY,
    NGX_AOP_LINT_MIXED,
    NGX_AOP_LINT_UNASKED,
    NGX_AOP_LINT_NO_CRL,
    NGX_AOP_LINT_PUBLIC,
    NGX_AOP_LINT_OWN_CHAIN,
    NGX_AOP_LINT_UNSUPPORTED,
    NGX_AOP_LINT_NONE_SUPPORTED,
    NGX_AOP_LINT_BOTH_KINDS,
    NGX_AOP_LINT_CLASSICAL,
    NGX_AOP_LINT_ALL_CLASSICAL,
    NGX_AOP_LINT_BELOW_LEVEL,
    NGX_AOP_LINT_FINDINGS
} ngx_aop_lint_e;


typedef enum {
    NGX_AOP_LINT_OK = 0,
    NGX_AOP_LINT_WARNING,
    NGX_AOP_LINT_ERROR              /* nginx does not start */
} ngx_aop_lint_level_e;


typedef struct {
    const char            *word;    /* in JSON */
    const char            *text;    /* for a person */
} ngx_aop_lint_kind_t;


/*
 * What is wrong and what to do about it, to follow the name of a file, a
 * certificate or an "aop_ca".  "%s" stands for what was found: a date, a
 * number, a name.
 */

typedef struct {
    ngx_aop_lint_level_e   level;
    const char            *word;    /* in JSON */
    const char            *text;
} ngx_aop_lint_t;


/* At most one finding of a set has something to fill in. */

#define NGX_AOP_LINT_ABOUT  200

typedef struct {
    unsigned               set;     /* of ngx_aop_lint_bit() */
    char                   about[NGX_AOP_LINT_ABOUT + 1];
} ngx_aop_lint_found_t;


/* Rows of the tables; never NULL for a value of the set. */

const ngx_aop_lint_kind_t *ngx_aop_lint_kind(ngx_aop_lint_kind_e kind);
const ngx_aop_lint_t *ngx_aop_lint(ngx_aop_lint_e finding);


ngx_aop_lint_kind_e ngx_aop_lint_classify(X509 *x509);


/*
 * What is wrong with it; nothing is an error because of the clock.  auth_level
 * is OpenSSL's security level, or 0 to accept keys of any length.  An anchor
 * is one of the policy's.
 */

#define ngx_aop_lint_bit(finding)  (1u << (finding))

void ngx_aop_lint_cert(X509 *x509, int auth_level, time_t now,
    ngx_aop_lint_found_t *found);
void ngx_aop_lint_crl(X509_CRL *crl, time_t now, ngx_aop_lint_found_t *found);
void ngx_aop_lint_policy(const ngx_aop_policy_t *policy,
    ngx_aop_lint_found_t *found);
void ngx_aop_lint_anchor(const ngx_aop_policy_t *policy,
    const ngx_aop_anchor_t *anchor, ngx_aop_lint_found_t *found);


/*
 * What is wrong with the keys of a policy's anchors, taken together; and those
 * that its security level rejects.
 */

void ngx_aop_lint_keys(const ngx_aop_policy_t *policy,
    ngx_aop_lint_found_t *found);
void ngx_aop_lint_strength(const ngx_aop_policy_t *policy,
    ngx_aop_lint_found_t *found);


/*
 * CAs of a policy that issue certificates for anyone: those of the system's
 * store, and those that issued the server's own certificate ("chain" may be
 * NULL) or stand in its chain.
 */

void ngx_aop_lint_public(const ngx_aop_policy_t *policy, X509_STORE *roots,
    ngx_aop_lint_found_t *found);
void ngx_aop_lint_own_chain(const ngx_aop_policy_t *policy, X509 *x509,
    STACK_OF(X509) *chain, ngx_aop_lint_found_t *found);


/*
 * The text of a finding of the set, written to a buffer of NGX_AOP_LINT_TEXT
 * bytes, which is returned.
 */

#define NGX_AOP_LINT_TEXT  512

const char *ngx_aop_lint_text(const ngx_aop_lint_found_t *found,
    ngx_aop_lint_e finding, char *buf);


/* The worst level of a set of findings. */

ngx_aop_lint_level_e ngx_aop_lint_level(unsigned findings);

/* "ok", "warning" or "error" */

const char *ngx_aop_lint_level_word(ngx_aop_lint_level_e level);


#endif /* _NGX_AOP_LINT_H_INCLUDED_ */
