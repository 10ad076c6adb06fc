
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Words and numbers of the page.  What comes from outside is escaped here, and
 * nowhere else.
 */


#include <stdio.h>
#include <string.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_page.h"


static void ngx_aop_page_text_address(ngx_aop_text_t *text,
    const char *address);


void
ngx_aop_page_text(ngx_aop_text_t *text, const char *s)
{
    ngx_aop_text_html(text, s, strlen(s));
}


/* 1284567 is 1,284,567 */

void
ngx_aop_page_text_number(ngx_aop_text_t *text, int64_t number)
{
    int   i, n;
    char  digits[sizeof("-9223372036854775808")];

    n = snprintf(digits, sizeof(digits), "%lld", (long long) number);

    for (i = 0; i < n; i++) {
        ngx_aop_text_put(text, &digits[i], 1);

        if (digits[i] != '-' && i + 1 < n && (n - i - 1) % 3 == 0) {
            ngx_aop_text_puts(text, ",");
        }
    }
}


void
ngx_aop_page_text_count(ngx_aop_text_t *text, uint64_t n, const char *one,
    const char *many)
{
    ngx_aop_page_text_number(text, (int64_t) n);
    ngx_aop_text_puts(text, n == 1 ? one : many);
}


/* A time in the past is shown as its age, with the time itself as a tip. */

void
ngx_aop_page_text_time(ngx_aop_text_t *text, time_t t, time_t now)
{
    char    date[NGX_AOP_DATE];
    size_t  i;
    time_t  age;

    static const struct {
        time_t       below;
        time_t       unit;
        const char  *word;
    } units[] = {
        { 120, 1, "s" },
        { 120 * 60, 60, "min" },
        { 48 * 3600, 3600, "h" },
        { 0, 86400, "days" }
    };

    age = now - t;

    (void) ngx_aop_cert_date(t, date);

    ngx_aop_text_printf(text, "<time datetime=\"%s\" title=\"%s\">", date,
                        date);

    if (age < 0) {
        ngx_aop_text_printf(text, "%.10s</time>", date);
        return;
    }

    for (i = 0; units[i].below && age >= units[i].below; i++) { /* void */ }

    ngx_aop_text_printf(text, "%lld %s ago</time>",
                        (long long) (age / units[i].unit), units[i].word);
}


void
ngx_aop_page_text_label(ngx_aop_text_t *text, const char *name)
{
    size_t  len;

    len = strcspn(name, " ");

    ngx_aop_text_html(text, name, len);
    ngx_aop_page_text_address(text, name + len);
}


void
ngx_aop_page_text_name(ngx_aop_text_t *text, const char *name)
{
    size_t       n;
    const char  *last;

    last = name + strcspn(name, " ");

    while (name < last) {
        n = strcspn(name, ". ");
        n += (name[n] == '.');

        ngx_aop_text_html(text, name, n);
        name += n;

        if (name < last) {
            ngx_aop_text_puts(text, "<wbr>");
        }
    }

    ngx_aop_page_text_address(text, last);
}


static void
ngx_aop_page_text_address(ngx_aop_text_t *text, const char *address)
{
    if (*address != '\0') {
        ngx_aop_text_puts(text, " <small>");
        ngx_aop_page_text(text, address + 1);
        ngx_aop_text_puts(text, "</small>");
    }
}


/* A line's end is a control character, which is not copied otherwise. */

void
ngx_aop_page_text_lines(ngx_aop_text_t *text, const char *lines)
{
    size_t  n;

    ngx_aop_text_puts(text, "<pre>");

    for ( ;; ) {
        n = strcspn(lines, "\n");

        ngx_aop_text_html(text, lines, n);

        if (lines[n] == '\0') {
            break;
        }

        ngx_aop_text_puts(text, "\n");
        lines += n + 1;
    }

    ngx_aop_text_puts(text, "</pre>");
}


void
ngx_aop_page_text_href(ngx_aop_text_t *text, const char *format,
    const ngx_aop_report_view_t *view)
{
    ngx_aop_text_printf(text, "\"?format=%s", format);

    if (view->server != NULL) {
        ngx_aop_text_puts(text, "&amp;server=");
        ngx_aop_text_query(text, view->server, strlen(view->server));
    }

    ngx_aop_text_puts(text, view->all ? "&amp;show=all" : "");
    ngx_aop_text_puts(text, view->paused ? "&amp;refresh=off" : "");
    ngx_aop_text_puts(text, "\"");
}


void
ngx_aop_page_text_verdict(ngx_aop_text_t *text, const char *word)
{
    ngx_aop_text_printf(text, "<a href=\"#verdict-%s\">%s</a>", word, word);
}
