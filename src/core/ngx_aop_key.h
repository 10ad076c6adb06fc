
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_KEY_H_INCLUDED_
#define _NGX_AOP_KEY_H_INCLUDED_


#include <openssl/x509.h>


/* Whether OpenSSL can verify with a certificate's public key. */

typedef enum {
    NGX_AOP_KEY_USABLE = 0,
    NGX_AOP_KEY_UNSUPPORTED,        /* this OpenSSL lacks the algorithm */
    NGX_AOP_KEY_MALFORMED
} ngx_aop_key_e;


/*
 * ngx_aop_key_name() returns the name of a certificate's public key, such as
 * "RSA-2048", "EC-P-256", "Ed25519", "ML-DSA-44"; the OID of an algorithm that
 * OpenSSL does not know.  It is static, or in the buffer of NGX_AOP_KEY_NAME
 * bytes.
 */

#define NGX_AOP_KEY_NAME  80

const char *ngx_aop_key_name(X509 *x509, char *buf);


ngx_aop_key_e ngx_aop_key(X509 *x509);


/*
 * Post-quantum are ML-DSA (FIPS 204) and SLH-DSA (FIPS 205), which TLS has for
 * version 1.3 only.  ngx_aop_key_post_quantum() checks the public key of a
 * certificate, ngx_aop_key_signature_post_quantum() its issuer's signature.
 */

int ngx_aop_key_post_quantum(X509 *x509);
int ngx_aop_key_signature_post_quantum(X509 *x509);


/* Whether a client could present it: TLS has no signatures of SLH-DSA. */

int ngx_aop_key_in_tls(X509 *x509);


/* Whether this OpenSSL has ML-DSA, and the text "this OpenSSL (3.0.19)". */

#define NGX_AOP_KEY_VERSION  64

int ngx_aop_key_ml_dsa(void);
const char *ngx_aop_key_openssl(char *buf);


/*
 * Writes which key it is that this OpenSSL does not support, and which OpenSSL
 * it needs, to a buffer of NGX_AOP_KEY_NEEDS bytes, which is returned.
 */

#define NGX_AOP_KEY_NEEDS  200

const char *ngx_aop_key_needs(X509 *x509, char *buf);


#endif /* _NGX_AOP_KEY_H_INCLUDED_ */
