
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The table of verdicts is the documented one, and whole. */


#include <limits.h>
#include <string.h>
#include <openssl/x509_vfy.h>

#include "ngx_aop_verdict.h"
#include "unit.h"


#define VERDICT_CODES  200      /* OpenSSL's own end below 100 */


typedef struct {
    const char         *name;
    int                 status;
} verdict_row_t;


typedef struct {
    int                 error;
    ngx_aop_verdict_e   verdict;
} verdict_code_t;


typedef struct {
    const char         *name;
    ngx_aop_verdict_e   verdict;
    ngx_aop_peer_e      peer;
    const char         *text;
} verdict_hint_t;


/* words and codes that users rely on; a verdict more needs no row here */

static const verdict_row_t  rows[] = {
    { "ok", 0 },
    { "none", 496 },
    { "misdirected", 421 },
    { "plaintext", 403 },
    { "untrusted", 495 },
    { "origin_ca", 495 },
    { "expired", 495 },
    { "not_yet_valid", 495 },
    { "revoked", 495 },
    { "crl", 495 },
    { "purpose", 495 },
    { "depth", 495 },
    { "pin", 495 },
    { "weak", 495 },
    { "invalid", 495 },
    { "error", 500 }
};


static const verdict_hint_t  hints[] = {
    { "hint: none from the edge", NGX_AOP_VERDICT_NONE, NGX_AOP_PEER_EDGE,
      "Cloudflare sent no certificate: is Authenticated Origin Pulls on for "
      "this zone or hostname, SSL/TLS mode Full or higher? connections opened "
      "before keep their verdict up to keepalive_time; a Load Balancing "
      "monitor needs \"Simulate Zone\"" },

    { "hint: none from a direct address", NGX_AOP_VERDICT_NONE,
      NGX_AOP_PEER_DIRECT,
      "not a Cloudflare address, no action needed unless it is your own" },

    { "hint: none from a private address", NGX_AOP_VERDICT_NONE,
      NGX_AOP_PEER_PRIVATE,
      "private address, probably a health check or load balancer; exempt it "
      "with \"aop off\" in its own location or server" },

    { "hint: untrusted from a private address", NGX_AOP_VERDICT_UNTRUSTED,
      NGX_AOP_PEER_PRIVATE,
      "private address with a certificate of another CA: exempt it with "
      "\"aop off\" if it is yours, never trust a CA for a health check" },

    { "hint: crl from the edge", NGX_AOP_VERDICT_CRL, NGX_AOP_PEER_EDGE,
      "\"aop_crl\" is out of date, or the CRL of an issuer is missing: one is "
      "required for each CA of the chain, including the anchor; replace it "
      "and reload" },

    { "hint: crl from elsewhere", NGX_AOP_VERDICT_CRL, NGX_AOP_PEER_DIRECT,
      "\"aop_crl\" is out of date, or the CRL of an issuer is missing: " },

    { "hint: pin from the edge", NGX_AOP_VERDICT_PIN, NGX_AOP_PEER_EDGE,
      "another certificate of the same CA: if it is yours, add its "
      "fingerprint ($aop_client_fingerprint, \"fingerprint\" in aop_json) to "
      "\"aop_pin\"; with the shared CA of Cloudflare it is another "
      "customer's" },

    { "hint: pin from a private address", NGX_AOP_VERDICT_PIN,
      NGX_AOP_PEER_PRIVATE,
      "another certificate of the same CA: add its fingerprint "
      "($aop_client_fingerprint, \"fingerprint\" in aop_json) to "
      "\"aop_pin\" if it should pass" },

    { "hint: origin_ca from the edge", NGX_AOP_VERDICT_ORIGIN_CA,
      NGX_AOP_PEER_EDGE,
      "a certificate of Cloudflare's Origin CA, not of the origin-pull CA" },

    { "hint: origin_ca from elsewhere", NGX_AOP_VERDICT_ORIGIN_CA,
      NGX_AOP_PEER_DIRECT,
      "a certificate of Cloudflare's Origin CA, not of the origin-pull CA" }
};


/* all that is not here is "invalid" */

static const verdict_code_t  codes[] = {
    { X509_V_OK, NGX_AOP_VERDICT_OK },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_CERT_UNTRUSTED, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_CERT_REJECTED, NGX_AOP_VERDICT_UNTRUSTED },
    { X509_V_ERR_CERT_SIGNATURE_FAILURE, NGX_AOP_VERDICT_UNTRUSTED },
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


static void
verdict_plain(const char *text)
{
    assert_non_null(text);
    assert_true(*text != '\0');
    unit_printable(text);
}


static void
verdict_hints(const ngx_aop_verdict_t *verdict, int any)
{
    int  peer;

    for (peer = 0; peer < NGX_AOP_PEERS; peer++) {

        if (!any) {
            assert_null(verdict->hint[peer]);
            continue;
        }

        verdict_plain(verdict->hint[peer]);

        /* the log line has 2048 bytes for all it says */

        assert_true(strlen(verdict->hint[peer]) < 300);
    }
}


static void
verdict_row(void **state)
{
    int                       i;
    const verdict_row_t      *row = *state;
    const ngx_aop_verdict_t  *verdict;

    for (i = 0; i < NGX_AOP_VERDICTS; i++) {
        verdict = ngx_aop_verdict((ngx_aop_verdict_e) i);

        if (strcmp(verdict->word, row->name) == 0) {
            assert_int_equal(verdict->status, row->status);
            return;
        }
    }

    fail_msg("there is no verdict \"%s\"", row->name);
}


/* A row that was left out is all zeroes. */

static void
verdict_complete(void **state)
{
    int                       i;
    const ngx_aop_verdict_t  *verdict;

    for (i = 0; i < NGX_AOP_VERDICTS; i++) {
        verdict = ngx_aop_verdict((ngx_aop_verdict_e) i);

        verdict_plain(verdict->word);
        verdict_plain(verdict->meaning);
        verdict_hints(verdict, i != NGX_AOP_VERDICT_OK);

        if (i == NGX_AOP_VERDICT_OK) {
            assert_int_equal(verdict->status, 0);

        } else {
            unit_in_range(verdict->status, 400, 599);
        }
    }
}


static void
verdict_hint(void **state)
{
    const verdict_hint_t  *c = *state;
    const char            *hint;

    hint = ngx_aop_verdict(c->verdict)->hint[c->peer];

    assert_non_null(hint);
    assert_memory_equal(hint, c->text, strlen(c->text));
}


static void
verdict_words_unique(void **state)
{
    int  i, n;

    for (i = 0; i < NGX_AOP_VERDICTS; i++) {
        for (n = 0; n < i; n++) {
            assert_string_not_equal(
                              ngx_aop_verdict((ngx_aop_verdict_e) i)->word,
                              ngx_aop_verdict((ngx_aop_verdict_e) n)->word);
        }
    }
}


static void
verdict_meanings_unique(void **state)
{
    int  i, n;

    for (i = 0; i < NGX_AOP_VERDICTS; i++) {
        for (n = 0; n < i; n++) {
            assert_string_not_equal(
                           ngx_aop_verdict((ngx_aop_verdict_e) i)->meaning,
                           ngx_aop_verdict((ngx_aop_verdict_e) n)->meaning);
        }
    }
}


static void
verdict_out_of_range(void **state)
{
    const ngx_aop_verdict_t  *error;

    error = ngx_aop_verdict(NGX_AOP_VERDICT_ERROR);

    assert_ptr_equal(ngx_aop_verdict(NGX_AOP_VERDICTS), error);
    assert_ptr_equal(ngx_aop_verdict((ngx_aop_verdict_e) 1000), error);
    assert_ptr_equal(ngx_aop_verdict((ngx_aop_verdict_e) -1), error);
    assert_ptr_equal(ngx_aop_verdict((ngx_aop_verdict_e) INT_MIN), error);
    assert_ptr_equal(ngx_aop_verdict((ngx_aop_verdict_e) INT_MAX), error);
}


static ngx_aop_verdict_e
verdict_of_code(int error)
{
    size_t  i;

    for (i = 0; i < unit_nelts(codes); i++) {
        if (codes[i].error == error) {
            return codes[i].verdict;
        }
    }

    return NGX_AOP_VERDICT_INVALID;
}


static void
verdict_codes(void **state)
{
    int  error;

    for (error = -VERDICT_CODES; error < VERDICT_CODES; error++) {

        if (ngx_aop_verdict_from_x509(error) != verdict_of_code(error)) {
            fail_msg("X509 error %d is \"%s\"", error,
                     ngx_aop_verdict(ngx_aop_verdict_from_x509(error))->word);
        }
    }
}


static void
verdict_unknown_codes(void **state)
{
    assert_int_equal(ngx_aop_verdict_from_x509(INT_MAX),
                     NGX_AOP_VERDICT_INVALID);
    assert_int_equal(ngx_aop_verdict_from_x509(INT_MIN),
                     NGX_AOP_VERDICT_INVALID);
    assert_int_equal(ngx_aop_verdict_from_x509(-1), NGX_AOP_VERDICT_INVALID);
    assert_int_equal(ngx_aop_verdict_from_x509(12345), NGX_AOP_VERDICT_INVALID);
}


/* What only the request knows cannot come out of a certificate. */

static void
verdict_codes_of_requests(void **state)
{
    int                error;
    ngx_aop_verdict_e  verdict;

    for (error = -VERDICT_CODES; error < VERDICT_CODES; error++) {
        verdict = ngx_aop_verdict_from_x509(error);

        assert_int_not_equal(verdict, NGX_AOP_VERDICT_NONE);
        assert_int_not_equal(verdict, NGX_AOP_VERDICT_MISDIRECTED);
        assert_int_not_equal(verdict, NGX_AOP_VERDICT_PLAINTEXT);
        assert_int_not_equal(verdict, NGX_AOP_VERDICT_ORIGIN_CA);
        assert_int_not_equal(verdict, NGX_AOP_VERDICT_PIN);

        if (verdict == NGX_AOP_VERDICT_OK) {
            assert_int_equal(error, X509_V_OK);
        }
    }
}


int
main(void)
{
    unit_case("each has all that it needs", verdict_complete, NULL);
    unit_cases(rows, verdict_row);
    unit_cases(hints, verdict_hint);
    unit_case("words are unique", verdict_words_unique, NULL);
    unit_case("meanings are unique", verdict_meanings_unique, NULL);
    unit_case("out of range is error", verdict_out_of_range, NULL);
    unit_case("codes of OpenSSL", verdict_codes, NULL);
    unit_case("unknown codes are invalid", verdict_unknown_codes, NULL);
    unit_case("no code is a request's", verdict_codes_of_requests, NULL);

    return unit_run("verdict", NULL, NULL);
}
