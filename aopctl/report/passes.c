
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* When requests passed, by host, to the nearest minutes. */


#include <stdlib.h>
#include <string.h>

#include "passes.h"
#include "ngx_aop_text.h"
#include "ngx_aop_top.h"


static aopctl_passes_host_t *aopctl_passes_new(const char *host, size_t nslots);
static aopctl_passes_host_t *aopctl_passes_grow(
    const aopctl_passes_host_t *place);
static size_t aopctl_passes_host(const aopctl_passes_t *passes,
    const char *host);
static uint64_t aopctl_passes_hash(const char *host);


int
aopctl_passes_add(aopctl_passes_t *passes, const char *host, size_t len,
    time_t t)
{
    char                   name[sizeof(((aopctl_passes_host_t *) 0)->host)];
    size_t                 i, n;
    uint32_t               number;
    aopctl_passes_host_t  *place;
    aopctl_passes_slot_t  *slot;

    n = ngx_aop_text_utf8(name, sizeof(name) - 1, host, len);
    name[n] = '\0';

    i = aopctl_passes_host(passes, name);

    if (i == AOPCTL_PASSES_HOSTS) {
        return 1;
    }

    if (i == passes->n) {
        passes->hosts[i] = aopctl_passes_new(name, AOPCTL_PASSES_FIRST);

        if (passes->hosts[i] == NULL) {
            return 0;
        }

        passes->n++;
    }

    number = t / AOPCTL_PASSES_SLOT;

    for ( ;; ) {
        slot = &passes->hosts[i]->slots[number % passes->hosts[i]->nslots];

        if (slot->count == 0
            || slot->number == number
            || passes->hosts[i]->nslots == AOPCTL_PASSES_SLOTS)
        {
            break;
        }

        place = aopctl_passes_grow(passes->hosts[i]);

        if (place == NULL) {
            return 0;
        }

        free(passes->hosts[i]);
        passes->hosts[i] = place;
    }

    if (slot->number < number) {
        slot->number = number;
        slot->count = 0;
    }

    if (slot->number == number) {
        slot->count++;
    }

    return 1;
}


static aopctl_passes_host_t *
aopctl_passes_new(const char *host, size_t nslots)
{
    aopctl_passes_host_t  *place;

    place = calloc(1, sizeof(aopctl_passes_host_t)
                      + nslots * sizeof(aopctl_passes_slot_t));

    if (place != NULL) {
        strcpy(place->host, host);

        place->hash = aopctl_passes_hash(host);
        place->nslots = nslots;
    }

    return place;
}


/* Times that have different slots also do among twice as many. */

static aopctl_passes_host_t *
aopctl_passes_grow(const aopctl_passes_host_t *place)
{
    size_t                 i;
    aopctl_passes_host_t  *grown;

    grown = aopctl_passes_new(place->host, place->nslots * 2);

    if (grown == NULL) {
        return NULL;
    }

    for (i = 0; i < place->nslots; i++) {

        if (place->slots[i].count != 0) {
            grown->slots[place->slots[i].number % grown->nslots]
                                                            = place->slots[i];
        }
    }

    return grown;
}


/* Its index, or that of the next one. */

static size_t
aopctl_passes_host(const aopctl_passes_t *passes, const char *host)
{
    size_t    i;
    uint64_t  hash;

    hash = aopctl_passes_hash(host);

    for (i = 0; i < passes->n; i++) {
        if (passes->hosts[i]->hash == hash
            && strcmp(passes->hosts[i]->host, host) == 0)
        {
            break;
        }
    }

    return i;
}


static uint64_t
aopctl_passes_hash(const char *host)
{
    return ngx_aop_top_hash(NGX_AOP_TOP_SEED, host, strlen(host));
}


uint64_t
aopctl_passes_since(const aopctl_passes_t *passes, const char *host, time_t t)
{
    size_t                       i;
    uint64_t                     count;
    const aopctl_passes_host_t  *place;

    i = aopctl_passes_host(passes, host);

    if (i == passes->n) {
        return 0;
    }

    place = passes->hosts[i];
    count = 0;

    for (i = 0; i < place->nslots; i++) {
        if (place->slots[i].number > t / AOPCTL_PASSES_SLOT) {
            count += place->slots[i].count;
        }
    }

    return count;
}


void
aopctl_passes_free(aopctl_passes_t *passes)
{
    size_t  i;

    for (i = 0; i < passes->n; i++) {
        free(passes->hosts[i]);
    }
}
