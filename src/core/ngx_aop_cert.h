
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_CERT_H_INCLUDED_
#define _NGX_AOP_CERT_H_INCLUDED_


#include <stddef.h>
#include <time.h>
#include <openssl/bio.h>
#include <openssl/x509v3.h>

#include "ngx_aop_time.h"


#define NGX_AOP_DIGEST  32      /* SHA-256 */


/* Facts of a certificate, each one line of printable ASCII. */

typedef enum {
    NGX_AOP_CERT_SUBJECT = 0,   /* RFC 2253 */
    NGX_AOP_CERT_ISSUER,        /* RFC 2253 */
    NGX_AOP_CERT_SERIAL,        /* hexadecimal, as $ssl_client_serial */
    NGX_AOP_CERT_FINGERPRINT,   /* SHA-256, hexadecimal, lower case */
    NGX_AOP_CERT_SPKI,          /* SHA-256, hexadecimal, lower case */
    NGX_AOP_CERT_NOT_AFTER,     /* ISO 8601, UTC */
    NGX_AOP_CERT_KEY,           /* "RSA-2048", "ML-DSA-44" */
    NGX_AOP_CERT_FACTS
} ngx_aop_cert_fact_e;


/*
 * ngx_aop_cert_print() writes a fact to bio.  Returns 1; or 0 if memory is
 * short or the certificate's field is not what X.509 says it is.
 */

int ngx_aop_cert_print(X509 *x509, ngx_aop_cert_fact_e fact, BIO *bio);


/*
 * ngx_aop_cert_name() prints a name as RFC 2253 says, in printable ASCII.
 * Returns a string to be freed with OPENSSL_free(), NULL if memory is short.
 */

char *ngx_aop_cert_name(const X509_NAME *name);


/*
 * ngx_aop_cert_date() writes a time in ISO 8601, UTC, to a buffer of
 * NGX_AOP_DATE bytes, and returns the buffer.
 */

#define NGX_AOP_DATE  NGX_AOP_TIME

const char *ngx_aop_cert_date(int64_t t, char *buf);


/*
 * ngx_aop_cert_digest() is the SHA-256 of the certificate's DER,
 * ngx_aop_cert_spki() that of its SubjectPublicKeyInfo (RFC 7469, 2.4),
 * ngx_aop_cert_crl_digest() that of a CRL's DER.  They write NGX_AOP_DIGEST
 * bytes and return 1, or return 0 on failure.
 */

int ngx_aop_cert_digest(const X509 *x509, unsigned char *digest);
int ngx_aop_cert_spki(const X509 *x509, unsigned char *digest);
int ngx_aop_cert_crl_digest(const X509_CRL *crl, unsigned char *digest);


/*
 * A client certificate, and the digest by which pins, the cache and sessions
 * know it: computed once, and passed along.
 */

typedef struct {
    X509           *x509;               /* borrowed */
    unsigned char   digest[NGX_AOP_DIGEST];
    unsigned        digested:1;         /* 0: out of memory */
} ngx_aop_leaf_t;

/* Leaves OpenSSL's error queue as it was. */

void ngx_aop_cert_leaf(ngx_aop_leaf_t *leaf, X509 *x509);


/*
 * ngx_aop_cert_same_key() returns whether two certificates have the same key,
 * ngx_aop_cert_issued() whether x509 was signed by that of the issuer.
 */

int ngx_aop_cert_same_key(X509 *one, X509 *two);
int ngx_aop_cert_issued(X509 *issuer, X509 *x509);


/*
 * ngx_aop_cert_time() converts an ASN.1 time to seconds since the epoch.
 * Returns 1, or 0 if the time is not valid; *t is then 0.  If time_t has 32
 * bits, a later time becomes the last one that it can hold.
 */

int ngx_aop_cert_time(const ASN1_TIME *asn1, time_t *t);


/*
 * ngx_aop_cert_days() returns the whole days from now to a time, rounded down:
 * 0 on the last day, -1 on the first day after.
 */

long long ngx_aop_cert_days(time_t t, time_t now);


/*
 * ngx_aop_cert_cut() returns how many of the first bytes of a printed name
 * make at most max bytes without splitting a backslash escape.
 */

size_t ngx_aop_cert_cut(const char *text, size_t len, size_t max);


/*
 * ngx_aop_cert_is_ca() returns 1 if the certificate says that it is a CA
 * (basicConstraints, RFC 5280, 4.2.1.9).  OpenSSL also accepts as a CA what is
 * self-signed and of version 1, or has only keyCertSign or Netscape's bit; but
 * many client certificates look like that.
 */

int ngx_aop_cert_is_ca(X509 *x509);


/*
 * ngx_aop_cert_step() returns the length of the character, or of the backslash
 * escape, that a printed name of len bytes (1 or more) begins with.
 */

size_t ngx_aop_cert_step(const char *text, size_t len);


#endif /* _NGX_AOP_CERT_H_INCLUDED_ */
