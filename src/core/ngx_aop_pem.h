
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_PEM_H_INCLUDED_
#define _NGX_AOP_PEM_H_INCLUDED_


#include <stddef.h>
#include <openssl/x509.h>


/* The content of a PEM file.  Blocks of other types are passed over. */

typedef struct {
    STACK_OF(X509)      *certs;     /* never NULL after a successful read */
    STACK_OF(X509_CRL)  *crls;      /* never NULL after a successful read */
    int                  keys;      /* number of private keys in the file */
    char                 err[256];  /* why the read failed, for a log line */
} ngx_aop_pem_t;


/*
 * ngx_aop_pem_read() reads a file of at most 100 MB.  Returns 1, and pem owns
 * the certificates and CRLs until ngx_aop_pem_free(); or 0 with pem->err set
 * and nothing to free.  A file without any certificate or CRL, a block that
 * cannot be parsed, and DER instead of PEM are failures.
 */

int ngx_aop_pem_read(ngx_aop_pem_t *pem, const char *file);

/* The same; a file that lacks both is said to lack "what", which was wanted. */

int ngx_aop_pem_read_as(ngx_aop_pem_t *pem, const char *file,
    const char *what);

/* As ngx_aop_pem_read(), of len bytes in memory. */

int ngx_aop_pem_parse(ngx_aop_pem_t *pem, const char *data, size_t len);

void ngx_aop_pem_free(ngx_aop_pem_t *pem);


#endif /* _NGX_AOP_PEM_H_INCLUDED_ */
