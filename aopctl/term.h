
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_TERM_H_INCLUDED_
#define _AOPCTL_TERM_H_INCLUDED_


#include <stdio.h>


typedef enum {
    AOPCTL_COLOR_PLAIN = 0,
    AOPCTL_COLOR_BOLD,
    AOPCTL_COLOR_GREEN,
    AOPCTL_COLOR_YELLOW,
    AOPCTL_COLOR_RED
} aopctl_color_e;


/* Determines whether to use colors; to be called first. */

void aopctl_term_init(void);


/*
 * aopctl_term_line() writes one line to standard output, aopctl_term_error()
 * one to standard error.  All of it is made printable ASCII, so the arguments
 * may be anything; what is longer than AOPCTL_LINE is cut.
 */

#define AOPCTL_LINE  4096

void aopctl_term_line(aopctl_color_e color, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void aopctl_term_error(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));


/* Makes text printable: \xHH for all else.  Returns out. */

char *aopctl_term_printable(char *out, size_t size, const char *text,
    size_t len);


#endif /* _AOPCTL_TERM_H_INCLUDED_ */
