
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The shared memory zone: where each server's counters are, and that they
 * stay there over reloads.  Servers are told apart by name and address.
 */


#include "ngx_http_aop_zone.h"


/* an entry of a server that is gone may be taken by another after that */

#define NGX_HTTP_AOP_ZONE_UNUSED  86400

/* of a name in a label: the address and the number are not to be cut */

#define NGX_HTTP_AOP_NAME_LEN     160


#define NGX_HTTP_AOP_ZONE_SIZE                                                \
    (sizeof(ngx_http_aop_shared_t) + sizeof(ngx_http_aop_server_t))


static ngx_int_t ngx_http_aop_zone_init(ngx_shm_zone_t *zone, void *data);
static ngx_uint_t ngx_http_aop_zone_exists(ngx_conf_t *cf);
static ngx_int_t ngx_http_aop_zone_servers(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf);
static ngx_int_t ngx_http_aop_zone_server(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_aop_zone_better(ngx_http_conf_addr_t *one,
    ngx_http_conf_addr_t *two);
static ngx_int_t ngx_http_aop_zone_labels(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf);
static ngx_int_t ngx_http_aop_zone_label(ngx_conf_t *cf,
    ngx_http_aop_known_t *known, ngx_uint_t n);
static ngx_uint_t ngx_http_aop_zone_bind_servers(ngx_slab_pool_t *shpool,
    ngx_http_aop_shared_t *shared, ngx_array_t *servers);
static ngx_http_aop_server_t *ngx_http_aop_zone_find(
    ngx_http_aop_shared_t *shared, ngx_str_t *label);
static ngx_http_aop_server_t *ngx_http_aop_zone_make(ngx_slab_pool_t *shpool,
    ngx_http_aop_shared_t *shared, ngx_str_t *label);
static ngx_http_aop_server_t *ngx_http_aop_zone_unused(
    ngx_http_aop_shared_t *shared);
static void ngx_http_aop_zone_policy(ngx_http_aop_known_t *known,
    const ngx_aop_policy_t *policy);


static ngx_str_t  ngx_http_aop_zone_name = ngx_string("ngx_http_aop");


ngx_int_t
ngx_http_aop_zone_add(ngx_conf_t *cf)
{
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);

    if (ngx_http_aop_zone_servers(cf, amcf) != NGX_OK
        || ngx_http_aop_zone_labels(cf, amcf) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* what was counted outlives a time in which all is "off" */

    if (amcf->servers.nelts == 0 && !ngx_http_aop_zone_exists(cf)) {
        return NGX_OK;
    }

    /* the tag must stay the same when this .so is replaced: it is nginx's */

    amcf->zone = ngx_shared_memory_add(cf, &ngx_http_aop_zone_name,
                                       amcf->zone_size,
                                       &ngx_http_core_module);
    if (amcf->zone == NULL) {
        return NGX_ERROR;
    }

    amcf->zone->init = ngx_http_aop_zone_init;
    amcf->zone->data = amcf;

    return NGX_OK;
}


/* In the configuration that is in force. */

static ngx_uint_t
ngx_http_aop_zone_exists(ngx_conf_t *cf)
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
                return 1;
            }
        }
    }

    return 0;
}


/*
 * Nothing is taken from "data", which is the old configuration's, perhaps of
 * another .so: all is found through the memory itself.
 */

static ngx_int_t
ngx_http_aop_zone_init(ngx_shm_zone_t *zone, void *data)
{
    ngx_slab_pool_t        *shpool;
    ngx_http_aop_shared_t  *shared;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data != NULL || zone->shm.exists) {
        return NGX_OK;
    }

    shpool->log_nomem = 0;

    shared = ngx_slab_calloc(shpool, sizeof(ngx_http_aop_shared_t));
    if (shared == NULL) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"aop_zone\" is too small");
        return NGX_ERROR;
    }

    shared->version = NGX_HTTP_AOP_ZONE_VERSION;
    shared->size = NGX_HTTP_AOP_ZONE_SIZE;

    ngx_queue_init(&shared->servers);

    shpool->data = shared;

    return NGX_OK;
}


/* NULL if there is no zone, or one that another version of us has made. */

ngx_http_aop_shared_t *
ngx_http_aop_zone_shared(ngx_http_aop_main_conf_t *amcf)
{
    ngx_slab_pool_t        *shpool;
    ngx_http_aop_shared_t  *shared;

    if (amcf->zone == NULL) {
        return NULL;
    }

    shpool = (ngx_slab_pool_t *) amcf->zone->shm.addr;
    shared = shpool->data;

    if (shared == NULL
        || shared->version != NGX_HTTP_AOP_ZONE_VERSION
        || shared->size != NGX_HTTP_AOP_ZONE_SIZE)
    {
        return NULL;
    }

    return shared;
}


static ngx_int_t
ngx_http_aop_zone_servers(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf)
{
    ngx_uint_t                   p, a, s;
    ngx_http_conf_port_t        *port;
    ngx_http_conf_addr_t        *addr;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {
        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {
            cscfp = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {
                if (ngx_http_aop_zone_server(cf, amcf, &addr[a], cscfp[s])
                    != NGX_OK)
                {
                    return NGX_ERROR;
                }
            }
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_zone_server(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf)
{
    size_t                    len;
    ngx_http_aop_known_t     *known;
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    if (ascf->policy == NULL) {
        return NGX_OK;
    }

    if (ascf->listed) {
        known = amcf->servers.elts;
        known += ascf->server;

        if (ngx_http_aop_zone_better(addr, known->addr)) {
            known->addr = addr;
        }

        return NGX_OK;
    }

    known = ngx_array_push(&amcf->servers);
    if (known == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(known, sizeof(ngx_http_aop_known_t));

    known->cscf = cscf;
    known->addr = addr;
    known->nnames = cscf->server_names.nelts;

    len = known->nnames * sizeof(ngx_http_server_name_t);

    known->names = ngx_palloc(cf->pool, len);
    if (known->names == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(known->names, cscf->server_names.elts, len);

    ascf->listed = 1;
    ascf->server = amcf->servers.nelts - 1;

    return NGX_OK;
}


/*
 * The order in which nginx has the addresses depends on other servers, so a
 * server's address is chosen by what it is: TLS first, then the lowest.
 */

static ngx_uint_t
ngx_http_aop_zone_better(ngx_http_conf_addr_t *one, ngx_http_conf_addr_t *two)
{
    ngx_str_t  *first, *second;

    if (ngx_http_aop_listens_tls(one) != ngx_http_aop_listens_tls(two)) {
        return ngx_http_aop_listens_tls(one);
    }

    first = &one->opt.addr_text;
    second = &two->opt.addr_text;

    return ngx_memn2cmp(first->data, second->data, first->len, second->len)
           < 0;
}


/* Two servers of one name and address have numbers. */

static ngx_int_t
ngx_http_aop_zone_labels(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf)
{
    ngx_uint_t             i, j, n;
    ngx_http_aop_known_t  *known;

    known = amcf->servers.elts;

    for (i = 0; i < amcf->servers.nelts; i++) {

        if (ngx_http_aop_zone_label(cf, &known[i], 1) != NGX_OK) {
            return NGX_ERROR;
        }

        for (n = 1, j = 0; j < i; j++) {

            if (known[i].label.len != known[j].label.len
                || ngx_memcmp(known[i].label.data, known[j].label.data,
                              known[i].label.len)
                   != 0)
            {
                continue;
            }

            if (ngx_http_aop_zone_label(cf, &known[i], ++n) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/*
 * "name:port", or "name address:port" where the address is no wildcard; the
 * number, of the second server and of those that follow, comes last.
 */

static ngx_int_t
ngx_http_aop_zone_label(ngx_conf_t *cf, ngx_http_aop_known_t *known,
    ngx_uint_t n)
{
    u_char     *p, *colon, *last;
    ngx_str_t  *text, name, *label;

    text = &known->addr->opt.addr_text;
    name = known->cscf->server_name;
    label = &known->label;

    if (name.len == 0) {
        ngx_str_set(&name, "_");
    }

    name.len = ngx_min(name.len, NGX_HTTP_AOP_NAME_LEN);

    last = text->data + text->len;
    colon = NULL;

    if (known->addr->opt.wildcard) {
        for (p = text->data; p < last; p++) {
            if (*p == ':') {
                colon = p;
            }
        }
    }

    label->data = ngx_pnalloc(cf->pool, name.len + 1 + text->len
                                        + sizeof(" #") + NGX_INT_T_LEN);
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

    if (n > 1) {
        p = ngx_sprintf(p, " #%ui", n);
    }

    label->len = ngx_min(p - label->data, NGX_HTTP_AOP_LABEL_LEN - 1);

    return NGX_OK;
}


/*
 * Done when the configuration is in force: a reload that fails must not end
 * the window of a policy that goes on.
 */

void
ngx_http_aop_zone_bind(ngx_cycle_t *cycle)
{
    ngx_uint_t                 lost;
    ngx_slab_pool_t           *shpool;
    ngx_http_aop_shared_t     *shared;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_aop_module);

    ngx_http_aop_count_init(NULL, NULL);

    if (amcf == NULL || amcf->zone == NULL) {
        return;
    }

    shared = ngx_http_aop_zone_shared(amcf);

    if (shared == NULL) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "aop: the counters in \"aop_zone\" are of another "
                      "version of the module: nothing is counted until nginx "
                      "is restarted, or \"aop_zone\" is given another size");
        return;
    }

    shpool = (ngx_slab_pool_t *) amcf->zone->shm.addr;

    ngx_http_aop_count_init(shpool, shared);

    ngx_shmtx_lock(&shpool->mutex);

    lost = ngx_http_aop_zone_bind_servers(shpool, shared, &amcf->servers);

    ngx_shmtx_unlock(&shpool->mutex);

    if (lost) {
        ngx_log_error(NGX_LOG_ERR, cycle->log, 0,
                      "aop: \"aop_zone\" is full: %ui of %ui servers are "
                      "judged but not counted; raise its size",
                      lost, amcf->servers.nelts);
    }
}


/*
 * The servers that are known are found before a new one may take the place of
 * one that is gone.  Returns how many servers have no place.
 */

static ngx_uint_t
ngx_http_aop_zone_bind_servers(ngx_slab_pool_t *shpool,
    ngx_http_aop_shared_t *shared, ngx_array_t *servers)
{
    ngx_uint_t                i, lost;
    ngx_queue_t              *q;
    ngx_http_aop_known_t     *known;
    ngx_http_aop_server_t    *server;
    ngx_http_aop_srv_conf_t  *ascf;

    for (q = ngx_queue_head(&shared->servers);
         q != ngx_queue_sentinel(&shared->servers);
         q = ngx_queue_next(q))
    {
        server = ngx_queue_data(q, ngx_http_aop_server_t, queue);

        if (server->gone == 0) {
            server->gone = ngx_time();
        }
    }

    lost = 0;
    known = servers->elts;

    for (i = 0; i < servers->nelts; i++) {
        known[i].shared = ngx_http_aop_zone_find(shared, &known[i].label);

        if (known[i].shared != NULL) {
            known[i].shared->gone = 0;
        }
    }

    for (i = 0; i < servers->nelts; i++) {

        if (known[i].shared == NULL) {
            known[i].shared = ngx_http_aop_zone_make(shpool, shared,
                                                     &known[i].label);
        }

        if (known[i].shared == NULL) {
            lost++;
            continue;
        }

        ascf = known[i].cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

        ngx_http_aop_zone_policy(&known[i], ascf->policy);
    }

    return lost;
}


static ngx_http_aop_server_t *
ngx_http_aop_zone_find(ngx_http_aop_shared_t *shared, ngx_str_t *label)
{
    ngx_queue_t            *q;
    ngx_http_aop_server_t  *server;

    for (q = ngx_queue_head(&shared->servers);
         q != ngx_queue_sentinel(&shared->servers);
         q = ngx_queue_next(q))
    {
        server = ngx_queue_data(q, ngx_http_aop_server_t, queue);

        if (ngx_strlen(server->label) == label->len
            && ngx_memcmp(server->label, label->data, label->len) == 0)
        {
            return server;
        }
    }

    return NULL;
}


static ngx_http_aop_server_t *
ngx_http_aop_zone_make(ngx_slab_pool_t *shpool, ngx_http_aop_shared_t *shared,
    ngx_str_t *label)
{
    ngx_http_aop_server_t  *server;

    server = ngx_slab_calloc_locked(shpool, sizeof(ngx_http_aop_server_t));

    if (server != NULL) {
        ngx_queue_insert_tail(&shared->servers, &server->queue);

    } else {
        server = ngx_http_aop_zone_unused(shared);

        if (server == NULL) {
            return NULL;
        }

        ngx_http_aop_top_forget(shared, server);

        ngx_memzero((u_char *) server + sizeof(ngx_queue_t),
                    sizeof(ngx_http_aop_server_t) - sizeof(ngx_queue_t));
    }

    ngx_memcpy(server->label, label->data, label->len);

    return server;
}


/* The one that is gone longest; workers of its time have ended by then. */

static ngx_http_aop_server_t *
ngx_http_aop_zone_unused(ngx_http_aop_shared_t *shared)
{
    ngx_queue_t            *q;
    ngx_http_aop_server_t  *server, *unused;

    unused = NULL;

    for (q = ngx_queue_head(&shared->servers);
         q != ngx_queue_sentinel(&shared->servers);
         q = ngx_queue_next(q))
    {
        server = ngx_queue_data(q, ngx_http_aop_server_t, queue);

        if (server->gone != 0
            && ngx_time() - server->gone > NGX_HTTP_AOP_ZONE_UNUSED
            && (unused == NULL || server->gone < unused->gone))
        {
            unused = server;
        }
    }

    return unused;
}


static void
ngx_http_aop_zone_policy(ngx_http_aop_known_t *known,
    const ngx_aop_policy_t *policy)
{
    ngx_http_aop_server_t  *server;

    server = known->shared;

    if (ngx_memcmp(server->policy, policy->digest, NGX_AOP_DIGEST) != 0) {
        ngx_memcpy(server->policy, policy->digest, NGX_AOP_DIGEST);

        server->epoch++;
        server->changed = ngx_time();

        ngx_http_aop_count_sums(server, &server->base);
    }

    known->epoch = server->epoch;
}
