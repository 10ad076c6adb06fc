
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The policy that nginx would make of the files of "aopctl lint".  With roles
 * it is the one of "aop_ca", "aop_crl", "aop_verify_depth" and "aop_pin", and
 * nothing else is trusted.
 */


#include <stdio.h>
#include <string.h>
#include <openssl/x509v3.h>

#include "lint.h"
#include "ngx_aop_cloudflare.h"


static int aopctl_lint_builtin(ngx_aop_pem_t *pem);
static int aopctl_lint_roles(aopctl_lint_t *lint);
static int aopctl_lint_guess(aopctl_lint_t *lint);
static int aopctl_lint_anchors(aopctl_lint_t *lint, const char *file,
    int (*is)(const ngx_aop_pem_t *pem, X509 *x509));
static int aopctl_lint_crls(aopctl_lint_t *lint, const char *file,
    aopctl_lint_role_e role);
static int aopctl_lint_is_any(const ngx_aop_pem_t *pem, X509 *x509);
static int aopctl_lint_is_ca(const ngx_aop_pem_t *pem, X509 *x509);
static int aopctl_lint_is_leaf(const ngx_aop_pem_t *pem, X509 *x509);


int
aopctl_lint_trust_policy(aopctl_lint_t *lint)
{
    size_t  i;

    lint->policy = ngx_aop_policy_new((int) lint->depth);

    if (lint->policy == NULL
        || !(lint->ncas ? aopctl_lint_roles(lint) : aopctl_lint_guess(lint)))
    {
        return 0;
    }

    lint->policy->auth_level = lint->auth_level;
    lint->policy->post_quantum = lint->post_quantum;

    for (i = 0; i < lint->npins; i++) {
        if (!ngx_aop_policy_add_pin(lint->policy, &lint->pins[i])) {
            return 0;
        }
    }

    return ngx_aop_policy_seal(lint->policy);
}


/*
 * As in nginx: every certificate of "aop_ca" is an anchor, CRLs are not read.
 */

static int
aopctl_lint_roles(aopctl_lint_t *lint)
{
    size_t  i;

    for (i = 0; i < lint->ncas; i++) {
        if (!aopctl_lint_anchors(lint, lint->cas[i], aopctl_lint_is_any)) {
            return 0;
        }
    }

    for (i = 0; i < lint->ncrls; i++) {
        if (!aopctl_lint_crls(lint, lint->crls[i], AOPCTL_LINT_CRL)) {
            return 0;
        }
    }

    return 1;
}


/*
 * Certificates that are not CAs are anchors only if there is no CA: otherwise
 * they are to be judged by it.
 */

static int
aopctl_lint_guess(aopctl_lint_t *lint)
{
    char  **file;

    for (file = lint->files; *file; file++) {
        if (!aopctl_lint_anchors(lint, *file, aopctl_lint_is_ca)
            || !aopctl_lint_crls(lint, *file, AOPCTL_LINT_ANY))
        {
            return 0;
        }
    }

    if (lint->policy->nanchors != 0) {
        return 1;
    }

    for (file = lint->files; *file; file++) {
        if (!aopctl_lint_anchors(lint, *file, aopctl_lint_is_leaf)) {
            return 0;
        }
    }

    return 1;
}


/* Files that cannot be read are reported later. */

static int
aopctl_lint_anchors(aopctl_lint_t *lint, const char *file,
    int (*is)(const ngx_aop_pem_t *pem, X509 *x509))
{
    int             i, rc;
    X509           *x509;
    ngx_aop_pem_t   pem;

    if (!aopctl_lint_trust_read(&pem, file, lint->ncas ? AOPCTL_LINT_CA
                                                 : AOPCTL_LINT_ANY))
    {
        return 1;
    }

    rc = 1;

    for (i = 0; rc && i < sk_X509_num(pem.certs); i++) {
        x509 = sk_X509_value(pem.certs, i);

        if (is(&pem, x509)) {
            rc = ngx_aop_policy_add_anchor(lint->policy, x509,
                                           ngx_aop_cloudflare_is_ca(x509)
                                           ? "cloudflare" : NULL);
        }
    }

    ngx_aop_pem_free(&pem);

    return rc;
}


static int
aopctl_lint_crls(aopctl_lint_t *lint, const char *file,
    aopctl_lint_role_e role)
{
    int             i, rc;
    ngx_aop_pem_t   pem;

    if (!aopctl_lint_trust_read(&pem, file, role)) {
        return 1;
    }

    rc = 1;

    for (i = 0; rc && i < sk_X509_CRL_num(pem.crls); i++) {
        rc = ngx_aop_policy_add_crl(lint->policy,
                                    sk_X509_CRL_value(pem.crls, i));
    }

    ngx_aop_pem_free(&pem);

    return rc;
}


static int
aopctl_lint_is_any(const ngx_aop_pem_t *pem, X509 *x509)
{
    return 1;
}


static int
aopctl_lint_is_ca(const ngx_aop_pem_t *pem, X509 *x509)
{
    return X509_check_ca(x509) != 0
           && X509_check_ca(sk_X509_value(pem->certs, 0)) != 0;
}


static int
aopctl_lint_is_leaf(const ngx_aop_pem_t *pem, X509 *x509)
{
    return X509_check_ca(x509) == 0;
}


int
aopctl_lint_trust_is_chain(const ngx_aop_pem_t *pem)
{
    return sk_X509_num(pem->certs) > 1
           && X509_check_ca(sk_X509_value(pem->certs, 0)) == 0;
}


/* As nginx reads it: a file of certificates without any is an error. */

int
aopctl_lint_trust_read(ngx_aop_pem_t *pem, const char *file,
    aopctl_lint_role_e role)
{
    const char  *other;

    if (role == AOPCTL_LINT_CA && strcmp(file, "cloudflare") == 0) {
        return aopctl_lint_builtin(pem);
    }

    if (!ngx_aop_pem_read_as(pem, file, role == AOPCTL_LINT_CRL
                                        ? "CRL" : "certificate"))
    {
        return 0;
    }

    other = NULL;

    if (role == AOPCTL_LINT_CRL && sk_X509_CRL_num(pem->crls) == 0) {
        other = "no CRL in it, but a certificate";

    } else if (role != AOPCTL_LINT_CRL && role != AOPCTL_LINT_ANY
               && sk_X509_num(pem->certs) == 0)
    {
        other = "no certificate in it, but a CRL (use --crl for CRLs)";
    }

    if (other == NULL) {
        return 1;
    }

    ngx_aop_pem_free(pem);
    snprintf(pem->err, sizeof(pem->err), "%s", other);

    return 0;
}


static int
aopctl_lint_builtin(ngx_aop_pem_t *pem)
{
    X509  *x509;

    memset(pem, 0, sizeof(ngx_aop_pem_t));

    pem->certs = sk_X509_new_null();
    pem->crls = sk_X509_CRL_new_null();

    x509 = ngx_aop_cloudflare_ca();

    if (pem->certs != NULL && pem->crls != NULL && x509 != NULL
        && sk_X509_push(pem->certs, x509))
    {
        return 1;
    }

    X509_free(x509);
    ngx_aop_pem_free(pem);
    snprintf(pem->err, sizeof(pem->err), "out of memory");

    return 0;
}
