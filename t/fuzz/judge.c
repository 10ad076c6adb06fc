
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A judgement of anything that parses is one of the verdicts, the same each
 * time, from the cache or not; "ok" is for a chain that ends at an anchor,
 * with each signature verified.
 *
 * The input is: depth, level, what goes in; then pieces, with a letter before
 * each: 'a' anchor, 'c' CRL, 'p' pin, 'l' leaf, 'i' what is sent along.
 */


#include <openssl/err.h>

#include "ngx_aop_cache.h"
#include "fuzz.h"


typedef struct {
    ngx_aop_policy_t  *policy;
    X509              *leaf;
    STACK_OF(X509)    *chain;
} fuzz_judge_t;


static void
fuzz_add_cert(fuzz_judge_t *judge, unsigned kind, const fuzz_input_t *in)
{
    X509                 *x509;
    const unsigned char  *p;

    p = in->data;
    x509 = d2i_X509(NULL, &p, (long) in->size);

    if (x509 == NULL) {
        return;
    }

    if (kind == 'a') {
        (void) ngx_aop_policy_add_anchor(judge->policy, x509, "anchor");
        X509_free(x509);

    } else if (kind == 'l') {
        X509_free(judge->leaf);
        judge->leaf = x509;

    } else {
        fuzz_check(sk_X509_push(judge->chain, x509) > 0);
    }
}


static void
fuzz_add(fuzz_judge_t *judge, unsigned kind, const fuzz_input_t *in)
{
    X509_CRL             *crl;
    ngx_aop_pin_t         pin;
    const unsigned char  *p;

    switch (kind) {

    case 'c':
        p = in->data;
        crl = d2i_X509_CRL(NULL, &p, (long) in->size);

        if (crl != NULL) {
            (void) ngx_aop_policy_add_crl(judge->policy, crl);
            X509_CRL_free(crl);
        }

        break;

    case 'p':
        if (ngx_aop_pin_parse(&pin, (const char *) in->data, in->size) == NULL)
        {
            (void) ngx_aop_policy_add_pin(judge->policy, &pin);
        }

        break;

    default:
        fuzz_add_cert(judge, kind, in);
        break;
    }
}


/* Whether the key of one of these has signed the certificate. */

static int
fuzz_signed(const fuzz_judge_t *judge, X509 *x509)
{
    int     i;
    size_t  n;

    for (n = 0; n < judge->policy->nanchors; n++) {
        if (X509_verify(x509, X509_get0_pubkey(judge->policy->anchors[n].x509))
            == 1)
        {
            return 1;
        }
    }

    for (i = 0; i < sk_X509_num(judge->chain); i++) {
        if (X509_verify(x509,
                        X509_get0_pubkey(sk_X509_value(judge->chain, i)))
            == 1)
        {
            return 1;
        }
    }

    return 0;
}


static void
fuzz_judge(const fuzz_judge_t *judge)
{
    size_t                   i;
    ngx_aop_leaf_t           leaf;
    ngx_aop_result_t         result, again;
    static ngx_aop_cache_t   cache;

    ERR_clear_error();

    ngx_aop_cert_leaf(&leaf, judge->leaf);
    ngx_aop_verify(judge->policy, &leaf, judge->chain, FUZZ_NOW, &result);

    fuzz_check(ERR_peek_error() == 0);
    fuzz_check(result.verdict < NGX_AOP_VERDICTS);
    fuzz_check(result.reason != NULL);
    fuzz_printable(result.reason, strlen(result.reason));

    /* no memory was short here */

    fuzz_check(result.verdict != NGX_AOP_VERDICT_ERROR);

    if (result.verdict == NGX_AOP_VERDICT_OK) {
        fuzz_check(result.anchor != NULL);
        fuzz_check(result.valid_until >= FUZZ_NOW);
        fuzz_check(ngx_aop_policy_anchor(judge->policy, judge->leaf) != NULL
                   || fuzz_signed(judge, judge->leaf));
        ERR_clear_error();
    }

    memset(&cache, 0, sizeof(cache));

    for (i = 0; i < 2; i++) {
        (void) ngx_aop_cache_judge(&cache, judge->policy, &leaf, judge->chain,
                                   FUZZ_NOW, &again);

        fuzz_check(again.verdict == result.verdict);
        fuzz_check(result.verdict != NGX_AOP_VERDICT_OK
                   || (again.anchor == result.anchor
                       && again.valid_until == result.valid_until));
        fuzz_check(memcmp(again.leaf, result.leaf, NGX_AOP_DIGEST) == 0);
    }

    fuzz_check(ERR_peek_error() == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned      kind;
    fuzz_input_t  in, piece;
    fuzz_judge_t  judge;

    in.data = data;
    in.size = size;

    judge.leaf = NULL;
    judge.policy = ngx_aop_policy_new(fuzz_byte(&in) % 10);
    judge.chain = sk_X509_new_null();
    fuzz_check(judge.policy != NULL && judge.chain != NULL);

    judge.policy->auth_level = fuzz_byte(&in) % 6;

    while (in.size) {
        kind = fuzz_byte(&in);
        piece = fuzz_piece(&in);
        fuzz_add(&judge, kind, &piece);
    }

    if (judge.leaf != NULL && ngx_aop_policy_seal(judge.policy)) {
        fuzz_judge(&judge);
    }

    ngx_aop_policy_free(judge.policy);
    sk_X509_pop_free(judge.chain, X509_free);
    X509_free(judge.leaf);

    ERR_clear_error();

    return 0;
}
