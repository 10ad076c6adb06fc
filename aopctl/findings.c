
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What the visits of a probe add up to.  "Enforced" is said only if all
 * strangers were refused, the origin asked for a certificate, and what it
 * answered is not what it may answer to everybody: either it is about the
 * certificate, or the given certificate is answered otherwise.
 */


#include <stdio.h>
#include <string.h>

#include "findings.h"


static void aopctl_findings_note_given(const aopctl_answer_t *answer,
    aopctl_findings_t *findings);
static aopctl_status_e aopctl_findings_unclear(const aopctl_probe_t *probe,
    json_t *answer, const aopctl_findings_t *findings);
static const char *aopctl_findings_served(const aopctl_findings_t *findings);


/*
 * A stranger who is turned away without a word of the certificate may be turned
 * away as everybody is, unless the given certificate is served.  A connection
 * that was made without the name is another matter: 421 is no answer to what
 * was asked for, but tells to ask elsewhere (RFC 9110, 15.5.20).
 */

void
aopctl_findings_settle(const aopctl_attempt_t *attempt, aopctl_answer_t *answer,
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

    aopctl_findings_doubt(answer);
}


void
aopctl_findings_doubt(aopctl_answer_t *answer)
{
    size_t  len;

    answer->result = AOPCTL_UNCLEAR;

    len = strlen(answer->text);

    snprintf(answer->text + len, sizeof(answer->text) - len,
             ", which may be for everybody");
}


static void
aopctl_findings_note_given(const aopctl_answer_t *answer,
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


void
aopctl_findings_note(const aopctl_attempt_t *attempt,
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
        aopctl_findings_note_given(answer, findings);
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
aopctl_findings_unclear(const aopctl_probe_t *probe, json_t *answer,
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
aopctl_findings_served(const aopctl_findings_t *findings)
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


aopctl_status_e
aopctl_findings_conclude(const aopctl_probe_t *probe, json_t *answer,
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
                                aopctl_findings_served(findings));
    }

    if (!findings->asked_all) {
        return aopctl_probe_say(answer, AOPCTL_UNKNOWN, "strangers are "
                                "refused, but not for want of a certificate: "
                                "the origin did not ask for one");
    }

    if (findings->unclear || !findings->refused) {
        return aopctl_findings_unclear(probe, answer, findings);
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
