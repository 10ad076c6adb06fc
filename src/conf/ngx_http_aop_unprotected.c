
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The TLS servers of a configuration for which everything is constantly "off":
 * whoever reaches one of them is served without a certificate, also at the
 * address of a server that enforces it.
 */


#include "ngx_http_aop_conf.h"
#include "ngx_http_aop_stats.h"


/* of the enforced servers at its addresses, as there may be thousands */

#define NGX_HTTP_AOP_BESIDE  10


static ngx_int_t ngx_http_aop_unprotected_address(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);
static ngx_int_t ngx_http_aop_unprotected_add(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_aop_unprotected_labels(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf);
static ngx_uint_t *ngx_http_aop_unprotected_same(
    ngx_http_aop_main_conf_t *amcf, ngx_rbtree_t *labels, ngx_str_t *label);
static ngx_int_t ngx_http_aop_unprotected_beside(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);
static ngx_uint_t ngx_http_aop_unprotected_enforced(
    ngx_http_aop_main_conf_t *amcf, ngx_http_conf_addr_t *addr,
    const char **names);
static ngx_int_t ngx_http_aop_unprotected_merge(ngx_conf_t *cf,
    ngx_http_aop_unprotected_t *server, const char **names, ngx_uint_t n);


ngx_int_t
ngx_http_aop_unprotected_init(ngx_conf_t *cf)
{
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);

    if (ngx_http_aop_addresses_walk(cf, ngx_http_aop_unprotected_address)
        != NGX_OK
        || ngx_http_aop_unprotected_labels(cf, amcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_http_aop_addresses_walk(cf, ngx_http_aop_unprotected_beside);
}


static ngx_int_t
ngx_http_aop_unprotected_address(ngx_conf_t *cf, ngx_http_conf_addr_t *addr)
{
    ngx_uint_t                  s;
    ngx_http_ssl_srv_conf_t    *sscf;
    ngx_http_aop_srv_conf_t    *ascf;
    ngx_http_core_srv_conf_t  **cscfp;

    sscf = addr->default_server->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (!ngx_http_aop_listens_tls(addr) && !ngx_http_aop_ssl_enabled(sscf)) {
        return NGX_OK;
    }

    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {
        ascf = cscfp[s]->ctx->srv_conf[ngx_http_aop_module.ctx_index];

        if (ascf->policy == NULL
            && ngx_http_aop_unprotected_add(cf, addr, cscfp[s]) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_unprotected_add(ngx_conf_t *cf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_conf_ctx_t         *ctx;
    ngx_http_aop_srv_conf_t     *ascf;
    ngx_http_aop_loc_conf_t     *alcf, *http;
    ngx_http_aop_main_conf_t    *amcf;
    ngx_http_aop_unprotected_t  *server;

    ctx = cf->ctx;
    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);
    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    alcf = cscf->ctx->loc_conf[ngx_http_aop_module.ctx_index];
    http = ctx->loc_conf[ngx_http_aop_module.ctx_index];

    if (ascf->unprotected) {
        server = amcf->unprotected.elts;
        server += ascf->server;

        if (ngx_http_aop_zone_better(addr, server->addr)) {
            server->addr = addr;
        }

        return NGX_OK;
    }

    server = ngx_array_push(&amcf->unprotected);
    if (server == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_aop_unprotected_t));

    server->cscf = cscf;
    server->addr = addr;
    server->file = (const char *) cscf->file_name;
    server->line = cscf->line;
    server->explicit = (alcf->mode->file != NULL && alcf->mode != http->mode);

    ascf->unprotected = 1;
    ascf->server = amcf->unprotected.nelts - 1;

    return NGX_OK;
}


/*
 * A label is one server's, also among those that are counted.  The first with
 * a label counts those that follow.
 */

static ngx_int_t
ngx_http_aop_unprotected_labels(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf)
{
    ngx_str_t                    label;
    ngx_uint_t                   i, *same;
    ngx_rbtree_t                 labels;
    ngx_rbtree_node_t            sentinel;
    ngx_http_aop_unprotected_t  *server;

    ngx_rbtree_init(&labels, &sentinel, ngx_str_rbtree_insert_value);

    server = amcf->unprotected.elts;

    for (i = 0; i < amcf->unprotected.nelts; i++) {

        if (ngx_http_aop_zone_label(cf, server[i].cscf, server[i].addr, 1,
                                    &label)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        same = ngx_http_aop_unprotected_same(amcf, &labels, &label);

        while (same != NULL
               && ngx_http_aop_unprotected_same(amcf, &labels, &label) != NULL)
        {
            if (ngx_http_aop_zone_label(cf, server[i].cscf, server[i].addr,
                                        ++*same, &label)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        server[i].same = 1;
        server[i].name = (const char *) label.data;
        server[i].node.str = label;
        server[i].node.node.key = ngx_crc32_long(label.data, label.len);

        ngx_rbtree_insert(&labels, &server[i].node.node);
    }

    return NGX_OK;
}


/* How many servers have the label of this one so far; NULL: there is none. */

static ngx_uint_t *
ngx_http_aop_unprotected_same(ngx_http_aop_main_conf_t *amcf,
    ngx_rbtree_t *labels, ngx_str_t *label)
{
    ngx_str_node_t              *node;
    ngx_http_aop_server_t       *server;
    ngx_http_aop_unprotected_t  *other;

    server = ngx_http_aop_zone_find(amcf, label);

    if (server != NULL) {
        return &server->same;
    }

    node = ngx_str_rbtree_lookup(labels, label,
                                 ngx_crc32_long(label->data, label->len));
    if (node == NULL) {
        return NULL;
    }

    other = (ngx_http_aop_unprotected_t *)
                ((u_char *) node - offsetof(ngx_http_aop_unprotected_t, node));

    return &other->same;
}


static ngx_int_t
ngx_http_aop_unprotected_beside(ngx_conf_t *cf, ngx_http_conf_addr_t *addr)
{
    const char                  *names[NGX_HTTP_AOP_BESIDE + 1];
    ngx_uint_t                   s, n;
    ngx_http_aop_srv_conf_t     *ascf;
    ngx_http_aop_main_conf_t    *amcf;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_aop_unprotected_t  *server;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);

    n = ngx_http_aop_unprotected_enforced(amcf, addr, names);

    if (n == 0) {
        return NGX_OK;
    }

    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {
        ascf = cscfp[s]->ctx->srv_conf[ngx_http_aop_module.ctx_index];

        if (!ascf->unprotected) {
            continue;
        }

        server = amcf->unprotected.elts;

        if (ngx_http_aop_unprotected_merge(cf, &server[ascf->server], names, n)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Up to one more than are named. */

static ngx_uint_t
ngx_http_aop_unprotected_enforced(ngx_http_aop_main_conf_t *amcf,
    ngx_http_conf_addr_t *addr, const char **names)
{
    ngx_uint_t                  s, n;
    ngx_http_aop_server_t      *server;
    ngx_http_aop_srv_conf_t    *ascf;
    ngx_http_core_srv_conf_t  **cscfp;

    n = 0;
    server = amcf->servers.elts;
    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts && n <= NGX_HTTP_AOP_BESIDE; s++) {
        ascf = cscfp[s]->ctx->srv_conf[ngx_http_aop_module.ctx_index];

        if (ascf->listed
            && ngx_http_aop_ready_state(cscfp[s]) == NGX_AOP_STATE_ENFORCED)
        {
            names[n++] = (const char *) server[ascf->server].label.data;
        }
    }

    return n;
}


static ngx_int_t
ngx_http_aop_unprotected_merge(ngx_conf_t *cf,
    ngx_http_aop_unprotected_t *server, const char **names, ngx_uint_t n)
{
    ngx_uint_t  i, j;

    if (server->beside == NULL) {
        server->beside = ngx_palloc(cf->pool, NGX_HTTP_AOP_BESIDE
                                              * sizeof(char *));
        if (server->beside == NULL) {
            return NGX_ERROR;
        }
    }

    for (i = 0; i < n; i++) {

        for (j = 0; j < server->nbeside; j++) {
            if (server->beside[j] == names[i]) {
                break;
            }
        }

        if (j < server->nbeside) {
            continue;
        }

        if (server->nbeside == NGX_HTTP_AOP_BESIDE) {
            server->more = 1;
            break;
        }

        server->beside[server->nbeside++] = names[i];
    }

    return NGX_OK;
}
