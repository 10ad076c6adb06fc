
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* A progress bar, on a terminal only. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "progress.h"


#define AOPCTL_PROGRESS_WIDTH  30


static double aopctl_progress_now(void);


void
aopctl_progress_init(aopctl_progress_t *progress, off_t total)
{
    const char  *term;

    term = getenv("TERM");

    progress->total = total;
    progress->start = aopctl_progress_now();
    progress->shown = 0;
    progress->on = isatty(STDERR_FILENO) && term != NULL
                   && strcmp(term, "dumb") != 0;
}


void
aopctl_progress(aopctl_progress_t *progress, off_t done)
{
    int     filled;
    char    bar[AOPCTL_PROGRESS_WIDTH + 1];
    double  now, share, speed;

    if (!progress->on) {
        return;
    }

    now = aopctl_progress_now();

    if (now - progress->shown < 0.1) {
        return;
    }

    progress->shown = now;

    speed = (now > progress->start)
            ? (double) done / 1e6 / (now - progress->start) : 0;

    /* the size of what comes through a pipe is not known */

    if (progress->total <= 0) {
        fprintf(stderr, "\r%.0f MB, %.0f MB/s\033[K", (double) done / 1e6,
                speed);
        return;
    }

    share = (double) done / (double) progress->total;

    if (share > 1) {
        share = 1;
    }

    filled = (int) (share * AOPCTL_PROGRESS_WIDTH);

    memset(bar, '.', AOPCTL_PROGRESS_WIDTH);
    memset(bar, '#', filled);
    bar[AOPCTL_PROGRESS_WIDTH] = '\0';

    fprintf(stderr, "\r[%s] %3.0f%%, %.0f MB/s\033[K", bar, share * 100,
            speed);
}


void
aopctl_progress_end(aopctl_progress_t *progress)
{
    if (progress->shown > 0) {
        fputs("\r\033[K", stderr);
    }
}


static double
aopctl_progress_now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (double) ts.tv_sec + (double) ts.tv_nsec / 1e9;
}
