
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A rollout, second by second: streams of requests, each at its interval, and
 * what the answer has to be at certain times.  Beside it runs a twin server
 * that enforces: while it goes on rejecting a stream that matters, the answer
 * must not be yes.
 */


#ifndef _ROLLOUT_H_INCLUDED_
#define _ROLLOUT_H_INCLUDED_


#include <stdio.h>
#include <string.h>

#include "ngx_aop_ready.h"
#include "unit.h"


#define ROLLOUT_START    ((time_t) 1893456000)  /* 2030-01-01T00:00:00Z */
#define ROLLOUT_STREAMS  8
#define ROLLOUT_CHECKS   10
#define ROLLOUT_PEERS    16

#define MIN   60
#define HOUR  3600
#define DAY   86400

#define EDGE    "edge"
#define DIRECT  "direct"

/* flags of a stream */

#define RAY         0x001     /* with CF-Ray, which Cloudflare always sends */
#define OTHER_HOST  0x002
#define TOOL        0x004
#define RESUMED     0x008
#define LISTED      0x010     /* a private address that "aop_edge" lists */
#define VARIABLE    0x020     /* not judged */
#define LOCATION    0x040
#define OLD         0x080     /* judged by a worker of the first policy */
#define STRANGER    0x100     /* behind a relay: it does not matter */
#define RARE        0x200     /* cannot be seen by any rule when it is quiet */
#define POLICY      0x400     /* no request: another policy */
#define CLOCK       0x800     /* no request: the clock is set, by "every" */

/* a path and user agent of its own */

#define REQUEST(n)  ((unsigned) (n) << 16)


typedef struct {
    time_t              from;
    time_t              to;             /* the last may come then */
    time_t              every;          /* 0: once */
    ngx_aop_verdict_e   verdict;
    const char         *peer;           /* EDGE, DIRECT, a private address */
    const char         *host;
    unsigned            flags;
} rollout_stream_t;


typedef struct {
    time_t              at;
    ngx_aop_ready_e     ready;
    const char         *why;            /* in the reason, NULL: whatever */
    const char         *not;            /* not in it */
} rollout_check_t;


typedef struct {
    const char         *name;
    rollout_stream_t    streams[ROLLOUT_STREAMS];
    rollout_check_t     checks[ROLLOUT_CHECKS];
    ngx_aop_state_e     state;
    const char         *outdated;
    const char         *warning;
    uint64_t            requests;
    time_t              time;
} rollout_t;


/* A connection from a peer that stays open. */

typedef struct {
    const char           *peer;
    unsigned              flags;
    ngx_aop_last_t        last;
} rollout_connection_t;


typedef struct {
    ngx_aop_evidence_t    evidence;
    rollout_connection_t  connections[ROLLOUT_PEERS];
    ngx_aop_ready_conf_t  conf;
    ngx_aop_answer_t      answer;
    char                  why[2048];
    time_t                shift;        /* of the clock */
    unsigned              slow;         /* events that took the lock */
    unsigned              again;        /* no different from the last one */

    /* if "compare": the same without connections that are remembered */
    ngx_aop_evidence_t    plain;
    unsigned              compare:1;
} rollout_run_t;


static inline void
rollout_conf(rollout_run_t *run, const rollout_t *rollout)
{
    memset(&run->conf, 0, sizeof(ngx_aop_ready_conf_t));

    run->conf.requests = rollout->requests ? rollout->requests
                                           : NGX_AOP_READY_REQUESTS;
    run->conf.time = rollout->time ? rollout->time : NGX_AOP_READY_TIME;
    run->conf.state = rollout->state;
    run->conf.outdated = rollout->outdated;
    run->conf.warning = rollout->warning;
}


static inline ngx_aop_ready_e
rollout_ask(rollout_run_t *run, time_t now)
{
    ngx_aop_text_t  why;

    ngx_aop_text_init(&why, run->why, sizeof(run->why) - 1);

    (void) ngx_aop_ready(&run->evidence, &run->conf, now, &why, &run->answer);

    *why.pos = '\0';

    assert_int_equal(why.overflow, 0);

    return run->answer.ready;
}


static inline void
rollout_event(ngx_aop_event_t *event, const rollout_stream_t *stream, time_t t)
{
    memset(event, 0, sizeof(ngx_aop_event_t));

    event->time = t;
    event->verdict = stream->verdict;
    event->peer = NGX_AOP_PEER_PRIVATE;
    event->addr = stream->peer;
    event->host = stream->host ? stream->host : "";
    event->ray = (stream->flags & RAY) != 0;
    event->other_host = (stream->flags & OTHER_HOST) != 0;
    event->tool = (stream->flags & TOOL) != 0;
    event->full = !(stream->flags & RESUMED);

    /* each of a stranger's requests is another, a health check's are not */

    event->request = (stream->flags & STRANGER) ? (uint64_t) t
                                                : stream->flags >> 16;

    if (strcmp(stream->peer, EDGE) == 0) {
        event->peer = NGX_AOP_PEER_EDGE;
        event->addr = "173.245.48.9";
        event->ray = 1;

    } else if (strcmp(stream->peer, DIRECT) == 0) {
        event->peer = NGX_AOP_PEER_DIRECT;
        event->addr = "203.0.113.9";

    } else {
        event->private = 1;

        if (stream->flags & LISTED) {
            event->peer = NGX_AOP_PEER_EDGE;
        }
    }

    event->addr_len = strlen(event->addr);
    event->host_len = strlen(event->host);

    event->unjudged = (stream->flags & VARIABLE) ? NGX_AOP_UNJUDGED_VARIABLE
                      : (stream->flags & LOCATION) ? NGX_AOP_UNJUDGED_LOCATION
                      : NGX_AOP_JUDGED;
}


static inline ngx_aop_last_t *
rollout_last(rollout_run_t *run, const rollout_stream_t *stream)
{
    size_t                 i;
    unsigned               flags;
    rollout_connection_t  *connection;

    flags = stream->flags & (RESUMED|LISTED|OLD);

    for (i = 0; i < ROLLOUT_PEERS; i++) {
        connection = &run->connections[i];

        if (connection->peer == NULL) {
            connection->peer = stream->peer;
            connection->flags = flags;
        }

        if (connection->peer == stream->peer && connection->flags == flags) {
            return &connection->last;
        }
    }

    return NULL;
}


static inline int
rollout_again(rollout_run_t *run, const ngx_aop_event_t *event,
    const ngx_aop_last_t *last)
{
    unsigned  like;

    if (last == NULL
        || event->verdict != NGX_AOP_VERDICT_OK
        || event->unjudged)
    {
        return 0;
    }

    like = (event->ray ? NGX_AOP_LIKE_RAY : 0)
           | (event->tool ? NGX_AOP_LIKE_TOOL : 0)
           | (event->other_host ? NGX_AOP_LIKE_OTHER_HOST : 0);

    return ngx_aop_evidence_again(&run->evidence, last, event->time, like);
}


static inline void
rollout_feed(rollout_run_t *run, const rollout_stream_t *stream, time_t t)
{
    ngx_aop_last_t   *last;
    ngx_aop_event_t   event;

    if (stream->flags & POLICY) {
        ngx_aop_evidence_policy(&run->evidence, t);
        ngx_aop_evidence_policy(&run->plain, t);
        return;
    }

    rollout_event(&event, stream, t);

    event.generation = (stream->flags & OLD) ? 0 : run->evidence.generation;

    last = rollout_last(run, stream);

    if (rollout_again(run, &event, last)) {
        run->again++;

    } else if (!ngx_aop_evidence_fast(&run->evidence, &event, last)) {
        run->slow++;
        ngx_aop_evidence_add(&run->evidence, &event);
    }

    if (!run->compare) {
        return;
    }

    if (!ngx_aop_evidence_fast(&run->plain, &event, NULL)) {
        ngx_aop_evidence_add(&run->plain, &event);
    }
}


/* The sums that a connection's last request led to are those of the rule. */

static inline void
rollout_compare(const rollout_run_t *run)
{
    assert_memory_equal(&run->evidence, &run->plain,
                        sizeof(ngx_aop_evidence_t));
}


static inline int
rollout_comes(const rollout_stream_t *stream, time_t t)
{
    if (stream->peer == NULL && !(stream->flags & (POLICY|CLOCK))) {
        return 0;
    }

    if (stream->every == 0 || (stream->flags & CLOCK)) {
        return t == stream->from;
    }

    return t >= stream->from
           && t <= stream->to
           && (t - stream->from) % stream->every == 0;
}


/* The twin rejects it, and somebody would miss it. */

static inline int
rollout_matters(const rollout_stream_t *stream)
{
    if (stream->peer == NULL
        || stream->verdict == NGX_AOP_VERDICT_OK
        || (stream->flags & (STRANGER|TOOL|VARIABLE|LOCATION|RARE|OLD)))
    {
        return 0;
    }

    return strcmp(stream->peer, DIRECT) != 0
           && !(strcmp(stream->peer, EDGE) == 0
                && (stream->flags & OTHER_HOST));
}


static inline void
rollout_twin(rollout_run_t *run, const rollout_t *rollout, time_t t)
{
    size_t                   i;
    const rollout_stream_t  *stream;

    for (i = 0; i < ROLLOUT_STREAMS; i++) {
        stream = &rollout->streams[i];

        if (rollout_matters(stream) && t >= stream->from && t <= stream->to) {

            if (rollout_ask(run, ROLLOUT_START + t + run->shift)
                == NGX_AOP_READY_YES)
            {
                fail_msg("yes at %ld s while \"%s\" of %s is rejected: %s",
                         (long) t, ngx_aop_verdict(stream->verdict)->word,
                         stream->peer, run->why);
            }
        }
    }
}


static inline void
rollout_check(rollout_run_t *run, const rollout_check_t *check)
{
    ngx_aop_ready_e  ready;

    ready = rollout_ask(run, ROLLOUT_START + check->at + run->shift);

    if (ready != check->ready) {
        fail_msg("\"%s\" at %ld s: %s", ngx_aop_ready_word(ready),
                 (long) check->at, run->why);
    }

    if (check->why != NULL && strstr(run->why, check->why) == NULL) {
        fail_msg("\"%s\" is not in: %s", check->why, run->why);
    }

    if (check->not != NULL && strstr(run->why, check->not) != NULL) {
        fail_msg("\"%s\" is in: %s", check->not, run->why);
    }
}


static inline void
rollout_second(rollout_run_t *run, const rollout_t *rollout, time_t t)
{
    size_t                   i;
    const rollout_stream_t  *stream;

    for (i = 0; i < ROLLOUT_STREAMS; i++) {
        stream = &rollout->streams[i];

        if (!rollout_comes(stream, t)) {
            continue;
        }

        if (stream->flags & CLOCK) {
            run->shift += stream->every;
            continue;
        }

        rollout_feed(run, stream, ROLLOUT_START + t + run->shift);
    }

    if (t % MIN == 0) {
        rollout_twin(run, rollout, t);
    }
}


static inline void
rollout_case(void **state)
{
    size_t                  i;
    time_t                  t, end;
    rollout_run_t           run;
    const rollout_check_t  *check;
    const rollout_t        *rollout = *state;

    memset(&run, 0, sizeof(run));

    rollout_conf(&run, rollout);
    ngx_aop_evidence_init(&run.evidence, ROLLOUT_START, 0);

    end = 0;

    for (i = 0; i < ROLLOUT_CHECKS; i++) {
        end = (rollout->checks[i].at > end) ? rollout->checks[i].at : end;
    }

    for (t = 0; t <= end; t++) {
        rollout_second(&run, rollout, t);

        for (i = 0; i < ROLLOUT_CHECKS; i++) {
            check = &rollout->checks[i];

            if (check->at == t && (check->why || check->at)) {
                rollout_check(&run, check);
            }
        }
    }
}


#endif /* _ROLLOUT_H_INCLUDED_ */
