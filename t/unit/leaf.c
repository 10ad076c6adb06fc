
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The digest of a client certificate is taken once, however it is judged: with
 * pins, by anchors of one name, from the cache, and by the stamp of a session.
 */


#include <openssl/x509.h>


static int leaf_digest(const X509 *x509, const EVP_MD *md,
    unsigned char *digest, unsigned int *len);

#define X509_digest  leaf_digest

#include "ngx_aop_cert.c"

#undef X509_digest

#include "ngx_aop_cache.h"
#include "ngx_aop_stamp.h"
#include "pki.h"


enum {
    ROOT = 1,
    NAMESAKE,
    OTHER,
    INTER,
    LEAF,
    SECOND,
    BELOW,
    NCERTS
};


typedef struct {
    const char         *name;
    pki_index_t         leaf;
    pki_index_t         anchors[PKI_FEW];
    pki_index_t         chain[PKI_FEW];
    pki_index_t         pin;
    ngx_aop_verdict_e   verdict;
} leaf_case_t;


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [NAMESAKE] = { .name = "Root", .ext = { PKI_CA } },
    [OTHER] = { .name = "Other", .ext = { PKI_CA } },
    [INTER] = { .name = "Inter", .by = ROOT, .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT },
    [SECOND] = { .name = "Leaf", .by = NAMESAKE },
    [BELOW] = { .name = "Leaf", .by = INTER }
};


static const leaf_case_t  cases[] = {
    { "one anchor", .leaf = LEAF, .anchors = { ROOT } },
    { "itself the anchor", .leaf = LEAF, .anchors = { LEAF } },
    { "the second of two anchors of one name", .leaf = SECOND,
      .anchors = { ROOT, NAMESAKE } },
    { "no anchor of three", .leaf = LEAF, .anchors = { NAMESAKE, OTHER, INTER },
      .verdict = NGX_AOP_VERDICT_UNTRUSTED },
    { "the leaf first in the chain", .leaf = BELOW, .anchors = { ROOT },
      .chain = { BELOW, INTER } },
    { "a pin", .leaf = LEAF, .anchors = { ROOT }, .pin = LEAF },
    { "a pin of another one", .leaf = LEAF, .anchors = { ROOT }, .pin = SECOND,
      .verdict = NGX_AOP_VERDICT_PIN }
};


static X509  *leaf_counted;
static int    leaf_digests;


/* In place of X509_digest(). */

static int
leaf_digest(const X509 *x509, const EVP_MD *md, unsigned char *digest,
    unsigned int *len)
{
    if (x509 == leaf_counted) {
        leaf_digests++;
    }

    return X509_digest(x509, md, digest, len);
}


static int
leaf_setup(void **state)
{
    pki_certs(certs, NCERTS);

    return 0;
}


static int
leaf_teardown(void **state)
{
    pki_free();

    return 0;
}


static ngx_aop_policy_t *
leaf_policy(const leaf_case_t *c)
{
    size_t             i;
    ngx_aop_pin_t      pin;
    ngx_aop_policy_t  *policy;

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);

    for (i = 0; i < PKI_FEW && c->anchors[i]; i++) {
        assert_int_equal(ngx_aop_policy_add_anchor(policy,
                                                   pki.cert[c->anchors[i]],
                                                   NULL),
                         1);
    }

    if (c->pin) {
        memset(&pin, 0, sizeof(ngx_aop_pin_t));
        assert_int_equal(ngx_aop_cert_digest(pki.cert[c->pin], pin.digest), 1);
        assert_int_equal(ngx_aop_policy_add_pin(policy, &pin), 1);
    }

    assert_int_equal(ngx_aop_policy_seal(policy), 1);

    return policy;
}


/* A full handshake, a second one, and a resumed one. */

static void
leaf_judge(const ngx_aop_policy_t *policy, const ngx_aop_leaf_t *leaf,
    STACK_OF(X509) *chain, ngx_aop_verdict_e verdict)
{
    int                      hit;
    ngx_aop_stamp_t          stamp;
    ngx_aop_result_t         result;
    static ngx_aop_cache_t   cache;

    memset(&cache, 0, sizeof(ngx_aop_cache_t));

    hit = ngx_aop_cache_judge(&cache, policy, leaf, chain, PKI_NOW, &result);

    assert_int_equal(hit, 0);
    assert_int_equal(result.verdict, verdict);

    ngx_aop_stamp_init(&stamp, policy, &result, PKI_NOW);

    hit = ngx_aop_cache_judge(&cache, policy, leaf, chain, PKI_NOW, &result);

    assert_int_equal(hit, verdict == NGX_AOP_VERDICT_OK);
    assert_int_equal(result.verdict, verdict);
    assert_memory_equal(result.leaf, leaf->digest, NGX_AOP_DIGEST);

    assert_int_equal(ngx_aop_stamp_result(&stamp, policy, leaf, PKI_NOW,
                                          &result),
                     verdict == NGX_AOP_VERDICT_OK);
    assert_memory_equal(result.leaf, leaf->digest, NGX_AOP_DIGEST);
}


static void
leaf_case(void **state)
{
    size_t              i;
    ngx_aop_leaf_t      leaf;
    STACK_OF(X509)     *chain;
    ngx_aop_policy_t   *policy;
    const leaf_case_t  *c = *state;

    policy = leaf_policy(c);

    chain = sk_X509_new_null();
    assert_non_null(chain);

    for (i = 0; i < PKI_FEW && c->chain[i]; i++) {
        assert_true(sk_X509_push(chain, pki.cert[c->chain[i]]) > 0);
    }

    leaf_counted = pki.cert[c->leaf];
    leaf_digests = 0;

    ngx_aop_cert_leaf(&leaf, leaf_counted);
    leaf_judge(policy, &leaf, chain, c->verdict);

    assert_int_equal(leaf_digests, 1);

    sk_X509_free(chain);
    ngx_aop_policy_free(policy);
}


/* A certificate without its digest is not judged, and not by a stamp either. */

static void
leaf_undigested(void **state)
{
    ngx_aop_leaf_t     leaf;
    ngx_aop_stamp_t    stamp;
    ngx_aop_cache_t   *cache;
    ngx_aop_policy_t  *policy;
    ngx_aop_result_t   result;

    cache = calloc(1, sizeof(ngx_aop_cache_t));
    assert_non_null(cache);

    policy = leaf_policy(&cases[0]);

    ngx_aop_cert_leaf(&leaf, pki.cert[LEAF]);

    (void) ngx_aop_cache_judge(cache, policy, &leaf, NULL, PKI_NOW, &result);
    assert_int_equal(result.verdict, NGX_AOP_VERDICT_OK);

    ngx_aop_stamp_init(&stamp, policy, &result, PKI_NOW);

    leaf.digested = 0;

    assert_int_equal(ngx_aop_stamp_result(&stamp, policy, &leaf, PKI_NOW,
                                          &result), 0);
    assert_int_equal(ngx_aop_cache_judge(cache, policy, &leaf, NULL, PKI_NOW,
                                         &result), 0);
    assert_int_equal(result.verdict, NGX_AOP_VERDICT_ERROR);

    ngx_aop_policy_free(policy);
    free(cache);
}


int
main(void)
{
    unit_cases(cases, leaf_case);
    unit_case("without its digest nothing passes", leaf_undigested, NULL);

    return unit_run("leaf", leaf_setup, leaf_teardown);
}
