
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_TIMELINE_H_INCLUDED_
#define _AOPCTL_TIMELINE_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <time.h>


#define AOPCTL_TIMELINE  24


typedef enum {
    AOPCTL_TIME_PASSED = 0,
    AOPCTL_TIME_FAILED,             /* from the edge or a private address */
    AOPCTL_TIME_FAILED_DIRECT,
    AOPCTL_TIME_KINDS
} aopctl_time_e;


/* Counts over time; zeroed, it is empty. */

typedef struct {
    time_t      width;              /* seconds of a slot */
    time_t      first;              /* the first slot starts at first * width */
    size_t      n;
    uint64_t    slots[AOPCTL_TIMELINE][AOPCTL_TIME_KINDS];
} aopctl_timeline_t;


void aopctl_timeline_add(aopctl_timeline_t *timeline, time_t t,
    aopctl_time_e kind);


#endif /* _AOPCTL_TIMELINE_H_INCLUDED_ */
