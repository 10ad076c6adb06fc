
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The digest of a client certificate is taken once, however it is judged: with
 * pins, by anchors of one name, from the cache, and by the stamp of a session.
 * Of one that was seen before it is taken from the table.
 */


#include <openssl/evp.h>
#include <openssl/x509.h>


static int leaf_digest(const X509 *x509, const EVP_MD *md,
    unsigned char *digest, unsigned int *len);
static int leaf_hash(const void *data, size_t len, unsigned char *digest,
    unsigned int *size, const EVP_MD *md, ENGINE *engine);

#define X509_digest  leaf_digest
#define EVP_Digest   leaf_hash

#include "ngx_aop_cert.c"
#include "ngx_aop_leaf.c"

#undef X509_digest
#undef EVP_Digest

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
    LARGE,
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


static char  leaf_comment[NGX_AOP_LEAF_SIZE] = "nsComment=";

static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [NAMESAKE] = { .name = "Root", .ext = { PKI_CA } },
    [OTHER] = { .name = "Other", .ext = { PKI_CA } },
    [INTER] = { .name = "Inter", .by = ROOT, .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT },
    [SECOND] = { .name = "Leaf", .by = NAMESAKE },
    [BELOW] = { .name = "Leaf", .by = INTER },
    [LARGE] = { .name = "Large", .by = ROOT, .ext = { leaf_comment } }
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

static int    leaf_hashes;
static int    leaf_fails;

static ngx_aop_leaf_table_t  leaf_table;


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


/* In place of EVP_Digest(). */

static int
leaf_hash(const void *data, size_t len, unsigned char *digest,
    unsigned int *size, const EVP_MD *md, ENGINE *engine)
{
    leaf_hashes++;

    return leaf_fails ? 0 : EVP_Digest(data, len, digest, size, md, engine);
}


static int
leaf_setup(void **state)
{
    size_t  len;

    len = strlen(leaf_comment);
    memset(leaf_comment + len, 'x', sizeof(leaf_comment) - len - 1);

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
    size_t                   i;
    ngx_aop_stamp_t          stamp;
    ngx_aop_result_t         result;
    static ngx_aop_cache_t   cache;

    memset(&cache, 0, sizeof(ngx_aop_cache_t));

    hit = ngx_aop_cache_judge(&cache, policy, leaf, chain, PKI_NOW, &result);

    assert_int_equal(hit, 0);
    assert_int_equal(result.verdict, verdict);

    ngx_aop_stamp_init(&stamp, policy, leaf->x509, &result, PKI_NOW);

    hit = ngx_aop_cache_judge(&cache, policy, leaf, chain, PKI_NOW, &result);

    assert_int_equal(hit, verdict == NGX_AOP_VERDICT_OK);
    assert_int_equal(result.verdict, verdict);
    assert_memory_equal(result.leaf, leaf->digest, NGX_AOP_DIGEST);

    /* which answers for this leaf alone */

    for (i = ROOT; i < NCERTS; i++) {
        assert_int_equal(ngx_aop_stamp_result(&stamp, policy, pki.cert[i],
                                              PKI_NOW, &result),
                         pki.cert[i] == leaf->x509
                         && verdict == NGX_AOP_VERDICT_OK);
    }
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


/* A certificate without its digest is not judged. */

static void
leaf_undigested(void **state)
{
    ngx_aop_leaf_t     leaf;
    ngx_aop_cache_t   *cache;
    ngx_aop_policy_t  *policy;
    ngx_aop_result_t   result;

    cache = calloc(1, sizeof(ngx_aop_cache_t));
    assert_non_null(cache);

    policy = leaf_policy(&cases[0]);

    ngx_aop_cert_leaf(&leaf, pki.cert[LEAF]);

    (void) ngx_aop_cache_judge(cache, policy, &leaf, NULL, PKI_NOW, &result);
    assert_int_equal(result.verdict, NGX_AOP_VERDICT_OK);

    leaf.digested = 0;

    assert_int_equal(ngx_aop_cache_judge(cache, policy, &leaf, NULL, PKI_NOW,
                                         &result), 0);
    assert_int_equal(result.verdict, NGX_AOP_VERDICT_ERROR);

    ngx_aop_policy_free(policy);
    free(cache);
}


/* The leaf of x509 with the table, whose digest has to be the right one. */

static void
leaf_found(X509 *x509, int hashes)
{
    unsigned char   digest[NGX_AOP_DIGEST];
    ngx_aop_leaf_t  leaf;

    leaf_hashes = 0;
    memset(&leaf, 0, sizeof(ngx_aop_leaf_t));

    ngx_aop_leaf_find(&leaf_table, &leaf, x509);

    assert_int_equal(leaf_hashes, hashes);
    assert_int_equal(leaf.digested, 1);
    assert_ptr_equal(leaf.x509, x509);

    assert_int_equal(ngx_aop_cert_digest(x509, digest), 1);
    assert_memory_equal(leaf.digest, digest, NGX_AOP_DIGEST);
}


/* By its bytes: a session has its certificate as an object of its own. */

static void
leaf_seen(void **state)
{
    X509  *copy;

    memset(&leaf_table, 0, sizeof(ngx_aop_leaf_table_t));

    copy = X509_dup(pki.cert[LEAF]);
    assert_non_null(copy);

    leaf_found(pki.cert[LEAF], 1);
    leaf_found(copy, 0);

    X509_free(copy);
}


/*
 * An entry of another certificate, of the same length and in the same place:
 * each byte counts.
 */

static void
leaf_other(void **state)
{
    size_t                i, len;
    unsigned char        *der;
    ngx_aop_leaf_slot_t  *slot;

    der = NULL;
    len = i2d_X509(pki.cert[LEAF], &der);

    slot = ngx_aop_leaf_slot(&leaf_table, der, len);

    assert_true(len > NGX_AOP_DIGEST);

    for (i = 0; i <= len; i++) {
        memset(&leaf_table, 0, sizeof(ngx_aop_leaf_table_t));
        leaf_found(pki.cert[LEAF], 1);

        memset(slot->digest, 0, NGX_AOP_DIGEST);

        if (i < len) {
            slot->der[i] ^= 1;

        } else {
            slot->len--;
        }

        leaf_found(pki.cert[LEAF], 1);
    }

    OPENSSL_free(der);
}


static void
leaf_large(void **state)
{
    static ngx_aop_leaf_table_t  empty;

    memset(&leaf_table, 0, sizeof(ngx_aop_leaf_table_t));

    leaf_found(pki.cert[LARGE], 1);
    leaf_found(pki.cert[LARGE], 1);

    assert_memory_equal(&leaf_table, &empty, sizeof(ngx_aop_leaf_table_t));
}


static void
leaf_unhashed(void **state)
{
    ngx_aop_leaf_t  leaf;

    memset(&leaf_table, 0, sizeof(ngx_aop_leaf_table_t));

    leaf_fails = 1;
    ngx_aop_leaf_find(&leaf_table, &leaf, pki.cert[LEAF]);
    leaf_fails = 0;

    assert_int_equal(leaf.digested, 0);

    leaf_found(pki.cert[LEAF], 1);
}


int
main(void)
{
    unit_cases(cases, leaf_case);
    unit_case("seen before: not hashed", leaf_seen, NULL);
    unit_case("another one in its place: hashed", leaf_other, NULL);
    unit_case("larger than a slot: hashed", leaf_large, NULL);
    unit_case("hash failed: no digest", leaf_unhashed, NULL);
    unit_case("without its digest nothing passes", leaf_undigested, NULL);

    return unit_run("leaf", leaf_setup, leaf_teardown);
}
