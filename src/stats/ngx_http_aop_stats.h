
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_STATS_H_INCLUDED_
#define _NGX_HTTP_AOP_STATS_H_INCLUDED_


#include "ngx_http_aop_conn.h"
#include "ngx_http_aop_shm.h"
#include "ngx_aop_ready.h"


/*
 * What has happened so far: what the workers count and note of each server,
 * and what follows from it.  They share it in a zone of shared memory, whose
 * layout is in ngx_http_aop_shm.h.
 */


/* A server of the configuration. */

typedef struct {
    ngx_http_core_srv_conf_t  *cscf;
    ngx_http_conf_addr_t      *addr;    /* of the configuration's reading */
    ngx_str_t                  label;   /* name and address */

    /* a copy: nginx's own is in the pool of the parsing */
    ngx_http_server_name_t    *names;
    ngx_uint_t                 nnames;

    ngx_str_node_t             node;    /* of the labels */
    ngx_uint_t                 same;    /* how many have its label so far */

    ngx_uint_t                 epoch;
    ngx_uint_t                 generation;
    ngx_http_aop_stat_t       *shared;  /* NULL: there was no room */
    unsigned                   first:1; /* of its policy and thresholds */

    /* in the zone; without room there, the process's own; NULL: no memory */
    ngx_http_aop_throttle_t   *throttle;
} ngx_http_aop_server_t;


/*
 * ngx_http_aop_zone_add() asks nginx for the zone, "init" of which is to call
 * ngx_http_aop_zone_init() in the end, ngx_http_aop_zone_bind()
 * finds or makes the place of each server in it once the configuration has
 * been accepted; a server that does not fit is not counted, which is logged.
 *
 * ngx_http_aop_zone_recheck() has server->shared be NULL if the place was given
 * to another server since: this worker is of an older configuration.
 */

ngx_int_t ngx_http_aop_zone_add(ngx_conf_t *cf, ngx_shm_zone_init_pt init);
ngx_int_t ngx_http_aop_zone_init(ngx_shm_zone_t *zone, void *data);
void ngx_http_aop_zone_bind(ngx_cycle_t *cycle);
static ngx_inline void ngx_http_aop_zone_recheck(
    ngx_http_aop_server_t *server);


/* "aop_zone" */

char *ngx_http_aop_zone_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/*
 * ngx_http_aop_zone_label() makes the label of a server at an address, the
 * n-th with it, and terminates it with a zero; NGX_ERROR if memory is short.
 * ngx_http_aop_zone_find() returns the server with that label, or NULL.
 *
 * ngx_http_aop_zone_better() tells whether a label is rather to have the first
 * of these addresses.
 */

ngx_int_t ngx_http_aop_zone_label(ngx_conf_t *cf,
    const ngx_http_core_srv_conf_t *cscf, const ngx_http_conf_addr_t *addr,
    ngx_uint_t n, ngx_str_t *label);
ngx_http_aop_server_t *ngx_http_aop_zone_find(ngx_http_aop_main_conf_t *amcf,
    ngx_str_t *label);
ngx_uint_t ngx_http_aop_zone_better(const ngx_http_conf_addr_t *one,
    const ngx_http_conf_addr_t *two);



/*
 * ngx_http_aop_count() counts a request, and its connection if it is the
 * first judged one on it; it is called once for each.
 */

void ngx_http_aop_count(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);


/*
 * Whether the address of this peer hides others; and what to do about a
 * failure from there.
 */

ngx_uint_t ngx_http_aop_count_relay(ngx_http_request_t *r,
    const ngx_http_aop_peer_t *peer);
const char *ngx_http_aop_count_hint(ngx_http_request_t *r,
    const ngx_http_aop_peer_t *peer, ngx_aop_verdict_e verdict);


/*
 * ngx_http_aop_count_failed() makes evidence of a request that failed, at
 * once: the request may be in progress for hours.
 *
 * ngx_http_aop_count_off() counts a request to which no mode but "off" was
 * applied.
 */

void ngx_http_aop_count_failed(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state);
void ngx_http_aop_count_off(ngx_http_request_t *r);


/* Notes that a client certificate passed; the mutex is not held. */

void ngx_http_aop_clients_add(ngx_http_request_t *r, ngx_http_aop_stat_t *stat,
    const ngx_aop_result_t *result);


/*
 * ngx_http_aop_throttle_allows() is true if a line of this level about this
 * cause may be logged now, and has then the number of those that were
 * suppressed since the last one, and for how long;
 * ngx_http_aop_throttle_allows_mode() is for lines about invalid modes.  A line
 * that error_log does not want is neither logged nor counted.
 *
 * ngx_http_aop_throttle_init() gives each server a throttle, once the servers
 * have their places in the zone.
 */

ngx_uint_t ngx_http_aop_throttle_allows(ngx_http_request_t *r,
    ngx_uint_t level, ngx_aop_verdict_e verdict, ngx_aop_peer_e peer,
    ngx_uint_t *suppressed, time_t *span);
ngx_uint_t ngx_http_aop_throttle_allows_mode(ngx_http_request_t *r);
void ngx_http_aop_throttle_init(ngx_cycle_t *cycle);


/* Notes a request that was refused or would have been. */

void ngx_http_aop_failing_peers_add(ngx_http_request_t *r,
    ngx_http_aop_server_t *server, const ngx_http_aop_state_t *state,
    const ngx_http_aop_peer_t *peer, ngx_uint_t other_host);

/*
 * The URI of a request as received, without the query, which may hold secrets.
 */

ngx_str_t ngx_http_aop_failing_peers_path(ngx_http_request_t *r);


/*
 * A failing peer as the report has it.  ngx_http_aop_failing_peers_copy()
 * copies a list of a server, the most frequent first, to rows, for which there
 * has to be room for NGX_HTTP_AOP_FAILING_PEERS; returns how many there are.
 */

typedef struct {
    ngx_http_aop_failing_peer_t  peer;
    uint64_t                     missing;   /* so much the count may lack */
} ngx_http_aop_failing_row_t;

ngx_uint_t ngx_http_aop_failing_peers_copy(const ngx_http_aop_stat_t *stat,
    ngx_http_aop_failing_peers_e list, ngx_http_aop_failing_row_t *row);


/* Applies the rule to a server that is counted; "why" is the reason. */

ngx_aop_state_e ngx_http_aop_ready_state(const ngx_http_core_srv_conf_t *cscf);
void ngx_http_aop_ready(const ngx_http_aop_server_t *server,
    ngx_aop_text_t *why, ngx_aop_answer_t *answer);


/* "aop_ready" */

char *ngx_http_aop_ready_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);


/* Something that a server depends on, and that expires. */

typedef struct {
    const char             *kind;           /* "anchor", "crl" or "client" */
    const char             *subject;        /* of a CRL its issuer */
    const char             *fingerprint;    /* SHA-256, hexadecimal */
    const char             *anchor;         /* of a client certificate, or "" */
    const char             *key;            /* of a CRL "" */
    const char             *group;          /* of a client certificate, or "" */
    time_t                  not_before;
    time_t                  not_after;      /* 0: it does not end */
    time_t                  last;           /* passed, it or by it; 0: never */
    ngx_uint_t              replaced;       /* see below */
} ngx_http_aop_validity_t;


/*
 * ngx_http_aop_validity() lists what a policy depends on and the last client
 * certificates of a server (may be NULL), the next to expire first.  All of it
 * is in the pool; NULL if memory is short.
 */

ngx_array_t *ngx_http_aop_validity(ngx_pool_t *pool,
    const ngx_aop_policy_t *policy, const ngx_http_aop_stat_t *stat);


/*
 * A client certificate matters as long as its anchor is one of the policy's:
 * ngx_http_aop_validity_client_anchor() is that one, or NULL (also for a free
 * place).
 *
 * It is replaced if another one that matters has its subject and passed after
 * it: that is what a renewal looks like from here, and the end of the old one
 * is no news then.  "clients" are a copy of all of a server.
 */

const ngx_aop_anchor_t *ngx_http_aop_validity_client_anchor(
    const ngx_aop_policy_t *policy, const ngx_http_aop_client_t *client);
ngx_uint_t ngx_http_aop_validity_client_replaced(const ngx_aop_policy_t *policy,
    const ngx_http_aop_client_t *clients, const ngx_http_aop_client_t *client);


/* Whole days from now; negative once the time has passed. */

ngx_int_t ngx_http_aop_validity_days_left(time_t not_after);


/*
 * ngx_http_aop_expiry_start() logs, once, what expires soon, and
 * ngx_http_aop_expiry_watch() has the first worker watch it from then on.
 *
 * ngx_http_aop_expiry_clients() does so for the client certificates of a
 * server; it may be called from any worker.
 */

void ngx_http_aop_expiry_start(ngx_cycle_t *cycle);
void ngx_http_aop_expiry_watch(ngx_cycle_t *cycle);
void ngx_http_aop_expiry_clients(ngx_log_t *log, ngx_http_aop_server_t *server);


/* "aop_expiry_warning" and its default, NULL if memory is short */

char *ngx_http_aop_expiry_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
ngx_array_t *ngx_http_aop_expiry_default(ngx_conf_t *cf);


static ngx_inline void
ngx_http_aop_zone_recheck(ngx_http_aop_server_t *server)
{
    if (server->shared != NULL
        && server->shared->generation != server->generation)
    {
        server->shared = NULL;
    }
}


#endif /* _NGX_HTTP_AOP_STATS_H_INCLUDED_ */
