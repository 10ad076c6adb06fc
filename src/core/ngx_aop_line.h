
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_LINE_H_INCLUDED_
#define _NGX_AOP_LINE_H_INCLUDED_


#include <stddef.h>


/*
 * A field of a log line; the value is borrowed, and anyone may have chosen it.
 */

typedef struct {
    const char   *name;             /* plain ASCII */
    const char   *data;
    size_t        len;
    size_t        max;              /* bytes of the value in the line */
    unsigned      escaped:1;        /* a name as ngx_aop_cert_print() does */
} ngx_aop_line_field_t;


/*
 * ngx_aop_line_json() writes one JSON object (RFC 8259) without a line break
 * to a buffer.  Each value is a string of valid UTF-8 without control
 * characters.  It is cut at its limit, as it stands in the line: its beginning
 * is kept, in whole characters and whole escapes.  Returns the length, 0 if
 * the buffer is too small.
 */

size_t ngx_aop_line_json(char *buf, size_t size,
    const ngx_aop_line_field_t *fields, size_t n);


/* The size that is never too small for these fields. */

size_t ngx_aop_line_size(const ngx_aop_line_field_t *fields, size_t n);


#endif /* _NGX_AOP_LINE_H_INCLUDED_ */
