
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Readers of what the report's writers write, stricter than those it is for:
 * each returns -1 if the text is not well-formed.
 */


#ifndef _REPORT_READ_H_INCLUDED_
#define _REPORT_READ_H_INCLUDED_


#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ngx_aop_report.h"


#define READ_DEPTH  8
#define READ_MAX    65536


typedef struct {
    const char  *p;
    const char  *last;
    const char  *want;          /* path such as "servers/0/name" */
    char         path[256];
    char        *value;
    size_t       size;
    int          found;
} read_json_t;


static inline void *
read_alloc(void *data, size_t size)
{
    void  **list = data, **p;

    p = malloc(sizeof(void *) + size);
    if (p == NULL) {
        return NULL;
    }

    *p = *list;
    *list = p;

    return p + 1;
}


static inline void
read_free(void **list)
{
    void  *next;

    for ( /* void */ ; *list; *list = next) {
        next = *(void **) *list;
        free(*list);
    }
}


/* The whole answer, with a zero at its end; the caller frees it. */

static inline char *
read_whole(ngx_aop_report_t *report, size_t *len)
{
    char                    *text, *p;
    ngx_aop_report_block_t  *block;

    block = ngx_aop_report_done(report, len);

    if (block == NULL) {
        return NULL;
    }

    text = malloc(*len + 1);

    if (text == NULL) {
        return NULL;
    }

    for (p = text; block; block = block->next) {
        memcpy(p, block->start, block->end - block->start);
        p += block->end - block->start;
    }

    *p = '\0';

    return text;
}


/* UTF-8 without control characters, but for "allowed". */

static inline int
read_utf8(const char *data, size_t len, const char *allowed)
{
    size_t                n;
    const unsigned char  *p, *last;

    last = (const unsigned char *) data + len;

    for (p = (const unsigned char *) data; p < last; p += n) {
        n = ngx_aop_text_char(p, last);

        if (n == 0
            || (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
            || ((*p < 0x20 || *p == 0x7f)
                && (*p == '\0' || strchr(allowed, *p) == NULL)))
        {
            return -1;
        }
    }

    return 0;
}


static inline void
read_json_found(read_json_t *json, const char *start, size_t len)
{
    if (json->want == NULL || strcmp(json->path, json->want) != 0) {
        return;
    }

    json->found++;

    if (len < json->size) {
        memcpy(json->value, start, len);
        json->value[len] = '\0';
    }
}


static inline int
read_json_space(read_json_t *json)
{
    while (json->p < json->last && *json->p == '\n') {
        json->p++;
    }

    return json->p < json->last ? 0 : -1;
}


/* Of an escape its letter is kept, which does for these tests. */

static inline int
read_json_string(read_json_t *json, char *text, size_t size)
{
    size_t  n;

    n = 0;

    for (json->p++; json->p < json->last && *json->p != '"'; json->p++) {

        if (*json->p == '\\'
            && (++json->p == json->last
                || strchr("\"\\u", *json->p) == NULL))
        {
            return -1;
        }

        if (n + 1 < size) {
            text[n++] = *json->p;
        }
    }

    text[n] = '\0';

    return json->p++ < json->last ? 0 : -1;
}


static inline int
read_json_word(read_json_t *json)
{
    size_t  n;

    n = strcspn(json->p, ",]}\n");

    if (n == 0 || n > 20
        || (strspn(json->p, "-0123456789") != n
            && strncmp(json->p, "null", n) != 0
            && strncmp(json->p, "true", n) != 0
            && strncmp(json->p, "false", n) != 0))
    {
        return -1;
    }

    read_json_found(json, json->p, n);
    json->p += n;

    return 0;
}


static inline int
read_json_value(read_json_t *json, unsigned depth)
{
    char      name[64], *end, *text;
    int       object, rc;
    size_t    i;

    if (depth > READ_DEPTH || read_json_space(json) != 0) {
        return -1;
    }

    if (*json->p == '"') {
        text = malloc(READ_MAX);
        rc = text ? read_json_string(json, text, READ_MAX) : -1;

        if (rc == 0) {
            read_json_found(json, text, strlen(text));
        }

        free(text);
        return rc;
    }

    if (*json->p != '{' && *json->p != '[') {
        return read_json_word(json);
    }

    object = (*json->p++ == '{');
    end = json->path + strlen(json->path);

    for (i = 0; /* void */ ; i++) {

        if (read_json_space(json) != 0) {
            return -1;
        }

        if (i == 0 && *json->p == (object ? '}' : ']')) {
            break;
        }

        snprintf(name, sizeof(name), "%zu", i);

        if (object
            && (*json->p != '"'
                || read_json_string(json, name, sizeof(name)) != 0
                || json->p == json->last || *json->p++ != ':'))
        {
            return -1;
        }

        snprintf(end, json->path + sizeof(json->path) - end, "%s%s",
                 depth ? "/" : "", name);

        if (read_json_value(json, depth + 1) != 0
            || read_json_space(json) != 0)
        {
            return -1;
        }

        *end = '\0';

        if (*json->p != ',') {
            break;
        }

        json->p++;
    }

    if (*json->p++ != (object ? '}' : ']')) {
        return -1;
    }

    snprintf(name, sizeof(name), "%zu", i + (json->p[-2] != '{'
                                             && json->p[-2] != '['));
    read_json_found(json, name, strlen(name));

    return 0;
}


/*
 * How many values there are at a path (may be NULL), the last of which is
 * copied; of an object or array, the number of its members.
 */

static inline int
read_json(const char *data, size_t len, const char *want, char *value,
    size_t size)
{
    read_json_t  json;

    memset(&json, 0, sizeof(read_json_t));

    json.p = data;
    json.last = data + len;
    json.want = want;
    json.value = value;
    json.size = size;

    if (read_utf8(data, len, "\n") != 0
        || read_json_value(&json, 0) != 0
        || json.last - json.p != 1 || *json.p != '\n')
    {
        return -1;
    }

    return json.found;
}


/* The end of a sample's labels, NULL if they are not well-formed. */

static inline const char *
read_labels(const char *p)
{
    if (*p++ != '{') {
        return NULL;
    }

    for ( ;; ) {
        p += strspn(p, "abcdefghijklmnopqrstuvwxyz_");

        if (p[0] != '=' || p[1] != '"') {
            return NULL;
        }

        for (p += 2; *p != '"'; p++) {

            if (*p == '\n' || *p == '\0'
                || (*p == '\\' && strchr("\\\"n", *++p) == NULL))
            {
                return NULL;
            }
        }

        p++;

        if (*p != ',') {
            return *p == '}' ? p + 1 : NULL;
        }

        p++;
    }
}


static inline int
read_metric_cmp(const void *one, const void *two)
{
    return strcmp(*(char *const *) one, *(char *const *) two);
}


/*
 * How many samples there are of a series (may be NULL), whose value is set;
 * each is with its family, and there once.
 */

static inline int
read_metrics(const char *data, size_t len, const char *want, long long *value)
{
    int          rc, found;
    char        *copy, *line, *next, *end, *family, **series;
    size_t       n;
    const char  *labels;

    copy = malloc(len + 1);
    series = malloc((len / 2 + 1) * sizeof(char *));

    if (copy == NULL || series == NULL) {
        abort();
    }

    memcpy(copy, data, len);
    copy[len] = '\0';

    n = 0;
    found = 0;
    family = NULL;
    rc = (len && copy[len - 1] == '\n') ? read_utf8(data, len, "\n") : -1;

    for (line = copy; rc == 0 && *line; line = next) {
        next = strchr(line, '\n') + 1;
        next[-1] = '\0';

        if (strncmp(line, "# TYPE ", 7) == 0) {
            family = line + 7;
            family[strcspn(family, " ")] = '\0';
            continue;
        }

        if (strncmp(line, "# HELP ", 7) == 0) {
            continue;
        }

        labels = family && strncmp(line, family, strlen(family)) == 0
                 ? read_labels(line + strlen(family)) : NULL;

        if (labels == NULL || *labels != ' ') {
            rc = -1;
            break;
        }

        *(char *) labels = '\0';

        if (want != NULL && strcmp(line, want) == 0) {
            found++;
            *value = strtoll(labels + 1, NULL, 10);
        }

        (void) strtoll(labels + 1, &end, 10);
        rc = (end == next - 1) ? 0 : -1;
        series[n++] = line;
    }

    qsort(series, n, sizeof(char *), read_metric_cmp);

    while (rc == 0 && n-- > 1) {
        rc = strcmp(series[n], series[n - 1]) != 0 ? 0 : -1;
    }

    free(series);
    free(copy);

    return rc ? rc : found;
}


/* Each element that is opened is closed, in turn, and nothing is between. */

static inline int
read_html(const char *data, size_t len)
{
    char         open[64][16];
    size_t       n, depth;
    const char  *p, *name;

    static const char  *empty[] = { "meta", "!DOCTYPE", "wbr" };

    if (read_utf8(data, len, "\n") != 0) {
        return -1;
    }

    depth = 0;

    for (p = data; p[n = strcspn(p, "<>")]; p++) {

        p += n;

        if (*p == '>') {

            /* of styles */

            if (depth && strcmp(open[depth - 1], "style") == 0) {
                continue;
            }

            return -1;
        }

        name = p + 1 + (p[1] == '/');
        n = strcspn(name, " >\n");

        if (n == 0 || n >= sizeof(open[0])) {
            return -1;
        }

        p = name + strcspn(name, "<>");

        if (*p != '>') {
            return -1;
        }

        if (name[-1] == '/') {

            if (depth == 0
                || strlen(open[depth - 1]) != n
                || strncmp(open[--depth], name, n) != 0)
            {
                return -1;
            }

            continue;
        }

        if ((n == 4 && strncmp(name, empty[0], n) == 0)
            || strncmp(name, empty[1], n) == 0
            || (n == 3 && strncmp(name, empty[2], n) == 0))
        {
            continue;
        }

        if (depth == 64) {
            return -1;
        }

        memcpy(open[depth], name, n);
        open[depth++][n] = '\0';
    }

    return depth == 0 ? 0 : -1;
}


#endif /* _REPORT_READ_H_INCLUDED_ */
