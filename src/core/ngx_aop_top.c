
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which items are frequent?  A new one takes the place of the least frequent
 * only sometimes: the more frequent that one is, the less often ("randomized
 * admission", Ben Basat, Einziger, Friedman, and Kassner, 2017).  So a million
 * items that come once cannot push out those that come again, as they can
 * where each new one is let in (the "space-saving" algorithm).
 */


#include <stdlib.h>
#include <string.h>

#include "ngx_aop_top.h"


static ngx_aop_top_item_t *ngx_aop_top_place(const ngx_aop_top_t *top,
    unsigned char *items, size_t n, size_t size, time_t t, time_t stale);
static int ngx_aop_top_stale(const ngx_aop_top_item_t *item, time_t t,
    time_t stale);
static uint64_t ngx_aop_top_random(uint64_t n);
static int ngx_aop_top_cmp(const void *one, const void *two);


#define ngx_aop_top_item(items, size, i)                                      \
    ((ngx_aop_top_item_t *) (void *) ((unsigned char *) (items) + (i) * (size)))


void *
ngx_aop_top_add(ngx_aop_top_t *top, void *items, size_t n, size_t size,
    uint64_t hash, const void *key, ngx_aop_top_same_pt same, time_t t,
    time_t stale)
{
    size_t               i;
    uint64_t             weight;
    ngx_aop_top_item_t  *item;

    top->total++;

    for (i = 0; i < n; i++) {
        item = ngx_aop_top_item(items, size, i);

        if (item->count != 0 && item->hash == hash && same(item, key)) {
            item->first = (t < item->first) ? t : item->first;
            item->last = (t > item->last) ? t : item->last;
            item->weight++;
            item->count++;

            return item;
        }
    }

    item = ngx_aop_top_place(top, items, n, size, t, stale);

    if (item == NULL) {
        return NULL;
    }

    weight = ngx_aop_top_stale(item, t, stale) ? 0 : item->weight;

    memset(item, 0, size);

    item->hash = hash;
    item->weight = weight + 1;
    item->count = 1;
    item->first = t;
    item->last = t;

    return item;
}


/* One that is free or stale, or that of the least frequent, by chance. */

static ngx_aop_top_item_t *
ngx_aop_top_place(const ngx_aop_top_t *top, unsigned char *items, size_t n,
    size_t size, time_t t, time_t stale)
{
    size_t               i;
    ngx_aop_top_item_t  *item, *least;

    least = NULL;

    for (i = 0; i < n; i++) {
        item = ngx_aop_top_item(items, size, i);

        if (item->count == 0 || ngx_aop_top_stale(item, t, stale)) {
            return item;
        }

        if (least == NULL || item->weight < least->weight) {
            least = item;
        }
    }

    if (least == NULL
        || ngx_aop_top_random(top->total) % (least->weight + 1) != 0)
    {
        return NULL;
    }

    return least;
}


static int
ngx_aop_top_stale(const ngx_aop_top_item_t *item, time_t t, time_t stale)
{
    return item->count != 0 && stale != 0 && t - item->last >= stale;
}


/*
 * The n-th number of a fixed sequence (the mixing of SplitMix64): nobody gains
 * by knowing which of a million comes into the list.
 */

static uint64_t
ngx_aop_top_random(uint64_t n)
{
    n *= 0x9e3779b97f4a7c15u;
    n = (n ^ (n >> 30)) * 0xbf58476d1ce4e5b9u;
    n = (n ^ (n >> 27)) * 0x94d049bb133111ebu;

    return n ^ (n >> 31);
}


uint64_t
ngx_aop_top_missing(const ngx_aop_top_t *top, const void *items, size_t n,
    size_t size)
{
    size_t    i;
    uint64_t  sum;

    sum = 0;

    for (i = 0; i < n; i++) {
        sum += ngx_aop_top_item(items, size, i)->count;
    }

    return (sum < top->total) ? top->total - sum : 0;
}


void
ngx_aop_top_sort(void *items, size_t n, size_t size)
{
    qsort(items, n, size, ngx_aop_top_cmp);
}


static int
ngx_aop_top_cmp(const void *one, const void *two)
{
    const ngx_aop_top_item_t  *first = one;
    const ngx_aop_top_item_t  *second = two;

    if (first->count != second->count) {
        return (first->count < second->count) ? 1 : -1;
    }

    if (first->last != second->last) {
        return (first->last < second->last) ? 1 : -1;
    }

    return (first->hash < second->hash) - (first->hash > second->hash);
}


/* FNV-1a; items are compared, too, so that two with one hash stay apart. */

uint64_t
ngx_aop_top_hash(uint64_t seed, const char *text, size_t len)
{
    while (len--) {
        seed = (seed ^ (unsigned char) *text++) * 0x100000001b3u;
    }

    return seed;
}


uint64_t
ngx_aop_top_key(const char *text, size_t len)
{
    uint64_t  hash;

    hash = ngx_aop_top_hash(NGX_AOP_TOP_SEED, text, len);

    return hash ? hash : 1;
}
