
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What a certificate is judged by: anchors, CRLs, pins, depth, security level
 * and kind of keys, held as one immutable object.  Equal content has an equal
 * digest; the system's roots are never part of it.
 */


#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/x509_vfy.h>

#include "ngx_aop_policy.h"


static void ngx_aop_policy_mark_same_subject(ngx_aop_policy_t *policy);
static int ngx_aop_policy_fill_store(ngx_aop_policy_t *policy);
static void ngx_aop_policy_sort_crl(X509_CRL *crl, X509 *any);
static int ngx_aop_policy_hash(ngx_aop_policy_t *policy);
static int ngx_aop_policy_hash_crls(ngx_aop_policy_t *policy, EVP_MD_CTX *md);
static void *ngx_aop_policy_push(void **elts, size_t *n, size_t size);
static int ngx_aop_policy_cmp_anchors(const void *one, const void *two);
static int ngx_aop_policy_cmp_pins(const void *one, const void *two);
static int ngx_aop_policy_cmp_digests(const void *one, const void *two);


ngx_aop_policy_t *
ngx_aop_policy_new(int depth)
{
    ngx_aop_policy_t  *policy;

    policy = OPENSSL_zalloc(sizeof(ngx_aop_policy_t));

    if (policy != NULL) {
        policy->depth = depth;
    }

    return policy;
}


void
ngx_aop_policy_free(ngx_aop_policy_t *policy)
{
    size_t  i;

    if (policy == NULL) {
        return;
    }

    for (i = 0; i < policy->nanchors; i++) {
        X509_free(policy->anchors[i].x509);
        OPENSSL_free(policy->anchors[i].name);
    }

    OPENSSL_free(policy->anchors);
    OPENSSL_free(policy->pins);
    sk_X509_CRL_pop_free(policy->crls, X509_CRL_free);
    OPENSSL_free(policy->crl_digests);
    X509_STORE_free(policy->store);

    OPENSSL_free(policy);
}


int
ngx_aop_policy_add_anchor(ngx_aop_policy_t *policy, X509 *x509,
    const char *name)
{
    char              *text;
    unsigned char      digest[NGX_AOP_DIGEST];
    ngx_aop_anchor_t  *anchor;

    if (ngx_aop_policy_anchor(policy, x509) != NULL) {
        return 1;
    }

    if (!ngx_aop_cert_digest(x509, digest)) {
        return 0;
    }

    text = name ? OPENSSL_strdup(name)
                : ngx_aop_cert_name(X509_get_subject_name(x509));
    if (text == NULL) {
        return 0;
    }

    anchor = ngx_aop_policy_push((void **) &policy->anchors,
                                 &policy->nanchors, sizeof(ngx_aop_anchor_t));
    if (anchor == NULL) {
        OPENSSL_free(text);
        return 0;
    }

    X509_up_ref(x509);

    anchor->x509 = x509;
    anchor->name = text;
    anchor->same_subject = 0;
    memcpy(anchor->digest, digest, NGX_AOP_DIGEST);

    return 1;
}


int
ngx_aop_policy_add_crl(ngx_aop_policy_t *policy, X509_CRL *crl)
{
    int  i;

    if (policy->crls == NULL) {
        policy->crls = sk_X509_CRL_new_null();
        if (policy->crls == NULL) {
            return 0;
        }
    }

    for (i = 0; i < sk_X509_CRL_num(policy->crls); i++) {
        if (X509_CRL_match(sk_X509_CRL_value(policy->crls, i), crl) == 0) {
            return 1;
        }
    }

    if (!sk_X509_CRL_push(policy->crls, crl)) {
        return 0;
    }

    X509_CRL_up_ref(crl);

    return 1;
}


int
ngx_aop_policy_add_pin(ngx_aop_policy_t *policy, const ngx_aop_pin_t *pin)
{
    size_t          i;
    ngx_aop_pin_t  *new;

    for (i = 0; i < policy->npins; i++) {
        if (ngx_aop_policy_cmp_pins(&policy->pins[i], pin) == 0) {
            return 1;
        }
    }

    new = ngx_aop_policy_push((void **) &policy->pins, &policy->npins,
                              sizeof(ngx_aop_pin_t));
    if (new == NULL) {
        return 0;
    }

    *new = *pin;

    return 1;
}


int
ngx_aop_policy_identify(ngx_aop_policy_t *policy)
{
    if (policy->identified) {
        return 1;
    }

    if (policy->nanchors > 1) {
        qsort(policy->anchors, policy->nanchors, sizeof(ngx_aop_anchor_t),
              ngx_aop_policy_cmp_anchors);
    }

    if (policy->npins > 1) {
        qsort(policy->pins, policy->npins, sizeof(ngx_aop_pin_t),
              ngx_aop_policy_cmp_pins);
    }

    policy->identified = ngx_aop_policy_hash(policy);

    return policy->identified;
}


int
ngx_aop_policy_seal(ngx_aop_policy_t *policy)
{
    if (!ngx_aop_policy_identify(policy)) {
        return 0;
    }

    ngx_aop_policy_mark_same_subject(policy);

    return ngx_aop_policy_fill_store(policy);
}


/*
 * OpenSSL tries one issuer of a name only where no key identifier tells which
 * is meant; while a CA is being replaced there may be two.
 */

static void
ngx_aop_policy_mark_same_subject(ngx_aop_policy_t *policy)
{
    size_t             i, k;
    ngx_aop_anchor_t  *anchors;

    anchors = policy->anchors;

    for (i = 0; i < policy->nanchors; i++) {
        for (k = 0; k < policy->nanchors; k++) {
            if (i != k
                && X509_NAME_cmp(X509_get_subject_name(anchors[i].x509),
                                 X509_get_subject_name(anchors[k].x509))
                   == 0)
            {
                anchors[i].same_subject = 1;
                break;
            }
        }
    }
}


static int
ngx_aop_policy_fill_store(ngx_aop_policy_t *policy)
{
    int            i;
    size_t         n;
    unsigned long  flags;

    policy->store = X509_STORE_new();
    if (policy->store == NULL) {
        return 0;
    }

    for (n = 0; n < policy->nanchors; n++) {
        if (!X509_STORE_add_cert(policy->store, policy->anchors[n].x509)) {
            return 0;
        }
    }

    /* anchors need not be roots */

    flags = X509_V_FLAG_PARTIAL_CHAIN;

    if (policy->crls != NULL) {
        flags |= X509_V_FLAG_CRL_CHECK|X509_V_FLAG_CRL_CHECK_ALL;

        for (i = 0; i < sk_X509_CRL_num(policy->crls); i++) {
            if (!X509_STORE_add_crl(policy->store,
                                    sk_X509_CRL_value(policy->crls, i)))
            {
                return 0;
            }

            if (policy->nanchors) {
                ngx_aop_policy_sort_crl(sk_X509_CRL_value(policy->crls, i),
                                        policy->anchors[0].x509);
            }
        }
    }

    return X509_STORE_set_flags(policy->store, flags);
}


/*
 * OpenSSL sorts a CRL at the first search in it, whatever is searched for.
 * That is done here, or each worker would do it in a handshake: a CRL of 16 MB
 * would block it for a tenth of a second.
 */

static void
ngx_aop_policy_sort_crl(X509_CRL *crl, X509 *any)
{
    X509_REVOKED  *revoked;

    (void) X509_CRL_get0_by_serial(crl, &revoked, X509_get_serialNumber(any));
}


/*
 * The number of each kind goes before its elements, so that no two contents
 * are the same string of bytes.
 */

static int
ngx_aop_policy_hash(ngx_aop_policy_t *policy)
{
    int          ok;
    size_t       i;
    uint64_t     head[6];
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();
    if (md == NULL) {
        return 0;
    }

    head[0] = policy->nanchors;
    head[1] = policy->npins;
    head[2] = policy->crls ? sk_X509_CRL_num(policy->crls) : 0;
    head[3] = policy->depth;
    head[4] = policy->auth_level;
    head[5] = policy->post_quantum;

    ok = EVP_DigestInit_ex(md, EVP_sha256(), NULL)
         && EVP_DigestUpdate(md, head, sizeof(head));

    for (i = 0; ok && i < policy->nanchors; i++) {
        ok = EVP_DigestUpdate(md, policy->anchors[i].digest, NGX_AOP_DIGEST);
    }

    for (i = 0; ok && i < policy->npins; i++) {
        ok = EVP_DigestUpdate(md, policy->pins[i].spki ? "s" : "c", 1)
             && EVP_DigestUpdate(md, policy->pins[i].digest, NGX_AOP_DIGEST);
    }

    ok = ok && ngx_aop_policy_hash_crls(policy, md)
         && EVP_DigestFinal_ex(md, policy->digest, NULL);

    EVP_MD_CTX_free(md);

    return ok;
}


/* They are kept: a CRL may be large, and the report names its digest. */

static int
ngx_aop_policy_hash_crls(ngx_aop_policy_t *policy, EVP_MD_CTX *md)
{
    int             i, n, ok;
    size_t          size;
    unsigned char  *sorted;

    if (policy->crls == NULL) {
        return 1;
    }

    n = sk_X509_CRL_num(policy->crls);
    size = (size_t) n * NGX_AOP_DIGEST;

    policy->crl_digests = OPENSSL_malloc(size);
    sorted = OPENSSL_malloc(size);

    ok = policy->crl_digests != NULL && sorted != NULL;

    for (i = 0; ok && i < n; i++) {
        ok = ngx_aop_cert_crl_digest(sk_X509_CRL_value(policy->crls, i),
                                     policy->crl_digests + i * NGX_AOP_DIGEST);
    }

    if (ok) {
        memcpy(sorted, policy->crl_digests, size);
        qsort(sorted, n, NGX_AOP_DIGEST, ngx_aop_policy_cmp_digests);
        ok = EVP_DigestUpdate(md, sorted, size);
    }

    OPENSSL_free(sorted);

    return ok;
}


const ngx_aop_anchor_t *
ngx_aop_policy_anchor(const ngx_aop_policy_t *policy, const X509 *x509)
{
    size_t  i;

    for (i = 0; i < policy->nanchors; i++) {
        if (X509_cmp(policy->anchors[i].x509, x509) == 0) {
            return &policy->anchors[i];
        }
    }

    return NULL;
}


static void *
ngx_aop_policy_push(void **elts, size_t *n, size_t size)
{
    unsigned char  *p;

    p = OPENSSL_realloc(*elts, (*n + 1) * size);
    if (p == NULL) {
        return NULL;
    }

    *elts = p;
    p += *n * size;
    (*n)++;

    return p;
}


static int
ngx_aop_policy_cmp_anchors(const void *one, const void *two)
{
    const ngx_aop_anchor_t  *first = one;
    const ngx_aop_anchor_t  *second = two;

    return memcmp(first->digest, second->digest, NGX_AOP_DIGEST);
}


static int
ngx_aop_policy_cmp_pins(const void *one, const void *two)
{
    const ngx_aop_pin_t  *first = one;
    const ngx_aop_pin_t  *second = two;

    if (first->spki != second->spki) {
        return first->spki ? 1 : -1;
    }

    return memcmp(first->digest, second->digest, NGX_AOP_DIGEST);
}


static int
ngx_aop_policy_cmp_digests(const void *one, const void *two)
{
    return memcmp(one, two, NGX_AOP_DIGEST);
}
