
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* Times of 64 bits, whatever the C library and its time_t. */


#include <stdlib.h>
#include <string.h>

#include "ngx_aop_time.h"
#include "unit.h"


typedef struct {
    const char  *name;
    const char  *text;
    int64_t      time;
    const char  *printed;           /* NULL: as the text */
} time_case_t;


typedef struct {
    const char  *name;
    const char  *text;
} time_wrong_t;


typedef struct {
    const char  *name;
    int64_t      seconds;
    int64_t      days;
} time_days_t;


static const time_case_t  cases[] = {
    { "the epoch", "1970-01-01T00:00:00Z", 0, NULL },
    { "before the epoch", "1969-12-31T23:59:59Z", -1, NULL },
    { "a leap day", "2000-02-29T12:00:00Z", 951825600, NULL },
    { "the last second of 31 bits", "2038-01-19T03:14:07Z", 2147483647, NULL },
    { "2^31", "2038-01-19T03:14:08Z", INT64_C(2147483648), NULL },
    { "2^32", "2106-02-07T06:28:16Z", INT64_C(4294967296), NULL },
    { "2100 is not a leap year", "2100-03-01T00:00:00Z",
      INT64_C(4107542400), NULL },
    { "2400 is a leap year", "2400-02-29T00:00:00Z", INT64_C(13574563200),
      NULL },
    { "1600", "1600-01-01T00:00:00Z", INT64_C(-11676096000), NULL },
    { "the first", "0000-01-01T00:00:00Z", INT64_C(-62167219200), NULL },
    { "the last", "9999-12-31T23:59:59Z", INT64_C(253402300799), NULL },
    { "the last day of a year", "2029-12-31T23:59:59Z", 1893455999, NULL },
    { "the first day of a year", "2030-01-01T00:00:00Z", 1893456000, NULL },

    /* nginx's $time_iso8601 */

    { "no offset", "2030-01-01T00:00:00+00:00", 1893456000,
      "2030-01-01T00:00:00Z" },
    { "east", "2030-01-01T01:30:00+01:30", 1893456000,
      "2030-01-01T00:00:00Z" },
    { "west", "2029-12-31T14:00:00-10:00", 1893456000,
      "2030-01-01T00:00:00Z" },
    { "no colon", "2030-01-01T01:00:00+0100", 1893456000,
      "2030-01-01T00:00:00Z" },
    { "a leap second", "2016-12-31T23:59:60Z", 1483228800,
      "2017-01-01T00:00:00Z" }
};


static const time_wrong_t  wrong[] = {
    { "empty", "" },
    { "a word", "tomorrow" },
    { "a day alone", "2030-01-01" },
    { "no seconds", "2030-01-01T00:00Z" },
    { "no zone", "2030-01-01T00:00:00" },
    { "half a zone", "2030-01-01T00:00:00+01" },
    { "a zone by name", "2030-01-01T00:00:00CET" },
    { "a zone too far", "2030-01-01T00:00:00+24:00" },
    { "more after it", "2030-01-01T00:00:00Z " },
    { "month 0", "2030-00-01T00:00:00Z" },
    { "month 13", "2030-13-01T00:00:00Z" },
    { "day 0", "2030-01-00T00:00:00Z" },
    { "31 April", "2030-04-31T00:00:00Z" },
    { "29 February", "2030-02-29T00:00:00Z" },
    { "29 February 2100", "2100-02-29T00:00:00Z" },
    { "hour 24", "2030-01-01T24:00:00Z" },
    { "minute 60", "2030-01-01T00:60:00Z" },
    { "second 61", "2030-01-01T00:00:61Z" },
    { "a sign", "+030-01-01T00:00:00Z" },
    { "a space", "2030-01- 1T00:00:00Z" },
    { "a space for T", "2030-01-01 00:00:00Z" }
};


static const time_days_t  days[] = {
    { "now", 0, 0 },
    { "a second", 1, 0 },
    { "a day but for a second", 86399, 0 },
    { "a day", 86400, 1 },
    { "a second ago", -1, -1 },
    { "a day ago", -86400, -1 },
    { "a day and a second ago", -86401, -2 },
    { "more than 32 bits of days", INT64_C(86400) * 4294967297,
      INT64_C(4294967297) }
};


static void
time_case(void **state)
{
    char                buf[NGX_AOP_TIME];
    int64_t             t;
    const time_case_t  *c = *state;

    t = 12345;

    assert_int_equal(ngx_aop_time_parse(c->text, &t), 1);
    assert_true(t == c->time);

    assert_ptr_equal(ngx_aop_time_print(t, buf), buf);
    assert_string_equal(buf, c->printed ? c->printed : c->text);
}


static void
time_wrong(void **state)
{
    int64_t              t;
    const time_wrong_t  *c = *state;

    assert_int_equal(ngx_aop_time_parse(c->text, &t), 0);
}


static void
time_days(void **state)
{
    const time_days_t  *c = *state;

    assert_true(ngx_aop_time_days(c->seconds) == c->days);
}


/* Each day of the four centuries in which the calendar repeats. */

static void
time_every_day(void **state)
{
    char     buf[NGX_AOP_TIME];
    int64_t  t, back;

    for (t = INT64_C(-2208988800); t < INT64_C(10413792000); t += 86400 - 7) {
        assert_int_equal(ngx_aop_time_parse(ngx_aop_time_print(t, buf), &back),
                         1);
        assert_true(back == t);
    }
}


static void
time_no_date(void **state)
{
    char  buf[NGX_AOP_TIME];

    assert_string_equal(ngx_aop_time_print(INT64_MAX, buf), "");
    assert_string_equal(ngx_aop_time_print(INT64_MIN, buf), "");
    assert_string_equal(ngx_aop_time_print(INT64_C(253402300800), buf), "");
    assert_string_equal(ngx_aop_time_print(INT64_C(-62167219201), buf), "");
}


/* A time_t of 32 bits ends, and never is before its time. */

static void
time_fit(void **state)
{
    assert_true(ngx_aop_time_fit(0) == 0);
    assert_true(ngx_aop_time_fit(-1) == -1);
    assert_true(ngx_aop_time_fit(2147483647) == 2147483647);
    assert_true(ngx_aop_time_fit(INT64_C(2147483648)) >= 2147483647);
    assert_true(ngx_aop_time_fit(INT64_C(253402300799)) >= 2147483647);
    assert_true(ngx_aop_time_fit(INT64_C(-62167219200)) < 0);
}


int
main(void)
{
    unit_cases(cases, time_case);
    unit_cases(wrong, time_wrong);
    unit_cases(days, time_days);
    unit_case("every day", time_every_day, NULL);
    unit_case("no date", time_no_date, NULL);
    unit_case("what a time_t holds", time_fit, NULL);

    return unit_run("time", NULL, NULL);
}
