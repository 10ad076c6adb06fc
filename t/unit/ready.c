
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The rule of "safe to enforce?", and what it says it rests on. */


#include <string.h>

#include "ngx_aop_ready.h"
#include "unit.h"


#define FOREIGN    NGX_AOP_VERDICTS
#define ELSEWHERE  (NGX_AOP_VERDICTS + 1)


/* A row of counts: of a verdict, or of what was for foreign hosts. */

typedef struct {
    unsigned           verdict;
    ngx_aop_peer_e     peer;
    uint64_t           n;
} count_t;


typedef struct {
    const char        *name;
    count_t            counts[4];
    uint64_t           handshakes;
    unsigned           outdated;
    const char        *hosts;
    time_t             last;
    ngx_aop_ready_e    ready;
    const char        *why;
} ready_case_t;


#define ok(peer, n)       { NGX_AOP_OK, NGX_AOP_##peer, n }
#define none(peer, n)     { NGX_AOP_NONE, NGX_AOP_##peer, n }
#define foreign(peer, n)  { FOREIGN, NGX_AOP_##peer, n }
#define elsewhere(n)      { ELSEWHERE, NGX_AOP_EDGE, n }

#define YES   NGX_AOP_READY_YES
#define NO    NGX_AOP_READY_NO
#define MAYBE NGX_AOP_READY_UNKNOWN

#define ALL   "all 100 requests from Cloudflare's edge passed; enforcing "     \
              "turns away what came from other addresses, "
#define FEW   "too little traffic: "
#define FEW_  " of the 100 judged requests from Cloudflare's edge that are "   \
              "needed"
#define OLD   "an anchor or CRL in use is out of its dates, so what depends "  \
              "on it fails"


static const ready_case_t  cases[] = {

    { "nothing", { { 0, 0, 0 } }, 0, 0, NULL, 0, MAYBE, FEW "0" FEW_ },
    { "one less than enough", { ok(EDGE, 99) }, 1, 0, NULL, 0, MAYBE,
      FEW "99" FEW_ },
    { "just enough", { ok(EDGE, 100) }, 1, 0, NULL, 0, YES,
      ALL "0 requests" },
    { "private traffic is not the edge's", { ok(EDGE, 99), ok(PRIVATE, 99) },
      1, 0, NULL, 0, MAYBE, FEW "99" FEW_ },
    { "private traffic that passes does no harm",
      { ok(EDGE, 100), ok(PRIVATE, 9) }, 1, 0, NULL, 0, YES,
      ALL "0 requests" },

    { "no handshake", { ok(EDGE, 100) }, 0, 0, NULL, 0, MAYBE,
      "no full handshake from Cloudflare's edge yet, only resumed or older "
      "connections" },

    { "one failure from the edge", { ok(EDGE, 9999), none(EDGE, 1) }, 1, 0,
      NULL, 0, NO, "1 of 10000 requests from Cloudflare's edge failed "
      "(0.01%): none 1" },
    { "one failure from a private address",
      { ok(EDGE, 100), ok(PRIVATE, 2), none(PRIVATE, 1) }, 1, 0, NULL, 0, NO,
      "1 of 3 requests from private addresses failed (33.33%): none 1" },
    { "failures from both",
      { none(EDGE, 1), none(PRIVATE, 2) }, 1, 0, NULL, 0, NO,
      "1 of 1 requests from Cloudflare's edge failed (100%): none 1; 2 of 2 "
      "requests from private addresses failed (100%): none 2" },
    { "several verdicts, in the order of the table",
      { { NGX_AOP_ERROR, NGX_AOP_EDGE, 3 }, none(EDGE, 1),
        { NGX_AOP_PIN, NGX_AOP_EDGE, 2 } }, 1, 0, NULL, 0, NO,
      "6 of 6 requests from Cloudflare's edge failed (100%): none 1, pin 2, "
      "error 3" },
    { "a failure outweighs little traffic", { none(EDGE, 1) }, 0, 0, NULL, 0,
      NO, "1 of 1 requests from Cloudflare's edge failed (100%): none 1" },
    { "a failure outweighs a stale list", { ok(DIRECT, 9), none(EDGE, 1) }, 0,
      0, NULL, 0, NO,
      "1 of 1 requests from Cloudflare's edge failed (100%): none 1" },
    { "hosts and time", { none(EDGE, 1) }, 0, 0, "a.test, b.test", 86400, NO,
      "1 of 1 requests from Cloudflare's edge failed (100%): none 1; hosts: "
      "a.test, b.test; last at 1970-01-02T00:00:00Z" },
    { "no hosts", { none(EDGE, 1) }, 0, 0, "", 0, NO,
      "1 of 1 requests from Cloudflare's edge failed (100%): none 1" },
    { "hosts without a failure", { ok(EDGE, 100) }, 1, 0, "a.test", 86400,
      YES, ALL "0 requests" },

    { "direct failures are what it is for",
      { ok(EDGE, 100), none(DIRECT, 7) }, 1, 0, NULL, 0, YES,
      ALL "7 requests" },
    { "direct failures alone", { none(DIRECT, 700) }, 0, 0, NULL, 0, MAYBE,
      FEW "0" FEW_ },
    { "direct successes", { ok(EDGE, 100), ok(DIRECT, 1) }, 1, 0, NULL, 0,
      MAYBE, "requests that passed from addresses that are not on the list of "
      "Cloudflare's: 1; the list (\"aop_edge\") is out of date, or a proxy "
      "stands in front" },

    { "foreign hosts do not decide",
      { ok(EDGE, 100), foreign(EDGE, 3), foreign(DIRECT, 4) }, 1, 0, NULL, 0,
      YES, ALL "0 requests, and 7 for hosts that are not this server's" },
    { "foreign hosts from private addresses",
      { ok(EDGE, 100), foreign(EDGE, 3), foreign(PRIVATE, 4) }, 1, 0, NULL, 0,
      YES, ALL "0 requests, and 7 for hosts that are not this server's (4 of "
      "them from private addresses: a health check?)" },
    { "foreign hosts are no traffic", { foreign(EDGE, 300) }, 1, 0, NULL, 0,
      MAYBE, FEW "0" FEW_ },

    { "passed for foreign hosts", { ok(EDGE, 300), elsewhere(201) }, 1, 0,
      NULL, 0, MAYBE, FEW "99" FEW_ ", without 201 that passed for hosts that "
      "are not this server's" },
    { "enough passed without foreign hosts",
      { ok(EDGE, 100), elsewhere(0) }, 1, 0, NULL, 0, YES, ALL "0 requests" },
    { "as many as are needed beside foreign hosts",
      { ok(EDGE, 100), ok(EDGE, 7), elsewhere(7), none(DIRECT, 1) }, 1, 0,
      NULL, 0, YES, "all 107 requests from Cloudflare's edge passed; enforcing "
      "turns away what came from other addresses, 1 requests" },

    { "out of date", { ok(EDGE, 100) }, 1, 1, NULL, 0, NO, OLD },
    { "out of date without traffic", { { 0, 0, 0 } }, 0, 1, NULL, 0, NO,
      OLD },

    { "more than 32 bits",
      { ok(EDGE, 5000000000), none(EDGE, 5000000000) }, 1, 0, NULL, 0, NO,
      "5000000000 of 10000000000 requests from Cloudflare's edge failed "
      "(50%): none 5000000000" },
};


static ngx_aop_ready_e
ready_of(const ready_case_t *c, ngx_aop_text_t *why)
{
    unsigned           i;
    const count_t     *count;
    ngx_aop_window_t   window;

    memset(&window, 0, sizeof(window));

    for (i = 0; i < unit_nelts(c->counts); i++) {
        count = &c->counts[i];

        if (count->verdict == FOREIGN) {
            window.foreign[count->peer] += count->n;

        } else if (count->verdict == ELSEWHERE) {
            window.elsewhere += count->n;

        } else {
            window.requests[count->verdict][count->peer] += count->n;
        }
    }

    window.handshakes = c->handshakes;
    window.outdated = c->outdated;
    window.hosts = c->hosts;
    window.last = c->last;

    return ngx_aop_ready(&window, why);
}


static void
ready_case(void **state)
{
    char                 buf[1024];
    ngx_aop_text_t       why;
    const ready_case_t  *c = *state;

    ngx_aop_text_init(&why, buf, sizeof(buf) - 1);

    assert_int_equal(ready_of(c, &why), c->ready);

    *why.pos = '\0';

    assert_string_equal(buf, c->why);
    assert_int_equal(why.overflow, 0);
}


/* The answer does not depend on the room for the reason. */

static void
ready_short(void **state)
{
    char            buf[1];
    size_t          i;
    ngx_aop_text_t  why;

    for (i = 0; i < unit_nelts(cases); i++) {
        ngx_aop_text_init(&why, buf, 0);

        assert_int_equal(ready_of(&cases[i], &why), cases[i].ready);
        assert_int_equal(why.overflow, 1);
        assert_ptr_equal(why.pos, buf);
    }
}


/* Any verdict but "ok", from each peer. */

static void
ready_each(void **state)
{
    char             buf[1024];
    unsigned         verdict, peer;
    ready_case_t     c;
    ngx_aop_text_t   why;

    for (verdict = NGX_AOP_OK + 1; verdict < NGX_AOP_VERDICTS; verdict++) {
        for (peer = 0; peer < NGX_AOP_PEERS; peer++) {

            memset(&c, 0, sizeof(c));

            c.counts[0] = (count_t) ok(EDGE, 100);
            c.counts[1].verdict = verdict;
            c.counts[1].peer = peer;
            c.counts[1].n = 1;
            c.handshakes = 1;

            ngx_aop_text_init(&why, buf, sizeof(buf) - 1);

            assert_int_equal(ready_of(&c, &why),
                             peer == NGX_AOP_DIRECT ? YES : NO);

            *why.pos = '\0';

            if (peer != NGX_AOP_DIRECT) {
                assert_non_null(strstr(buf, ngx_aop_verdict(verdict)->word));
            }
        }
    }
}


static void
ready_words(void **state)
{
    assert_string_equal(ngx_aop_ready_word(YES), "yes");
    assert_string_equal(ngx_aop_ready_word(NO), "no");
    assert_string_equal(ngx_aop_ready_word(MAYBE), "unknown");
}


int
main(void)
{
    unit_cases(cases, ready_case);
    unit_case("no room for the reason", ready_short, NULL);
    unit_case("each verdict from each peer", ready_each, NULL);
    unit_case("words", ready_words, NULL);

    return unit_run("ready", NULL, NULL);
}
