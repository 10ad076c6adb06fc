
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Leaves that have the name of their issuer, as Cloudflare's shared one has, by
 * an OpenSSL that takes them for self-signed (4.0.0 to 4.0.2): each is judged
 * as by one that does not.  The judgement is compiled into this test twice: by
 * the library as it is, and by one with the fault.
 */


#include "ngx_aop_selfissued.h"
#include "ngx_aop_verify.h"
#include "pki.h"


static int faulty_verify_cert(X509_STORE_CTX *ctx);


/* The judgement, with the fault. */

#define X509_verify_cert    faulty_verify_cert
#define ngx_aop_verify       faulty_judge
#define ngx_aop_verify_set_result  faulty_result_set

void faulty_judge(const ngx_aop_policy_t *policy, const ngx_aop_leaf_t *leaf,
    STACK_OF(X509) *chain, time_t now, ngx_aop_result_t *result);
void faulty_result_set(ngx_aop_result_t *result, ngx_aop_verdict_e verdict,
    int error);

#include "ngx_aop_verify.c"

#undef X509_verify_cert
#undef ngx_aop_verify
#undef ngx_aop_verify_set_result


#define AGO      (PKI_NOW - 10 * PKI_DAY)
#define SOON     (PKI_NOW + 10 * PKI_DAY)

#define KEY_ID   "subjectKeyIdentifier=0102030405"
#define LEAF_ID  "subjectKeyIdentifier=0908070605"
#define BY_KEY   "authorityKeyIdentifier=DER:30:07:80:05:"


enum {
    ROOT = 1,
    LEAF,
    RSA_1024,
    SHA1_LEAF,
    SERVER,
    EXPIRED,
    FUTURE,
    BRIEF,
    NO_AKID,
    NO_SKID,
    SELF,

    IMPOSTOR,
    FORGED,
    COPIED,
    OUTDATED,
    RENEWED,
    NO_CA,
    NO_CA_LEAF,
    NO_SIGN,
    NO_SIGN_LEAF,

    INTER,
    INTER_LEAF,

    NARROW,
    INSIDE,
    OUTSIDE,
    NCERTS
};


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Same", .ext = { PKI_CA, KEY_ID } },
    [LEAF] = { .name = "Same", .by = ROOT,
               .ext = { "basicConstraints=critical,CA:FALSE",
                        "extendedKeyUsage=clientAuth", LEAF_ID, PKI_AKID } },
    [RSA_1024] = { .name = "Same", .by = ROOT, .rsa = 1024,
                   .ext = { LEAF_ID, PKI_AKID } },
    [SHA1_LEAF] = { .name = "Same", .by = ROOT, .md = "SHA1",
               .ext = { LEAF_ID, PKI_AKID } },
    [SERVER] = { .name = "Same", .by = ROOT,
                 .ext = { "extendedKeyUsage=serverAuth", LEAF_ID, PKI_AKID } },
    [EXPIRED] = { .name = "Same", .by = ROOT, .to = AGO,
                  .ext = { LEAF_ID, PKI_AKID } },
    [FUTURE] = { .name = "Same", .by = ROOT, .from = SOON,
                 .ext = { LEAF_ID, PKI_AKID } },
    [BRIEF] = { .name = "Same", .by = ROOT, .to = SOON,
                .ext = { LEAF_ID, PKI_AKID } },
    [NO_AKID] = { .name = "Same", .by = ROOT, .ext = { LEAF_ID } },
    [NO_SKID] = { .name = "Same", .by = ROOT, .ext = { PKI_AKID } },
    [SELF] = { .name = "Same", .ext = { LEAF_ID, BY_KEY "09:08:07:06:05" } },

    /* an attacker's CA: the same name and key identifier, another key */

    [IMPOSTOR] = { .name = "Same", .ext = { PKI_CA, KEY_ID } },
    [FORGED] = { .name = "Same", .by = IMPOSTOR,
                 .ext = { "basicConstraints=critical,CA:FALSE",
                          "extendedKeyUsage=clientAuth", LEAF_ID,
                          PKI_AKID } },
    [COPIED] = { .name = "Same",
                 .ext = { LEAF_ID, BY_KEY "01:02:03:04:05" } },

    /* editions of the anchor */

    [OUTDATED] = { .name = "Same", .key = ROOT, .to = AGO,
                   .ext = { PKI_CA, KEY_ID } },
    [RENEWED] = { .name = "Same", .key = ROOT, .to = PKI_END,
                  .ext = { PKI_CA, KEY_ID } },

    [NO_CA] = { .name = "Same",
                .ext = { "basicConstraints=critical,CA:FALSE", KEY_ID } },
    [NO_CA_LEAF] = { .name = "Same", .by = NO_CA,
                     .ext = { LEAF_ID, PKI_AKID } },
    [NO_SIGN] = { .name = "Same",
                  .ext = { "basicConstraints=critical,CA:TRUE",
                           "keyUsage=critical,cRLSign", KEY_ID } },
    [NO_SIGN_LEAF] = { .name = "Same", .by = NO_SIGN,
                       .ext = { LEAF_ID, PKI_AKID } },

    [INTER] = { .name = "Inter", .by = ROOT,
                .ext = { PKI_CA, "subjectKeyIdentifier=0a0b0c0d", PKI_AKID } },
    [INTER_LEAF] = { .name = "Inter", .by = INTER,
                     .ext = { LEAF_ID, PKI_AKID } },

    [NARROW] = { .name = "Same",
                 .ext = { PKI_CA, KEY_ID,
                          "nameConstraints=critical,permitted;DNS:in.test" } },
    [INSIDE] = { .name = "Same", .by = NARROW,
                 .ext = { "subjectAltName=DNS:a.in.test", LEAF_ID,
                          PKI_AKID } },
    [OUTSIDE] = { .name = "Same", .by = NARROW,
                  .ext = { "subjectAltName=DNS:out.test", LEAF_ID, PKI_AKID } }
};


enum {
    CRL = 1,
    CRL_REVOKED,
    CRL_OLD,
    CRL_INTER,
    NCRLS
};


static const pki_crl_t  crls[NCRLS] = {
    [CRL] = { .by = ROOT },
    [CRL_REVOKED] = { .by = ROOT, .revoked = { LEAF } },
    [CRL_OLD] = { .by = ROOT, .to = AGO },
    [CRL_INTER] = { .by = INTER }
};


typedef struct {
    const char         *name;
    pki_index_t         leaf;
    pki_index_t         chain;
    pki_index_t         anchors[PKI_FEW];
    pki_index_t         crl;
    pki_index_t         pin_cert;
    pki_index_t         pin_spki;
    int                 depth;
    int                 level;
    ngx_aop_verdict_e   verdict;
} selfissued_case_t;


static const selfissued_case_t  cases[] = {
    { "by the anchor", LEAF, .anchors = { ROOT } },
    { "by the anchor, which is sent along", LEAF, .chain = ROOT,
      .anchors = { ROOT } },
    { "its own anchor", LEAF, .anchors = { LEAF } },
    { "by the anchor, among others", LEAF,
      .anchors = { INTER, IMPOSTOR, ROOT } },
    { "expires soon", BRIEF, .anchors = { ROOT } },

    /* other keys, behind the same names and key identifiers */

    { "another key signed it", FORGED, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "another key signed it, its CA sent along", FORGED, .chain = IMPOSTOR,
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "self-signed, the key identifier copied", COPIED, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "self-signed, by its own key identifier", SELF, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "no authority key identifier", NO_AKID, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "no key identifier of its own", NO_SKID, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "no anchor of the name", LEAF, .anchors = { INTER },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },

    /* all else that a chain has to stand up to */

    { "expired", EXPIRED, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "not yet valid", FUTURE, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_NOT_YET_VALID },
    { "for servers", SERVER, .anchors = { ROOT },
      .verdict = NGX_AOP_VERDICT_PURPOSE },
    { "a weak key", RSA_1024, .anchors = { ROOT }, .level = 2,
      .verdict = NGX_AOP_VERDICT_WEAK },
    { "a weak digest", SHA1_LEAF, .anchors = { ROOT }, .level = 2,
      .verdict = NGX_AOP_VERDICT_WEAK },
    { "the anchor has expired", LEAF, .anchors = { OUTDATED },
      .verdict = NGX_AOP_VERDICT_EXPIRED },
    { "one edition of the anchor has expired", LEAF,
      .anchors = { OUTDATED, RENEWED } },
    { "the anchor is not a CA", NO_CA_LEAF, .anchors = { NO_CA },
      .verdict = NGX_AOP_VERDICT_INVALID },
    { "the anchor may not sign", NO_SIGN_LEAF, .anchors = { NO_SIGN },
      .verdict = NGX_AOP_VERDICT_INVALID },
    { "a name that the anchor may sign", INSIDE, .anchors = { NARROW } },
    { "a name that the anchor may not sign", OUTSIDE, .anchors = { NARROW },
      .verdict = NGX_AOP_VERDICT_INVALID },

    { "through an intermediate", INTER_LEAF, .chain = INTER,
      .anchors = { ROOT }, .depth = 1 },
    { "through an intermediate, too deep", INTER_LEAF, .chain = INTER,
      .anchors = { ROOT }, .verdict = NGX_AOP_VERDICT_DEPTH },

    { "not on the CRL", LEAF, .anchors = { ROOT }, .crl = CRL },
    { "on the CRL", LEAF, .anchors = { ROOT }, .crl = CRL_REVOKED,
      .verdict = NGX_AOP_VERDICT_REVOKED },
    { "the CRL is out of date", LEAF, .anchors = { ROOT }, .crl = CRL_OLD,
      .verdict = NGX_AOP_VERDICT_CRL },
    { "no CRL of the issuer", LEAF, .anchors = { ROOT }, .crl = CRL_INTER,
      .verdict = NGX_AOP_VERDICT_CRL },

    { "its certificate pinned", LEAF, .anchors = { ROOT }, .pin_cert = LEAF },
    { "its key pinned", LEAF, .anchors = { ROOT }, .pin_spki = LEAF },
    { "another certificate pinned", LEAF, .anchors = { ROOT },
      .pin_cert = ROOT, .verdict = NGX_AOP_VERDICT_PIN },
    { "another key pinned", LEAF, .anchors = { ROOT }, .pin_spki = ROOT,
      .verdict = NGX_AOP_VERDICT_PIN }
};


/*
 * As 4.0.2: a certificate of the name of its issuer is self-signed, and that
 * is in order only if it is trusted itself.
 */

static int
faulty_verify_cert(X509_STORE_CTX *ctx)
{
    int    rc;
    X509  *leaf;

    leaf = X509_STORE_CTX_get0_cert(ctx);
    rc = X509_verify_cert(ctx);

    if (X509_NAME_cmp(X509_get_subject_name(leaf),
                      X509_get_issuer_name(leaf))
        != 0
        || (rc > 0 && sk_X509_num(X509_STORE_CTX_get0_chain(ctx)) == 1))
    {
        return rc;
    }

    X509_STORE_CTX_set_error(ctx, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);

    return 0;
}


static void
selfissued_pin(ngx_aop_policy_t *policy, pki_index_t cert, int spki)
{
    ngx_aop_pin_t  pin;

    if (cert == 0) {
        return;
    }

    memset(&pin, 0, sizeof(ngx_aop_pin_t));

    pin.spki = spki;

    assert_int_equal(spki ? ngx_aop_cert_spki(pki.cert[cert], pin.digest)
                          : ngx_aop_cert_digest(pki.cert[cert], pin.digest),
                     1);
    assert_int_equal(ngx_aop_policy_add_pin(policy, &pin), 1);
}


static ngx_aop_policy_t *
selfissued_policy(const selfissued_case_t *c)
{
    size_t             i;
    ngx_aop_policy_t  *policy;

    policy = ngx_aop_policy_new(c->depth);
    assert_non_null(policy);

    policy->auth_level = c->level;

    for (i = 0; i < PKI_FEW && c->anchors[i]; i++) {
        assert_int_equal(ngx_aop_policy_add_anchor(policy,
                                                   pki.cert[c->anchors[i]],
                                                   NULL),
                         1);
    }

    if (c->crl) {
        assert_int_equal(ngx_aop_policy_add_crl(policy, pki.crl[c->crl]), 1);
    }

    selfissued_pin(policy, c->pin_cert, 0);
    selfissued_pin(policy, c->pin_spki, 1);

    assert_int_equal(ngx_aop_policy_seal(policy), 1);

    return policy;
}


/*
 * Of a leaf that is its own issuer, OpenSSL 3.0.2 says why the anchor of the
 * same name is not.
 */

static void
selfissued_same_error(const ngx_aop_result_t *result,
    const ngx_aop_result_t *wanted)
{
    if (wanted->verdict == NGX_AOP_VERDICT_UNTRUSTED
        && wanted->error == X509_V_ERR_AKID_SKID_MISMATCH)
    {
        assert_int_equal(result->error,
                         X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);
        return;
    }

    assert_int_equal(result->error, wanted->error);
    assert_string_equal(result->reason, wanted->reason);
}


/* The library as it is may have the fault itself. */

static void
selfissued_case(void **state)
{
    ngx_aop_leaf_t            leaf;
    STACK_OF(X509)           *chain;
    ngx_aop_result_t          result, wanted;
    ngx_aop_policy_t         *policy;
    const selfissued_case_t  *c = *state;

    policy = selfissued_policy(c);

    chain = sk_X509_new_null();
    assert_non_null(chain);
    assert_true(c->chain == 0 || sk_X509_push(chain, pki.cert[c->chain]) > 0);

    ngx_aop_cert_leaf(&leaf, pki.cert[c->leaf]);
    ngx_aop_verify(policy, &leaf, chain, PKI_NOW, &wanted);
    faulty_judge(policy, &leaf, chain, PKI_NOW, &result);

    if (result.verdict != c->verdict) {
        fail_msg("\"%s\" (%s), not \"%s\"",
                 ngx_aop_verdict(result.verdict)->word, result.reason,
                 ngx_aop_verdict(c->verdict)->word);
    }

    assert_int_equal(result.verdict, wanted.verdict);
    selfissued_same_error(&result, &wanted);
    assert_ptr_equal(result.anchor, wanted.anchor);
    assert_true(result.valid_until == wanted.valid_until);
    assert_memory_equal(result.leaf, wanted.leaf, NGX_AOP_DIGEST);

    sk_X509_free(chain);
    ngx_aop_policy_free(policy);
}


static void
selfissued_openssl(void **state)
{
    assert_int_equal(ngx_aop_selfissued_openssl(0x1010117f), 0);
    assert_int_equal(ngx_aop_selfissued_openssl(0x30600050), 0);
    assert_int_equal(ngx_aop_selfissued_openssl(0x40000000), 1);
    assert_int_equal(ngx_aop_selfissued_openssl(0x40000020), 1);
    assert_int_equal(ngx_aop_selfissued_openssl(0x40000030), 0);
    assert_int_equal(ngx_aop_selfissued_openssl(0x40100000), 0);
}


static int
selfissued_setup(void **state)
{
    pki_certs(certs, NCERTS);
    pki_crls(crls, NCRLS);

    return 0;
}


static int
selfissued_teardown(void **state)
{
    pki_free();

    return 0;
}


int
main(void)
{
    unit_cases(cases, selfissued_case);
    unit_case("versions of OpenSSL", selfissued_openssl, NULL);

    return unit_run("selfissued", selfissued_setup, selfissued_teardown);
}
