
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_LEAF_H_INCLUDED_
#define _NGX_AOP_LEAF_H_INCLUDED_


#include "ngx_aop_cert.h"


/*
 * The client certificates that a process saw last, with their digests.  Zeroed
 * memory is an empty table, and pages that were never written to cost nothing.
 * One that is larger than a slot is digested each time.
 */

#define NGX_AOP_LEAF_SLOTS  64
#define NGX_AOP_LEAF_SIZE   8000

typedef struct {
    size_t         len;
    unsigned char  digest[NGX_AOP_DIGEST];
    unsigned char  der[NGX_AOP_LEAF_SIZE];
} ngx_aop_leaf_slot_t;

typedef struct {
    ngx_aop_leaf_slot_t  slots[NGX_AOP_LEAF_SLOTS];
} ngx_aop_leaf_table_t;


/*
 * ngx_aop_leaf_find() fills *leaf as ngx_aop_cert_leaf() does, with the digest
 * that the table has for the same bytes, or with a new one, which the table
 * has from then on.  Leaves OpenSSL's error queue as it was.
 */

void ngx_aop_leaf_find(ngx_aop_leaf_table_t *table, ngx_aop_leaf_t *leaf,
    X509 *x509);


#endif /* _NGX_AOP_LEAF_H_INCLUDED_ */
