
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The certificates that a probe presents: one that anyone can make, and one
 * that was given.
 */


#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "term.h"
#include "client_cert.h"
#include "ngx_aop_pem.h"


#define AOPCTL_CLIENT_CERT_DAY  86400


static EVP_PKEY *aopctl_client_cert_new_key(void);
static int aopctl_client_cert_fill(X509 *x509, const X509_NAME *name,
    EVP_PKEY *key);
static int aopctl_client_cert_name(X509 *x509, const X509_NAME *name);
static int aopctl_client_cert_purpose(X509 *x509);
static EVP_PKEY *aopctl_client_cert_read_key(const char *file,
    const char *hint);
static int aopctl_client_cert_no_password(char *buf, int size, int rwflag,
    void *data);


int
aopctl_client_cert_make(aopctl_client_cert_t *cert, const X509_NAME *name)
{
    memset(cert, 0, sizeof(aopctl_client_cert_t));

    cert->x509 = X509_new();
    cert->key = aopctl_client_cert_new_key();

    if (cert->x509 == NULL
        || cert->key == NULL
        || !aopctl_client_cert_fill(cert->x509, name, cert->key))
    {
        aopctl_client_cert_free(cert);
        return 0;
    }

    return 1;
}


static EVP_PKEY *
aopctl_client_cert_new_key(void)
{
    EVP_PKEY      *key;
    EVP_PKEY_CTX  *ctx;

    key = NULL;

    ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, NULL);

    if (ctx != NULL
        && EVP_PKEY_keygen_init(ctx) > 0
        && EVP_PKEY_CTX_set_ec_paramgen_curve_nid(ctx, NID_X9_62_prime256v1)
           > 0)
    {
        (void) EVP_PKEY_keygen(ctx, &key);
    }

    EVP_PKEY_CTX_free(ctx);

    return key;
}


static int
aopctl_client_cert_fill(X509 *x509, const X509_NAME *name, EVP_PKEY *key)
{
    return X509_set_version(x509, 2)
           && ASN1_INTEGER_set(X509_get_serialNumber(x509), 1)
           && X509_gmtime_adj(X509_getm_notBefore(x509),
                              -AOPCTL_CLIENT_CERT_DAY)
           && X509_gmtime_adj(X509_getm_notAfter(x509), AOPCTL_CLIENT_CERT_DAY)
           && X509_set_pubkey(x509, key)
           && aopctl_client_cert_name(x509, name)
           && aopctl_client_cert_purpose(x509)
           && X509_sign(x509, key, EVP_sha256());
}


static int
aopctl_client_cert_name(X509 *x509, const X509_NAME *name)
{
    int         ok;
    X509_NAME  *own;

    own = (name != NULL) ? X509_NAME_dup((X509_NAME *) name) : X509_NAME_new();

    if (own == NULL) {
        return 0;
    }

    ok = (name != NULL
          || X509_NAME_add_entry_by_txt(own, "CN", MBSTRING_ASC,
                                      (const unsigned char *) "aopctl probe",
                                      -1, -1, 0))
         && X509_set_subject_name(x509, own)
         && X509_set_issuer_name(x509, own);

    X509_NAME_free(own);

    return ok;
}


static int
aopctl_client_cert_purpose(X509 *x509)
{
    int              rc;
    X509_EXTENSION  *ext;

    ext = X509V3_EXT_conf_nid(NULL, NULL, NID_ext_key_usage, "clientAuth");

    rc = (ext != NULL && X509_add_ext(x509, ext, -1));

    X509_EXTENSION_free(ext);

    return rc;
}


int
aopctl_client_cert_load(aopctl_client_cert_t *cert, const char *file,
    const char *key)
{
    ngx_aop_pem_t  pem;

    memset(cert, 0, sizeof(aopctl_client_cert_t));

    if (!ngx_aop_pem_read(&pem, file)) {
        aopctl_term_error("cannot read \"%s\": %s", file, pem.err);
        return 0;
    }

    cert->x509 = sk_X509_shift(pem.certs);
    cert->chain = pem.certs;
    pem.certs = NULL;

    ngx_aop_pem_free(&pem);

    if (cert->x509 == NULL) {
        aopctl_term_error("cannot read \"%s\": no certificate in it", file);
        goto failed;
    }

    cert->key = key ? aopctl_client_cert_read_key(key, "")
                    : aopctl_client_cert_read_key(file,
                                                      " (use --key)");

    if (cert->key == NULL) {
        goto failed;
    }

    if (!X509_check_private_key(cert->x509, cert->key)) {
        aopctl_term_error("the key in \"%s\" does not match the certificate "
                          "in \"%s\"", key ? key : file, file);
        goto failed;
    }

    return 1;

failed:

    aopctl_client_cert_free(cert);

    return 0;
}


static EVP_PKEY *
aopctl_client_cert_read_key(const char *file, const char *hint)
{
    FILE      *f;
    EVP_PKEY  *key;

    f = fopen(file, "re");
    if (f == NULL) {
        aopctl_term_error("cannot read \"%s\": %s", file, strerror(errno));
        return NULL;
    }

    key = PEM_read_PrivateKey(f, NULL, aopctl_client_cert_no_password, NULL);

    fclose(f);

    if (key == NULL) {
        aopctl_term_error("no private key without a passphrase in \"%s\"%s",
                          file, hint);
        ERR_clear_error();
    }

    return key;
}


/* OpenSSL would prompt on the terminal. */

static int
aopctl_client_cert_no_password(char *buf, int size, int rwflag, void *data)
{
    return -1;
}


void
aopctl_client_cert_free(aopctl_client_cert_t *cert)
{
    X509_free(cert->x509);
    sk_X509_pop_free(cert->chain, X509_free);
    EVP_PKEY_free(cert->key);

    memset(cert, 0, sizeof(aopctl_client_cert_t));
}


int
aopctl_client_cert_show(const aopctl_client_cert_t *cert, SSL *ssl)
{
    return SSL_use_certificate(ssl, cert->x509)
           && SSL_use_PrivateKey(ssl, cert->key)
           && (cert->chain == NULL || SSL_set1_chain(ssl, cert->chain));
}
