
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* Equal content is an equal digest, and nothing else is. */


#include <openssl/err.h>

#include "ngx_aop_cloudflare.h"
#include "ngx_aop_policy.h"
#include "oom.h"
#include "pki.h"


enum {
    ROOT = 1,
    OTHER,
    NAMESAKE,
    RENEWED,
    LEAF,
    FOREIGN,
    COMMA,
    NCERTS
};

enum {
    CRL_ROOT = 1,
    CRL_OTHER,
    CRL_NEWER,
    NCRLS
};


typedef struct {
    pki_index_t       anchors[PKI_FEW];
    pki_index_t       crls[PKI_FEW];
    pki_index_t       pin_certs[PKI_FEW];
    pki_index_t       pin_spkis[PKI_FEW];
    int               depth;
} policy_content_t;


typedef struct {
    const char       *name;
    policy_content_t  content;
    int               equal;        /* to the first */
} policy_case_t;


typedef struct {
    const char       *name;
    pki_index_t       anchor;
    const char       *given;
    const char       *expect;
} policy_name_t;


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [OTHER] = { .name = "Other", .ext = { PKI_CA } },
    [NAMESAKE] = { .name = "Root", .ext = { PKI_CA } },
    [RENEWED] = { .name = "Root", .key = ROOT, .to = PKI_END,
                  .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT },
    [FOREIGN] = { .name = "Leaf", .by = OTHER },
    [COMMA] = { .name = "a,b\nc", .ext = { PKI_CA } }
};


static const pki_crl_t  crls[NCRLS] = {
    [CRL_ROOT] = { .by = ROOT },
    [CRL_OTHER] = { .by = OTHER },
    [CRL_NEWER] = { .by = ROOT, .from = PKI_NOW }
};


static const policy_case_t  cases[] = {
    { "the same",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, LEAF }, 1 }, 1 },
    { "anchors in other order",
      { { OTHER, ROOT }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, LEAF }, 1 }, 1 },
    { "CRLs in other order",
      { { ROOT, OTHER }, { CRL_OTHER, CRL_ROOT }, { ROOT, LEAF },
        { ROOT, LEAF }, 1 }, 1 },
    { "pins in other order",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { LEAF, ROOT },
        { LEAF, ROOT }, 1 }, 1 },
    { "an anchor twice",
      { { ROOT, OTHER, ROOT, ROOT }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, LEAF }, 1 }, 1 },
    { "a CRL twice",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER, CRL_ROOT, CRL_OTHER },
        { ROOT, LEAF }, { ROOT, LEAF }, 1 }, 1 },
    { "pins twice",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF, ROOT },
        { LEAF, ROOT, LEAF }, 1 }, 1 },
    { "all in other order, and twice",
      { { OTHER, ROOT, OTHER }, { CRL_OTHER, CRL_ROOT, CRL_OTHER },
        { LEAF, ROOT, LEAF }, { LEAF, LEAF, ROOT }, 1 }, 1 },

    { "empty", { .depth = 1 }, 0 },
    { "an anchor less",
      { { ROOT }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF }, { ROOT, LEAF },
        1 }, 0 },
    { "an anchor more",
      { { ROOT, OTHER, LEAF }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, LEAF }, 1 }, 0 },
    { "another anchor of the same name",
      { { NAMESAKE, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, LEAF }, 1 }, 0 },
    { "another anchor of the same name and key",
      { { RENEWED, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, LEAF }, 1 }, 0 },
    { "no CRL",
      { { ROOT, OTHER }, { 0 }, { ROOT, LEAF }, { ROOT, LEAF }, 1 }, 0 },
    { "a CRL less",
      { { ROOT, OTHER }, { CRL_ROOT }, { ROOT, LEAF }, { ROOT, LEAF }, 1 }, 0 },
    { "a CRL more",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER, CRL_NEWER }, { ROOT, LEAF },
        { ROOT, LEAF }, 1 }, 0 },
    { "a newer CRL of the same issuer",
      { { ROOT, OTHER }, { CRL_NEWER, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, LEAF }, 1 }, 0 },
    { "no pins",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { 0 }, { 0 }, 1 }, 0 },
    { "a certificate pin less",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT }, { ROOT, LEAF },
        1 }, 0 },
    { "a certificate pin more",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF, OTHER },
        { ROOT, LEAF }, 1 }, 0 },
    { "another certificate pin",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT, FOREIGN },
        { ROOT, LEAF }, 1 }, 0 },
    { "another SPKI pin",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, FOREIGN }, 1 }, 0 },
    { "depth 0",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, LEAF }, 0 }, 0 },
    { "depth 2",
      { { ROOT, OTHER }, { CRL_ROOT, CRL_OTHER }, { ROOT, LEAF },
        { ROOT, LEAF }, 2 }, 0 }
};


static const policy_name_t  names[] = {
    { "name: given", ROOT, "cloudflare", "cloudflare" },
    { "name: given empty", ROOT, "", "" },
    { "name: the subject", ROOT, NULL, "CN=Root" },
    { "name: the subject of a leaf", LEAF, NULL, "CN=Leaf" },
    { "name: escaped", COMMA, NULL, "CN=a\\,b\\0Ac" }
};


static int
policy_setup(void **state)
{
    pki_certs(certs, NCERTS);
    pki_crls(crls, NCRLS);

    return 0;
}


static int
policy_teardown(void **state)
{
    pki_free();

    return 0;
}


static int
policy_fill_pins(ngx_aop_policy_t *policy, const pki_index_t *index,
    unsigned spki)
{
    size_t         i;
    ngx_aop_pin_t  pin;

    for (i = 0; i < PKI_FEW && index[i]; i++) {

        memset(&pin, 0, sizeof(pin));
        pin.spki = spki;

        if (!(spki ? ngx_aop_cert_spki : ngx_aop_cert_digest)
                                             (pki.cert[index[i]], pin.digest)
            || !ngx_aop_policy_add_pin(policy, &pin))
        {
            return 0;
        }
    }

    return 1;
}


static int
policy_fill(ngx_aop_policy_t *policy, const policy_content_t *content)
{
    size_t  i;

    for (i = 0; i < PKI_FEW && content->anchors[i]; i++) {
        if (!ngx_aop_policy_add_anchor(policy, pki.cert[content->anchors[i]],
                                       NULL))
        {
            return 0;
        }
    }

    for (i = 0; i < PKI_FEW && content->crls[i]; i++) {
        if (!ngx_aop_policy_add_crl(policy, pki.crl[content->crls[i]])) {
            return 0;
        }
    }

    return policy_fill_pins(policy, content->pin_certs, 0)
           && policy_fill_pins(policy, content->pin_spkis, 1)
           && ngx_aop_policy_seal(policy);
}


static ngx_aop_policy_t *
policy_new(const policy_content_t *content)
{
    ngx_aop_policy_t  *policy;

    policy = ngx_aop_policy_new(content->depth);

    if (policy != NULL && !policy_fill(policy, content)) {
        ngx_aop_policy_free(policy);
        return NULL;
    }

    return policy;
}


static void
policy_case(void **state)
{
    ngx_aop_policy_t     *first, *policy;
    const policy_case_t  *c = *state;

    first = policy_new(&cases[0].content);
    policy = policy_new(&c->content);

    /* for gcc 11: it does not know that a failed assertion does not return */

    if (first == NULL || policy == NULL) {
        fail_msg("no policy");
        return;
    }

    assert_int_equal(memcmp(first->digest, policy->digest, NGX_AOP_DIGEST)
                     == 0,
                     c->equal);
    assert_int_equal(policy->depth, c->content.depth);

    ngx_aop_policy_free(first);
    ngx_aop_policy_free(policy);
}


/* No two of those that differ from the first are equal. */

static void
policy_all_differ(void **state)
{
    size_t             i, n;
    ngx_aop_policy_t  *policy[unit_nelts(cases)];

    for (i = 0; i < unit_nelts(cases); i++) {
        policy[i] = policy_new(&cases[i].content);
        assert_non_null(policy[i]);

        for (n = 0; n < i; n++) {

            if (cases[i].equal && cases[n].equal) {
                continue;
            }

            assert_memory_not_equal(policy[i]->digest, policy[n]->digest,
                                    NGX_AOP_DIGEST);
        }
    }

    for (i = 0; i < unit_nelts(cases); i++) {
        ngx_aop_policy_free(policy[i]);
    }
}


/* Depth and security level are two numbers side by side. */

static void
policy_levels(void **state)
{
    int                depth, level, n, i;
    ngx_aop_policy_t  *policy[4];

    n = 0;

    for (depth = 0; depth < 2; depth++) {
        for (level = 0; level < 2; level++) {
            policy[n] = ngx_aop_policy_new(depth);
            assert_non_null(policy[n]);

            policy[n]->auth_level = level;

            assert_true(policy_fill(policy[n], &cases[0].content));

            for (i = 0; i < n; i++) {
                assert_memory_not_equal(policy[i]->digest, policy[n]->digest,
                                        NGX_AOP_DIGEST);
            }

            n++;
        }
    }

    for (i = 0; i < n; i++) {
        ngx_aop_policy_free(policy[i]);
    }
}


/* The same 32 bytes as a pin of a certificate and of a key. */

static void
policy_pin_kind(void **state)
{
    int                i;
    ngx_aop_pin_t      pin;
    ngx_aop_policy_t  *policy[3];

    memset(&pin, 0, sizeof(pin));
    memset(pin.digest, 0x5a, NGX_AOP_DIGEST);

    for (i = 0; i < 3; i++) {
        policy[i] = ngx_aop_policy_new(1);
        assert_non_null(policy[i]);

        pin.spki = (i == 1);
        assert_int_equal(ngx_aop_policy_add_pin(policy[i], &pin), 1);

        if (i == 2) {
            pin.spki = 1;
            assert_int_equal(ngx_aop_policy_add_pin(policy[i], &pin), 1);
            assert_int_equal(policy[i]->npins, 2);
        }

        assert_int_equal(ngx_aop_policy_seal(policy[i]), 1);
    }

    assert_memory_not_equal(policy[0]->digest, policy[1]->digest,
                            NGX_AOP_DIGEST);
    assert_memory_not_equal(policy[0]->digest, policy[2]->digest,
                            NGX_AOP_DIGEST);
    assert_memory_not_equal(policy[1]->digest, policy[2]->digest,
                            NGX_AOP_DIGEST);

    for (i = 0; i < 3; i++) {
        ngx_aop_policy_free(policy[i]);
    }
}


/* An equal policy is found by its digest alone, before anything is built. */

static void
policy_identify(void **state)
{
    unsigned char      digest[NGX_AOP_DIGEST];
    ngx_aop_pin_t      pin;
    ngx_aop_policy_t  *policy;

    memset(&pin, 0, sizeof(pin));
    memset(pin.digest, 0x5a, NGX_AOP_DIGEST);
    memset(digest, 0, NGX_AOP_DIGEST);

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);
    assert_int_equal(ngx_aop_policy_add_pin(policy, &pin), 1);

    assert_int_equal(ngx_aop_policy_identify(policy), 1);
    assert_memory_not_equal(policy->digest, digest, NGX_AOP_DIGEST);
    assert_null(policy->store);

    memcpy(digest, policy->digest, NGX_AOP_DIGEST);

    assert_int_equal(ngx_aop_policy_seal(policy), 1);
    assert_memory_equal(policy->digest, digest, NGX_AOP_DIGEST);
    assert_non_null(policy->store);

    ngx_aop_policy_free(policy);
}


static void
policy_duplicates(void **state)
{
    ngx_aop_policy_t  *policy;

    policy = policy_new(&(policy_content_t)
                        { { ROOT, ROOT, OTHER, ROOT },
                          { CRL_ROOT, CRL_ROOT, CRL_NEWER, CRL_ROOT },
                          { LEAF, LEAF }, { LEAF, LEAF }, 1 });
    assert_non_null(policy);

    assert_int_equal(policy->nanchors, 2);
    assert_int_equal(policy->npins, 2);
    assert_int_equal(sk_X509_CRL_num(policy->crls), 2);

    ngx_aop_policy_free(policy);
}


static void
policy_sorted(void **state)
{
    size_t             i;
    ngx_aop_policy_t  *policy;

    policy = policy_new(&(policy_content_t)
                        { .anchors = { ROOT, OTHER, NAMESAKE, RENEWED, LEAF },
                          .depth = 1 });
    assert_non_null(policy);
    assert_int_equal(policy->nanchors, 5);

    for (i = 1; i < policy->nanchors; i++) {
        assert_true(memcmp(policy->anchors[i - 1].digest,
                           policy->anchors[i].digest, NGX_AOP_DIGEST)
                    < 0);
    }

    ngx_aop_policy_free(policy);
}


static void
policy_name(void **state)
{
    ngx_aop_policy_t        *policy;
    const policy_name_t     *c = *state;
    const ngx_aop_anchor_t  *anchor;

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);

    assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[c->anchor],
                                               c->given),
                     1);
    assert_int_equal(ngx_aop_policy_seal(policy), 1);

    anchor = ngx_aop_policy_anchor(policy, pki.cert[c->anchor]);

    assert_non_null(anchor);
    assert_string_equal(anchor->name, c->expect);

    ngx_aop_policy_free(policy);
}


/* A name that the caller changes later is not the anchor's. */

static void
policy_name_copied(void **state)
{
    char               name[] = "cloudflare";
    ngx_aop_policy_t  *policy;

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);

    assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[ROOT], name),
                     1);
    name[0] = 'C';

    assert_string_equal(policy->anchors[0].name, "cloudflare");

    ngx_aop_policy_free(policy);
}


/* The same certificate, not the same object, nor the same name or key. */

static void
policy_anchor(void **state)
{
    X509                    *copy;
    ngx_aop_policy_t        *policy;
    const ngx_aop_anchor_t  *anchor;

    policy = policy_new(&(policy_content_t)
                        { .anchors = { ROOT, OTHER }, .depth = 1 });
    copy = X509_dup(pki.cert[ROOT]);

    assert_non_null(policy);
    assert_non_null(copy);

    anchor = ngx_aop_policy_anchor(policy, copy);

    assert_non_null(anchor);
    assert_string_equal(anchor->name, "CN=Root");
    assert_ptr_equal(anchor, ngx_aop_policy_anchor(policy, pki.cert[ROOT]));
    assert_ptr_not_equal(anchor,
                         ngx_aop_policy_anchor(policy, pki.cert[OTHER]));

    assert_null(ngx_aop_policy_anchor(policy, pki.cert[NAMESAKE]));
    assert_null(ngx_aop_policy_anchor(policy, pki.cert[RENEWED]));
    assert_null(ngx_aop_policy_anchor(policy, pki.cert[LEAF]));

    X509_free(copy);
    ngx_aop_policy_free(policy);
}


static void
policy_anchor_digest(void **state)
{
    unsigned char      digest[NGX_AOP_DIGEST];
    ngx_aop_policy_t  *policy;

    policy = policy_new(&(policy_content_t)
                        { .anchors = { ROOT }, .depth = 1 });
    assert_non_null(policy);

    assert_int_equal(ngx_aop_cert_digest(pki.cert[ROOT], digest), 1);
    assert_memory_equal(policy->anchors[0].digest, digest, NGX_AOP_DIGEST);

    ngx_aop_policy_free(policy);
}


/* The policy keeps what it needs; tools see what it does not. */

static void
policy_references(void **state)
{
    X509              *x509;
    X509_CRL          *crl;
    ngx_aop_policy_t  *policy;

    x509 = X509_dup(pki.cert[ROOT]);
    crl = X509_CRL_dup(pki.crl[CRL_ROOT]);
    policy = ngx_aop_policy_new(1);

    assert_non_null(x509);
    assert_non_null(crl);
    assert_non_null(policy);

    assert_int_equal(ngx_aop_policy_add_anchor(policy, x509, NULL), 1);
    assert_int_equal(ngx_aop_policy_add_crl(policy, crl), 1);

    X509_free(x509);
    X509_CRL_free(crl);

    assert_int_equal(ngx_aop_policy_seal(policy), 1);
    assert_non_null(ngx_aop_policy_anchor(policy, pki.cert[ROOT]));

    ngx_aop_policy_free(policy);
}


static void
policy_free(void **state)
{
    ngx_aop_policy_t  *policy;

    ngx_aop_policy_free(NULL);

    policy = ngx_aop_policy_new(0);
    assert_non_null(policy);
    ngx_aop_policy_free(policy);

    policy = ngx_aop_policy_new(0);
    assert_non_null(policy);
    assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[ROOT], NULL),
                     1);
    ngx_aop_policy_free(policy);
}


static int
policy_objects(X509_STORE *store)
{
#if (OPENSSL_VERSION_NUMBER >= 0x30300000L)

    int                     n;
    STACK_OF(X509_OBJECT)  *objects;

    objects = X509_STORE_get1_objects(store);
    n = sk_X509_OBJECT_num(objects);
    sk_X509_OBJECT_pop_free(objects, X509_OBJECT_free);

    return n;

#else

    return sk_X509_OBJECT_num(X509_STORE_get0_objects(store));

#endif
}


/* Either the whole policy or none. */

static void
policy_whole(const ngx_aop_policy_t *policy, const ngx_aop_policy_t *first)
{
    static const unsigned char  none[NGX_AOP_DIGEST];

    assert_memory_not_equal(policy->digest, none, NGX_AOP_DIGEST);
    assert_int_equal(policy->nanchors, first->nanchors);
    assert_int_equal(policy->npins, first->npins);
    assert_int_equal(sk_X509_CRL_num(policy->crls),
                     sk_X509_CRL_num(first->crls));
    assert_int_equal(policy_objects(policy->store),
                     policy_objects(first->store));
}


static void
policy_memory(void **state)
{
    size_t             n, failed;
    const oom_e       *mode = *state;
    ngx_aop_policy_t  *first, *policy;

    first = policy_new(&cases[0].content);
    assert_non_null(first);

    for (n = 0, failed = 1; failed; n++) {

        oom_arm(*mode, n);
        policy = policy_new(&cases[0].content);
        failed = oom_disarm();

        ERR_clear_error();

        if (policy == NULL) {
            assert_true(failed > 0);
            continue;
        }

        policy_whole(policy, first);
        ngx_aop_policy_free(policy);
    }

    assert_true(n > 10);

    ngx_aop_policy_free(first);
}


int
main(void)
{
    static const oom_e  once = OOM_ONCE, from = OOM_FROM;

    oom_init();

    unit_cases(cases, policy_case);
    unit_case("all others differ too", policy_all_differ, NULL);
    unit_case("the security level", policy_levels, NULL);
    unit_case("the kind of a pin", policy_pin_kind, NULL);
    unit_case("an equal policy is found by its digest", policy_identify, NULL);
    unit_case("duplicates are passed over", policy_duplicates, NULL);
    unit_case("anchors are sorted", policy_sorted, NULL);
    unit_cases(names, policy_name);
    unit_case("name: copied", policy_name_copied, NULL);
    unit_case("the anchor that it is", policy_anchor, NULL);
    unit_case("the anchor's digest", policy_anchor_digest, NULL);
    unit_case("references of its own", policy_references, NULL);
    unit_case("freed as far as it got", policy_free, NULL);
    unit_case("an allocation fails", policy_memory, &once);
    unit_case("memory runs out", policy_memory, &from);

    return unit_run("policy", policy_setup, policy_teardown);
}
