
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Whatever is in a PEM file, reading it ends in certificates and CRLs that a
 * policy can be made of, or in words for the administrator.
 */


#include <openssl/err.h>

#include "ngx_aop_lint.h"
#include "ngx_aop_pem.h"
#include "ngx_aop_policy.h"
#include "fuzz.h"


static void
fuzz_use(const ngx_aop_pem_t *pem)
{
    int                    i;
    X509                  *x509;
    size_t                 n;
    X509_CRL              *crl;
    ngx_aop_policy_t      *policy;
    ngx_aop_lint_found_t   found;

    policy = ngx_aop_policy_new(1);
    fuzz_check(policy != NULL);

    for (i = 0; i < sk_X509_num(pem->certs); i++) {
        x509 = sk_X509_value(pem->certs, i);

        ngx_aop_lint_cert(x509, 2, FUZZ_NOW, &found);
        fuzz_printable(found.about, strlen(found.about));
        (void) ngx_aop_policy_add_anchor(policy, x509, NULL);
    }

    for (i = 0; i < sk_X509_CRL_num(pem->crls); i++) {
        crl = sk_X509_CRL_value(pem->crls, i);

        ngx_aop_lint_crl(crl, FUZZ_NOW, &found);
        (void) ngx_aop_policy_add_crl(policy, crl);
    }

    (void) ngx_aop_policy_seal(policy);
    ngx_aop_lint_policy(policy, &found);

    for (n = 0; n < policy->nanchors; n++) {
        ngx_aop_lint_anchor(policy, &policy->anchors[n], &found);
        fuzz_printable(found.about, strlen(found.about));
    }

    ngx_aop_policy_free(policy);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ngx_aop_pem_t  pem;

    if (ngx_aop_pem_parse(&pem, (const char *) data, size)) {
        fuzz_check(sk_X509_num(pem.certs) + sk_X509_CRL_num(pem.crls) > 0);
        fuzz_check(pem.err[0] == '\0');

        fuzz_use(&pem);
        ngx_aop_pem_free(&pem);

    } else {
        fuzz_check(pem.certs == NULL && pem.crls == NULL);
        fuzz_check(pem.err[0] != '\0');
        fuzz_check(memchr(pem.err, '\0', sizeof(pem.err)) != NULL);
        fuzz_printable(pem.err, strlen(pem.err));
        fuzz_check(ERR_peek_error() == 0);
    }

    ERR_clear_error();

    return 0;
}
