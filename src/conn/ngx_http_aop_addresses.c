
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The addresses that servers listen on, while the configuration is read. */


#include "ngx_http_aop_conn.h"


ngx_int_t
ngx_http_aop_addresses_walk(ngx_conf_t *cf, ngx_http_aop_address_pt handler)
{
    ngx_uint_t                  p, a;
    ngx_http_conf_port_t       *port;
    ngx_http_conf_addr_t       *addr;
    ngx_http_core_main_conf_t  *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {
            if (handler(cf, &addr[a]) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}
