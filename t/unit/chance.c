
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Rollouts that nobody has thought of: streams of requests by chance, through
 * any topology, beside a twin server that enforces.  While the twin goes on
 * rejecting what the server has seen fail, the answer must not be yes; and
 * when all that failed is over, it must become yes.
 *
 * The numbers are the same in each run; AOP_TEST_CASES asks for more of them.
 */


#include <stdlib.h>

#include "rollout.h"


#define CASES    200
#define STEP     240
#define STREAMS  9

#define SITE     "a.example"
#define DOCKER   "172.17.0.1"

/* a check by a relay itself is known as one when it has come so often */

#define CHECKS        5
#define CHECK_EVERY   900
#define CHECK_SPAN    600

/* what a check by its own address takes: twice what comes once a day */

#define OVER     (2 * (DAY + HOUR) + 2 * HOUR)


typedef enum {
    PASSES = 0,
    CLOUDFLARE_FAILS,
    PRIVATE_FAILS,
    RELAY_FAILS,                /* its own health check */
    NOISE                       /* decides nothing, or not for ever */
} chance_kind_e;


typedef struct {
    rollout_stream_t    stream;
    chance_kind_e       kind;
    time_t              next;
    time_t              seen;   /* how often */
} chance_stream_t;


typedef struct {
    rollout_run_t       run;
    chance_stream_t     streams[STREAMS];
    size_t              n;
    uint64_t            number;
    uint64_t            seed;
    unsigned            relay:1;
    unsigned            listed:1;
    unsigned            strangers:1;
    time_t              turned;         /* 10.0.0.1 carries others' */
    time_t              returns;
    time_t              end;
} chance_t;


/* requests that were no different from the connection's last one */
static uint64_t  chance_again;


static uint64_t
chance(chance_t *c, uint64_t n)
{
    uint64_t  x;

    x = (c->seed += 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;

    return (x ^ (x >> 31)) % n;
}


static chance_stream_t *
chance_stream(chance_t *c, chance_kind_e kind, ngx_aop_verdict_e verdict,
    const char *peer, const char *host, unsigned flags)
{
    chance_stream_t   *one;
    rollout_stream_t  *stream;

    static const time_t  every[] = {
        1, 10, 30, 60, 300, 600, 890, 1800, 3000, HOUR, 2 * HOUR, 6 * HOUR,
        20 * HOUR, DAY
    };

    one = &c->streams[c->n++];

    memset(one, 0, sizeof(chance_stream_t));

    stream = &one->stream;

    stream->from = (time_t) chance(c, 2 * DAY);
    stream->to = stream->from + (time_t) chance(c, DAY);
    stream->every = every[chance(c, unit_nelts(every))];
    stream->verdict = verdict;
    stream->peer = peer;
    stream->host = host;
    stream->flags = flags|REQUEST(c->n);

    if (stream->every >= 6 * HOUR) {
        stream->to += 2 * DAY;
    }

    one->kind = kind;

    return one;
}


static const char *
chance_host(chance_t *c)
{
    static const char *const  hosts[] = { SITE, "b.example", "c.example" };

    return hosts[chance(c, unit_nelts(hosts))];
}


static ngx_aop_verdict_e
chance_verdict(chance_t *c)
{
    static const ngx_aop_verdict_e  verdicts[] = {
        NGX_AOP_VERDICT_NONE, NGX_AOP_VERDICT_NONE,
        NGX_AOP_VERDICT_UNTRUSTED, NGX_AOP_VERDICT_MISDIRECTED
    };

    return verdicts[chance(c, unit_nelts(verdicts))];
}


/* From then on, and for a day after, 10.0.0.1 is a relay. */

static void
chance_turns(chance_t *c, const chance_stream_t *one)
{
    if (c->turned == 0 || one->stream.from < c->turned) {
        c->turned = one->stream.from;
    }

    if (one->stream.to + DAY > c->returns) {
        c->returns = one->stream.to + DAY;
    }
}


static void
chance_add(chance_t *c)
{
    unsigned           flags, listed;
    const char        *edge;
    chance_stream_t   *one;

    static const char *const  privates[] = { "10.0.0.1", "10.0.0.2" };

    edge = c->relay ? DOCKER : EDGE;
    listed = c->listed ? LISTED : 0;
    flags = RAY|(c->relay ? listed : 0);

    switch (chance(c, 12)) {

    case 0:
    case 1:
        (void) chance_stream(c, CLOUDFLARE_FAILS, chance_verdict(c), edge,
                             chance_host(c), flags);
        break;

    case 2:
    case 3:
        (void) chance_stream(c, PRIVATE_FAILS, chance_verdict(c),
                             privates[chance(c, 2)], "", 0);
        break;

    case 4:
        (void) chance_stream(c, NOISE, chance_verdict(c), DIRECT, SITE,
                             STRANGER);
        break;

    case 5:
        one = chance_stream(c, c->relay ? RELAY_FAILS : NOISE,
                            c->relay ? NGX_AOP_VERDICT_NONE
                                     : NGX_AOP_VERDICT_OK,
                            c->relay ? DOCKER : "10.0.0.2", SITE, listed);
        break;

    case 6:
        one = chance_stream(c, NOISE, NGX_AOP_VERDICT_NONE,
                            c->relay ? DOCKER : DIRECT, SITE,
                            STRANGER|listed);
        one->stream.every += 20;
        c->strangers = 1;
        break;

    case 7:
        one = chance_stream(c, NOISE, 0, NULL, NULL, POLICY);
        one->stream.to = one->stream.from;
        break;

    case 8:
        (void) chance_stream(c, NOISE, NGX_AOP_VERDICT_OK, edge,
                             chance_host(c), flags|VARIABLE);
        break;

    case 9:

        /* an administrator with a certificate, who adds CF-Ray */

        one = chance_stream(c, NOISE, NGX_AOP_VERDICT_OK, "10.0.0.2", SITE,
                            RAY);
        one->stream.to = one->stream.from;
        break;

    case 10:
        (void) chance_stream(c, PRIVATE_FAILS, chance_verdict(c), "10.0.0.3",
                             "", OTHER_HOST|LISTED);
        break;

    default:
        one = chance_stream(c, NOISE, NGX_AOP_VERDICT_OK, "10.0.0.1", SITE,
                            RAY);
        one->stream.every = 60;
        one->stream.to += HOUR;
        chance_turns(c, one);
        break;
    }
}


static void
chance_make(chance_t *c, uint64_t seed)
{
    size_t            i, n;
    chance_stream_t  *site;
    const rollout_t   rollout = { .name = "" };

    memset(c, 0, sizeof(chance_t));

    c->number = seed;
    c->seed = seed;
    c->relay = chance(c, 2);
    c->listed = chance(c, 2);

    rollout_conf(&c->run, &rollout);
    ngx_aop_evidence_init(&c->run.evidence, ROLLOUT_START, 0);
    ngx_aop_evidence_init(&c->run.plain, ROLLOUT_START, 0);
    c->run.compare = 1;

    site = chance_stream(c, PASSES, NGX_AOP_VERDICT_OK,
                         c->relay ? DOCKER : EDGE, SITE,
                         RAY|((c->relay && c->listed) ? LISTED : 0));

    site->stream.from = 0;
    site->stream.every = 5 + (time_t) chance(c, 300);

    n = 1 + chance(c, STREAMS - 1);

    for (i = 1; i < n; i++) {
        chance_add(c);
    }

    for (i = 0; i < c->n; i++) {
        c->streams[i].next = c->streams[i].stream.from;
        c->end = (c->streams[i].stream.to > c->end) ? c->streams[i].stream.to
                                                    : c->end;
    }

    c->end += OVER;
    site->stream.to = c->end;
}


/* Among strangers a rare one may be overlooked. */

static int
chance_checked(const chance_t *c, const chance_stream_t *one, time_t t)
{
    return one->stream.every <= (c->strangers ? CHECK_EVERY / 3 : CHECK_EVERY)
           && one->seen >= CHECKS
           && t - one->stream.from >= CHECK_SPAN;
}


/* The twin will reject the next one, too, and this server knows of it. */

static int
chance_rejected(chance_t *c, const chance_stream_t *one, time_t t)
{
    const rollout_stream_t  *stream;

    stream = &one->stream;

    if (one->next > stream->to || one->seen == 0) {
        return 0;
    }

    switch (one->kind) {

    case CLOUDFLARE_FAILS:
        return stream->every <= NGX_AOP_READY_TIME;

    case PRIVATE_FAILS:

        if (c->turned == 0 || strcmp(stream->peer, "10.0.0.1") != 0) {
            return 1;
        }

        /* an address that seems to hide others */

        return t < c->turned
               || (t > c->returns + stream->every)
               || chance_checked(c, one, t);

    case RELAY_FAILS:
        return chance_checked(c, one, t);

    default:
        return 0;
    }
}


static void
chance_print(const chance_t *c)
{
    size_t                   i;
    const rollout_stream_t  *stream;

    print_message("case %lu, relay %u, listed %u\n", (unsigned long) c->number,
                  c->relay, c->listed);

    for (i = 0; i < c->n; i++) {
        stream = &c->streams[i].stream;

        print_message("  %u: %s for %s, %s, from %ld to %ld every %ld, "
                      "flags %x, seen %ld\n", c->streams[i].kind,
                      stream->peer ? stream->peer : "-",
                      stream->host ? stream->host : "-",
                      ngx_aop_verdict(stream->verdict)->word,
                      (long) stream->from, (long) stream->to,
                      (long) stream->every, stream->flags,
                      (long) c->streams[i].seen);
    }
}


static void
chance_ask(chance_t *c, time_t t)
{
    size_t                   i;
    const rollout_stream_t  *stream;

    rollout_compare(&c->run);

    if (rollout_ask(&c->run, ROLLOUT_START + t) != NGX_AOP_READY_YES) {
        return;
    }

    for (i = 0; i < c->n; i++) {
        stream = &c->streams[i].stream;

        if (chance_rejected(c, &c->streams[i], t)) {
            chance_print(c);
            fail_msg("yes at %ld s, while \"%s\" of %s is rejected: %s",
                     (long) t, ngx_aop_verdict(stream->verdict)->word,
                     stream->peer, c->run.why);
        }
    }
}


static void
chance_feed(chance_t *c, chance_stream_t *one, time_t t)
{
    size_t            i;
    rollout_stream_t  stream;

    stream = one->stream;

    rollout_feed(&c->run, &stream, ROLLOUT_START + t);

    one->seen++;
    one->next = t + stream.every;

    if (!(stream.flags & POLICY)) {
        return;
    }

    /* what was judged by the old certificates is void */

    for (i = 0; i < c->n; i++) {
        if (c->streams[i].stream.verdict == NGX_AOP_VERDICT_UNTRUSTED) {
            c->streams[i].seen = 0;
        }
    }
}


static void
chance_run(chance_t *c)
{
    size_t            i;
    time_t            t, ask;
    chance_stream_t  *first;

    ask = 0;

    for ( ;; ) {
        first = &c->streams[0];

        for (i = 1; i < c->n; i++) {
            if (c->streams[i].next <= c->streams[i].stream.to
                && c->streams[i].next < first->next)
            {
                first = &c->streams[i];
            }
        }

        t = first->next;

        for ( /* void */ ; ask < t; ask += STEP) {
            chance_ask(c, ask);
        }

        if (t > c->end) {
            return;
        }

        chance_feed(c, first, t);
    }
}


static void
chance_case(void **state)
{
    chance_t  c;

    chance_make(&c, (uintptr_t) *state);
    chance_run(&c);

    chance_again += c.run.again;

    if (rollout_ask(&c.run, ROLLOUT_START + c.end) != NGX_AOP_READY_YES) {
        chance_print(&c);
        fail_msg("all is over, and still: %s", c.run.why);
    }
}


static void
chance_cases(void **state)
{
    uintptr_t    i, n;
    void        *seed;
    const char  *more;

    (void) state;

    more = getenv("AOP_TEST_CASES");
    n = more ? strtoul(more, NULL, 10) : CASES;

    for (i = 1; i <= n; i++) {
        seed = (void *) i;

        chance_case(&seed);
    }

    assert_true(chance_again > 1000 * n);
}


int
main(void)
{
    unit_case("rollouts by chance", chance_cases, NULL);

    return unit_run("chance", NULL, NULL);
}
