
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The servers of a configuration that are counted, and their places in shared
 * memory, so that counters survive reloads.  Servers are identified by name
 * and address.
 */


#include "ngx_http_aop_stats.h"
#include "ngx_aop_text.h"


/* of a name in a label: the address and the number are not to be cut */

#define NGX_HTTP_AOP_NAME_LEN     160

/* of "aop_zone auto": for servers that are added later */

#define NGX_HTTP_AOP_ZONE_BASE    (256 * 1024)
#define NGX_HTTP_AOP_SPARE        16


static size_t ngx_http_aop_zone_old_size(ngx_conf_t *cf);
static size_t ngx_http_aop_zone_size(ngx_uint_t n);
static ngx_int_t ngx_http_aop_zone_address(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);
static ngx_int_t ngx_http_aop_zone_server(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_aop_zone_labels(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf);
static void ngx_http_aop_zone_clean(u_char *text, u_char *last);
static ngx_uint_t ngx_http_aop_zone_bind_servers(
    ngx_http_aop_main_conf_t *amcf, ngx_http_aop_shared_t *shared);
static void ngx_http_aop_zone_bind_known(ngx_http_aop_main_conf_t *amcf,
    ngx_http_aop_shared_t *shared);
static void ngx_http_aop_zone_policy(ngx_http_aop_server_t *server,
    const ngx_aop_policy_t *policy);


static ngx_str_t  ngx_http_aop_zone_name = ngx_string("ngx_http_aop");


ngx_int_t
ngx_http_aop_zone_add(ngx_conf_t *cf, ngx_shm_zone_init_pt init)
{
    size_t                     size, old;
    ngx_uint_t                 n;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);

    if (ngx_http_aop_addresses_walk(cf, ngx_http_aop_zone_address) != NGX_OK
        || ngx_http_aop_zone_labels(cf, amcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what was counted outlives a time when all is "off" */

    n = amcf->servers.nelts;
    old = ngx_http_aop_zone_old_size(cf);

    if (n == 0 && old == 0) {
        return NGX_OK;
    }

    size = amcf->zone_size;

    if (size == 0) {

        /* nginx keeps a zone, and what it counted, if its size is the same */

        size = (old >= ngx_http_aop_zone_size(n))
               ? old : ngx_http_aop_zone_size(n + n / 2 + NGX_HTTP_AOP_SPARE);
    }

    /* the tag must stay the same when this .so is replaced: it is nginx's */

    amcf->zone = ngx_shared_memory_add(cf, &ngx_http_aop_zone_name, size,
                                       &ngx_http_core_module);
    if (amcf->zone == NULL) {
        return NGX_ERROR;
    }

    amcf->zone->init = init;
    amcf->zone->data = amcf;

    return NGX_OK;
}


/* Of the configuration that is in force; 0 if it has none. */

static size_t
ngx_http_aop_zone_old_size(ngx_conf_t *cf)
{
    ngx_uint_t        i;
    ngx_shm_zone_t   *zone;
    ngx_list_part_t  *part;

    for (part = &cf->cycle->old_cycle->shared_memory.part;
         part != NULL;
         part = part->next)
    {
        zone = part->elts;

        for (i = 0; i < part->nelts; i++) {
            if (zone[i].shm.name.len == ngx_http_aop_zone_name.len
                && ngx_strncmp(zone[i].shm.name.data,
                               ngx_http_aop_zone_name.data,
                               ngx_http_aop_zone_name.len)
                   == 0)
            {
                return zone[i].shm.size;
            }
        }
    }

    return 0;
}


/* A server takes whole pages of the slab, and a page structure for each. */

static size_t
ngx_http_aop_zone_size(ngx_uint_t n)
{
    size_t  server;

    server = ngx_align(sizeof(ngx_http_aop_stat_t), ngx_pagesize);
    server += server / ngx_pagesize * sizeof(ngx_slab_page_t);

    return ngx_align(NGX_HTTP_AOP_ZONE_BASE + n * server, ngx_pagesize);
}


char *
ngx_http_aop_zone_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_main_conf_t  *amcf = conf;

    ngx_str_t  *value;

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "auto") != 0) {
        return ngx_conf_set_size_slot(cf, cmd, conf);
    }

    if (amcf->zone_size != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    amcf->zone_size = 0;

    return NGX_CONF_OK;
}


/*
 * Nothing is taken from "data", which is the old configuration's, perhaps of
 * another .so: all is found through the memory itself.
 */

ngx_int_t
ngx_http_aop_zone_init(ngx_shm_zone_t *zone, void *data)
{
    if (data != NULL || zone->shm.exists) {
        return NGX_OK;
    }

    if (ngx_http_aop_shm_init(zone) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"aop_zone\" is too small");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_zone_address(ngx_conf_t *cf, ngx_http_conf_addr_t *addr)
{
    ngx_uint_t                  s;
    ngx_http_aop_main_conf_t   *amcf;
    ngx_http_core_srv_conf_t  **cscfp;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);
    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {
        if (ngx_http_aop_zone_server(cf, amcf, addr, cscfp[s]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_zone_server(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf)
{
    size_t                    len;
    ngx_http_aop_server_t    *server;
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    if (ascf->policy == NULL) {
        return NGX_OK;
    }

    if (ascf->listed) {
        server = amcf->servers.elts;
        server += ascf->server;

        if (ngx_http_aop_zone_better(addr, server->addr)) {
            server->addr = addr;
        }

        return NGX_OK;
    }

    server = ngx_array_push(&amcf->servers);
    if (server == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(server, sizeof(ngx_http_aop_server_t));

    server->cscf = cscf;
    server->addr = addr;
    server->nnames = cscf->server_names.nelts;

    len = server->nnames * sizeof(ngx_http_server_name_t);

    server->names = ngx_palloc(cf->pool, len);
    if (server->names == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(server->names, cscf->server_names.elts, len);

    ascf->listed = 1;
    ascf->server = amcf->servers.nelts - 1;

    return NGX_OK;
}


/*
 * The order in which nginx has the addresses depends on other servers, so a
 * server's address is chosen by its properties: TLS first, then the lowest.
 */

ngx_uint_t
ngx_http_aop_zone_better(const ngx_http_conf_addr_t *one,
    const ngx_http_conf_addr_t *two)
{
    const ngx_str_t  *first, *second;

    if (ngx_http_aop_listens_tls(one) != ngx_http_aop_listens_tls(two)) {
        return ngx_http_aop_listens_tls(one);
    }

    first = &one->opt.addr_text;
    second = &two->opt.addr_text;

    return ngx_memn2cmp(first->data, second->data, first->len, second->len)
           < 0;
}


/* Servers with the same name and address are numbered. */

static ngx_int_t
ngx_http_aop_zone_labels(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf)
{
    ngx_uint_t              i;
    ngx_http_aop_server_t  *server, *first;

    ngx_rbtree_init(&amcf->labels, &amcf->sentinel,
                    ngx_str_rbtree_insert_value);

    server = amcf->servers.elts;

    for (i = 0; i < amcf->servers.nelts; i++) {

        if (ngx_http_aop_zone_label(cf, server[i].cscf, server[i].addr, 1,
                                    &server[i].label)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        first = ngx_http_aop_zone_find(amcf, &server[i].label);

        while (first != NULL
               && ngx_http_aop_zone_find(amcf, &server[i].label) != NULL)
        {
            if (ngx_http_aop_zone_label(cf, server[i].cscf, server[i].addr,
                                        ++first->same, &server[i].label)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

        server[i].same = 1;
        server[i].node.str = server[i].label;
        server[i].node.node.key = ngx_crc32_long(server[i].label.data,
                                                 server[i].label.len);

        ngx_rbtree_insert(&amcf->labels, &server[i].node.node);
    }

    return NGX_OK;
}


/*
 * "name:port", or "name address:port" where the address is no wildcard; the
 * number, of the second server and of those that follow, comes last.
 */

ngx_int_t
ngx_http_aop_zone_label(ngx_conf_t *cf, const ngx_http_core_srv_conf_t *cscf,
    const ngx_http_conf_addr_t *addr, ngx_uint_t n, ngx_str_t *label)
{
    u_char           *p, *colon, *last;
    ngx_str_t         name;
    const ngx_str_t  *text;

    text = &addr->opt.addr_text;
    name = cscf->server_name;

    if (name.len == 0) {
        ngx_str_set(&name, "_");
    }

    name.len = ngx_min(name.len, NGX_HTTP_AOP_NAME_LEN);

    last = text->data + text->len;
    colon = NULL;

    if (addr->opt.wildcard) {
        for (p = text->data; p < last; p++) {
            if (*p == ':') {
                colon = p;
            }
        }
    }

    label->data = ngx_pnalloc(cf->pool, name.len + 1 + text->len
                                        + sizeof(" #") + NGX_INT_T_LEN + 1);
    if (label->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(label->data, name.data, name.len);

    if (colon != NULL) {
        p = ngx_cpymem(p, colon, last - colon);

    } else {
        *p++ = ' ';
        p = ngx_cpymem(p, text->data, text->len);
    }

    /* the number is not to be cut */

    p = ngx_min(p, label->data + NGX_HTTP_AOP_LABEL_LEN - sizeof(" #")
                   - NGX_INT_T_LEN);

    if (n > 1) {
        p = ngx_sprintf(p, " #%ui", n);
    }

    label->len = ngx_min(p - label->data, NGX_HTTP_AOP_LABEL_LEN - 1);
    label->data[label->len] = '\0';

    ngx_http_aop_zone_clean(label->data, label->data + label->len);

    return NGX_OK;
}


/* Two labels that differ are to differ in each format of the report, too. */

static void
ngx_http_aop_zone_clean(u_char *text, u_char *last)
{
    size_t  n;

    while (text < last) {
        n = ngx_aop_text_char(text, last);

        if (n == 0
            || *text < 0x20 || *text == 0x7f
            || (n == 2 && text[0] == 0xc2 && text[1] < 0xa0))
        {
            *text = '?';
            n = 1;
        }

        text += n;
    }
}


/*
 * Done once the configuration is in force: a reload that fails must not end
 * the window of an unchanged policy.
 */

void
ngx_http_aop_zone_bind(ngx_cycle_t *cycle)
{
    ngx_uint_t                 lost;
    ngx_http_aop_shared_t     *shared;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_aop_module);

    shared = ngx_http_aop_shm_use(amcf ? amcf->zone : NULL);

    ngx_http_aop_conn_cache(shared ? ngx_http_aop_shm_cache : NULL);

    if (amcf == NULL || amcf->zone == NULL) {
        return;
    }

    if (shared == NULL) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "aop: \"aop_zone\" was created by another version of "
                      "the module; counting is disabled until nginx is "
                      "restarted or the size of \"aop_zone\" is changed");
        return;
    }

    ngx_http_aop_shm_lock();

    lost = ngx_http_aop_zone_bind_servers(amcf, shared);

    ngx_http_aop_shm_unlock();

    if (lost) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "aop: \"aop_zone\" is full: requests to %ui of %ui "
                      "servers are verified but not counted (increase its "
                      "size)",
                      lost, amcf->servers.nelts);
    }
}


/*
 * Servers that have a place are found first, before a new one may take the
 * place of one that is gone.  Returns how many servers have no place.
 */

static ngx_uint_t
ngx_http_aop_zone_bind_servers(ngx_http_aop_main_conf_t *amcf,
    ngx_http_aop_shared_t *shared)
{
    ngx_uint_t                i, lost;
    ngx_queue_t              *from;
    ngx_http_aop_server_t    *server;
    ngx_http_aop_srv_conf_t  *ascf;

    ngx_http_aop_zone_bind_known(amcf, shared);

    lost = 0;
    from = NULL;
    server = amcf->servers.elts;

    for (i = 0; i < amcf->servers.nelts; i++) {

        if (server[i].shared == NULL) {
            server[i].shared = ngx_http_aop_shm_server(&server[i].label, &from);
        }

        if (server[i].shared == NULL) {
            lost++;
            continue;
        }

        server[i].generation = server[i].shared->generation;

        ascf = server[i].cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

        ngx_http_aop_zone_policy(&server[i], ascf->policy);
    }

    return lost;
}


static void
ngx_http_aop_zone_bind_known(ngx_http_aop_main_conf_t *amcf,
    ngx_http_aop_shared_t *shared)
{
    ngx_str_t               label;
    ngx_queue_t            *q;
    ngx_http_aop_server_t  *server;
    ngx_http_aop_stat_t    *stat;

    for (q = ngx_queue_head(&shared->servers);
         q != ngx_queue_sentinel(&shared->servers);
         q = ngx_queue_next(q))
    {
        stat = ngx_queue_data(q, ngx_http_aop_stat_t, queue);

        label.data = (u_char *) stat->label;
        label.len = ngx_strlen(stat->label);

        server = ngx_http_aop_zone_find(amcf, &label);

        if (server != NULL) {
            server->shared = stat;
            stat->gone = 0;

        } else if (stat->gone == 0) {
            stat->gone = ngx_time();
        }
    }
}


ngx_http_aop_server_t *
ngx_http_aop_zone_find(ngx_http_aop_main_conf_t *amcf, ngx_str_t *label)
{
    ngx_str_node_t  *node;

    node = ngx_str_rbtree_lookup(&amcf->labels, label,
                                 ngx_crc32_long(label->data, label->len));

    return node ? (ngx_http_aop_server_t *)
                  ((u_char *) node - offsetof(ngx_http_aop_server_t, node))
                : NULL;
}


static void
ngx_http_aop_zone_policy(ngx_http_aop_server_t *server,
    const ngx_aop_policy_t *policy)
{
    ngx_http_aop_stat_t  *stat;

    stat = server->shared;

    if (ngx_memcmp(stat->policy, policy->digest, NGX_AOP_DIGEST) != 0) {
        ngx_memcpy(stat->policy, policy->digest, NGX_AOP_DIGEST);

        ngx_aop_evidence_policy(&stat->evidence,
                                ngx_http_aop_shm_time(stat));
    }

    server->epoch = stat->evidence.generation;
}
