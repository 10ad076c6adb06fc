
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which chains have passed before?  Verifying a chain again costs more than
 * all other checks together.  Only "ok" is remembered: a client without a
 * certificate that passes cannot add an entry.  That the client holds the
 * private key is proven by TLS on each connection, and is not a question here.
 */


#include <string.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "ngx_aop_cache.h"


/* the places a key can be in */

#define NGX_AOP_CACHE_WAYS  8


static ngx_aop_cache_slot_t *ngx_aop_cache_set(ngx_aop_cache_t *cache,
    const unsigned char *key);
static int ngx_aop_cache_find(ngx_aop_cache_t *cache,
    const unsigned char *key, const ngx_aop_policy_t *policy, time_t now,
    ngx_aop_result_t *result);
static void ngx_aop_cache_add(ngx_aop_cache_t *cache,
    const unsigned char *key, const ngx_aop_policy_t *policy, time_t now,
    const ngx_aop_result_t *result);
static int ngx_aop_cache_usable(const ngx_aop_cache_slot_t *slot, time_t now);
static int ngx_aop_cache_key(const ngx_aop_policy_t *policy,
    const ngx_aop_leaf_t *leaf, STACK_OF(X509) *chain, unsigned char *key);
static int ngx_aop_cache_hash(EVP_MD_CTX *md, const X509 *x509,
    const ngx_aop_leaf_t *leaf);


int
ngx_aop_cache_judge(ngx_aop_cache_t *cache, const ngx_aop_policy_t *policy,
    const ngx_aop_leaf_t *leaf, STACK_OF(X509) *chain, time_t now,
    ngx_aop_result_t *result)
{
    int            keyed;
    unsigned char  key[NGX_AOP_DIGEST];

    ERR_set_mark();

    keyed = leaf->digested && ngx_aop_cache_key(policy, leaf, chain, key);

    ERR_pop_to_mark();

    if (keyed && ngx_aop_cache_find(cache, key, policy, now, result)) {
        memcpy(result->leaf, leaf->digest, NGX_AOP_DIGEST);
        return 1;
    }

    ngx_aop_verify(policy, leaf, chain, now, result);

    if (keyed && result->verdict == NGX_AOP_VERDICT_OK) {
        ngx_aop_cache_add(cache, key, policy, now, result);
    }

    return 0;
}


static int
ngx_aop_cache_find(ngx_aop_cache_t *cache, const unsigned char *key,
    const ngx_aop_policy_t *policy, time_t now, ngx_aop_result_t *result)
{
    int                    i;
    ngx_aop_cache_slot_t  *slot;

    slot = ngx_aop_cache_set(cache, key);

    for (i = 0; i < NGX_AOP_CACHE_WAYS; i++, slot++) {

        if (memcmp(slot->key, key, NGX_AOP_DIGEST) != 0
            || !ngx_aop_cache_usable(slot, now))
        {
            continue;
        }

        ngx_aop_verify_set_result(result, NGX_AOP_VERDICT_OK, X509_V_OK);

        result->anchor = &policy->anchors[slot->anchor];
        result->valid_until = slot->valid_until;

        return 1;
    }

    return 0;
}


/*
 * Replaces the entry of the same key, else one that is no longer valid, else
 * any: if keys come in turn, the oldest is the one that is needed next.
 */

static void
ngx_aop_cache_add(ngx_aop_cache_t *cache, const unsigned char *key,
    const ngx_aop_policy_t *policy, time_t now,
    const ngx_aop_result_t *result)
{
    int                    i;
    ngx_aop_cache_slot_t  *slot, *victim;

    slot = ngx_aop_cache_set(cache, key);
    victim = &slot[key[2] % NGX_AOP_CACHE_WAYS];

    for (i = 0; i < NGX_AOP_CACHE_WAYS; i++, slot++) {

        if (memcmp(slot->key, key, NGX_AOP_DIGEST) == 0
            || !ngx_aop_cache_usable(slot, now))
        {
            victim = slot;
            break;
        }
    }

    memcpy(victim->key, key, NGX_AOP_DIGEST);

    victim->anchor = result->anchor - policy->anchors;
    victim->made = now;
    victim->valid_until = result->valid_until;
}


/*
 * If the clock was set back, some answers are from the future.  OpenSSL takes
 * a certificate for expired in the very second of its notAfter.
 */

static int
ngx_aop_cache_usable(const ngx_aop_cache_slot_t *slot, time_t now)
{
    return now >= slot->made
           && now - slot->made < NGX_AOP_CACHE_TTL
           && now <= slot->valid_until;
}


static ngx_aop_cache_slot_t *
ngx_aop_cache_set(ngx_aop_cache_t *cache, const unsigned char *key)
{
    size_t  set;

    set = (key[0] << 8 | key[1]) % (NGX_AOP_CACHE_SLOTS / NGX_AOP_CACHE_WAYS);

    return &cache->slots[set * NGX_AOP_CACHE_WAYS];
}


/*
 * The key covers all that the result of ngx_aop_verify() depends on, except
 * the time.  All parts have a fixed length, so different questions never are
 * the same bytes.
 */

static int
ngx_aop_cache_key(const ngx_aop_policy_t *policy, const ngx_aop_leaf_t *leaf,
    STACK_OF(X509) *chain, unsigned char *key)
{
    int          i, ok;
    EVP_MD_CTX  *md;

    md = EVP_MD_CTX_new();

    ok = md != NULL
         && EVP_DigestInit_ex(md, EVP_sha256(), NULL)
         && EVP_DigestUpdate(md, policy->digest, NGX_AOP_DIGEST)
         && EVP_DigestUpdate(md, leaf->digest, NGX_AOP_DIGEST);

    for (i = 0; ok && i < sk_X509_num(chain); i++) {
        ok = ngx_aop_cache_hash(md, sk_X509_value(chain, i), leaf);
    }

    ok = ok && EVP_DigestFinal_ex(md, key, NULL);

    EVP_MD_CTX_free(md);

    return ok;
}


/* In a handshake the chain begins with the leaf. */

static int
ngx_aop_cache_hash(EVP_MD_CTX *md, const X509 *x509,
    const ngx_aop_leaf_t *leaf)
{
    unsigned char  digest[NGX_AOP_DIGEST];

    if (x509 == leaf->x509) {
        return EVP_DigestUpdate(md, leaf->digest, NGX_AOP_DIGEST);
    }

    return ngx_aop_cert_digest(x509, digest)
           && EVP_DigestUpdate(md, digest, NGX_AOP_DIGEST);
}
