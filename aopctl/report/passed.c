
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which client certificates passed, by which anchor, and when last, so that a
 * rotation can be followed to its end.  If there are too many, the one that
 * was not seen for longest is dropped.
 */


#include <stdlib.h>
#include <string.h>

#include "passed.h"
#include "ngx_aop_text.h"


static aopctl_passed_item_t *aopctl_passed_find(aopctl_passed_t *passed,
    const aopctl_log_line_t *line);
static int aopctl_passed_is(const char *copy, size_t size,
    const aopctl_bytes_t *text);
static aopctl_passed_item_t *aopctl_passed_new(aopctl_passed_t *passed,
    const aopctl_log_line_t *line);
static void aopctl_passed_copy(char *buf, size_t size,
    const aopctl_bytes_t *text);
static int aopctl_passed_cmp(const void *one, const void *two);


void
aopctl_passed_add(aopctl_passed_t *passed, const aopctl_log_line_t *line)
{
    aopctl_passed_item_t  *item;

    item = aopctl_passed_find(passed, line);

    if (item == NULL) {
        item = aopctl_passed_new(passed, line);
    }

    item->count++;

    if (line->time < item->first) {
        item->first = line->time;
    }

    if (line->time > item->last) {
        item->last = line->time;
    }
}


static aopctl_passed_item_t *
aopctl_passed_find(aopctl_passed_t *passed, const aopctl_log_line_t *line)
{
    size_t                 i;
    aopctl_passed_item_t  *item;

    for (i = 0; i < passed->n; i++) {
        item = &passed->items[i];

        if (aopctl_passed_is(item->fingerprint, sizeof(item->fingerprint),
                             &line->fingerprint)
            && aopctl_passed_is(item->anchor, sizeof(item->anchor),
                                &line->anchor))
        {
            return item;
        }
    }

    return NULL;
}


/* Is it a copy of this text?  The common case takes no copy. */

static int
aopctl_passed_is(const char *copy, size_t size, const aopctl_bytes_t *text)
{
    char  buf[AOPCTL_PASSED_TEXT];

    if (strlen(copy) == text->len) {
        return memcmp(copy, text->data, text->len) == 0;
    }

    aopctl_passed_copy(buf, size, text);

    return strcmp(copy, buf) == 0;
}


/* A free place, or that of the item that was not seen for longest. */

static aopctl_passed_item_t *
aopctl_passed_new(aopctl_passed_t *passed, const aopctl_log_line_t *line)
{
    size_t                 i;
    aopctl_passed_item_t  *item;

    item = &passed->items[0];

    if (passed->n < AOPCTL_PASSED_MAX) {
        item = &passed->items[passed->n++];

    } else {
        for (i = 1; i < passed->n; i++) {
            if (passed->items[i].last < item->last) {
                item = &passed->items[i];
            }
        }

        passed->dropped += item->count;
    }

    aopctl_passed_copy(item->anchor, sizeof(item->anchor), &line->anchor);
    aopctl_passed_copy(item->fingerprint, sizeof(item->fingerprint),
                       &line->fingerprint);
    aopctl_passed_copy(item->subject, sizeof(item->subject), &line->subject);
    aopctl_passed_copy(item->not_after, sizeof(item->not_after),
                       &line->not_after);

    item->count = 0;
    item->first = line->time;
    item->last = line->time;

    return item;
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
