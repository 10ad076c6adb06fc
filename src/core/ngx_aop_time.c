
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which second is meant?  Certificates outlive 32 bits, so a time has 64 here,
 * and neither timegm(), gmtime_r() nor the %z of strptime() is used: where
 * time_t has 32 bits the former fail after 2038, and not every C library has
 * the latter.
 */


#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "ngx_aop_time.h"


#define NGX_AOP_TIME_DAY    86400
#define NGX_AOP_TIME_MIN    INT64_C(-62167219200)   /* 0000-01-01T00:00:00Z */
#define NGX_AOP_TIME_MAX    INT64_C(253402300799)   /* 9999-12-31T23:59:59Z */


static int64_t ngx_aop_time_date(int64_t year, int month, int day);
static int ngx_aop_time_days_of(int year, int month);
static int ngx_aop_time_number(const char **p, size_t len, int min, int max,
    int *n);
static int ngx_aop_time_offset(const char **p, int *offset);


int64_t
ngx_aop_time_seconds(const struct tm *tm)
{
    int64_t  days;

    days = ngx_aop_time_date(INT64_C(1900) + tm->tm_year, tm->tm_mon + 1,
                             tm->tm_mday);

    return ((days * 24 + tm->tm_hour) * 60 + tm->tm_min) * 60 + tm->tm_sec;
}


/*
 * Days since the epoch.  Years begin with March here, so that a leap day is
 * the last of its year: each five months have 153 days from there.
 */

static int64_t
ngx_aop_time_date(int64_t year, int month, int day)
{
    int64_t  y, m, era;

    y = year - (month <= 2);
    m = (month + 9) % 12;
    era = (y >= 0 ? y : y - 399) / 400;
    y -= era * 400;

    return era * 146097 + y * 365 + y / 4 - y / 100 + (153 * m + 2) / 5
           + day - 1 - 719468;
}


time_t
ngx_aop_time_fit(int64_t t)
{
    if (sizeof(time_t) >= sizeof(int64_t)) {
        return t;
    }

    return t > INT32_MAX ? INT32_MAX : t < INT32_MIN ? INT32_MIN : t;
}


char *
ngx_aop_time_print(int64_t t, char *buf)
{
    int      year, month, day, second;
    int64_t  days;

    buf[0] = '\0';

    if (t < NGX_AOP_TIME_MIN || t > NGX_AOP_TIME_MAX) {
        return buf;
    }

    days = ngx_aop_time_days(t);
    second = t - days * NGX_AOP_TIME_DAY;

    /* a year that is not too late */

    year = 1970 + (days >= 0 ? days / 366 : days / 365 - 1);

    while (ngx_aop_time_date(year + 1, 1, 1) <= days) {
        year++;
    }

    day = days - ngx_aop_time_date(year, 1, 1);

    for (month = 1; day >= ngx_aop_time_days_of(year, month); month++) {
        day -= ngx_aop_time_days_of(year, month);
    }

    (void) snprintf(buf, NGX_AOP_TIME, "%04u-%02u-%02uT%02u:%02u:%02uZ",
                    (unsigned) year % 10000, (unsigned) month % 100,
                    (unsigned) (day + 1) % 100, (unsigned) second / 3600 % 100,
                    (unsigned) second / 60 % 60, (unsigned) second % 60);

    return buf;
}


static int
ngx_aop_time_days_of(int year, int month)
{
    return ngx_aop_time_date(month < 12 ? year : year + 1, month % 12 + 1, 1)
           - ngx_aop_time_date(year, month, 1);
}


int
ngx_aop_time_parse(const char *text, int64_t *t)
{
    int          offset;
    struct tm    tm;
    const char  *p;

    p = text;
    memset(&tm, 0, sizeof(struct tm));

    if (!ngx_aop_time_number(&p, 4, 0, 9999, &tm.tm_year) || *p++ != '-'
        || !ngx_aop_time_number(&p, 2, 1, 12, &tm.tm_mon) || *p++ != '-'
        || !ngx_aop_time_number(&p, 2, 1, 31, &tm.tm_mday) || *p++ != 'T'
        || !ngx_aop_time_number(&p, 2, 0, 23, &tm.tm_hour) || *p++ != ':'
        || !ngx_aop_time_number(&p, 2, 0, 59, &tm.tm_min) || *p++ != ':'
        || !ngx_aop_time_number(&p, 2, 0, 60, &tm.tm_sec)
        || !ngx_aop_time_offset(&p, &offset)
        || *p != '\0'
        || tm.tm_mday > ngx_aop_time_days_of(tm.tm_year, tm.tm_mon))
    {
        return 0;
    }

    tm.tm_year -= 1900;
    tm.tm_mon--;

    *t = ngx_aop_time_seconds(&tm) - offset;

    return 1;
}


static int
ngx_aop_time_offset(const char **p, int *offset)
{
    int  sign, hours, minutes;

    *offset = 0;

    if (**p == 'Z') {
        (*p)++;
        return 1;
    }

    if (**p != '+' && **p != '-') {
        return 0;
    }

    sign = (*(*p)++ == '-') ? -1 : 1;

    if (!ngx_aop_time_number(p, 2, 0, 23, &hours)) {
        return 0;
    }

    if (**p == ':') {
        (*p)++;
    }

    if (!ngx_aop_time_number(p, 2, 0, 59, &minutes)) {
        return 0;
    }

    *offset = sign * (hours * 60 + minutes) * 60;

    return 1;
}


static int
ngx_aop_time_number(const char **p, size_t len, int min, int max, int *n)
{
    *n = 0;

    while (len--) {
        if (!isdigit((unsigned char) **p)) {
            return 0;
        }

        *n = *n * 10 + (*(*p)++ - '0');
    }

    return *n >= min && *n <= max;
}


int64_t
ngx_aop_time_days(int64_t seconds)
{
    return (seconds >= 0) ? seconds / NGX_AOP_TIME_DAY
                          : -((-seconds + NGX_AOP_TIME_DAY - 1)
                              / NGX_AOP_TIME_DAY);
}
