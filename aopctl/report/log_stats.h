
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_LOG_STATS_H_INCLUDED_
#define _AOPCTL_LOG_STATS_H_INCLUDED_


#include "ngx_aop_ready.h"
#include "ngx_aop_name.h"
#include "passed.h"
#include "passes.h"
#include "timeline.h"
#include "top.h"


#define AOPCTL_SERVERS  256
#define AOPCTL_NAME     256
#define AOPCTL_NAMES    256


typedef enum {
    AOPCTL_TOP_ADDRESSES = 0,
    AOPCTL_TOP_HOSTS,
    AOPCTL_TOP_PATHS,
    AOPCTL_TOP_AGENTS,
    AOPCTL_TOPS
} aopctl_top_e;


typedef struct {
    char                name[AOPCTL_NAME];
    char                origin[AOPCTL_NAME];    /* the host; may be empty */
    uint64_t            hash;           /* of both */
    char                mode[16];       /* of the last verified request */
    unsigned            modes;          /* of all: 1 << ngx_aop_mode_e */
    time_t              first;          /* of verified requests; 0: none */
    time_t              last;
    uint64_t            outcomes[AOPCTL_OUTCOME_REFUSED + 1];
    uint64_t            requests[NGX_AOP_VERDICTS][NGX_AOP_PEERS];
    aopctl_timeline_t   timeline;

    ngx_aop_evidence_t  evidence;
    aopctl_passes_t     passes;
    time_t              seen;           /* the last line, verified or not */
    unsigned            partly:1;       /* a variable or location decided */
    unsigned            classical:1;    /* Cloudflare's, without TLS 1.3 */

    /* failures from the edge and private addresses; owned, NULL if none */
    aopctl_top_t       *tops;           /* [AOPCTL_TOPS] */

    aopctl_passed_t    *passed;         /* owned, NULL if nothing did */
} aopctl_server_t;


/* What a log says, in memory that does not depend on its size. */

typedef struct {
    aopctl_server_t    *servers[AOPCTL_SERVERS];    /* owned */
    size_t              nservers;
    time_t              since;          /* earlier lines are passed over */
    ngx_aop_ready_conf_t  conf;

    /* names of the servers, borrowed; without any, all hosts are theirs */
    ngx_aop_name_t      names[AOPCTL_NAMES];
    size_t              nnames;

    /* the servers to look at, borrowed; without any, all */
    const char         *only[AOPCTL_NAMES];
    size_t              nonly;

    time_t              first;
    time_t              last;
    uint64_t            lines;
    uint64_t            damaged;
    uint64_t            other;
    uint64_t            before;         /* "since" */
    uint64_t            other_servers;      /* not of "only" */
    unsigned            unread:1;       /* not all could be read */
    uint64_t            outcomes[AOPCTL_OUTCOME_REFUSED + 1];
} aopctl_log_stats_t;


/* Counts a line.  Returns 0 if memory is short. */

int aopctl_log_stats_line(aopctl_log_stats_t *stats, const char *text,
    size_t len);

void aopctl_log_stats_free(aopctl_log_stats_t *stats);


/*
 * aopctl_log_stats_answer() applies the rule to a server, at the time of its
 * origin's last line, which aopctl_log_stats_end() returns.
 */

ngx_aop_ready_e aopctl_log_stats_answer(const aopctl_log_stats_t *stats,
    aopctl_server_t *server, ngx_aop_text_t *why, ngx_aop_answer_t *answer);
time_t aopctl_log_stats_end(const aopctl_log_stats_t *stats,
    const aopctl_server_t *server);


#endif /* _AOPCTL_LOG_STATS_H_INCLUDED_ */
