
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A log line is bounded, one object of strings, valid UTF-8, and without a
 * control character, whatever is in its fields.  The input is a list of them:
 * a limit, a kind, and a piece each.
 */


#include "ngx_aop_line.h"
#include "ngx_aop_text.h"
#include "fuzz.h"


#define FUZZ_FIELDS  8


/* Returns the byte behind the string that begins at i. */

static size_t
fuzz_string(const char *line, size_t i, size_t len, size_t max)
{
    size_t  n, start;

    fuzz_check(i < len && line[i] == '"');

    for (start = ++i; i < len && line[i] != '"'; i += n) {
        n = ngx_aop_text_char((const unsigned char *) line + i,
                              (const unsigned char *) line + len);
        fuzz_check(n != 0);
        fuzz_check((unsigned char) line[i] >= 0x20 && line[i] != 0x7f);
        fuzz_check(n != 2 || (unsigned char) line[i] != 0xc2
                   || (unsigned char) line[i + 1] >= 0xa0);

        if (line[i] == '\\') {
            fuzz_check(i + 1 < len && strchr("\"\\u", line[i + 1]) != NULL);
            n = (line[i + 1] == 'u') ? 6 : 2;
        }
    }

    fuzz_check(i < len);
    fuzz_check(i - start <= max);

    return i + 1;
}


static void
fuzz_line(const char *line, size_t len, const ngx_aop_line_field_t *fields,
    size_t n)
{
    size_t  i, k;

    fuzz_check(len >= 2 && line[0] == '{');

    for (k = 0, i = 1; k < n; k++) {
        if (k) {
            fuzz_check(line[i++] == ',');
        }

        i = fuzz_string(line, i, len, 1);
        fuzz_check(line[i++] == ':');
        i = fuzz_string(line, i, len, fields[k].max);
    }

    fuzz_check(i == len - 1 && line[i] == '}');
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                  *buf;
    size_t                 n, len, room;
    fuzz_input_t           in, piece;
    ngx_aop_line_field_t   fields[FUZZ_FIELDS];

    in.data = data;
    in.size = size;

    for (n = 0; n < FUZZ_FIELDS && in.size; n++) {
        fields[n].name = "k";
        fields[n].max = fuzz_byte(&in) * 4;
        fields[n].escaped = fuzz_byte(&in) & 1;

        piece = fuzz_piece(&in);
        fields[n].data = (const char *) piece.data;
        fields[n].len = piece.size;
    }

    room = ngx_aop_line_size(fields, n);
    buf = malloc(room);
    fuzz_check(buf != NULL);

    len = ngx_aop_line_json(buf, room, fields, n);

    fuzz_check(len != 0);
    fuzz_line(buf, len, fields, n);

    /* in less room it is whole, or there is none */

    room = len - 1;
    fuzz_check(ngx_aop_line_json(buf, room, fields, n) == 0);

    free(buf);

    return 0;
}
