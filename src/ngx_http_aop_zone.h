
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_ZONE_H_INCLUDED_
#define _NGX_HTTP_AOP_ZONE_H_INCLUDED_


#include "ngx_http_aop.h"
#include "ngx_aop_ready.h"


/*
 * What the workers share.  It outlives a reload, and the file that this code
 * came from: whoever changes the layout changes NGX_HTTP_AOP_ZONE_VERSION,
 * and a zone of another version is left alone.
 */

#define NGX_HTTP_AOP_ZONE_VERSION  3

#define NGX_HTTP_AOP_LABEL_LEN     256
#define NGX_HTTP_AOP_CLIENTS       8
#define NGX_HTTP_AOP_HOSTS         6
#define NGX_HTTP_AOP_HOST_LEN      96
#define NGX_HTTP_AOP_HOURS         24
#define NGX_HTTP_AOP_TOP           32


typedef enum {
    NGX_HTTP_AOP_CONN_FULL = 0,
    NGX_HTTP_AOP_CONN_RESUMED,
    NGX_HTTP_AOP_CONN_DECLINED,     /* full, as its session was not good */
    NGX_HTTP_AOP_CONNS
} ngx_http_aop_conn_e;


typedef enum {
    NGX_HTTP_AOP_TOP_EDGE = 0,      /* and private */
    NGX_HTTP_AOP_TOP_DIRECT,
    NGX_HTTP_AOP_TOPS
} ngx_http_aop_top_e;


typedef struct {
    ngx_atomic_t        count;
    time_t              first;
    time_t              last;
} ngx_http_aop_counter_t;


/* Sums since the server is known; their differences are right modulo 2^32. */

typedef struct {
    uint32_t            requests[NGX_AOP_VERDICTS][NGX_AOP_PEERS];
    uint32_t            foreign[NGX_AOP_PEERS];
    uint32_t            elsewhere;
    uint32_t            handshakes;
} ngx_http_aop_sums_t;


/* Lines in error.log of one cause. */

typedef struct {
    ngx_atomic_t        until;      /* held back till then */
    ngx_atomic_t        held;
} ngx_http_aop_held_t;


/* A host of the server that failed, but from strangers. */

typedef struct {
    time_t              last;       /* 0: the place is free */
    char                name[NGX_HTTP_AOP_HOST_LEN];
} ngx_http_aop_host_t;


/* A client certificate that passed lately, and the anchor it passed by. */

typedef struct {
    u_char              anchor[NGX_AOP_DIGEST];
    u_char              leaf[NGX_AOP_DIGEST];
    time_t              not_before;
    time_t              not_after;
    time_t              seen;       /* 0: the place is free */
    ngx_atomic_t        warned;     /* thresholds of aop_expiry_warning */
    char                subject[256];
} ngx_http_aop_client_t;


typedef struct {
    ngx_queue_t             queue;
    char                    label[NGX_HTTP_AOP_LABEL_LEN];
    time_t                  gone;       /* from the configuration; 0: not */

    u_char                  policy[NGX_AOP_DIGEST];
    ngx_atomic_t            epoch;      /* of the policy */
    time_t                  changed;    /* when the policy did */

    /* the rows of requests[] are "optional" and "on" */

    ngx_http_aop_counter_t  requests[2][NGX_AOP_VERDICTS][NGX_AOP_PEERS];
    ngx_http_aop_counter_t  connections[NGX_HTTP_AOP_CONNS][NGX_AOP_PEERS];

    /* failures for hosts of the server, and for others */

    ngx_atomic_t            failed[NGX_AOP_VERDICTS][NGX_AOP_PEERS];
    ngx_atomic_t            foreign[NGX_AOP_PEERS];

    ngx_http_aop_host_t     hosts[NGX_HTTP_AOP_HOSTS];

    /* requests "ok" from the edge for other hosts */

    ngx_atomic_t            elsewhere;

    /* requests "ok" that workers of an older policy counted */

    ngx_atomic_t            stale[NGX_AOP_PEERS];

    ngx_http_aop_held_t     held[NGX_AOP_VERDICTS][NGX_AOP_PEERS];
    ngx_http_aop_held_t     mode;       /* of lines about wrong modes */

    /* sums at the policy's start, and at the start of each hour */

    ngx_http_aop_sums_t     base;
    ngx_atomic_t            hour;
    ngx_http_aop_sums_t     hours[NGX_HTTP_AOP_HOURS];

    ngx_http_aop_client_t   clients[NGX_HTTP_AOP_CLIENTS];
} ngx_http_aop_server_t;


/* A peer that failed; "error" is how much too high its count may be. */

typedef struct {
    ngx_http_aop_server_t  *server;     /* NULL: the place is free */
    ngx_aop_verdict_e       verdict;
    ngx_aop_peer_e          peer;
    ngx_uint_t              count;
    ngx_uint_t              error;
    time_t                  first;
    time_t                  last;
    unsigned                refused:1;
    unsigned                foreign:1;
    char                    addr[48];
    char                    host[NGX_HTTP_AOP_HOST_LEN];
    char                    uri[160];
    char                    agent[160];
} ngx_http_aop_top_t;


typedef struct {
    uint32_t                version;
    uint32_t                size;       /* of this structure and a server */
    ngx_queue_t             servers;    /* of ngx_http_aop_server_t */
    ngx_atomic_t            cache_hits;
    ngx_atomic_t            cache_misses;
    ngx_http_aop_top_t      top[NGX_HTTP_AOP_TOPS][NGX_HTTP_AOP_TOP];
} ngx_http_aop_shared_t;


/* A server of the configuration. */

typedef struct {
    ngx_http_core_srv_conf_t  *cscf;
    ngx_http_conf_addr_t      *addr;    /* of the configuration's reading */
    ngx_str_t                  label;   /* name and address */

    /* a copy: nginx's own is in the pool of the parsing */
    ngx_http_server_name_t    *names;
    ngx_uint_t                 nnames;

    ngx_uint_t                 epoch;
    ngx_http_aop_server_t     *shared;  /* NULL: there was no room */
} ngx_http_aop_known_t;


/*
 * ngx_http_aop_zone_add() asks nginx for the zone, ngx_http_aop_zone_bind()
 * finds or makes the place of each server in it once the configuration has
 * been accepted; a server that does not fit is not counted, which is logged.
 */

ngx_int_t ngx_http_aop_zone_add(ngx_conf_t *cf);
void ngx_http_aop_zone_bind(ngx_cycle_t *cycle);

ngx_http_aop_shared_t *ngx_http_aop_zone_shared(
    ngx_http_aop_main_conf_t *amcf);


/*
 * ngx_http_aop_count_init() is told where to count, and whose mutex guards
 * what needs one.
 *
 * ngx_http_aop_count_cache() counts a look into the cache of verified chains.
 *
 * ngx_http_aop_count() counts a request, and its connection if it is the
 * first judged one on it.
 *
 * ngx_http_aop_count_due() tells whether a line about this cause may be
 * logged now, how many were held back since the last one, and for how long;
 * ngx_http_aop_count_mode_due() does so for modes that are none.
 */

void ngx_http_aop_count_init(ngx_slab_pool_t *shpool,
    ngx_http_aop_shared_t *shared);
void ngx_http_aop_count_cache(ngx_uint_t hit);
void ngx_http_aop_count(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);
ngx_uint_t ngx_http_aop_count_due(ngx_http_request_t *r,
    ngx_aop_verdict_e verdict, ngx_aop_peer_e peer, ngx_uint_t *held,
    time_t *span);
ngx_uint_t ngx_http_aop_count_mode_due(ngx_http_request_t *r);


/* The sums as they are now. */

void ngx_http_aop_count_sums(ngx_http_aop_server_t *server,
    ngx_http_aop_sums_t *sums);


/*
 * ngx_http_aop_count_window() sums up what the server was asked since its
 * policy changed, at most 24 hours ago.
 */

void ngx_http_aop_count_window(ngx_http_aop_server_t *server,
    ngx_aop_window_t *window);


/* Notes a request that was refused or would have been. */

void ngx_http_aop_top_add(ngx_http_request_t *r, ngx_http_aop_server_t *server,
    const ngx_http_aop_state_t *state, const ngx_http_aop_peer_t *peer,
    ngx_uint_t foreign);


/*
 * ngx_http_aop_top_forget() takes a server out of the lists; the shared
 * memory's mutex is held.
 *
 * ngx_http_aop_top_copy() copies a list, the most frequent first, to the
 * request's pool; NULL if memory is short.
 *
 * ngx_http_aop_top_hosts() names the hosts of a server that failed from the
 * edge or from private addresses in the window, and the last time that one
 * did; NULL likewise.
 */

void ngx_http_aop_top_forget(ngx_http_aop_shared_t *shared,
    const ngx_http_aop_server_t *server);

const ngx_http_aop_top_t *ngx_http_aop_top_copy(ngx_http_request_t *r,
    ngx_http_aop_top_e list, ngx_uint_t *n);
const char *ngx_http_aop_top_hosts(ngx_http_request_t *r,
    const ngx_http_aop_server_t *server, time_t *last);


#endif /* _NGX_HTTP_AOP_ZONE_H_INCLUDED_ */
