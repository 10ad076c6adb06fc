
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The most frequent texts of a log's failures, by verdict and class of peer. */


#include <string.h>

#include "top.h"
#include "ngx_aop_text.h"


typedef struct {
    const char               *text;
    const aopctl_log_line_t  *line;
} aopctl_top_key_t;


static int aopctl_top_same(const void *item, const void *key);


void
aopctl_top_add(aopctl_top_t *top, const aopctl_log_line_t *line,
    const aopctl_bytes_t *text, unsigned other_host)
{
    char                buf[AOPCTL_TOP_TEXT];
    size_t              n;
    uint64_t            hash;
    aopctl_top_key_t    key;
    aopctl_top_item_t  *item;

    n = ngx_aop_text_utf8(buf, sizeof(buf) - 1, text->data, text->len);
    buf[n] = '\0';

    key.text = buf;
    key.line = line;

    hash = ngx_aop_top_hash(NGX_AOP_TOP_SEED + line->verdict * NGX_AOP_PEERS
                            + line->peer, buf, n);

    item = ngx_aop_top_add(&top->top, top->items, AOPCTL_TOP,
                           sizeof(aopctl_top_item_t), hash, &key,
                           aopctl_top_same, line->time, 0);

    if (item == NULL) {
        return;
    }

    item->verdict = line->verdict;
    item->peer = line->peer;
    item->other_host = other_host;

    strcpy(item->text, buf);
}


static int
aopctl_top_same(const void *item, const void *key)
{
    const aopctl_top_key_t   *new = key;
    const aopctl_top_item_t  *old = item;

    return old->verdict == new->line->verdict
           && old->peer == new->line->peer
           && strcmp(old->text, new->text) == 0;
}


size_t
aopctl_top_sort(aopctl_top_t *top)
{
    size_t  n;

    ngx_aop_top_sort(top->items, AOPCTL_TOP, sizeof(aopctl_top_item_t));

    for (n = 0; n < AOPCTL_TOP && top->items[n].top.count != 0; n++) {
        /* void */
    }

    return n;
}


uint64_t
aopctl_top_missing(const aopctl_top_t *top)
{
    return ngx_aop_top_missing(&top->top, top->items, AOPCTL_TOP,
                               sizeof(aopctl_top_item_t));
}
