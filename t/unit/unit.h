
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A list of named cases is a list of cmocka tests: each row of a table is one
 * line of TAP, and one that fails does not hide those below it.
 */


#ifndef _UNIT_H_INCLUDED_
#define _UNIT_H_INCLUDED_


#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>


#define UNIT_MAX  512


/* cmocka passes over rows without a function. */

static struct CMUnitTest  unit_tests[UNIT_MAX];
static size_t             unit_ntests;


#define unit_nelts(a)  (sizeof(a) / sizeof((a)[0]))


/* The name is the first field of a case, and the case the test's *state. */

#define unit_cases(cases, test)                                               \
    do {                                                                      \
        size_t  n_;                                                           \
                                                                              \
        for (n_ = 0; n_ < unit_nelts(cases); n_++) {                          \
            unit_case((cases)[n_].name, test, &(cases)[n_]);                  \
        }                                                                     \
    } while (0)


#define unit_run(group, setup, teardown)                                      \
    cmocka_run_group_tests_name(group, unit_tests, setup, teardown)


/* cmocka 2 has others in the place of the one of cmocka 1. */

static inline void
unit_in_range(intmax_t n, intmax_t low, intmax_t high)
{
    assert_true(n >= low);
    assert_true(n <= high);
}


/* What goes into log lines, headers and pages. */

static inline void
unit_printable(const char *text)
{
    for ( /* void */ ; *text; text++) {
        assert_true(*text >= 0x20 && *text <= 0x7e);
    }
}


static inline void
unit_case(const char *name, CMUnitTestFunction test, const void *state)
{
    struct CMUnitTest  *unit;

    assert_true(unit_ntests < UNIT_MAX);

    unit = &unit_tests[unit_ntests++];

    unit->name = name;
    unit->test_func = test;
    unit->initial_state = (void *) state;
}


/*
 * A case of seconds, which would be many minutes on an emulated processor, and
 * tells nothing there that it does not tell here: t/tools/check-foreign.
 */

static inline void
unit_slow(const char *name, CMUnitTestFunction test, const void *state)
{
    if (getenv("UNIT_FAST") != NULL) {
        printf("# not tried, UNIT_FAST is set: %s\n", name);
        return;
    }

    unit_case(name, test, state);
}


#endif /* _UNIT_H_INCLUDED_ */
