
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Evidence in bounded memory: a request that passes takes no lock, a flood
 * takes no reason away, and a log may be read in any order.
 */


#include "rollout.h"


#define YES    NGX_AOP_READY_YES
#define NO     NGX_AOP_READY_NO
#define MAYBE  NGX_AOP_READY_UNKNOWN

#define DOCKER  "172.17.0.1"


static rollout_run_t  run;


static int
evidence_start(void **state)
{
    static const rollout_t  rollout = { .name = "" };

    memset(&run, 0, sizeof(run));
    rollout_conf(&run, &rollout);
    ngx_aop_evidence_init(&run.evidence, ROLLOUT_START, 0);

    return 0;
}


static void
feed(ngx_aop_verdict_e verdict, const char *peer, const char *host,
    unsigned flags, time_t t)
{
    rollout_stream_t  stream;

    memset(&stream, 0, sizeof(stream));

    stream.verdict = verdict;
    stream.peer = peer;
    stream.host = host;
    stream.flags = flags;

    rollout_feed(&run, &stream, ROLLOUT_START + t);
}


/* A busy site, from minute to minute. */

static void
busy(time_t from, time_t to)
{
    for ( /* void */ ; from <= to; from += MIN) {
        feed(NGX_AOP_VERDICT_OK, EDGE, "a.example", 0, from);
    }
}


/* It passes often enough to be a relay. */

static void
carry(const char *peer, time_t t)
{
    unsigned  i;

    for (i = 0; i < 10; i++) {
        feed(NGX_AOP_VERDICT_OK, peer, "a.example", RAY, t);
    }
}


static ngx_aop_ready_e
ask(time_t t)
{
    return rollout_ask(&run, ROLLOUT_START + t);
}


/* The first request, and the first of each hour, look for a lock. */

static void
evidence_lock(void **state)
{
    (void) evidence_start(state);

    busy(0, HOUR - 1);
    assert_int_equal(run.slow, 1);

    busy(HOUR, 3 * HOUR - 1);
    assert_int_equal(run.slow, 3);

    carry(DOCKER, 3 * HOUR - 1);
    assert_int_equal(run.slow, 13);
    feed(NGX_AOP_VERDICT_OK, DOCKER, "a.example", RAY, 3 * HOUR - 1);
    feed(NGX_AOP_VERDICT_NONE, DIRECT, "a.example", 0, 3 * HOUR - 1);
    feed(NGX_AOP_VERDICT_OK, "10.0.0.1", "a.example", 0, 3 * HOUR - 1);
    feed(NGX_AOP_VERDICT_OK, EDGE, "a.example", VARIABLE, 3 * HOUR - 1);
    assert_int_equal(run.slow, 13);

    feed(NGX_AOP_VERDICT_NONE, EDGE, "b.example", 0, 3 * HOUR - 1);
    assert_int_equal(run.slow, 14);

    busy(3 * HOUR - 1, 3 * HOUR - 1);
    assert_int_equal(run.slow, 14);
}


/*
 * What a connection's last request led to holds for the next one, until
 * something has changed.
 */

static void
evidence_again(void **state)
{
    size_t  i;

    static const rollout_stream_t  docker = { .peer = DOCKER };

    /* a host that failed counts what passes for it; others are over at once */

    static const struct {
        ngx_aop_verdict_e   verdict;
        const char         *peer;
        unsigned            flags;
        unsigned            again;
    } changes[] = {
        { NGX_AOP_VERDICT_NONE, EDGE, 0, 5 },
        { NGX_AOP_VERDICT_NONE, "10.0.0.2", 0, 9 },
        { NGX_AOP_VERDICT_OK, EDGE, VARIABLE, 5 },
        { NGX_AOP_VERDICT_OK, NULL, POLICY, 8 }
    };

    for (i = 0; i < unit_nelts(changes); i++) {
        (void) evidence_start(state);

        ngx_aop_evidence_init(&run.plain, ROLLOUT_START, 0);
        run.compare = 1;

        /* the first two of an hour are no repetition, the third one is */

        busy(0, 2 * MIN);
        assert_int_equal(run.again, 1);
        busy(59 * MIN, 59 * MIN);
        assert_int_equal(run.again, 2);
        busy(HOUR, HOUR + 2 * MIN);
        assert_int_equal(run.again, 3);
        assert_int_equal(run.slow, 2);

        /* neither is another request */

        feed(NGX_AOP_VERDICT_OK, EDGE, "", OTHER_HOST, HOUR + 3 * MIN);
        feed(NGX_AOP_VERDICT_OK, EDGE, "a.example", 0, HOUR + 3 * MIN);
        feed(NGX_AOP_VERDICT_OK, "10.0.0.1", "", 0, HOUR + 3 * MIN);
        feed(NGX_AOP_VERDICT_OK, "10.0.0.1", "", TOOL, HOUR + 3 * MIN);
        feed(NGX_AOP_VERDICT_OK, DIRECT, "", 0, HOUR + 3 * MIN);
        feed(NGX_AOP_VERDICT_OK, DIRECT, "", 0, HOUR + 3 * MIN);
        assert_int_equal(run.again, 3);

        feed(NGX_AOP_VERDICT_OK, "10.0.0.1", "", 0, HOUR + 3 * MIN);
        feed(NGX_AOP_VERDICT_OK, EDGE, "a.example", 0, HOUR + 3 * MIN);
        assert_int_equal(run.again, 5);

        feed(changes[i].verdict, changes[i].peer, "a.example",
             changes[i].flags, HOUR + 4 * MIN);

        busy(HOUR + 5 * MIN, HOUR + 5 * MIN);
        assert_int_equal(run.again, 5);

        busy(HOUR + 6 * MIN, HOUR + 9 * MIN);
        assert_int_equal(run.again, changes[i].again);

        rollout_compare(&run);
    }

    /* nor does it hold in an hour that a clock which was ahead has been in */

    busy(5 * HOUR, 5 * HOUR + MIN);
    busy(3 * HOUR, 3 * HOUR);
    busy(5 * HOUR + 2 * MIN, 5 * HOUR + 2 * MIN);

    rollout_compare(&run);

    /* behind a relay each request is looked at, and only once */

    for (i = 0; i < 2; i++) {
        feed(NGX_AOP_VERDICT_OK, DOCKER, "", 0, 5 * HOUR + 3 * MIN);
    }

    assert_non_null(rollout_last(&run, &docker)->evidence);

    carry(DOCKER, 5 * HOUR + 3 * MIN);
    carry(DOCKER, 5 * HOUR + 4 * MIN);

    assert_null(rollout_last(&run, &docker)->evidence);
}


/* A host that failed once, and more others than there is room for. */

static void
evidence_flood_hosts(void **state)
{
    char      host[64];
    unsigned  i;

    (void) evidence_start(state);

    feed(NGX_AOP_VERDICT_NONE, EDGE, "once.example", 0, 0);

    for (i = 0; i < 500; i++) {
        snprintf(host, sizeof(host), "x%u.example", i);
        feed(NGX_AOP_VERDICT_NONE, EDGE, host, 0, 1 + i);
    }

    busy(10 * MIN, DAY + 20 * MIN);

    assert_int_equal(ask(12 * HOUR), NO);
    assert_int_equal(ask(DAY + 498), NO);
    assert_int_equal(ask(DAY + 500), YES);
}


/* What fails most is still there, and named, after a flood. */

static void
evidence_flood_heavy(void **state)
{
    char      host[64];
    unsigned  i;

    (void) evidence_start(state);

    for (i = 0; i < 50; i++) {
        feed(NGX_AOP_VERDICT_NONE, EDGE, "heavy.example", 0, i);
        feed(NGX_AOP_VERDICT_NONE, EDGE, "forgotten.example", OTHER_HOST, i);
        feed(NGX_AOP_VERDICT_NONE, "10.0.0.1", "", 0, i);
    }

    for (i = 0; i < 500; i++) {
        snprintf(host, sizeof(host), "x%u.example", i);
        feed(NGX_AOP_VERDICT_NONE, EDGE, host, 0, 50 + i);
        feed(NGX_AOP_VERDICT_NONE, EDGE, host, OTHER_HOST, 50 + i);
        snprintf(host, sizeof(host), "10.1.%u.%u", i / 200, i % 200);
        feed(NGX_AOP_VERDICT_NONE, host, "", 0, 50 + i);
    }

    assert_int_equal(ask(600), NO);
    assert_non_null(strstr(run.why, "; hosts: heavy.example, "));
    assert_non_null(strstr(run.why, "; addresses: 10.0.0.1, "));
    assert_non_null(strstr(run.why, " and 11 more"));
    assert_string_equal(run.evidence.other_hosts[0].name, "forgotten.example");
}


static void
evidence_flood_private(void **state)
{
    char      addr[64];
    unsigned  i;

    (void) evidence_start(state);

    feed(NGX_AOP_VERDICT_NONE, "10.0.0.1", "", 0, 0);

    for (i = 0; i < 500; i++) {
        snprintf(addr, sizeof(addr), "10.1.%u.%u", i / 200, i % 200);
        feed(NGX_AOP_VERDICT_NONE, addr, "", 0, 1 + i);
    }

    busy(10 * MIN, DAY + 20 * MIN);

    assert_int_equal(ask(DAY + 498), NO);
    assert_int_equal(ask(DAY + 500), YES);
}


/* One that lost its place counts when all that have one are settled. */

static void
evidence_lost_private(void **state)
{
    char      addr[64];
    unsigned  i, n;

    (void) evidence_start(state);

    feed(NGX_AOP_VERDICT_NONE, "10.0.0.1", "", 0, 0);

    for (n = 0; n < 5; n++) {
        for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
            snprintf(addr, sizeof(addr), "10.1.0.%u", i);
            feed(NGX_AOP_VERDICT_NONE, addr, "", 0, 1 + n * 20 * MIN);
        }
    }

    busy(2 * HOUR, DAY + HOUR);

    assert_int_equal(ask(12 * HOUR), NO);
    assert_int_equal(ask(DAY - 1), NO);
    assert_int_equal(ask(DAY), YES);
}


/* A relay keeps its place, or strangers behind it would be private. */

static void
evidence_flood_relay(void **state)
{
    char      addr[64];
    unsigned  i;

    (void) evidence_start(state);

    for (i = 0; i <= 120; i++) {
        feed(NGX_AOP_VERDICT_OK, DOCKER, "a.example", RAY, i * MIN);
    }

    for (i = 0; i < 500; i++) {
        snprintf(addr, sizeof(addr), "10.1.%u.%u", i / 200, i % 200);
        feed(NGX_AOP_VERDICT_NONE, addr, "", 0, HOUR);
    }

    feed(NGX_AOP_VERDICT_NONE, DOCKER, "a.example", 0, 2 * HOUR);

    assert_true(ngx_aop_evidence_relay(&run.evidence, DOCKER,
                                       strlen(DOCKER)));
    assert_false(ngx_aop_evidence_relay(&run.evidence, "10.1.0.1", 8));
    assert_int_equal(run.answer.relay, 0);
    (void) ask(2 * HOUR);
    assert_int_equal(run.answer.relay, 1);

    /* more relays than there is room for: the one that rested longest goes */

    for (i = 0; i < 30; i++) {
        snprintf(addr, sizeof(addr), "10.2.0.%u", i);
        carry(addr, 2 * HOUR + 1 + i);
    }

    assert_true(ngx_aop_evidence_relay(&run.evidence, "10.2.0.29", 9));
    assert_false(ngx_aop_evidence_relay(&run.evidence, DOCKER,
                                        strlen(DOCKER)));
}


/* What failed through a relay that lost its place is Cloudflare's still. */

static void
evidence_lost_relay(void **state)
{
    char      addr[64];
    unsigned  i;

    (void) evidence_start(state);

    busy(0, 3 * HOUR);
    carry(DOCKER, HOUR);
    feed(NGX_AOP_VERDICT_NONE, DOCKER, "b.example", RAY, HOUR);

    for (i = 0; i < 30; i++) {
        snprintf(addr, sizeof(addr), "10.2.0.%u", i);
        carry(addr, 2 * HOUR + i);
    }

    assert_int_equal(ask(3 * HOUR), NO);
    assert_non_null(strstr(run.why, "b.example"));
}


/* Names that begin alike, are long, empty, or no UTF-8. */

static void
evidence_names(void **state)
{
    char  name[300], other[300];

    (void) evidence_start(state);

    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    memcpy(other, name, sizeof(name));
    other[298] = 'b';

    feed(NGX_AOP_VERDICT_NONE, EDGE, name, 0, 0);
    feed(NGX_AOP_VERDICT_NONE, EDGE, other, 0, 0);
    feed(NGX_AOP_VERDICT_NONE, EDGE, name, 0, 0);
    feed(NGX_AOP_VERDICT_NONE, EDGE, "", 0, 0);
    feed(NGX_AOP_VERDICT_NONE, EDGE, "\xff", 0, 0);
    feed(NGX_AOP_VERDICT_NONE, EDGE, "\xff", 0, 0);

    assert_int_equal(run.evidence.nhosts, 4);
    assert_int_equal(ask(1), NO);
    assert_non_null(strstr(run.why, "6 of 6 requests"));
    assert_non_null(strstr(run.why, "\xef\xbf\xbd"));
}


/* A log of which the latest lines are read first. */

static void
evidence_log(void **state)
{
    int  i;

    (void) evidence_start(state);
    ngx_aop_evidence_init(&run.evidence, 0, 1);

    for (i = 180; i >= 0; i--) {
        feed(NGX_AOP_VERDICT_OK, EDGE, "a.example", 0, i * MIN);
    }

    assert_int_equal(ask(3 * HOUR), YES);
    assert_non_null(strstr(run.why, "181 requests from Cloudflare passed in "
                                    "3 h"));

    /* older than a day: not among the sums */

    feed(NGX_AOP_VERDICT_OK, EDGE, "a.example", 0, -2 * DAY);
    assert_int_equal(ask(3 * HOUR), YES);
    assert_non_null(strstr(run.why, "181 requests"));

    feed(NGX_AOP_VERDICT_NONE, EDGE, "a.example", 0, -2 * DAY);
    assert_int_equal(ask(3 * HOUR), YES);

    feed(NGX_AOP_VERDICT_NONE, EDGE, "a.example", 0, MIN);
    assert_int_equal(ask(3 * HOUR), NO);
    assert_int_equal(run.evidence.disorder, 1);

    /* a failure that is told late does not begin anew */

    for (i = 0; i < 100; i++) {
        feed(NGX_AOP_VERDICT_OK, EDGE, "a.example", 0, 2 * MIN + i);
    }

    assert_int_equal(ask(3 * HOUR), YES);
    feed(NGX_AOP_VERDICT_NONE, EDGE, "a.example", 0, 0);
    assert_int_equal(ask(3 * HOUR), YES);
}


/* Zeroed by another policy: certificates, and what they passed. */

static void
evidence_policy(void **state)
{
    (void) evidence_start(state);

    feed(NGX_AOP_VERDICT_UNTRUSTED, EDGE, "a.example", 0, 0);
    feed(NGX_AOP_VERDICT_UNTRUSTED, "10.0.0.1", "", 0, 0);
    feed(NGX_AOP_VERDICT_OK, DOCKER, "a.example", RAY, 0);
    feed(NGX_AOP_VERDICT_OK, DIRECT, "a.example", 0, 0);
    feed(NGX_AOP_VERDICT_OK, EDGE, "a.example", VARIABLE, 0);

    ngx_aop_evidence_policy(&run.evidence, ROLLOUT_START + 1);

    assert_int_equal(run.evidence.nhosts, 0);
    assert_int_equal(run.evidence.nprivates, 1);
    assert_int_equal(ask(1), MAYBE);
    assert_non_null(strstr(run.why, "not verified"));

    /* of both kinds: one stays, and must be shown to be over anew */

    feed(NGX_AOP_VERDICT_NONE, EDGE, "a.example", 0, 2);
    feed(NGX_AOP_VERDICT_EXPIRED, EDGE, "a.example", 0, 2);
    busy(3, 3 * HOUR);
    ngx_aop_evidence_policy(&run.evidence, ROLLOUT_START + 3 * HOUR);

    assert_int_equal(ask(3 * HOUR), NO);
    assert_non_null(strstr(run.why, "none 1; hosts"));
}


/* Each hour on its own, this one last, and none that is older than a day. */

static void
evidence_trend(void **state)
{
    unsigned         i;
    ngx_aop_trend_t  trend[NGX_AOP_EVIDENCE_HOURS];

    (void) evidence_start(state);

    assert_int_equal(ROLLOUT_START % HOUR, 0);

    busy(0, HOUR - 1);
    feed(NGX_AOP_VERDICT_OK, "10.0.0.1", "a.example", 0, 2 * HOUR);
    feed(NGX_AOP_VERDICT_NONE, "10.0.0.1", "a.example", 0, 2 * HOUR);
    feed(NGX_AOP_VERDICT_NONE, EDGE, "a.example", 0, 2 * HOUR + MIN);
    feed(NGX_AOP_VERDICT_NONE, DIRECT, "a.example", 0, 2 * HOUR + MIN);
    feed(NGX_AOP_VERDICT_OK, EDGE, "a.example", 0, 23 * HOUR);

    assert_int_equal(ngx_aop_evidence_trend(&run.evidence, ROLLOUT_START
                                            + 23 * HOUR + 59 * MIN, trend),
                     ROLLOUT_START + 23 * HOUR);

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        assert_int_equal(trend[i].passed, i == 0 ? 60 : i == 2 || i == 23);
        assert_int_equal(trend[i].failed, i == 2 ? 2 : 0);
    }

    (void) ngx_aop_evidence_trend(&run.evidence, ROLLOUT_START + 25 * HOUR,
                                  trend);

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        assert_int_equal(trend[i].passed, i == 0 || i == 21);
        assert_int_equal(trend[i].failed, i == 0 ? 2 : 0);
    }
}


int
main(void)
{
    unit_case("no lock for what passes", evidence_lock, NULL);
    unit_case("what is no different from the last", evidence_again, NULL);
    unit_case("a flood of hosts", evidence_flood_hosts, NULL);
    unit_case("a flood beside what fails most", evidence_flood_heavy, NULL);
    unit_case("a flood of private addresses", evidence_flood_private, NULL);
    unit_case("a private address that lost its place", evidence_lost_private,
              NULL);
    unit_case("a flood beside a relay", evidence_flood_relay, NULL);
    unit_case("a relay that lost its place", evidence_lost_relay, NULL);
    unit_case("names", evidence_names, NULL);
    unit_case("a log in any order", evidence_log, NULL);
    unit_case("another policy", evidence_policy, NULL);
    unit_case("by hour", evidence_trend, NULL);

    return unit_run("evidence", NULL, NULL);
}
