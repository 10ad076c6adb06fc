
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The visits of a probe to an address: who comes, in which order, and what is
 * repeated.  aopctl/probe/conclusion.c says what they add up to.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>

#include "conclusion.h"
#include "probe_names.h"


/* a tenth of all visitors has one of them with a likelihood of 81% */

#define AOPCTL_PROBE_VISITORS  16

#define AOPCTL_PROBE_REDIRECTS  3


static json_t *aopctl_probe_tls(aopctl_probe_t *probe,
    aopctl_conclusion_t *conclusion);
static json_t *aopctl_probe_attempt(aopctl_probe_t *probe,
    const aopctl_attempt_t *attempt, aopctl_conclusion_t *conclusion);
static void aopctl_probe_follow(aopctl_probe_t *probe,
    const aopctl_attempt_t *attempt, aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion);
static void aopctl_probe_own(aopctl_probe_t *probe,
    const aopctl_attempt_t *attempt, const aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion);
static json_t *aopctl_probe_visitors(aopctl_probe_t *probe,
    aopctl_conclusion_t *conclusion);
static json_t *aopctl_probe_visitor(aopctl_probe_t *probe,
    const aopctl_attempt_t *by, aopctl_conclusion_t *conclusion);
static void aopctl_probe_recheck(aopctl_probe_t *probe, json_t *visits,
    aopctl_conclusion_t *conclusion);
static void aopctl_probe_root(aopctl_probe_t *probe,
    aopctl_conclusion_t *conclusion);


/* The given certificate comes first: the others are compared with it. */

static const aopctl_attempt_t  aopctl_probe_plan[] = {
    { .version = TLS1_3_VERSION, .who = AOPCTL_CLIENT_GIVEN },
    { .version = TLS1_2_VERSION, .who = AOPCTL_CLIENT_GIVEN },
    { .version = TLS1_3_VERSION, .who = AOPCTL_CLIENT_GIVEN, .http2 = 1 },
    { .version = TLS1_3_VERSION, .who = AOPCTL_CLIENT_NO_CERT },
    { .version = TLS1_3_VERSION, .who = AOPCTL_CLIENT_SELF_SIGNED },
    { .version = TLS1_2_VERSION, .who = AOPCTL_CLIENT_NO_CERT },
    { .version = TLS1_2_VERSION, .who = AOPCTL_CLIENT_SELF_SIGNED },
    { .version = TLS1_3_VERSION, .who = AOPCTL_CLIENT_NO_CERT, .http2 = 1 },
    { .version = TLS1_3_VERSION, .who = AOPCTL_CLIENT_SELF_SIGNED, .http2 = 1 },
    { .version = TLS1_2_VERSION, .who = AOPCTL_CLIENT_NO_CERT, .http2 = 1 }
};

#define AOPCTL_PROBE_PLAN                                                     \
    (sizeof(aopctl_probe_plan) / sizeof(aopctl_probe_plan[0]))


static const char *const  aopctl_probe_clients[AOPCTL_CLIENTS] = {
    "no certificate", "self-signed", "given"
};


aopctl_status_e
aopctl_plan_run(aopctl_probe_t *probe, json_t *answer)
{
    json_t              *visits, *visitors, *names, *plain;
    const char          *path;
    aopctl_conclusion_t  conclusion;

    memset(&conclusion, 0, sizeof(aopctl_conclusion_t));
    conclusion.asked_all = 1;
    path = probe->path;

    visits = aopctl_probe_tls(probe, &conclusion);
    visitors = aopctl_probe_visitors(probe, &conclusion);

    aopctl_probe_root(probe, &conclusion);

    plain = aopctl_probe_names_plain_http(probe, &conclusion);
    names = aopctl_probe_names(probe, &conclusion);

    probe->path = path;

    aopctl_probe_recheck(probe, visits, &conclusion);

    aopctl_json_set(answer, "visits", visits);
    aopctl_json_set(answer, "visitors", visitors);
    aopctl_json_set(answer, "names", names);
    aopctl_json_set(answer, "plain_http", plain);
    aopctl_json_set(answer, "ca_names", json_incref(probe->ca_names));

    return aopctl_conclusion_conclude(probe, answer, &conclusion);
}


/* A host that does not respond at first is not tried a dozen times. */

static json_t *
aopctl_probe_tls(aopctl_probe_t *probe, aopctl_conclusion_t *conclusion)
{
    size_t                   i;
    json_t                  *list;
    const aopctl_attempt_t  *attempt;

    list = json_array();

    for (i = 0; i < AOPCTL_PROBE_PLAN && !conclusion->silent; i++) {
        attempt = &aopctl_probe_plan[i];

        if (attempt->who == AOPCTL_CLIENT_GIVEN && probe->cert == NULL) {
            continue;
        }

        aopctl_json_append(list,
                           aopctl_probe_attempt(probe, attempt, conclusion));
    }

    return list;
}


static json_t *
aopctl_probe_attempt(aopctl_probe_t *probe, const aopctl_attempt_t *attempt,
    aopctl_conclusion_t *conclusion)
{
    json_t           *object;
    unsigned          turned_away;
    aopctl_answer_t   first, again;

    aopctl_attempt(probe, attempt, &first, &again);
    aopctl_probe_own(probe, attempt, &first, conclusion);

    turned_away = (first.result == AOPCTL_RESULT_REFUSED);

    aopctl_conclusion_settle(attempt, &first, conclusion);
    aopctl_probe_follow(probe, attempt, &first, conclusion);
    aopctl_conclusion_note(attempt, &first, conclusion);

    if (again.result != AOPCTL_RESULT_NOT_OFFERED) {
        aopctl_conclusion_settle(attempt, &again, conclusion);
        aopctl_conclusion_note(attempt, &again, conclusion);
    }

    if (attempt->who == AOPCTL_CLIENT_GIVEN
        && first.result == AOPCTL_RESULT_SERVED
        && conclusion->given == NULL)
    {
        conclusion->given = attempt;
    }

    if (again.resumed
        && attempt->who != AOPCTL_CLIENT_GIVEN
        && again.result == AOPCTL_RESULT_SERVED
        && turned_away)
    {
        conclusion->served_resumed = 1;
    }

    object = aopctl_answer_json(&first);

    aopctl_json_set(object, "stranger",
                    json_string(aopctl_probe_clients[attempt->who]));
    aopctl_json_set(object, "tls",
                    json_string(attempt->version == TLS1_2_VERSION
                                ? "1.2" : "1.3"));
    aopctl_json_set(object, "http",
                    json_string(attempt->http2 ? "2" : "1.1"));
    aopctl_json_set(object, "with_session", aopctl_answer_json(&again));

    return object;
}


/*
 * What is not the site's page may lead to it: a stranger who is redirected on
 * the same host is served if that is what there is in the end.
 */

static void
aopctl_probe_follow(aopctl_probe_t *probe, const aopctl_attempt_t *attempt,
    aopctl_answer_t *answer, aopctl_conclusion_t *conclusion)
{
    int               n;
    char              path[AOPCTL_PAGE_URL];
    aopctl_answer_t   next;
    aopctl_attempt_t  follow;

    if (attempt->who == AOPCTL_CLIENT_GIVEN
        || answer->result != AOPCTL_RESULT_REFUSED) {
        return;
    }

    next = *answer;
    follow = *attempt;

    for (n = 0; n < AOPCTL_PROBE_REDIRECTS; n++) {

        if (!aopctl_attempt_redirect(&next, path)) {
            return;
        }

        follow.path = path;

        aopctl_attempt(probe, &follow, &next, NULL);
        aopctl_conclusion_settle(&follow, &next, conclusion);

        if (next.result == AOPCTL_RESULT_SERVED
            || next.result == AOPCTL_RESULT_UNCLEAR) {
            next.asked |= answer->asked;
            *answer = next;
            return;
        }
    }
}


/*
 * A server that requests a certificate and still serves may pass on the page
 * of another one behind it, which refuses that server and not us.  nginx never
 * keeps a connection after a page of its own about a certificate.
 */

static void
aopctl_probe_own(aopctl_probe_t *probe, const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_conclusion_t *conclusion)
{
    aopctl_answer_t   kept;
    aopctl_attempt_t  keep;

    if (conclusion->checked || !answer->certificate || attempt->http2) {
        return;
    }

    keep = *attempt;
    keep.keep = 1;

    aopctl_attempt(probe, &keep, &kept, NULL);

    conclusion->checked = 1;
    conclusion->behind = kept.kept;
}


/*
 * An "aop $variable" may refuse some visitors and serve others, usually by the
 * address that Cloudflare sends.  A stranger can send any.
 */

static json_t *
aopctl_probe_visitors(aopctl_probe_t *probe, aopctl_conclusion_t *conclusion)
{
    size_t                   i;
    json_t                  *list;
    const aopctl_attempt_t  *by;

    list = json_array();

    /* what was served or is unclear is not "enforced", whatever follows */

    for (i = 0;
         i < AOPCTL_PROBE_VISITORS
         && conclusion->refused && !conclusion->served && !conclusion->unclear;
         i++)
    {
        by = conclusion->attempts[i % 2];

        aopctl_json_append(list,
                           aopctl_probe_visitor(probe,
                                    by ? by : conclusion->attempts[(i + 1) % 2],
                                    conclusion));
    }

    return list;
}


/* Addresses of RFC 5737, which no client has, in case they are banned. */

static json_t *
aopctl_probe_visitor(aopctl_probe_t *probe, const aopctl_attempt_t *by,
    aopctl_conclusion_t *conclusion)
{
    char              visitor[sizeof("192.0.2.255")];
    json_t           *object;
    unsigned char     number;
    aopctl_answer_t   answer;
    aopctl_attempt_t  attempt;

    number = 0;
    (void) RAND_bytes(&number, 1);
    snprintf(visitor, sizeof(visitor), "192.0.2.%u", number);

    attempt = *by;
    attempt.visitor = visitor;

    aopctl_attempt(probe, &attempt, &answer, NULL);

    aopctl_conclusion_settle(&attempt, &answer, conclusion);
    aopctl_conclusion_note(&attempt, &answer, conclusion);

    conclusion->served_visitor = (answer.result == AOPCTL_RESULT_SERVED);

    object = aopctl_answer_json(&answer);
    aopctl_json_set(object, "visitor", json_string(visitor));

    return object;
}


/*
 * If strangers are rejected without a word about the certificate, the cause
 * may be a limit of the request rate: by now it then also holds for the given
 * certificate, and for those who were rejected for theirs.
 */

static void
aopctl_probe_recheck(aopctl_probe_t *probe, json_t *visits,
    aopctl_conclusion_t *conclusion)
{
    const aopctl_attempt_t  *by;

    by = conclusion->given ? conclusion->given
         : conclusion->attempts[0] ? conclusion->attempts[0]
                                 : conclusion->attempts[1];

    if (!conclusion->settled
        || by == NULL
        || conclusion->served
        || conclusion->silent)
    {
        return;
    }

    aopctl_json_append(visits, aopctl_probe_attempt(probe, by, conclusion));

    if (conclusion->given != NULL
        && (conclusion->given_refused || conclusion->given_unclear))
    {
        conclusion->unclear = 1;
        snprintf(conclusion->err, sizeof(conclusion->err),
                 "clients without a valid certificate are rejected, but "
                 "finally the client with the given certificate was, too (is "
                 "the request rate limited?)");
    }
}


/*
 * Clients may be served on purpose on a path other than that of the first
 * page, if nobody is served on that one.  The other names are then tried with
 * it.
 */

static void
aopctl_probe_root(aopctl_probe_t *probe, aopctl_conclusion_t *conclusion)
{
    size_t               i;
    json_t              *list;
    aopctl_conclusion_t  root;

    static const aopctl_attempt_t  plan[] = {
        { .version = TLS1_3_VERSION, .who = AOPCTL_CLIENT_GIVEN, .path = "/" },
        { .version = TLS1_2_VERSION, .who = AOPCTL_CLIENT_GIVEN, .path = "/" },
        { .version = TLS1_3_VERSION, .who = AOPCTL_CLIENT_NO_CERT,
          .path = "/" },
        { .version = TLS1_2_VERSION, .who = AOPCTL_CLIENT_NO_CERT, .path = "/" }
    };

    if (!conclusion->served || strcmp(probe->path, "/") == 0) {
        return;
    }

    memset(&root, 0, sizeof(aopctl_conclusion_t));
    root.asked_all = 1;

    list = json_array();

    for (i = 0; i < sizeof(plan) / sizeof(plan[0]) && !root.silent; i++) {

        if (plan[i].who == AOPCTL_CLIENT_GIVEN && probe->cert == NULL) {
            continue;
        }

        aopctl_json_append(list, aopctl_probe_attempt(probe, &plan[i], &root));
    }

    if (root.refused && root.asked_all && !root.served && !root.unclear) {
        conclusion->exempt = 1;
        memcpy(conclusion->site, root.site, sizeof(root.site));
        probe->path = "/";
    }

    json_decref(list);
}
