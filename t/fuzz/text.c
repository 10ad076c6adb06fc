
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Whatever goes out is bounded, valid UTF-8, and closes none of the quotes it
 * is put between.  The first byte of the input is the size of the buffer.
 */


#include "ngx_aop_text.h"
#include "fuzz.h"


/* what one byte becomes at most: \u0000 */

#define FUZZ_LONGEST  6


static void
fuzz_utf8(const char *data, size_t len)
{
    size_t                n;
    const unsigned char  *p, *last;

    last = (const unsigned char *) data + len;

    for (p = (const unsigned char *) data; p < last; p += n) {
        n = ngx_aop_text_char(p, last);
        fuzz_check(n != 0);
    }
}


/* No quote that is not escaped, and no escape without its end. */

static void
fuzz_quoted(const char *data, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        fuzz_check(data[i] != '"');

        if (data[i] == '\\') {
            i++;
            fuzz_check(i < len);
        }
    }
}


static void
fuzz_escape(ngx_aop_text_escape_pt escape, const fuzz_input_t *in, size_t size)
{
    char            *buf;
    size_t           len, i;
    ngx_aop_text_t   text;

    buf = malloc(size ? size : 1);
    fuzz_check(buf != NULL);

    ngx_aop_text_init(&text, buf, size);
    escape(&text, (const char *) in->data, in->size);

    len = text.pos - text.start;

    fuzz_check(len <= size);
    fuzz_check(!text.overflow || size <= in->size * FUZZ_LONGEST);

    if (!text.overflow) {
        fuzz_utf8(buf, len);

        if (escape != ngx_aop_text_html) {
            fuzz_quoted(buf, len);
        }

        for (i = 0; i < len; i++) {
            if (escape == ngx_aop_text_html) {
                fuzz_check(strchr("<>\"'", buf[i]) == NULL);
            }

            fuzz_check((unsigned char) buf[i] >= 0x20 && buf[i] != 0x7f);
            fuzz_check(i == 0 || (unsigned char) buf[i - 1] != 0xc2
                       || (unsigned char) buf[i] >= 0xa0);
        }
    }

    free(buf);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char          *buf;
    size_t         room, len;
    fuzz_input_t   in;

    in.data = data;
    in.size = size;
    room = fuzz_byte(&in) * 8;

    fuzz_escape(ngx_aop_text_json, &in, room);
    fuzz_escape(ngx_aop_text_label, &in, room);
    fuzz_escape(ngx_aop_text_html, &in, room);

    /* with room for everything nothing overflows */

    fuzz_escape(ngx_aop_text_json, &in, in.size * FUZZ_LONGEST + 1);

    buf = malloc(room ? room : 1);
    fuzz_check(buf != NULL);

    len = ngx_aop_text_utf8(buf, room, (const char *) in.data, in.size);

    fuzz_check(len <= room);
    fuzz_utf8(buf, len);

    free(buf);

    return 0;
}
