
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * No count is higher than what came, or lower than that by more than what is
 * said to be missing; no text is in a list twice.
 */


#include "ngx_aop_top.h"
#include "fuzz.h"


#define FUZZ_TOP   4
#define FUZZ_KEYS  32


typedef struct {
    ngx_aop_top_item_t  top;
    unsigned            key;
} fuzz_item_t;


static int
fuzz_same(const void *item, const void *key)
{
    return ((const fuzz_item_t *) item)->key == *(const unsigned *) key;
}


static void
fuzz_list(fuzz_item_t *items, ngx_aop_top_t *top, const uint64_t *real)
{
    size_t    i;
    uint64_t  missing;
    unsigned  seen;

    seen = 0;
    missing = ngx_aop_top_missing(top, items, FUZZ_TOP, sizeof(fuzz_item_t));

    for (i = 0; i < FUZZ_TOP; i++) {

        if (items[i].top.count == 0) {
            continue;
        }

        fuzz_check(items[i].top.count <= real[items[i].key]);
        fuzz_check(items[i].top.count + missing >= real[items[i].key]);
        fuzz_check(items[i].top.weight >= items[i].top.count);
        fuzz_check(items[i].top.first <= items[i].top.last);
        fuzz_check((seen & 1u << items[i].key) == 0);

        seen |= 1u << items[i].key;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    time_t         t;
    uint64_t       real[FUZZ_KEYS];
    unsigned       key;
    fuzz_item_t    items[FUZZ_TOP], *item;
    ngx_aop_top_t  top;
    fuzz_input_t   in;

    in.data = data;
    in.size = size;

    memset(real, 0, sizeof(real));
    memset(items, 0, sizeof(items));
    memset(&top, 0, sizeof(top));

    while (in.size) {
        key = fuzz_byte(&in) % FUZZ_KEYS;
        t = FUZZ_NOW + fuzz_byte(&in);

        item = ngx_aop_top_add(&top, items, FUZZ_TOP, sizeof(fuzz_item_t),
                               key / 4, &key, fuzz_same, t,
                               (data[0] & 1) ? 100 : 0);

        if (item != NULL && item->top.count == 1) {
            fuzz_check(item->key == 0);
            item->key = key;
        }

        real[key]++;

        fuzz_list(items, &top, real);
    }

    ngx_aop_top_sort(items, FUZZ_TOP, sizeof(fuzz_item_t));
    fuzz_list(items, &top, real);

    for (key = 1; key < FUZZ_TOP; key++) {
        fuzz_check(items[key - 1].top.count >= items[key].top.count);
    }

    return 0;
}
