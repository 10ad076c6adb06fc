
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_TOP_H_INCLUDED_
#define _NGX_AOP_TOP_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <time.h>


/*
 * The most frequent items of a stream, in a list of fixed length.  Its memory
 * is the caller's: an array of structures that begin with an
 * ngx_aop_top_item_t.  Zeroed, it is empty, and it holds no pointer.
 *
 * A count begins when the item comes into the list, so that it is never too
 * high; it is too low by at most ngx_aop_top_missing().
 */

typedef struct {
    uint64_t        hash;
    uint64_t        count;      /* 0: the place is free */
    uint64_t        weight;     /* what the item is compared by */
    time_t          first;
    time_t          last;
} ngx_aop_top_item_t;

typedef struct {
    uint64_t        total;      /* of all items, also those not in the list */
} ngx_aop_top_t;


typedef int (*ngx_aop_top_same_pt)(const void *item, const void *key);


/*
 * ngx_aop_top_add() counts an item; NULL if it is not in the list.  If its
 * count is 1 then, the rest of the structure is zeroed, for the caller to
 * fill.  An item that was last seen "stale" seconds ago gives its place away;
 * with 0 none does.  Times may come in any order.
 */

void *ngx_aop_top_add(ngx_aop_top_t *top, void *items, size_t n, size_t size,
    uint64_t hash, const void *key, ngx_aop_top_same_pt same, time_t t,
    time_t stale);

/* How many requests are of no item in the list. */

uint64_t ngx_aop_top_missing(const ngx_aop_top_t *top, const void *items,
    size_t n, size_t size);

/* Sorts, the most frequent first, and free places last. */

void ngx_aop_top_sort(void *items, size_t n, size_t size);


/* A hash of a text, and of one that goes on from another's. */

#define NGX_AOP_TOP_SEED  0xcbf29ce484222325u

uint64_t ngx_aop_top_hash(uint64_t seed, const char *text, size_t len);

/* That hash, but never 0. */

uint64_t ngx_aop_top_key(const char *text, size_t len);


#endif /* _NGX_AOP_TOP_H_INCLUDED_ */
