
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Scanners come by address, not by name.  A default server that closes,
 * rejects the handshake, redirects elsewhere, or serves another page is not
 * the site; one that serves the site's page is the site under another name.
 * If that page is unknown, no page can be told from it.
 */


#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "probe_names.h"


/* RFC 2606: does not exist */

#define AOPCTL_NAMES_UNRELATED  "unrelated.invalid"
#define AOPCTL_NAMES_REDIRECTS  3


typedef enum {
    AOPCTL_NAME_NONE = 0,
    AOPCTL_NAME_SITE,
    AOPCTL_NAME_ADDRESS,
    AOPCTL_NAME_UNRELATED
} aopctl_name_e;


typedef struct {
    aopctl_name_e    sni;
    aopctl_name_e    host;
    int              version;
    unsigned         again:1;       /* with its session and the site's SNI */
    unsigned         plain:1;
} aopctl_names_t;


/* One visit, and what it is compared with. */

typedef struct {
    aopctl_probe_t         *probe;
    aopctl_conclusion_t    *conclusion;
    const aopctl_names_t   *names;
    aopctl_attempt_t        attempt;
    char                    host[80];       /* an address as Host */
    char                    path[AOPCTL_PAGE_URL];  /* of a redirect */
} aopctl_names_visit_t;


static int aopctl_names_is_site(const aopctl_probe_t *probe,
    const aopctl_names_t *names);
static json_t *aopctl_names_visit(aopctl_probe_t *probe,
    aopctl_conclusion_t *conclusion, const aopctl_names_t *names);
static void aopctl_names_attempt(aopctl_names_visit_t *visit);
static const char *aopctl_names_text(aopctl_names_visit_t *visit,
    aopctl_name_e name);
static void aopctl_names_ask(aopctl_names_visit_t *visit,
    aopctl_answer_t *answer, aopctl_answer_t *again);
static void aopctl_names_plain(aopctl_names_visit_t *visit,
    aopctl_answer_t *answer);
static void aopctl_names_judge(aopctl_names_visit_t *visit,
    aopctl_answer_t *answer);
static int aopctl_names_nothing(const aopctl_answer_t *answer, unsigned plain);
static void aopctl_names_compare(aopctl_conclusion_t *conclusion,
    aopctl_answer_t *answer);
static void aopctl_names_note(const aopctl_names_visit_t *visit,
    const aopctl_answer_t *answer);
static void aopctl_names_note_session(const aopctl_names_visit_t *visit,
    aopctl_answer_t *again);
static void aopctl_names_note_plain(const aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion);


static const aopctl_names_t  aopctl_names[] = {
    { AOPCTL_NAME_NONE, AOPCTL_NAME_ADDRESS, 0, 0, 0 },
    { AOPCTL_NAME_NONE, AOPCTL_NAME_SITE, TLS1_3_VERSION, 1, 0 },
    { AOPCTL_NAME_NONE, AOPCTL_NAME_SITE, TLS1_2_VERSION, 1, 0 },
    { AOPCTL_NAME_UNRELATED, AOPCTL_NAME_UNRELATED, 0, 0, 0 },
    { AOPCTL_NAME_UNRELATED, AOPCTL_NAME_SITE, 0, 0, 0 },
    { AOPCTL_NAME_SITE, AOPCTL_NAME_ADDRESS, 0, 0, 0 },
    { AOPCTL_NAME_SITE, AOPCTL_NAME_UNRELATED, 0, 0, 0 },
    { AOPCTL_NAME_NONE, AOPCTL_NAME_ADDRESS, 0, 0, 1 }
};

#define AOPCTL_NAMES  (sizeof(aopctl_names) / sizeof(aopctl_names[0]))


json_t *
aopctl_probe_names(aopctl_probe_t *probe, aopctl_conclusion_t *conclusion)
{
    size_t                 i;
    json_t                *list;
    const aopctl_names_t  *names;

    list = json_array();

    /* a host that did not respond is not tried again */

    for (i = 0; i < AOPCTL_NAMES && !conclusion->silent; i++) {
        names = &aopctl_names[i];

        if (aopctl_names_is_site(probe, names)
            || (names->plain && !conclusion->plain_there))
        {
            continue;
        }

        aopctl_json_append(list, aopctl_names_visit(probe, conclusion, names));
    }

    return list;
}


/* What was visited already, or has no name to come with. */

static int
aopctl_names_is_site(const aopctl_probe_t *probe, const aopctl_names_t *names)
{
    unsigned  address;

    address = strcasecmp(probe->authority, probe->address) == 0;

    if (probe->sni == NULL && names->sni == AOPCTL_NAME_SITE) {
        return 1;
    }

    if (names->host == AOPCTL_NAME_UNRELATED
        || (names->host == AOPCTL_NAME_ADDRESS && !address))
    {
        return 0;
    }

    return names->sni == (probe->sni ? AOPCTL_NAME_SITE : AOPCTL_NAME_NONE)
           || names->plain;
}


static json_t *
aopctl_names_visit(aopctl_probe_t *probe, aopctl_conclusion_t *conclusion,
    const aopctl_names_t *names)
{
    json_t                *object;
    aopctl_answer_t        answer, again;
    aopctl_names_visit_t   visit;

    visit.probe = probe;
    visit.conclusion = conclusion;
    visit.names = names;

    aopctl_names_attempt(&visit);
    aopctl_names_ask(&visit, &answer, &again);
    aopctl_names_judge(&visit, &answer);
    aopctl_names_note(&visit, &answer);

    if (names->again) {
        aopctl_names_note_session(&visit, &again);
    }

    object = aopctl_answer_json(&answer);

    aopctl_json_set(object, "scheme",
                    json_string(names->plain ? "http" : "https"));
    aopctl_json_set(object, "sni", visit.attempt.nameless
                    ? json_null()
                    : aopctl_json_text(aopctl_names_text(&visit, names->sni)));
    aopctl_json_set(object, "authority",
                    aopctl_json_text(aopctl_names_text(&visit, names->host)));

    if (names->version) {
        aopctl_json_set(object, "tls", json_string(
                        names->version == TLS1_2_VERSION ? "1.2" : "1.3"));
    }

    if (names->again) {
        aopctl_json_set(object, "with_session", aopctl_answer_json(&again));
    }

    return object;
}


static void
aopctl_names_attempt(aopctl_names_visit_t *visit)
{
    aopctl_attempt_t      *attempt;
    const aopctl_names_t  *names;

    names = visit->names;
    attempt = &visit->attempt;

    memset(attempt, 0, sizeof(aopctl_attempt_t));

    attempt->version = names->version;
    attempt->who = AOPCTL_CLIENT_NO_CERT;
    attempt->nameless = (names->sni == AOPCTL_NAME_NONE);
    attempt->sni = attempt->nameless ? NULL
                                     : aopctl_names_text(visit, names->sni);
    attempt->host = aopctl_names_text(visit, names->host);
}


static const char *
aopctl_names_text(aopctl_names_visit_t *visit, aopctl_name_e name)
{
    const aopctl_probe_t  *probe;

    probe = visit->probe;

    switch (name) {

    case AOPCTL_NAME_ADDRESS:
        snprintf(visit->host, sizeof(visit->host),
                 probe->addr->ai_family == AF_INET6 ? "[%s]" : "%s",
                 probe->address);
        return visit->host;

    case AOPCTL_NAME_UNRELATED:
        return AOPCTL_NAMES_UNRELATED;

    default:
        return (name == visit->names->host) ? probe->authority : probe->sni;
    }
}


/* A redirect to another path of the same host is followed. */

static void
aopctl_names_ask(aopctl_names_visit_t *visit, aopctl_answer_t *answer,
    aopctl_answer_t *again)
{
    int                   n;
    const aopctl_page_t  *site;

    site = aopctl_conclusion_site(visit->conclusion, 0);

    for (n = 0; n <= AOPCTL_NAMES_REDIRECTS; n++) {

        if (visit->names->plain) {
            aopctl_names_plain(visit, answer);

        } else {
            aopctl_attempt(visit->probe, &visit->attempt, answer,
                           n == 0 && visit->names->again ? again : NULL);
        }

        if ((site != NULL && aopctl_probe_page_compare(&answer->page, site)
                             == AOPCTL_PAGE_SAME)
            || !aopctl_attempt_redirect(answer, visit->path))
        {
            return;
        }

        visit->attempt.path = visit->path;
    }
}


static void
aopctl_names_plain(aopctl_names_visit_t *visit, aopctl_answer_t *answer)
{
    in_port_t                port;
    struct addrinfo          addr;
    struct sockaddr_storage  sa;

    /* the address of the probe, with another port */

    addr = *visit->probe->addr;
    memcpy(&sa, addr.ai_addr, addr.ai_addrlen);
    addr.ai_addr = (struct sockaddr *) &sa;

    port = htons((in_port_t) atoi(visit->probe->http_port));

    if (addr.ai_family == AF_INET6) {
        ((struct sockaddr_in6 *) &sa)->sin6_port = port;

    } else {
        ((struct sockaddr_in *) &sa)->sin_port = port;
    }

    aopctl_attempt_plain(visit->probe, &addr, &visit->attempt, answer);
}


static void
aopctl_names_judge(aopctl_names_visit_t *visit, aopctl_answer_t *answer)
{
    unsigned  plain;

    plain = visit->names->plain;

    answer->doubtful = 0;

    if (answer->silent || answer->failed) {
        answer->result = (plain && answer->result == AOPCTL_RESULT_NOT_OFFERED)
                         ? AOPCTL_RESULT_NOT_OFFERED : AOPCTL_RESULT_UNCLEAR;
        return;
    }

    if (plain && answer->result == AOPCTL_RESULT_NOT_OFFERED) {
        return;
    }

    if (aopctl_names_nothing(answer, plain)) {
        answer->result = AOPCTL_RESULT_REFUSED;
        return;
    }

    aopctl_names_compare(visit->conclusion, answer);
}


/* What cannot be the site, whatever that shows. */

static int
aopctl_names_nothing(const aopctl_answer_t *answer, unsigned plain)
{
    if (answer->status == 0 || answer->status == 421) {
        return 1;
    }

    if (answer->certificate) {
        return answer->asked;
    }

    if (plain) {
        return answer->title == AOPCTL_PAGE_HTTPS
               || strncasecmp(answer->page.url, "https://", 8) == 0;
    }

    return 0;
}


static void
aopctl_names_compare(aopctl_conclusion_t *conclusion, aopctl_answer_t *answer)
{
    aopctl_same_e         same;
    const aopctl_page_t  *site;

    site = aopctl_conclusion_site(conclusion, 0);

    /* a redirect to another host leads to that host */

    if (site == NULL && answer->page.url[0] != '\0' && !answer->page.self) {
        answer->result = AOPCTL_RESULT_REFUSED;
        return;
    }

    if (site == NULL) {
        aopctl_conclusion_doubt(answer, "which may be the site's page");
        return;
    }

    same = aopctl_probe_page_compare(&answer->page, site);

    if (same == AOPCTL_PAGE_SAME) {
        answer->result = AOPCTL_RESULT_SERVED;

    } else if (answer->status == site->status
               && (same == AOPCTL_PAGE_SIMILAR || conclusion->unstable))
    {
        aopctl_conclusion_doubt(answer, "which may be the site's page");

    } else if (answer->status >= 400) {
        answer->result = AOPCTL_RESULT_REFUSED;

    } else {
        answer->result = AOPCTL_ANOTHER;
    }
}


static void
aopctl_names_note(const aopctl_names_visit_t *visit,
    const aopctl_answer_t *answer)
{
    aopctl_conclusion_t  *conclusion;

    conclusion = visit->conclusion;

    conclusion->spoke |= answer->spoke;
    conclusion->http3 |= answer->http3;
    conclusion->asked_nameless |= answer->asked;

    if (visit->names->plain) {
        aopctl_names_note_plain(answer, conclusion);
        return;
    }

    conclusion->silent |= answer->silent;
    conclusion->settled |= (answer->result == AOPCTL_RESULT_REFUSED
                            && !answer->certificate);

    if (!answer->asked && answer->spoke && answer->status == 0) {
        conclusion->names_rejected = 1;
    }

    if ((answer->result == AOPCTL_RESULT_SERVED && !conclusion->names_served)
        || (answer->result == AOPCTL_RESULT_UNCLEAR
            && conclusion->names[0] == '\0'))
    {
        conclusion->names_host = (visit->names->sni == AOPCTL_NAME_SITE);

        snprintf(conclusion->names, sizeof(conclusion->names),
                 "%s%.100s, Host %.100s%s%s",
                 visit->attempt.nameless ? "no SNI" : "SNI ",
                 visit->attempt.nameless ? "" : visit->attempt.sni,
                 visit->attempt.host,
                 answer->result == AOPCTL_RESULT_SERVED ? "" : ": ",
                 answer->result == AOPCTL_RESULT_SERVED ? "" : answer->text);
    }

    conclusion->names_served |= (answer->result == AOPCTL_RESULT_SERVED);
    conclusion->names_unclear |= (answer->result == AOPCTL_RESULT_UNCLEAR);
}


/* With the site's own SNI: it is the site that answers. */

static void
aopctl_names_note_session(const aopctl_names_visit_t *visit,
    aopctl_answer_t *again)
{
    aopctl_attempt_t      attempt;
    aopctl_conclusion_t  *conclusion;

    conclusion = visit->conclusion;

    attempt = visit->attempt;
    attempt.nameless = 0;

    /* 421: the client may retry elsewhere (RFC 9110, 15.5.20) */

    if (again->status == 421) {
        again->doubtful = 0;
    }

    aopctl_conclusion_settle(&attempt, again, conclusion);

    conclusion->served_resumed |= (again->result == AOPCTL_RESULT_SERVED
                                   && again->resumed
                                   && !conclusion->served);

    if (again->result == AOPCTL_RESULT_UNCLEAR) {
        aopctl_conclusion_unclear(again, conclusion);
    }
}


json_t *
aopctl_probe_names_plain_http(aopctl_probe_t *probe,
    aopctl_conclusion_t *conclusion)
{
    json_t                *object;
    aopctl_answer_t        answer;
    aopctl_names_visit_t   visit;

    static const aopctl_names_t  names = { AOPCTL_NAME_NONE, AOPCTL_NAME_SITE,
                                           0, 0, 1 };

    if (probe->http_port == NULL) {
        return json_null();
    }

    visit.probe = probe;
    visit.conclusion = conclusion;
    visit.names = &names;

    aopctl_names_attempt(&visit);
    aopctl_names_ask(&visit, &answer, NULL);
    aopctl_names_judge(&visit, &answer);
    aopctl_names_note(&visit, &answer);

    object = aopctl_answer_json(&answer);
    aopctl_json_set(object, "port", json_integer(atoi(probe->http_port)));

    return object;
}


static void
aopctl_names_note_plain(const aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion)
{
    conclusion->plain_there |= (answer->result != AOPCTL_RESULT_NOT_OFFERED);

    switch (answer->result) {

    case AOPCTL_RESULT_SERVED:
        conclusion->plain = 1;
        break;

    case AOPCTL_ANOTHER:
        conclusion->plain_another = 1;
        break;

    case AOPCTL_RESULT_UNCLEAR:
        conclusion->plain_unclear = 1;
        break;

    default:
        break;
    }
}
