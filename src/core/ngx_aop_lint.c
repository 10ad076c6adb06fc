
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Is this what should be trusted?  Most failed rollouts are a wrong file, so
 * each certificate is identified, and each finding says what to use instead.
 * An error keeps nginx from starting, and no error depends on the clock.
 */


#include <stdio.h>
#include <string.h>
#include <openssl/x509v3.h>

#include "ngx_aop_cloudflare.h"
#include "ngx_aop_key.h"
#include "ngx_aop_lint.h"
#include "ngx_aop_roots.h"
#include "ngx_aop_selfissued.h"


/* more anchors than that look like a bundle of public roots */

#define NGX_AOP_LINT_ANCHORS_MAX  10

#define ngx_aop_lint_nelts(a)  (sizeof(a) / sizeof((a)[0]))


static void ngx_aop_lint_ca(X509 *x509, ngx_aop_lint_found_t *found);
static void ngx_aop_lint_dates(const ASN1_TIME *from, const ASN1_TIME *to,
    time_t now, ngx_aop_lint_found_t *found);
static void ngx_aop_lint_add(ngx_aop_lint_found_t *found,
    ngx_aop_lint_e finding, const char *about);
static int ngx_aop_lint_in_chain(X509 *ca, X509 *x509, STACK_OF(X509) *chain);
static void ngx_aop_lint_several(ngx_aop_lint_found_t *found,
    ngx_aop_lint_e finding, const ngx_aop_anchor_t *first, size_t n);
static int ngx_aop_lint_has_crl(const ngx_aop_policy_t *policy, X509 *x509);
static int ngx_aop_lint_is_weak(X509 *x509, int auth_level);
static int ngx_aop_lint_is_root(X509 *x509);


static const ngx_aop_lint_kind_t  ngx_aop_lint_kinds[NGX_AOP_LINT_KINDS] = {

    [NGX_AOP_LINT_CLOUDFLARE] = {
        "origin_pull_ca",
        "Cloudflare's origin-pull CA, as built in"
    },

    [NGX_AOP_LINT_CLOUDFLARE_2015] = {
        "origin_pull_ca_2015",
        "the edition of Cloudflare's origin-pull CA that expired in 2020"
    },

    [NGX_AOP_LINT_ORIGIN_CA] = {
        "origin_ca_root",
        "Cloudflare's Origin CA, which issues server certificates to any "
        "customer"
    },

    [NGX_AOP_LINT_ORIGIN_CA_LEAF] = {
        "origin_ca_certificate",
        "a certificate whose issuer has the name of Cloudflare's Origin CA"
    },

    [NGX_AOP_LINT_ROOT] = {
        "root_ca",
        "a root CA, not Cloudflare's"
    },

    [NGX_AOP_LINT_INTERMEDIATE] = {
        "intermediate_ca",
        "an intermediate CA"
    },

    [NGX_AOP_LINT_LEAF] = {
        "leaf",
        "a certificate that is not a CA"
    }
};


static const ngx_aop_lint_t  ngx_aop_lint_findings[NGX_AOP_LINT_FINDINGS] = {

    [NGX_AOP_LINT_LOOKALIKE] = {
        NGX_AOP_LINT_ERROR, "origin_ca",
        "contains Cloudflare's Origin CA, which issues server certificates to "
        "any customer, not the origin-pull CA (use the built-in \"aop_ca "
        "cloudflare\", or the CA of the certificate that you uploaded to "
        "Cloudflare)"
    },

    [NGX_AOP_LINT_OUTDATED] = {
        NGX_AOP_LINT_ERROR, "origin_pull_ca_2015",
        "contains the edition of Cloudflare's origin-pull CA that expired in "
        "2020 (use the built-in \"aop_ca cloudflare\", or the CA of the "
        "certificate that you uploaded to Cloudflare)"
    },

    [NGX_AOP_LINT_DELTA_CRL] = {
        NGX_AOP_LINT_ERROR, "delta_crl",
        "contains a delta CRL, which is not supported (use complete CRLs)"
    },

    [NGX_AOP_LINT_NOT_YET_VALID] = {
        NGX_AOP_LINT_WARNING, "not_yet_valid",
        "is not valid before %s, certificates that depend on it are rejected "
        "(replace it, or check the system clock)"
    },

    [NGX_AOP_LINT_ENDED] = {
        NGX_AOP_LINT_WARNING, "ended",
        "expired on %s, certificates that depend on it are rejected (replace "
        "it, or check the system clock)"
    },

    [NGX_AOP_LINT_SERVER_CERT] = {
        NGX_AOP_LINT_WARNING, "origin_ca_certificate",
        "is a Cloudflare Origin CA server certificate, which any customer can "
        "obtain; Cloudflare presents a different certificate to origins"
    },

    [NGX_AOP_LINT_WEAK] = {
        NGX_AOP_LINT_WARNING, "weak",
        "has a key that is too short for OpenSSL's security level on this "
        "system, certificates that depend on it are rejected (reissue it with "
        "a longer key)"
    },

    [NGX_AOP_LINT_PURPOSE] = {
        NGX_AOP_LINT_WARNING, "purpose",
        "is not a CA for TLS client authentication (extendedKeyUsage), "
        "certificates issued by it are rejected (use the CA of the "
        "certificate that you uploaded to Cloudflare)"
    },

    [NGX_AOP_LINT_CRITICAL] = {
        NGX_AOP_LINT_WARNING, "critical",
        "is a CA with a critical extension unknown to OpenSSL, certificates "
        "issued by it are rejected (reissue it without the extension)"
    },

    [NGX_AOP_LINT_UNMARKED] = {
        NGX_AOP_LINT_WARNING, "unmarked_ca",
        "is not marked as a CA (basicConstraints): it is treated as a client "
        "certificate, and certificates issued by it are rejected (if it is a "
        "CA, reissue it with CA:TRUE)"
    },

    [NGX_AOP_LINT_KEY] = {
        NGX_AOP_LINT_WARNING, "private_key",
        "contains a private key, which is not used (remove it)"
    },

    [NGX_AOP_LINT_MANY] = {
        NGX_AOP_LINT_WARNING, "many",
        "contains %s certificates, possibly a bundle of public roots: clients "
        "with a certificate issued by any of them are accepted"
    },

    [NGX_AOP_LINT_MIXED] = {
        NGX_AOP_LINT_WARNING, "mixed",
        "trusts both your own CA and the CA shared by all Cloudflare "
        "customers: certificates issued by the shared CA are accepted (remove "
        "it once all traffic uses your own)"
    },

    [NGX_AOP_LINT_UNASKED] = {
        NGX_AOP_LINT_WARNING, "crl_not_asked",
        "contains \"%s\", which is a client certificate, not a CA: "
        "\"aop_crl\" does not apply to it (remove it from \"aop_ca\" to "
        "revoke it)"
    },

    [NGX_AOP_LINT_NO_CRL] = {
        NGX_AOP_LINT_WARNING, "no_crl",
        "contains \"%s\", for which there is no CRL in \"aop_crl\": "
        "certificates issued by it are rejected"
    },

    [NGX_AOP_LINT_PUBLIC] = {
        NGX_AOP_LINT_WARNING, "public_ca",
        "trusts %s, which this system trusts for websites: unless it is your "
        "own CA, anyone can obtain a certificate from it (use the CA of the "
        "certificate that you uploaded to Cloudflare)"
    },

    [NGX_AOP_LINT_OWN_CHAIN] = {
        NGX_AOP_LINT_WARNING, "own_chain",
        "trusts %s, which issued its own \"ssl_certificate\": unless it is "
        "your own CA, anyone can obtain a certificate from it (use the CA of "
        "the certificate that you uploaded to Cloudflare)"
    },

    [NGX_AOP_LINT_UNSUPPORTED] = {
        NGX_AOP_LINT_WARNING, "unsupported_key",
        "has a key that cannot be verified (%s)"
    },

    [NGX_AOP_LINT_NONE_SUPPORTED] = {
        NGX_AOP_LINT_ERROR, "no_supported_key",
        "contains only certificates that cannot be verified, all client "
        "certificates would be rejected (%s)"
    },

    [NGX_AOP_LINT_BOTH_KINDS] = {
        NGX_AOP_LINT_WARNING, "both_kinds_of_keys",
        "trusts both post-quantum and classical keys, such as that of %s: "
        "classical certificates are still accepted (after a migration, remove "
        "the classical ones and set \"aop_require post_quantum\")"
    },

    [NGX_AOP_LINT_CLASSICAL] = {
        NGX_AOP_LINT_WARNING, "classical_key",
        "trusts %s, whose key is not post-quantum, with \"aop_require "
        "post_quantum\": certificates that depend on it are rejected (remove "
        "it)"
    },

    [NGX_AOP_LINT_ALL_CLASSICAL] = {
        NGX_AOP_LINT_ERROR, "no_post_quantum_key",
        "contains only certificates whose key is not post-quantum, such as "
        "%s: with \"aop_require post_quantum\" all client certificates would "
        "be rejected"
    },

    [NGX_AOP_LINT_BELOW_LEVEL] = {
        NGX_AOP_LINT_WARNING, "key_below_level",
        "trusts %s, whose key is too weak for the security level of the "
        "server: certificates that depend on it are rejected (lower "
        "\"@SECLEVEL\" in \"ssl_ciphers\", or use a stronger key)"
    }
};


static const char *const  ngx_aop_lint_levels[] = {
    "ok", "warning", "error"
};


ngx_aop_lint_kind_e
ngx_aop_lint_classify(X509 *x509)
{
    switch (ngx_aop_cloudflare_lookalike(x509)) {

    case NGX_AOP_LOOKALIKE_ORIGIN_CA:
        return NGX_AOP_LINT_ORIGIN_CA;

    case NGX_AOP_LOOKALIKE_2015:
        return NGX_AOP_LINT_CLOUDFLARE_2015;

    default:
        break;
    }

    if (ngx_aop_cloudflare_is_ca(x509)) {
        return NGX_AOP_LINT_CLOUDFLARE;
    }

    if (!ngx_aop_cert_is_ca(x509)) {
        return ngx_aop_cloudflare_origin_ca_name(X509_get_issuer_name(x509))
               ? NGX_AOP_LINT_ORIGIN_CA_LEAF : NGX_AOP_LINT_LEAF;
    }

    return ngx_aop_lint_is_root(x509) ? NGX_AOP_LINT_ROOT
                                      : NGX_AOP_LINT_INTERMEDIATE;
}


/*
 * OpenSSL does not recognize a self-signed certificate if it does not support
 * its key.
 */

static int
ngx_aop_lint_is_root(X509 *x509)
{
    if (ngx_aop_key(x509) == NGX_AOP_KEY_UNSUPPORTED) {
        return (X509_get_extension_flags(x509) & EXFLAG_SI)
               && !ngx_aop_selfissued(x509);
    }

    return (X509_get_extension_flags(x509) & EXFLAG_SS) != 0;
}


void
ngx_aop_lint_cert(X509 *x509, int auth_level, time_t now,
    ngx_aop_lint_found_t *found)
{
    char  needs[NGX_AOP_KEY_NEEDS];

    memset(found, 0, sizeof(ngx_aop_lint_found_t));

    if (ngx_aop_key(x509) == NGX_AOP_KEY_UNSUPPORTED) {

        /* dates do not matter then */

        ngx_aop_lint_add(found, NGX_AOP_LINT_UNSUPPORTED,
                         ngx_aop_key_needs(x509, needs));
        return;
    }

    ngx_aop_lint_dates(X509_get0_notBefore(x509), X509_get0_notAfter(x509),
                       now, found);

    if (ngx_aop_lint_is_weak(x509, auth_level)) {
        ngx_aop_lint_add(found, NGX_AOP_LINT_WEAK, NULL);
    }

    if (ngx_aop_cert_is_ca(x509)) {
        ngx_aop_lint_ca(x509, found);
    }

    switch (ngx_aop_lint_classify(x509)) {

    case NGX_AOP_LINT_ORIGIN_CA:
        ngx_aop_lint_add(found, NGX_AOP_LINT_LOOKALIKE, NULL);
        break;

    case NGX_AOP_LINT_CLOUDFLARE_2015:
        ngx_aop_lint_add(found, NGX_AOP_LINT_OUTDATED, NULL);
        break;

    case NGX_AOP_LINT_ORIGIN_CA_LEAF:
        ngx_aop_lint_add(found, NGX_AOP_LINT_SERVER_CERT, NULL);
        break;

    case NGX_AOP_LINT_LEAF:

        /* to OpenSSL it may be a CA all the same */

        if (X509_check_ca(x509)) {
            ngx_aop_lint_add(found, NGX_AOP_LINT_UNMARKED, NULL);
        }

        break;

    default:
        break;
    }
}


/* What OpenSSL requires of each CA of a chain, including the anchor. */

static void
ngx_aop_lint_ca(X509 *x509, ngx_aop_lint_found_t *found)
{
    if (X509_check_purpose(x509, X509_PURPOSE_SSL_CLIENT, 1) == 0) {
        ngx_aop_lint_add(found, NGX_AOP_LINT_PURPOSE, NULL);
    }

    if (X509_get_extension_flags(x509) & EXFLAG_CRITICAL) {
        ngx_aop_lint_add(found, NGX_AOP_LINT_CRITICAL, NULL);
    }
}


void
ngx_aop_lint_crl(X509_CRL *crl, time_t now, ngx_aop_lint_found_t *found)
{
    memset(found, 0, sizeof(ngx_aop_lint_found_t));

    ngx_aop_lint_dates(X509_CRL_get0_lastUpdate(crl),
                       X509_CRL_get0_nextUpdate(crl), now, found);

    /* RFC 5280, 5.2.4 */

    if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0) {
        ngx_aop_lint_add(found, NGX_AOP_LINT_DELTA_CRL, NULL);
    }
}


void
ngx_aop_lint_policy(const ngx_aop_policy_t *policy,
    ngx_aop_lint_found_t *found)
{
    char    number[32];
    size_t  i;

    memset(found, 0, sizeof(ngx_aop_lint_found_t));

    if (policy->nanchors > NGX_AOP_LINT_ANCHORS_MAX) {
        snprintf(number, sizeof(number), "%zu", policy->nanchors);
        ngx_aop_lint_add(found, NGX_AOP_LINT_MANY, number);
    }

    for (i = 0; policy->nanchors > 1 && i < policy->nanchors; i++) {
        if (ngx_aop_cloudflare_is_ca(policy->anchors[i].x509)) {
            ngx_aop_lint_add(found, NGX_AOP_LINT_MIXED, NULL);
        }
    }
}


void
ngx_aop_lint_anchor(const ngx_aop_policy_t *policy,
    const ngx_aop_anchor_t *anchor, ngx_aop_lint_found_t *found)
{
    memset(found, 0, sizeof(ngx_aop_lint_found_t));

    if (policy->crls == NULL) {
        return;
    }

    if (!ngx_aop_cert_is_ca(anchor->x509)) {
        ngx_aop_lint_add(found, NGX_AOP_LINT_UNASKED, anchor->name);

    } else if (!ngx_aop_lint_has_crl(policy, anchor->x509)) {
        ngx_aop_lint_add(found, NGX_AOP_LINT_NO_CRL, anchor->name);
    }
}


void
ngx_aop_lint_keys(const ngx_aop_policy_t *policy,
    ngx_aop_lint_found_t *found)
{
    char                     needs[NGX_AOP_KEY_NEEDS];
    size_t                   i, unsupported, classical;
    const ngx_aop_anchor_t  *first;

    memset(found, 0, sizeof(ngx_aop_lint_found_t));

    first = NULL;
    unsupported = 0;
    classical = 0;

    for (i = 0; i < policy->nanchors; i++) {

        if (ngx_aop_key(policy->anchors[i].x509)
            == NGX_AOP_KEY_UNSUPPORTED)
        {
            unsupported++;
        }

        if (!ngx_aop_key_post_quantum(policy->anchors[i].x509)
            && classical++ == 0)
        {
            first = &policy->anchors[i];
        }
    }

    if (policy->nanchors != 0 && unsupported == policy->nanchors) {
        ngx_aop_lint_add(found, NGX_AOP_LINT_NONE_SUPPORTED,
                         ngx_aop_key_needs(policy->anchors[0].x509, needs));

    } else if (policy->post_quantum) {
        ngx_aop_lint_several(found, classical == policy->nanchors
                                    ? NGX_AOP_LINT_ALL_CLASSICAL
                                    : NGX_AOP_LINT_CLASSICAL,
                             first, classical);

    } else if (classical != policy->nanchors) {
        ngx_aop_lint_several(found, NGX_AOP_LINT_BOTH_KINDS, first, classical);
    }
}


void
ngx_aop_lint_strength(const ngx_aop_policy_t *policy,
    ngx_aop_lint_found_t *found)
{
    size_t                   i, n;
    const ngx_aop_anchor_t  *anchor, *first;

    n = 0;
    first = NULL;

    for (i = 0; i < policy->nanchors; i++) {
        anchor = &policy->anchors[i];

        if (ngx_aop_key(anchor->x509) == NGX_AOP_KEY_USABLE
            && ngx_aop_lint_is_weak(anchor->x509, policy->auth_level)
            && n++ == 0)
        {
            first = anchor;
        }
    }

    ngx_aop_lint_several(found, NGX_AOP_LINT_BELOW_LEVEL, first, n);
}


void
ngx_aop_lint_public(const ngx_aop_policy_t *policy, X509_STORE *roots,
    ngx_aop_lint_found_t *found)
{
    size_t                   i, n;
    const ngx_aop_anchor_t  *anchor, *first;

    n = 0;
    first = NULL;

    for (i = 0; i < policy->nanchors; i++) {
        anchor = &policy->anchors[i];

        /* what is not a CA vouches for itself only */

        if (X509_check_ca(anchor->x509) == 0
            || ngx_aop_cloudflare_is_ca(anchor->x509)
            || !ngx_aop_roots_know(roots, anchor->x509))
        {
            continue;
        }

        if (n++ == 0) {
            first = anchor;
        }
    }

    ngx_aop_lint_several(found, NGX_AOP_LINT_PUBLIC, first, n);
}


void
ngx_aop_lint_own_chain(const ngx_aop_policy_t *policy, X509 *x509,
    STACK_OF(X509) *chain, ngx_aop_lint_found_t *found)
{
    size_t                   i, n;
    const ngx_aop_anchor_t  *anchor, *first;

    n = 0;
    first = NULL;

    for (i = 0; i < policy->nanchors; i++) {
        anchor = &policy->anchors[i];

        if (X509_check_ca(anchor->x509) != 0
            && ngx_aop_lint_in_chain(anchor->x509, x509, chain)
            && n++ == 0)
        {
            first = anchor;
        }
    }

    ngx_aop_lint_several(found, NGX_AOP_LINT_OWN_CHAIN, first, n);
}


static int
ngx_aop_lint_in_chain(X509 *ca, X509 *x509, STACK_OF(X509) *chain)
{
    int  i;

    if (ngx_aop_cert_issued(ca, x509)) {
        return 1;
    }

    for (i = 0; i < sk_X509_num(chain); i++) {
        if (ngx_aop_cert_same_key(ca, sk_X509_value(chain, i))
            || ngx_aop_cert_issued(ca, sk_X509_value(chain, i)))
        {
            return 1;
        }
    }

    return 0;
}


/* One finding for all of a kind; it names the first. */

static void
ngx_aop_lint_several(ngx_aop_lint_found_t *found, ngx_aop_lint_e finding,
    const ngx_aop_anchor_t *first, size_t n)
{
    size_t  len;

    memset(found, 0, sizeof(ngx_aop_lint_found_t));

    if (n == 0) {
        return;
    }

    len = ngx_aop_cert_cut(first->name, strlen(first->name),
                           NGX_AOP_LINT_ABOUT
                           - sizeof("\"\" and 4294967295 more"));

    found->set = ngx_aop_lint_bit(finding);

    if (n == 1) {
        snprintf(found->about, sizeof(found->about), "\"%.*s\"", (int) len,
                 first->name);

    } else {
        snprintf(found->about, sizeof(found->about), "\"%.*s\" and %zu more",
                 (int) len, first->name, n - 1);
    }
}


/* By its name, as OpenSSL looks for it. */

static int
ngx_aop_lint_has_crl(const ngx_aop_policy_t *policy, X509 *x509)
{
    int        i;
    X509_CRL  *crl;

    for (i = 0; i < sk_X509_CRL_num(policy->crls); i++) {
        crl = sk_X509_CRL_value(policy->crls, i);

        if (X509_NAME_cmp(X509_CRL_get_issuer(crl),
                          X509_get_subject_name(x509))
            == 0)
        {
            return 1;
        }
    }

    return 0;
}


static void
ngx_aop_lint_dates(const ASN1_TIME *from, const ASN1_TIME *to, time_t now,
    ngx_aop_lint_found_t *found)
{
    char    date[NGX_AOP_DATE];
    time_t  t;

    if (ngx_aop_cert_time(from, &t) && t > now) {
        ngx_aop_lint_add(found, NGX_AOP_LINT_NOT_YET_VALID,
                         ngx_aop_cert_date(t, date));

    } else if (ngx_aop_cert_time(to, &t) && t < now) {
        ngx_aop_lint_add(found, NGX_AOP_LINT_ENDED,
                         ngx_aop_cert_date(t, date));
    }
}


static void
ngx_aop_lint_add(ngx_aop_lint_found_t *found, ngx_aop_lint_e finding,
    const char *about)
{
    found->set |= ngx_aop_lint_bit(finding);

    if (about != NULL) {
        snprintf(found->about, sizeof(found->about), "%.*s",
                 (int) ngx_aop_cert_cut(about, strlen(about),
                                        NGX_AOP_LINT_ABOUT),
                 about);
    }
}


/* What check_key_level() in OpenSSL's x509_vfy.c requires of each key. */

static int
ngx_aop_lint_is_weak(X509 *x509, int auth_level)
{
    size_t     level;
    EVP_PKEY  *pkey;

    static const int  bits[] = { 0, 80, 112, 128, 192, 256 };

    if (auth_level <= 0) {
        return 0;
    }

    level = auth_level;

    if (level >= ngx_aop_lint_nelts(bits)) {
        level = ngx_aop_lint_nelts(bits) - 1;
    }

    pkey = X509_get0_pubkey(x509);

    return pkey == NULL || EVP_PKEY_security_bits(pkey) < bits[level];
}


const ngx_aop_lint_kind_t *
ngx_aop_lint_kind(ngx_aop_lint_kind_e kind)
{
    return &ngx_aop_lint_kinds[kind];
}


const ngx_aop_lint_t *
ngx_aop_lint(ngx_aop_lint_e finding)
{
    return &ngx_aop_lint_findings[finding];
}


const char *
ngx_aop_lint_text(const ngx_aop_lint_found_t *found, ngx_aop_lint_e finding,
    char *buf)
{
    /* arguments that the format does not use are ignored (C11, 7.21.6.1) */

    snprintf(buf, NGX_AOP_LINT_TEXT, ngx_aop_lint_findings[finding].text,
             found->about);

    return buf;
}


ngx_aop_lint_level_e
ngx_aop_lint_level(unsigned findings)
{
    unsigned              i;
    ngx_aop_lint_level_e  level;

    level = NGX_AOP_LINT_OK;

    for (i = 0; i < NGX_AOP_LINT_FINDINGS; i++) {
        if ((findings & ngx_aop_lint_bit(i))
            && ngx_aop_lint_findings[i].level > level)
        {
            level = ngx_aop_lint_findings[i].level;
        }
    }

    return level;
}


const char *
ngx_aop_lint_level_word(ngx_aop_lint_level_e level)
{
    return ngx_aop_lint_levels[level];
}
