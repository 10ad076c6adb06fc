
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Data that lives as long as a pool, where the handler of its cleanup
 * identifies it.  For a request, it survives internal redirects, unlike
 * r->ctx; for a connection, it needs no function that OpenSSL would call.
 */


#include "ngx_http_aop_conn.h"


void *
ngx_http_aop_pool_add(ngx_pool_t *pool, size_t size, ngx_pool_cleanup_pt key)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, size);
    if (cln == NULL) {
        return NULL;
    }

    ngx_memzero(cln->data, size);

    cln->handler = key;

    return cln->data;
}
