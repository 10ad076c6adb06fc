
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* Text on its way out: bounded, escaped, and valid whatever it came from. */


#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "ngx_aop_text.h"


/*
 * Writes one character below U+00A0, which is ASCII or a control character;
 * returns 0 if it needs no escape.
 */

typedef int (*ngx_aop_text_char_pt)(ngx_aop_text_t *text, unsigned char ch);


static void ngx_aop_text_escape(ngx_aop_text_t *text, const char *data,
    size_t len, ngx_aop_text_char_pt special);
static size_t ngx_aop_text_plain(const ngx_aop_text_t *text,
    const unsigned char *p, const unsigned char *last);
static int ngx_aop_text_json_char(ngx_aop_text_t *text, unsigned char ch);
static int ngx_aop_text_label_char(ngx_aop_text_t *text, unsigned char ch);
static int ngx_aop_text_html_char(ngx_aop_text_t *text, unsigned char ch);
static int ngx_aop_text_is_control(unsigned char ch);
static int ngx_aop_text_room(ngx_aop_text_t *text, size_t len);


void
ngx_aop_text_init(ngx_aop_text_t *text, char *buf, size_t size)
{
    text->start = buf;
    text->pos = buf;
    text->last = buf + size;
    text->more = NULL;
    text->overflow = 0;
}


void
ngx_aop_text_put(ngx_aop_text_t *text, const char *data, size_t len)
{
    if (!ngx_aop_text_room(text, len)) {
        return;
    }

    memcpy(text->pos, data, len);
    text->pos += len;
}


static int
ngx_aop_text_room(ngx_aop_text_t *text, size_t len)
{
    if (text->overflow) {
        return 0;
    }

    if ((size_t) (text->last - text->pos) < len
        && (text->more == NULL || !text->more(text, len)))
    {
        text->overflow = 1;
        return 0;
    }

    return 1;
}


void
ngx_aop_text_puts(ngx_aop_text_t *text, const char *s)
{
    ngx_aop_text_put(text, s, strlen(s));
}


void
ngx_aop_text_printf(ngx_aop_text_t *text, const char *fmt, ...)
{
    int      n;
    size_t   size;
    va_list  args;

    if (text->overflow) {
        return;
    }

    size = text->last - text->pos;

    va_start(args, fmt);
    n = vsnprintf(text->pos, size, fmt, args);
    va_end(args);

    /* vsnprintf() needs a byte more, for its zero */

    if (n < 0 || ((size_t) n >= size && text->more == NULL)) {
        text->overflow = 1;
        return;
    }

    if ((size_t) n >= size) {

        if (!ngx_aop_text_room(text, (size_t) n + 1)) {
            return;
        }

        va_start(args, fmt);
        (void) vsnprintf(text->pos, (size_t) n + 1, fmt, args);
        va_end(args);
    }

    text->pos += n;
}


void
ngx_aop_text_json(ngx_aop_text_t *text, const char *data, size_t len)
{
    ngx_aop_text_escape(text, data, len, ngx_aop_text_json_char);
}


void
ngx_aop_text_label(ngx_aop_text_t *text, const char *data, size_t len)
{
    ngx_aop_text_escape(text, data, len, ngx_aop_text_label_char);
}


void
ngx_aop_text_html(ngx_aop_text_t *text, const char *data, size_t len)
{
    ngx_aop_text_escape(text, data, len, ngx_aop_text_html_char);
}


void
ngx_aop_text_query(ngx_aop_text_t *text, const char *data, size_t len)
{
    size_t  i;

    static const char  unreserved[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

    for (i = 0; i < len; i++) {
        if (data[i] != '\0' && strchr(unreserved, data[i]) != NULL) {
            ngx_aop_text_put(text, &data[i], 1);

        } else {
            ngx_aop_text_printf(text, "%%%02X", (unsigned char) data[i]);
        }
    }
}


void
ngx_aop_text_cut(ngx_aop_text_t *text, ngx_aop_text_escape_pt escape,
    const char *data, size_t len, size_t max)
{
    int             cut;
    ngx_aop_text_t  part;

    if (text->more != NULL && !ngx_aop_text_room(text, max)) {
        return;
    }

    part = *text;
    cut = (size_t) (part.last - part.pos) >= max;

    if (cut) {
        part.last = part.pos + max;
        part.more = NULL;
    }

    escape(&part, data, len);

    text->pos = part.pos;

    if (!cut) {
        text->overflow = part.overflow;
    }
}


static void
ngx_aop_text_escape(ngx_aop_text_t *text, const char *data, size_t len,
    ngx_aop_text_char_pt special)
{
    size_t                n;
    const unsigned char  *p, *last;

    p = (const unsigned char *) data;
    last = p + len;

    while (p < last && !text->overflow) {

        n = ngx_aop_text_plain(text, p, last);

        if (n) {
            ngx_aop_text_put(text, (const char *) p, n);
            p += n;
            continue;
        }

        n = ngx_aop_text_char(p, last);

        if (n == 0) {
            ngx_aop_text_puts(text, NGX_AOP_TEXT_REPLACEMENT);
            n = 1;

        } else if (!(n == 1 && special(text, p[0]))
                   && !(n == 2 && p[0] == 0xc2 && special(text, p[1])))
        {
            ngx_aop_text_put(text, (const char *) p, n);
        }

        p += n;
    }
}


/*
 * How many of the next bytes need no escape in any format, as far as there is
 * room: that is most of all text.
 */

static size_t
ngx_aop_text_plain(const ngx_aop_text_t *text, const unsigned char *p,
    const unsigned char *last)
{
    const unsigned char  *start;

    start = p;

    if (text->more == NULL && last - p > text->last - text->pos) {
        last = p + (text->last - text->pos);
    }

    while (p < last
           && *p >= 0x20 && *p < 0x7f
           && *p != '"' && *p != '\\' && *p != '<' && *p != '>'
           && *p != '&' && *p != '\'')
    {
        p++;
    }

    return p - start;
}


static int
ngx_aop_text_json_char(ngx_aop_text_t *text, unsigned char ch)
{
    char  escape[sizeof("\\u0000")];

    if (ch == '"' || ch == '\\') {
        escape[0] = '\\';
        escape[1] = (char) ch;
        ngx_aop_text_put(text, escape, 2);
        return 1;
    }

    if (ngx_aop_text_is_control(ch)) {
        (void) snprintf(escape, sizeof(escape), "\\u%04x", ch);
        ngx_aop_text_puts(text, escape);
        return 1;
    }

    return 0;
}


/* The format has an escape for one control character only. */

static int
ngx_aop_text_label_char(ngx_aop_text_t *text, unsigned char ch)
{
    char  escape[2];

    if (ch == '"' || ch == '\\') {
        escape[0] = '\\';
        escape[1] = (char) ch;
        ngx_aop_text_put(text, escape, 2);
        return 1;
    }

    if (ch == '\n') {
        ngx_aop_text_puts(text, "\\n");
        return 1;
    }

    if (ngx_aop_text_is_control(ch)) {
        ngx_aop_text_puts(text, NGX_AOP_TEXT_REPLACEMENT);
        return 1;
    }

    return 0;
}


static int
ngx_aop_text_html_char(ngx_aop_text_t *text, unsigned char ch)
{
    switch (ch) {

    case '<':
    case '>':
    case '&':
    case '"':
    case '\'':
        ngx_aop_text_printf(text, "&#%d;", ch);
        return 1;

    default:

        if (!ngx_aop_text_is_control(ch)) {
            return 0;
        }

        ngx_aop_text_puts(text, NGX_AOP_TEXT_REPLACEMENT);
        return 1;
    }
}


/*
 * C0, DEL and C1 (ISO 6429): on a terminal U+009B begins a command as
 * ESC [ does.
 */

static int
ngx_aop_text_is_control(unsigned char ch)
{
    return ch < 0x20 || (ch >= 0x7f && ch < 0xa0);
}


size_t
ngx_aop_text_char(const unsigned char *p, const unsigned char *last)
{
    size_t         i, n;
    unsigned char  low, high;

    if (p[0] < 0x80) {
        return 1;
    }

    if (p[0] < 0xc2 || p[0] > 0xf4) {
        return 0;
    }

    n = (p[0] < 0xe0) ? 2 : (p[0] < 0xf0) ? 3 : 4;

    if ((size_t) (last - p) < n) {
        return 0;
    }

    /* no overlong forms, no surrogates, nothing above U+10FFFF */

    low = (p[0] == 0xe0) ? 0xa0 : (p[0] == 0xf0) ? 0x90 : 0x80;
    high = (p[0] == 0xed) ? 0x9f : (p[0] == 0xf4) ? 0x8f : 0xbf;

    if (p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}


size_t
ngx_aop_text_utf8(char *buf, size_t size, const char *data, size_t len)
{
    size_t                n;
    ngx_aop_text_t        text;
    const unsigned char  *p, *last;

    ngx_aop_text_init(&text, buf, size);

    p = (const unsigned char *) data;
    last = p + len;

    while (p < last && !text.overflow) {
        n = ngx_aop_text_char(p, last);

        if (n == 0) {
            ngx_aop_text_puts(&text, NGX_AOP_TEXT_REPLACEMENT);
            n = 1;

        } else {
            ngx_aop_text_put(&text, (const char *) p, n);
        }

        p += n;
    }

    return text.pos - text.start;
}


void
ngx_aop_text_copy(char *copy, size_t size, const char *data, size_t len)
{
    copy[ngx_aop_text_utf8(copy, size - 1, data, len)] = '\0';
}


/* The common case takes no copy. */

int
ngx_aop_text_is(const char *copy, size_t size, const char *data, size_t len)
{
    size_t  n;
    char    buf[256];

    n = strlen(copy);

    if (n == len && memcmp(copy, data, len) == 0) {
        return 1;
    }

    if (size > sizeof(buf)) {
        size = sizeof(buf);
    }

    ngx_aop_text_copy(buf, size, data, len);

    return strcmp(copy, buf) == 0;
}
