
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_SELFISSUED_H_INCLUDED_
#define _NGX_AOP_SELFISSUED_H_INCLUDED_


#include <openssl/x509.h>


/* The version of OpenSSL (as OpenSSL_version_num() has it) is one of those. */

int ngx_aop_selfissued_openssl(unsigned long version);


/*
 * ngx_aop_selfissued() tells whether a certificate has the name of its issuer
 * and another key.
 *
 * ngx_aop_selfissued_copy() returns a copy of such a certificate with another
 * name, NULL if memory is short.  All else that X509_verify_cert() looks at is
 * the same, but the signature does not fit it any more.
 */

int ngx_aop_selfissued(X509 *x509);
X509 *ngx_aop_selfissued_copy(X509 *x509);


#endif /* _NGX_AOP_SELFISSUED_H_INCLUDED_ */
