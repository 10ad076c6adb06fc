
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The cache answers as ngx_aop_verify() would, and answers by itself only the
 * very question that was answered "ok" a short time ago.
 */


#include <openssl/err.h>

#include "ngx_aop_cache.h"
#include "oom.h"
#include "pki.h"


enum {
    ROOT = 1,
    OTHER,
    INTER,
    LEAF,
    BELOW,
    SECOND,
    SHORT,
    FOREIGN,
    NCERTS
};

enum {
    CRL_EMPTY = 1,
    CRL_REVOKED,
    CRL_SHORT,
    NCRLS
};


/* 0 is the usual: the policy of ROOT, LEAF, security level 1, PKI_NOW. */

typedef struct {
    pki_index_t        anchors[PKI_FEW];
    pki_index_t        crl;
    pki_index_t        pin;
    int                depth;           /* + 1 */
    pki_index_t        leaf;
    pki_index_t        chain[PKI_FEW];
    int                level;           /* + 1 */
    time_t             later;
} cache_question_t;


typedef struct {
    const char        *name;
    cache_question_t   first;
    cache_question_t   second;
    int                hit;             /* the second is not verified */
    ngx_aop_verdict_e  verdict;         /* of the second */
} cache_case_t;


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA }, .to = PKI_END },
    [OTHER] = { .name = "Other", .ext = { PKI_CA }, .to = PKI_END },
    [INTER] = { .name = "Inter", .by = ROOT, .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT },
    [BELOW] = { .name = "Below", .by = INTER },
    [SECOND] = { .name = "Leaf", .by = ROOT, .key = LEAF },
    [SHORT] = { .name = "Short", .by = ROOT, .to = PKI_NOW + 10 },
    [FOREIGN] = { .name = "Leaf", .by = OTHER }
};


static const pki_crl_t  crls[NCRLS] = {
    [CRL_EMPTY] = { .by = ROOT },
    [CRL_REVOKED] = { .by = ROOT, .revoked = { LEAF } },
    [CRL_SHORT] = { .by = ROOT, .to = PKI_NOW + 10 }
};


#define TTL  NGX_AOP_CACHE_TTL

static const cache_case_t  cases[] = {
    { "the same", { .leaf = LEAF }, { .leaf = LEAF }, 1, NGX_AOP_VERDICT_OK },
    { "the same, with a chain",
      { .leaf = BELOW, .chain = { BELOW, INTER } },
      { .leaf = BELOW, .chain = { BELOW, INTER } }, 1, NGX_AOP_VERDICT_OK },
    { "the same under two anchors, the first or the second",
      { .anchors = { ROOT, OTHER }, .leaf = FOREIGN },
      { .anchors = { OTHER, ROOT }, .leaf = FOREIGN }, 1, NGX_AOP_VERDICT_OK },
    { "the same under two anchors, the second or the first",
      { .anchors = { ROOT, OTHER }, .leaf = LEAF },
      { .anchors = { OTHER, ROOT }, .leaf = LEAF }, 1, NGX_AOP_VERDICT_OK },
    { "a leaf that is the anchor",
      { .anchors = { LEAF } }, { .anchors = { LEAF } }, 1, NGX_AOP_VERDICT_OK },
    { "with a CRL", { .crl = CRL_EMPTY }, { .crl = CRL_EMPTY }, 1,
      NGX_AOP_VERDICT_OK },
    { "with a pin", { .pin = LEAF }, { .pin = LEAF }, 1, NGX_AOP_VERDICT_OK },

    { "another leaf of the same name and key",
      { .leaf = LEAF }, { .leaf = SECOND }, 0, NGX_AOP_VERDICT_OK },
    { "a leaf of the same name by another issuer",
      { .leaf = LEAF }, { .leaf = FOREIGN }, 0, NGX_AOP_VERDICT_UNTRUSTED },
    { "without its chain",
      { .leaf = BELOW, .chain = { BELOW, INTER } },
      { .leaf = BELOW }, 0, NGX_AOP_VERDICT_UNTRUSTED },
    { "with more of a chain",
      { .leaf = LEAF }, { .leaf = LEAF, .chain = { INTER } }, 0,
        NGX_AOP_VERDICT_OK },
    { "with another chain",
      { .leaf = LEAF, .chain = { INTER } },
      { .leaf = LEAF, .chain = { OTHER } }, 0, NGX_AOP_VERDICT_OK },
    { "with the chain in other order",
      { .leaf = LEAF, .chain = { INTER, OTHER } },
      { .leaf = LEAF, .chain = { OTHER, INTER } }, 0, NGX_AOP_VERDICT_OK },
    { "the leaf and the chain changed over",
      { .leaf = LEAF, .chain = { SECOND } },
      { .leaf = SECOND, .chain = { LEAF } }, 0, NGX_AOP_VERDICT_OK },

    { "another anchor",
      { .anchors = { ROOT } }, { .anchors = { OTHER } }, 0,
      NGX_AOP_VERDICT_UNTRUSTED },
    { "an anchor more",
      { .anchors = { ROOT } }, { .anchors = { ROOT, OTHER } }, 0,
      NGX_AOP_VERDICT_OK },
    { "another depth",
      { .leaf = BELOW, .chain = { INTER } },
      { .leaf = BELOW, .chain = { INTER }, .depth = 1 }, 0,
        NGX_AOP_VERDICT_DEPTH },
    { "a CRL that revokes it",
      { .crl = CRL_EMPTY }, { .crl = CRL_REVOKED }, 0,
        NGX_AOP_VERDICT_REVOKED },
    { "a pin that it does not match",
      { .pin = LEAF }, { .pin = FOREIGN }, 0, NGX_AOP_VERDICT_PIN },
    { "another security level",
      { .level = 2 }, { .level = 3 }, 0, NGX_AOP_VERDICT_OK },
    { "a security level that it does not reach",
      { .level = 2 }, { .level = 6 }, 0, NGX_AOP_VERDICT_WEAK },

    { "just in time", { .leaf = LEAF }, { .later = TTL - 1 }, 1,
      NGX_AOP_VERDICT_OK },
    { "too late", { .leaf = LEAF }, { .later = TTL }, 0, NGX_AOP_VERDICT_OK },
    { "earlier than it was answered",
      { .leaf = LEAF }, { .later = -1 }, 0, NGX_AOP_VERDICT_OK },
    { "before it was valid",
      { .leaf = LEAF }, { .later = PKI_FROM - PKI_NOW - 1 }, 0,
      NGX_AOP_VERDICT_NOT_YET_VALID },
    { "as long as the certificate",
      { .leaf = SHORT }, { .leaf = SHORT, .later = 9 }, 1, NGX_AOP_VERDICT_OK },
    { "longer than the certificate",
      { .leaf = SHORT }, { .leaf = SHORT, .later = 11 }, 0,
        NGX_AOP_VERDICT_EXPIRED },
    { "as long as the CRL",
      { .crl = CRL_SHORT }, { .crl = CRL_SHORT, .later = 9 }, 1,
      NGX_AOP_VERDICT_OK },
    { "longer than the CRL",
      { .crl = CRL_SHORT }, { .crl = CRL_SHORT, .later = 11 }, 0,
      NGX_AOP_VERDICT_CRL },

    { "untrusted is not kept",
      { .leaf = FOREIGN }, { .leaf = FOREIGN }, 0, NGX_AOP_VERDICT_UNTRUSTED },
    { "revoked is not kept",
      { .crl = CRL_REVOKED }, { .crl = CRL_REVOKED }, 0,
        NGX_AOP_VERDICT_REVOKED },
    { "a pin that did not match is not kept",
      { .pin = FOREIGN }, { .pin = FOREIGN }, 0, NGX_AOP_VERDICT_PIN },
    { "expired is not kept",
      { .leaf = SHORT, .later = 11 }, { .leaf = SHORT, .later = 11 }, 0,
      NGX_AOP_VERDICT_EXPIRED }
};


static int
cache_setup(void **state)
{
    pki_certs(certs, NCERTS);
    pki_crls(crls, NCRLS);

    return 0;
}


static int
cache_teardown(void **state)
{
    pki_free();

    return 0;
}


static ngx_aop_policy_t *
cache_policy(const cache_question_t *q)
{
    size_t             i;
    ngx_aop_pin_t      pin;
    ngx_aop_policy_t  *policy;

    static const pki_index_t  usual[PKI_FEW] = { ROOT };

    const pki_index_t  *anchors = q->anchors[0] ? q->anchors : usual;

    policy = ngx_aop_policy_new(q->depth ? q->depth - 1 : 1);
    assert_non_null(policy);

    policy->auth_level = q->level ? q->level - 1 : 1;

    for (i = 0; i < PKI_FEW && anchors[i]; i++) {
        assert_int_equal(ngx_aop_policy_add_anchor(policy,
                                                   pki.cert[anchors[i]],
                                                   NULL),
                         1);
    }

    if (q->crl) {
        assert_int_equal(ngx_aop_policy_add_crl(policy, pki.crl[q->crl]), 1);
    }

    if (q->pin) {
        memset(&pin, 0, sizeof(pin));
        assert_int_equal(ngx_aop_cert_digest(pki.cert[q->pin], pin.digest),
                         1);
        assert_int_equal(ngx_aop_policy_add_pin(policy, &pin), 1);
    }

    assert_int_equal(ngx_aop_policy_seal(policy), 1);

    return policy;
}


/* Asks both the cache and the judge, who have to agree; returns "hit". */

static int
cache_ask(ngx_aop_cache_t *cache, const ngx_aop_policy_t *policy,
    const cache_question_t *q, ngx_aop_result_t *result)
{
    int                hit;
    size_t             i;
    time_t             now;
    ngx_aop_leaf_t     leaf;
    STACK_OF(X509)    *chain;
    ngx_aop_result_t   judged;

    ngx_aop_cert_leaf(&leaf, pki.cert[q->leaf ? q->leaf : LEAF]);

    now = PKI_NOW + q->later;
    chain = sk_X509_new_null();

    for (i = 0; i < PKI_FEW && q->chain[i]; i++) {
        assert_true(sk_X509_push(chain, pki.cert[q->chain[i]]));
    }

    memset(result, 0xa5, sizeof(ngx_aop_result_t));

    hit = ngx_aop_cache_judge(cache, policy, &leaf, chain, now, result);

    ngx_aop_verify(policy, &leaf, chain, now, &judged);

    assert_int_equal(result->verdict, judged.verdict);
    assert_int_equal(result->error, judged.error);
    assert_string_equal(result->reason, judged.reason);
    assert_ptr_equal(result->anchor, judged.anchor);
    assert_true(result->valid_until == judged.valid_until);
    assert_memory_equal(result->leaf, judged.leaf, NGX_AOP_DIGEST);

    assert_true(ERR_peek_error() == 0);

    sk_X509_free(chain);

    return hit;
}


static void
cache_case(void **state)
{
    ngx_aop_cache_t      *cache;
    ngx_aop_policy_t     *policy;
    ngx_aop_result_t      result;
    const cache_case_t   *c = *state;

    cache = calloc(1, sizeof(ngx_aop_cache_t));
    assert_non_null(cache);

    policy = cache_policy(&c->first);
    assert_int_equal(cache_ask(cache, policy, &c->first, &result), 0);
    ngx_aop_policy_free(policy);

    /* nothing in the cache may point into the policy that is gone */

    policy = cache_policy(&c->second);
    assert_int_equal(cache_ask(cache, policy, &c->second, &result), c->hit);
    ngx_aop_policy_free(policy);

    assert_int_equal(result.verdict, c->verdict);

    free(cache);
}


/* What was verified again is kept from there on. */

static void
cache_renewed(void **state)
{
    ngx_aop_cache_t   *cache;
    ngx_aop_policy_t  *policy;
    ngx_aop_result_t   result;

    static const cache_question_t  q[] = {
        { .later = 0 }, { .later = TTL }, { .later = 2 * TTL - 1 }
    };

    cache = calloc(1, sizeof(ngx_aop_cache_t));
    assert_non_null(cache);

    policy = cache_policy(&q[0]);

    assert_int_equal(cache_ask(cache, policy, &q[0], &result), 0);
    assert_int_equal(cache_ask(cache, policy, &q[1], &result), 0);
    assert_int_equal(cache_ask(cache, policy, &q[2], &result), 1);

    ngx_aop_policy_free(policy);
    free(cache);
}


/*
 * Asks n questions in turn, and returns how many were answered from the
 * cache.  Another digest of the policy makes another question.
 */

static int
cache_turn(ngx_aop_cache_t *cache, ngx_aop_policy_t *policy, int n)
{
    int               i, hits;
    ngx_aop_leaf_t    leaf;
    ngx_aop_result_t  result;

    ngx_aop_cert_leaf(&leaf, pki.cert[LEAF]);

    hits = 0;

    for (i = 0; i < n; i++) {
        memcpy(policy->digest, &i, sizeof(int));
        hits += ngx_aop_cache_judge(cache, policy, &leaf, NULL, PKI_NOW,
                                    &result);

        assert_int_equal(result.verdict, NGX_AOP_VERDICT_OK);
    }

    return hits;
}


/* As many certificates as there may be, and more than that. */

static void
cache_in_turn(void **state)
{
    ngx_aop_cache_t   *cache;
    ngx_aop_policy_t  *policy;

    /* no signature to verify */

    static const cache_question_t  q = { .anchors = { LEAF } };

    cache = calloc(1, sizeof(ngx_aop_cache_t));
    assert_non_null(cache);

    policy = cache_policy(&q);

    assert_int_equal(cache_turn(cache, policy, 5000), 0);
    unit_in_range(cache_turn(cache, policy, 5000), 4900, 5000);

    (void) cache_turn(cache, policy, 10000);
    unit_in_range(cache_turn(cache, policy, 10000), 9000, 10000);

    ngx_aop_policy_free(policy);
    free(cache);
}


int
main(void)
{
    unit_cases(cases, cache_case);
    unit_case("what is verified again is kept again", cache_renewed, NULL);
    unit_slow("thousands in turn", cache_in_turn, NULL);

    return unit_run("cache", cache_setup, cache_teardown);
}
