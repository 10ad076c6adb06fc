
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "aop_require post_quantum": a chain passes if all of its keys are, down to
 * the leaf's; the signature of the anchor does not matter.  Where OpenSSL has
 * no ML-DSA, nothing passes.
 */


#include "ngx_aop_key.h"
#include "ngx_aop_verify.h"
#include "pki.h"


enum {
    ROOT = 1,
    LEAF,
    OTHER,
    CLASSICAL,                  /* the rows above need no ML-DSA */
    PQ_ROOT = CLASSICAL,
    PQ_LEAF,
    PQ_INTER,
    PQ_INTER_LEAF,
    PQ_OLD_LEAF,                /* its key is classical */
    OLD_PQ_LEAF,                /* its issuer's */
    PQ_OLD_INTER,
    PQ_OLD_INTER_LEAF,
    OLD_PQ_INTER,
    OLD_PQ_INTER_LEAF,
    NCERTS
};


typedef struct {
    const char         *name;
    pki_index_t         leaf;
    pki_index_t         inter;
    pki_index_t         anchor;
    int                 level;
    int                 pin;            /* one that does not match */
    ngx_aop_verdict_e   verdict;        /* with "aop_require post_quantum" */
    int                 ca;             /* "weak" is one of these */
    ngx_aop_verdict_e   off;            /* without */
} require_case_t;


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT },
    [OTHER] = { .name = "Other", .ext = { PKI_CA } },

    [PQ_ROOT] = { .name = "PQ Root", .alg = "ML-DSA-65", .ext = { PKI_CA } },
    [PQ_LEAF] = { .name = "PQ leaf", .by = PQ_ROOT, .alg = "ML-DSA-44" },
    [PQ_INTER] = { .name = "PQ inter", .by = PQ_ROOT, .alg = "ML-DSA-87",
                   .ext = { PKI_CA } },
    [PQ_INTER_LEAF] = { .name = "PQ inter leaf", .by = PQ_INTER,
                        .alg = "ML-DSA-44" },
    [PQ_OLD_LEAF] = { .name = "Old leaf of PQ", .by = PQ_ROOT },
    [OLD_PQ_LEAF] = { .name = "PQ leaf of old", .by = ROOT,
                      .alg = "ML-DSA-44" },
    [PQ_OLD_INTER] = { .name = "Old inter", .by = PQ_ROOT,
                       .ext = { PKI_CA } },
    [PQ_OLD_INTER_LEAF] = { .name = "PQ leaf of old inter",
                            .by = PQ_OLD_INTER, .alg = "ML-DSA-44" },
    [OLD_PQ_INTER] = { .name = "PQ inter of old", .by = ROOT,
                       .alg = "ML-DSA-65", .ext = { PKI_CA } },
    [OLD_PQ_INTER_LEAF] = { .name = "PQ leaf of that", .by = OLD_PQ_INTER,
                            .alg = "ML-DSA-44" }
};


#define OK         NGX_AOP_VERDICT_OK
#define WEAK       NGX_AOP_VERDICT_WEAK
#define UNTRUSTED  NGX_AOP_VERDICT_UNTRUSTED
#define PIN        NGX_AOP_VERDICT_PIN

static const require_case_t  classical[] = {
    { "classical", LEAF, .anchor = ROOT, .verdict = WEAK },
    { "classical, its own anchor", LEAF, .anchor = LEAF, .verdict = WEAK },
    { "classical, of another CA", LEAF, .anchor = OTHER, .verdict = UNTRUSTED,
      .off = UNTRUSTED },
    { "classical, pinned to another", LEAF, .anchor = ROOT, .pin = 1,
      .verdict = WEAK, .off = PIN },
    { "classical, key too short", LEAF, .anchor = ROOT, .level = 5,
      .verdict = WEAK, .off = WEAK }
};


static const require_case_t  quantum[] = {
    { "post-quantum", PQ_LEAF, .anchor = PQ_ROOT },
    { "post-quantum, its own anchor", PQ_LEAF, .anchor = PQ_LEAF },
    { "post-quantum, pinned to another", PQ_LEAF, .anchor = PQ_ROOT, .pin = 1,
      .verdict = PIN, .off = PIN },
    { "behind an intermediate", PQ_INTER_LEAF, PQ_INTER, .anchor = PQ_ROOT },
    { "behind an intermediate that is not presented", PQ_INTER_LEAF,
      .anchor = PQ_ROOT, .verdict = UNTRUSTED, .off = UNTRUSTED },
    { "the intermediate as anchor", PQ_INTER_LEAF, .anchor = PQ_INTER },
    { "classical leaf", PQ_OLD_LEAF, .anchor = PQ_ROOT, .verdict = WEAK },
    { "classical leaf, its own anchor", PQ_OLD_LEAF, .anchor = PQ_OLD_LEAF,
      .verdict = WEAK },
    { "classical CA", OLD_PQ_LEAF, .anchor = ROOT, .verdict = WEAK, .ca = 1 },
    { "signed by a classical CA, its own anchor", OLD_PQ_LEAF,
      .anchor = OLD_PQ_LEAF },
    { "classical intermediate", PQ_OLD_INTER_LEAF, PQ_OLD_INTER,
      .anchor = PQ_ROOT, .verdict = WEAK, .ca = 1 },
    { "classical intermediate as anchor", PQ_OLD_INTER_LEAF,
      .anchor = PQ_OLD_INTER, .verdict = WEAK, .ca = 1 },
    { "classical root above", OLD_PQ_INTER_LEAF, OLD_PQ_INTER, .anchor = ROOT,
      .verdict = WEAK, .ca = 1 },
    { "classical signature of the anchor", OLD_PQ_INTER_LEAF,
      .anchor = OLD_PQ_INTER },

    /* categories 2, 3 and 5 of NIST are levels 3, 4 and 5 of OpenSSL */

    { "level 3: ML-DSA-44", PQ_LEAF, .anchor = PQ_ROOT, .level = 3 },
    { "level 4: ML-DSA-44", PQ_LEAF, .anchor = PQ_ROOT, .level = 4,
      .verdict = WEAK, .off = WEAK }
};


static ngx_aop_policy_t *
require_policy(const require_case_t *c, unsigned post_quantum)
{
    ngx_aop_pin_t      pin;
    ngx_aop_policy_t  *policy;

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);

    policy->auth_level = c->level;
    policy->post_quantum = post_quantum;

    assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[c->anchor],
                                               NULL), 1);

    if (c->pin) {
        memset(&pin, 0, sizeof(ngx_aop_pin_t));
        assert_int_equal(ngx_aop_policy_add_pin(policy, &pin), 1);
    }

    assert_int_equal(ngx_aop_policy_seal(policy), 1);

    return policy;
}


static void
require_verify(const require_case_t *c, const ngx_aop_policy_t *policy,
    ngx_aop_result_t *result)
{
    ngx_aop_leaf_t   leaf;
    STACK_OF(X509)  *chain;

    chain = sk_X509_new_null();
    assert_non_null(chain);

    if (c->inter) {
        assert_true(sk_X509_push(chain, pki.cert[c->inter]) > 0);
    }

    ngx_aop_cert_leaf(&leaf, pki.cert[c->leaf]);
    ngx_aop_verify(policy, &leaf, chain, PKI_NOW, result);

    sk_X509_free(chain);
}


static void
require_is(const ngx_aop_result_t *result, ngx_aop_verdict_e verdict)
{
    if (result->verdict != verdict) {
        fail_msg("\"%s\" (%s), not \"%s\"",
                 ngx_aop_verdict(result->verdict)->word, result->reason,
                 ngx_aop_verdict(verdict)->word);
    }
}


static void
require_case(void **state)
{
    ngx_aop_policy_t      *on, *off;
    ngx_aop_result_t       result;
    const require_case_t  *c = *state;

    on = require_policy(c, 1);
    off = require_policy(c, 0);

    /* they are not the same question */

    assert_memory_not_equal(on->digest, off->digest, NGX_AOP_DIGEST);

    require_verify(c, off, &result);
    require_is(&result, c->off);

    require_verify(c, on, &result);
    require_is(&result, c->verdict);

    if (c->verdict == WEAK && c->off != WEAK) {
        assert_string_equal(result.reason, c->ca
                   ? "the key of a CA of the chain is not post-quantum"
                   : "the key of the certificate is not post-quantum");
        assert_ptr_equal(result.anchor, &on->anchors[0]);
        assert_true(result.valid_until == 0);
    }

    ngx_aop_policy_free(on);
    ngx_aop_policy_free(off);
}


static int
require_setup(void **state)
{
    pki_certs(certs, ngx_aop_key_ml_dsa() ? NCERTS : CLASSICAL);

    return 0;
}


static int
require_teardown(void **state)
{
    pki_free();

    return 0;
}


int
main(void)
{
    unit_cases(classical, require_case);

    if (ngx_aop_key_ml_dsa()) {
        unit_cases(quantum, require_case);
    }

    return unit_run("require", require_setup, require_teardown);
}
