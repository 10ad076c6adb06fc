
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_TIME_H_INCLUDED_
#define _NGX_AOP_TIME_H_INCLUDED_


#include <stdint.h>
#include <time.h>


#define NGX_AOP_TIME  sizeof("9999-12-31T23:59:59Z")


/*
 * ngx_aop_time_seconds() is a date and time in UTC as seconds since the epoch,
 * whatever the size of time_t.  The fields have to be in their bounds.
 *
 * ngx_aop_time_fit() is the nearest that a time_t holds.
 *
 * ngx_aop_time_print() writes a time in ISO 8601, UTC, to a buffer of
 * NGX_AOP_TIME bytes, and returns the buffer; an empty string for a year that
 * has not four digits.
 *
 * ngx_aop_time_parse() reads "2030-01-01T00:00:00", and "Z" or an offset such
 * as "+01:00" (the colon may be missing).  Returns 1, or 0 if text is another.
 *
 * ngx_aop_time_days() is the number of whole days in a number of seconds: -1
 * as soon as one second has passed.
 */

int64_t ngx_aop_time_seconds(const struct tm *tm);
time_t ngx_aop_time_fit(int64_t t);
char *ngx_aop_time_print(int64_t t, char *buf);
int ngx_aop_time_parse(const char *text, int64_t *t);
int64_t ngx_aop_time_days(int64_t seconds);


#endif /* _NGX_AOP_TIME_H_INCLUDED_ */
