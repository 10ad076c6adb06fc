
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which client certificates passed, by which anchor, and when last: so that a
 * rotation can be followed to its end.  Where there are more than there is room
 * for, the one that was not seen for longest goes.
 */


#include <stdlib.h>
#include <string.h>

#include "passed.h"
#include "ngx_aop_text.h"


static aopctl_passed_item_t *aopctl_passed_item(aopctl_passed_t *passed,
    const aopctl_passed_item_t *key);
static void aopctl_passed_copy(char *buf, size_t size,
    const aopctl_bytes_t *text);
static int aopctl_passed_cmp(const void *one, const void *two);


void
aopctl_passed_add(aopctl_passed_t *passed, const aopctl_entry_t *entry)
{
    aopctl_passed_item_t  *item, key;

    memset(&key, 0, sizeof(key));

    aopctl_passed_copy(key.anchor, sizeof(key.anchor), &entry->anchor);
    aopctl_passed_copy(key.fingerprint, sizeof(key.fingerprint),
                       &entry->fingerprint);

    item = aopctl_passed_item(passed, &key);

    if (item->count == 0) {
        *item = key;

        aopctl_passed_copy(item->subject, sizeof(item->subject),
                           &entry->subject);
        aopctl_passed_copy(item->not_after, sizeof(item->not_after),
                           &entry->not_after);

        item->first = entry->time;
        item->last = entry->time;
    }

    item->count++;

    if (entry->time < item->first) {
        item->first = entry->time;
    }

    if (entry->time > item->last) {
        item->last = entry->time;
    }
}


/* Its own place, a free one, or that of the one longest unseen, emptied. */

static aopctl_passed_item_t *
aopctl_passed_item(aopctl_passed_t *passed, const aopctl_passed_item_t *key)
{
    size_t                 i;
    aopctl_passed_item_t  *item, *oldest;

    oldest = &passed->items[0];

    for (i = 0; i < passed->n; i++) {
        item = &passed->items[i];

        if (strcmp(item->fingerprint, key->fingerprint) == 0
            && strcmp(item->anchor, key->anchor) == 0)
        {
            return item;
        }

        if (item->last < oldest->last) {
            oldest = item;
        }
    }

    if (passed->n < AOPCTL_PASSED_MAX) {
        return &passed->items[passed->n++];
    }

    passed->dropped += oldest->count;
    oldest->count = 0;

    return oldest;
}


static void
aopctl_passed_copy(char *buf, size_t size, const aopctl_bytes_t *text)
{
    buf[ngx_aop_text_utf8(buf, size - 1, text->data, text->len)] = '\0';
}


json_t *
aopctl_passed_json(aopctl_passed_t *passed)
{
    size_t                       i;
    json_t                      *list, *object;
    const aopctl_passed_item_t  *item;

    list = json_array();

    if (passed == NULL) {
        return list;
    }

    qsort(passed->items, passed->n, sizeof(aopctl_passed_item_t),
          aopctl_passed_cmp);

    for (i = 0; i < passed->n; i++) {
        item = &passed->items[i];
        object = json_object();

        aopctl_json_set(object, "anchor", aopctl_json_text(item->anchor));
        aopctl_json_set(object, "subject", aopctl_json_text(item->subject));
        aopctl_json_set(object, "fingerprint",
                        aopctl_json_text(item->fingerprint));
        aopctl_json_set(object, "not_after",
                        aopctl_json_text(item->not_after));
        aopctl_json_set(object, "count", json_integer(item->count));
        aopctl_json_set(object, "first", aopctl_json_time(item->first));
        aopctl_json_set(object, "last", aopctl_json_time(item->last));

        aopctl_json_append(list, object);
    }

    return list;
}


static int
aopctl_passed_cmp(const void *one, const void *two)
{
    const aopctl_passed_item_t  *first = one;
    const aopctl_passed_item_t  *second = two;

    return (first->last < second->last) - (first->last > second->last);
}
