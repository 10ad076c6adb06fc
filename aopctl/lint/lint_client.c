
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A client certificate, verified by what nginx will trust.  Cloudflare may
 * present it alone or with the chain that was uploaded with it, so it has to
 * pass both ways.
 */


#include <stdio.h>
#include <string.h>
#include <openssl/x509v3.h>

#include "lint.h"
#include "ngx_aop_key.h"
#include "ngx_aop_selfissued.h"
#include "ngx_aop_verify.h"


static void aopctl_lint_presented(json_t *object, X509 *x509,
    ngx_aop_lint_level_e *level);
static void aopctl_lint_openssl(json_t *object, X509 *x509,
    ngx_aop_lint_level_e *level);
static void aopctl_lint_result(json_t *object,
    const ngx_aop_result_t *result);
static void aopctl_lint_refused(json_t *object,
    const ngx_aop_result_t *alone, const ngx_aop_result_t *chained,
    ngx_aop_lint_level_e finding, ngx_aop_lint_level_e *level);
static void aopctl_lint_half(json_t *object, const ngx_aop_result_t *alone,
    const ngx_aop_result_t *chained, ngx_aop_lint_level_e *level);


void
aopctl_lint_client(aopctl_lint_t *lint, json_t *object,
    const ngx_aop_pem_t *pem, ngx_aop_lint_level_e *level)
{
    X509                   *x509;
    json_t                 *with;
    ngx_aop_leaf_t          leaf;
    STACK_OF(X509)         *chain;
    ngx_aop_result_t        alone, chained;
    ngx_aop_lint_level_e    refused;

    x509 = sk_X509_value(pem->certs, 0);
    chain = (sk_X509_num(pem->certs) > 1) ? pem->certs : NULL;

    aopctl_lint_presented(object, x509, level);
    aopctl_lint_openssl(object, x509, level);

    ngx_aop_cert_leaf(&leaf, x509);
    ngx_aop_verify(lint->policy, &leaf, NULL, lint->now, &alone);
    aopctl_lint_result(object, &alone);

    chained = alone;

    /* OpenSSL leaves the peer's own certificate in the chain it gives */

    if (chain != NULL) {
        ngx_aop_verify(lint->policy, &leaf, chain, lint->now, &chained);

        with = json_object();
        aopctl_lint_result(with, &chained);
        aopctl_json_set(object, "with_chain", with);
    }

    if (lint->ncas == 0 && alone.anchor != NULL
        && X509_cmp(alone.anchor->x509, x509) == 0)
    {
        aopctl_lint_finding_add(object, NGX_AOP_LINT_WARNING, "no_ca",
                                "is the first in its file, so the file is "
                                "treated as a client certificate with its "
                                "chain, and there is no CA to verify it (use "
                                "aopctl lint --ca FILE CLIENT)", level);
    }

    /* without roles the answer remains about "aop_ca" */

    refused = lint->ncas ? NGX_AOP_LINT_ERROR : NGX_AOP_LINT_WARNING;

    if (alone.verdict != NGX_AOP_VERDICT_OK
        && chained.verdict != NGX_AOP_VERDICT_OK)
    {
        aopctl_lint_refused(object, &alone, &chained, refused, level);

    } else if (alone.verdict != chained.verdict) {
        aopctl_lint_half(object, &alone, &chained, level);
    }
}


void
aopctl_lint_client_judge(aopctl_lint_t *lint, json_t *object, X509 *x509,
    ngx_aop_lint_level_e *level)
{
    ngx_aop_leaf_t    leaf;
    ngx_aop_result_t  result;

    ngx_aop_cert_leaf(&leaf, x509);
    ngx_aop_verify(lint->policy, &leaf, NULL, lint->now, &result);

    aopctl_lint_result(object, &result);

    if (result.verdict != NGX_AOP_VERDICT_OK) {
        aopctl_lint_refused(object, &result, &result, NGX_AOP_LINT_WARNING,
                            level);
    }
}


/* Whatever nginx would make of it: does it come to nginx at all? */

static void
aopctl_lint_presented(json_t *object, X509 *x509, ngx_aop_lint_level_e *level)
{
    if (X509_check_ca(x509) != 0) {
        aopctl_lint_finding_add(object, NGX_AOP_LINT_ERROR, "client_ca",
                                "is a CA, which Cloudflare does not accept as "
                                "a client certificate (upload a certificate "
                                "issued by this CA, and use --ca for the CA)",
                                level);
    }

    if (!ngx_aop_key_in_tls(x509)) {
        aopctl_lint_finding_add(object, NGX_AOP_LINT_ERROR, "key_not_in_tls",
                                "has an SLH-DSA key, for which TLS has no "
                                "signature: no client can present it (use "
                                "ML-DSA)", level);
    }
}


/* nginx -t warns of the same; here an affected certificate is known. */

static void
aopctl_lint_openssl(json_t *object, X509 *x509, ngx_aop_lint_level_e *level)
{
    char  text[512];

    if (!ngx_aop_selfissued(x509)
        || !ngx_aop_selfissued_openssl(OpenSSL_version_num()))
    {
        return;
    }

    snprintf(text, sizeof(text), "has the name of its issuer, and is therefore "
             "rejected by %s: \"aop\" accepts it, \"ssl_verify_client\" does "
             "not (update to OpenSSL 4.0.3)",
             OpenSSL_version(OPENSSL_VERSION));

    aopctl_lint_finding_add(object, NGX_AOP_LINT_WARNING, "openssl", text,
                            level);
}


static void
aopctl_lint_result(json_t *object, const ngx_aop_result_t *result)
{
    aopctl_json_set(object, "verdict",
                    json_string(ngx_aop_verdict(result->verdict)->word));

    if (result->verdict == NGX_AOP_VERDICT_OK) {
        aopctl_json_set(object, "anchor",
                        aopctl_json_text(result->anchor->name));

    } else {
        aopctl_json_set(object, "reason", json_string(result->reason));
    }
}


/* Of the two reasons, the one with the chain is closer to the cause. */

static void
aopctl_lint_refused(json_t *object, const ngx_aop_result_t *alone,
    const ngx_aop_result_t *chained, ngx_aop_lint_level_e finding,
    ngx_aop_lint_level_e *level)
{
    char                      text[512];
    const ngx_aop_verdict_t  *verdict;

    verdict = ngx_aop_verdict(chained->verdict);

    snprintf(text, sizeof(text), "would be refused if presented by "
             "Cloudflare%s, %s: %s; %s",
             (alone->verdict != chained->verdict)
             ? ", both with and without its chain" : "",
             verdict->word, chained->reason, verdict->hint[NGX_AOP_PEER_EDGE]);

    aopctl_lint_finding_add(object, finding, "would_be_refused", text, level);
}


static void
aopctl_lint_half(json_t *object, const ngx_aop_result_t *alone,
    const ngx_aop_result_t *chained, ngx_aop_lint_level_e *level)
{
    int                      needs;
    char                     text[512];
    const ngx_aop_result_t  *failed;

    needs = (chained->verdict == NGX_AOP_VERDICT_OK);
    failed = needs ? alone : chained;

    snprintf(text, sizeof(text), "is accepted only if Cloudflare presents it "
             "%s its chain, otherwise it is rejected, %s: %s; %s",
             needs ? "with" : "without",
             ngx_aop_verdict(failed->verdict)->word, failed->reason,
             needs ? "add the CA that issued it to \"aop_ca\""
                   : "upload it without the chain");

    aopctl_lint_finding_add(object, NGX_AOP_LINT_WARNING,
                            needs ? "needs_chain" : "only_alone", text, level);
}
