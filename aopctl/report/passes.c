
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* When requests passed, by host, to the nearest minutes. */


#include <stdlib.h>
#include <string.h>

#include "passes.h"
#include "ngx_aop_text.h"
#include "ngx_aop_top.h"


static aopctl_passes_host_t *aopctl_passes_new(aopctl_passes_t *passes,
    const char *host);
static int aopctl_passes_grow(aopctl_passes_host_t *place);
static aopctl_passes_host_t *aopctl_passes_host(const aopctl_passes_t *passes,
    const char *host);
static uint64_t aopctl_passes_hash(const char *host);


int
aopctl_passes_add(aopctl_passes_t *passes, const char *host, size_t len,
    time_t t)
{
    char                   name[sizeof(((aopctl_passes_host_t *) 0)->host)];
    size_t                 n;
    uint32_t               number;
    aopctl_passes_host_t  *place;
    aopctl_passes_slot_t  *slot;

    n = ngx_aop_text_utf8(name, sizeof(name) - 1, host, len);
    name[n] = '\0';

    place = aopctl_passes_host(passes, name);

    if (place == NULL) {

        if (passes->n == AOPCTL_PASSES_HOSTS) {
            return 1;
        }

        place = aopctl_passes_new(passes, name);

        if (place == NULL) {
            return 0;
        }
    }

    number = t / AOPCTL_PASSES_SLOT;
    slot = &place->slots[number % place->nslots];

    while (slot->count != 0
           && slot->number != number
           && place->nslots < AOPCTL_PASSES_SLOTS)
    {
        if (!aopctl_passes_grow(place)) {
            return 0;
        }

        slot = &place->slots[number % place->nslots];
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
aopctl_passes_new(aopctl_passes_t *passes, const char *host)
{
    aopctl_passes_host_t  *place;

    place = calloc(1, sizeof(aopctl_passes_host_t));

    if (place == NULL) {
        return NULL;
    }

    place->slots = calloc(AOPCTL_PASSES_FIRST, sizeof(aopctl_passes_slot_t));

    if (place->slots == NULL) {
        free(place);
        return NULL;
    }

    strcpy(place->host, host);

    place->hash = aopctl_passes_hash(host);
    place->nslots = AOPCTL_PASSES_FIRST;

    passes->hosts[passes->n++] = place;

    return place;
}


/* Times that have different slots also do among twice as many. */

static int
aopctl_passes_grow(aopctl_passes_host_t *place)
{
    size_t                 i, n;
    aopctl_passes_slot_t  *slot, *slots;

    n = place->nslots * 2;
    slots = calloc(n, sizeof(aopctl_passes_slot_t));

    if (slots == NULL) {
        return 0;
    }

    for (i = 0; i < place->nslots; i++) {
        slot = &place->slots[i];

        if (slot->count != 0) {
            slots[slot->number % n] = *slot;
        }
    }

    free(place->slots);

    place->slots = slots;
    place->nslots = n;

    return 1;
}


static aopctl_passes_host_t *
aopctl_passes_host(const aopctl_passes_t *passes, const char *host)
{
    size_t    i;
    uint64_t  hash;

    hash = aopctl_passes_hash(host);

    for (i = 0; i < passes->n; i++) {
        if (passes->hosts[i]->hash == hash
            && strcmp(passes->hosts[i]->host, host) == 0)
        {
            return passes->hosts[i];
        }
    }

    return NULL;
}


static uint64_t
aopctl_passes_hash(const char *host)
{
    return ngx_aop_top_hash(NGX_AOP_TOP_SEED, host, strlen(host));
}


uint64_t
aopctl_passes_since(const aopctl_passes_t *passes, const char *host, time_t t)
{
    size_t                 i;
    uint64_t               count;
    aopctl_passes_host_t  *place;

    place = aopctl_passes_host(passes, host);
    count = 0;

    if (place == NULL) {
        return 0;
    }

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
        free(passes->hosts[i]->slots);
        free(passes->hosts[i]);
    }
}
