
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The visits of a probe, and what they add up to.  "Enforced" is said only if
 * all strangers were refused, and the origin asked for a certificate.
 */


#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"


/* What the attempts add up to. */

typedef struct {
    unsigned             asked:1;
    unsigned             asked_all:1;       /* by all that were refused */
    unsigned             served:1;          /* a stranger */
    unsigned             served_resumed:1;  /* only by a resumed session */
    unsigned             refused:1;         /* a stranger */
    unsigned             unclear:1;
    unsigned             given_refused:1;
    unsigned             plain:1;           /* served */
    unsigned             plain_unclear:1;
    unsigned             silent:1;
    char                 err[256];          /* of what told nothing first */
} aopctl_findings_t;


static json_t *aopctl_probe_tls(aopctl_probe_t *probe,
    aopctl_findings_t *findings);
static json_t *aopctl_probe_attempt(aopctl_probe_t *probe,
    const aopctl_attempt_t *attempt, aopctl_findings_t *findings);
static json_t *aopctl_probe_http(aopctl_probe_t *probe,
    aopctl_findings_t *findings);
static json_t *aopctl_probe_answer(const aopctl_answer_t *answer);
static void aopctl_probe_note(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_findings_t *findings);
static aopctl_status_e aopctl_probe_conclude(const aopctl_probe_t *probe,
    json_t *answer, const aopctl_findings_t *findings);


static const aopctl_attempt_t  aopctl_probe_plan[] = {
    { TLS1_3_VERSION, AOPCTL_NOBODY, 0, 0 },
    { TLS1_3_VERSION, AOPCTL_SELF_SIGNED, 0, 0 },
    { TLS1_3_VERSION, AOPCTL_GIVEN, 0, 0 },
    { TLS1_2_VERSION, AOPCTL_NOBODY, 0, 0 },
    { TLS1_2_VERSION, AOPCTL_SELF_SIGNED, 0, 0 },
    { TLS1_2_VERSION, AOPCTL_GIVEN, 0, 0 },
    { TLS1_3_VERSION, AOPCTL_NOBODY, 1, 0 },
    { TLS1_3_VERSION, AOPCTL_SELF_SIGNED, 1, 0 },
    { TLS1_3_VERSION, AOPCTL_GIVEN, 1, 0 },
    { TLS1_2_VERSION, AOPCTL_NOBODY, 1, 0 },
    { TLS1_3_VERSION, AOPCTL_NOBODY, 0, 1 },
    { TLS1_2_VERSION, AOPCTL_NOBODY, 0, 1 }
};

#define AOPCTL_PROBE_PLAN                                                     \
    (sizeof(aopctl_probe_plan) / sizeof(aopctl_probe_plan[0]))


static const char *const  aopctl_probe_strangers[AOPCTL_STRANGERS] = {
    "no certificate", "self-signed", "given"
};


aopctl_status_e
aopctl_probe_visits(aopctl_probe_t *probe, json_t *answer)
{
    aopctl_findings_t  findings;

    memset(&findings, 0, sizeof(aopctl_findings_t));
    findings.asked_all = 1;

    aopctl_json_set(answer, "visits", aopctl_probe_tls(probe, &findings));
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
    aopctl_answer_t   first, again;

    aopctl_probe_ask(probe, attempt, &first, &again);

    aopctl_probe_note(attempt, &first, findings);
    aopctl_probe_note(attempt, &again, findings);

    if (again.resumed
        && attempt->who != AOPCTL_GIVEN
        && again.result == AOPCTL_SERVED
        && first.result == AOPCTL_TURNED_AWAY)
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



static void
aopctl_probe_note(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_findings_t *findings)
{
    if (answer->asked) {
        findings->asked = 1;
    }

    if (answer->silent) {
        findings->silent = 1;
    }

    if (attempt->who == AOPCTL_GIVEN) {
        if (answer->result == AOPCTL_TURNED_AWAY
            || answer->result == AOPCTL_UNCLEAR)
        {
            findings->given_refused = 1;
        }

        return;
    }

    switch (answer->result) {

    case AOPCTL_SERVED:
        findings->served = 1;
        break;

    case AOPCTL_TURNED_AWAY:
        findings->refused = 1;

        /* without SNI it is the default server that asks, or not */

        if (!answer->asked && !answer->resumed && !attempt->nameless) {
            findings->asked_all = 0;
        }
        break;

    case AOPCTL_UNCLEAR:
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
aopctl_probe_conclude(const aopctl_probe_t *probe, json_t *answer,
    const aopctl_findings_t *findings)
{
    aopctl_json_set(answer, "asks", json_boolean(findings->asked));

    if (findings->served_resumed) {
        return aopctl_probe_say(answer, AOPCTL_BAD, "this origin serves "
                                "strangers who resume a session: not "
                                "enforced");
    }

    if (findings->served) {
        return aopctl_probe_say(answer, AOPCTL_BAD, findings->asked
               ? "this origin serves strangers: not enforced; it asks for a "
                 "certificate, but does not insist (\"aop optional\"?)"
               : "this origin serves strangers: not enforced; it does not "
                 "even ask for a certificate");
    }

    if (findings->unclear || !findings->refused) {
        return aopctl_probe_say(answer, AOPCTL_UNKNOWN, findings->err);
    }

    if (!findings->asked_all) {
        return aopctl_probe_say(answer, AOPCTL_UNKNOWN, "strangers are "
                                "refused, but not for want of a certificate: "
                                "the origin did not ask for one");
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
