
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_READY_H_INCLUDED_
#define _NGX_AOP_READY_H_INCLUDED_


#include <stdint.h>
#include <time.h>

#include "ngx_aop_evidence.h"
#include "ngx_aop_text.h"


/*
 * Is it safe to enforce?  What would happen to the traffic that matters if a
 * server enforced now, judged by what it saw in a window of time.
 */

typedef enum {
    NGX_AOP_READY_NO = 0,
    NGX_AOP_READY_YES,
    NGX_AOP_READY_UNKNOWN
} ngx_aop_ready_e;


/* The rule's numbers, if the configuration has no others. */

#define NGX_AOP_READY_REQUESTS  100
#define NGX_AOP_READY_TIME      3600


typedef enum {
    NGX_AOP_STATE_OBSERVING = 0,
    NGX_AOP_STATE_PARTLY,       /* a variable, or locations, decide */
    NGX_AOP_STATE_ENFORCED
} ngx_aop_state_e;


/* The input of the rule, besides the evidence. */

typedef struct {
    uint64_t            requests;
    time_t              time;
    time_t              ahead;          /* added to times that are printed */
    ngx_aop_state_e     state;

    /* texts such as "CN=Old CA expired on 2030-01-01T00:00:00Z", or NULL */

    const char         *outdated;       /* no certificate can pass */
    const char         *warning;        /* others still can */
    unsigned            classical:1;    /* no post-quantum signatures here */
} ngx_aop_ready_conf_t;


/* The part of the rule that gave the answer, in its order. */

typedef enum {
    NGX_AOP_CAUSE_OUTDATED = 0,
    NGX_AOP_CAUSE_FAILED,
    NGX_AOP_CAUSE_DIRECT,
    NGX_AOP_CAUSE_UNJUDGED,
    NGX_AOP_CAUSE_REPEATED,
    NGX_AOP_CAUSE_TRAFFIC,
    NGX_AOP_CAUSE_NONE
} ngx_aop_cause_e;


typedef struct {
    ngx_aop_ready_e     ready;
    ngx_aop_cause_e     cause;
    time_t              since;          /* start, or change of the policy */
    time_t              from;           /* what the sums look back on */
    uint64_t            sums[NGX_AOP_SUMS];
    ngx_aop_trend_t     trend[NGX_AOP_EVIDENCE_HOURS];
    time_t              hour;           /* when the last of these began */

    /* of failures that are not settled */

    uint64_t            failed;         /* from Cloudflare */
    uint64_t            failed_private;
    uint64_t            none;           /* from Cloudflare, "none" */
    time_t              last;
    time_t              settles;        /* the last of them; 0: there is none */
    uint64_t            missing;        /* requests that have to pass, too */
    ngx_aop_verdict_e   verdict;        /* the worst: Cloudflare's first */
    ngx_aop_peer_e      peer;           /* its class: edge or private */

    unsigned            relay:1;        /* an address hides others */
    unsigned            suspected:1;    /* or may do so */
    unsigned            classical:1;    /* no post-quantum signatures here */
    const char         *hint;           /* what to do; NULL if nothing */
} ngx_aop_answer_t;


/*
 * ngx_aop_ready() is the rule: could a server with this evidence enforce at
 * that time without rejecting what matters?  It writes the reason to why, in
 * plain English, and fills the answer, which does not depend on the room for
 * the text.
 */

ngx_aop_ready_e ngx_aop_ready(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_text_t *why,
    ngx_aop_answer_t *answer);

/* Writes that reason; ngx_aop_ready() has called it. */

void ngx_aop_why(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now,
    const ngx_aop_answer_t *answer, ngx_aop_text_t *why);


/*
 * What to do about requests of that verdict and class of peer, NULL for "ok".
 * Where an address hides others, no hint says to let it in.
 */

const char *ngx_aop_ready_hint(const ngx_aop_answer_t *answer,
    ngx_aop_verdict_e verdict, ngx_aop_peer_e peer);


/* "observing", "partly" or "enforced" */

const char *ngx_aop_ready_state_word(ngx_aop_state_e state);

/* "no", "yes" or "unknown" */

const char *ngx_aop_ready_word(ngx_aop_ready_e ready);


#endif /* _NGX_AOP_READY_H_INCLUDED_ */
