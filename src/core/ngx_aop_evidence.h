
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_EVIDENCE_H_INCLUDED_
#define _NGX_AOP_EVIDENCE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ngx_aop_top.h"
#include "ngx_aop_verdict.h"


/*
 * What a server has seen, as far as "is it safe to enforce?" depends on it:
 * sums of each hour of a day, and tables of failures.  Its size is fixed, it
 * holds no pointer, and ngx_aop_evidence_init() makes it of zeroed memory: it
 * may live in shared memory.
 *
 * If a table has no room for a failure, the time until which it counts is
 * kept.  A peer that floods the tables can add a reason for "no", but never
 * remove one.
 */

#define NGX_AOP_EVIDENCE_HOURS    24
#define NGX_AOP_EVIDENCE_HOSTS    16
#define NGX_AOP_EVIDENCE_PEERS    16
#define NGX_AOP_EVIDENCE_OTHERS   8
#define NGX_AOP_EVIDENCE_REPEATS  32

#define NGX_AOP_EVIDENCE_NAME     96
#define NGX_AOP_EVIDENCE_ADDR     48

#define NGX_AOP_EVIDENCE_DAY      86400
#define NGX_AOP_EVIDENCE_HOUR     3600

/* requests of one private address that have a row of failures of their own */

#define NGX_AOP_PRIVATE_REQUESTS  3


/*
 * Where a request comes from, for this question.  Behind a relay (an address
 * that is private by its number, and from which certificates pass, again and
 * again, in requests that carry CF-Ray) addresses mean nothing: what carries
 * CF-Ray is Cloudflare's, the rest are strangers'.
 */

typedef enum {
    NGX_AOP_FROM_CLOUDFLARE = 0,
    NGX_AOP_FROM_OTHER_HOST,    /* Cloudflare, for a host of others */
    NGX_AOP_FROM_PRIVATE,
    NGX_AOP_FROM_STRANGER,      /* behind a relay, without CF-Ray */
    NGX_AOP_FROM_DIRECT,
    NGX_AOP_FROMS
} ngx_aop_from_e;


/* Why a request was not verified. */

typedef enum {
    NGX_AOP_JUDGED = 0,
    NGX_AOP_UNJUDGED_VARIABLE,  /* the server's mode is a variable: "off" */
    NGX_AOP_UNJUDGED_LOCATION   /* the server's is "off", a location's is not */
} ngx_aop_unjudged_e;


typedef enum {
    NGX_AOP_SUM_PASSED = 0,
    NGX_AOP_SUM_FAILED = NGX_AOP_SUM_PASSED + NGX_AOP_FROMS,
    NGX_AOP_SUM_VARIABLE = NGX_AOP_SUM_FAILED + NGX_AOP_FROMS,
    NGX_AOP_SUM_VARIABLE_PRIVATE,
    NGX_AOP_SUM_LOCATION,
    NGX_AOP_SUM_LOCATION_PRIVATE,
    NGX_AOP_SUM_HANDSHAKES,     /* full, from Cloudflare, passed */
    NGX_AOP_SUM_DIRECT_RAY,     /* from other addresses, with CF-Ray */
    NGX_AOP_SUM_TOOL,           /* visits of aopctl */
    NGX_AOP_SUMS
} ngx_aop_sum_e;


/* A request.  The texts remain the caller's, and need no terminating null. */

typedef struct {
    time_t               time;
    ngx_aop_verdict_e    verdict;
    ngx_aop_peer_e       peer;          /* class of the connection's address */
    ngx_aop_unjudged_e   unjudged;      /* if so, there is no verdict */
    unsigned             generation;    /* of the policy it was judged by */
    const char          *addr;          /* of the connection */
    size_t               addr_len;
    const char          *host;          /* lower case, without port */
    size_t               host_len;
    uint64_t             request;       /* hash of path and user agent */
    unsigned             private:1;     /* by number, also if it is listed */
    unsigned             ray:1;         /* it carries CF-Ray */
    unsigned             other_host:1;  /* not a name of the server */
    unsigned             tool:1;        /* "aopctl" is in the user agent */
    unsigned             full:1;        /* its connection was not resumed */
} ngx_aop_event_t;


/*
 * What the last request of a connection that passed was, if it changed nothing
 * but sums: the next one adds to the same ones if it is like that.
 */

#define NGX_AOP_LIKE_RAY         0x01
#define NGX_AOP_LIKE_TOOL        0x02
#define NGX_AOP_LIKE_OTHER_HOST  0x04

typedef struct {
    const void          *evidence;      /* NULL: there was none */
    uint32_t            *sums;          /* of its hour */
    time_t               start;         /* of that hour */
    uint32_t             changes;
    unsigned             like:3;        /* NGX_AOP_LIKE_* */
    unsigned             full:1;
    unsigned             sum:6;
} ngx_aop_last_t;


/* A row of failures, with verdicts that outlive a policy or that do not. */

typedef enum {
    NGX_AOP_SPELL_KEPT = 0,     /* none, plaintext, misdirected, error */
    NGX_AOP_SPELL_CERTIFICATE,
    NGX_AOP_SPELLS
} ngx_aop_spell_e;

typedef struct {
    time_t               first;
    time_t               last;          /* 0: there was none */
    time_t               gap[2];        /* longest, of this half day, before */
    time_t               turn;          /* start of this half day */
} ngx_aop_spell_t;


/* A host of the server that failed from Cloudflare. */

typedef struct {
    ngx_aop_spell_t      spells[NGX_AOP_SPELLS];
    uint64_t             via;           /* hash of a private address, or 0 */
    uint32_t             verdicts[NGX_AOP_VERDICTS];
    uint32_t             passed;        /* for that host, since it failed */
    unsigned             ray:1;
    unsigned             listed:1;      /* "via" is */
    char                 name[NGX_AOP_EVIDENCE_NAME];
} ngx_aop_host_t;


/* A private address that failed, or that may be a relay. */

#define NGX_AOP_PRIVATE_SPELLS                                                \
    ((NGX_AOP_PRIVATE_REQUESTS + 1) * NGX_AOP_SPELLS)

typedef struct {
    ngx_aop_spell_t      spells[NGX_AOP_PRIVATE_SPELLS];
    uint64_t             requests[NGX_AOP_PRIVATE_REQUESTS];
    time_t               relay;         /* last passed with CF-Ray; 0: never */
    uint32_t             carried;       /* so, with no day between */
    uint32_t             own;           /* those for hosts of the server */
    uint32_t             verdicts[NGX_AOP_VERDICTS];
    uint32_t             rayed;         /* failed, with CF-Ray */
    uint32_t             unrayed;       /* failed, without */
    char                 addr[NGX_AOP_EVIDENCE_ADDR];
} ngx_aop_private_t;


/* A host of others that failed from Cloudflare. */

typedef struct {
    uint64_t             hash;          /* 0: the place is free */
    uint64_t             via;
    time_t               last;
    uint32_t             count[NGX_AOP_SPELLS];
    unsigned             ray:1;
    unsigned             listed:1;
    char                 name[NGX_AOP_EVIDENCE_NAME];
} ngx_aop_other_host_t;


/* Requests that failed through a relay, without CF-Ray, and are alike. */

typedef struct {
    ngx_aop_top_item_t   top;
    time_t               before;        /* the one before */
    time_t               shortest;      /* intervals */
    time_t               longest;
    char                 addr[NGX_AOP_EVIDENCE_ADDR];
    char                 host[NGX_AOP_EVIDENCE_ADDR];
} ngx_aop_repeat_t;


typedef struct {
    time_t               last;          /* of what had no room; 0: nothing */
    time_t               until;         /* it is not settled before that */
} ngx_aop_lost_t;


typedef struct {
    time_t               number;        /* hours since the epoch; 0: none */
    uint32_t             sums[NGX_AOP_SUMS];
} ngx_aop_hour_t;


/* What passed and failed in an hour, from Cloudflare and private addresses. */

typedef struct {
    uint64_t             passed;
    uint64_t             failed;
} ngx_aop_trend_t;


typedef struct {
    unsigned              generation;
    unsigned              log:1;        /* times are a log's, in any order */
    unsigned              disorder:1;   /* they were in another */

    time_t                since;        /* start, or change of the policy */
    time_t                first;        /* judged since then; 0: none */
    time_t                latest;

    time_t                direct;       /* last passed from FROM_DIRECT */
    time_t                unjudged[2];  /* last, Cloudflare's and private */
    uint32_t              resumed;      /* passed since unjudged[0] */

    ngx_aop_hour_t        hours[NGX_AOP_EVIDENCE_HOURS];

    uint32_t              nhosts;
    uint32_t              nprivates;

    /* another one with each change of what requests add to which sums */
    uint32_t              changes;

    /* apart from what they belong to, as each request looks for its own */

    uint64_t              host_hashes[NGX_AOP_EVIDENCE_HOSTS];   /* 0: free */
    uint64_t              private_hashes[NGX_AOP_EVIDENCE_PEERS];

    ngx_aop_host_t        hosts[NGX_AOP_EVIDENCE_HOSTS];
    ngx_aop_private_t     privates[NGX_AOP_EVIDENCE_PEERS];
    ngx_aop_other_host_t  other_hosts[NGX_AOP_EVIDENCE_OTHERS];

    ngx_aop_lost_t        lost_hosts[NGX_AOP_SPELLS];
    ngx_aop_lost_t        lost_privates[NGX_AOP_SPELLS];

    ngx_aop_top_t         repeated;
    ngx_aop_repeat_t      repeats[NGX_AOP_EVIDENCE_REPEATS];
} ngx_aop_evidence_t;


#define ngx_aop_evidence_inc(p)                                               \
    ((void) __atomic_fetch_add(p, 1, __ATOMIC_RELAXED))


/*
 * ngx_aop_evidence_init() empties it.  With "log", events may come in any
 * order; without, an event's time is the clock's, which may be set.
 *
 * ngx_aop_evidence_fast() takes an event without a lock, by relaxed atomic
 * additions: what passes from Cloudflare costs one, or two.  Returns 0 if it
 * changed nothing because the event needs more; the caller then calls
 * ngx_aop_evidence_add() under its mutex.  ngx_aop_evidence_add() takes any
 * event; where there is one thread, it is all that is needed.
 *
 * "last" (may be NULL) is set for the next request that passes on the same
 * connection: ngx_aop_evidence_again() takes that one if it is no different,
 * and returns 0 if the event is to be made of it after all.
 *
 * ngx_aop_evidence_policy() is called, under the mutex, when the certificates
 * are judged by another policy from now on.  Later events of an older
 * generation are no evidence, but for verdicts that do not depend on it.
 */

void ngx_aop_evidence_init(ngx_aop_evidence_t *evidence, time_t now, int log);

int ngx_aop_evidence_fast(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event, ngx_aop_last_t *last);
static inline int ngx_aop_evidence_again(const ngx_aop_evidence_t *evidence,
    const ngx_aop_last_t *last, time_t t, unsigned like);
void ngx_aop_evidence_add(ngx_aop_evidence_t *evidence,
    const ngx_aop_event_t *event);

void ngx_aop_evidence_policy(ngx_aop_evidence_t *evidence, time_t now);


/* Whether events from this address are a relay's. */

int ngx_aop_evidence_relay(const ngx_aop_evidence_t *evidence,
    const char *addr, size_t len);


/* The sums of the last 24 hours; returns where these began. */

time_t ngx_aop_evidence_sum(const ngx_aop_evidence_t *evidence, time_t now,
    uint64_t sums[NGX_AOP_SUMS]);

/* The last 24 hours, this one last; returns when that one began. */

time_t ngx_aop_evidence_trend(const ngx_aop_evidence_t *evidence, time_t now,
    ngx_aop_trend_t trend[NGX_AOP_EVIDENCE_HOURS]);


static inline int
ngx_aop_evidence_again(const ngx_aop_evidence_t *evidence,
    const ngx_aop_last_t *last, time_t t, unsigned like)
{
    if (last->evidence != evidence
        || last->like != like
        || (uint64_t) (t - last->start) >= NGX_AOP_EVIDENCE_HOUR
        || last->changes != __atomic_load_n(&evidence->changes,
                                            __ATOMIC_ACQUIRE))
    {
        return 0;
    }

    ngx_aop_evidence_inc(&last->sums[last->sum]);

    if (last->full) {
        ngx_aop_evidence_inc(&last->sums[NGX_AOP_SUM_HANDSHAKES]);
    }

    return 1;
}


#endif /* _NGX_AOP_EVIDENCE_H_INCLUDED_ */
