
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Is this a status page, and what does it say?  Anyone may have written it.  A
 * page that differs anywhere from what the module writes is not read at all:
 * part of a page could leave out the server that matters.
 */


#include <stdlib.h>
#include <string.h>

#include "page.h"
#include "server.h"
#include "ngx_aop_time.h"


/* 20,000 servers have as many, which take some 300 MB of memory */

#define AOPCTL_PAGE_VALUES  2000000

/* a page is written when it is requested; clocks may differ a little */

#define AOPCTL_PAGE_CLOCK   600


typedef json_t *(*aopctl_page_pt)(const json_t *object, const void *data);


static const char *aopctl_page_parse(const char *body, size_t len,
    json_t **root);
static size_t aopctl_page_values(const char *body, size_t len);
static int aopctl_page_about(const json_t *root, time_t now,
    aopctl_server_page_t *page);
static json_t *aopctl_page_make(const json_t *root,
    const aopctl_server_page_t *page, const char **err);
static json_t *aopctl_page_list(const json_t *array, aopctl_page_pt read,
    const void *data);
static json_t *aopctl_page_server(const json_t *object, const void *data);
static json_t *aopctl_page_unprotected(const json_t *object,
    const void *data);


json_t *
aopctl_page_read(const char *body, size_t len, time_t now, const char **err)
{
    json_t                *root, *answer;
    aopctl_server_page_t   page;

    answer = NULL;
    *err = aopctl_page_parse(body, len, &root);

    if (*err != NULL) {
        return NULL;
    }

    if (aopctl_page_about(root, now, &page)) {
        answer = aopctl_page_make(root, &page, err);

    } else {
        *err = "JSON, but not a status page";
    }

    json_decref(root);

    return answer;
}


static const char *
aopctl_page_parse(const char *body, size_t len, json_t **root)
{
    size_t  n;

    if (aopctl_page_values(body, len) > AOPCTL_PAGE_VALUES) {
        return "more than 2,000,000 values on the page";
    }

    *root = json_loadb(body, len, JSON_REJECT_DUPLICATES, NULL);

    if (*root != NULL) {
        return NULL;
    }

    for (n = 0; n < len && strchr(" \t\r\n", body[n]) != NULL; n++) {
        /* void */
    }

    if (n == len) {
        return "an empty page";
    }

    switch (body[n]) {

    case '<':
        return "HTML or XML instead of JSON";

    case '{':
        return "damaged or incomplete JSON";

    default:
        return "not a status page in JSON";
    }
}


/* An upper limit, without a look at which of them are in strings. */

static size_t
aopctl_page_values(const char *body, size_t len)
{
    size_t  i, n;

    n = 1;

    for (i = 0; i < len; i++) {
        n += (body[i] == ',' || body[i] == '[' || body[i] == '{');
    }

    return n;
}


/* Returns 0 if it is not the module's page. */

static int
aopctl_page_about(const json_t *root, time_t now, aopctl_server_page_t *page)
{
    page->module = json_string_value(json_object_get(root, "module"));
    page->date = json_string_value(json_object_get(root, "time"));

    if (page->module == NULL || page->date == NULL
        || !json_is_string(json_object_get(root, "nginx"))
        || !json_is_string(json_object_get(root, "openssl"))
        || !json_is_array(json_object_get(root, "servers"))
        || !ngx_aop_time_parse(page->date, &page->time))
    {
        return 0;
    }

    page->stale = (page->time < (int64_t) now - AOPCTL_PAGE_CLOCK
                   || page->time > (int64_t) now + AOPCTL_PAGE_CLOCK);

    return 1;
}


static json_t *
aopctl_page_make(const json_t *root, const aopctl_server_page_t *page,
    const char **err)
{
    json_t        *answer, *servers, *list;
    const json_t  *unprotected;

    if (json_array_size(json_object_get(root, "servers")) == 0) {
        *err = "a status page without servers (no server has \"aop\")";
        return NULL;
    }

    /* a page of 0.1.0 does not have the list */

    unprotected = json_object_get(root, "unprotected");

    servers = aopctl_page_list(json_object_get(root, "servers"),
                               aopctl_page_server, page);
    list = unprotected ? aopctl_page_list(unprotected, aopctl_page_unprotected,
                                          NULL)
                       : json_array();

    if (servers == NULL || list == NULL) {
        *err = "a status page with fields of an unknown type";
        json_decref(servers);
        json_decref(list);
        return NULL;
    }

    answer = json_object();

    aopctl_json_set(answer, "module", aopctl_json_text(page->module));
    aopctl_json_set(answer, "nginx",
                    aopctl_json_text(aopctl_json_str(root, "nginx")));
    aopctl_json_set(answer, "openssl",
                    aopctl_json_text(aopctl_json_str(root, "openssl")));
    aopctl_json_set(answer, "time", aopctl_json_text(page->date));
    aopctl_json_set(answer, "servers", servers);
    aopctl_json_set(answer, "unprotected", list);

    return answer;
}


/* NULL if it is not an array, or if one of its objects cannot be read. */

static json_t *
aopctl_page_list(const json_t *array, aopctl_page_pt read, const void *data)
{
    size_t         i;
    json_t        *list, *row;
    const json_t  *object;

    if (!json_is_array(array)) {
        return NULL;
    }

    list = json_array();

    json_array_foreach(array, i, object) {
        row = read(object, data);

        if (row == NULL) {
            json_decref(list);
            return NULL;
        }

        aopctl_json_append(list, row);
    }

    return list;
}


static json_t *
aopctl_page_server(const json_t *object, const void *data)
{
    return aopctl_server_read(object, data);
}


static json_t *
aopctl_page_unprotected(const json_t *object, const void *data)
{
    return aopctl_server_unprotected(object);
}
