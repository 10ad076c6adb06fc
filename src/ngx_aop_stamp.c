
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


#define NGX_AOP_STAMP_MAGIC    "aop\1"          /* the version is in it */
#define NGX_AOP_STAMP_PREFIX   3

/* magic, verdict, three digests, two times */

#define NGX_AOP_STAMP_LEN      (4 + 1 + 3 * NGX_AOP_DIGEST + 2 * 8)


static unsigned char *ngx_aop_stamp_put(unsigned char *p, const void *data,
    size_t len);
static unsigned char *ngx_aop_stamp_put_time(unsigned char *p, time_t t);
static const unsigned char *ngx_aop_stamp_get_time(const unsigned char *p,
    time_t *t);


int
ngx_aop_stamp_write(SSL_SESSION *session, const ngx_aop_policy_t *policy,
    const ngx_aop_result_t *result, X509 *leaf, time_t now)
{
    unsigned char  *p, verdict;
    unsigned char   digest[NGX_AOP_DIGEST], buf[NGX_AOP_STAMP_LEN];

    static const unsigned char  none[NGX_AOP_DIGEST];

    if (!ngx_aop_cert_digest(leaf, digest)) {
        return 0;
    }

    verdict = (unsigned char) result->verdict;

    p = ngx_aop_stamp_put(buf, NGX_AOP_STAMP_MAGIC, 4);
    p = ngx_aop_stamp_put(p, &verdict, 1);
    p = ngx_aop_stamp_put(p, policy->digest, NGX_AOP_DIGEST);
    p = ngx_aop_stamp_put(p, result->anchor ? result->anchor->digest : none,
                          NGX_AOP_DIGEST);
    p = ngx_aop_stamp_put(p, digest, NGX_AOP_DIGEST);
    p = ngx_aop_stamp_put_time(p, now);
    (void) ngx_aop_stamp_put_time(p, result->valid_until);

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

    memcpy(stamp->policy, p, NGX_AOP_DIGEST);
    p += NGX_AOP_DIGEST;

    memcpy(stamp->anchor, p, NGX_AOP_DIGEST);
    p += NGX_AOP_DIGEST;

    memcpy(stamp->leaf, p, NGX_AOP_DIGEST);
    p += NGX_AOP_DIGEST;

    p = ngx_aop_stamp_get_time(p, &stamp->made);
    (void) ngx_aop_stamp_get_time(p, &stamp->valid_until);

    return NGX_AOP_STAMP_READ;
}


int
ngx_aop_stamp_resumable(const ngx_aop_stamp_t *stamp,
    const ngx_aop_policy_t *policy, time_t timeout, time_t now)
{
    return stamp->verdict == NGX_AOP_OK
           && memcmp(stamp->policy, policy->digest, NGX_AOP_DIGEST) == 0
           && now >= stamp->made
           && now - stamp->made < timeout
           && now <= stamp->valid_until;
}


int
ngx_aop_stamp_result(const ngx_aop_stamp_t *stamp,
    const ngx_aop_policy_t *policy, X509 *leaf, time_t now,
    ngx_aop_result_t *result)
{
    size_t         i;
    unsigned char  digest[NGX_AOP_DIGEST];

    if (stamp->verdict != NGX_AOP_OK
        || memcmp(stamp->policy, policy->digest, NGX_AOP_DIGEST) != 0
        || now > stamp->valid_until
        || !ngx_aop_cert_digest(leaf, digest)
        || memcmp(stamp->leaf, digest, NGX_AOP_DIGEST) != 0)
    {
        return 0;
    }

    for (i = 0; i < policy->nanchors; i++) {

        if (memcmp(stamp->anchor, policy->anchors[i].digest, NGX_AOP_DIGEST)
            == 0)
        {
            memset(result, 0, sizeof(ngx_aop_result_t));

            result->verdict = NGX_AOP_OK;
            result->reason = "";
            result->anchor = &policy->anchors[i];
            result->valid_until = stamp->valid_until;

            return 1;
        }
    }

    return 0;
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
    int       shift;
    uint64_t  n;

    n = (uint64_t) t;

    for (shift = 56; shift >= 0; shift -= 8) {
        *p++ = (unsigned char) (n >> shift);
    }

    return p;
}


static const unsigned char *
ngx_aop_stamp_get_time(const unsigned char *p, time_t *t)
{
    int       i;
    uint64_t  n;

    n = 0;

    for (i = 0; i < 8; i++) {
        n = n << 8 | *p++;
    }

    *t = (time_t) n;

    return p;
}
