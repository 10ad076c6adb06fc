
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What the verdicts mean: the table of the core, each row with an anchor for
 * links.
 */


#include <string.h>

#include "ngx_aop_page.h"
#include "ngx_aop_version.h"


static void ngx_aop_page_verdicts_one(ngx_aop_text_t *text,
    const ngx_aop_verdict_t *verdict);
static void ngx_aop_page_verdicts_hint(ngx_aop_text_t *text, const char *from,
    const char *hint, const char *snippet);


void
ngx_aop_page_verdicts(ngx_aop_text_t *text)
{
    unsigned  verdict;

    ngx_aop_text_puts(text, "<section id=\"verdicts\"><h2>What the verdicts "
                      "mean</h2>\n<dl>\n");

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        ngx_aop_page_verdicts_one(text, ngx_aop_verdict(verdict));
    }

    ngx_aop_text_puts(text, "</dl></section>\n");
}


static void
ngx_aop_page_verdicts_one(ngx_aop_text_t *text,
    const ngx_aop_verdict_t *verdict)
{
    int                 same;
    const char *const  *hint;
    const char *const  *snippet;

    hint = verdict->hint;
    snippet = verdict->snippet;
    same = (hint[NGX_AOP_PEER_EDGE] == NULL
            || strcmp(hint[NGX_AOP_PEER_EDGE], hint[NGX_AOP_PEER_PRIVATE])
               == 0);

    ngx_aop_text_printf(text, "<div id=\"verdict-%s\"><dt>%s</dt><dd><p>",
                        verdict->word, verdict->word);
    ngx_aop_page_text(text, verdict->meaning);

    if (verdict->status) {
        ngx_aop_text_printf(text, "; in mode on: %d", verdict->status);
    }

    if (NGX_AOP_DOCS_URL[0] != '\0') {
        ngx_aop_text_puts(text, "; <a href=\"");
        ngx_aop_page_text(text, NGX_AOP_DOCS_URL "/troubleshooting.md#");
        ngx_aop_text_printf(text, "%s\">more</a>", verdict->word);
    }

    ngx_aop_text_puts(text, "</p>");

    ngx_aop_page_verdicts_hint(text, same ? "" : "From Cloudflare: ",
                               hint[NGX_AOP_PEER_EDGE],
                               snippet[NGX_AOP_PEER_EDGE]);

    if (!same) {
        ngx_aop_page_verdicts_hint(text, "From a private address: ",
                                   hint[NGX_AOP_PEER_PRIVATE],
                                   snippet[NGX_AOP_PEER_PRIVATE]);
    }

    ngx_aop_text_puts(text, "</dd></div>\n");
}


static void
ngx_aop_page_verdicts_hint(ngx_aop_text_t *text, const char *from,
    const char *hint, const char *snippet)
{
    if (hint != NULL) {
        ngx_aop_text_printf(text, "<p>%s", from);
        ngx_aop_page_text(text, hint);
        ngx_aop_text_puts(text, "</p>");
    }

    if (snippet != NULL) {
        ngx_aop_page_text_lines(text, snippet);
    }
}
