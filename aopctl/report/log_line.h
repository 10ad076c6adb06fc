
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_LOG_LINE_H_INCLUDED_
#define _AOPCTL_LOG_LINE_H_INCLUDED_


#include <time.h>
#include <jansson.h>

#include "ngx_aop_verdict.h"


typedef struct {
    const char         *data;
    size_t              len;
} aopctl_bytes_t;


typedef enum {
    AOPCTL_OUTCOME_OFF = 0,             /* not verified */
    AOPCTL_OUTCOME_PASSED,
    AOPCTL_OUTCOME_WOULD_BE_REFUSED,
    AOPCTL_OUTCOME_REFUSED
} aopctl_outcome_e;


/* A line of a log in the format "aop_json". */

typedef struct {
    json_t             *json;       /* owned; the texts are its */
    time_t              time;
    aopctl_outcome_e    outcome;
    ngx_aop_verdict_e   verdict;    /* of verified requests */
    ngx_aop_peer_e      peer;       /* if it is known */
    unsigned            full:1;     /* on a connection that was not resumed */
    aopctl_bytes_t      server;
    aopctl_bytes_t      mode;
    aopctl_bytes_t      origin;     /* these three may be empty */
    aopctl_bytes_t      mode_from;
    aopctl_bytes_t      ray;
    aopctl_bytes_t      addr;
    aopctl_bytes_t      host;
    aopctl_bytes_t      path;
    aopctl_bytes_t      agent;
    aopctl_bytes_t      tls;        /* the version; may be empty */

    /* of what passed; empty if the line has none */
    aopctl_bytes_t      anchor;
    aopctl_bytes_t      subject;
    aopctl_bytes_t      fingerprint;
    aopctl_bytes_t      not_after;
} aopctl_log_line_t;


typedef enum {
    AOPCTL_LOG_LINE_OK = 0,
    AOPCTL_LOG_LINE_OTHER,         /* of another log format, or empty */
    AOPCTL_LOG_LINE_DAMAGED        /* nothing to be freed in these two */
} aopctl_log_line_e;


/* The line may be wrapped by Docker, Kubernetes, syslog or journald. */

aopctl_log_line_e aopctl_log_line_parse(aopctl_log_line_t *line,
    const char *text, size_t len);
void aopctl_log_line_free(aopctl_log_line_t *line);


/* Reads a time of ISO 8601; returns 0 if it is not one. */

int aopctl_log_line_time(const char *text, time_t *t);


#endif /* _AOPCTL_LOG_LINE_H_INCLUDED_ */
