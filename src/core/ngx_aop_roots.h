
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_ROOTS_H_INCLUDED_
#define _NGX_AOP_ROOTS_H_INCLUDED_


#include <openssl/x509.h>


/*
 * The system's store of root CAs, to be freed with X509_STORE_free().  It is
 * empty where the system has none; NULL if memory is short.
 */

X509_STORE *ngx_aop_roots_new(void);


/*
 * Is this one of the store's CAs, by its name and key, whatever certificate
 * it has; or has one of them issued it?
 */

int ngx_aop_roots_know(X509_STORE *roots, X509 *x509);


#endif /* _NGX_AOP_ROOTS_H_INCLUDED_ */
