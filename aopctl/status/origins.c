
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which status pages to read.  A URL that cannot be requested is an error at
 * once: an origin that is left out would be one that nobody watches.
 */


#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

#include "origins.h"


static const char *aopctl_origins_check(const char *url, CURLU *parts);
static const char *aopctl_origins_part(CURLU *parts, CURLUPart what,
    char **text);
static const char *aopctl_origins_json(CURLU *parts);
static int aopctl_origins_push(aopctl_origins_t *origins, const char *url,
    char *request);
static int aopctl_origins_duplicate(aopctl_origins_t *origins,
    const char *url);
static int aopctl_origins_lines(aopctl_origins_t *origins, FILE *stream,
    const char *file);
static int aopctl_origins_fail(aopctl_origins_t *origins, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


/* the URL is not printed then */

static const char  aopctl_origins_password[] =
    "contains a user name (use --netrc-file)";


int
aopctl_origins_add(aopctl_origins_t *origins, const char *url)
{
    char        *request;
    CURLU       *parts;
    const char  *err;

    request = NULL;
    parts = curl_url();

    err = (parts == NULL) ? "out of memory" : aopctl_origins_check(url, parts);

    if (err == NULL) {
        err = aopctl_origins_part(parts, CURLUPART_URL, &request);
    }

    curl_url_cleanup(parts);

    if (err == aopctl_origins_password) {
        return aopctl_origins_fail(origins, "invalid URL: %s", err);
    }

    if (err != NULL) {
        return aopctl_origins_fail(origins, "invalid URL \"%.200s\": %s", url,
                                   err);
    }

    return aopctl_origins_push(origins, url, request);
}


/* Returns what is wrong with a URL. */

static const char *
aopctl_origins_check(const char *url, CURLU *parts)
{
    char        *scheme, *user;
    const char  *err;

    if (strlen(url) > AOPCTL_ORIGINS_URL) {
        return "too long";
    }

    /* curl would guess the scheme by the name */

    if (curl_url_set(parts, CURLUPART_URL, url, 0) != CURLUE_OK) {
        return "not a URL such as https://192.0.2.1/aop";
    }

    err = aopctl_origins_part(parts, CURLUPART_SCHEME, &scheme);

    if (err != NULL) {
        return err;
    }

    if (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0) {
        err = "only http and https can be requested";
    }

    curl_free(scheme);

    if (err != NULL) {
        return err;
    }

    /* arguments are seen in the list of processes, and URLs are printed */

    user = NULL;
    (void) aopctl_origins_part(parts, CURLUPART_USER, &user);

    if (user != NULL) {
        curl_free(user);
        return aopctl_origins_password;
    }

    return aopctl_origins_json(parts);
}


static const char *
aopctl_origins_part(CURLU *parts, CURLUPart what, char **text)
{
    return curl_url_get(parts, what, text, CURLU_NO_DEFAULT_PORT) == CURLUE_OK
           ? NULL : "out of memory";
}


/* The page has other formats, and one of them may be its default. */

static const char *
aopctl_origins_json(CURLU *parts)
{
    char  *query;
    int    given;

    query = NULL;
    (void) curl_url_get(parts, CURLUPART_QUERY, &query, 0);

    given = query && (strncmp(query, "format=", 7) == 0
                      || strstr(query, "&format=") != NULL);
    curl_free(query);

    (void) curl_url_set(parts, CURLUPART_FRAGMENT, NULL, 0);

    if (!given && curl_url_set(parts, CURLUPART_QUERY, "format=json",
                               CURLU_APPENDQUERY) != CURLUE_OK)
    {
        return "out of memory";
    }

    return NULL;
}


/* Takes over the request, which curl has to free. */

static int
aopctl_origins_push(aopctl_origins_t *origins, const char *url, char *request)
{
    size_t            i;
    aopctl_origin_t  *origin;

    for (i = 0; i < origins->n; i++) {
        if (strcmp(origins->origin[i].request, request) == 0) {
            curl_free(request);
            return aopctl_origins_duplicate(origins, url);
        }
    }

    if (origins->n == AOPCTL_ORIGINS) {
        curl_free(request);
        return aopctl_origins_fail(origins, "more than %d URLs",
                                   AOPCTL_ORIGINS);
    }

    if (origins->n == origins->size) {
        origins->size = origins->size ? 2 * origins->size : 16;
        origin = realloc(origins->origin,
                         origins->size * sizeof(aopctl_origin_t));

        if (origin == NULL) {
            curl_free(request);
            return aopctl_origins_fail(origins, "out of memory");
        }

        origins->origin = origin;
    }

    origin = &origins->origin[origins->n++];
    origin->request = request;
    origin->url = strdup(url);

    return origin->url ? 1 : aopctl_origins_fail(origins, "out of memory");
}


static int
aopctl_origins_duplicate(aopctl_origins_t *origins, const char *url)
{
    char  *copy, **duplicate;

    if (origins->nduplicates == AOPCTL_ORIGINS) {
        return aopctl_origins_fail(origins, "more than %d duplicate URLs",
                                   AOPCTL_ORIGINS);
    }

    copy = strdup(url);
    duplicate = realloc(origins->duplicate,
                        (origins->nduplicates + 1) * sizeof(char *));

    if (duplicate != NULL) {
        origins->duplicate = duplicate;
    }

    if (duplicate == NULL || copy == NULL) {
        free(copy);
        return aopctl_origins_fail(origins, "out of memory");
    }

    duplicate[origins->nduplicates++] = copy;

    return 1;
}


int
aopctl_origins_file(aopctl_origins_t *origins, const char *file)
{
    int    rc;
    FILE  *stream;

    stream = strcmp(file, "-") == 0 ? stdin : fopen(file, "r");

    if (stream == NULL) {
        origins->unread = 1;
        return aopctl_origins_fail(origins, "cannot read \"%.200s\": %s", file,
                                   strerror(errno));
    }

    rc = aopctl_origins_lines(origins, stream, file);

    if (rc && ferror(stream)) {
        origins->unread = 1;
        rc = aopctl_origins_fail(origins, "cannot read \"%.200s\": %s", file,
                                 strerror(errno));
    }

    if (stream != stdin) {
        fclose(stream);
    }

    return rc;
}


/* Blank lines and comments are also limited: a device has no end. */

static int
aopctl_origins_lines(aopctl_origins_t *origins, FILE *stream, const char *file)
{
    char    line[AOPCTL_ORIGINS_URL + 64], err[AOPCTL_ORIGINS_ERR], *url;
    size_t  n, len;

    for (n = 1; fgets(line, sizeof(line), stream) != NULL; n++) {

        len = strlen(line);

        if (n > 10 * AOPCTL_ORIGINS
            || (len == sizeof(line) - 1 && line[len - 1] != '\n'))
        {
            return aopctl_origins_fail(origins, "%s in %.150s:%zu",
                                       n > 10 * AOPCTL_ORIGINS
                                       ? "too many lines" : "too long line",
                                       file, n);
        }

        url = line + strspn(line, " \t\r\n");
        len = strcspn(url, " \t\r\n");

        if (len == 0 || url[0] == '#') {
            continue;
        }

        if (url[len + strspn(url + len, " \t\r\n")] != '\0') {
            return aopctl_origins_fail(origins, "more than one URL in "
                                       "%.150s:%zu", file, n);
        }

        url[len] = '\0';

        if (!aopctl_origins_add(origins, url)) {
            memcpy(err, origins->err, sizeof(err));
            return aopctl_origins_fail(origins, "%.280s in %.150s:%zu", err,
                                       file, n);
        }
    }

    return 1;
}


static int
aopctl_origins_fail(aopctl_origins_t *origins, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    vsnprintf(origins->err, sizeof(origins->err), fmt, args);
    va_end(args);

    return 0;
}


void
aopctl_origins_free(aopctl_origins_t *origins)
{
    size_t  i;

    for (i = 0; i < origins->n; i++) {
        free(origins->origin[i].url);
        curl_free(origins->origin[i].request);
    }

    for (i = 0; i < origins->nduplicates; i++) {
        free(origins->duplicate[i]);
    }

    free(origins->origin);
    free(origins->duplicate);
}
