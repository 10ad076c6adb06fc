
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_TOP_H_INCLUDED_
#define _AOPCTL_TOP_H_INCLUDED_


#include <stdint.h>

#include "ngx_aop_top.h"
#include "log_line.h"


#define AOPCTL_TOP       64
#define AOPCTL_TOP_TEXT  200


typedef struct {
    ngx_aop_top_item_t  top;
    ngx_aop_verdict_e   verdict;
    ngx_aop_peer_e      peer;
    unsigned            other_host:1;
    char                text[AOPCTL_TOP_TEXT];
} aopctl_top_item_t;


/* The most frequent texts; zeroed, it is empty. */

typedef struct {
    ngx_aop_top_t       top;
    aopctl_top_item_t   items[AOPCTL_TOP];
} aopctl_top_t;


void aopctl_top_add(aopctl_top_t *top, const aopctl_log_line_t *line,
    const aopctl_bytes_t *text, unsigned other_host);

/* Sorts, the most frequent first; returns how many there are. */

size_t aopctl_top_sort(aopctl_top_t *top);

/* How many requests may be missing in each count. */

uint64_t aopctl_top_missing(const aopctl_top_t *top);


#endif /* _AOPCTL_TOP_H_INCLUDED_ */
