
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_READY_H_INCLUDED_
#define _NGX_AOP_READY_H_INCLUDED_


#include <stdint.h>
#include <time.h>

#include "ngx_aop_text.h"
#include "ngx_aop_verdict.h"


/*
 * Is it safe to enforce?  What would happen to the traffic that matters if a
 * server enforced now, told from what it judged in a window of time.
 */

typedef enum {
    NGX_AOP_READY_NO = 0,
    NGX_AOP_READY_YES,
    NGX_AOP_READY_UNKNOWN
} ngx_aop_ready_e;


typedef struct {

    /*
     * requests judged; failures whose Host is none of the server's names are
     * not among them
     */

    uint64_t     requests[NGX_AOP_VERDICTS][NGX_AOP_PEERS];

    uint64_t     foreign[NGX_AOP_PEERS];    /* those failures */

    /* passed from the edge, but for such a Host: they are no evidence */
    uint64_t     elsewhere;

    uint64_t     handshakes;        /* full ones, from the edge */
    unsigned     outdated:1;        /* an anchor or CRL is out of its dates */

    /* of what failed from the edge or from private addresses, for "why" */

    const char  *hosts;             /* may be NULL */
    time_t       last;              /* 0: not known */
} ngx_aop_window_t;


/* A server needs that many judged requests from the edge to be told "yes". */

#define NGX_AOP_READY_MIN  100


/* Returns the answer, and writes to why, in one sentence, what it rests on. */

ngx_aop_ready_e ngx_aop_ready(const ngx_aop_window_t *window,
    ngx_aop_text_t *why);

/* "no", "yes" or "unknown" */

const char *ngx_aop_ready_word(ngx_aop_ready_e ready);


#endif /* _NGX_AOP_READY_H_INCLUDED_ */
