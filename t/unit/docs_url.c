
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What "make DOCS_URL=..." makes of the page: a link for each verdict. */


#define NGX_AOP_DOCS_URL  "https://docs.test/aop&<\""

#include "../../src/core/ngx_aop_page_verdicts.c"

#include "unit.h"

#include <stdio.h>


static void
docs_url_links(void **state)
{
    char            link[256];
    unsigned        verdict;
    ngx_aop_text_t  text;

    static char  page[65536];

    (void) state;

    ngx_aop_text_init(&text, page, sizeof(page) - 1);
    ngx_aop_page_verdicts(&text);

    assert_false(text.overflow);
    *text.pos = '\0';

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        snprintf(link, sizeof(link), "; <a href=\"https://docs.test/aop&#38;"
                 "&#60;&#34;/troubleshooting.md#%s\">more</a></p>",
                 ngx_aop_verdict(verdict)->word);

        if (strstr(page, link) == NULL) {
            fail_msg("not there: %s", link);
        }
    }
}


int
main(void)
{
    unit_case("a link for each verdict", docs_url_links, NULL);

    return unit_run("docs_url", NULL, NULL);
}
