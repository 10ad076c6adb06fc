
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_TEXT_H_INCLUDED_
#define _NGX_AOP_TEXT_H_INCLUDED_


#include <stddef.h>


/*
 * A bounded writer.  What does not fit is not written, not even in part, and
 * the overflow is remembered: half a document must not go out.
 */

typedef struct ngx_aop_text_s  ngx_aop_text_t;

/* Makes room for len bytes at text->pos; returns 0 if it cannot. */

typedef int (*ngx_aop_text_more_pt)(ngx_aop_text_t *text, size_t len);

struct ngx_aop_text_s {
    char                  *start;
    char                  *pos;
    char                  *last;
    ngx_aop_text_more_pt   more;    /* NULL: there is only this room */
    unsigned               overflow:1;
};


/* The buffer remains the caller's. */

void ngx_aop_text_init(ngx_aop_text_t *text, char *buf, size_t size);

void ngx_aop_text_put(ngx_aop_text_t *text, const char *data, size_t len);
void ngx_aop_text_puts(ngx_aop_text_t *text, const char *s);
void ngx_aop_text_printf(ngx_aop_text_t *text, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


/*
 * These escape any len bytes for the inside of a JSON string (RFC 8259, 7), a
 * Prometheus label value (exposition format 0.0.4), or HTML text and
 * attributes.  Bytes that are not UTF-8 become U+FFFD; so do control
 * characters (C0, DEL, C1) for which there is no escape.
 *
 * ngx_aop_text_query() escapes them for a value in the query of a URL (RFC
 * 3986, 2.1), each byte as it is.
 */

typedef void (*ngx_aop_text_escape_pt)(ngx_aop_text_t *text, const char *data,
    size_t len);

void ngx_aop_text_json(ngx_aop_text_t *text, const char *data, size_t len);
void ngx_aop_text_label(ngx_aop_text_t *text, const char *data, size_t len);
void ngx_aop_text_html(ngx_aop_text_t *text, const char *data, size_t len);
void ngx_aop_text_query(ngx_aop_text_t *text, const char *data, size_t len);


/*
 * ngx_aop_text_cut() escapes as much of the beginning as makes at most max
 * bytes, in whole characters and whole escapes.  What is cut is not an
 * overflow.
 */

void ngx_aop_text_cut(ngx_aop_text_t *text, ngx_aop_text_escape_pt escape,
    const char *data, size_t len, size_t max);


/*
 * ngx_aop_text_char() returns the length of the UTF-8 character at p (before
 * last), 0 if there is none (RFC 3629, 4).
 */

size_t ngx_aop_text_char(const unsigned char *p, const unsigned char *last);


/*
 * ngx_aop_text_utf8() copies text to a buffer of size bytes, with U+FFFD for
 * each byte that is not UTF-8, and cuts at a character.  Returns the length.
 */

size_t ngx_aop_text_utf8(char *buf, size_t size, const char *data,
    size_t len);


/*
 * ngx_aop_text_copy() does so, and ends the copy with a zero within its size.
 * ngx_aop_text_is() returns whether a text would be copied to just that.
 */

void ngx_aop_text_copy(char *copy, size_t size, const char *data, size_t len);
int ngx_aop_text_is(const char *copy, size_t size, const char *data,
    size_t len);

#define NGX_AOP_TEXT_REPLACEMENT  "\xef\xbf\xbd"


#endif /* _NGX_AOP_TEXT_H_INCLUDED_ */
