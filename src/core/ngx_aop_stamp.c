
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The stamp of a TLS session, in its ticket application data: OpenSSL keeps
 * that in tickets (where it is encrypted and authenticated), in session
 * caches, and over the renewal of a ticket.  A stamp proves something only
 * for the policy and the leaf it names.
 */


#include <stdint.h>
#include <string.h>

#include "ngx_aop_stamp.h"


#define NGX_AOP_STAMP_MAGIC    "aop\3"      /* the version is in it */
#define NGX_AOP_STAMP_PREFIX   3

#define NGX_AOP_STAMP_TIME     5            /* to the year 36812 */

/* magic, verdict, policy, anchor, leaf, two times */

#define NGX_AOP_STAMP_LEN                                                     \
    (4 + 1 + NGX_AOP_STAMP_POLICY + NGX_AOP_STAMP_ANCHOR + NGX_AOP_STAMP_LEAF \
     + 2 * NGX_AOP_STAMP_TIME)


static void ngx_aop_stamp_signature(const X509 *leaf, unsigned char *buf);
static int ngx_aop_stamp_ended(const ngx_aop_stamp_t *stamp,
    const ngx_aop_policy_t *policy);
static unsigned char *ngx_aop_stamp_put(unsigned char *p, const void *data,
    size_t len);
static unsigned char *ngx_aop_stamp_put_time(unsigned char *p, time_t t);
static const unsigned char *ngx_aop_stamp_get_time(const unsigned char *p,
    time_t *t);


void
ngx_aop_stamp_init(ngx_aop_stamp_t *stamp, const ngx_aop_policy_t *policy,
    const X509 *leaf, const ngx_aop_result_t *result, time_t now)
{
    memset(stamp, 0, sizeof(ngx_aop_stamp_t));

    stamp->verdict = result->verdict;
    stamp->made = now;
    stamp->valid_until = result->valid_until;

    memcpy(stamp->policy, policy->digest, NGX_AOP_STAMP_POLICY);

    if (result->anchor != NULL) {
        memcpy(stamp->anchor, result->anchor->digest, NGX_AOP_STAMP_ANCHOR);
    }

    ngx_aop_stamp_signature(leaf, stamp->leaf);
}


/* A shorter one is followed by zeroes. */

static void
ngx_aop_stamp_signature(const X509 *leaf, unsigned char *buf)
{
    int                     len;
    const X509_ALGOR       *algorithm;
    const ASN1_BIT_STRING  *signature;

    X509_get0_signature(&signature, &algorithm, leaf);

    len = ASN1_STRING_length(signature);

    memset(buf, 0, NGX_AOP_STAMP_LEAF);
    memcpy(buf, ASN1_STRING_get0_data(signature),
           (len < NGX_AOP_STAMP_LEAF) ? len : NGX_AOP_STAMP_LEAF);
}


int
ngx_aop_stamp_write(SSL_SESSION *session, const ngx_aop_stamp_t *stamp)
{
    unsigned char  *p, verdict, buf[NGX_AOP_STAMP_LEN];

    verdict = (unsigned char) stamp->verdict;

    p = ngx_aop_stamp_put(buf, NGX_AOP_STAMP_MAGIC, 4);
    p = ngx_aop_stamp_put(p, &verdict, 1);
    p = ngx_aop_stamp_put(p, stamp->policy, NGX_AOP_STAMP_POLICY);
    p = ngx_aop_stamp_put(p, stamp->anchor, NGX_AOP_STAMP_ANCHOR);
    p = ngx_aop_stamp_put(p, stamp->leaf, NGX_AOP_STAMP_LEAF);
    p = ngx_aop_stamp_put_time(p, stamp->made);
    (void) ngx_aop_stamp_put_time(p, stamp->valid_until);

    return SSL_SESSION_set1_ticket_appdata(session, buf, sizeof(buf));
}


ngx_aop_stamp_e
ngx_aop_stamp_read(SSL_SESSION *session, ngx_aop_stamp_t *stamp)
{
    void                 *data;
    size_t                len;
    const unsigned char  *p;

    if (!SSL_SESSION_get0_ticket_appdata(session, &data, &len)
        || len < NGX_AOP_STAMP_PREFIX
        || memcmp(data, NGX_AOP_STAMP_MAGIC, NGX_AOP_STAMP_PREFIX) != 0)
    {
        return NGX_AOP_STAMP_NONE;
    }

    if (len != NGX_AOP_STAMP_LEN || memcmp(data, NGX_AOP_STAMP_MAGIC, 4) != 0)
    {
        return NGX_AOP_STAMP_BAD;
    }

    p = data;
    p += 4;

    stamp->verdict = *p++;

    memcpy(stamp->policy, p, NGX_AOP_STAMP_POLICY);
    p += NGX_AOP_STAMP_POLICY;

    memcpy(stamp->anchor, p, NGX_AOP_STAMP_ANCHOR);
    p += NGX_AOP_STAMP_ANCHOR;

    memcpy(stamp->leaf, p, NGX_AOP_STAMP_LEAF);
    p += NGX_AOP_STAMP_LEAF;

    p = ngx_aop_stamp_get_time(p, &stamp->made);
    (void) ngx_aop_stamp_get_time(p, &stamp->valid_until);

    return NGX_AOP_STAMP_READ;
}


int
ngx_aop_stamp_resumable(const ngx_aop_stamp_t *stamp,
    const ngx_aop_policy_t *policy, time_t timeout, time_t now)
{
    return stamp->verdict == NGX_AOP_VERDICT_OK
           && memcmp(stamp->policy, policy->digest, NGX_AOP_STAMP_POLICY) == 0
           && now >= stamp->made
           && stamp->made > now - timeout
           && now <= stamp->valid_until;
}


int
ngx_aop_stamp_result(const ngx_aop_stamp_t *stamp,
    const ngx_aop_policy_t *policy, const X509 *leaf, time_t now,
    ngx_aop_result_t *result)
{
    int            error;
    size_t         i;
    unsigned char  signature[NGX_AOP_STAMP_LEAF];

    ngx_aop_stamp_signature(leaf, signature);

    if (stamp->verdict != NGX_AOP_VERDICT_OK
        || memcmp(stamp->policy, policy->digest, NGX_AOP_STAMP_POLICY) != 0
        || memcmp(stamp->leaf, signature, NGX_AOP_STAMP_LEAF) != 0)
    {
        return 0;
    }

    for (i = 0; i < policy->nanchors; i++) {

        if (memcmp(stamp->anchor, policy->anchors[i].digest,
                   NGX_AOP_STAMP_ANCHOR)
            == 0)
        {
            break;
        }
    }

    if (i == policy->nanchors) {
        return 0;
    }

    memset(result, 0, sizeof(ngx_aop_result_t));

    if (now > stamp->valid_until) {
        error = ngx_aop_stamp_ended(stamp, policy);
        ngx_aop_verify_set_result(result, ngx_aop_verdict_from_x509(error),
                                  error);
        return 1;
    }

    ngx_aop_verify_set_result(result, NGX_AOP_VERDICT_OK, X509_V_OK);

    result->anchor = &policy->anchors[i];
    result->valid_until = stamp->valid_until;

    return 1;
}


/* What has expired: a CRL of the policy, or else a certificate of the chain. */

static int
ngx_aop_stamp_ended(const ngx_aop_stamp_t *stamp,
    const ngx_aop_policy_t *policy)
{
    int     i;
    time_t  t;

    for (i = 0; policy->crls && i < sk_X509_CRL_num(policy->crls); i++) {

        if (ngx_aop_cert_time(X509_CRL_get0_nextUpdate(
                                      sk_X509_CRL_value(policy->crls, i)), &t)
            && t - 1 == stamp->valid_until)
        {
            return X509_V_ERR_CRL_HAS_EXPIRED;
        }
    }

    return X509_V_ERR_CERT_HAS_EXPIRED;
}


static unsigned char *
ngx_aop_stamp_put(unsigned char *p, const void *data, size_t len)
{
    memcpy(p, data, len);

    return p + len;
}


static unsigned char *
ngx_aop_stamp_put_time(unsigned char *p, time_t t)
{
    int       i;
    uint64_t  n;

    n = (uint64_t) t;

    for (i = NGX_AOP_STAMP_TIME - 1; i >= 0; i--) {
        p[i] = (unsigned char) n;
        n >>= 8;
    }

    return p + NGX_AOP_STAMP_TIME;
}


static const unsigned char *
ngx_aop_stamp_get_time(const unsigned char *p, time_t *t)
{
    int       i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < NGX_AOP_STAMP_TIME; i++) {
        n = n << 8 | *p++;
    }

    *t = (time_t) n;

    return p;
}
