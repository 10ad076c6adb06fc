
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PASSES_H_INCLUDED_
#define _AOPCTL_PASSES_H_INCLUDED_


#include <stdint.h>
#include <time.h>

#include "log_line.h"


/*
 * When requests for a host passed, in the last day of a log whose lines come
 * in any order: a failure may be read after the requests that passed since.
 */

#define AOPCTL_PASSES_HOSTS  64
#define AOPCTL_PASSES_SLOTS  288
#define AOPCTL_PASSES_FIRST  9      /* slots; doubled, it comes to all */
#define AOPCTL_PASSES_SLOT   300


typedef struct {
    uint32_t                number;     /* the time, in slots */
    uint32_t                count;
} aopctl_passes_slot_t;

typedef struct {
    char                    host[256];      /* lower case */
    uint64_t                hash;
    size_t                  nslots;     /* grows up to AOPCTL_PASSES_SLOTS */
    aopctl_passes_slot_t    slots[];    /* by number % nslots */
} aopctl_passes_host_t;

typedef struct {
    aopctl_passes_host_t   *hosts[AOPCTL_PASSES_HOSTS];    /* owned */
    size_t                  n;
} aopctl_passes_t;


/*
 * aopctl_passes_add() counts a request that passed; there is no place for a
 * host beyond the first ones.  Returns 0 if memory is short.
 *
 * aopctl_passes_since() is how many passed for the host after that time, at
 * least; the host may have been cut.
 */

int aopctl_passes_add(aopctl_passes_t *passes, const char *host, size_t len,
    time_t t);
uint64_t aopctl_passes_since(const aopctl_passes_t *passes, const char *host,
    time_t t);

void aopctl_passes_free(aopctl_passes_t *passes);


#endif /* _AOPCTL_PASSES_H_INCLUDED_ */
