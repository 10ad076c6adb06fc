
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The most frequent texts of a stream, in a list of fixed length, by the
 * "space-saving" algorithm (Metwally, Agrawal, El Abbadi, 2005): a new one
 * takes the place of the least frequent, and its count.
 */


#include <stdlib.h>
#include <string.h>

#include "top.h"
#include "ngx_aop_text.h"


static aopctl_top_item_t *aopctl_top_place(aopctl_top_t *top, uint64_t hash,
    const char *text, const aopctl_log_line_t *line);
static uint64_t aopctl_top_hash(const char *text, uint64_t seed);
static int aopctl_top_cmp(const void *one, const void *two);


void
aopctl_top_add(aopctl_top_t *top, const aopctl_log_line_t *line,
    const aopctl_bytes_t *text, unsigned foreign)
{
    char                buf[AOPCTL_TOP_TEXT];
    size_t              n;
    uint64_t            hash;
    aopctl_top_item_t  *item;

    n = ngx_aop_text_utf8(buf, sizeof(buf) - 1, text->data, text->len);
    buf[n] = '\0';

    hash = aopctl_top_hash(buf, line->verdict * NGX_AOP_PEERS + line->peer);

    item = aopctl_top_place(top, hash, buf, line);

    item->count++;
    item->foreign = foreign;

    if (item->first == 0 || line->time < item->first) {
        item->first = line->time;
    }

    if (line->time > item->last) {
        item->last = line->time;
    }
}


static aopctl_top_item_t *
aopctl_top_place(aopctl_top_t *top, uint64_t hash, const char *text,
    const aopctl_log_line_t *line)
{
    size_t              i;
    uint64_t            count;
    aopctl_top_item_t  *item, *least;

    least = top->items;

    for (i = 0; i < top->n; i++) {
        item = &top->items[i];

        if (item->hash == hash
            && item->verdict == line->verdict
            && item->peer == line->peer
            && strcmp(item->text, text) == 0)
        {
            return item;
        }

        if (item->count < least->count) {
            least = item;
        }
    }

    if (top->n < AOPCTL_TOP) {
        least = &top->items[top->n++];
    }

    count = least->count;

    memset(least, 0, sizeof(aopctl_top_item_t));

    least->hash = hash;
    least->count = count;
    least->error = count;
    least->verdict = line->verdict;
    least->peer = line->peer;

    strcpy(least->text, text);

    return least;
}


/* FNV-1a; who finds two texts of one hash gains nothing by it */

static uint64_t
aopctl_top_hash(const char *text, uint64_t seed)
{
    uint64_t  hash;

    hash = 0xcbf29ce484222325u ^ seed;

    for ( /* void */ ; *text; text++) {
        hash = (hash ^ (unsigned char) *text) * 0x100000001b3u;
    }

    return hash;
}


void
aopctl_top_sort(aopctl_top_t *top)
{
    qsort(top->items, top->n, sizeof(aopctl_top_item_t), aopctl_top_cmp);
}


static int
aopctl_top_cmp(const void *one, const void *two)
{
    const aopctl_top_item_t  *first = one;
    const aopctl_top_item_t  *second = two;

    if (first->count != second->count) {
        return (first->count < second->count) ? 1 : -1;
    }

    return strcmp(first->text, second->text);
}
