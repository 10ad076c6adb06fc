
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Does this certificate chain to an anchor of the policy?  The answer is a
 * verdict, never an action: the mode is not known here.  A certificate that
 * could not be judged is not a certificate that passed.
 */


#include <string.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "ngx_aop_cloudflare.h"
#include "ngx_aop_key.h"
#include "ngx_aop_selfissued.h"
#include "ngx_aop_verify.h"


static int ngx_aop_verify_no_memory(unsigned long before);
static int ngx_aop_verify_wrong_issuer(const ngx_aop_result_t *result);
static void ngx_aop_verify_by_anchor(const ngx_aop_policy_t *policy,
    const ngx_aop_leaf_t *leaf, STACK_OF(X509) *chain, time_t now, X509 *only,
    ngx_aop_result_t *result);
static int ngx_aop_verify_chain(X509_STORE_CTX *ctx,
    const ngx_aop_policy_t *policy, X509 *leaf, STACK_OF(X509) *chain,
    time_t now, STACK_OF(X509) *trusted, X509 *real);
static int ngx_aop_verify_signed(X509_STORE_CTX *ctx);
static int ngx_aop_verify_callback(int ok, X509_STORE_CTX *ctx);
static int ngx_aop_verify_issuers(STACK_OF(X509) *chain);
static void ngx_aop_verify_failed(ngx_aop_result_t *result, X509 *leaf,
    int error);
static void ngx_aop_verify_passed(ngx_aop_result_t *result,
    const ngx_aop_policy_t *policy, const ngx_aop_leaf_t *leaf,
    X509_STORE_CTX *ctx, time_t now);
static int ngx_aop_verify_post_quantum(ngx_aop_result_t *result,
    STACK_OF(X509) *chain);
static time_t ngx_aop_verify_until(const ngx_aop_policy_t *policy,
    STACK_OF(X509) *chain, time_t now);
static void ngx_aop_verify_earlier(time_t *until, const ASN1_TIME *asn1,
    time_t now);


void
ngx_aop_verify(const ngx_aop_policy_t *policy, const ngx_aop_leaf_t *leaf,
    STACK_OF(X509) *chain, time_t now, ngx_aop_result_t *result)
{
    size_t            i;
    unsigned long     before;
    ngx_aop_result_t  other;

    before = ERR_peek_last_error();
    ERR_set_mark();

    ngx_aop_verify_by_anchor(policy, leaf, chain, now, NULL, result);

    for (i = 0;
         ngx_aop_verify_wrong_issuer(result) && i < policy->nanchors;
         i++)
    {
        if (!policy->anchors[i].same_subject) {
            continue;
        }

        ngx_aop_verify_by_anchor(policy, leaf, chain, now,
                                 policy->anchors[i].x509, &other);

        if (other.verdict != NGX_AOP_VERDICT_UNTRUSTED) {
            *result = other;
        }
    }

    if (ngx_aop_verify_no_memory(before)) {
        result->anchor = NULL;
        result->valid_until = 0;
        ngx_aop_verify_set_result(result, NGX_AOP_VERDICT_ERROR,
                                  X509_V_ERR_OUT_OF_MEM);
    }

    ERR_pop_to_mark();
}


/*
 * OpenSSL may take a failed allocation for a certificate or a CRL that does
 * not exist, and say so; what it says is then worth nothing.
 */

static int
ngx_aop_verify_no_memory(unsigned long before)
{
    int            failed;
    unsigned long  error;

    if (before != 0) {
        error = ERR_peek_last_error();

        return error != before
               && ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
    }

    /* all that is in the queue is ours to take */

    failed = 0;

    while ((error = ERR_get_error()) != 0) {
        if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) {
            failed = 1;
        }
    }

    return failed;
}


/* Another anchor of the same name may be the right one. */

static int
ngx_aop_verify_wrong_issuer(const ngx_aop_result_t *result)
{
    return result->verdict == NGX_AOP_VERDICT_UNTRUSTED
           || result->error == X509_V_ERR_INVALID_CA;
}


/* "only" is the one anchor that may end the chain, NULL for any. */

static void
ngx_aop_verify_by_anchor(const ngx_aop_policy_t *policy,
    const ngx_aop_leaf_t *leaf, STACK_OF(X509) *chain, time_t now, X509 *only,
    ngx_aop_result_t *result)
{
    int              error;
    X509            *copy;
    STACK_OF(X509)  *trusted;
    X509_STORE_CTX  *ctx;

    memset(result, 0, sizeof(ngx_aop_result_t));
    ngx_aop_verify_set_result(result, NGX_AOP_VERDICT_ERROR,
                              X509_V_ERR_UNSPECIFIED);

    copy = NULL;
    trusted = NULL;

    ctx = X509_STORE_CTX_new();

    if (ctx == NULL || !leaf->digested) {
        goto done;
    }

    memcpy(result->leaf, leaf->digest, NGX_AOP_DIGEST);

    if (only != NULL) {
        trusted = sk_X509_new_null();

        if (trusted == NULL || !sk_X509_push(trusted, only)) {
            goto done;
        }
    }

    error = ngx_aop_verify_chain(ctx, policy, leaf->x509, chain, now, trusted,
                                 NULL);

    if (error == X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT
        && ngx_aop_selfissued(leaf->x509))
    {
        copy = ngx_aop_selfissued_copy(leaf->x509);

        if (copy == NULL) {
            goto done;
        }

        X509_STORE_CTX_cleanup(ctx);

        error = ngx_aop_verify_chain(ctx, policy, copy, chain, now, trusted,
                                     leaf->x509);
    }

    if (error == X509_V_OK) {
        ngx_aop_verify_passed(result, policy, leaf, ctx, now);

    } else {
        ngx_aop_verify_failed(result, leaf->x509, error);
    }

done:

    X509_STORE_CTX_free(ctx);
    sk_X509_free(trusted);
    X509_free(copy);
}


/*
 * Returns X509_V_OK or the X509_V_ERR_* that stands for the failure.  The
 * parameters are those of ssl_verify_cert_chain() in OpenSSL's ssl_cert.c.
 *
 * If the leaf is a copy, "real" is what it is a copy of, else NULL.
 */

static int
ngx_aop_verify_chain(X509_STORE_CTX *ctx, const ngx_aop_policy_t *policy,
    X509 *leaf, STACK_OF(X509) *chain, time_t now, STACK_OF(X509) *trusted,
    X509 *real)
{
    int                 rc, error;
    X509_VERIFY_PARAM  *param;

    /*
     * OpenSSL looks for the leaf among the anchors only when it has found no
     * issuer; but the holder of an anchor may well send its issuers along
     */

    if (ngx_aop_policy_anchor(policy, leaf) != NULL) {
        chain = NULL;
    }

    if (!X509_STORE_CTX_init(ctx, policy->store, leaf, chain)
        || !X509_STORE_CTX_set_default(ctx, "ssl_client"))
    {
        return X509_V_ERR_OUT_OF_MEM;
    }

    if (trusted != NULL) {
        X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
    }

    param = X509_STORE_CTX_get0_param(ctx);

    X509_VERIFY_PARAM_set_depth(param, policy->depth);
    X509_VERIFY_PARAM_set_auth_level(param, policy->auth_level);
    X509_VERIFY_PARAM_set_time(param, now);

    X509_STORE_CTX_set_app_data(ctx, real);
    X509_STORE_CTX_set_verify_cb(ctx, ngx_aop_verify_callback);

    rc = X509_verify_cert(ctx);
    error = X509_STORE_CTX_get_error(ctx);

    if (rc > 0) {
        return (error == X509_V_OK)
               ? ngx_aop_verify_issuers(X509_STORE_CTX_get0_chain(ctx))
               : error;
    }

    if (rc == 0 && error != X509_V_OK && error != X509_V_ERR_UNSPECIFIED) {
        return error;
    }

    /* OpenSSL does not say more if a leaf's key makes no sense */

    if (X509_get0_pubkey(leaf) == NULL) {
        return X509_V_ERR_UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY;
    }

    return X509_V_ERR_UNSPECIFIED;
}


/*
 * With X509_V_FLAG_CRL_CHECK_ALL OpenSSL asks the CRLs about the last
 * certificate of the chain too; but an anchor is trusted because it was named,
 * whatever its issuer thinks of it, and its issuer may be nowhere in the
 * policy.
 */

static int
ngx_aop_verify_callback(int ok, X509_STORE_CTX *ctx)
{
    int                depth, error;
    ngx_aop_verdict_e  verdict;

    if (ok) {
        return 1;
    }

    error = X509_STORE_CTX_get_error(ctx);

    if (error == X509_V_ERR_UNSPECIFIED) {

        /*
         * of all failures inside OpenSSL, only one comes here: a certificate
         * with more names than it compares with name constraints
         */

        X509_STORE_CTX_set_error(ctx,
                                 X509_V_ERR_UNSUPPORTED_CONSTRAINT_SYNTAX);
        return 0;
    }

    if (error == X509_V_ERR_CERT_SIGNATURE_FAILURE) {
        return ngx_aop_verify_signed(ctx);
    }

    verdict = ngx_aop_verdict_from_x509(error);

    if (verdict != NGX_AOP_VERDICT_CRL && verdict != NGX_AOP_VERDICT_REVOKED) {
        return 0;
    }

    depth = X509_STORE_CTX_get_error_depth(ctx);

    if (depth != sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) - 1) {
        return 0;
    }

    X509_STORE_CTX_set_error(ctx, X509_V_OK);

    return 1;
}


/*
 * A client certificate in "aop_ca", or one that a CA has issued, vouches for
 * itself alone.
 */

static int
ngx_aop_verify_issuers(STACK_OF(X509) *chain)
{
    int  i;

    for (i = 1; i < sk_X509_num(chain); i++) {
        if (!ngx_aop_cert_is_ca(sk_X509_value(chain, i))) {
            return X509_V_ERR_INVALID_CA;
        }
    }

    return X509_V_OK;
}


/*
 * The signature of a copy does not fit.  That of the original has to, by the
 * key that OpenSSL chose for the copy.
 */

static int
ngx_aop_verify_signed(X509_STORE_CTX *ctx)
{
    X509            *real;
    EVP_PKEY        *key;
    STACK_OF(X509)  *chain;

    real = X509_STORE_CTX_get_app_data(ctx);
    chain = X509_STORE_CTX_get0_chain(ctx);

    if (real == NULL
        || X509_STORE_CTX_get_error_depth(ctx) != 0
        || sk_X509_num(chain) < 2)
    {
        return 0;
    }

    key = X509_get0_pubkey(sk_X509_value(chain, 1));

    if (key == NULL || X509_verify(real, key) <= 0) {
        return 0;
    }

    X509_STORE_CTX_set_error(ctx, X509_V_OK);

    return 1;
}


static void
ngx_aop_verify_failed(ngx_aop_result_t *result, X509 *leaf, int error)
{
    ngx_aop_verdict_e  verdict;

    verdict = ngx_aop_verdict_from_x509(error);

    if (verdict == NGX_AOP_VERDICT_UNTRUSTED
        && ngx_aop_cloudflare_origin_ca_name(X509_get_issuer_name(leaf)))
    {
        verdict = NGX_AOP_VERDICT_ORIGIN_CA;
    }

    ngx_aop_verify_set_result(result, verdict, error);
}


static void
ngx_aop_verify_passed(ngx_aop_result_t *result,
    const ngx_aop_policy_t *policy, const ngx_aop_leaf_t *leaf,
    X509_STORE_CTX *ctx, time_t now)
{
    int              match;
    STACK_OF(X509)  *chain;

    chain = X509_STORE_CTX_get0_chain(ctx);

    result->anchor = ngx_aop_policy_anchor(policy,
                              sk_X509_value(chain, sk_X509_num(chain) - 1));

    if (result->anchor == NULL) {
        return;
    }

    if (policy->post_quantum && !ngx_aop_verify_post_quantum(result, chain)) {
        return;
    }

    if (policy->npins) {
        match = ngx_aop_pin_match(policy->pins, policy->npins, leaf);

        if (match == 0) {
            ngx_aop_verify_set_result(result, NGX_AOP_VERDICT_PIN,
                                      X509_V_ERR_APPLICATION_VERIFICATION);
        }

        if (match != 1) {
            return;
        }
    }

    result->valid_until = ngx_aop_verify_until(policy, chain, now);

    ngx_aop_verify_set_result(result, NGX_AOP_VERDICT_OK, X509_V_OK);
}


/*
 * A signature is as strong as the key that made it: if all keys are of the
 * required kind, including the anchor's, so are all signatures below the
 * anchor.
 */

static int
ngx_aop_verify_post_quantum(ngx_aop_result_t *result, STACK_OF(X509) *chain)
{
    int  i;

    for (i = 0; i < sk_X509_num(chain); i++) {
        if (ngx_aop_key_post_quantum(sk_X509_value(chain, i))) {
            continue;
        }

        ngx_aop_verify_set_result(result, NGX_AOP_VERDICT_WEAK,
                                  X509_V_ERR_APPLICATION_VERIFICATION);

        result->reason = (i == 0)
                         ? "the key of the certificate is not post-quantum"
                         : "the key of a CA of the chain is not post-quantum";
        return 0;
    }

    return 1;
}


static time_t
ngx_aop_verify_until(const ngx_aop_policy_t *policy, STACK_OF(X509) *chain,
    time_t now)
{
    int           i, n;
    time_t        until;
    X509         *x509;
    X509_CRL     *crl;

    until = 0;

    for (i = 0; i < sk_X509_num(chain); i++) {
        x509 = sk_X509_value(chain, i);

        ngx_aop_verify_earlier(&until, X509_get0_notAfter(x509), now);

        if (i == sk_X509_num(chain) - 1) {
            break;          /* the anchor is not checked against a CRL */
        }

        for (n = 0; policy->crls && n < sk_X509_CRL_num(policy->crls); n++) {
            crl = sk_X509_CRL_value(policy->crls, n);

            if (X509_CRL_get0_nextUpdate(crl) != NULL
                && X509_NAME_cmp(X509_CRL_get_issuer(crl),
                                 X509_get_issuer_name(x509))
                   == 0)
            {
                ngx_aop_verify_earlier(&until, X509_CRL_get0_nextUpdate(crl),
                                       now);
            }
        }
    }

    return until;
}


/*
 * A date that is past did not count for the verdict (an older CRL of the same
 * issuer), so it cannot end it.  In the very second of a date, OpenSSL before
 * 4.0 says that it is past, later versions that it is not: what passes then is
 * not worth remembering.
 */

static void
ngx_aop_verify_earlier(time_t *until, const ASN1_TIME *asn1, time_t now)
{
    time_t  t;

    if (ngx_aop_cert_time(asn1, &t)
        && t >= now
        && (*until == 0 || t - 1 < *until))
    {
        *until = t - 1;
    }
}


void
ngx_aop_verify_set_result(ngx_aop_result_t *result, ngx_aop_verdict_e verdict,
    int error)
{
    result->verdict = verdict;
    result->error = error;

    switch (verdict) {

    case NGX_AOP_VERDICT_OK:
        result->reason = "";
        break;

    case NGX_AOP_VERDICT_ERROR:
    case NGX_AOP_VERDICT_PIN:
        result->reason = ngx_aop_verdict(verdict)->meaning;
        break;

    default:
        result->reason = X509_verify_cert_error_string(error);
        break;
    }
}
