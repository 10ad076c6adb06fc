
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The verdicts, each declared once: word, meaning, answer in mode "on", and
 * what the administrator should do about it.  Everything that speaks of a
 * verdict reads this table.
 */


#include <stddef.h>
#include <openssl/x509_vfy.h>

#include "ngx_aop_verdict.h"


#define NGX_AOP_FORBIDDEN           403
#define NGX_AOP_MISDIRECTED_STATUS  421
#define NGX_AOP_CERT_ERROR          495     /* nginx's own */
#define NGX_AOP_NO_CERT             496     /* nginx's own */
#define NGX_AOP_INTERNAL_ERROR      500

#define ngx_aop_stranger(yours)                                               \
    yours, "not a Cloudflare address, no action needed unless it is your own"

#define ngx_aop_anyone(text)  text, text, text

#define NGX_AOP_FINGERPRINT                                                   \
    "fingerprint ($aop_client_fingerprint, \"fingerprint\" in aop_json)"


/* nothing is verified there */

#define NGX_AOP_EXEMPT                                                        \
    "location = /health {\n"                                                  \
    "    aop off;\n"                                                          \
    "    ...\n"                                                               \
    "}"

#define NGX_AOP_PLAIN                                                         \
    "server {\n"                                                              \
    "    listen 80;\n"                                                        \
    "    server_name ...;\n"                                                  \
    "    aop off;\n"                                                          \
    "    ...\n"                                                               \
    "}"


typedef struct {
    int                error;
    ngx_aop_verdict_e  verdict;
} ngx_aop_x509_error_t;


static const ngx_aop_verdict_t  ngx_aop_verdicts[NGX_AOP_VERDICTS] = {

    [NGX_AOP_VERDICT_OK] = {
        "ok",
        "the certificate chains to an anchor",
        0,
        { NULL, NULL, NULL },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_NONE] = {
        "none",
        "no client certificate was sent",
        NGX_AOP_NO_CERT,
        { NGX_AOP_VERDICT_HINT_NONE,
          ngx_aop_stranger("private address, probably a health check or load "
          "balancer; exempt it with \"aop off\" in its own location or "
          "server") },
        { NULL, NGX_AOP_EXEMPT, NULL }
    },

    [NGX_AOP_VERDICT_MISDIRECTED] = {
        "misdirected",
        "the TLS handshake was for another server, and without a certificate "
        "that is valid for this one",
        NGX_AOP_MISDIRECTED_STATUS,
        { "SNI and Host select servers with different \"aop\" settings: use "
          "the same \"aop\" mode, \"aop_ca\", \"aop_crl\" and \"aop_pin\" in "
          "both, or make Cloudflare send this host's name as SNI",
          ngx_aop_stranger("SNI and Host select servers with different "
          "\"aop\" settings: request this host with its own name as SNI") },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_PLAINTEXT] = {
        "plaintext",
        "the request did not come over TLS",
        NGX_AOP_FORBIDDEN,
        { "Cloudflare connected without TLS: set the zone's SSL/TLS mode to "
          "Full or higher, or serve plain HTTP from a separate server with "
          "\"aop off\"",
          ngx_aop_stranger("private address without TLS: serve health checks "
          "from a separate server with \"aop off\"") },
        { NULL, NGX_AOP_PLAIN, NULL }
    },

    [NGX_AOP_VERDICT_UNTRUSTED] = {
        "untrusted",
        "the certificate does not chain to an anchor",
        NGX_AOP_CERT_ERROR,
        { "Cloudflare's certificate is not issued by a CA in \"aop_ca\": "
          "compare the issuer with the certificate uploaded to Cloudflare "
          "(zone or hostname), or use the built-in \"aop_ca cloudflare\" if "
          "none was uploaded",
          ngx_aop_stranger("private address with a certificate of another CA: "
          "exempt it with \"aop off\" if it is yours, never trust a CA for a "
          "health check") },
        { "aop_ca /etc/nginx/aop-ca.pem;", NULL, NULL }
    },

    [NGX_AOP_VERDICT_ORIGIN_CA] = {
        "origin_ca",
        "the certificate names Cloudflare's Origin CA as its issuer",
        NGX_AOP_CERT_ERROR,
        { ngx_aop_anyone("a certificate of Cloudflare's Origin CA, not of the "
          "origin-pull CA: any customer can obtain one, so upload a client "
          "certificate of your own CA, never trust the Origin CA") },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_EXPIRED] = {
        "expired",
        "a certificate of the chain has expired",
        NGX_AOP_CERT_ERROR,
        { "upload a new client certificate to Cloudflare, or replace the "
          "expired CA in \"aop_ca\"; check the system clock",
          ngx_aop_stranger("renew the client's certificate, or replace the "
          "expired CA in \"aop_ca\"; check the system clock") },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_NOT_YET_VALID] = {
        "not_yet_valid",
        "a certificate of the chain is not yet valid",
        NGX_AOP_CERT_ERROR,
        { ngx_aop_anyone("check the system clock and the certificate's "
          "notBefore") },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_REVOKED] = {
        "revoked",
        "a certificate of the chain is revoked",
        NGX_AOP_CERT_ERROR,
        { "the certificate that Cloudflare presents is on \"aop_crl\": upload "
          "a new one to Cloudflare",
          ngx_aop_stranger("the certificate is on \"aop_crl\": replace it if "
          "its holder should be accepted") },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_CRL] = {
        "crl",
        "no valid CRL for this certificate",
        NGX_AOP_CERT_ERROR,
        { ngx_aop_anyone("\"aop_crl\" is out of date, or the CRL of an issuer "
          "is missing: one is required for each CA of the chain, including "
          "the anchor; replace it and reload") },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_PURPOSE] = {
        "purpose",
        "the certificate is not for TLS client authentication",
        NGX_AOP_CERT_ERROR,
        { "reissue the certificate with extendedKeyUsage clientAuth (or none) "
          "and upload it to Cloudflare",
          ngx_aop_stranger("reissue the certificate with extendedKeyUsage "
          "clientAuth") },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_DEPTH] = {
        "depth",
        "the chain is longer than \"aop_verify_depth\"",
        NGX_AOP_CERT_ERROR,
        { ngx_aop_anyone("increase \"aop_verify_depth\", or add the "
          "intermediate CA to \"aop_ca\"") },
        { ngx_aop_anyone("aop_verify_depth 2;") }
    },

    [NGX_AOP_VERDICT_PIN] = {
        "pin",
        "the chain is valid, but no \"aop_pin\" matches the certificate",
        NGX_AOP_CERT_ERROR,
        { "another certificate of the same CA: if it is yours, add its "
          NGX_AOP_FINGERPRINT " to \"aop_pin\"; with the shared CA of "
          "Cloudflare it is another customer's",
          ngx_aop_stranger("another certificate of the same CA: add its "
          NGX_AOP_FINGERPRINT " to \"aop_pin\" if it should pass") },
        { "aop_pin cert-sha256:OLD cert-sha256:NEW;", NULL, NULL }
    },

    [NGX_AOP_VERDICT_WEAK] = {
        "weak",
        "a key or digest of the chain is too weak",
        NGX_AOP_CERT_ERROR,
        { "the key or signature digest of the certificate or its CA is too "
          "weak, see the reason: reissue it with a stronger one (ML-DSA if "
          "\"aop_require post_quantum\" is set) and upload it to Cloudflare",
          ngx_aop_stranger("the key or signature digest of the certificate or "
          "its CA is too weak, see the reason: reissue it with a stronger "
          "one") },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_INVALID] = {
        "invalid",
        "the certificate is not valid",
        NGX_AOP_CERT_ERROR,
        { ngx_aop_anyone("the certificate or its CA is malformed or violates "
          "a constraint: see the reason, and reissue it") },
        { NULL, NULL, NULL }
    },

    [NGX_AOP_VERDICT_ERROR] = {
        "error",
        "the certificate could not be verified",
        NGX_AOP_INTERNAL_ERROR,
        { ngx_aop_anyone("internal error: out of memory or OpenSSL failure, "
          "see the preceding log entries") },
        { NULL, NULL, NULL }
    }
};


static const ngx_aop_x509_error_t  ngx_aop_x509_errors[] = {
    { X509_V_OK, NGX_AOP_VERDICT_OK },

    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_CERT_UNTRUSTED, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_CERT_REJECTED, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_CERT_SIGNATURE_FAILURE, NGX_AOP_VERDICT_UNTRUSTED },

    /* OpenSSL 3.0.2 of an anchor that has the name of the issuer alone */

    { X509_V_ERR_SUBJECT_ISSUER_MISMATCH, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_AKID_SKID_MISMATCH, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_AKID_ISSUER_SERIAL_MISMATCH, NGX_AOP_VERDICT_UNTRUSTED },

    { X509_V_ERR_CERT_HAS_EXPIRED, NGX_AOP_VERDICT_EXPIRED },
    { X509_V_ERR_CERT_NOT_YET_VALID, NGX_AOP_VERDICT_NOT_YET_VALID },

    { X509_V_ERR_CERT_REVOKED, NGX_AOP_VERDICT_REVOKED },

    { X509_V_ERR_UNABLE_TO_GET_CRL, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_UNABLE_TO_GET_CRL_ISSUER, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_UNABLE_TO_DECRYPT_CRL_SIGNATURE, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_CRL_SIGNATURE_FAILURE, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_CRL_NOT_YET_VALID, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_CRL_HAS_EXPIRED, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_ERROR_IN_CRL_LAST_UPDATE_FIELD, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_ERROR_IN_CRL_NEXT_UPDATE_FIELD, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_KEYUSAGE_NO_CRL_SIGN, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_UNHANDLED_CRITICAL_CRL_EXTENSION, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_DIFFERENT_CRL_SCOPE, NGX_AOP_VERDICT_CRL },
    { X509_V_ERR_CRL_PATH_VALIDATION_ERROR, NGX_AOP_VERDICT_CRL },

    { X509_V_ERR_INVALID_PURPOSE, NGX_AOP_VERDICT_PURPOSE },
    { X509_V_ERR_CERT_CHAIN_TOO_LONG, NGX_AOP_VERDICT_DEPTH },

    { X509_V_ERR_EE_KEY_TOO_SMALL, NGX_AOP_VERDICT_WEAK },
    { X509_V_ERR_CA_KEY_TOO_SMALL, NGX_AOP_VERDICT_WEAK },
    { X509_V_ERR_CA_MD_TOO_WEAK, NGX_AOP_VERDICT_WEAK },

    { X509_V_ERR_UNSPECIFIED, NGX_AOP_VERDICT_ERROR },
    { X509_V_ERR_OUT_OF_MEM, NGX_AOP_VERDICT_ERROR },
    { X509_V_ERR_INVALID_CALL, NGX_AOP_VERDICT_ERROR },
    { X509_V_ERR_STORE_LOOKUP, NGX_AOP_VERDICT_ERROR }
};


const ngx_aop_verdict_t *
ngx_aop_verdict(ngx_aop_verdict_e verdict)
{
    if ((unsigned) verdict >= NGX_AOP_VERDICTS) {
        verdict = NGX_AOP_VERDICT_ERROR;
    }

    return &ngx_aop_verdicts[verdict];
}


ngx_aop_verdict_e
ngx_aop_verdict_from_x509(int error)
{
    size_t  i;

    for (i = 0;
         i < sizeof(ngx_aop_x509_errors) / sizeof(ngx_aop_x509_errors[0]);
         i++)
    {
        if (ngx_aop_x509_errors[i].error == error) {
            return ngx_aop_x509_errors[i].verdict;
        }
    }

    return NGX_AOP_VERDICT_INVALID;
}
