
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What is printed of a stranger's certificate is printable, and a cut never
 * splits an escape.  What OpenSSL would not parse, it would not hand to us.
 */


#include <openssl/err.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_cloudflare.h"
#include "ngx_aop_lint.h"
#include "ngx_aop_pin.h"
#include "fuzz.h"


/* A cut is a beginning; and what was cut can be cut no further. */

static void
fuzz_cut(const char *text, size_t len)
{
    size_t  n, max;

    for (max = 0; max <= len && max < 300; max++) {
        n = ngx_aop_cert_cut(text, len, max);

        fuzz_check(n <= max);
        fuzz_check(max < 3 || n > max - 3);
        fuzz_check(ngx_aop_cert_cut(text, len, n) == n);
    }

    fuzz_check(ngx_aop_cert_cut(text, len, len) == len);
}


static void
fuzz_print(X509 *x509, ngx_aop_cert_fact_e fact)
{
    BIO   *bio;
    char  *text;
    long   len;

    bio = BIO_new(BIO_s_mem());
    fuzz_check(bio != NULL);

    if (ngx_aop_cert_print(x509, fact, bio)) {
        len = BIO_get_mem_data(bio, &text);

        fuzz_printable(text, len);

        if (fact == NGX_AOP_CERT_SUBJECT || fact == NGX_AOP_CERT_ISSUER) {
            fuzz_cut(text, len);
        }
    }

    BIO_free(bio);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                  *name;
    X509                  *x509;
    time_t                 t;
    unsigned               fact;
    ngx_aop_pin_t          pin[2];
    ngx_aop_leaf_t         leaf;
    const unsigned char   *p;
    ngx_aop_lint_found_t   found;

    p = data;
    x509 = d2i_X509(NULL, &p, (long) size);

    ERR_clear_error();

    if (x509 == NULL) {
        return 0;
    }

    for (fact = 0; fact < NGX_AOP_CERT_FACTS; fact++) {
        fuzz_print(x509, fact);
    }

    name = ngx_aop_cert_name(X509_get_subject_name(x509));

    if (name != NULL) {
        fuzz_printable(name, strlen(name));
    }

    OPENSSL_free(name);

    (void) ngx_aop_cert_time(X509_get0_notBefore(x509), &t);
    (void) ngx_aop_cloudflare_origin_ca_name(X509_get_issuer_name(x509));

    fuzz_check(!ngx_aop_cloudflare_is_ca(x509)
               || ngx_aop_cloudflare_lookalike(x509) == NGX_AOP_LOOKALIKE_NONE);

    fuzz_check(ngx_aop_lint_classify(x509) < NGX_AOP_LINT_KINDS);

    ngx_aop_lint_cert(x509, 2, FUZZ_NOW, &found);
    fuzz_check(found.set < ngx_aop_lint_bit(NGX_AOP_LINT_FINDINGS));

    memset(pin, 0, sizeof(pin));
    pin[1].spki = 1;

    ngx_aop_cert_leaf(&leaf, x509);

    fuzz_check(ngx_aop_pin_match(pin, 2, &leaf) != 1);

    if (ngx_aop_cert_digest(x509, pin[0].digest)
        && ngx_aop_cert_spki(x509, pin[1].digest))
    {
        fuzz_check(ngx_aop_pin_match(&pin[0], 1, &leaf) == 1);
        fuzz_check(ngx_aop_pin_match(&pin[1], 1, &leaf) == 1);
    }

    X509_free(x509);
    ERR_clear_error();

    return 0;
}
