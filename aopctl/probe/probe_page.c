
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Is this the page that another visit got?  A site that writes the time or a
 * token into its pages still serves the same page, so what counts is the share
 * of words that two pages have in common; if it is neither large nor small,
 * there is no answer.
 */


#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "probe_page.h"


/* percent of the words of both pages */

#define AOPCTL_PAGE_SAME_MIN     60
#define AOPCTL_PAGE_ANOTHER_MAX  30

/* words to know a page by */

#define AOPCTL_PAGE_ENOUGH       8


/* FNV-1a */

#define AOPCTL_PAGE_BASIS        2166136261u
#define AOPCTL_PAGE_PRIME        16777619u


static void aopctl_page_redirect(aopctl_page_t *page, const char *location,
    const char *scheme, const char *host);
static size_t aopctl_page_host(const char *authority);
static void aopctl_page_words(aopctl_page_t *page, const char *body,
    size_t len);
static void aopctl_page_word(aopctl_page_t *page, uint32_t hash);
static aopctl_same_e aopctl_page_compare_urls(const aopctl_page_t *a,
    const aopctl_page_t *b);


void
aopctl_probe_page_make(aopctl_page_t *page, const aopctl_http_t *http,
    unsigned tls, const char *host)
{
    memset(page, 0, sizeof(aopctl_page_t));

    page->status = http->status;

    if (http->status / 100 == 3 && http->location[0] != '\0') {
        aopctl_page_redirect(page, http->location, tls ? "https" : "http",
                             host);
        return;
    }

    aopctl_page_words(page, http->body, http->len);
}


/*
 * The URL is made whole, so that "/login" and "https://site.test/login" are
 * one.  A port is left out: nginx adds the one that it listens to.
 */

static void
aopctl_page_redirect(aopctl_page_t *page, const char *location,
    const char *scheme, const char *host)
{
    size_t       len;
    const char  *authority, *path;

    len = strlen(scheme);

    if (strncasecmp(location, scheme, len) == 0
        && strncmp(location + len, "://", 3) == 0)
    {
        authority = location + len + 3;

    } else if (strncmp(location, "//", 2) == 0) {
        authority = location + 2;

    } else if (strstr(location, "://") != NULL) {
        snprintf(page->url, sizeof(page->url), "%s", location);
        return;

    } else {
        authority = NULL;
    }

    path = authority ? authority + strcspn(authority, "/?#") : location;
    authority = authority ? authority : host;
    len = aopctl_page_host(authority);

    page->self = (len == aopctl_page_host(host)
                  && strncasecmp(authority, host, len) == 0);

    page->path = snprintf(page->url, sizeof(page->url), "%s://%.*s", scheme,
                          (int) len, authority);

    snprintf(page->url + page->path, sizeof(page->url) - page->path, "%s%s",
             path[0] == '/' ? "" : "/", path);
}


/* The length of the host, of which an IPv6 address stands in brackets. */

static size_t
aopctl_page_host(const char *authority)
{
    size_t  len;

    if (authority[0] != '[') {
        return strcspn(authority, ":/?#");
    }

    len = strcspn(authority, "]/?#");

    return len + (authority[len] == ']');
}


static void
aopctl_page_words(aopctl_page_t *page, const char *body, size_t len)
{
    size_t    i;
    uint32_t  hash;

    hash = AOPCTL_PAGE_BASIS;

    for (i = 0; i < len; i++) {

        if (isalnum((unsigned char) body[i]) || (body[i] & 0x80)) {
            hash = (hash ^ (unsigned char) body[i]) * AOPCTL_PAGE_PRIME;
            continue;
        }

        aopctl_page_word(page, hash);
        hash = AOPCTL_PAGE_BASIS;
    }

    aopctl_page_word(page, hash);
}


static void
aopctl_page_word(aopctl_page_t *page, uint32_t hash)
{
    if (hash == AOPCTL_PAGE_BASIS) {
        return;
    }

    hash = (hash >> 15 ^ hash) % AOPCTL_PAGE_WORDS;

    page->words[hash / AOPCTL_PAGE_BITS] |=
                                     (uint64_t) 1 << hash % AOPCTL_PAGE_BITS;
}


aopctl_same_e
aopctl_probe_page_compare(const aopctl_page_t *a, const aopctl_page_t *b)
{
    size_t    i;
    unsigned  both, all;

    if (a->url[0] != '\0' || b->url[0] != '\0') {
        return aopctl_page_compare_urls(a, b);
    }

    both = 0;
    all = 0;

    for (i = 0; i < AOPCTL_PAGE_WORDS / AOPCTL_PAGE_BITS; i++) {
        both += __builtin_popcountll(a->words[i] & b->words[i]);
        all += __builtin_popcountll(a->words[i] | b->words[i]);
    }

    /* the site is the site, with whatever status; an empty page is any */

    if (a->status != b->status && all < AOPCTL_PAGE_ENOUGH) {
        return AOPCTL_PAGE_ANOTHER;
    }

    if (both * 100 >= all * AOPCTL_PAGE_SAME_MIN) {
        return AOPCTL_PAGE_SAME;
    }

    return (both * 100 > all * AOPCTL_PAGE_ANOTHER_MAX) ? AOPCTL_PAGE_SIMILAR
                                                        : AOPCTL_PAGE_ANOTHER;
}


/* To the same URL, or to the same place of the requested host. */

static aopctl_same_e
aopctl_page_compare_urls(const aopctl_page_t *a, const aopctl_page_t *b)
{
    if (strcmp(a->url, b->url) == 0
        || (a->self && b->self
            && strcmp(a->url + a->path, b->url + b->path) == 0))
    {
        return AOPCTL_PAGE_SAME;
    }

    return AOPCTL_PAGE_ANOTHER;
}
