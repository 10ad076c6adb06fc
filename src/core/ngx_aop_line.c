
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * One line of a log: a whole JSON object of bounded length, whatever its
 * values.
 */


#include <string.h>

#include "ngx_aop_line.h"
#include "ngx_aop_cert.h"
#include "ngx_aop_text.h"


static void ngx_aop_line_name(ngx_aop_text_t *text, const char *data,
    size_t len);


size_t
ngx_aop_line_json(char *buf, size_t size, const ngx_aop_line_field_t *fields,
    size_t n)
{
    size_t           i;
    ngx_aop_text_t   text;

    ngx_aop_text_init(&text, buf, size);

    ngx_aop_text_puts(&text, "{");

    for (i = 0; i < n; i++) {
        ngx_aop_text_puts(&text, i ? ",\"" : "\"");
        ngx_aop_text_puts(&text, fields[i].name);
        ngx_aop_text_puts(&text, "\":\"");

        if (fields[i].len) {
            ngx_aop_text_cut(&text, fields[i].escaped ? ngx_aop_line_name
                                                      : ngx_aop_text_json,
                             fields[i].data, fields[i].len, fields[i].max);
        }

        ngx_aop_text_puts(&text, "\"");
    }

    ngx_aop_text_puts(&text, "}");

    return text.overflow ? 0 : (size_t) (text.pos - text.start);
}


/* An escape of RFC 2253 is written whole or not at all. */

static void
ngx_aop_line_name(ngx_aop_text_t *text, const char *data, size_t len)
{
    size_t           n;
    ngx_aop_text_t   part;

    while (len && !text->overflow) {
        n = ngx_aop_cert_step(data, len);

        part = *text;
        ngx_aop_text_json(&part, data, n);

        text->overflow = part.overflow;

        if (!part.overflow) {
            text->pos = part.pos;
        }

        data += n;
        len -= n;
    }
}


size_t
ngx_aop_line_size(const ngx_aop_line_field_t *fields, size_t n)
{
    size_t  i, size;

    size = sizeof("{}") - 1;

    for (i = 0; i < n; i++) {
        size += strlen(fields[i].name) + sizeof("\"\":\"\",") - 1
                + fields[i].max;
    }

    return size;
}
