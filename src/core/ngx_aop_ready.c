
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The rule behind "safe to enforce?".  It asks what would be rejected if each
 * request to the server were verified and enforced.  What was not looked at is
 * never "yes", and a failure is held against the server until it has been
 * shown to be over.
 */


#include <string.h>

#include "ngx_aop_host.h"
#include "ngx_aop_private.h"
#include "ngx_aop_ready.h"
#include "ngx_aop_repeat.h"
#include "ngx_aop_spell.h"


static ngx_aop_cause_e ngx_aop_answer_cause(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_answer_t *answer);
static void ngx_aop_answer_failed(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_answer_t *answer);
static void ngx_aop_answer_hosts(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_answer_t *answer,
    uint64_t *verdicts);
static void ngx_aop_answer_privates(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_answer_t *answer,
    uint64_t *verdicts);
static void ngx_aop_answer_lost(const ngx_aop_lost_t *lost, time_t time,
    time_t now, ngx_aop_answer_t *answer, uint64_t *count);
static void ngx_aop_answer_relays(const ngx_aop_evidence_t *evidence,
    time_t now, ngx_aop_answer_t *answer);
static int ngx_aop_answer_unjudged(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now);
static int ngx_aop_answer_traffic(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now,
    const ngx_aop_answer_t *answer);
static int ngx_aop_answer_today(time_t t, time_t now);
static void ngx_aop_answer_max(time_t *max, time_t t);


static const char *const  ngx_aop_ready_words[] = {
    "no", "yes", "unknown"
};

static const char *const  ngx_aop_answer_states[] = {
    "observing", "partly", "enforced"
};


ngx_aop_ready_e
ngx_aop_ready(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_text_t *why,
    ngx_aop_answer_t *answer)
{
    static const ngx_aop_ready_e  ready[] = {
        NGX_AOP_READY_NO, NGX_AOP_READY_NO, NGX_AOP_READY_UNKNOWN,
        NGX_AOP_READY_UNKNOWN, NGX_AOP_READY_UNKNOWN, NGX_AOP_READY_UNKNOWN,
        NGX_AOP_READY_YES
    };

    memset(answer, 0, sizeof(ngx_aop_answer_t));

    answer->since = evidence->since;
    answer->classical = conf->classical;
    answer->from = ngx_aop_evidence_sum(evidence, now, answer->sums);
    answer->hour = ngx_aop_evidence_trend(evidence, now, answer->trend);

    ngx_aop_answer_failed(evidence, conf, now, answer);
    ngx_aop_answer_relays(evidence, now, answer);

    answer->cause = ngx_aop_answer_cause(evidence, conf, now, answer);
    answer->ready = ready[answer->cause];

    if (answer->cause == NGX_AOP_CAUSE_FAILED) {
        answer->hint = ngx_aop_ready_hint(answer, answer->verdict,
                                          answer->peer);
    }

    ngx_aop_why(evidence, conf, now, answer, why);

    return answer->ready;
}


/* The first that applies, in the order in which they are to be fixed. */

static ngx_aop_cause_e
ngx_aop_answer_cause(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_answer_t *answer)
{
    if (conf->outdated != NULL) {
        return NGX_AOP_CAUSE_OUTDATED;
    }

    if (answer->settles != 0) {
        return NGX_AOP_CAUSE_FAILED;
    }

    if (ngx_aop_answer_today(evidence->direct, now)) {
        return NGX_AOP_CAUSE_DIRECT;
    }

    if (ngx_aop_answer_unjudged(evidence, conf, now)) {
        return NGX_AOP_CAUSE_UNJUDGED;
    }

    if (ngx_aop_private_hidden(evidence)
        && (ngx_aop_private_turned(evidence, now, conf->time) != NULL
            || ngx_aop_repeat(evidence, now, conf->time) != NULL
            || ngx_aop_repeat_flood(evidence, now)))
    {
        return NGX_AOP_CAUSE_REPEATED;
    }

    if (ngx_aop_answer_traffic(evidence, conf, now, answer)) {
        return NGX_AOP_CAUSE_TRAFFIC;
    }

    return NGX_AOP_CAUSE_NONE;
}


static void
ngx_aop_answer_failed(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_answer_t *answer)
{
    uint64_t  cloudflare[NGX_AOP_VERDICTS], private[NGX_AOP_VERDICTS], *worst;
    unsigned  verdict;

    memset(cloudflare, 0, sizeof(cloudflare));
    memset(private, 0, sizeof(private));

    ngx_aop_answer_hosts(evidence, conf, now, answer, cloudflare);
    ngx_aop_answer_privates(evidence, conf, now, answer, private);

    ngx_aop_answer_lost(evidence->lost_hosts, conf->time, now, answer,
                        &answer->failed);
    ngx_aop_answer_lost(evidence->lost_privates, conf->time, now, answer,
                        &answer->failed_private);

    answer->none = cloudflare[NGX_AOP_VERDICT_NONE];

    worst = answer->failed ? cloudflare : private;

    answer->peer = answer->failed ? NGX_AOP_PEER_EDGE : NGX_AOP_PEER_PRIVATE;

    for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
        if (worst[verdict] > worst[answer->verdict]) {
            answer->verdict = verdict;
        }
    }
}


static void
ngx_aop_answer_hosts(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_answer_t *answer,
    uint64_t *verdicts)
{
    size_t                 i;
    time_t                 settles, last;
    unsigned               verdict;
    uint64_t               missing;
    const ngx_aop_host_t  *host;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOSTS; i++) {
        host = &evidence->hosts[i];
        settles = ngx_aop_host_settles(evidence, i, conf->time,
                                       conf->requests);

        if (now >= settles) {
            continue;
        }

        last = ngx_aop_spell_last(host->spells, NGX_AOP_SPELLS);

        ngx_aop_answer_max(&answer->settles, settles);
        ngx_aop_answer_max(&answer->last, last);

        if (host->passed < conf->requests) {
            missing = conf->requests - host->passed;
            answer->missing = (missing > answer->missing) ? missing
                                                          : answer->missing;
        }

        for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
            verdicts[verdict] += host->verdicts[verdict];
            answer->failed += host->verdicts[verdict];
        }
    }
}


static void
ngx_aop_answer_privates(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now, ngx_aop_answer_t *answer,
    uint64_t *verdicts)
{
    size_t                    i;
    time_t                    settles, last;
    unsigned                  verdict;
    const ngx_aop_private_t  *peer;

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        peer = &evidence->privates[i];
        settles = ngx_aop_private_settles(evidence, i, conf->time);

        if (now >= settles) {
            continue;
        }

        last = ngx_aop_spell_last(peer->spells, NGX_AOP_PRIVATE_SPELLS);

        ngx_aop_answer_max(&answer->settles, settles);
        ngx_aop_answer_max(&answer->last, last);

        if (peer->rayed) {
            answer->suspected = 1;
        }

        for (verdict = 0; verdict < NGX_AOP_VERDICTS; verdict++) {
            verdicts[verdict] += peer->verdicts[verdict];
            answer->failed_private += peer->verdicts[verdict];
        }
    }
}


static void
ngx_aop_answer_lost(const ngx_aop_lost_t *lost, time_t time, time_t now,
    ngx_aop_answer_t *answer, uint64_t *count)
{
    time_t    until;
    unsigned  kind;

    for (kind = 0; kind < NGX_AOP_SPELLS; kind++) {

        if (lost[kind].last == 0) {
            continue;
        }

        until = lost[kind].last + time;
        ngx_aop_answer_max(&until, lost[kind].until);

        if (now < until) {
            ngx_aop_answer_max(&answer->settles, until);
            ngx_aop_answer_max(&answer->last, lost[kind].last);

            /* at least */

            (*count)++;
        }
    }
}


static void
ngx_aop_answer_relays(const ngx_aop_evidence_t *evidence, time_t now,
    ngx_aop_answer_t *answer)
{
    size_t  i;

    for (i = 0; i < NGX_AOP_EVIDENCE_PEERS; i++) {
        if (evidence->private_hashes[i] != 0
            && ngx_aop_private_relay(&evidence->privates[i], now))
        {
            answer->relay = 1;
        }
    }
}


/*
 * Where the mode can still be "off", unverified requests count for a day.
 * Where it no longer can, Cloudflare's requests have since shown what was
 * hidden; a private address may come once a day.
 */

static int
ngx_aop_answer_unjudged(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now)
{
    if (ngx_aop_answer_today(evidence->unjudged[1], now)) {
        return 1;
    }

    if (!ngx_aop_answer_today(evidence->unjudged[0], now)) {
        return 0;
    }

    return conf->state == NGX_AOP_STATE_PARTLY
           || now - evidence->unjudged[0] < conf->time
           || evidence->resumed < conf->requests;
}


static int
ngx_aop_answer_traffic(const ngx_aop_evidence_t *evidence,
    const ngx_aop_ready_conf_t *conf, time_t now,
    const ngx_aop_answer_t *answer)
{
    return answer->sums[NGX_AOP_SUM_PASSED] < conf->requests
           || answer->sums[NGX_AOP_SUM_HANDSHAKES] == 0
           || evidence->first == 0
           || now - evidence->first < conf->time;
}


static int
ngx_aop_answer_today(time_t t, time_t now)
{
    return t != 0 && now - t < NGX_AOP_EVIDENCE_DAY;
}


static void
ngx_aop_answer_max(time_t *max, time_t t)
{
    if (t > *max) {
        *max = t;
    }
}


/*
 * An address that hides others must not be let in by "aop off": that would
 * open the site to all of them.
 */

const char *
ngx_aop_ready_hint(const ngx_aop_answer_t *answer, ngx_aop_verdict_e verdict,
    ngx_aop_peer_e peer)
{
    if (verdict != NGX_AOP_VERDICT_OK
        && peer == NGX_AOP_PEER_PRIVATE
        && (answer->suspected || answer->relay))
    {
        return "private address that may hide the addresses of all clients "
               "(Docker's proxy, NAT, a load balancer): use the PROXY "
               "protocol or the host network, then check whether "
               "Authenticated Origin Pulls is on for this zone or hostname";
    }

    if (verdict == NGX_AOP_VERDICT_NONE
        && peer == NGX_AOP_PEER_EDGE
        && answer->classical)
    {
        return NGX_AOP_VERDICT_HINT_CLASSICAL;
    }

    return ngx_aop_verdict(verdict)->hint[peer];
}


const char *
ngx_aop_ready_state_word(ngx_aop_state_e state)
{
    return ngx_aop_answer_states[state];
}


const char *
ngx_aop_ready_word(ngx_aop_ready_e ready)
{
    return ngx_aop_ready_words[ready];
}
