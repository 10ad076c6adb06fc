
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The rule behind "safe to enforce?".  What fails from the edge or from a
 * private address would be locked out: that is "no".  Direct traffic is what
 * enforcing is there to turn away.  Too little evidence is never "yes".
 */


#include "ngx_aop_ready.h"
#include "ngx_aop_cert.h"


static uint64_t ngx_aop_ready_judged(const ngx_aop_window_t *window,
    ngx_aop_peer_e peer);
static uint64_t ngx_aop_ready_failed(const ngx_aop_window_t *window,
    ngx_aop_peer_e peer);
static void ngx_aop_ready_why_failed(const ngx_aop_window_t *window,
    ngx_aop_text_t *why);
static void ngx_aop_ready_why_few(const ngx_aop_window_t *window,
    uint64_t judged, ngx_aop_text_t *why);
static void ngx_aop_ready_why_yes(const ngx_aop_window_t *window,
    ngx_aop_text_t *why);


static const char *const  ngx_aop_ready_words[] = {
    "no", "yes", "unknown"
};

static const char *const  ngx_aop_ready_from[NGX_AOP_PEERS] = {
    "Cloudflare's edge", "private addresses", "other addresses"
};


ngx_aop_ready_e
ngx_aop_ready(const ngx_aop_window_t *window, ngx_aop_text_t *why)
{
    uint64_t  judged;

    if (window->outdated) {
        ngx_aop_text_puts(why, "an anchor or CRL in use is out of its dates, "
                          "so what depends on it fails");
        return NGX_AOP_READY_NO;
    }

    if (ngx_aop_ready_failed(window, NGX_AOP_EDGE)
        || ngx_aop_ready_failed(window, NGX_AOP_PRIVATE))
    {
        ngx_aop_ready_why_failed(window, why);
        return NGX_AOP_READY_NO;
    }

    judged = ngx_aop_ready_judged(window, NGX_AOP_EDGE) - window->elsewhere;

    if (judged < NGX_AOP_READY_MIN) {
        ngx_aop_ready_why_few(window, judged, why);
        return NGX_AOP_READY_UNKNOWN;
    }

    if (window->handshakes == 0) {
        ngx_aop_text_puts(why, "no full handshake from Cloudflare's edge yet, "
                          "only resumed or older connections");
        return NGX_AOP_READY_UNKNOWN;
    }

    if (window->requests[NGX_AOP_OK][NGX_AOP_DIRECT]) {
        ngx_aop_text_printf(why, "requests that passed from addresses that "
                            "are not on the list of Cloudflare's: %llu; the "
                            "list (\"aop_edge\") is out of date, or a proxy "
                            "stands in front", (unsigned long long)
                            window->requests[NGX_AOP_OK][NGX_AOP_DIRECT]);
        return NGX_AOP_READY_UNKNOWN;
    }

    ngx_aop_ready_why_yes(window, why);

    return NGX_AOP_READY_YES;
}


const char *
ngx_aop_ready_word(ngx_aop_ready_e ready)
{
    return ngx_aop_ready_words[ready];
}


static uint64_t
ngx_aop_ready_judged(const ngx_aop_window_t *window, ngx_aop_peer_e peer)
{
    return window->requests[NGX_AOP_OK][peer]
           + ngx_aop_ready_failed(window, peer);
}


static uint64_t
ngx_aop_ready_failed(const ngx_aop_window_t *window, ngx_aop_peer_e peer)
{
    uint64_t  n;
    unsigned  verdict;

    n = 0;

    for (verdict = NGX_AOP_OK + 1; verdict < NGX_AOP_VERDICTS; verdict++) {
        n += window->requests[verdict][peer];
    }

    return n;
}


static void
ngx_aop_ready_why_failed(const ngx_aop_window_t *window, ngx_aop_text_t *why)
{
    char         date[NGX_AOP_DATE];
    uint64_t     failed, judged;
    unsigned     peer, verdict;
    const char  *separator, *comma;

    separator = "";

    for (peer = NGX_AOP_EDGE; peer <= NGX_AOP_PRIVATE; peer++) {

        failed = ngx_aop_ready_failed(window, peer);
        judged = ngx_aop_ready_judged(window, peer);

        if (failed == 0) {
            continue;
        }

        ngx_aop_text_printf(why, "%s%llu of %llu requests from %s failed "
                            "(%.4g%%):", separator,
                            (unsigned long long) failed,
                            (unsigned long long) judged,
                            ngx_aop_ready_from[peer],
                            100.0 * (double) failed / (double) judged);

        comma = "";

        for (verdict = NGX_AOP_OK + 1; verdict < NGX_AOP_VERDICTS; verdict++)
        {
            if (window->requests[verdict][peer]) {
                ngx_aop_text_printf(why, "%s %s %llu", comma,
                     ngx_aop_verdict(verdict)->word,
                     (unsigned long long) window->requests[verdict][peer]);
                comma = ",";
            }
        }

        separator = "; ";
    }

    if (window->hosts != NULL && window->hosts[0] != '\0') {
        ngx_aop_text_printf(why, "; hosts: %s", window->hosts);
    }

    if (window->last != 0) {
        ngx_aop_text_printf(why, "; last at %s",
                            ngx_aop_cert_date(window->last, date));
    }
}


static void
ngx_aop_ready_why_few(const ngx_aop_window_t *window, uint64_t judged,
    ngx_aop_text_t *why)
{
    ngx_aop_text_printf(why, "too little traffic: %llu of the %d judged "
                        "requests from Cloudflare's edge that are needed",
                        (unsigned long long) judged, NGX_AOP_READY_MIN);

    if (window->elsewhere) {
        ngx_aop_text_printf(why, ", without %llu that passed for hosts that "
                            "are not this server's", (unsigned long long)
                            window->elsewhere);
    }
}


static void
ngx_aop_ready_why_yes(const ngx_aop_window_t *window, ngx_aop_text_t *why)
{
    uint64_t  foreign;

    ngx_aop_text_printf(why, "all %llu requests from Cloudflare's edge "
                        "passed; enforcing turns away what came from other "
                        "addresses, %llu requests", (unsigned long long)
                        ngx_aop_ready_judged(window, NGX_AOP_EDGE),
                        (unsigned long long)
                        ngx_aop_ready_failed(window, NGX_AOP_DIRECT));

    foreign = window->foreign[NGX_AOP_EDGE] + window->foreign[NGX_AOP_PRIVATE]
              + window->foreign[NGX_AOP_DIRECT];

    if (foreign == 0) {
        return;
    }

    ngx_aop_text_printf(why, ", and %llu for hosts that are not this "
                        "server's", (unsigned long long) foreign);

    /* often a health check that names no host, or names an address */

    if (window->foreign[NGX_AOP_PRIVATE]) {
        ngx_aop_text_printf(why, " (%llu of them from private addresses: a "
                            "health check?)", (unsigned long long)
                            window->foreign[NGX_AOP_PRIVATE]);
    }
}
