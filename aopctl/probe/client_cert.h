
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_CLIENT_CERT_H_INCLUDED_
#define _AOPCTL_CLIENT_CERT_H_INCLUDED_


#include <openssl/ssl.h>


/* What a client presents when a certificate is requested. */

typedef struct {
    X509            *x509;      /* owned; NULL: nothing */
    STACK_OF(X509)  *chain;     /* owned, may be NULL */
    EVP_PKEY        *key;       /* owned */
} aopctl_client_cert_t;


/*
 * A self-made certificate with this name: that of a CA that the server trusts,
 * if it named one.  NULL: a name of ours.  Returns 0 if memory is short.
 */

int aopctl_client_cert_make(aopctl_client_cert_t *cert,
    const X509_NAME *name);

/*
 * A certificate and its chain from a PEM file; the key from another file, or
 * from the same if key is NULL.  Returns 0 after printing an error message.
 */

int aopctl_client_cert_load(aopctl_client_cert_t *cert, const char *file,
    const char *key);

void aopctl_client_cert_free(aopctl_client_cert_t *cert);


/* Makes a connection present it.  Returns 0 on failure. */

int aopctl_client_cert_show(const aopctl_client_cert_t *cert, SSL *ssl);


#endif /* _AOPCTL_CLIENT_CERT_H_INCLUDED_ */
