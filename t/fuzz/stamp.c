
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A session may hold anything where our stamp is looked for: what is read
 * goes in again unchanged, and answers only for its policy, anchor and leaf.
 *
 * The first byte of the input tells which digests are put right, because
 * those are not to be guessed; then the time that it is, then the stamp.
 */


#include <openssl/err.h>
#include <openssl/evp.h>

#include "ngx_aop_stamp.h"
#include "fuzz.h"


/* where ngx_aop_stamp.c has them */

#define FUZZ_POLICY  5
#define FUZZ_ANCHOR  (FUZZ_POLICY + NGX_AOP_STAMP_POLICY)
#define FUZZ_LEAF    (FUZZ_ANCHOR + NGX_AOP_STAMP_ANCHOR)
#define FUZZ_LEN     (FUZZ_LEAF + NGX_AOP_STAMP_LEAF + 10)


static X509              *fuzz_leaf;
static ngx_aop_stamp_t    fuzz_right;
static ngx_aop_policy_t  *fuzz_policy;


/* Digests are made of the DER: parse what was made. */

static X509 *
fuzz_cert(void)
{
    int                   len;
    X509                 *made, *x509;
    EVP_PKEY             *key;
    unsigned char        *der;
    const unsigned char  *p;

    der = NULL;
    made = X509_new();
    key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
                  (const unsigned char *) "0123456789abcdef0123456789abcdef",
                  32);

    fuzz_check(made != NULL && key != NULL);

    /* the same in each run, as its digest is */

    fuzz_check(ASN1_TIME_set(X509_getm_notBefore(made), FUZZ_NOW) != NULL);
    fuzz_check(ASN1_TIME_set(X509_getm_notAfter(made), FUZZ_NOW + 1) != NULL);
    fuzz_check(X509_set_pubkey(made, key));
    fuzz_check(X509_sign(made, key, NULL) > 0);

    len = i2d_X509(made, &der);
    fuzz_check(len > 0);

    p = der;
    x509 = d2i_X509(NULL, &p, len);
    fuzz_check(x509 != NULL);

    OPENSSL_free(der);
    EVP_PKEY_free(key);
    X509_free(made);

    return x509;
}


static void
fuzz_init(void)
{
    ngx_aop_result_t  result;

    fuzz_leaf = fuzz_cert();
    fuzz_policy = ngx_aop_policy_new(1);

    fuzz_check(fuzz_policy != NULL);
    fuzz_check(ngx_aop_policy_add_anchor(fuzz_policy, fuzz_leaf, "anchor"));
    fuzz_check(ngx_aop_policy_seal(fuzz_policy));

    memset(&result, 0, sizeof(result));
    result.anchor = &fuzz_policy->anchors[0];

    ngx_aop_stamp_init(&fuzz_right, fuzz_policy, fuzz_leaf, &result, FUZZ_NOW);
}


static void
fuzz_correct(unsigned char *buf, size_t size, unsigned what)
{
    if (size < FUZZ_LEN) {
        return;
    }

    if (what & 1) {
        memcpy(buf + FUZZ_POLICY, fuzz_right.policy, NGX_AOP_STAMP_POLICY);
    }

    if (what & 2) {
        memcpy(buf + FUZZ_ANCHOR, fuzz_right.anchor, NGX_AOP_STAMP_ANCHOR);
    }

    if (what & 4) {
        memcpy(buf + FUZZ_LEAF, fuzz_right.leaf, NGX_AOP_STAMP_LEAF);
    }
}


static void
fuzz_stamp(const ngx_aop_stamp_t *stamp, time_t now)
{
    ngx_aop_result_t  result;

    if (ngx_aop_stamp_resumable(stamp, fuzz_policy, 3600, now)) {
        fuzz_check(stamp->verdict == NGX_AOP_VERDICT_OK);
        fuzz_check(memcmp(stamp->policy, fuzz_policy->digest,
                          NGX_AOP_STAMP_POLICY)
                   == 0);
        fuzz_check(now >= stamp->made && now <= stamp->valid_until);
    }

    if (!ngx_aop_stamp_result(stamp, fuzz_policy, fuzz_leaf, now, &result)) {
        return;
    }

    fuzz_check(stamp->verdict == NGX_AOP_VERDICT_OK);
    fuzz_check(memcmp(stamp->policy, fuzz_policy->digest, NGX_AOP_STAMP_POLICY)
               == 0);
    fuzz_check(memcmp(stamp->anchor, fuzz_policy->anchors[0].digest,
                      NGX_AOP_STAMP_ANCHOR)
               == 0);
    fuzz_check(memcmp(stamp->leaf, fuzz_right.leaf, NGX_AOP_STAMP_LEAF)
               == 0);
    fuzz_check(result.reason != NULL);

    if (now <= stamp->valid_until) {
        fuzz_check(result.verdict == NGX_AOP_VERDICT_OK);
        fuzz_check(result.anchor == &fuzz_policy->anchors[0]);

    } else {
        fuzz_check(result.verdict == NGX_AOP_VERDICT_EXPIRED);
        fuzz_check(result.anchor == NULL);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int              i;
    void            *kept;
    size_t           len;
    unsigned         what;
    uint64_t         now;
    SSL_SESSION     *session;
    fuzz_input_t     in;
    unsigned char    buf[FUZZ_LEN * 2];
    ngx_aop_stamp_t  stamp, again;

    if (fuzz_policy == NULL) {
        fuzz_init();
    }

    in.data = data;
    in.size = size;
    what = fuzz_byte(&in);
    now = 0;

    for (i = 0; i < 8; i++) {
        now = now << 8 | fuzz_byte(&in);
    }

    len = (in.size < sizeof(buf)) ? in.size : sizeof(buf);
    memcpy(buf, in.data, len);
    fuzz_correct(buf, len, what);

    memset(&stamp, 0, sizeof(stamp));
    session = SSL_SESSION_new();
    fuzz_check(session != NULL);
    fuzz_check(SSL_SESSION_set1_ticket_appdata(session, buf, len));

    if (ngx_aop_stamp_read(session, &stamp) == NGX_AOP_STAMP_READ) {
        fuzz_stamp(&stamp, (time_t) now);

        fuzz_check(ngx_aop_stamp_write(session, &stamp));
        fuzz_check(SSL_SESSION_get0_ticket_appdata(session, &kept, &len));
        fuzz_check(len == FUZZ_LEN && memcmp(kept, buf, len) == 0);

        memset(&again, 0, sizeof(again));
        fuzz_check(ngx_aop_stamp_read(session, &again) == NGX_AOP_STAMP_READ);
        fuzz_check(memcmp(&stamp, &again, sizeof(stamp)) == 0);
    }

    SSL_SESSION_free(session);
    ERR_clear_error();

    return 0;
}
