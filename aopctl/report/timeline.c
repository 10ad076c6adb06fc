
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Counts over time, whatever time the log covers and in whatever order its
 * lines come: if the slots do not suffice, pairs of them are merged.
 */


#include <string.h>

#include "timeline.h"


static int aopctl_timeline_reach(aopctl_timeline_t *timeline, time_t slot);
static void aopctl_timeline_fold(aopctl_timeline_t *timeline);


void
aopctl_timeline_add(aopctl_timeline_t *timeline, time_t t, aopctl_time_e kind)
{
    if (timeline->n == 0) {
        timeline->width = 3600;
        timeline->first = t / timeline->width;
        timeline->n = 1;
    }

    while (!aopctl_timeline_reach(timeline, t / timeline->width)) {
        aopctl_timeline_fold(timeline);
    }

    timeline->slots[t / timeline->width - timeline->first][kind]++;
}


/* Extends the timeline to the slot; returns 0 if there is no room. */

static int
aopctl_timeline_reach(aopctl_timeline_t *timeline, time_t slot)
{
    size_t  before;

    if (slot >= timeline->first) {

        if (slot - timeline->first >= AOPCTL_TIMELINE) {
            return 0;
        }

        if (slot - timeline->first >= (time_t) timeline->n) {
            timeline->n = slot - timeline->first + 1;
        }

        return 1;
    }

    if (timeline->first - slot > (time_t) (AOPCTL_TIMELINE - timeline->n)) {
        return 0;
    }

    before = timeline->first - slot;

    memmove(&timeline->slots[before], &timeline->slots[0],
            timeline->n * sizeof(timeline->slots[0]));
    memset(&timeline->slots[0], 0, before * sizeof(timeline->slots[0]));

    timeline->first = slot;
    timeline->n += before;

    return 1;
}


static void
aopctl_timeline_fold(aopctl_timeline_t *timeline)
{
    size_t             i, kind;
    aopctl_timeline_t  folded;

    memset(&folded, 0, sizeof(aopctl_timeline_t));

    folded.width = timeline->width * 2;
    folded.first = timeline->first / 2;
    folded.n = (timeline->first + timeline->n - 1) / 2 - folded.first + 1;

    for (i = 0; i < timeline->n; i++) {
        for (kind = 0; kind < AOPCTL_TIME_KINDS; kind++) {
            folded.slots[(timeline->first + i) / 2 - folded.first][kind] +=
                                                    timeline->slots[i][kind];
        }
    }

    *timeline = folded;
}
