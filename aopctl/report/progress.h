
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PROGRESS_H_INCLUDED_
#define _AOPCTL_PROGRESS_H_INCLUDED_


#include <sys/types.h>


typedef struct {
    off_t       total;          /* 0: not known */
    double      start;
    double      shown;          /* when it was drawn last; 0: never */
    unsigned    on:1;
} aopctl_progress_t;


/* A bar on standard error, drawn only on a terminal. */

void aopctl_progress_init(aopctl_progress_t *progress, off_t total);
void aopctl_progress(aopctl_progress_t *progress, off_t done);
void aopctl_progress_end(aopctl_progress_t *progress);


#endif /* _AOPCTL_PROGRESS_H_INCLUDED_ */
