
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Text for a person.  Much of it was written by strangers: names in
 * certificates, paths and user agents.  Nothing but printable ASCII goes out,
 * so that no one can paint on the terminal or imitate a line of ours.
 */


#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen.h"


static void aopctl_screen_put(FILE *stream, const char *before,
    const char *text, const char *after);
static int aopctl_screen_colours(void);


static int  aopctl_coloured;

static const char *const  aopctl_colours[] = {
    "", "\033[1m", "\033[32m", "\033[33m", "\033[31m"
};


void
aopctl_screen_init(void)
{
    aopctl_coloured = aopctl_screen_colours();
}


/* https://no-color.org/ */

static int
aopctl_screen_colours(void)
{
    const char  *no, *term;

    no = getenv("NO_COLOR");
    term = getenv("TERM");

    return isatty(STDOUT_FILENO)
           && (no == NULL || no[0] == '\0')
           && term != NULL && strcmp(term, "dumb") != 0;
}


void
aopctl_line(aopctl_colour_e colour, const char *fmt, ...)
{
    char     text[AOPCTL_LINE];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (aopctl_coloured && colour != AOPCTL_PLAIN) {
        aopctl_screen_put(stdout, aopctl_colours[colour], text, "\033[0m");

    } else {
        aopctl_screen_put(stdout, "", text, "");
    }
}


void
aopctl_error(const char *fmt, ...)
{
    char     text[AOPCTL_LINE];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    aopctl_screen_put(stderr, "aopctl: ", text, "");
}


static void
aopctl_screen_put(FILE *stream, const char *before, const char *text,
    const char *after)
{
    char  out[AOPCTL_LINE * 4];

    aopctl_printable(out, sizeof(out), text, strlen(text));

    fprintf(stream, "%s%s%s\n", before, out, after);
}


char *
aopctl_printable(char *out, size_t size, const char *text, size_t len)
{
    char           *p, *last;
    size_t          i;
    unsigned char   ch;

    static const char  hex[] = "0123456789abcdef";

    p = out;
    last = out + size - sizeof("\\xHH");

    for (i = 0; i < len && p <= last; i++) {
        ch = (unsigned char) text[i];

        if (ch >= 0x20 && ch <= 0x7e) {
            *p++ = (char) ch;
            continue;
        }

        *p++ = '\\';
        *p++ = 'x';
        *p++ = hex[ch >> 4];
        *p++ = hex[ch & 0xf];
    }

    *p = '\0';

    return out;
}
