
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
    (sizeof(ngx_http_aop_shared_t) + sizeof(ngx_http_aop_server_t))


static ngx_http_aop_server_t *ngx_http_aop_shm_unused(ngx_queue_t **from);
static void ngx_http_aop_shm_clear(ngx_http_aop_server_t *server);


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
ngx_http_aop_shm_sums(const ngx_http_aop_server_t *server,
    ngx_http_aop_sums_t *sums)
{
    ngx_uint_t                     peer, verdict;
    const ngx_http_aop_counter_t  *conn;

    /* a request is counted before this: read in that order, it is not less */

    sums->elsewhere = server->elsewhere;

    for (peer = 0; peer < NGX_AOP_PEERS; peer++) {

        sums->requests[NGX_AOP_OK][peer] =
                              server->requests[0][NGX_AOP_OK][peer].count
                              + server->requests[1][NGX_AOP_OK][peer].count
                              - server->stale[peer];

        for (verdict = NGX_AOP_OK + 1; verdict < NGX_AOP_VERDICTS; verdict++)
        {
            sums->requests[verdict][peer] = server->failed[verdict][peer];
        }

        sums->foreign[peer] = server->foreign[peer];
    }

    conn = &server->connections[NGX_HTTP_AOP_CONN_FULL][NGX_AOP_EDGE];
    sums->handshakes = conn->count;

    conn = &server->connections[NGX_HTTP_AOP_CONN_DECLINED][NGX_AOP_EDGE];
    sums->handshakes += conn->count;
}


/*
 * The hours are those of the monotonic clock: the time of day may be set a
 * day ahead and back, and what failed would be forgotten.
 */

void
ngx_http_aop_shm_hour(ngx_http_aop_server_t *server)
{
    ngx_uint_t           n, hours;
    ngx_msec_int_t       passed;
    ngx_http_aop_sums_t  sums;

    passed = (ngx_msec_int_t) (ngx_current_msec - server->tick);

    if (passed < 0) {

        /*
         * a process may see the time a little later than another; more than
         * that is a clock of 32 bits that nobody has looked at for 24 days
         */

        if (passed < -NGX_HTTP_AOP_HOUR) {
            server->tick = ngx_current_msec;
        }

        return;
    }

    hours = passed / NGX_HTTP_AOP_HOUR;

    if (hours == 0) {
        return;
    }

    ngx_http_aop_shm_sums(server, &sums);

    for (n = ngx_min(hours, NGX_HTTP_AOP_HOURS); n > 0; n--) {
        server->hours[(server->hour + hours - n + 1) % NGX_HTTP_AOP_HOURS]
                                                                       = sums;
    }

    server->hour += hours;
    server->tick += hours * NGX_HTTP_AOP_HOUR;
}


void
ngx_http_aop_shm_clients(const ngx_http_aop_server_t *server,
    ngx_http_aop_client_t *clients)
{
    ngx_http_aop_shm_lock();

    ngx_memcpy(clients, server->clients, sizeof(server->clients));

    ngx_http_aop_shm_unlock();
}


ngx_uint_t
ngx_http_aop_shm_warned(ngx_http_aop_server_t *server,
    const ngx_http_aop_client_t *client, ngx_uint_t stage)
{
    ngx_uint_t              i, first;
    ngx_http_aop_client_t  *found;

    first = 0;
    found = server->clients;

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


ngx_http_aop_server_t *
ngx_http_aop_shm_server(const ngx_str_t *label, ngx_queue_t **from)
{
    ngx_http_aop_server_t  *server;

    server = ngx_slab_calloc_locked(ngx_http_aop_shm_pool,
                                    sizeof(ngx_http_aop_server_t));
    if (server == NULL) {
        server = ngx_http_aop_shm_unused(from);

        if (server == NULL) {
            return NULL;
        }

        ngx_http_aop_shm_clear(server);
    }

    server->tick = ngx_current_msec;

    ngx_memcpy(server->label, label->data, label->len);

    if (server->queue.next == NULL) {
        ngx_queue_insert_tail(&ngx_http_aop_shm_shared->servers,
                              &server->queue);
    }

    return server;
}


/* One that has been gone for long; each is looked at once in a search. */

static ngx_http_aop_server_t *
ngx_http_aop_shm_unused(ngx_queue_t **from)
{
    ngx_queue_t            *q;
    ngx_http_aop_server_t  *server;

    q = *from ? *from : ngx_queue_head(&ngx_http_aop_shm_shared->servers);

    while (q != ngx_queue_sentinel(&ngx_http_aop_shm_shared->servers)) {
        server = ngx_queue_data(q, ngx_http_aop_server_t, queue);
        q = ngx_queue_next(q);

        if (server->gone != 0
            && ngx_time() - server->gone > NGX_HTTP_AOP_SHM_UNUSED)
        {
            *from = q;
            return server;
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
ngx_http_aop_shm_clear(ngx_http_aop_server_t *server)
{
    size_t               head;
    ngx_uint_t           i, list;
    ngx_http_aop_top_t  *top;

    server->generation++;

    ngx_memory_barrier();

    head = offsetof(ngx_http_aop_server_t, label);

    ngx_memzero((u_char *) server + head, sizeof(ngx_http_aop_server_t) - head);

    for (list = 0; list < NGX_HTTP_AOP_TOPS; list++) {
        top = ngx_http_aop_shm_shared->top[list];

        for (i = 0; i < NGX_HTTP_AOP_TOP; i++) {
            if (top[i].server == server) {
                ngx_memzero(&top[i], sizeof(ngx_http_aop_top_t));
            }
        }
    }
}
