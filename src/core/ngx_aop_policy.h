
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_POLICY_H_INCLUDED_
#define _NGX_AOP_POLICY_H_INCLUDED_


#include <openssl/x509.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_pin.h"


/* A certificate that ends a chain: a root, an intermediate or a leaf. */

typedef struct {
    X509           *x509;                       /* owned */
    char           *name;                       /* owned, for $aop_anchor */
    unsigned char   digest[NGX_AOP_DIGEST];
    unsigned        same_subject:1;             /* as another one */
} ngx_aop_anchor_t;


/*
 * What a certificate is judged by.  Filled by the ngx_aop_policy_add_*()
 * functions, then sealed, and immutable from there on: its digest stands for
 * its content, whatever the order in which it was filled.
 */

typedef struct {
    ngx_aop_anchor_t     *anchors;              /* sorted by digest */
    size_t                nanchors;

    /* the leaf must match one, if there is any */

    ngx_aop_pin_t        *pins;                 /* sorted */
    size_t                npins;

    STACK_OF(X509_CRL)   *crls;                 /* owned, NULL if none */
    unsigned char        *crl_digests;          /* owned, of the sealed */
    int                   depth;

    /* OpenSSL's security level, 0 unless set before the seal */

    int                   auth_level;

    /* all keys of a chain have to be post-quantum; likewise */

    unsigned              post_quantum:1;

    unsigned              identified:1;         /* its digest is known */

    X509_STORE           *store;                /* owned, made by the seal */
    unsigned char         digest[NGX_AOP_DIGEST];
} ngx_aop_policy_t;


/*
 * All of these return 1, or 0 if memory is short (ngx_aop_policy_new(): a
 * policy or NULL).
 *
 * ngx_aop_policy_add_anchor() takes a reference of its own on x509; name is
 * what $aop_anchor says, NULL for the certificate's subject.  A certificate
 * that is an anchor already is passed over; so are equal CRLs and pins.
 */

ngx_aop_policy_t *ngx_aop_policy_new(int depth);
void ngx_aop_policy_free(ngx_aop_policy_t *policy);

int ngx_aop_policy_add_anchor(ngx_aop_policy_t *policy, X509 *x509,
    const char *name);
int ngx_aop_policy_add_crl(ngx_aop_policy_t *policy, X509_CRL *crl);
int ngx_aop_policy_add_pin(ngx_aop_policy_t *policy, const ngx_aop_pin_t *pin);


/*
 * ngx_aop_policy_identify() computes the digest; nothing may be added then.
 * ngx_aop_policy_seal() prepares a policy for use, which is not needed where
 * an equal one is known; it also identifies it if need be.
 */

int ngx_aop_policy_identify(ngx_aop_policy_t *policy);
int ngx_aop_policy_seal(ngx_aop_policy_t *policy);


/* The anchor that x509 is (borrowed from the policy), or NULL. */

const ngx_aop_anchor_t *ngx_aop_policy_anchor(const ngx_aop_policy_t *policy,
    const X509 *x509);


#endif /* _NGX_AOP_POLICY_H_INCLUDED_ */
