
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Is it getting better?  A bar for each of the last 24 hours, failed requests
 * at its foot and passed ones above, all to one scale.  One failure among a
 * million is visible.
 */


#include "ngx_aop_page.h"


#define NGX_AOP_PAGE_TREND_PITCH   4
#define NGX_AOP_PAGE_TREND_HEIGHT  20   /* of the picture */
#define NGX_AOP_PAGE_TREND_MAX     18   /* of a bar, but for what is least */
#define NGX_AOP_PAGE_TREND_FAILED  2    /* the least of failed requests */


static void ngx_aop_page_trend_path(ngx_aop_text_t *text,
    const ngx_aop_trend_t *trend, int failed);
static uint64_t ngx_aop_page_trend_max(const ngx_aop_trend_t *trend);
static int ngx_aop_page_trend_height(uint64_t n, uint64_t max, int least);


void
ngx_aop_page_trend(ngx_aop_text_t *text,
    const ngx_aop_trend_t trend[NGX_AOP_EVIDENCE_HOURS])
{
    if (ngx_aop_page_trend_max(trend) == 0) {
        return;
    }

    /* the figures are beside it, in words */

    ngx_aop_text_printf(text, "<svg viewBox=\"0 0 %d %d\" "
                        "aria-hidden=\"true\">",
                        NGX_AOP_EVIDENCE_HOURS * NGX_AOP_PAGE_TREND_PITCH,
                        NGX_AOP_PAGE_TREND_HEIGHT);

    ngx_aop_page_trend_path(text, trend, 0);
    ngx_aop_page_trend_path(text, trend, 1);

    ngx_aop_text_puts(text, "</svg>");
}


/* Strokes, from the bottom up: "M2 20V4" is a bar of 16. */

static void
ngx_aop_page_trend_path(ngx_aop_text_t *text, const ngx_aop_trend_t *trend,
    int failed)
{
    int       foot, height;
    size_t    i;
    uint64_t  max;

    max = ngx_aop_page_trend_max(trend);

    ngx_aop_text_printf(text, "<path class=\"%s\" d=\"", failed ? "f" : "p");

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        foot = ngx_aop_page_trend_height(trend[i].failed, max,
                                         NGX_AOP_PAGE_TREND_FAILED);
        height = foot;

        if (!failed) {
            height = ngx_aop_page_trend_height(trend[i].passed, max, 1);
        }

        if (height != 0) {
            foot = NGX_AOP_PAGE_TREND_HEIGHT - (failed ? 0 : foot);

            ngx_aop_text_printf(text, "M%d %dV%d",
                                (int) i * NGX_AOP_PAGE_TREND_PITCH
                                + NGX_AOP_PAGE_TREND_PITCH / 2,
                                foot, foot - height);
        }
    }

    ngx_aop_text_puts(text, "\"></path>");
}


static uint64_t
ngx_aop_page_trend_max(const ngx_aop_trend_t *trend)
{
    size_t    i;
    uint64_t  n, max;

    max = 0;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        n = trend[i].passed + trend[i].failed;
        max = (n > max) ? n : max;
    }

    return max;
}


static int
ngx_aop_page_trend_height(uint64_t n, uint64_t max, int least)
{
    int  height;

    if (n == 0) {
        return 0;
    }

    height = (int) ((n * NGX_AOP_PAGE_TREND_MAX + max / 2) / max);

    return (height > least) ? height : least;
}
