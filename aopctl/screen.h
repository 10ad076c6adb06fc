
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_SCREEN_H_INCLUDED_
#define _AOPCTL_SCREEN_H_INCLUDED_


#include <stdio.h>


typedef enum {
    AOPCTL_PLAIN = 0,
    AOPCTL_BOLD,
    AOPCTL_GREEN,
    AOPCTL_YELLOW,
    AOPCTL_RED
} aopctl_colour_e;


/* Finds out whether colours are wanted; to be called first. */

void aopctl_screen_init(void);


/*
 * aopctl_line() writes one line to standard output, aopctl_error() one to
 * standard error.  The whole of it is made printable ASCII, so that anything
 * may be among the arguments; what is longer than AOPCTL_LINE is cut.
 */

#define AOPCTL_LINE  4096

void aopctl_line(aopctl_colour_e colour, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void aopctl_error(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));


/* Makes text printable: \xHH for all else.  Returns out. */

char *aopctl_printable(char *out, size_t size, const char *text, size_t len);


#endif /* _AOPCTL_SCREEN_H_INCLUDED_ */
