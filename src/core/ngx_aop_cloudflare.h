
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_CLOUDFLARE_H_INCLUDED_
#define _NGX_AOP_CLOUDFLARE_H_INCLUDED_


#include <openssl/x509.h>

#include "ngx_aop_peer.h"


/*
 * ngx_aop_cloudflare_ca() parses the built-in certificate of Cloudflare's
 * origin-pull CA.  The caller owns the result; NULL if memory is short.
 */

X509 *ngx_aop_cloudflare_ca(void);

/* Is it this very certificate? */

int ngx_aop_cloudflare_is_ca(X509 *x509);


/*
 * ngx_aop_cloudflare_ranges() returns Cloudflare's published address ranges
 * and their number; static data, NULL only if the built-in text is broken (a
 * unit test checks that it is not).
 */

const ngx_aop_range_t *ngx_aop_cloudflare_ranges(size_t *n);


/*
 * Certificates that are taken for the origin-pull CA but must not be trusted
 * in its place.  ngx_aop_cloudflare_lookalike() says which one x509 is.
 */

typedef enum {
    NGX_AOP_LOOKALIKE_NONE = 0,
    NGX_AOP_LOOKALIKE_ORIGIN_CA,    /* signs for anyone with an account */
    NGX_AOP_LOOKALIKE_2015          /* edition that ended 2020-01-12 */
} ngx_aop_lookalike_e;

ngx_aop_lookalike_e ngx_aop_cloudflare_lookalike(X509 *x509);


/*
 * ngx_aop_cloudflare_origin_ca_name() returns whether a name is that of one of
 * Cloudflare's Origin CA issuers.  By name only: good for a hint, not for
 * trust.
 */

int ngx_aop_cloudflare_origin_ca_name(const X509_NAME *name);


#endif /* _NGX_AOP_CLOUDFLARE_H_INCLUDED_ */
