
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The public key of a certificate: its name, whether it is post-quantum, and
 * whether this OpenSSL can verify with it.  Algorithms are recognized by OID,
 * so that an OpenSSL that lacks one can still say what it lacks.
 */


#include <stdio.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>

#include "ngx_aop_key.h"


#define NGX_AOP_KEY_OID  64


typedef struct {
    const char  *oid;
    const char  *name;
    int          len;           /* of a public key */
} ngx_aop_key_alg_t;


static const ngx_aop_key_alg_t *ngx_aop_key_find(const ASN1_OBJECT *obj);
static const ASN1_OBJECT *ngx_aop_key_algorithm(X509 *x509);
static const char *ngx_aop_key_sized(X509 *x509, const char *kind, char *buf);
static const char *ngx_aop_key_curve(X509 *x509, char *buf);
static const char *ngx_aop_key_object(const ASN1_OBJECT *obj, char *buf);
static int ngx_aop_key_has(const ngx_aop_key_alg_t *alg);
static X509_PUBKEY *ngx_aop_key_any(const ngx_aop_key_alg_t *alg);


/* RFC 9881, RFC 9909 */

static const ngx_aop_key_alg_t  ngx_aop_key_algs[] = {
    { "2.16.840.1.101.3.4.3.17", "ML-DSA-44", 1312 },
    { "2.16.840.1.101.3.4.3.18", "ML-DSA-65", 1952 },
    { "2.16.840.1.101.3.4.3.19", "ML-DSA-87", 2592 },
    { "2.16.840.1.101.3.4.3.20", "SLH-DSA-SHA2-128s", 32 },
    { "2.16.840.1.101.3.4.3.21", "SLH-DSA-SHA2-128f", 32 },
    { "2.16.840.1.101.3.4.3.22", "SLH-DSA-SHA2-192s", 48 },
    { "2.16.840.1.101.3.4.3.23", "SLH-DSA-SHA2-192f", 48 },
    { "2.16.840.1.101.3.4.3.24", "SLH-DSA-SHA2-256s", 64 },
    { "2.16.840.1.101.3.4.3.25", "SLH-DSA-SHA2-256f", 64 },
    { "2.16.840.1.101.3.4.3.26", "SLH-DSA-SHAKE-128s", 32 },
    { "2.16.840.1.101.3.4.3.27", "SLH-DSA-SHAKE-128f", 32 },
    { "2.16.840.1.101.3.4.3.28", "SLH-DSA-SHAKE-192s", 48 },
    { "2.16.840.1.101.3.4.3.29", "SLH-DSA-SHAKE-192f", 48 },
    { "2.16.840.1.101.3.4.3.30", "SLH-DSA-SHAKE-256s", 64 },
    { "2.16.840.1.101.3.4.3.31", "SLH-DSA-SHAKE-256f", 64 }
};

#define NGX_AOP_KEY_ALGS                                                      \
    (sizeof(ngx_aop_key_algs) / sizeof(ngx_aop_key_algs[0]))


const char *
ngx_aop_key_name(X509 *x509, char *buf)
{
    const ASN1_OBJECT        *obj;
    const ngx_aop_key_alg_t  *alg;

    obj = ngx_aop_key_algorithm(x509);
    alg = ngx_aop_key_find(obj);

    if (alg != NULL) {
        return alg->name;
    }

    switch (OBJ_obj2nid(obj)) {

    case NID_rsaEncryption:
        return ngx_aop_key_sized(x509, "RSA", buf);

    case NID_rsassaPss:
        return ngx_aop_key_sized(x509, "RSA-PSS", buf);

    case NID_dsa:
        return ngx_aop_key_sized(x509, "DSA", buf);

    case NID_X9_62_id_ecPublicKey:
        return ngx_aop_key_curve(x509, buf);

    case NID_ED25519:
        return "Ed25519";

    case NID_ED448:
        return "Ed448";

    default:
        return ngx_aop_key_object(obj, buf);
    }
}


/* What cannot be decoded has no size. */

static const char *
ngx_aop_key_sized(X509 *x509, const char *kind, char *buf)
{
    EVP_PKEY  *pkey;

    ERR_set_mark();
    pkey = X509_get0_pubkey(x509);
    ERR_pop_to_mark();

    if (pkey == NULL) {
        return kind;
    }

    snprintf(buf, NGX_AOP_KEY_NAME, "%s-%d", kind, EVP_PKEY_bits(pkey));

    return buf;
}


static const ngx_aop_key_alg_t *
ngx_aop_key_find(const ASN1_OBJECT *obj)
{
    char    oid[NGX_AOP_KEY_OID];
    size_t  i;

    if (obj == NULL || OBJ_obj2txt(oid, sizeof(oid), obj, 1) <= 0) {
        return NULL;
    }

    for (i = 0; i < NGX_AOP_KEY_ALGS; i++) {
        if (strcmp(ngx_aop_key_algs[i].oid, oid) == 0) {
            return &ngx_aop_key_algs[i];
        }
    }

    return NULL;
}


static const ASN1_OBJECT *
ngx_aop_key_algorithm(X509 *x509)
{
    ASN1_OBJECT  *obj;

    return X509_PUBKEY_get0_param(&obj, NULL, NULL, NULL,
                                  X509_get_X509_PUBKEY(x509))
           ? obj : NULL;
}


/* A curve may be given by its parameters, and has no name then. */

static const char *
ngx_aop_key_curve(X509 *x509, char *buf)
{
    int                 type;
    char                text[NGX_AOP_KEY_OID];
    const char         *name;
    X509_ALGOR         *algor;
    const void         *value;
    const ASN1_OBJECT  *obj;

    if (!X509_PUBKEY_get0_param(NULL, NULL, NULL, &algor,
                                X509_get_X509_PUBKEY(x509)))
    {
        return "EC";
    }

    X509_ALGOR_get0(&obj, &type, &value, algor);

    if (type != V_ASN1_OBJECT) {
        return "EC";
    }

    name = EC_curve_nid2nist(OBJ_obj2nid(value));

    if (name == NULL) {
        name = ngx_aop_key_object(value, text);
    }

    snprintf(buf, NGX_AOP_KEY_NAME, "EC-%s", name);

    return buf;
}


/* OpenSSL's name, or else the OID. */

static const char *
ngx_aop_key_object(const ASN1_OBJECT *obj, char *buf)
{
    int  nid;

    nid = OBJ_obj2nid(obj);

    if (nid != NID_undef) {
        return OBJ_nid2sn(nid);
    }

    if (obj == NULL || OBJ_obj2txt(buf, NGX_AOP_KEY_OID, obj, 1) <= 0) {
        return "unknown";
    }

    return buf;
}


ngx_aop_key_e
ngx_aop_key(X509 *x509)
{
    EVP_PKEY                 *pkey;
    const ASN1_OBJECT        *obj;
    const ngx_aop_key_alg_t  *alg;

    ERR_set_mark();
    pkey = X509_get0_pubkey(x509);
    ERR_pop_to_mark();

    if (pkey != NULL) {
        return NGX_AOP_KEY_USABLE;
    }

    obj = ngx_aop_key_algorithm(x509);
    alg = ngx_aop_key_find(obj);

    if (alg != NULL) {
        return ngx_aop_key_has(alg) ? NGX_AOP_KEY_MALFORMED
                                    : NGX_AOP_KEY_UNSUPPORTED;
    }

    return (OBJ_obj2nid(obj) == NID_undef) ? NGX_AOP_KEY_UNSUPPORTED
                                           : NGX_AOP_KEY_MALFORMED;
}


int
ngx_aop_key_post_quantum(X509 *x509)
{
    return ngx_aop_key_find(ngx_aop_key_algorithm(x509)) != NULL;
}


int
ngx_aop_key_in_tls(X509 *x509)
{
    const ngx_aop_key_alg_t  *alg;

    alg = ngx_aop_key_find(ngx_aop_key_algorithm(x509));

    return alg == NULL || strncmp(alg->name, "SLH-DSA", 7) != 0;
}


int
ngx_aop_key_signature_post_quantum(X509 *x509)
{
    const X509_ALGOR   *algor;
    const ASN1_OBJECT  *obj;

    algor = X509_get0_tbs_sigalg(x509);
    X509_ALGOR_get0(&obj, NULL, NULL, algor);

    return ngx_aop_key_find(obj) != NULL;
}


int
ngx_aop_key_ml_dsa(void)
{
    return ngx_aop_key_has(&ngx_aop_key_algs[0]);
}


const char *
ngx_aop_key_openssl(char *buf)
{
    int          len;
    const char  *version;

    /* "OpenSSL 3.0.19 1 Sep 2026" */

    version = OpenSSL_version(OPENSSL_VERSION);
    version += strcspn(version, " ");
    version += strspn(version, " ");
    len = strcspn(version, " ");

    snprintf(buf, NGX_AOP_KEY_VERSION, "this OpenSSL (%.*s)", len, version);

    return buf;
}


const char *
ngx_aop_key_needs(X509 *x509, char *buf)
{
    char  name[NGX_AOP_KEY_NAME], version[NGX_AOP_KEY_VERSION];

    snprintf(buf, NGX_AOP_KEY_NEEDS, "%s: %s cannot verify it%s",
             ngx_aop_key_name(x509, name), ngx_aop_key_openssl(version),
             ngx_aop_key_post_quantum(x509)
             ? ", OpenSSL 3.5 or later is required" : "");

    return buf;
}


/*
 * A build without the algorithm, or a provider such as FIPS, may lack what
 * this version of OpenSSL has, so a key is tried.
 */

static int
ngx_aop_key_has(const ngx_aop_key_alg_t *alg)
{
    int                   len;
    EVP_PKEY             *pkey;
    X509_PUBKEY          *any;
    unsigned char        *der;
    const unsigned char  *p;

    ERR_set_mark();

    der = NULL;
    pkey = NULL;

    any = ngx_aop_key_any(alg);
    len = any ? i2d_X509_PUBKEY(any, &der) : 0;

    if (len > 0) {
        p = der;
        pkey = d2i_PUBKEY(NULL, &p, len);
    }

    len = (pkey != NULL);

    EVP_PKEY_free(pkey);
    OPENSSL_free(der);
    X509_PUBKEY_free(any);

    ERR_pop_to_mark();

    return len;
}


/* Any bytes are a key of these algorithms, even zeros. */

static X509_PUBKEY *
ngx_aop_key_any(const ngx_aop_key_alg_t *alg)
{
    X509_PUBKEY    *any;
    ASN1_OBJECT    *obj;
    unsigned char  *key;

    any = X509_PUBKEY_new();
    obj = OBJ_txt2obj(alg->oid, 1);
    key = OPENSSL_zalloc(alg->len);

    if (any != NULL && obj != NULL && key != NULL
        && X509_PUBKEY_set0_param(any, obj, V_ASN1_UNDEF, NULL, key, alg->len))
    {
        return any;
    }

    OPENSSL_free(key);
    ASN1_OBJECT_free(obj);
    X509_PUBKEY_free(any);

    return NULL;
}
