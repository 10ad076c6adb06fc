
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_SHM_H_INCLUDED_
#define _NGX_HTTP_AOP_SHM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_evidence.h"
#include "ngx_aop_key.h"
#include "ngx_aop_top.h"


/*
 * What the workers share.  It outlives a reload, and the file that this code
 * came from: whoever changes the layout changes NGX_HTTP_AOP_ZONE_VERSION,
 * and a zone of another version is left alone.
 */

#define NGX_HTTP_AOP_ZONE_VERSION  11

#define NGX_HTTP_AOP_LABEL_LEN     256
#define NGX_HTTP_AOP_CLIENTS       8
#define NGX_HTTP_AOP_FAILING_PEERS  24     /* of a server, in all lists */


typedef enum {
    NGX_HTTP_AOP_HANDSHAKE_FULL = 0,
    NGX_HTTP_AOP_HANDSHAKE_RESUMED,
    NGX_HTTP_AOP_HANDSHAKE_DECLINED,     /* full, as its session was not good */
    NGX_HTTP_AOP_HANDSHAKES
} ngx_http_aop_handshake_e;


typedef enum {
    NGX_HTTP_AOP_FAILING_EDGE = 0,      /* and private */
    NGX_HTTP_AOP_FAILING_DIRECT,
    NGX_HTTP_AOP_FAILING_LISTS
} ngx_http_aop_failing_peers_e;


typedef struct {
    ngx_atomic_t        count;
    time_t              first;
    time_t              last;
} ngx_http_aop_counter_t;


/* Lines in error.log of one cause. */

typedef struct {
    ngx_atomic_t        until;      /* none is logged till then */
    ngx_atomic_t        suppressed;
} ngx_http_aop_throttle_slot_t;


/*
 * Throttles of the lines about a server.  Each level has its own: levels may
 * go to different files, so a line of one must not stand for those of another.
 */

#define NGX_HTTP_AOP_LEVELS        (NGX_LOG_INFO - NGX_LOG_ERR + 1)

typedef struct {
    ngx_http_aop_throttle_slot_t  slots[NGX_HTTP_AOP_LEVELS][NGX_AOP_VERDICTS]
                                       [NGX_AOP_PEERS];
    ngx_http_aop_throttle_slot_t  mode;     /* of lines about invalid modes */
} ngx_http_aop_throttle_t;


/* A client certificate that passed lately, and the anchor it passed by. */

typedef struct {
    u_char              anchor[NGX_AOP_DIGEST];
    u_char              leaf[NGX_AOP_DIGEST];
    time_t              not_before;
    time_t              not_after;
    time_t              seen;       /* 0: the place is free */
    ngx_atomic_t        warned;     /* thresholds of aop_expiry_warning */
    char                key[NGX_AOP_KEY_NAME];
    char                group[32];  /* of its last full handshake */
    char                subject[160];
} ngx_http_aop_client_t;


/* A peer that failed, by address and verdict, and its last request. */

typedef struct {
    ngx_aop_top_item_t  top;
    ngx_aop_verdict_e   verdict;
    ngx_aop_peer_e      peer;
    unsigned            refused:1;
    unsigned            other_host:1;
    char                addr[48];
    char                host[64];
    char                uri[80];
    char                agent[64];
} ngx_http_aop_failing_peer_t;


typedef struct {
    ngx_queue_t                 queue;

    /* another one each time that the place was given to another server */
    ngx_atomic_t                generation;

    char                        label[NGX_HTTP_AOP_LABEL_LEN];
    time_t                      gone;       /* from the configuration; 0: not */

    u_char                      policy[NGX_AOP_DIGEST];

    /* the time of the evidence goes on from here, by the monotonic clock */
    time_t                      start;
    ngx_msec_t                  tick;

    /* the rows of requests[] are "optional" and "on" */

    ngx_http_aop_counter_t      requests[2][NGX_AOP_VERDICTS][NGX_AOP_PEERS];
    ngx_http_aop_counter_t      connections[NGX_HTTP_AOP_HANDSHAKES]
                                           [NGX_AOP_PEERS];

    ngx_http_aop_throttle_t     throttle;

    ngx_aop_evidence_t          evidence;

    ngx_http_aop_client_t       clients[NGX_HTTP_AOP_CLIENTS];

    /* the most frequent peers that failed, one list behind the other */

    ngx_aop_top_t               failing[NGX_HTTP_AOP_FAILING_LISTS];
    ngx_http_aop_failing_peer_t peers[NGX_HTTP_AOP_FAILING_PEERS];
} ngx_http_aop_stat_t;


typedef struct {
    uint32_t                        version;
    uint32_t                        size;   /* of this structure and a server */
    ngx_queue_t                     servers;    /* of ngx_http_aop_stat_t */
    ngx_atomic_t                    cache_hits;
    ngx_atomic_t                    cache_misses;
} ngx_http_aop_shared_t;


/*
 * ngx_http_aop_shm_init() makes a new segment out of a zone's memory;
 * NGX_ERROR if it is too small.
 *
 * ngx_http_aop_shm_get() returns the segment of a zone (may be NULL); NULL if
 * there is none, or one that another version of us has made.
 *
 * ngx_http_aop_shm_use() has the process count in the segment of this zone;
 * NULL: in none.  Returns the segment, as ngx_http_aop_shm_get() does.
 */

ngx_int_t ngx_http_aop_shm_init(ngx_shm_zone_t *zone);
ngx_http_aop_shared_t *ngx_http_aop_shm_get(ngx_shm_zone_t *zone);
ngx_http_aop_shared_t *ngx_http_aop_shm_use(ngx_shm_zone_t *zone);


/* The mutex of the segment in use; nothing may be waited for meanwhile. */

void ngx_http_aop_shm_lock(void);
void ngx_http_aop_shm_unlock(void);


/* Counts a lookup in the cache of verified chains. */

void ngx_http_aop_shm_cache(ngx_uint_t hit);


/*
 * The time for a stat's evidence: that of a clock that nobody sets.  Otherwise
 * failures would be forgotten if the time of day were a day ahead and set
 * back.
 */

static ngx_inline time_t ngx_http_aop_shm_time(
    const ngx_http_aop_stat_t *stat);


/* Copies a stat's evidence. */

void ngx_http_aop_shm_evidence(const ngx_http_aop_stat_t *stat,
    ngx_aop_evidence_t *evidence);


/*
 * ngx_http_aop_shm_clients() copies the client certificates of a stat, of
 * which there are NGX_HTTP_AOP_CLIENTS.
 *
 * ngx_http_aop_shm_warned() notes that one of them was warned of; "client" is
 * the copy.  0 if it is there no more, or another worker was first.
 */

void ngx_http_aop_shm_clients(const ngx_http_aop_stat_t *stat,
    ngx_http_aop_client_t *clients);
ngx_uint_t ngx_http_aop_shm_warned(ngx_http_aop_stat_t *stat,
    const ngx_http_aop_client_t *client, ngx_uint_t stage);


/*
 * ngx_http_aop_shm_server() makes a place for a server that has none, or takes
 * that of one which is gone; NULL if there is no room.  "from" is where the
 * search for such a one goes on: NULL at first.  The mutex is held.
 */

ngx_http_aop_stat_t *ngx_http_aop_shm_server(const ngx_str_t *label,
    ngx_queue_t **from);


static ngx_inline time_t
ngx_http_aop_shm_time(const ngx_http_aop_stat_t *stat)
{
    return stat->start
           + (ngx_msec_int_t) (ngx_current_msec - stat->tick) / 1000;
}


#endif /* _NGX_HTTP_AOP_SHM_H_INCLUDED_ */
