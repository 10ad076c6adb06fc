
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* Text on its way out: bounded, escaped, valid whatever it came from. */


#define _GNU_SOURCE

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_aop_text.h"
#include "unit.h"


#define BAD   NGX_AOP_TEXT_REPLACEMENT
#define BAD2  BAD BAD
#define BAD3  BAD BAD BAD


/* of what is no UTF-8 each byte counts alone */

typedef struct {
    const char  *name;
    const char  *text;
    size_t       len;           /* 0: up to the text's end */
    const char  *json;
    const char  *label;
    const char  *html;
} escape_case_t;


typedef struct {
    const char  *name;
    const char  *text;
    size_t       size;
    const char  *copy;
} copy_case_t;


typedef struct {
    const char  *name;
    const char  *text;
    size_t       max;
    size_t       size;          /* of the buffer */
    const char  *out;
    int          overflow;
} cut_case_t;


#define same(text)  text, 0, text, text, text

static const escape_case_t  escapes[] = {
    { "nothing", same("") },
    { "plain", same("plain text, 1/2 + ~") },
    { "quote", "a\"b", 0, "a\\\"b", "a\\\"b", "a&#34;b" },
    { "apostrophe", "a'b", 0, "a'b", "a'b", "a&#39;b" },
    { "backslash", "a\\b", 0, "a\\\\b", "a\\\\b", "a\\b" },
    { "backslash at the end", "a\\", 0, "a\\\\", "a\\\\", "a\\" },
    { "markup", "<a&b>", 0, "<a&b>", "<a&b>", "&#60;a&#38;b&#62;" },
    { "newline", "a\nb", 0, "a\\u000ab", "a\\nb", "a" BAD "b" },
    { "return, tab", "\r\t", 0, "\\u000d\\u0009", BAD2, BAD2 },
    { "escape, delete", "\033\177", 0, "\\u001b\\u007f", BAD2, BAD2 },
    { "C1, lowest", "\xc2\x80", 0, "\\u0080", BAD, BAD },
    { "C1, which begins a command", "\xc2\x9b" "2J", 0, "\\u009b2J", BAD "2J",
      BAD "2J" },
    { "C1, highest", "\xc2\x9f", 0, "\\u009f", BAD, BAD },
    { "above C1", same("\xc2\xa0\xc2\xa2\xc2\xbc\xc2\xbf") },
    { "as C1, but of another character", same("\xc3\x9b\xe2\x82\x9b") },
    { "no percent sign is special", same("%s%n%d") },
    { "braces", same("{a=\141}") },

    { "two bytes, highest", same("\xdf\xbf") },
    { "three bytes, lowest", same("\xe0\xa0\x80") },
    { "three bytes, highest", same("\xef\xbf\xbf") },
    { "before the surrogates", same("\xed\x9f\xbf") },
    { "after the surrogates", same("\xee\x80\x80") },
    { "four bytes, lowest", same("\xf0\x90\x80\x80") },
    { "four bytes, highest", same("\xf4\x8f\xbf\xbf") },
    { "between others", same("a\xc3\xa9z\xe2\x82\xac.\xf0\x9f\x8e\x89") },

#define bad(text, out)  text, 0, out, out, out

    { "stray continuation", bad("a\x80" "b", "a" BAD "b") },
    { "overlong slash, two bytes", bad("\xc0\xaf", BAD2) },
    { "overlong, c1", bad("\xc1\xbf", BAD2) },
    { "overlong slash, three bytes", bad("\xe0\x80\xaf", BAD3) },
    { "overlong, three bytes", bad("\xe0\x9f\xbf", BAD3) },
    { "overlong, four bytes", bad("\xf0\x8f\xbf\xbf", BAD3 BAD) },
    { "surrogate", bad("\xed\xa0\x80", BAD3) },
    { "above U+10FFFF", bad("\xf4\x90\x80\x80", BAD3 BAD) },
    { "f5", bad("\xf5\x80\x80\x80", BAD3 BAD) },
    { "ff", bad("\xff\xfe", BAD2) },
    { "cut after one of two", bad("a\xc3", "a" BAD) },
    { "cut after two of three", bad("a\xe2\x82", "a" BAD2) },
    { "cut after three of four", bad("\xf0\x9f\x8e", BAD3) },
    { "ended by a quote", "\xe2\x82\"", 0, BAD2 "\\\"", BAD2 "\\\"",
      BAD2 "&#34;" },
    { "third byte is none", bad("\xe2\x82(", BAD2 "(") },
    { "fourth byte is none", bad("\xf0\x9f\x8e(", BAD3 "(") },
    { "Latin-1", bad("M\xfcller", "M" BAD "ller") },

    /* the byte after the text completes nothing */

    { "the length counts", "a\xc3\xa9", 2, "a" BAD, "a" BAD, "a" BAD },
    { "a zero byte", "a\0b", 3, "a\\u0000b", "a" BAD "b", "a" BAD "b" }
};


static const copy_case_t  copies[] = {
    { "copy: all", "abc", 3, "abc" },
    { "copy: cut", "abc", 2, "ab" },
    { "copy: no room", "abc", 0, "" },
    { "copy: cut at a character", "a\xe2\x82\xac", 3, "a" },
    { "copy: the character fits", "a\xe2\x82\xac", 4, "a\xe2\x82\xac" },
    { "copy: nothing after what was cut", "a\xe2\x82\xac" "b", 3, "a" },
    { "copy: bad bytes", "\xff\xfe", 6, BAD2 },
    { "copy: no room for a bad byte", "\xff\xfe", 5, BAD },
    { "copy: controls stay", "a\n\"", 3, "a\n\"" }
};


static void
escape_one(ngx_aop_text_escape_pt escape, const escape_case_t *c,
    const char *out)
{
    char            *text, buf[256];
    size_t           len, n, size;
    ngx_aop_text_t   t;

    len = c->len ? c->len : strlen(c->text);
    n = strlen(out);

    /* in memory of its own: a byte read beyond is seen by valgrind */

    text = malloc(len + 1);
    assert_non_null(text);
    memcpy(text, c->text, len);

    ngx_aop_text_init(&t, buf, sizeof(buf));
    escape(&t, text, len);

    assert_int_equal(t.overflow, 0);
    assert_int_equal(t.pos - t.start, n);
    assert_memory_equal(buf, out, n);

    /* all or, from where it does not fit, nothing */

    for (size = 0; size < n; size++) {
        memset(buf, 0x5a, sizeof(buf));
        ngx_aop_text_init(&t, buf, size);
        escape(&t, text, len);

        assert_int_equal(t.overflow, 1);
        assert_true((size_t) (t.pos - t.start) <= size);
        assert_memory_equal(buf, out, t.pos - t.start);
        assert_int_equal(buf[size], 0x5a);
    }

    free(text);
}


static void
escape_case(void **state)
{
    const escape_case_t  *c = *state;

    escape_one(ngx_aop_text_json, c, c->json);
    escape_one(ngx_aop_text_label, c, c->label);
    escape_one(ngx_aop_text_html, c, c->html);
}


/* Each byte, alone and between others: valid out, and never as it was. */

static void
escape_bytes(void **state)
{
    int              ch;
    char             in[3], buf[64], *p;
    ngx_aop_text_t   t;

    for (ch = 0; ch < 256; ch++) {
        in[0] = 'a';
        in[1] = (char) ch;
        in[2] = 'b';

        ngx_aop_text_init(&t, buf, sizeof(buf));
        ngx_aop_text_json(&t, in, 3);

        for (p = t.start; p < t.pos; p++) {
            assert_true((unsigned char) *p >= 0x20 && *p != 0x7f);
        }

        assert_int_equal(t.pos[-1], 'b');

        ngx_aop_text_init(&t, buf, sizeof(buf));
        ngx_aop_text_html(&t, in, 3);

        assert_null(memchr(buf, '<', t.pos - t.start));
        assert_null(memchr(buf, '"', t.pos - t.start));
        assert_null(memchr(buf, '\'', t.pos - t.start));

        ngx_aop_text_init(&t, buf, sizeof(buf));
        ngx_aop_text_query(&t, in, 3);

        assert_int_equal(t.pos - t.start,
                         (isalnum(ch) && ch < 128)
                         || (ch && strchr("-._~", ch)) ? 3 : 5);

        if (t.pos - t.start == 5) {
            snprintf(in, sizeof(in), "%02X", ch);
            assert_memory_equal(t.start + 2, in, 2);
            assert_int_equal(t.start[1], '%');
        }

        in[0] = 'a';
        in[1] = (char) ch;
        in[2] = 'b';

        ngx_aop_text_init(&t, buf, sizeof(buf));
        ngx_aop_text_label(&t, in, 3);

        for (p = t.start; p < t.pos; p++) {
            assert_true((unsigned char) *p >= 0x20 && *p != 0x7f);
        }
    }
}


/* Each control character of Unicode: none comes out as it was. */

static void
escape_controls(void **state)
{
    int                      ch;
    char                     in[2], buf[16];
    size_t                   i, len;
    ngx_aop_text_t           t;
    ngx_aop_text_escape_pt   escape[] = { ngx_aop_text_json,
                                          ngx_aop_text_label,
                                          ngx_aop_text_html };

    for (ch = 0; ch < 0xa0; ch++) {

        if (ch >= 0x20 && ch < 0x7f) {
            continue;
        }

        len = (ch < 0x80) ? 1 : 2;
        in[0] = (char) ((ch < 0x80) ? ch : 0xc2);
        in[1] = (char) ch;

        for (i = 0; i < unit_nelts(escape); i++) {
            ngx_aop_text_init(&t, buf, sizeof(buf));
            escape[i](&t, in, len);

            assert_int_equal(t.overflow, 0);
            assert_null(memmem(buf, t.pos - t.start, in, len));
        }
    }
}


static const cut_case_t  cuts[] = {
    { "cut: all of it", "abc", 3, 9, "abc", 0 },
    { "cut: the beginning is kept", "abc", 2, 9, "ab", 0 },
    { "cut: nothing", "abc", 0, 9, "", 0 },
    { "cut: a whole character", "a\xe2\x82\xac" "b", 3, 9, "a", 0 },
    { "cut: a character that fits", "a\xe2\x82\xac" "b", 4, 9,
      "a\xe2\x82\xac", 0 },
    { "cut: a whole escape", "a\x01" "b", 6, 19, "a", 0 },
    { "cut: an escape that fits", "a\x01" "b", 7, 19, "a\\u0001", 0 },
    { "cut: a short escape", "a\"b", 2, 19, "a", 0 },
    { "cut: bytes that are not UTF-8", "\xff\xff", 5, 9, BAD, 0 },
    { "cut: nothing after it", "a\x01" "b", 3, 19, "a", 0 },
    { "cut: as much room as is allowed", "abcd", 3, 3, "abc", 0 },
    { "cut: not enough room", "abcd", 9, 3, "abc", 1 },
    { "cut: the room there is", "abc", 9, 3, "abc", 0 }
};


static void
cut_case(void **state)
{
    char               buf[32];
    ngx_aop_text_t     t;
    const cut_case_t  *c = *state;

    memset(buf, 0x5a, sizeof(buf));

    ngx_aop_text_init(&t, buf, c->size);
    ngx_aop_text_cut(&t, ngx_aop_text_json, c->text, strlen(c->text), c->max);

    assert_int_equal(t.pos - t.start, strlen(c->out));
    assert_memory_equal(buf, c->out, strlen(c->out));
    assert_int_equal(t.overflow, c->overflow);
    assert_int_equal(buf[c->size], 0x5a);

    /* what is cut does not keep others from being written */

    if (!c->overflow && c->size > strlen(c->out)) {
        ngx_aop_text_puts(&t, "x");
        assert_int_equal(t.overflow, 0);
        assert_int_equal(t.pos[-1], 'x');
    }
}


static void
copy_case(void **state)
{
    char                buf[64];
    size_t              n;
    const copy_case_t  *c = *state;

    memset(buf, 0x5a, sizeof(buf));

    n = ngx_aop_text_utf8(buf, c->size, c->text, strlen(c->text));

    assert_int_equal(n, strlen(c->copy));
    assert_memory_equal(buf, c->copy, n);
    assert_int_equal(buf[c->size], 0x5a);
}


/* What does not fit is not written, and all that follows neither. */

static void
text_overflow(void **state)
{
    char            buf[4] = { 0x5a, 0x5a, 0x5a, 0x5a };
    ngx_aop_text_t  t;

    ngx_aop_text_init(&t, buf, 3);

    ngx_aop_text_puts(&t, "ab");
    assert_int_equal(t.overflow, 0);

    ngx_aop_text_puts(&t, "cd");
    assert_int_equal(t.overflow, 1);
    assert_int_equal(t.pos - t.start, 2);

    ngx_aop_text_puts(&t, "e");
    ngx_aop_text_put(&t, "", 0);
    ngx_aop_text_printf(&t, "f");
    assert_int_equal(t.pos - t.start, 2);
    assert_int_equal(t.overflow, 1);
    assert_int_equal(buf[3], 0x5a);
}


static void
text_full(void **state)
{
    char            buf[3];
    ngx_aop_text_t  t;

    ngx_aop_text_init(&t, buf, 3);

    ngx_aop_text_puts(&t, "abc");
    ngx_aop_text_puts(&t, "");
    assert_int_equal(t.overflow, 0);
    assert_memory_equal(buf, "abc", 3);
}


static void
text_printf(void **state)
{
    char            buf[16];
    ngx_aop_text_t  t;

    ngx_aop_text_init(&t, buf, 8);

    ngx_aop_text_printf(&t, "%s=%d", "a", 1);
    assert_int_equal(t.overflow, 0);
    assert_memory_equal(buf, "a=1", 3);

    /* room for the text, and for a zero */

    ngx_aop_text_printf(&t, "%s", "1234");
    assert_int_equal(t.overflow, 0);
    assert_int_equal(t.pos - t.start, 7);

    ngx_aop_text_printf(&t, "%s", "5");
    assert_int_equal(t.overflow, 1);
    assert_int_equal(t.pos - t.start, 7);
}


/* A text that grows: here, to another buffer each time. */

static int
text_more(ngx_aop_text_t *text, size_t len)
{
    static char  buf[4096];

    if (len > sizeof(buf) || text->start == buf) {
        return 0;
    }

    text->start = buf;
    text->pos = buf;
    text->last = buf + sizeof(buf);

    return 1;
}


static void
text_grow(void **state)
{
    char            buf[4];
    ngx_aop_text_t  text;

    (void) state;

    ngx_aop_text_init(&text, buf, sizeof(buf));
    text.more = text_more;

    ngx_aop_text_puts(&text, "abc");
    ngx_aop_text_printf(&text, "%s", "what does not fit is in one piece");

    assert_false(text.overflow);
    assert_memory_equal(text.start, "what does not fit is in one piece", 33);

    /* a cut is none of the room, also where there could be more */

    ngx_aop_text_init(&text, buf, sizeof(buf));
    text.more = text_more;

    ngx_aop_text_cut(&text, ngx_aop_text_json, "1234567\"9", 9, 8);

    assert_false(text.overflow);
    assert_int_equal(text.pos - text.start, 7);
    assert_memory_equal(text.start, "1234567", 7);

    /* no more room than that */

    ngx_aop_text_printf(&text, "%4100d", 1);

    assert_true(text.overflow);
}


int
main(void)
{
    unit_cases(escapes, escape_case);
    unit_case("each byte", escape_bytes, NULL);
    unit_case("each control character", escape_controls, NULL);
    unit_cases(cuts, cut_case);
    unit_cases(copies, copy_case);
    unit_case("overflow is remembered", text_overflow, NULL);
    unit_case("all room is used", text_full, NULL);
    unit_case("printf", text_printf, NULL);
    unit_case("a text that grows", text_grow, NULL);

    return unit_run("text", NULL, NULL);
}
