
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which error page is this?  nginx answers 400 for its own statuses 495, 496
 * and 497: only the title tells them from any other 400.
 */


#include <string.h>

#include "http.h"


typedef struct {
    const char     *title;
    aopctl_page_e   page;
} aopctl_title_t;


static const aopctl_title_t  aopctl_titles[] = {
    { "<title>400 No required SSL certificate was sent</title>",
      AOPCTL_PAGE_CERT },
    { "<title>400 The SSL certificate error</title>",
      AOPCTL_PAGE_CERT },
    { "<title>400 The plain HTTP request was sent to HTTPS port</title>",
      AOPCTL_PAGE_HTTPS }
};


aopctl_page_e
aopctl_http_page(const char *body, size_t len)
{
    size_t                 i;
    const aopctl_title_t  *title;

    for (i = 0; i < sizeof(aopctl_titles) / sizeof(aopctl_titles[0]); i++) {
        title = &aopctl_titles[i];

        if (memmem(body, len, title->title, strlen(title->title)) != NULL) {
            return title->page;
        }
    }

    return AOPCTL_PAGE_OTHER;
}
