
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* A log line is one JSON object, whole and bounded, whatever is in it. */


#include <stdlib.h>
#include <string.h>

#include "ngx_aop_line.h"
#include "unit.h"


#define BAD  "\xef\xbf\xbd"


typedef struct {
    const char  *name;
    const char  *text;
    size_t       len;           /* 0: up to the text's end */
    size_t       max;
    unsigned     escaped;
    const char  *json;
} value_case_t;


static const value_case_t  values[] = {
    { "nothing", "", 0, 9, 0, "" },
    { "plain", "a b", 0, 9, 0, "a b" },
    { "quote", "a\"b", 0, 9, 0, "a\\\"b" },
    { "newline", "a\nb", 0, 9, 0, "a\\u000ab" },
    { "C1", "\xc2\x9b", 0, 9, 0, "\\u009b" },
    { "a zero byte", "a\0b", 3, 9, 0, "a\\u0000b" },
    { "not UTF-8", "\xff", 0, 9, 0, BAD },
    { "cut: at its limit", "abcdef", 0, 3, 0, "abc" },
    { "cut: to nothing", "abc", 0, 0, 0, "" },
    { "cut: in a character", "ab\xe2\x82\xac", 0, 4, 0, "ab" },
    { "cut: behind a character", "ab\xe2\x82\xac" "c", 0, 5, 0,
      "ab\xe2\x82\xac" },
    { "cut: in an escape", "a\n", 0, 6, 0, "a" },
    { "cut: behind a backslash", "a\\\\", 0, 4, 0, "a\\\\" },

    { "name: plain", "CN=a", 0, 9, 1, "CN=a" },
    { "name: hex", "a\\0Ab", 0, 9, 1, "a\\\\0Ab" },
    { "name: cut in a hex escape", "a\\0A", 0, 4, 1, "a" },
    { "name: cut behind a hex escape", "a\\0Ab", 0, 5, 1, "a\\\\0A" },
    { "name: cut in an escape", "a\\,b", 0, 3, 1, "a" },
    { "name: cut behind an escape", "a\\,b", 0, 4, 1, "a\\\\," },
    { "name: cut in an escaped quote", "a\\\"", 0, 4, 1, "a" },
    { "name: cut behind an escaped quote", "a\\\"b", 0, 5, 1, "a\\\\\\\"" },
    { "name: nothing after the cut", "aa\\0Ab", 0, 4, 1, "aa" },
    { "name: a backslash at the end", "a\\", 0, 9, 1, "a\\\\" }
};


static void
value_case(void **state)
{
    char                   *text, buf[64], out[64];
    size_t                  len, n, size;
    const value_case_t     *c = *state;
    ngx_aop_line_field_t    field;

    /* in memory of its own: a byte read beyond is seen by valgrind */

    len = c->len ? c->len : strlen(c->text);
    text = malloc(len ? len : 1);
    assert_non_null(text);
    memcpy(text, c->text, len);

    field.name = "k";
    field.data = text;
    field.len = len;
    field.max = c->max;
    field.escaped = c->escaped;

    strcpy(out, "{\"k\":\"");
    strcat(out, c->json);
    strcat(out, "\"}");

    n = ngx_aop_line_json(buf, sizeof(buf), &field, 1);

    assert_int_equal(n, strlen(out));
    assert_memory_equal(buf, out, n);
    assert_true(n <= ngx_aop_line_size(&field, 1));

    /* half a line is not a line */

    for (size = 0; size < n; size++) {
        memset(buf, 0x5a, sizeof(buf));

        assert_int_equal(ngx_aop_line_json(buf, size, &field, 1), 0);
        assert_int_equal(buf[size], 0x5a);
    }

    free(text);
}


static void
line_fields(void **state)
{
    char                        buf[64];
    size_t                      n;
    const ngx_aop_line_field_t  fields[] = {
        { "a", "1", 1, 9, 0 }, { "b", NULL, 0, 9, 0 }, { "c", "\"", 1, 9, 1 }
    };

    n = ngx_aop_line_json(buf, sizeof(buf), fields, 3);
    buf[n] = '\0';

    assert_string_equal(buf, "{\"a\":\"1\",\"b\":\"\",\"c\":\"\\\"\"}");

    n = ngx_aop_line_json(buf, sizeof(buf), fields, 0);
    buf[n] = '\0';

    assert_string_equal(buf, "{}");
}


/* Each byte, as long as can be: never more than was said. */

static void
line_size(void **state)
{
    int                    ch, escaped;
    char                   text[100], buf[256];
    size_t                 size;
    ngx_aop_line_field_t   fields[2];

    for (ch = 0; ch < 256; ch++) {
        memset(text, ch, sizeof(text));

        for (escaped = 0; escaped < 2; escaped++) {
            fields[0].name = "long";
            fields[0].data = text;
            fields[0].len = sizeof(text);
            fields[0].max = 50;
            fields[0].escaped = escaped;

            fields[1] = fields[0];
            fields[1].max = 7;

            size = ngx_aop_line_size(fields, 2);

            assert_true(size <= sizeof(buf));
            assert_true(ngx_aop_line_json(buf, size, fields, 2) > 0);
        }
    }
}


int
main(void)
{
    unit_cases(values, value_case);
    unit_case("fields", line_fields, NULL);
    unit_case("each byte, without end", line_size, NULL);

    return unit_run("line", NULL, NULL);
}
