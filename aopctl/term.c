
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Text for a person.  Much of it was written by strangers: names in
 * certificates, paths and user agents.  Only printable ASCII goes out, so that
 * no one can paint on the terminal or imitate a line of ours.
 */


#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "term.h"


#define AOPCTL_SCREEN_MIN  40


static void aopctl_term_put(FILE *stream, const char *before,
    const char *text, const char *after);
static int aopctl_term_colors(void);
static size_t aopctl_term_width(void);
static void aopctl_term_wrap(FILE *stream, const char *text);
static size_t aopctl_term_break(const char *text, size_t width,
    size_t least);


static int     aopctl_colored;
static size_t  aopctl_width;            /* 0: lines are not wrapped */

static const char *const  aopctl_colors[] = {
    "", "\033[1m", "\033[32m", "\033[33m", "\033[31m"
};


void
aopctl_term_init(void)
{
    aopctl_colored = aopctl_term_colors();
    aopctl_width = aopctl_term_width();
}


/* https://no-color.org/ */

static int
aopctl_term_colors(void)
{
    const char  *no, *term;

    no = getenv("NO_COLOR");
    term = getenv("TERM");

    return isatty(STDOUT_FILENO)
           && (no == NULL || no[0] == '\0')
           && term != NULL && strcmp(term, "dumb") != 0;
}


/* Of the terminal, if there is one that is wide enough for a word. */

static size_t
aopctl_term_width(void)
{
    struct winsize  ws;

    return isatty(STDOUT_FILENO)
           && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0
           && ws.ws_col >= AOPCTL_SCREEN_MIN
           ? ws.ws_col : 0;
}


void
aopctl_term_line(aopctl_color_e color, const char *fmt, ...)
{
    char     text[AOPCTL_LINE];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    if (aopctl_colored && color != AOPCTL_COLOR_PLAIN) {
        aopctl_term_put(stdout, aopctl_colors[color], text, "\033[0m");

    } else {
        aopctl_term_put(stdout, "", text, "");
    }
}


void
aopctl_term_error(const char *fmt, ...)
{
    char     text[AOPCTL_LINE];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    aopctl_term_put(stderr, "aopctl: ", text, "");
}


static void
aopctl_term_put(FILE *stream, const char *before, const char *text,
    const char *after)
{
    char  out[AOPCTL_LINE * 4];

    aopctl_term_printable(out, sizeof(out), text, strlen(text));

    fputs(before, stream);

    if (stream == stdout && aopctl_width != 0) {
        aopctl_term_wrap(stream, out);

    } else {
        fputs(out, stream);
    }

    fprintf(stream, "%s\n", after);
}


/* Continued lines are indented by two more than the first. */

static void
aopctl_term_wrap(FILE *stream, const char *text)
{
    size_t  n, indent, width;

    width = aopctl_width;
    indent = strspn(text, " ");
    indent = (indent < width / 2) ? indent : width / 2;
    n = aopctl_term_break(text, width, indent);

    while (text[n] != '\0') {
        fprintf(stream, "%.*s\n%*s", (int) n, text, (int) indent + 2, "");

        text += n + 1;
        width = aopctl_width - indent - 2;
        n = aopctl_term_break(text, width, 0);
    }

    fputs(text, stream);
}


/*
 * How many bytes precede the break: up to the last space within the width, or
 * the first one behind a longer word.
 */

static size_t
aopctl_term_break(const char *text, size_t width, size_t least)
{
    size_t  i, n;

    n = 0;

    if (strlen(text) <= width) {
        return strlen(text);
    }

    for (i = least; (i <= width || n == 0) && text[i] != '\0'; i++) {
        if (text[i] == ' ') {
            n = i;
        }
    }

    return n ? n : i;
}


char *
aopctl_term_printable(char *out, size_t size, const char *text, size_t len)
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
