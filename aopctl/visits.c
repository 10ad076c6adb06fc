
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The visits of a probe, and what they add up to.  "Enforced" is said only if
 * all strangers were refused, the origin asked for a certificate, and what it
 * answered is not what it may answer to everybody: either it is about the
 * certificate, or the given certificate is answered otherwise.
 */


#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/rand.h>

#include "probe.h"


/* a tenth of all visitors has one of them with a likelihood of 81% */

#define AOPCTL_PROBE_VISITORS  16


/* What the attempts add up to. */

typedef struct {
    unsigned             asked:1;           /* who came with the SNI */
    unsigned             asked_nameless:1;  /* who came without */
    unsigned             asked_all:1;       /* by all that turned away */
    unsigned             served:1;          /* a stranger */
    unsigned             served_resumed:1;  /* only by a resumed session */
    unsigned             served_visitor:1;  /* only for some visitors */
    unsigned             refused:1;         /* a stranger */
    unsigned             unclear:1;
    unsigned             doubtful:1;        /* whom the answer is for */
    unsigned             given_served:1;
    unsigned             given_refused:1;
    unsigned             given_unclear:1;
    unsigned             settled:1;         /* by the given one's */
    unsigned             plain:1;           /* served */
    unsigned             plain_unclear:1;
    unsigned             silent:1;
    char                 err[256];          /* of what told nothing first */

    /* the first of a stranger that was refused, by HTTP/2 or not, or NULL */
    const aopctl_attempt_t  *attempts[2];

    /* the first of the given certificate that was served; NULL: none */
    const aopctl_attempt_t  *given;
} aopctl_findings_t;


static json_t *aopctl_probe_tls(aopctl_probe_t *probe,
    aopctl_findings_t *findings);
static json_t *aopctl_probe_attempt(aopctl_probe_t *probe,
    const aopctl_attempt_t *attempt, aopctl_findings_t *findings);
static json_t *aopctl_probe_visitors(aopctl_probe_t *probe,
    aopctl_findings_t *findings);
static json_t *aopctl_probe_visitor(aopctl_probe_t *probe,
    const aopctl_attempt_t *by, aopctl_findings_t *findings);
static void aopctl_probe_recheck(aopctl_probe_t *probe, json_t *visits,
    aopctl_findings_t *findings);
static json_t *aopctl_probe_http(aopctl_probe_t *probe,
    aopctl_findings_t *findings);
static json_t *aopctl_probe_answer(const aopctl_answer_t *answer);
static void aopctl_probe_settle(const aopctl_attempt_t *attempt,
    aopctl_answer_t *answer, aopctl_findings_t *findings);
static void aopctl_probe_doubt(aopctl_answer_t *answer);
static void aopctl_probe_note_given(const aopctl_answer_t *answer,
    aopctl_findings_t *findings);
static void aopctl_probe_note(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_findings_t *findings);
static aopctl_status_e aopctl_probe_unclear(const aopctl_probe_t *probe,
    json_t *answer, const aopctl_findings_t *findings);
static const char *aopctl_probe_served(const aopctl_findings_t *findings);
static aopctl_status_e aopctl_probe_conclude(const aopctl_probe_t *probe,
    json_t *answer, const aopctl_findings_t *findings);


/* The given certificate comes first: the others are compared with it. */

static const aopctl_attempt_t  aopctl_probe_plan[] = {
    { TLS1_3_VERSION, AOPCTL_GIVEN, 0, 0, NULL },
    { TLS1_2_VERSION, AOPCTL_GIVEN, 0, 0, NULL },
    { TLS1_3_VERSION, AOPCTL_GIVEN, 1, 0, NULL },
    { TLS1_3_VERSION, AOPCTL_NOBODY, 0, 0, NULL },
    { TLS1_3_VERSION, AOPCTL_SELF_SIGNED, 0, 0, NULL },
    { TLS1_2_VERSION, AOPCTL_NOBODY, 0, 0, NULL },
    { TLS1_2_VERSION, AOPCTL_SELF_SIGNED, 0, 0, NULL },
    { TLS1_3_VERSION, AOPCTL_NOBODY, 1, 0, NULL },
    { TLS1_3_VERSION, AOPCTL_SELF_SIGNED, 1, 0, NULL },
    { TLS1_2_VERSION, AOPCTL_NOBODY, 1, 0, NULL },
    { TLS1_3_VERSION, AOPCTL_NOBODY, 0, 1, NULL },
    { TLS1_2_VERSION, AOPCTL_NOBODY, 0, 1, NULL }
};

#define AOPCTL_PROBE_PLAN                                                     \
    (sizeof(aopctl_probe_plan) / sizeof(aopctl_probe_plan[0]))


static const char *const  aopctl_probe_strangers[AOPCTL_STRANGERS] = {
    "no certificate", "self-signed", "given"
};


aopctl_status_e
aopctl_probe_visits(aopctl_probe_t *probe, json_t *answer)
{
    json_t            *visits, *visitors;
    aopctl_findings_t  findings;

    memset(&findings, 0, sizeof(aopctl_findings_t));
    findings.asked_all = 1;

    visits = aopctl_probe_tls(probe, &findings);
    visitors = aopctl_probe_visitors(probe, &findings);

    aopctl_probe_recheck(probe, visits, &findings);

    aopctl_json_set(answer, "visits", visits);
    aopctl_json_set(answer, "visitors", visitors);
    aopctl_json_set(answer, "ca_names", json_incref(probe->ca_names));
    aopctl_json_set(answer, "plain_http", aopctl_probe_http(probe, &findings));

    return aopctl_probe_conclude(probe, answer, &findings);
}


/* A host that is silent once is not asked a dozen times. */

static json_t *
aopctl_probe_tls(aopctl_probe_t *probe, aopctl_findings_t *findings)
{
    size_t                   i;
    json_t                  *list;
    const aopctl_attempt_t  *attempt;

    list = json_array();

    for (i = 0; i < AOPCTL_PROBE_PLAN && !findings->silent; i++) {
        attempt = &aopctl_probe_plan[i];

        if ((attempt->who == AOPCTL_GIVEN && probe->cert == NULL)
            || (attempt->nameless && probe->sni == NULL))
        {
            continue;
        }

        aopctl_json_append(list,
                           aopctl_probe_attempt(probe, attempt, findings));
    }

    return list;
}



static json_t *
aopctl_probe_attempt(aopctl_probe_t *probe, const aopctl_attempt_t *attempt,
    aopctl_findings_t *findings)
{
    json_t           *object;
    unsigned          turned_away;
    aopctl_answer_t   first, again;

    aopctl_probe_ask(probe, attempt, &first, &again);

    turned_away = (first.result == AOPCTL_TURNED_AWAY);

    aopctl_probe_settle(attempt, &first, findings);
    aopctl_probe_settle(attempt, &again, findings);

    aopctl_probe_note(attempt, &first, findings);
    aopctl_probe_note(attempt, &again, findings);

    if (attempt->who == AOPCTL_GIVEN
        && first.result == AOPCTL_SERVED
        && findings->given == NULL)
    {
        findings->given = attempt;
    }

    if (again.resumed
        && attempt->who != AOPCTL_GIVEN
        && again.result == AOPCTL_SERVED
        && turned_away)
    {
        findings->served_resumed = 1;
    }

    object = aopctl_probe_answer(&first);

    aopctl_json_set(object, "stranger",
                    json_string(aopctl_probe_strangers[attempt->who]));
    aopctl_json_set(object, "tls",
                    json_string(attempt->version == TLS1_2_VERSION
                                ? "1.2" : "1.3"));
    aopctl_json_set(object, "http",
                    json_string(attempt->http2 ? "2" : "1.1"));
    aopctl_json_set(object, "sni", json_boolean(!attempt->nameless
                                                && probe->sni != NULL));
    aopctl_json_set(object, "with_session", aopctl_probe_answer(&again));

    return object;
}



/*
 * An "aop $variable" may refuse some visitors and serve others, and mostly goes
 * by the address that Cloudflare tells.  A stranger can tell any.
 */

static json_t *
aopctl_probe_visitors(aopctl_probe_t *probe, aopctl_findings_t *findings)
{
    size_t                   i;
    json_t                  *list;
    const aopctl_attempt_t  *by;

    list = json_array();

    /* what was served or is unclear is not "enforced", whoever else comes */

    for (i = 0;
         i < AOPCTL_PROBE_VISITORS
         && findings->refused && !findings->served && !findings->unclear;
         i++)
    {
        by = findings->attempts[i % 2];

        aopctl_json_append(list,
                           aopctl_probe_visitor(probe,
                                    by ? by : findings->attempts[(i + 1) % 2],
                                    findings));
    }

    return list;
}


/* Addresses of RFC 5737: nobody has them, should a log or a ban do so. */

static json_t *
aopctl_probe_visitor(aopctl_probe_t *probe, const aopctl_attempt_t *by,
    aopctl_findings_t *findings)
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

    aopctl_probe_ask(probe, &attempt, &answer, NULL);

    aopctl_probe_settle(&attempt, &answer, findings);
    aopctl_probe_note(&attempt, &answer, findings);

    findings->served_visitor = (answer.result == AOPCTL_SERVED);

    object = aopctl_probe_answer(&answer);
    aopctl_json_set(object, "visitor", json_string(visitor));

    return object;
}


/*
 * What turned strangers away after the given certificate had been served may
 * be a limit of the rate of requests: then it holds for that one, too, by now.
 */

static void
aopctl_probe_recheck(aopctl_probe_t *probe, json_t *visits,
    aopctl_findings_t *findings)
{
    if (!findings->settled
        || findings->given == NULL
        || findings->served
        || findings->silent)
    {
        return;
    }

    aopctl_json_append(visits,
                       aopctl_probe_attempt(probe, findings->given, findings));

    if (findings->given_refused || findings->given_unclear) {
        findings->unclear = 1;
        snprintf(findings->err, sizeof(findings->err),
                 "strangers are turned away, but in the end the given "
                 "certificate was, too: is the rate of requests limited?");
    }
}


static json_t *
aopctl_probe_http(aopctl_probe_t *probe, aopctl_findings_t *findings)
{
    json_t           *object;
    aopctl_answer_t   answer;
    struct addrinfo   addr;
    struct sockaddr_storage  sa;

    if (probe->http_port == NULL) {
        return json_null();
    }

    /* the address that was reached, with another port */

    addr = *probe->addr;
    memcpy(&sa, addr.ai_addr, addr.ai_addrlen);
    addr.ai_addr = (struct sockaddr *) &sa;

    if (addr.ai_family == AF_INET6) {
        ((struct sockaddr_in6 *) &sa)->sin6_port =
                                         htons(atoi(probe->http_port));
    } else {
        ((struct sockaddr_in *) &sa)->sin_port =
                                         htons(atoi(probe->http_port));
    }

    aopctl_probe_plain(probe, &addr, &answer);

    /* nothing is to compare it with: it may be another server altogether */

    if (answer.doubtful) {
        aopctl_probe_doubt(&answer);
    }

    findings->plain = (answer.result == AOPCTL_SERVED);
    findings->plain_unclear = (answer.result == AOPCTL_UNCLEAR);

    object = aopctl_probe_answer(&answer);
    aopctl_json_set(object, "port", json_integer(atoi(probe->http_port)));

    return object;
}



static json_t *
aopctl_probe_answer(const aopctl_answer_t *answer)
{
    json_t  *object;

    object = json_object();

    aopctl_json_set(object, "result",
                    json_string(aopctl_probe_word(answer->result)));
    aopctl_json_set(object, "text", aopctl_json_text(answer->text));
    aopctl_json_set(object, "status", answer->status
                    ? json_integer(answer->status) : json_null());
    aopctl_json_set(object, "asked", json_boolean(answer->asked));
    aopctl_json_set(object, "resumed", json_boolean(answer->resumed));

    return object;
}



/*
 * A stranger who is turned away without a word of the certificate may be turned
 * away as everybody is, unless the given certificate is served.  A connection
 * that was made without the name is another matter: 421 is no answer to what
 * was asked for, but tells to ask elsewhere (RFC 9110, 15.5.20).
 */

static void
aopctl_probe_settle(const aopctl_attempt_t *attempt, aopctl_answer_t *answer,
    aopctl_findings_t *findings)
{
    if (!answer->doubtful
        || (attempt->nameless && answer->status == 421))
    {
        answer->doubtful = 0;
        return;
    }

    if (attempt->who != AOPCTL_GIVEN
        && findings->given_served
        && !findings->given_refused
        && !findings->given_unclear)
    {
        answer->doubtful = 0;
        findings->settled = 1;
        return;
    }

    aopctl_probe_doubt(answer);
}


static void
aopctl_probe_doubt(aopctl_answer_t *answer)
{
    size_t  len;

    answer->result = AOPCTL_UNCLEAR;

    len = strlen(answer->text);

    snprintf(answer->text + len, sizeof(answer->text) - len,
             ", which may be for everybody");
}


static void
aopctl_probe_note_given(const aopctl_answer_t *answer,
    aopctl_findings_t *findings)
{
    switch (answer->result) {

    case AOPCTL_SERVED:
        findings->given_served = 1;
        break;

    case AOPCTL_TURNED_AWAY:
        findings->given_refused = 1;
        break;

    case AOPCTL_UNCLEAR:
        findings->given_unclear = 1;

        if (findings->err[0] == '\0') {
            snprintf(findings->err, sizeof(findings->err), "%s",
                     answer->text);
        }
        break;

    default:
        break;
    }
}


static void
aopctl_probe_note(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_findings_t *findings)
{
    /* without SNI it is the default server that asks, or not */

    if (answer->asked && attempt->nameless) {
        findings->asked_nameless = 1;

    } else if (answer->asked) {
        findings->asked = 1;
    }

    if (answer->silent) {
        findings->silent = 1;
    }

    if (attempt->who == AOPCTL_GIVEN) {
        aopctl_probe_note_given(answer, findings);
        return;
    }

    if ((answer->result == AOPCTL_TURNED_AWAY || answer->doubtful)
        && !answer->asked && !answer->resumed && !attempt->nameless)
    {
        findings->asked_all = 0;
    }

    switch (answer->result) {

    case AOPCTL_SERVED:
        findings->served = 1;
        break;

    case AOPCTL_TURNED_AWAY:
        if (!attempt->nameless) {
            findings->refused = 1;

            if (findings->attempts[attempt->http2] == NULL) {
                findings->attempts[attempt->http2] = attempt;
            }
        }
        break;

    case AOPCTL_UNCLEAR:
        if (answer->doubtful) {
            findings->doubtful = 1;
        }

        if (!findings->unclear) {
            snprintf(findings->err, sizeof(findings->err), "%s",
                     answer->text);
        }

        findings->unclear = 1;
        break;

    default:
        if (findings->err[0] == '\0') {
            snprintf(findings->err, sizeof(findings->err), "%s",
                     answer->text);
        }
        break;
    }
}



static aopctl_status_e
aopctl_probe_unclear(const aopctl_probe_t *probe, json_t *answer,
    const aopctl_findings_t *findings)
{
    char  why[512];

    snprintf(why, sizeof(why), "%s%s", findings->err,
             !findings->doubtful ? ""
             : probe->cert == NULL
               ? ": ask for something else (--path), or show a certificate "
                 "that passes (--cert)"
               : "; the given certificate is not served either: ask for "
                 "something that is (--path)");

    return aopctl_probe_say(answer, AOPCTL_UNKNOWN, why);
}


static const char *
aopctl_probe_served(const aopctl_findings_t *findings)
{
    if (findings->asked) {
        return "this origin serves strangers: not enforced; it asks for a "
               "certificate, but does not insist (\"aop optional\"?)";
    }

    if (findings->asked_nameless) {
        return "this origin serves strangers: not enforced; the server of "
               "this name does not ask for a certificate, another one at "
               "this address does (\"aop\" missing?)";
    }

    return "this origin serves strangers: not enforced; it does not even ask "
           "for a certificate";
}


static aopctl_status_e
aopctl_probe_conclude(const aopctl_probe_t *probe, json_t *answer,
    const aopctl_findings_t *findings)
{
    aopctl_json_set(answer, "asks", json_boolean(findings->asked));

    if (findings->served_resumed) {
        return aopctl_probe_say(answer, AOPCTL_BAD, "this origin serves "
                                "strangers who resume a session: not "
                                "enforced");
    }

    if (findings->served_visitor) {
        return aopctl_probe_say(answer, AOPCTL_BAD, "this origin serves "
                                "strangers who say that they come for "
                                "certain visitors (CF-Connecting-IP): not "
                                "enforced, or for a part only (\"aop "
                                "$variable\"?)");
    }

    if (findings->served) {
        return aopctl_probe_say(answer, AOPCTL_BAD,
                                aopctl_probe_served(findings));
    }

    if (!findings->asked_all) {
        return aopctl_probe_say(answer, AOPCTL_UNKNOWN, "strangers are "
                                "refused, but not for want of a certificate: "
                                "the origin did not ask for one");
    }

    if (findings->unclear || !findings->refused) {
        return aopctl_probe_unclear(probe, answer, findings);
    }

    if (findings->plain) {
        return aopctl_probe_say(answer, AOPCTL_WARNING, "strangers are "
                                "refused over TLS, but served over plain "
                                "HTTP");
    }

    if (findings->given_refused) {
        return aopctl_probe_say(answer, AOPCTL_WARNING, "strangers are "
                                "refused, and so is the given certificate");
    }

    if (findings->given_unclear) {
        return aopctl_probe_say(answer, AOPCTL_WARNING, "strangers are "
                                "refused; whether the given certificate is "
                                "served is unclear");
    }

    if (findings->plain_unclear) {
        return aopctl_probe_say(answer, AOPCTL_WARNING, "strangers are "
                                "refused over TLS; what plain HTTP would "
                                "serve is unclear");
    }

    return aopctl_probe_say(answer, AOPCTL_GOOD, probe->cert != NULL
           ? "enforced: strangers are refused, the given certificate is served"
           : "enforced: strangers are refused");
}



aopctl_status_e
aopctl_probe_say(json_t *answer, aopctl_status_e status, const char *why)
{
    static const char *const  words[] = {
        "enforced", "enforced_but", "not_enforced", "cannot_tell"
    };

    aopctl_json_set(answer, "conclusion", json_string(words[status]));
    aopctl_json_set(answer, "why", aopctl_json_text(why));

    return status;
}
