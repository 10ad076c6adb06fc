
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The name of a certificate's key, and what OpenSSL can do with it.  What is
 * expected of ML-DSA depends on whether this OpenSSL makes such keys; its name
 * does not.
 */


#include <openssl/err.h>
#include <openssl/objects.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_key.h"
#include "pki.h"


#define KEY_MAX  4096


typedef struct {
    const char     *name;
    const char     *oid;
    int             len;        /* of the public key */
    int             pq;
    ngx_aop_key_e   with;       /* where OpenSSL has ML-DSA and SLH-DSA */
    ngx_aop_key_e   without;
} key_oid_t;


typedef struct {
    const char     *name;
    int             rsa;        /* bits */
    const char     *curve;
    int             id;         /* of EVP_PKEY_CTX_new_id(), else */
    const char     *text;
} key_made_t;


#define DSA  "2.16.840.1.101.3.4.3."

#define USABLE       NGX_AOP_KEY_USABLE
#define UNSUPPORTED  NGX_AOP_KEY_UNSUPPORTED
#define MALFORMED    NGX_AOP_KEY_MALFORMED

static const key_oid_t  oids[] = {
    { "ML-DSA-44", DSA "17", 1312, 1, USABLE, UNSUPPORTED },
    { "ML-DSA-65", DSA "18", 1952, 1, USABLE, UNSUPPORTED },
    { "ML-DSA-87", DSA "19", 2592, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHA2-128s", DSA "20", 32, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHA2-128f", DSA "21", 32, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHA2-192s", DSA "22", 48, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHA2-192f", DSA "23", 48, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHA2-256s", DSA "24", 64, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHA2-256f", DSA "25", 64, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHAKE-128s", DSA "26", 32, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHAKE-128f", DSA "27", 32, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHAKE-192s", DSA "28", 48, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHAKE-192f", DSA "29", 48, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHAKE-256s", DSA "30", 64, 1, USABLE, UNSUPPORTED },
    { "SLH-DSA-SHAKE-256f", DSA "31", 64, 1, USABLE, UNSUPPORTED },

    /* too short to be one */

    { "ML-DSA-44", DSA "17", 1311, 1, MALFORMED, UNSUPPORTED },
    { "SLH-DSA-SHA2-128s", DSA "20", 33, 1, MALFORMED, UNSUPPORTED },

    /* a key of 8 bytes of zeros is none of RSA */

    { "RSA", "1.2.840.113549.1.1.1", 8, 0, MALFORMED, MALFORMED },
    { "EC", "1.2.840.10045.2.1", 8, 0, MALFORMED, MALFORMED },
    { "Ed25519", "1.3.101.112", 31, 0, MALFORMED, MALFORMED },
    { "Ed25519", "1.3.101.112", 32, 0, USABLE, USABLE },

    /* nobody's algorithm, after them and elsewhere */

    { DSA "99", DSA "99", 32, 0, UNSUPPORTED, UNSUPPORTED },
    { "1.3.9999.3.6", "1.3.9999.3.6", 897, 0, UNSUPPORTED, UNSUPPORTED }
};


static const key_made_t  made[] = {
    { "made: RSA, 2048 bits", 2048, NULL, 0, "RSA-2048" },
    { "made: RSA, 1024 bits", 1024, NULL, 0, "RSA-1024" },
    { "made: P-256", 0, "prime256v1", 0, "EC-P-256" },
    { "made: P-384", 0, "secp384r1", 0, "EC-P-384" },
    { "made: P-521", 0, "secp521r1", 0, "EC-P-521" },
    { "made: a curve of other than NIST's", 0, "secp256k1", 0,
      "EC-secp256k1" },
    { "made: Ed25519", 0, NULL, EVP_PKEY_ED25519, "Ed25519" },
    { "made: Ed448", 0, NULL, EVP_PKEY_ED448, "Ed448" },
    { "made: X25519", 0, NULL, EVP_PKEY_X25519, "X25519" }
};


static EVP_PKEY  *key_signer;


static X509 *
key_unsigned(EVP_PKEY *key)
{
    X509       *x509;
    X509_NAME  *name;

    x509 = X509_new();
    assert_non_null(x509);

    X509_set_version(x509, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509), 1);

    name = pki_name("Key");
    X509_set_subject_name(x509, name);
    X509_set_issuer_name(x509, name);
    X509_NAME_free(name);

    pki_cert_dates(x509, PKI_FROM, PKI_TO);

    assert_int_equal(X509_set_pubkey(x509, key), 1);

    return x509;
}


/* A certificate for a key of zeros; its signature is by another. */

static X509 *
key_zeros(const char *oid, int len)
{
    X509         *x509;
    X509_PUBKEY  *key;
    ASN1_OBJECT  *obj;

    x509 = key_unsigned(key_signer);

    /* OpenSSL 4 returns what may be set as constant */

    key = (X509_PUBKEY *) X509_get_X509_PUBKEY(x509);

    obj = OBJ_txt2obj(oid, 1);
    assert_non_null(obj);

    assert_int_equal(X509_PUBKEY_set0_param(key, obj, V_ASN1_UNDEF, NULL,
                                            OPENSSL_zalloc(len), len), 1);

    assert_true(X509_sign(x509, key_signer, EVP_sha256()) > 0);

    return pki_cert_parse(x509);
}


static void
key_of_zeros(void **state)
{
    char              buf[NGX_AOP_KEY_NAME];
    X509             *x509;
    const key_oid_t  *c = *state;

    x509 = key_zeros(c->oid, c->len);

    ERR_clear_error();

    assert_string_equal(ngx_aop_key_name(x509, buf), c->name);
    assert_int_equal(ngx_aop_key_post_quantum(x509), c->pq);
    assert_int_equal(ngx_aop_key_in_tls(x509),
                     strncmp(c->name, "SLH-DSA", 7) != 0);
    assert_int_equal(ngx_aop_key(x509),
                     ngx_aop_key_ml_dsa() ? c->with : c->without);

    /* its issuer has signed with P-256 */

    assert_int_equal(ngx_aop_key_signature_post_quantum(x509), 0);

    assert_int_equal(ERR_peek_error(), 0);

    X509_free(x509);
}


static EVP_PKEY *
key_make(int id, const char *curve, int rsa)
{
    EVP_PKEY      *key;
    EVP_PKEY_CTX  *ctx;

    key = NULL;

    ctx = EVP_PKEY_CTX_new_id(id, NULL);
    if (ctx == NULL) {
        return NULL;
    }

    assert_int_equal(EVP_PKEY_keygen_init(ctx), 1);

    if (rsa) {
        assert_true(EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, rsa) > 0);
    }

    if (curve) {
        assert_true(EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx,
                                                     OBJ_sn2nid(curve)) > 0);
    }

    assert_int_equal(EVP_PKEY_keygen(ctx, &key), 1);

    EVP_PKEY_CTX_free(ctx);

    return key;
}


static X509 *
key_certificate(EVP_PKEY *key, EVP_PKEY *signer, const EVP_MD *md)
{
    X509  *x509;

    x509 = key_unsigned(key);
    assert_true(X509_sign(x509, signer, md) > 0);

    return pki_cert_parse(x509);
}


static void
key_of_openssl(void **state)
{
    char               *text, buf[NGX_AOP_KEY_NAME];
    BIO                *bio;
    X509               *x509;
    long                len;
    EVP_PKEY           *key;
    const key_made_t   *c = *state;

    key = key_make(c->id ? c->id : c->rsa ? EVP_PKEY_RSA : EVP_PKEY_EC,
                   c->curve, c->rsa);
    x509 = key_certificate(key, key_signer, EVP_sha256());

    assert_string_equal(ngx_aop_key_name(x509, buf), c->text);
    assert_int_equal(ngx_aop_key_post_quantum(x509), 0);
    assert_int_equal(ngx_aop_key(x509), NGX_AOP_KEY_USABLE);

    /* as a fact among the others */

    bio = BIO_new(BIO_s_mem());
    assert_int_equal(ngx_aop_cert_print(x509, NGX_AOP_CERT_KEY, bio), 1);
    len = BIO_get_mem_data(bio, &text);
    assert_int_equal((size_t) len, strlen(c->text));
    assert_memory_equal(text, c->text, len);

    BIO_free(bio);
    X509_free(x509);
    EVP_PKEY_free(key);
}


static void
key_ml_dsa(void **state)
{
    char       buf[NGX_AOP_KEY_NAME];
    X509      *x509;
    EVP_PKEY  *key;

    key = pki_key_of("ML-DSA-65");

    assert_int_equal(ngx_aop_key_ml_dsa(), key != NULL);

    if (key == NULL) {
        return;
    }

    x509 = key_certificate(key, key, NULL);

    assert_string_equal(ngx_aop_key_name(x509, buf), "ML-DSA-65");
    assert_int_equal(ngx_aop_key(x509), NGX_AOP_KEY_USABLE);
    assert_int_equal(ngx_aop_key_post_quantum(x509), 1);
    assert_int_equal(ngx_aop_key_signature_post_quantum(x509), 1);

    X509_free(x509);

    /* a classical key, signed by a post-quantum one */

    x509 = key_certificate(key_signer, key, NULL);

    assert_int_equal(ngx_aop_key_post_quantum(x509), 0);
    assert_int_equal(ngx_aop_key_signature_post_quantum(x509), 1);

    X509_free(x509);
    EVP_PKEY_free(key);
}


static int
key_setup(void **state)
{
    key_signer = pki_key(0);

    return 0;
}


static int
key_teardown(void **state)
{
    EVP_PKEY_free(key_signer);

    return 0;
}


int
main(void)
{
    unit_cases(oids, key_of_zeros);
    unit_cases(made, key_of_openssl);
    unit_case("ML-DSA, made by OpenSSL", key_ml_dsa, NULL);

    return unit_run("key", key_setup, key_teardown);
}
