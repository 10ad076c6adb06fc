
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_PIN_H_INCLUDED_
#define _NGX_AOP_PIN_H_INCLUDED_


#include "ngx_aop_cert.h"


/* A leaf, named by the SHA-256 of its certificate or of its public key. */

typedef struct {
    unsigned        spki:1;
    unsigned char   digest[NGX_AOP_DIGEST];
} ngx_aop_pin_t;


/*
 * ngx_aop_pin_parse() reads "cert-sha256:HEX", "spki-sha256:HEX" or
 * "spki-sha256:BASE64" of len bytes; colons may stand between the bytes of
 * HEX, as openssl prints it.  Returns NULL, or what is wrong with the text
 * (static).
 */

const char *ngx_aop_pin_parse(ngx_aop_pin_t *pin, const char *text,
    size_t len);


/*
 * ngx_aop_pin_match() returns 1 if a certificate matches one of n pins, 0 if
 * none, -1 if its digests cannot be had.
 */

int ngx_aop_pin_match(const ngx_aop_pin_t *pins, size_t n,
    const ngx_aop_leaf_t *leaf);


#endif /* _NGX_AOP_PIN_H_INCLUDED_ */
