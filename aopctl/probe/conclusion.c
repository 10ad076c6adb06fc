
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What the visits to an address add up to.  "Enforced" is said only if all
 * strangers were refused, the origin asked for a certificate, and what it
 * answered is not what it may answer to everybody: either it is about the
 * certificate, or the given certificate is answered otherwise.  And only if the
 * site is not open there under another name or without TLS.
 */


#include <stdio.h>
#include <string.h>

#include "conclusion.h"


static int aopctl_conclusion_comparable(const aopctl_conclusion_t *findings);
static void aopctl_conclusion_compare(aopctl_answer_t *answer,
    const aopctl_page_t *site, aopctl_conclusion_t *findings);
static void aopctl_conclusion_see(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_conclusion_t *findings);
static void aopctl_conclusion_note_given(const aopctl_answer_t *answer,
    aopctl_conclusion_t *findings);
static void aopctl_conclusion_note_refused(const aopctl_attempt_t *attempt,
    aopctl_conclusion_t *findings);
static void aopctl_conclusion_err(const aopctl_answer_t *answer,
    aopctl_conclusion_t *findings);
static const char *aopctl_conclusion_open(const aopctl_conclusion_t *findings,
    char *buf, size_t size);
static const char *aopctl_conclusion_served(const aopctl_conclusion_t *findings);
static const char *aopctl_conclusion_names(const aopctl_conclusion_t *findings,
    char *buf, size_t size);
static const char *aopctl_conclusion_untold(const aopctl_probe_t *probe,
    const aopctl_conclusion_t *findings, char *buf, size_t size);
static const char *aopctl_conclusion_part(const aopctl_probe_t *probe,
    const aopctl_conclusion_t *findings);


#define AOPCTL_FINDINGS_TEXT  768


void
aopctl_conclusion_settle(const aopctl_attempt_t *attempt,
    aopctl_answer_t *answer, aopctl_conclusion_t *findings)
{
    const aopctl_page_t  *site;

    if (answer->certificate && findings->foreign) {
        answer->doubtful = 1;
    }

    site = aopctl_conclusion_site(findings, attempt->http2);

    if (attempt->who != AOPCTL_CLIENT_GIVEN
        && site != NULL
        && aopctl_conclusion_comparable(findings)
        && (answer->doubtful || answer->result == AOPCTL_RESULT_SERVED))
    {
        aopctl_conclusion_compare(answer, site, findings);
        return;
    }

    if (answer->doubtful) {
        aopctl_conclusion_doubt(answer, "which may be for everybody");
    }
}


/* What the given certificate gets is known, and no matter of chance. */

static int
aopctl_conclusion_comparable(const aopctl_conclusion_t *findings)
{
    return findings->given_served
           && !findings->given_refused
           && !findings->given_unclear;
}


static void
aopctl_conclusion_compare(aopctl_answer_t *answer, const aopctl_page_t *site,
    aopctl_conclusion_t *findings)
{
    size_t         len;
    aopctl_same_e  same;

    same = aopctl_probe_page_compare(&answer->page, site);

    if (same == AOPCTL_PAGE_SAME) {
        answer->result = AOPCTL_RESULT_SERVED;
        answer->doubtful = 0;
        return;
    }

    /* a page that always changes is another one whoever gets it */

    if (answer->page.status == site->status
        && (same == AOPCTL_PAGE_SIMILAR || findings->unstable))
    {
        aopctl_conclusion_doubt(answer, "which may be the site's page");
        return;
    }

    if (!answer->doubtful) {
        len = strlen(answer->text);

        snprintf(answer->text + len, sizeof(answer->text) - len,
                 ", not what the given certificate gets");
    }

    answer->result = AOPCTL_RESULT_REFUSED;
    answer->doubtful = 0;
    findings->settled = 1;
}


void
aopctl_conclusion_doubt(aopctl_answer_t *answer, const char *why)
{
    size_t  len;

    answer->result = AOPCTL_RESULT_UNCLEAR;
    answer->doubtful = 1;

    len = strlen(answer->text);

    snprintf(answer->text + len, sizeof(answer->text) - len, ", %s", why);
}


const aopctl_page_t *
aopctl_conclusion_site(const aopctl_conclusion_t *findings, unsigned http2)
{
    if (findings->site[http2].status != 0) {
        return &findings->site[http2];
    }

    return findings->site[!http2].status ? &findings->site[!http2] : NULL;
}


/* The site's page is what the given certificate gets, or else everybody. */

static void
aopctl_conclusion_see(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_conclusion_t *findings)
{
    const aopctl_page_t  *site;

    if (answer->result != AOPCTL_RESULT_SERVED || answer->page.status == 0) {
        return;
    }

    site = aopctl_conclusion_site(findings, attempt->http2);

    if (site != NULL
        && attempt->who == AOPCTL_CLIENT_GIVEN
        && aopctl_probe_page_compare(site, &answer->page) != AOPCTL_PAGE_SAME)
    {
        findings->unstable = 1;
    }

    if (findings->site[attempt->http2].status == 0) {
        findings->site[attempt->http2] = answer->page;
    }
}


static void
aopctl_conclusion_note_given(const aopctl_answer_t *answer,
    aopctl_conclusion_t *findings)
{
    switch (answer->result) {

    case AOPCTL_RESULT_SERVED:
        findings->given_served = 1;
        break;

    case AOPCTL_RESULT_REFUSED:
        findings->given_refused = 1;
        break;

    case AOPCTL_RESULT_UNCLEAR:
        findings->given_unclear = 1;
        aopctl_conclusion_err(answer, findings);
        break;

    default:
        break;
    }
}


void
aopctl_conclusion_note(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_conclusion_t *findings)
{
    findings->spoke |= answer->spoke;
    findings->silent |= answer->silent;
    findings->http3 |= answer->http3;
    findings->asked |= answer->asked;

    aopctl_conclusion_see(attempt, answer, findings);

    if (attempt->who == AOPCTL_CLIENT_GIVEN) {
        aopctl_conclusion_note_given(answer, findings);
        return;
    }

    if ((answer->result == AOPCTL_RESULT_REFUSED || answer->doubtful)
        && !answer->asked && !answer->resumed)
    {
        findings->asked_all = 0;
    }

    switch (answer->result) {

    case AOPCTL_RESULT_SERVED:
        findings->served = 1;
        break;

    case AOPCTL_RESULT_REFUSED:
        aopctl_conclusion_note_refused(attempt, findings);
        break;

    case AOPCTL_RESULT_UNCLEAR:
        aopctl_conclusion_unclear(answer, findings);
        break;

    default:
        aopctl_conclusion_err(answer, findings);
        break;
    }
}


/* It goes before what is merely not offered. */

void
aopctl_conclusion_unclear(const aopctl_answer_t *answer,
    aopctl_conclusion_t *findings)
{
    if (!findings->unclear) {
        findings->err[0] = '\0';
    }

    findings->unclear = 1;
    findings->doubtful |= answer->doubtful;

    aopctl_conclusion_err(answer, findings);
}


static void
aopctl_conclusion_note_refused(const aopctl_attempt_t *attempt,
    aopctl_conclusion_t *findings)
{
    findings->refused = 1;

    if (findings->attempts[attempt->http2] == NULL) {
        findings->attempts[attempt->http2] = attempt;
    }
}


static void
aopctl_conclusion_err(const aopctl_answer_t *answer,
    aopctl_conclusion_t *findings)
{
    if (findings->err[0] == '\0') {
        snprintf(findings->err, sizeof(findings->err), "%s", answer->text);
    }
}


aopctl_status_e
aopctl_conclusion_conclude(const aopctl_probe_t *probe, json_t *answer,
    const aopctl_conclusion_t *findings)
{
    char         text[AOPCTL_FINDINGS_TEXT];
    const char  *why;

    aopctl_json_set(answer, "asks", json_boolean(findings->asked));
    aopctl_json_set(answer, "http3", json_boolean(findings->http3));

    why = aopctl_conclusion_open(findings, text, sizeof(text));
    if (why != NULL) {
        return aopctl_conclusion_say(answer, AOPCTL_STATUS_BAD, "not_enforced",
                                     why);
    }

    if (!findings->spoke) {
        return aopctl_conclusion_say(answer, AOPCTL_STATUS_UNKNOWN,
                                     "cannot_tell", findings->err);
    }

    why = aopctl_conclusion_untold(probe, findings, text, sizeof(text));
    if (why != NULL) {
        return aopctl_conclusion_say(answer, AOPCTL_STATUS_WARNING,
                                     "cannot_tell", why);
    }

    why = aopctl_conclusion_part(probe, findings);
    if (why != NULL) {
        return aopctl_conclusion_say(answer, AOPCTL_STATUS_WARNING,
                                     "enforced_but", why);
    }

    snprintf(text, sizeof(text), "enforced: strangers are refused%s%s",
             probe->cert != NULL ? ", the given certificate is served" : "",
             findings->http3 ? " (HTTP/3 is announced, and was not visited)"
                             : "");

    return aopctl_conclusion_say(answer, AOPCTL_STATUS_GOOD, "enforced", text);
}


/* Where strangers get in; NULL: nowhere. */

static const char *
aopctl_conclusion_open(const aopctl_conclusion_t *findings, char *buf,
    size_t size)
{
    if (findings->served_resumed) {
        return "this origin serves strangers who resume a session: not "
               "enforced";
    }

    if (findings->served_visitor) {
        return "this origin serves strangers who say that they come for "
               "certain visitors (CF-Connecting-IP): not enforced, or for a "
               "part only (\"aop $variable\"?)";
    }

    if (findings->served && !findings->exempt) {
        return aopctl_conclusion_served(findings);
    }

    if (findings->names_served) {
        return aopctl_conclusion_names(findings, buf, size);
    }

    if (findings->plain) {
        return "this origin serves strangers over plain HTTP: not enforced "
               "(redirect to HTTPS there, or add \"return 444\")";
    }

    return NULL;
}


static const char *
aopctl_conclusion_served(const aopctl_conclusion_t *findings)
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


/* A server that rejects handshakes answers on connections made for others. */

static const char *
aopctl_conclusion_names(const aopctl_conclusion_t *findings, char *buf,
    size_t size)
{
    snprintf(buf, size, "the same site is open at this address under other "
             "names: not enforced (%s; %s)", findings->names,
             findings->names_rejected && findings->names_host
             ? "\"ssl_reject_handshake\" does not see another Host: add "
               "\"return 444\" to that server"
             : "add \"aop on\" or \"return 444\" to that server");

    return buf;
}


/* What could not be told; NULL: nothing. */

static const char *
aopctl_conclusion_untold(const aopctl_probe_t *probe,
    const aopctl_conclusion_t *findings, char *buf, size_t size)
{
    if (findings->exempt) {
        return NULL;
    }

    if (!findings->asked_all) {
        return "strangers are refused, but not for want of a certificate: "
               "the origin did not ask for one";
    }

    if (findings->foreign && findings->doubtful) {
        return "strangers are refused, but perhaps as everybody is: the page "
               "is that of a server behind this one, which refuses nobody "
               "itself (give a certificate that passes: --cert)";
    }

    if (findings->unclear || !findings->refused) {
        snprintf(buf, size, "%s%s", findings->err,
                 !findings->doubtful ? ""
                 : probe->cert == NULL
                   ? ": ask for something else (--path), or show a certificate "
                     "that passes (--cert)"
                   : "; the given certificate is not served either: ask for "
                     "something that is (--path)");
        return buf;
    }

    if (findings->names_unclear) {
        snprintf(buf, size, "strangers are refused under this name; whether "
                 "the site is open under others is not known: %s (%s)",
                 findings->names, probe->cert == NULL
                 ? "add \"return 444\" to that server, or give a certificate "
                   "that passes to compare with: --cert"
                 : "add \"return 444\" to that server");
        return buf;
    }

    return NULL;
}


/* What is open by intent, or not as one would want it; NULL: nothing. */

static const char *
aopctl_conclusion_part(const aopctl_probe_t *probe,
    const aopctl_conclusion_t *findings)
{
    if (findings->exempt) {
        return "strangers are served on this path, but refused on \"/\": is "
               "the path exempt by intent?";
    }

    if (findings->given_refused) {
        return "strangers are refused, and so is the given certificate";
    }

    if (findings->given_unclear) {
        return "strangers are refused; whether the given certificate is "
               "served is unclear";
    }

    if (probe->cert != NULL && !findings->given_served) {
        return "strangers are refused; the given certificate could not be "
               "presented over any protocol, so nothing is known of it";
    }

    if (findings->plain_unclear) {
        return "strangers are refused over TLS; what plain HTTP would serve "
               "is unclear (redirect to HTTPS there, or add \"return 444\")";
    }

    if (findings->plain_another) {
        return "strangers are refused over TLS; plain HTTP shows another page";
    }

    return NULL;
}


aopctl_status_e
aopctl_conclusion_say(json_t *answer, aopctl_status_e status,
    const char *conclusion, const char *why)
{
    aopctl_json_set(answer, "status", json_integer(status));
    aopctl_json_set(answer, "conclusion", json_string(conclusion));
    aopctl_json_set(answer, "why", aopctl_json_text(why));

    return status;
}
