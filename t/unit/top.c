
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What is frequent stays in the list, whatever comes once beside it, and no
 * count is ever too high.
 */


#include <stdio.h>
#include <string.h>

#include "ngx_aop_top.h"
#include "unit.h"


#define TOP   8
#define DAY   86400


typedef struct {
    ngx_aop_top_item_t  top;
    char                text[32];
} item_t;


static item_t         items[TOP];
static ngx_aop_top_t  top;


static int
same(const void *item, const void *key)
{
    return strcmp(((const item_t *) item)->text, key) == 0;
}


static item_t *
add_hash(uint64_t hash, const char *text, time_t t, time_t stale)
{
    item_t  *item;

    item = ngx_aop_top_add(&top, items, TOP, sizeof(item_t), hash, text, same,
                           t, stale);

    if (item != NULL && item->top.count == 1) {
        assert_string_equal(item->text, "");
        strcpy(item->text, text);
    }

    return item;
}


static item_t *
add(const char *text, time_t t)
{
    return add_hash(ngx_aop_top_hash(NGX_AOP_TOP_SEED, text, strlen(text)),
                    text, t, 0);
}


static item_t *
find(const char *text)
{
    size_t  i;

    for (i = 0; i < TOP; i++) {
        if (items[i].top.count && strcmp(items[i].text, text) == 0) {
            return &items[i];
        }
    }

    return NULL;
}


static void
setup(void)
{
    memset(&top, 0, sizeof(top));
    memset(items, 0, sizeof(items));
}


static uint64_t
missing(void)
{
    return ngx_aop_top_missing(&top, items, TOP, sizeof(item_t));
}


/* Where there is room for all, all is exact. */

static void
top_exact(void **state)
{
    int   i;
    char  text[32];

    setup();

    for (i = 0; i < TOP * 10; i++) {
        sprintf(text, "%d", i % TOP);
        assert_non_null(add(text, 100 - i));
    }

    assert_int_equal(missing(), 0);
    assert_int_equal(find("3")->top.count, 10);
    assert_int_equal(find("3")->top.first, 100 - 75);
    assert_int_equal(find("3")->top.last, 97);
}


/* "When" they come: mixed in, first, or last. */

typedef struct {
    const char  *name;
    int          from;
    int          to;
    int          every;
    int          n;
} hitter_case_t;

static const hitter_case_t  hitters[] = {
    { "one of 0.5 %, all the time", 0, 1000000, 200, 1 },
    { "one of 0.5 %, at first", 0, 5000, 1, 1 },
    { "one of 0.5 %, in the end", 995000, 1000000, 1, 1 },
    { "one of 0.5 %, in the second half", 500000, 1000000, 100, 1 },
    { "four of 0.5 %, all the time", 0, 1000000, 200, 4 },
    { "four of 2 %, in the end", 900000, 1000000, 5, 4 }
};


static void
top_hitter(void **state)
{
    int                   i, k, real;
    char                  text[32];
    const item_t         *item;
    const hitter_case_t  *c;

    c = *state;
    real = 0;
    setup();

    for (i = 0; i < 1000000; i++) {
        sprintf(text, "once %d", i);
        (void) add(text, i);

        if (i >= c->from && i < c->to && i % c->every == 0) {
            real++;

            for (k = 0; k < c->n; k++) {
                sprintf(text, "hitter %d", k);
                (void) add(text, i);
            }
        }
    }

    ngx_aop_top_sort(items, TOP, sizeof(item_t));

    for (k = 0; k < c->n; k++) {
        sprintf(text, "hitter %d", k);
        item = find(text);

        assert_non_null(item);
        unit_in_range(item->top.count, real / 2, real);
        unit_in_range(item - items, 0, c->n - 1);
        assert_true(item->top.count + missing() >= (uint64_t) real);
    }

    for (k = 0; k < TOP; k++) {
        if (strncmp(items[k].text, "once", 4) == 0) {
            assert_int_equal(items[k].top.count, 1);
        }
    }
}


static void
top_stale(void **state)
{
    int   i;
    char  text[32];

    setup();

    for (i = 0; i < TOP * 1000; i++) {
        sprintf(text, "old %d", i % TOP);
        (void) add_hash(i % TOP, text, i, DAY);
    }

    for (i = 0; i < TOP; i++) {
        sprintf(text, "new %d", i);
        assert_non_null(add_hash(100 + i, text, 2 * DAY, DAY));
    }

    /* a new one does not inherit what the old ones were */

    assert_int_equal(find("new 3")->top.count, 1);
    assert_int_equal(find("new 3")->top.weight, 1);
    assert_null(find("old 3"));
    assert_int_equal(missing(), TOP * 1000);

    /* nor does a clock that was set back make one stale */

    assert_null(add_hash(7, "old 7", DAY, DAY));
}


static void
top_collision(void **state)
{
    setup();

    assert_ptr_not_equal(add_hash(7, "one", 1, 0), add_hash(7, "two", 1, 0));
    assert_ptr_equal(add_hash(7, "one", 1, 0), find("one"));
    assert_int_equal(find("one")->top.count, 2);
    assert_int_equal(find("two")->top.count, 1);

    assert_int_equal(add_hash(0, "no hash", 1, 0)->top.count, 1);
    assert_int_equal(add_hash(0, "no hash", 1, 0)->top.count, 2);
}


static void
top_sort(void **state)
{
    setup();

    (void) add("rare", 1);
    (void) add("late", 1);
    (void) add("late", 9);
    (void) add("soon", 1);
    (void) add("soon", 2);
    (void) add("often", 1);
    (void) add("often", 1);
    (void) add("often", 1);

    ngx_aop_top_sort(items, TOP, sizeof(item_t));

    assert_string_equal(items[0].text, "often");
    assert_string_equal(items[1].text, "late");
    assert_string_equal(items[2].text, "soon");
    assert_string_equal(items[3].text, "rare");
    assert_int_equal(items[4].top.count, 0);
}


int
main(void)
{
    unit_cases(hitters, top_hitter);

    unit_case("exact, where there is room", top_exact, NULL);
    unit_case("what was seen long ago gives way", top_stale, NULL);
    unit_case("texts of one hash", top_collision, NULL);
    unit_case("the most frequent first", top_sort, NULL);

    return unit_run("top", NULL, NULL);
}
