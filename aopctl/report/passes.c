
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* When requests passed, by host, to the nearest minutes. */


#include <stdlib.h>
#include <string.h>

#include "passes.h"
#include "ngx_aop_text.h"


static aopctl_passes_host_t *aopctl_passes_host(const aopctl_passes_t *passes,
    const char *host);


int
aopctl_passes_add(aopctl_passes_t *passes, const char *host, size_t len,
    time_t t)
{
    char                   name[sizeof(((aopctl_passes_host_t *) 0)->host)];
    size_t                 n;
    time_t                 number;
    aopctl_passes_host_t  *place;

    n = ngx_aop_text_utf8(name, sizeof(name) - 1, host, len);
    name[n] = '\0';

    place = aopctl_passes_host(passes, name);

    if (place == NULL) {

        if (passes->n == AOPCTL_PASSES_HOSTS) {
            return 1;
        }

        place = calloc(1, sizeof(aopctl_passes_host_t));

        if (place == NULL) {
            return 0;
        }

        strcpy(place->host, name);
        passes->hosts[passes->n++] = place;
    }

    number = t / AOPCTL_PASSES_SLOT;
    n = number % AOPCTL_PASSES_SLOTS;

    if (place->numbers[n] < number) {
        place->numbers[n] = number;
        place->counts[n] = 0;
    }

    if (place->numbers[n] == number) {
        place->counts[n]++;
    }

    return 1;
}


static aopctl_passes_host_t *
aopctl_passes_host(const aopctl_passes_t *passes, const char *host)
{
    size_t  i;

    for (i = 0; i < passes->n; i++) {
        if (strcmp(passes->hosts[i]->host, host) == 0) {
            return passes->hosts[i];
        }
    }

    return NULL;
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

    for (i = 0; i < AOPCTL_PASSES_SLOTS; i++) {
        if (place->numbers[i] > t / AOPCTL_PASSES_SLOT) {
            count += place->counts[i];
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
