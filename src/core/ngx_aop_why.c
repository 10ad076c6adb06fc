
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The reason of an answer, in words: how many, of how many, in how long. */


#include <stdio.h>
#include <string.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_host.h"
#include "ngx_aop_private.h"
#include "ngx_aop_ready.h"
#include "ngx_aop_repeat.h"
#include "ngx_aop_spell.h"


#define NGX_AOP_WHY_NAMES  5

#define ngx_aop_why_n(n)   (unsigned long long) (n), (n) == 1 ? "" : "s"

#define ngx_aop_why_host_settles(why, i)                                      \
    ngx_aop_host_settles((why)->evidence, i, (why)->conf->time,               \
                         (why)->conf->requests)

#define ngx_aop_why_private_settles(why, i)                                   \
    ngx_aop_private_settles((why)->evidence, i, (why)->conf->time)


typedef struct {
    const ngx_aop_evidence_t    *evidence;
    const ngx_aop_ready_conf_t  *conf;
    const ngx_aop_answer_t      *answer;
    ngx_aop_text_t              *text;
    time_t                       now;
    char                         span[32];      /* looked back on */
    size_t                       names;
} ngx_aop_why_t;


static void ngx_aop_why_outdated(ngx_aop_why_t *why);
static void ngx_aop_why_failed(ngx_aop_why_t *why);
static void ngx_aop_why_cloudflare(ngx_aop_why_t *why);
static void ngx_aop_why_share(ngx_aop_why_t *why, uint64_t known);
static void ngx_aop_why_private(ngx_aop_why_t *why);
static void ngx_aop_why_settles(ngx_aop_why_t *why);
static void ngx_aop_why_connections(ngx_aop_why_t *why);
static void ngx_aop_why_direct(ngx_aop_why_t *why);
static void ngx_aop_why_unjudged(ngx_aop_why_t *why);
static void ngx_aop_why_repeated(ngx_aop_why_t *why);
static void ngx_aop_why_traffic(ngx_aop_why_t *why);
static void ngx_aop_why_other_traffic(ngx_aop_why_t *why);
static void ngx_aop_why_yes(ngx_aop_why_t *why);
static void ngx_aop_why_other_hosts(ngx_aop_why_t *why);
static void ngx_aop_why_relays(ngx_aop_why_t *why);
static void ngx_aop_why_verdicts(ngx_aop_why_t *why, const uint64_t *verdicts);
static void ngx_aop_why_sum(uint64_t *sums, const uint32_t *verdicts);
static int ngx_aop_why_name(ngx_aop_why_t *why, const char *before,
    const char *name);
static void ngx_aop_why_more(ngx_aop_why_t *why);
static const char *ngx_aop_why_span(char *buf, size_t size, time_t t);


typedef void (*ngx_aop_why_pt)(ngx_aop_why_t *why);


/* by ngx_aop_cause_e */

static const ngx_aop_why_pt  ngx_aop_whys[] = {
    ngx_aop_why_outdated,
    ngx_aop_why_failed,
    ngx_aop_why_direct,
    ngx_aop_why_unjudged,
    ngx_aop_why_repeated,
    ngx_aop_why_traffic,
    ngx_aop_why_yes
};


void
ngx_aop_why(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now,
    const ngx_aop_answer_t *answer, ngx_aop_text_t *text)
{
    ngx_aop_why_t  why;

    memset(&why, 0, sizeof(ngx_aop_why_t));

    why.evidence = evidence;
    why.conf = conf;
    why.answer = answer;
    why.text = text;
    why.now = now;

    (void) ngx_aop_why_span(why.span, sizeof(why.span), now - answer->from);

    ngx_aop_whys[answer->cause](&why);

    ngx_aop_why_relays(&why);

    if (conf->warning != NULL) {
        ngx_aop_text_printf(text, "; warning: %s", conf->warning);
    }
}


static void
ngx_aop_why_outdated(ngx_aop_why_t *why)
{
    ngx_aop_text_printf(why->text, "out of date: %s", why->conf->outdated);
}


static void
ngx_aop_why_failed(ngx_aop_why_t *why)
{
    char  date[NGX_AOP_DATE];

    if (why->answer->failed) {
        ngx_aop_why_cloudflare(why);
    }

    if (why->answer->failed && why->answer->failed_private) {
        ngx_aop_text_puts(why->text, "; ");
    }

    if (why->answer->failed_private) {
        ngx_aop_why_private(why);
    }

    ngx_aop_text_printf(why->text, "; last at %s",
                        ngx_aop_cert_date(why->answer->last + why->conf->ahead,
                                          date));

    ngx_aop_why_settles(why);
    ngx_aop_why_connections(why);
}


static void
ngx_aop_why_cloudflare(ngx_aop_why_t *why)
{
    size_t                 i;
    time_t                 settles;
    uint64_t               known, verdicts[NGX_AOP_VERDICTS];
    const ngx_aop_host_t  *host;

    memset(verdicts, 0, sizeof(verdicts));

    known = why->answer->sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_CLOUDFLARE];

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        host = &why->evidence->hosts[i];
        settles = ngx_aop_why_host_settles(why, i);

        if (settles <= why->now) {
            continue;
        }

        ngx_aop_why_sum(verdicts, host->verdicts);

        /* before its address was known as a relay's */

        if (host->via) {
            known += why->answer->sums[NGX_AOP_SUM_FAILED
                                       + NGX_AOP_FROM_PRIVATE];
        }
    }

    ngx_aop_why_share(why, known);
    ngx_aop_why_verdicts(why, verdicts);

    why->names = 0;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        host = &why->evidence->hosts[i];
        settles = ngx_aop_why_host_settles(why, i);

        if (settles > why->now && host->name[0] != '\0') {
            (void) ngx_aop_why_name(why, "; hosts: ", host->name);
        }
    }

    ngx_aop_why_more(why);
}


/*
 * What passed is of the last day, and of this policy, as are the "known"
 * failures; others may be older.  A share is of one time.
 */

static void
ngx_aop_why_share(ngx_aop_why_t *why, uint64_t known)
{
    uint64_t  failed, all;

    failed = why->answer->failed;
    all = why->answer->sums[NGX_AOP_SUM_PASSED] + failed;

    if (failed > known) {
        ngx_aop_text_printf(why->text, "%llu request%s from Cloudflare failed",
                            ngx_aop_why_n(failed));
        return;
    }

    ngx_aop_text_printf(why->text, "%llu of %llu request%s from Cloudflare "
                        "failed (%.4g%%)", (unsigned long long) failed,
                        ngx_aop_why_n(all),
                        100.0 * (double) failed / (double) all);
}


static void
ngx_aop_why_private(ngx_aop_why_t *why)
{
    size_t                    i;
    uint64_t                  verdicts[NGX_AOP_VERDICTS];
    const ngx_aop_private_t  *peer;

    memset(verdicts, 0, sizeof(verdicts));

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        peer = &why->evidence->privates[i];

        if (ngx_aop_why_private_settles(why, i) > why->now) {
            ngx_aop_why_sum(verdicts, peer->verdicts);
        }
    }

    ngx_aop_text_printf(why->text, "%llu request%s from private addresses "
                        "failed", ngx_aop_why_n(why->answer->failed_private));

    ngx_aop_why_verdicts(why, verdicts);

    why->names = 0;

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        peer = &why->evidence->privates[i];

        if (ngx_aop_why_private_settles(why, i) > why->now) {
            (void) ngx_aop_why_name(why, "; addresses: ", peer->addr);
        }
    }

    ngx_aop_why_more(why);

    if (why->answer->suspected) {
        ngx_aop_text_puts(why->text, "; requests from there carry CF-Ray, so "
                          "this address may hide those of all clients (use "
                          "the PROXY protocol or the host network)");
    }
}


/* Until then nothing may fail; for a host, requests have to pass as well. */

static void
ngx_aop_why_settles(ngx_aop_why_t *why)
{
    char  date[NGX_AOP_DATE];

    ngx_aop_text_printf(why->text, "; settled at %s if no more fail",
                        ngx_aop_cert_date(why->answer->settles
                                          + why->conf->ahead, date));

    if (why->answer->missing) {
        ngx_aop_text_printf(why->text, ", or sooner, after %s without a "
                            "failure, once %llu more request%s for each of "
                            "these hosts passed",
                            ngx_aop_why_span(date, sizeof(date),
                                             why->conf->time),
                            ngx_aop_why_n(why->answer->missing));
    }
}


/* New connections pass, and some requests still have no certificate. */

static void
ngx_aop_why_connections(ngx_aop_why_t *why)
{
    if (why->answer->none && why->answer->sums[NGX_AOP_SUM_HANDSHAKES]) {
        ngx_aop_text_puts(why->text, "; a connection that was opened before "
                          "Authenticated Origin Pulls was turned on stays "
                          "without a certificate until it closes (at most "
                          "\"keepalive_time\")");
    }
}


static void
ngx_aop_why_direct(ngx_aop_why_t *why)
{
    uint64_t  n;

    n = why->answer->sums[NGX_AOP_SUM_PASSED + NGX_AOP_FROM_DIRECT];

    /* the first of 24 hours is not a whole one, and its sum may be gone */

    n = n ? n : 1;

    ngx_aop_text_printf(why->text, "%llu request%s with a verified certificate "
                        "came from addresses that are not Cloudflare's in %s: "
                        "the list in \"aop_edge\" is out of date, or a proxy "
                        "is in front of this server", ngx_aop_why_n(n),
                        why->span);
}


static void
ngx_aop_why_unjudged(ngx_aop_why_t *why)
{
    unsigned         i;
    uint64_t         variable, location, all;
    const uint64_t  *sums;

    sums = why->answer->sums;

    variable = sums[NGX_AOP_SUM_VARIABLE] + sums[NGX_AOP_SUM_VARIABLE_PRIVATE];
    location = sums[NGX_AOP_SUM_LOCATION] + sums[NGX_AOP_SUM_LOCATION_PRIVATE];

    all = variable + location;

    for (i = NGX_AOP_FROM_CLOUDFLARE; i <= NGX_AOP_FROM_PRIVATE; i++) {
        all += sums[NGX_AOP_SUM_PASSED + i] + sums[NGX_AOP_SUM_FAILED + i];
    }

    if (variable + location == 0) {
        ngx_aop_text_puts(why->text, "part of the requests from Cloudflare and "
                          "private addresses in 24 h were not verified");
        return;
    }

    ngx_aop_text_printf(why->text, "%llu of %llu request%s from Cloudflare and "
                        "private addresses in 24 h were not verified:",
                        (unsigned long long) (variable + location),
                        ngx_aop_why_n(all));

    if (variable) {
        ngx_aop_text_printf(why->text, " the mode variable was \"off\" for "
                            "%llu%s", (unsigned long long) variable,
                            location ? "," : "");
    }

    if (location) {
        ngx_aop_text_printf(why->text, " %llu were for locations with "
                            "\"aop off\" in a server with \"aop off\"",
                            (unsigned long long) location);
    }
}


/* It is one of the two, and there is a way to find out. */

static void
ngx_aop_why_repeated(ngx_aop_why_t *why)
{
    char                      date[NGX_AOP_DATE];
    time_t                    t;
    const ngx_aop_repeat_t   *repeat;
    const ngx_aop_private_t  *peer;

    peer = ngx_aop_private_turned(why->evidence, why->now, why->conf->time);

    if (peer != NULL) {
        t = ngx_aop_spell_last(peer->spells, NGX_AOP_PRIVATE_SPELLS)
            + why->conf->time + why->conf->ahead;

        ngx_aop_text_printf(why->text, "requests without CF-Ray from %s failed "
                            "before it was known to hide the addresses of "
                            "clients: its own health check may be among them "
                            "(it shows until %s)", peer->addr,
                            ngx_aop_cert_date(t, date));
        return;
    }

    repeat = ngx_aop_repeat(why->evidence, why->now, why->conf->time);

    if (repeat == NULL) {
        ngx_aop_text_puts(why->text, "too many requests without CF-Ray failed "
                          "behind an address that hides those of clients: "
                          "its own health check may be among them");
        return;
    }

    ngx_aop_text_printf(why->text, "at least %llu requests from %s for host "
                        "\"%s\" that are alike failed, without CF-Ray: a "
                        "health check by this address, which enforcing would "
                        "reject, "
                        "or a client behind it (look for them in the log, or "
                        "use the PROXY protocol)",
                        (unsigned long long) repeat->top.count, repeat->addr,
                        repeat->host);
}


static void
ngx_aop_why_traffic(ngx_aop_why_t *why)
{
    char             need[32];
    time_t           watched;
    uint64_t         passed;
    const uint64_t  *sums;
    const char      *separator;

    sums = why->answer->sums;
    passed = sums[NGX_AOP_SUM_PASSED];
    separator = "";

    if (passed < why->conf->requests) {
        ngx_aop_text_printf(why->text, "not enough traffic: %llu of %llu "
                            "request%s from Cloudflare in %s",
                            (unsigned long long) passed,
                            ngx_aop_why_n(why->conf->requests), why->span);

        ngx_aop_text_puts(why->text, " (they must come within 24 h)");
        ngx_aop_why_other_traffic(why);
        separator = "; ";
    }

    watched = why->evidence->first ? why->now - why->evidence->first : 0;

    if (watched < why->conf->time) {
        (void) ngx_aop_why_span(need, sizeof(need), why->conf->time);

        ngx_aop_text_printf(why->text, "%swatched for %s of %s", separator,
                            ngx_aop_why_span(why->span, sizeof(why->span),
                                             watched > 0 ? watched : 0), need);
        separator = "; ";
    }

    if (passed && sums[NGX_AOP_SUM_HANDSHAKES] == 0) {
        ngx_aop_text_printf(why->text, "%sno full handshake from Cloudflare "
                            "yet, only resumed or older connections",
                            separator);
    }
}


/* Where the traffic comes from, if not from Cloudflare. */

static void
ngx_aop_why_other_traffic(ngx_aop_why_t *why)
{
    uint64_t         direct, private, others;
    const uint64_t  *sums;

    sums = why->answer->sums;

    others = sums[NGX_AOP_SUM_PASSED + NGX_AOP_FROM_OTHER_HOST]
             + sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_OTHER_HOST];
    private = sums[NGX_AOP_SUM_PASSED + NGX_AOP_FROM_PRIVATE]
              + sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_PRIVATE];
    direct = sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_DIRECT];

    if (others) {
        ngx_aop_text_printf(why->text, ", without %llu for hosts that are not "
                            "names of this server",
                            (unsigned long long) others);
        ngx_aop_why_other_hosts(why);
    }

    if (sums[NGX_AOP_SUM_DIRECT_RAY]) {
        ngx_aop_text_printf(why->text, "; %llu request%s with CF-Ray came from "
                            "addresses that are not Cloudflare's (is the list "
                            "in \"aop_edge\" out of date, or a proxy in "
                            "front?)",
                            ngx_aop_why_n(sums[NGX_AOP_SUM_DIRECT_RAY]));

    } else if (direct) {
        ngx_aop_text_printf(why->text, "; %llu request%s came from addresses "
                            "that are not Cloudflare's",
                            ngx_aop_why_n(direct));
    }

    if (private) {
        ngx_aop_text_printf(why->text, "; %llu request%s came from private "
                            "addresses (if a load balancer hides the clients' "
                            "addresses, use the PROXY protocol)",
                            ngx_aop_why_n(private));
    }
}


static void
ngx_aop_why_yes(ngx_aop_why_t *why)
{
    uint64_t  passed, direct;

    passed = why->answer->sums[NGX_AOP_SUM_PASSED];
    direct = why->answer->sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_DIRECT];

    ngx_aop_text_printf(why->text, "%llu request%s from Cloudflare passed in "
                        "%s", ngx_aop_why_n(passed), why->span);

    if (why->answer->sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_CLOUDFLARE]
        || why->answer->sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_PRIVATE])
    {
        ngx_aop_text_puts(why->text, ", and failures before are settled");

    } else {
        ngx_aop_text_puts(why->text, ", none failed");
    }

    ngx_aop_text_printf(why->text, "; enforcing would reject %llu request%s "
                        "from other addresses", ngx_aop_why_n(direct));

    ngx_aop_why_other_hosts(why);
}


/* Another customer may choose a Host, but a forgotten "www" is one, too. */

static void
ngx_aop_why_other_hosts(ngx_aop_why_t *why)
{
    char                         name[NGX_AOP_EVIDENCE_NAME + 32];
    size_t                       i;
    const ngx_aop_other_host_t  *other;

    why->names = 0;

    for (i = 0; i < NGX_AOP_EVIDENCE_OTHERS; i++) {
        other = &why->evidence->other_hosts[i];

        if (!ngx_aop_host_named(why->evidence, i)
            || why->now - other->last >= NGX_AOP_EVIDENCE_DAY)
        {
            continue;
        }

        snprintf(name, sizeof(name), "%s (%llu)",
                 other->name[0] ? other->name : "none",
                 (unsigned long long) other->count[0] + other->count[1]);

        (void) ngx_aop_why_name(why, "; failed from Cloudflare for hosts that "
                                "are not names of this server: ", name);
    }

    ngx_aop_why_more(why);
}


static void
ngx_aop_why_relays(ngx_aop_why_t *why)
{
    size_t                    i;
    uint64_t                  strangers;
    const ngx_aop_private_t  *peer;

    if (!why->answer->relay) {
        return;
    }

    strangers = 0;
    why->names = 0;

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        peer = &why->evidence->privates[i];

        if (why->evidence->private_hashes[i] != 0
            && ngx_aop_private_relay(peer, why->now))
        {
            strangers += peer->unrayed;
            (void) ngx_aop_why_name(why, "; the addresses of clients are lost "
                                    "behind ", peer->addr);
        }
    }

    ngx_aop_why_more(why);

    ngx_aop_text_printf(why->text, " (use the PROXY protocol or the host "
                        "network): requests with CF-Ray count as "
                        "Cloudflare's, enforcing would reject %llu without",
                        (unsigned long long) strangers);
}


static void
ngx_aop_why_verdicts(ngx_aop_why_t *why, const uint64_t *verdicts)
{
    unsigned     verdict;
    const char  *separator;

    separator = ":";

    for (verdict = NGX_AOP_VERDICT_OK
         + 1; verdict < NGX_AOP_VERDICTS; verdict++) {
        if (verdicts[verdict]) {
            ngx_aop_text_printf(why->text, "%s %s %llu", separator,
                                ngx_aop_verdict(verdict)->word,
                                (unsigned long long) verdicts[verdict]);
            separator = ",";
        }
    }
}


static void
ngx_aop_why_sum(uint64_t *sums, const uint32_t *verdicts)
{
    unsigned  verdict;

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        sums[verdict] += verdicts[verdict];
    }
}


/* Returns whether there was a place in the list. */

static int
ngx_aop_why_name(ngx_aop_why_t *why, const char *before, const char *name)
{
    if (why->names++ >= NGX_AOP_WHY_NAMES) {
        return 0;
    }

    ngx_aop_text_printf(why->text, "%s%s", why->names == 1 ? before : ", ",
                        name);

    return 1;
}


static void
ngx_aop_why_more(ngx_aop_why_t *why)
{
    if (why->names > NGX_AOP_WHY_NAMES) {
        ngx_aop_text_printf(why->text, " and %llu more", (unsigned long long)
                            why->names - NGX_AOP_WHY_NAMES);
    }
}


static const char *
ngx_aop_why_span(char *buf, size_t size, time_t t)
{
    if (t < 120) {
        snprintf(buf, size, "%lld s", (long long) t);

    } else if (t < 7200 && t % 3600 != 0) {
        snprintf(buf, size, "%lld min", (long long) t / 60);

    } else {
        snprintf(buf, size, "%lld h", (long long) t / 3600);
    }

    return buf;
}
