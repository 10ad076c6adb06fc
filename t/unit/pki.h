
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Keys, certificates and CRLs, made at run time from two tables.  A row names
 * other rows by their index; 0 is no certificate, so a table starts with an
 * empty row.  The clock is not asked: all is valid around PKI_NOW unless its
 * row says otherwise.
 */


#ifndef _PKI_H_INCLUDED_
#define _PKI_H_INCLUDED_


#include <string.h>
#include <time.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "ngx_aop_time.h"
#include "unit.h"


#define PKI_DAY    ((int64_t) 86400)
#define PKI_NOW    ((int64_t) 1893456000)            /* 2030-01-01 */
#define PKI_FROM   (PKI_NOW - 300 * PKI_DAY)
#define PKI_TO     (PKI_NOW + 300 * PKI_DAY)
#define PKI_END    INT64_C(253402300799)             /* 9999-12-31T23:59:59 */
#define PKI_NEVER  ((int64_t) -1)                    /* no nextUpdate */

#define PKI_MAX    128
#define PKI_FEW    5


/* for .ext */

#define PKI_CA    "basicConstraints=critical,CA:TRUE",                        \
                  "keyUsage=critical,keyCertSign,cRLSign"
#define PKI_SKID  "subjectKeyIdentifier=hash"
#define PKI_AKID  "authorityKeyIdentifier=keyid:always"


typedef unsigned char  pki_index_t;


typedef struct {
    const char   *name;             /* "OU=..." or a common name */
    pki_index_t   by;               /* the issuer; 0: self-signed */
    pki_index_t   key;              /* of that row; 0: one of its own */
    int64_t       from;             /* 0: PKI_FROM */
    int64_t       to;               /* 0: PKI_TO */
    const char   *ext[PKI_FEW];
    const char   *md;               /* NULL: SHA-256 */
    int           rsa;              /* bits; 0: EC P-256 */
    const char   *alg;              /* another algorithm, without a digest */
    int           v1;               /* X.509 version 1, without .ext */
} pki_cert_t;


typedef struct {
    pki_index_t   by;
    pki_index_t   signer;           /* 0: the issuer, as it should be */
    int64_t       from;             /* 0: PKI_FROM */
    int64_t       to;               /* 0: PKI_TO */
    pki_index_t   revoked[PKI_FEW];
    const char   *ext[PKI_FEW];
} pki_crl_t;


static struct {
    X509      *cert[PKI_MAX];
    EVP_PKEY  *key[PKI_MAX];
    X509_CRL  *crl[PKI_MAX];
    int        pure[PKI_MAX];       /* the key signs without a digest */
} pki;


static inline EVP_PKEY *
pki_key(int rsa)
{
    EVP_PKEY      *key;
    EVP_PKEY_CTX  *ctx;

    key = NULL;

    ctx = EVP_PKEY_CTX_new_id(rsa ? EVP_PKEY_RSA : EVP_PKEY_EC, NULL);
    assert_non_null(ctx);

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);

    if (rsa) {
        assert_true(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, rsa) > 0);

    } else {
        assert_true(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx,
                                               NID_X9_62_prime256v1) > 0);
    }

    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);

    EVP_PKEY_CTX_free(ctx);

    return key;
}


/* NULL if OpenSSL does not have the algorithm. */

static inline EVP_PKEY *
pki_key_of(const char *alg)
{
    EVP_PKEY      *key;
    EVP_PKEY_CTX  *ctx;

    key = NULL;
    ctx = EVP_PKEY_CTX_new_id(OBJ_txt2nid(alg), NULL);

    if (ctx != NULL) {
        assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);
        assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);
    }

    EVP_PKEY_CTX_free(ctx);

    return key;
}


static inline X509_NAME *
pki_name(const char *text)
{
    X509_NAME   *name;
    const char  *field, *value;

    field = "CN";
    value = text;

    if (strncmp(text, "OU=", 3) == 0) {
        field = "OU";
        value = text + 3;
    }

    name = X509_NAME_new();
    assert_non_null(name);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                                   (const unsigned char *) value, -1, -1, 0),
                     1);

    return name;
}


/* UTCTime before 2050, GeneralizedTime from then on (RFC 5280, 4.1.2.5). */

static inline ASN1_TIME *
pki_time(int64_t t)
{
    ASN1_TIME  *asn1;

    /* a time_t may be too short */

    asn1 = ASN1_TIME_adj(NULL, 0, ngx_aop_time_days(t),
                         t - ngx_aop_time_days(t) * 86400);
    assert_non_null(asn1);

    return asn1;
}


/* "name=value", with the names and values of openssl.cnf */

static inline X509_EXTENSION *
pki_extension(X509V3_CTX *ctx, const char *text)
{
    char             name[64];
    size_t           len;
    X509_EXTENSION  *ext;

    len = strcspn(text, "=");
    assert_true(len < sizeof(name) && text[len] == '=');

    memcpy(name, text, len);
    name[len] = '\0';

    ext = X509V3_EXT_nconf(NULL, ctx, name, (char *) text + len + 1);
    assert_non_null(ext);

    return ext;
}


static inline void
pki_cert_extend(X509 *x509, X509 *issuer, const char *const *text)
{
    size_t           i;
    X509V3_CTX       ctx;
    X509_EXTENSION  *ext;

    X509V3_set_ctx(&ctx, issuer, x509, NULL, NULL, 0);

    for (i = 0; i < PKI_FEW && text[i] != NULL; i++) {
        ext = pki_extension(&ctx, text[i]);
        assert_int_equal(X509_add_ext(x509, ext, -1), 1);
        X509_EXTENSION_free(ext);
    }
}


static inline void
pki_cert_dates(X509 *x509, int64_t from, int64_t to)
{
    ASN1_TIME  *not_before, *not_after;

    not_before = pki_time(from);
    not_after = pki_time(to);

    assert_int_equal(X509_set1_notBefore(x509, not_before), 1);
    assert_int_equal(X509_set1_notAfter(x509, not_after), 1);

    ASN1_TIME_free(not_before);
    ASN1_TIME_free(not_after);
}


/* Digests and extensions are read from the DER: parse what was made. */

static inline X509 *
pki_cert_parse(X509 *made)
{
    int                   len;
    X509                 *x509;
    unsigned char        *der;
    const unsigned char  *p;

    der = NULL;

    len = i2d_X509(made, &der);
    assert_true(len > 0);

    p = der;
    x509 = d2i_X509(NULL, &p, len);
    assert_non_null(x509);

    OPENSSL_free(der);
    X509_free(made);

    return x509;
}


static inline X509 *
pki_cert(const pki_cert_t *spec, pki_index_t self)
{
    X509          *x509, *issuer;
    EVP_PKEY      *signer;
    X509_NAME     *name;
    const EVP_MD  *md;

    x509 = X509_new();
    assert_non_null(x509);

    issuer = spec->by ? pki.cert[spec->by] : x509;
    signer = spec->by ? pki.key[spec->by] : pki.key[self];

    if (pki.pure[spec->by ? spec->by : self]) {
        md = NULL;

    } else {
        md = spec->md ? EVP_get_digestbyname(spec->md) : EVP_sha256();
        assert_non_null(md);
    }

    assert_non_null(issuer);
    assert_non_null(signer);

    X509_set_version(x509, spec->v1 ? 0 : 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), self);

    name = pki_name(spec->name);
    X509_set_subject_name(x509, name);
    X509_NAME_free(name);

    X509_set_issuer_name(x509, (X509_NAME *) X509_get_subject_name(issuer));
    X509_set_pubkey(x509, pki.key[self]);

    pki_cert_dates(x509, spec->from ? spec->from : PKI_FROM,
                   spec->to ? spec->to : PKI_TO);
    pki_cert_extend(x509, issuer, spec->ext);

    assert_true(X509_sign(x509, signer, md) > 0);

    return pki_cert_parse(x509);
}


static inline void
pki_certs(const pki_cert_t *table, size_t n)
{
    size_t  i;

    assert_true(n <= PKI_MAX);

    for (i = 1; i < n; i++) {

        if (table[i].key) {
            pki.key[i] = pki.key[table[i].key];
            assert_int_equal(EVP_PKEY_up_ref(pki.key[i]), 1);

        } else {
            pki.key[i] = table[i].alg ? pki_key_of(table[i].alg)
                                      : pki_key(table[i].rsa);
        }

        pki.pure[i] = (table[i].alg != NULL);

        pki.cert[i] = pki_cert(&table[i], i);
    }
}


static inline void
pki_crl_dates(X509_CRL *crl, int64_t from, int64_t to)
{
    ASN1_TIME  *asn1;

    asn1 = pki_time(from);
    assert_int_equal(X509_CRL_set1_lastUpdate(crl, asn1), 1);
    ASN1_TIME_free(asn1);

    if (to != PKI_NEVER) {
        asn1 = pki_time(to);
        assert_int_equal(X509_CRL_set1_nextUpdate(crl, asn1), 1);
        ASN1_TIME_free(asn1);
    }
}


static inline void
pki_crl_revoke(X509_CRL *crl, pki_index_t index, int64_t when)
{
    ASN1_TIME     *asn1;
    X509_REVOKED  *revoked;

    asn1 = pki_time(when);
    revoked = X509_REVOKED_new();
    assert_non_null(revoked);

    X509_REVOKED_set_serialNumber(revoked,
                                  X509_get_serialNumber(pki.cert[index]));
    X509_REVOKED_set_revocationDate(revoked, asn1);

    assert_int_equal(X509_CRL_add0_revoked(crl, revoked), 1);

    ASN1_TIME_free(asn1);
}


static inline void
pki_crl_extend(X509_CRL *crl, X509 *issuer, const char *const *text)
{
    size_t           i;
    X509V3_CTX       ctx;
    X509_EXTENSION  *ext;

    X509V3_set_ctx(&ctx, issuer, NULL, NULL, crl, 0);

    for (i = 0; i < PKI_FEW && text[i] != NULL; i++) {
        ext = pki_extension(&ctx, text[i]);
        assert_int_equal(X509_CRL_add_ext(crl, ext, -1), 1);
        X509_EXTENSION_free(ext);
    }
}


static inline X509_CRL *
pki_crl_parse(X509_CRL *made)
{
    int                   len;
    X509_CRL             *crl;
    unsigned char        *der;
    const unsigned char  *p;

    der = NULL;

    len = i2d_X509_CRL(made, &der);
    assert_true(len > 0);

    p = der;
    crl = d2i_X509_CRL(NULL, &p, len);
    assert_non_null(crl);

    OPENSSL_free(der);
    X509_CRL_free(made);

    return crl;
}


static inline X509_CRL *
pki_crl(const pki_crl_t *spec)
{
    X509      *issuer;
    size_t     i;
    int64_t    from;
    X509_CRL  *crl;
    EVP_PKEY  *signer;

    crl = X509_CRL_new();
    assert_non_null(crl);

    issuer = pki.cert[spec->by];
    signer = pki.key[spec->signer ? spec->signer : spec->by];
    from = spec->from ? spec->from : PKI_FROM;

    X509_CRL_set_version(crl, 1);
    X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer));

    pki_crl_dates(crl, from, spec->to ? spec->to : PKI_TO);

    for (i = 0; i < PKI_FEW && spec->revoked[i]; i++) {
        pki_crl_revoke(crl, spec->revoked[i], from);
    }

    pki_crl_extend(crl, issuer, spec->ext);

    assert_true(X509_CRL_sign(crl, signer, EVP_sha256()) > 0);

    return pki_crl_parse(crl);
}


static inline void
pki_crls(const pki_crl_t *table, size_t n)
{
    size_t  i;

    assert_true(n <= PKI_MAX);

    for (i = 1; i < n; i++) {
        pki.crl[i] = pki_crl(&table[i]);
    }
}


static inline void
pki_free(void)
{
    size_t  i;

    for (i = 0; i < PKI_MAX; i++) {
        X509_free(pki.cert[i]);
        EVP_PKEY_free(pki.key[i]);
        X509_CRL_free(pki.crl[i]);
    }

    memset(&pki, 0, sizeof(pki));
}


#endif /* _PKI_H_INCLUDED_ */
