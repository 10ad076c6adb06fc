
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What the visits to an address add up to.  "Enforced" is said only if all
 * strangers were refused, the origin requested a certificate, and its answer
 * is not one that everyone may get: either it is about the certificate, or the
 * given certificate gets another answer.  And only if the site is not open
 * there under another name or without TLS.
 */


#include <stdio.h>
#include <string.h>

#include "conclusion.h"


static int aopctl_conclusion_comparable(const aopctl_conclusion_t *conclusion);
static void aopctl_conclusion_compare(aopctl_answer_t *answer,
    const aopctl_page_t *site, aopctl_conclusion_t *conclusion);
static void aopctl_conclusion_see(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_conclusion_t *conclusion);
static void aopctl_conclusion_note_given(const aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion);
static void aopctl_conclusion_note_refused(const aopctl_attempt_t *attempt,
    aopctl_conclusion_t *conclusion);
static void aopctl_conclusion_err(const aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion);
static const char *aopctl_conclusion_open(const aopctl_conclusion_t *conclusion,
    char *buf, size_t size);
static const char *aopctl_conclusion_served(
    const aopctl_conclusion_t *conclusion);
static const char *aopctl_conclusion_names(
    const aopctl_conclusion_t *conclusion, char *buf, size_t size);
static const char *aopctl_conclusion_untold(const aopctl_probe_t *probe,
    const aopctl_conclusion_t *conclusion, char *buf, size_t size);
static const char *aopctl_conclusion_part(const aopctl_probe_t *probe,
    const aopctl_conclusion_t *conclusion);


#define AOPCTL_CONCLUSION_TEXT  768


void
aopctl_conclusion_settle(const aopctl_attempt_t *attempt,
    aopctl_answer_t *answer, aopctl_conclusion_t *conclusion)
{
    const aopctl_page_t  *site;

    if (answer->certificate && conclusion->behind) {
        answer->doubtful = 1;
    }

    site = aopctl_conclusion_site(conclusion, attempt->http2);

    if (attempt->who != AOPCTL_CLIENT_GIVEN
        && site != NULL
        && aopctl_conclusion_comparable(conclusion)
        && (answer->doubtful || answer->result == AOPCTL_RESULT_SERVED))
    {
        aopctl_conclusion_compare(answer, site, conclusion);
        return;
    }

    if (answer->doubtful) {
        aopctl_conclusion_doubt(answer, "which may be served to all clients");
    }
}


/* What the given certificate gets is known, and does not vary. */

static int
aopctl_conclusion_comparable(const aopctl_conclusion_t *conclusion)
{
    return conclusion->given_served
           && !conclusion->given_refused
           && !conclusion->given_unclear;
}


static void
aopctl_conclusion_compare(aopctl_answer_t *answer, const aopctl_page_t *site,
    aopctl_conclusion_t *conclusion)
{
    size_t         len;
    aopctl_same_e  same;

    same = aopctl_probe_page_compare(&answer->page, site);

    if (same == AOPCTL_PAGE_SAME) {
        answer->result = AOPCTL_RESULT_SERVED;
        answer->doubtful = 0;
        return;
    }

    /* a page that always changes differs for every client */

    if (answer->page.status == site->status
        && (same == AOPCTL_PAGE_SIMILAR || conclusion->unstable))
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
    conclusion->settled = 1;
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
aopctl_conclusion_site(const aopctl_conclusion_t *conclusion, unsigned http2)
{
    if (conclusion->site[http2].status != 0) {
        return &conclusion->site[http2];
    }

    return conclusion->site[!http2].status ? &conclusion->site[!http2] : NULL;
}


/* The site's page: what the given certificate gets, or else all clients. */

static void
aopctl_conclusion_see(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_conclusion_t *conclusion)
{
    const aopctl_page_t  *site;

    if (answer->result != AOPCTL_RESULT_SERVED || answer->page.status == 0) {
        return;
    }

    site = aopctl_conclusion_site(conclusion, attempt->http2);

    if (site != NULL
        && attempt->who == AOPCTL_CLIENT_GIVEN
        && aopctl_probe_page_compare(site, &answer->page) != AOPCTL_PAGE_SAME)
    {
        conclusion->unstable = 1;
    }

    if (conclusion->site[attempt->http2].status == 0) {
        conclusion->site[attempt->http2] = answer->page;
    }
}


static void
aopctl_conclusion_note_given(const aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion)
{
    switch (answer->result) {

    case AOPCTL_RESULT_SERVED:
        conclusion->given_served = 1;
        break;

    case AOPCTL_RESULT_REFUSED:
        conclusion->given_refused = 1;
        break;

    case AOPCTL_RESULT_UNCLEAR:
        conclusion->given_unclear = 1;
        aopctl_conclusion_err(answer, conclusion);
        break;

    default:
        break;
    }
}


void
aopctl_conclusion_note(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_conclusion_t *conclusion)
{
    conclusion->spoke |= answer->spoke;
    conclusion->silent |= answer->silent;
    conclusion->http3 |= answer->http3;
    conclusion->asked |= answer->asked;

    aopctl_conclusion_see(attempt, answer, conclusion);

    if (attempt->who == AOPCTL_CLIENT_GIVEN) {
        aopctl_conclusion_note_given(answer, conclusion);
        return;
    }

    if ((answer->result == AOPCTL_RESULT_REFUSED || answer->doubtful)
        && !answer->asked && !answer->resumed)
    {
        conclusion->asked_all = 0;
    }

    switch (answer->result) {

    case AOPCTL_RESULT_SERVED:
        conclusion->served = 1;
        break;

    case AOPCTL_RESULT_REFUSED:
        aopctl_conclusion_note_refused(attempt, conclusion);
        break;

    case AOPCTL_RESULT_UNCLEAR:
        aopctl_conclusion_unclear(answer, conclusion);
        break;

    default:
        aopctl_conclusion_err(answer, conclusion);
        break;
    }
}


/* It takes precedence over what is merely not offered. */

void
aopctl_conclusion_unclear(const aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion)
{
    if (!conclusion->unclear) {
        conclusion->err[0] = '\0';
    }

    conclusion->unclear = 1;
    conclusion->doubtful |= answer->doubtful;

    aopctl_conclusion_err(answer, conclusion);
}


static void
aopctl_conclusion_note_refused(const aopctl_attempt_t *attempt,
    aopctl_conclusion_t *conclusion)
{
    conclusion->refused = 1;

    if (conclusion->attempts[attempt->http2] == NULL) {
        conclusion->attempts[attempt->http2] = attempt;
    }
}


static void
aopctl_conclusion_err(const aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion)
{
    if (conclusion->err[0] == '\0') {
        snprintf(conclusion->err, sizeof(conclusion->err), "%s", answer->text);
    }
}


aopctl_status_e
aopctl_conclusion_conclude(const aopctl_probe_t *probe, json_t *answer,
    const aopctl_conclusion_t *conclusion)
{
    char         text[AOPCTL_CONCLUSION_TEXT];
    const char  *why;

    aopctl_json_set(answer, "asks", json_boolean(conclusion->asked));
    aopctl_json_set(answer, "http3", json_boolean(conclusion->http3));

    why = aopctl_conclusion_open(conclusion, text, sizeof(text));
    if (why != NULL) {
        return aopctl_conclusion_say(answer, AOPCTL_STATUS_BAD, "not_enforced",
                                     why);
    }

    if (!conclusion->spoke) {
        return aopctl_conclusion_say(answer, AOPCTL_STATUS_UNKNOWN,
                                     "cannot_tell", conclusion->err);
    }

    why = aopctl_conclusion_untold(probe, conclusion, text, sizeof(text));
    if (why != NULL) {
        return aopctl_conclusion_say(answer, AOPCTL_STATUS_WARNING,
                                     "cannot_tell", why);
    }

    why = aopctl_conclusion_part(probe, conclusion);
    if (why != NULL) {
        return aopctl_conclusion_say(answer, AOPCTL_STATUS_WARNING,
                                     "enforced_but", why);
    }

    snprintf(text, sizeof(text), "enforced: clients without a valid "
                                 "certificate are rejected%s%s",
             probe->cert != NULL ? ", the given certificate is accepted" : "",
             conclusion->http3 ? " (HTTP/3 is announced but was not tested)"
                             : "");

    return aopctl_conclusion_say(answer, AOPCTL_STATUS_GOOD, "enforced", text);
}


/* Where clients without a valid certificate are served; NULL if nowhere. */

static const char *
aopctl_conclusion_open(const aopctl_conclusion_t *conclusion, char *buf,
    size_t size)
{
    if (conclusion->served_resumed) {
        return "not enforced: the origin serves clients without a valid "
               "certificate that resume a session";
    }

    if (conclusion->served_visitor) {
        return "not enforced: the origin serves clients without a valid "
               "certificate for some addresses in CF-Connecting-IP (is it "
               "enforced by \"aop $variable\" for others only?)";
    }

    if (conclusion->served && !conclusion->exempt) {
        return aopctl_conclusion_served(conclusion);
    }

    if (conclusion->names_served) {
        return aopctl_conclusion_names(conclusion, buf, size);
    }

    if (conclusion->plain) {
        return "not enforced: the origin serves clients without a valid "
               "certificate over plain HTTP (redirect to HTTPS there, or add "
               "\"return 444\")";
    }

    return NULL;
}


static const char *
aopctl_conclusion_served(const aopctl_conclusion_t *conclusion)
{
    if (conclusion->asked) {
        return "not enforced: the origin serves clients without a valid "
               "certificate; it requests a certificate but does not require "
               "one (\"aop optional\"?)";
    }

    if (conclusion->asked_nameless) {
        return "not enforced: the origin serves clients without a valid "
               "certificate; the server with this name does not request a "
               "certificate, another one at this address does (\"aop\" "
               "missing?)";
    }

    return "not enforced: the origin serves clients without a valid "
           "certificate; it does not request one";
}


/* A server that rejects handshakes answers on connections made for others. */

static const char *
aopctl_conclusion_names(const aopctl_conclusion_t *conclusion, char *buf,
    size_t size)
{
    snprintf(buf, size, "not enforced: the same site is served under other "
             "names at this address (%s; %s)", conclusion->names,
             conclusion->names_rejected && conclusion->names_host
             ? "\"ssl_reject_handshake\" does not check the Host header, add "
               "\"return 444\" to that server"
             : "add \"aop on\" or \"return 444\" to that server");

    return buf;
}


/* What is unclear; NULL if nothing is. */

static const char *
aopctl_conclusion_untold(const aopctl_probe_t *probe,
    const aopctl_conclusion_t *conclusion, char *buf, size_t size)
{
    if (conclusion->exempt) {
        return NULL;
    }

    if (!conclusion->asked_all) {
        return "clients are rejected, but not because of a missing "
               "certificate: the origin did not request one";
    }

    if (conclusion->behind && conclusion->doubtful) {
        return "clients without a valid certificate are rejected, but "
               "possibly all others are, too: the page is from a server "
               "behind the origin, which itself rejects no clients (use "
               "--cert with a valid certificate)";
    }

    if (conclusion->unclear || !conclusion->refused) {
        snprintf(buf, size, "%s%s", conclusion->err,
                 !conclusion->doubtful ? ""
                 : probe->cert == NULL
                   ? " (try another --path, or use --cert with a valid "
                     "certificate)"
                   : "; the client with the given certificate is not served "
                     "either (try another --path)");
        return buf;
    }

    if (conclusion->names_unclear) {
        snprintf(buf, size, "clients without a valid certificate are rejected "
                 "under this name, but the site may be served under others: "
                 "%s (%s)",
                 conclusion->names, probe->cert == NULL
                 ? "add \"return 444\" to that server, or use --cert with a "
                   "valid certificate to compare with"
                 : "add \"return 444\" to that server");
        return buf;
    }

    return NULL;
}


/* What is exempt, or not as it should be; NULL if nothing is. */

static const char *
aopctl_conclusion_part(const aopctl_probe_t *probe,
    const aopctl_conclusion_t *conclusion)
{
    if (conclusion->exempt) {
        return "clients without a valid certificate are served on this path, "
               "but rejected on \"/\" (is the path exempt?)";
    }

    if (conclusion->given_refused) {
        return "clients without a valid certificate are rejected, and the "
               "client with the given certificate is, too";
    }

    if (conclusion->given_unclear) {
        return "clients without a valid certificate are rejected; the result "
               "with the given certificate is unclear";
    }

    if (probe->cert != NULL && !conclusion->given_served) {
        return "clients without a valid certificate are rejected; the given "
               "certificate could not be presented over any protocol, so it "
               "was not tested";
    }

    if (conclusion->plain_unclear) {
        return "clients without a valid certificate are rejected over TLS; "
               "the result over plain HTTP is unclear (redirect to HTTPS "
               "there, or add \"return 444\")";
    }

    if (conclusion->plain_another) {
        return "clients without a valid certificate are rejected over TLS; "
               "plain HTTP serves another page";
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
