
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Facts of a certificate, printed.  A certificate is text that a stranger
 * wrote: whatever leaves here is printable ASCII.
 */


#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_key.h"


#define NGX_AOP_CERT_DAY  86400


static int ngx_aop_cert_print_name(const X509_NAME *name, BIO *bio);
static int ngx_aop_cert_print_integer(const ASN1_INTEGER *integer, BIO *bio);
static int ngx_aop_cert_print_digest(const X509 *x509,
    int (*digest)(const X509 *x509, unsigned char *digest), BIO *bio);
static int ngx_aop_cert_print_time(const ASN1_TIME *asn1, BIO *bio);
static int ngx_aop_cert_print_key(X509 *x509, BIO *bio);
static int ngx_aop_cert_seconds(const ASN1_TIME *asn1, int64_t *t);
static int ngx_aop_cert_is_hex(char ch);


int
ngx_aop_cert_print(X509 *x509, ngx_aop_cert_fact_e fact, BIO *bio)
{
    switch (fact) {

    case NGX_AOP_CERT_SUBJECT:
        return ngx_aop_cert_print_name(X509_get_subject_name(x509), bio);

    case NGX_AOP_CERT_ISSUER:
        return ngx_aop_cert_print_name(X509_get_issuer_name(x509), bio);

    case NGX_AOP_CERT_SERIAL:
        return ngx_aop_cert_print_integer(X509_get0_serialNumber(x509), bio);

    case NGX_AOP_CERT_FINGERPRINT:
        return ngx_aop_cert_print_digest(x509, ngx_aop_cert_digest, bio);

    case NGX_AOP_CERT_SPKI:
        return ngx_aop_cert_print_digest(x509, ngx_aop_cert_spki, bio);

    case NGX_AOP_CERT_NOT_AFTER:
        return ngx_aop_cert_print_time(X509_get0_notAfter(x509), bio);

    case NGX_AOP_CERT_KEY:
        return ngx_aop_cert_print_key(x509, bio);

    default:
        return 0;
    }
}


static int
ngx_aop_cert_print_name(const X509_NAME *name, BIO *bio)
{
    /* XN_FLAG_RFC2253 escapes control characters and bytes above 0x7f */

    return X509_NAME_print_ex(bio, (X509_NAME *) name, 0, XN_FLAG_RFC2253)
           >= 0;
}


/* As i2a_ASN1_INTEGER(), which breaks the line after 35 bytes. */

static int
ngx_aop_cert_print_integer(const ASN1_INTEGER *integer, BIO *bio)
{
    int                   i, len;
    const unsigned char  *data;

    len = ASN1_STRING_length(integer);
    data = ASN1_STRING_get0_data(integer);

    if (len == 0) {
        return BIO_puts(bio, "00") > 0;
    }

    if (ASN1_STRING_type(integer) == V_ASN1_NEG_INTEGER
        && BIO_puts(bio, "-") <= 0)
    {
        return 0;
    }

    for (i = 0; i < len; i++) {
        if (BIO_printf(bio, "%02X", data[i]) <= 0) {
            return 0;
        }
    }

    return 1;
}


static int
ngx_aop_cert_print_digest(const X509 *x509,
    int (*digest)(const X509 *x509, unsigned char *digest), BIO *bio)
{
    size_t         i;
    unsigned char  sha256[NGX_AOP_DIGEST];

    if (!digest(x509, sha256)) {
        return 0;
    }

    for (i = 0; i < NGX_AOP_DIGEST; i++) {
        if (BIO_printf(bio, "%02x", sha256[i]) <= 0) {
            return 0;
        }
    }

    return 1;
}


static int
ngx_aop_cert_print_time(const ASN1_TIME *asn1, BIO *bio)
{
    char     date[NGX_AOP_DATE];
    int64_t  t;

    return ngx_aop_cert_seconds(asn1, &t)
           && BIO_puts(bio, ngx_aop_cert_date(t, date)) > 0;
}


static int
ngx_aop_cert_print_key(X509 *x509, BIO *bio)
{
    char  name[NGX_AOP_KEY_NAME];

    return BIO_puts(bio, ngx_aop_key_name(x509, name)) > 0;
}


char *
ngx_aop_cert_name(const X509_NAME *name)
{
    BIO   *bio;
    char  *data, *text;
    long   len;

    text = NULL;

    bio = BIO_new(BIO_s_mem());

    if (bio != NULL && ngx_aop_cert_print_name(name, bio)) {
        len = BIO_get_mem_data(bio, &data);
        text = OPENSSL_strndup(len ? data : "", len);
    }

    BIO_free(bio);

    return text;
}


const char *
ngx_aop_cert_date(int64_t t, char *buf)
{
    return ngx_aop_time_print(t, buf);
}


/*
 * If memory is short while OpenSSL 3.0 looks up the digest that it was asked
 * for, it answers with the SHA-1 that it keeps of each certificate.
 */

int
ngx_aop_cert_digest(const X509 *x509, unsigned char *digest)
{
    unsigned int  len;

    return X509_digest(x509, EVP_sha256(), digest, &len)
           && len == NGX_AOP_DIGEST;
}


int
ngx_aop_cert_crl_digest(const X509_CRL *crl, unsigned char *digest)
{
    unsigned int  len;

    return X509_CRL_digest(crl, EVP_sha256(), digest, &len)
           && len == NGX_AOP_DIGEST;
}


int
ngx_aop_cert_spki(const X509 *x509, unsigned char *digest)
{
    int             len, rc;
    unsigned char  *der;

    der = NULL;

    len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &der);
    if (len <= 0) {
        return 0;
    }

    rc = EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL);

    OPENSSL_free(der);

    return rc;
}


void
ngx_aop_cert_leaf(ngx_aop_leaf_t *leaf, X509 *x509)
{
    ERR_set_mark();

    leaf->x509 = x509;
    leaf->digested = ngx_aop_cert_digest(x509, leaf->digest);

    ERR_pop_to_mark();
}


int
ngx_aop_cert_same_key(X509 *one, X509 *two)
{
    return ASN1_STRING_cmp(X509_get0_pubkey_bitstr(one),
                           X509_get0_pubkey_bitstr(two))
           == 0;
}


int
ngx_aop_cert_issued(X509 *issuer, X509 *x509)
{
    int        rc;
    EVP_PKEY  *pkey;

    if (X509_NAME_cmp(X509_get_subject_name(issuer),
                      X509_get_issuer_name(x509))
        != 0)
    {
        return 0;
    }

    ERR_set_mark();

    pkey = X509_get0_pubkey(issuer);
    rc = pkey ? X509_verify(x509, pkey) : 0;

    ERR_pop_to_mark();

    return rc == 1;
}


int
ngx_aop_cert_time(const ASN1_TIME *asn1, time_t *t)
{
    int      rc;
    int64_t  seconds;

    rc = ngx_aop_cert_seconds(asn1, &seconds);
    *t = ngx_aop_time_fit(seconds);

    return rc;
}


static int
ngx_aop_cert_seconds(const ASN1_TIME *asn1, int64_t *t)
{
    struct tm  tm;

    *t = 0;

    /* ASN1_TIME_to_tm() takes NULL as "now" */

    if (asn1 == NULL || !ASN1_TIME_to_tm(asn1, &tm)) {
        return 0;
    }

    *t = ngx_aop_time_seconds(&tm);

    return 1;
}


long long
ngx_aop_cert_days(time_t t, time_t now)
{
    long long  left;

    left = (long long) t - now;

    if (left < 0) {
        left -= NGX_AOP_CERT_DAY - 1;
    }

    return left / NGX_AOP_CERT_DAY;
}


size_t
ngx_aop_cert_cut(const char *text, size_t len, size_t max)
{
    size_t  i, step;

    if (len <= max) {
        return len;
    }

    for (i = 0; i < max; i += step) {
        step = ngx_aop_cert_step(text + i, len - i);

        if (i + step > max) {
            break;
        }
    }

    return i;
}


size_t
ngx_aop_cert_step(const char *text, size_t len)
{
    if (text[0] != '\\' || len < 2) {
        return 1;
    }

    return (len > 2 && ngx_aop_cert_is_hex(text[1])
            && ngx_aop_cert_is_hex(text[2])) ? 3 : 2;
}


static int
ngx_aop_cert_is_hex(char ch)
{
    return (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'F');
}


int
ngx_aop_cert_is_ca(X509 *x509)
{
    return X509_check_ca(x509) == 1;
}
