
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_SELFISSUED_H_INCLUDED_
#define _NGX_AOP_SELFISSUED_H_INCLUDED_


#include <openssl/x509.h>


/* Returns whether the version, from OpenSSL_version_num(), is one of those. */

int ngx_aop_selfissued_openssl(unsigned long version);


/*
 * ngx_aop_selfissued() returns whether a certificate has the name of its
 * issuer and another key.
 *
 * ngx_aop_selfissued_copy() returns a copy of such a certificate with another
 * name, NULL if memory is short.  It is equal in all that X509_verify_cert()
 * looks at, except that the signature no longer fits.
 */

int ngx_aop_selfissued(X509 *x509);
X509 *ngx_aop_selfissued_copy(X509 *x509);


#endif /* _NGX_AOP_SELFISSUED_H_INCLUDED_ */
