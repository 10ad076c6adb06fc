
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which digest has this client certificate?  To hash a certificate costs
 * several times as much as to compare it with one that was hashed before, and
 * most clients of a server have the same one.  Whoever connects may replace an
 * entry, which costs the next client a hash; all bytes are compared, so nobody
 * gets the digest of another certificate.
 */


#include <string.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "ngx_aop_leaf.h"


static int ngx_aop_leaf_digest(ngx_aop_leaf_table_t *table,
    const unsigned char *der, size_t len, unsigned char *digest);
static ngx_aop_leaf_slot_t *ngx_aop_leaf_slot(ngx_aop_leaf_table_t *table,
    const unsigned char *der, size_t len);


void
ngx_aop_leaf_find(ngx_aop_leaf_table_t *table, ngx_aop_leaf_t *leaf,
    X509 *x509)
{
    int             len;
    unsigned char  *der;

    ERR_set_mark();

    der = NULL;
    len = i2d_X509(x509, &der);

    leaf->x509 = x509;
    leaf->digested = len > 0
                     && ngx_aop_leaf_digest(table, der, len, leaf->digest);

    OPENSSL_free(der);

    ERR_pop_to_mark();
}


static int
ngx_aop_leaf_digest(ngx_aop_leaf_table_t *table, const unsigned char *der,
    size_t len, unsigned char *digest)
{
    ngx_aop_leaf_slot_t  *slot;

    slot = ngx_aop_leaf_slot(table, der, len);

    if (slot->len == len && memcmp(slot->der, der, len) == 0) {
        memcpy(digest, slot->digest, NGX_AOP_DIGEST);
        return 1;
    }

    if (!EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL)) {
        return 0;
    }

    if (len <= NGX_AOP_LEAF_SIZE) {
        slot->len = len;
        memcpy(slot->digest, digest, NGX_AOP_DIGEST);
        memcpy(slot->der, der, len);
    }

    return 1;
}


/* A certificate ends with its signature, and has a key in its middle. */

static ngx_aop_leaf_slot_t *
ngx_aop_leaf_slot(ngx_aop_leaf_table_t *table, const unsigned char *der,
    size_t len)
{
    size_t  i;

    i = (der[len / 2] ^ der[len - 1]) % NGX_AOP_LEAF_SLOTS;

    return &table->slots[i];
}
