
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The answer for a person: a line for each server of each origin, worst first.
 * Lines that differ only in the origin, and in numbers of the reason, are
 * merged, with the reason of the first.
 */


#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "answer.h"
#include "status.h"
#include "term.h"


#define AOPCTL_STATUS_TEXT_URLS    3
#define AOPCTL_STATUS_TEXT_REASON  240
#define AOPCTL_STATUS_TEXT_LINE    1600


/* The URL is borrowed from the answer, the other texts from the rows. */

typedef struct {
    aopctl_answer_e   answer;
    size_t            number;           /* in the order of the answer */
    const char       *url;
    const char       *head;             /* before the origins */
    size_t            name;             /* its length without the address */
    const char       *tail;             /* after them */
    const char       *key;              /* of lines that are one */
} aopctl_row_t;


typedef struct {
    aopctl_row_t  *row;
    size_t         n;
    json_t        *texts;
} aopctl_rows_t;


static size_t aopctl_status_text_count(const json_t *origins);
static void aopctl_status_text_rows(aopctl_rows_t *rows,
    const json_t *origins);
static void aopctl_status_text_list(aopctl_rows_t *rows, const json_t *origin,
    const json_t *list);
static void aopctl_status_text_add(aopctl_rows_t *rows, const json_t *origin,
    const json_t *server);
static void aopctl_status_text_head(ngx_aop_text_t *text,
    const json_t *server);
static void aopctl_status_text_tail(ngx_aop_text_t *text,
    const json_t *origin, const json_t *server);
static const char *aopctl_status_text_reason(const json_t *server, char *buf);
static const char *aopctl_status_text_copy(aopctl_rows_t *rows,
    const ngx_aop_text_t *text);
static size_t aopctl_status_text_name(const char *head);
static void aopctl_status_text_key(ngx_aop_text_t *text,
    const aopctl_row_t *row);
static void aopctl_status_text_digits(ngx_aop_text_t *text, const char *from);
static int aopctl_status_text_compare(const void *one, const void *two);
static size_t aopctl_status_text_fold(const aopctl_row_t *row, size_t n);


static const aopctl_color_e  aopctl_status_text_colors[AOPCTL_ANSWERS] = {
    AOPCTL_COLOR_RED,
    AOPCTL_COLOR_RED,
    AOPCTL_COLOR_RED,
    AOPCTL_COLOR_YELLOW,
    AOPCTL_COLOR_YELLOW,
    AOPCTL_COLOR_PLAIN,
    AOPCTL_COLOR_GREEN,
    AOPCTL_COLOR_GREEN
};


void
aopctl_status_text_print(const json_t *answer)
{
    size_t          i;
    aopctl_rows_t   rows;
    const json_t   *origins;

    origins = json_object_get(answer, "origins");

    rows.n = 0;
    rows.texts = json_array();
    rows.row = calloc(aopctl_status_text_count(origins) + 1,
                      sizeof(aopctl_row_t));

    if (rows.row == NULL) {
        aopctl_term_error("status: out of memory");
        exit(AOPCTL_STATUS_FAILED);
    }

    aopctl_status_text_rows(&rows, origins);

    qsort(rows.row, rows.n, sizeof(aopctl_row_t), aopctl_status_text_compare);

    i = 0;

    while (i < rows.n) {
        i += aopctl_status_text_fold(&rows.row[i], rows.n - i);
    }

    free(rows.row);
    json_decref(rows.texts);

    aopctl_status_text_print_end(answer);
}


static size_t
aopctl_status_text_count(const json_t *origins)
{
    size_t         i, n;
    const json_t  *origin;

    n = json_array_size(origins);

    json_array_foreach(origins, i, origin) {
        n += json_array_size(json_object_get(origin, "servers"))
             + json_array_size(json_object_get(origin, "unprotected"));
    }

    return n;
}


static void
aopctl_status_text_rows(aopctl_rows_t *rows, const json_t *origins)
{
    size_t         i;
    const json_t  *origin;

    json_array_foreach(origins, i, origin) {

        if (aopctl_answer_of(origin) == AOPCTL_ANSWER_UNREAD) {
            aopctl_status_text_add(rows, origin, origin);
        }

        aopctl_status_text_list(rows, origin,
                                json_object_get(origin, "servers"));
        aopctl_status_text_list(rows, origin,
                                json_object_get(origin, "unprotected"));
    }
}


static void
aopctl_status_text_list(aopctl_rows_t *rows, const json_t *origin,
    const json_t *list)
{
    size_t         i;
    const json_t  *server;

    json_array_foreach(list, i, server) {
        aopctl_status_text_add(rows, origin, server);
    }
}


static void
aopctl_status_text_add(aopctl_rows_t *rows, const json_t *origin,
    const json_t *server)
{
    char             buf[AOPCTL_STATUS_TEXT_LINE];
    aopctl_row_t    *row;
    ngx_aop_text_t   text;

    row = &rows->row[rows->n];
    row->number = rows->n++;
    row->answer = aopctl_answer_of(server);
    row->url = aopctl_json_str(origin, "url");

    ngx_aop_text_init(&text, buf, sizeof(buf));
    aopctl_status_text_head(&text, server);
    row->head = aopctl_status_text_copy(rows, &text);
    row->name = aopctl_status_text_name(row->head);

    ngx_aop_text_init(&text, buf, sizeof(buf));
    aopctl_status_text_tail(&text, origin, server);
    row->tail = aopctl_status_text_copy(rows, &text);

    ngx_aop_text_init(&text, buf, sizeof(buf));
    aopctl_status_text_key(&text, row);
    row->key = aopctl_status_text_copy(rows, &text);
}


/* "no, observing: example.com"; an origin that was not read has no name. */

static void
aopctl_status_text_head(ngx_aop_text_t *text, const json_t *server)
{
    const char    *state;
    const json_t  *name;

    state = aopctl_json_str(server, "state");
    name = json_object_get(server, "name");

    ngx_aop_text_puts(text, aopctl_json_str(server, "answer"));

    if (state[0] != '\0' && strcmp(state, aopctl_json_str(server, "answer"))) {
        ngx_aop_text_printf(text, ", %.32s", state);
    }

    if (json_is_string(name)) {
        ngx_aop_text_printf(text, ": %.300s", json_string_length(name)
                            ? json_string_value(name) : "no server_name");
    }
}


/* Versions go without the date that OpenSSL has in its own. */

static void
aopctl_status_text_tail(ngx_aop_text_t *text, const json_t *origin,
    const json_t *server)
{
    int            n;
    char           buf[AOPCTL_STATUS_TEXT_REASON + 8];
    long long      left;
    const char    *openssl;
    const json_t  *days;

    ngx_aop_text_puts(text, aopctl_status_text_reason(server, buf));

    days = json_object_get(server, "days_left");

    if (json_is_integer(days)) {
        left = json_integer_value(days);
        ngx_aop_text_printf(text, "; %lld day%s left", left,
                            left == 1 ? "" : "s");
    }

    if (json_object_get(server, "ready") == NULL) {
        return;
    }

    openssl = aopctl_json_str(origin, "openssl");
    n = (int) strcspn(openssl, " ");
    n += (openssl[n] == ' ') ? 1 + (int) strcspn(openssl + n + 1, " ") : 0;

    ngx_aop_text_printf(text, "; module %.32s, nginx %.32s, %.*s",
                        aopctl_json_str(origin, "module"),
                        aopctl_json_str(origin, "nginx"), n < 48 ? n : 48,
                        openssl);
}


/* In short: as many of its parts as fit. */

static const char *
aopctl_status_text_reason(const json_t *server, char *buf)
{
    char        *end;
    const char  *reason;

    reason = aopctl_json_str(server, "reason");

    if (strlen(reason) <= AOPCTL_STATUS_TEXT_REASON) {
        return reason;
    }

    memcpy(buf, reason, AOPCTL_STATUS_TEXT_REASON);
    buf[AOPCTL_STATUS_TEXT_REASON] = '\0';

    end = strrchr(buf, ';');
    end = (end != NULL && end > buf) ? end : buf + AOPCTL_STATUS_TEXT_REASON;

    memcpy(end, " ...", sizeof(" ..."));

    return buf;
}


static const char *
aopctl_status_text_copy(aopctl_rows_t *rows, const ngx_aop_text_t *text)
{
    json_t  *copy;

    copy = aopctl_json_bytes(text->start, text->pos - text->start);
    aopctl_json_append(rows->texts, copy);

    return json_string_value(copy);
}


/* Its address may follow "no, observing: example.com". */

static size_t
aopctl_status_text_name(const char *head)
{
    const char  *name;

    name = strstr(head, ": ");

    if (name == NULL) {
        return strlen(head);
    }

    return (size_t) (name + 2 - head) + strcspn(name + 2, " ");
}


static void
aopctl_status_text_key(ngx_aop_text_t *text, const aopctl_row_t *row)
{
    ngx_aop_text_put(text, row->head, row->name);
    aopctl_status_text_digits(text, row->head + row->name);
    ngx_aop_text_puts(text, "\n");
    aopctl_status_text_digits(text, row->tail);
}


/* A run of digits becomes one. */

static void
aopctl_status_text_digits(ngx_aop_text_t *text, const char *from)
{
    for ( /* void */ ; *from != '\0'; from++) {
        if (isdigit((unsigned char) *from)
            && isdigit((unsigned char) from[1]))
        {
            continue;
        }

        ngx_aop_text_put(text, isdigit((unsigned char) *from) ? "0" : from, 1);
    }
}


/* Equal lines stay in the order of their origins. */

static int
aopctl_status_text_compare(const void *one, const void *two)
{
    int                  rc;
    const aopctl_row_t  *a = one;
    const aopctl_row_t  *b = two;

    if (a->answer != b->answer) {
        return a->answer < b->answer ? -1 : 1;
    }

    rc = strcmp(a->key, b->key);

    return rc ? rc : (a->number > b->number) - (a->number < b->number);
}


/* Prints a line; returns how many of the n rows it stands for. */

static size_t
aopctl_status_text_fold(const aopctl_row_t *row, size_t n)
{
    char            buf[AOPCTL_STATUS_TEXT_LINE];
    size_t          i, head;
    ngx_aop_text_t  urls;

    head = strlen(row->head);

    ngx_aop_text_init(&urls, buf, sizeof(buf) - 1);

    for (i = 0; i < n && strcmp(row[i].key, row[0].key) == 0; i++) {
        if (i < AOPCTL_STATUS_TEXT_URLS) {
            ngx_aop_text_printf(&urls, "%s%.200s", i ? ", " : "", row[i].url);
        }

        if (strcmp(row[i].head, row->head) != 0) {
            head = row->name;
        }
    }

    if (i > AOPCTL_STATUS_TEXT_URLS) {
        ngx_aop_text_printf(&urls, " and %zu more",
                            i - AOPCTL_STATUS_TEXT_URLS);
    }

    *urls.pos = '\0';

    if (i == 1) {
        aopctl_term_line(aopctl_status_text_colors[row->answer],
                         "%s (%s): %s", row->head, buf, row->tail);

    } else {
        aopctl_term_line(aopctl_status_text_colors[row->answer],
                         "%.*s (%zu: %s): %s", (int) head, row->head, i, buf,
                         row->tail);
    }

    return i;
}


void
aopctl_status_text_print_end(const json_t *answer)
{
    static const aopctl_color_e  colors[] = {
        AOPCTL_COLOR_GREEN, AOPCTL_COLOR_YELLOW, AOPCTL_COLOR_RED,
        AOPCTL_COLOR_RED
    };

    aopctl_term_line(colors[aopctl_json_int(answer, "status")], "%s: %s",
                     aopctl_json_str(answer, "conclusion"),
                     aopctl_json_str(answer, "why"));
}
