
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The segment of memory that the workers share: its layout's version, its
 * mutex, and the places of servers in it.  All that counts stands on this
 * file, which knows nothing of requests and connections.
 *
 * A worker may be killed at any time, and nginx then releases the mutex that
 * it held: what is done under the mutex leaves the segment in order at each
 * step, or is done again.
 */


#include "ngx_http_aop_shm.h"


/* a place of a server that is gone may be taken by another after that */

#define NGX_HTTP_AOP_SHM_UNUSED  86400


#define NGX_HTTP_AOP_SHM_SIZE                                                 \
    (sizeof(ngx_http_aop_shared_t) + sizeof(ngx_http_aop_stat_t))


static ngx_http_aop_stat_t *ngx_http_aop_shm_unused(ngx_queue_t **from);
static void ngx_http_aop_shm_clear(ngx_http_aop_stat_t *stat);


/* the segment that this process counts in */

static ngx_slab_pool_t        *ngx_http_aop_shm_pool;
static ngx_http_aop_shared_t  *ngx_http_aop_shm_shared;


ngx_int_t
ngx_http_aop_shm_init(ngx_shm_zone_t *zone)
{
    ngx_slab_pool_t        *shpool;
    ngx_http_aop_shared_t  *shared;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    shpool->log_nomem = 0;

    shared = ngx_slab_calloc(shpool, sizeof(ngx_http_aop_shared_t));
    if (shared == NULL) {
        return NGX_ERROR;
    }

    shared->version = NGX_HTTP_AOP_ZONE_VERSION;
    shared->size = NGX_HTTP_AOP_SHM_SIZE;

    ngx_queue_init(&shared->servers);

    shpool->data = shared;

    return NGX_OK;
}


ngx_http_aop_shared_t *
ngx_http_aop_shm_get(ngx_shm_zone_t *zone)
{
    ngx_slab_pool_t        *shpool;
    ngx_http_aop_shared_t  *shared;

    if (zone == NULL) {
        return NULL;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;
    shared = shpool->data;

    if (shared == NULL
        || shared->version != NGX_HTTP_AOP_ZONE_VERSION
        || shared->size != NGX_HTTP_AOP_SHM_SIZE)
    {
        return NULL;
    }

    return shared;
}


ngx_http_aop_shared_t *
ngx_http_aop_shm_use(ngx_shm_zone_t *zone)
{
    ngx_http_aop_shm_shared = ngx_http_aop_shm_get(zone);
    ngx_http_aop_shm_pool = NULL;

    if (ngx_http_aop_shm_shared != NULL) {
        ngx_http_aop_shm_pool = (ngx_slab_pool_t *) zone->shm.addr;
    }

    return ngx_http_aop_shm_shared;
}


/* Without a master process, connections outlive the zone they count in. */

void
ngx_http_aop_shm_lock(void)
{
    if (ngx_http_aop_shm_pool != NULL) {
        ngx_shmtx_lock(&ngx_http_aop_shm_pool->mutex);
    }
}


void
ngx_http_aop_shm_unlock(void)
{
    if (ngx_http_aop_shm_pool != NULL) {
        ngx_shmtx_unlock(&ngx_http_aop_shm_pool->mutex);
    }
}


void
ngx_http_aop_shm_cache(ngx_uint_t hit)
{
    if (ngx_http_aop_shm_shared != NULL) {
        (void) ngx_atomic_fetch_add(hit ? &ngx_http_aop_shm_shared->cache_hits
                                    : &ngx_http_aop_shm_shared->cache_misses,
                                    1);
    }
}


void
ngx_http_aop_shm_evidence(const ngx_http_aop_stat_t *stat,
    ngx_aop_evidence_t *evidence)
{
    ngx_http_aop_shm_lock();

    *evidence = stat->evidence;

    ngx_http_aop_shm_unlock();
}


void
ngx_http_aop_shm_clients(const ngx_http_aop_stat_t *stat,
    ngx_http_aop_client_t *clients)
{
    ngx_http_aop_shm_lock();

    ngx_memcpy(clients, stat->clients, sizeof(stat->clients));

    ngx_http_aop_shm_unlock();
}


ngx_uint_t
ngx_http_aop_shm_warned(ngx_http_aop_stat_t *stat,
    const ngx_http_aop_client_t *client, ngx_uint_t stage)
{
    ngx_uint_t              i, first;
    ngx_http_aop_client_t  *found;

    first = 0;
    found = stat->clients;

    ngx_http_aop_shm_lock();

    for (i = 0; i < NGX_HTTP_AOP_CLIENTS; i++) {

        if (found[i].warned < stage
            && ngx_memcmp(found[i].leaf, client->leaf, NGX_AOP_DIGEST) == 0)
        {
            found[i].warned = stage;
            first = 1;
        }
    }

    ngx_http_aop_shm_unlock();

    return first;
}


ngx_http_aop_stat_t *
ngx_http_aop_shm_server(const ngx_str_t *label, ngx_queue_t **from)
{
    ngx_http_aop_stat_t  *stat;

    stat = ngx_slab_calloc_locked(ngx_http_aop_shm_pool,
                                  sizeof(ngx_http_aop_stat_t));
    if (stat == NULL) {
        stat = ngx_http_aop_shm_unused(from);

        if (stat == NULL) {
            return NULL;
        }

        ngx_http_aop_shm_clear(stat);
    }

    stat->start = ngx_time();
    stat->tick = ngx_current_msec;

    ngx_aop_evidence_init(&stat->evidence, stat->start, 0);

    ngx_memcpy(stat->label, label->data, label->len);

    if (stat->queue.next == NULL) {
        ngx_queue_insert_tail(&ngx_http_aop_shm_shared->servers,
                              &stat->queue);
    }

    return stat;
}


/* One that was gone for long; a search looks at each only once. */

static ngx_http_aop_stat_t *
ngx_http_aop_shm_unused(ngx_queue_t **from)
{
    ngx_queue_t          *q;
    ngx_http_aop_stat_t  *stat;

    q = *from ? *from : ngx_queue_head(&ngx_http_aop_shm_shared->servers);

    while (q != ngx_queue_sentinel(&ngx_http_aop_shm_shared->servers)) {
        stat = ngx_queue_data(q, ngx_http_aop_stat_t, queue);
        q = ngx_queue_next(q);

        if (stat->gone != 0
            && ngx_time() - stat->gone > NGX_HTTP_AOP_SHM_UNUSED)
        {
            *from = q;
            return stat;
        }
    }

    *from = q;

    return NULL;
}


/*
 * Workers of its time may still run, however long ago that was: by the other
 * generation they see that the place is not theirs any more.
 */

static void
ngx_http_aop_shm_clear(ngx_http_aop_stat_t *stat)
{
    size_t  head;

    stat->generation++;

    ngx_memory_barrier();

    head = offsetof(ngx_http_aop_stat_t, label);

    ngx_memzero((u_char *) stat + head, sizeof(ngx_http_aop_stat_t) - head);
}
