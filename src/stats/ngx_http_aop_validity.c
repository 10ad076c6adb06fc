
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What a server depends on and that expires: anchors, CRLs, client
 * certificates.
 */


#include "ngx_http_aop_stats.h"


static ngx_int_t ngx_http_aop_validity_anchors(ngx_pool_t *pool,
    ngx_array_t *endings, const ngx_aop_policy_t *policy);
static ngx_int_t ngx_http_aop_validity_crls(ngx_pool_t *pool,
    ngx_array_t *endings, const ngx_aop_policy_t *policy);
static ngx_int_t ngx_http_aop_validity_clients(ngx_pool_t *pool,
    ngx_array_t *endings, const ngx_aop_policy_t *policy,
    const ngx_http_aop_stat_t *stat);
static const char *ngx_http_aop_validity_hex(ngx_pool_t *pool,
    const u_char *digest);
static const char *ngx_http_aop_validity_name(ngx_pool_t *pool,
    const X509_NAME *name);
static const char *ngx_http_aop_validity_key(ngx_pool_t *pool, X509 *x509);
static int ngx_libc_cdecl ngx_http_aop_validity_cmp(const void *one,
    const void *two);


ngx_array_t *
ngx_http_aop_validity(ngx_pool_t *pool, const ngx_aop_policy_t *policy,
    const ngx_http_aop_stat_t *stat)
{
    ngx_array_t  *endings;

    endings = ngx_array_create(pool, 8, sizeof(ngx_http_aop_validity_t));

    if (endings == NULL
        || ngx_http_aop_validity_anchors(pool, endings, policy) != NGX_OK
        || ngx_http_aop_validity_crls(pool, endings, policy) != NGX_OK
        || ngx_http_aop_validity_clients(pool, endings, policy, stat)
           != NGX_OK)
    {
        return NULL;
    }

    ngx_qsort(endings->elts, endings->nelts, sizeof(ngx_http_aop_validity_t),
              ngx_http_aop_validity_cmp);

    return endings;
}


static ngx_int_t
ngx_http_aop_validity_anchors(ngx_pool_t *pool, ngx_array_t *endings,
    const ngx_aop_policy_t *policy)
{
    size_t                    i;
    const ngx_aop_anchor_t   *anchor;
    ngx_http_aop_validity_t  *ending;

    for (i = 0; i < policy->nanchors; i++) {
        anchor = &policy->anchors[i];

        ending = ngx_array_push(endings);
        if (ending == NULL) {
            return NGX_ERROR;
        }

        ending->kind = "anchor";
        ending->subject = anchor->name;
        ending->fingerprint = ngx_http_aop_validity_hex(pool, anchor->digest);
        ending->anchor = "";
        ending->key = ngx_http_aop_validity_key(pool, anchor->x509);
        ending->group = "";
        ending->last = 0;
        ending->replaced = 0;

        (void) ngx_aop_cert_time(X509_get0_notBefore(anchor->x509),
                                 &ending->not_before);
        (void) ngx_aop_cert_time(X509_get0_notAfter(anchor->x509),
                                 &ending->not_after);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_validity_crls(ngx_pool_t *pool, ngx_array_t *endings,
    const ngx_aop_policy_t *policy)
{
    int                       i;
    X509_CRL                 *crl;
    ngx_http_aop_validity_t  *ending;

    if (policy->crls == NULL) {
        return NGX_OK;
    }

    for (i = 0; i < sk_X509_CRL_num(policy->crls); i++) {
        crl = sk_X509_CRL_value(policy->crls, i);

        ending = ngx_array_push(endings);
        if (ending == NULL) {
            return NGX_ERROR;
        }

        ending->kind = "crl";
        ending->subject = ngx_http_aop_validity_name(pool,
                                                  X509_CRL_get_issuer(crl));
        ending->fingerprint = ngx_http_aop_validity_hex(pool,
                                                        policy->crl_digests
                                                        + i * NGX_AOP_DIGEST);
        ending->anchor = "";
        ending->key = "";
        ending->group = "";
        ending->last = 0;
        ending->replaced = 0;

        (void) ngx_aop_cert_time(X509_CRL_get0_lastUpdate(crl),
                                 &ending->not_before);
        (void) ngx_aop_cert_time(X509_CRL_get0_nextUpdate(crl),
                                 &ending->not_after);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_validity_clients(ngx_pool_t *pool, ngx_array_t *endings,
    const ngx_aop_policy_t *policy, const ngx_http_aop_stat_t *stat)
{
    ngx_uint_t                i;
    ngx_http_aop_client_t    *client;
    ngx_http_aop_validity_t  *ending;
    ngx_http_aop_validity_t  *by;
    const ngx_aop_anchor_t   *anchor;

    if (stat == NULL) {
        return NGX_OK;
    }

    client = ngx_palloc(pool, sizeof(stat->clients));
    if (client == NULL) {
        return NGX_ERROR;
    }

    ngx_http_aop_shm_clients(stat, client);

    for (i = 0; i < NGX_HTTP_AOP_CLIENTS; i++) {
        anchor = ngx_http_aop_validity_client_anchor(policy, &client[i]);

        if (anchor == NULL) {
            continue;
        }

        ending = ngx_array_push(endings);
        if (ending == NULL) {
            return NGX_ERROR;
        }

        ending->kind = "client";
        ending->subject = client[i].subject;
        ending->fingerprint = ngx_http_aop_validity_hex(pool, client[i].leaf);
        ending->anchor = anchor->name;
        ending->key = client[i].key;
        ending->group = client[i].group;
        ending->not_before = client[i].not_before;
        ending->not_after = client[i].not_after;
        ending->last = client[i].seen;
        ending->replaced = ngx_http_aop_validity_client_replaced(policy, client,
                                                                 &client[i]);

        /* the anchors come first, in the order of the policy */

        by = endings->elts;
        by += anchor - policy->anchors;
        by->last = ngx_max(by->last, client[i].seen);
    }

    return NGX_OK;
}


const ngx_aop_anchor_t *
ngx_http_aop_validity_client_anchor(const ngx_aop_policy_t *policy,
    const ngx_http_aop_client_t *client)
{
    size_t  i;

    for (i = 0; client->seen != 0 && i < policy->nanchors; i++) {
        if (ngx_memcmp(policy->anchors[i].digest, client->anchor,
                       NGX_AOP_DIGEST)
            == 0)
        {
            return &policy->anchors[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_http_aop_validity_client_replaced(const ngx_aop_policy_t *policy,
    const ngx_http_aop_client_t *clients, const ngx_http_aop_client_t *client)
{
    ngx_uint_t                    i;
    const ngx_http_aop_client_t  *other;

    for (i = 0; i < NGX_HTTP_AOP_CLIENTS; i++) {
        other = &clients[i];

        if (other->seen > client->seen
            && ngx_strcmp(other->subject, client->subject) == 0
            && ngx_http_aop_validity_client_anchor(policy, other) != NULL)
        {
            return 1;
        }
    }

    return 0;
}


static const char *
ngx_http_aop_validity_hex(ngx_pool_t *pool, const u_char *digest)
{
    u_char  *hex;

    hex = ngx_pnalloc(pool, 2 * NGX_AOP_DIGEST + 1);
    if (hex == NULL) {
        return "";
    }

    *ngx_hex_dump(hex, (u_char *) digest, NGX_AOP_DIGEST) = '\0';

    return (const char *) hex;
}


static const char *
ngx_http_aop_validity_key(ngx_pool_t *pool, X509 *x509)
{
    char  *buf;

    buf = ngx_pnalloc(pool, NGX_AOP_KEY_NAME);

    return buf ? ngx_aop_key_name(x509, buf) : "";
}


static const char *
ngx_http_aop_validity_name(ngx_pool_t *pool, const X509_NAME *name)
{
    char    *text;
    size_t   len;
    u_char  *p;

    text = ngx_aop_cert_name(name);

    if (text == NULL) {
        return "";
    }

    len = ngx_strlen(text) + 1;

    p = ngx_pnalloc(pool, len);

    if (p != NULL) {
        ngx_memcpy(p, text, len);
    }

    OPENSSL_free(text);

    return p ? (const char *) p : "";
}


static int ngx_libc_cdecl
ngx_http_aop_validity_cmp(const void *one, const void *two)
{
    const ngx_http_aop_validity_t  *first = one;
    const ngx_http_aop_validity_t  *second = two;

    return (first->not_after > second->not_after)
           - (first->not_after < second->not_after);
}


ngx_int_t
ngx_http_aop_validity_days_left(time_t not_after)
{
    return ngx_aop_cert_days(not_after, ngx_time());
}
