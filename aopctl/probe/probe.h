
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PROBE_H_INCLUDED_
#define _AOPCTL_PROBE_H_INCLUDED_


#include "aopctl.h"
#include "json.h"
#include "probe_page.h"
#include "client_cert.h"


/* Three answers, and two that are none: another page, and nothing there. */

typedef enum {
    AOPCTL_RESULT_SERVED = 0,
    AOPCTL_RESULT_REFUSED,
    AOPCTL_RESULT_UNCLEAR,
    AOPCTL_RESULT_NOT_OFFERED,
    AOPCTL_ANOTHER              /* another page than that of the site */
} aopctl_result_e;


typedef enum {
    AOPCTL_CLIENT_NO_CERT = 0,          /* no certificate */
    AOPCTL_CLIENT_SELF_SIGNED,
    AOPCTL_CLIENT_GIVEN,               /* --cert */
    AOPCTL_CLIENTS
} aopctl_client_e;


/* How to connect. */

typedef struct {
    int                  version;       /* TLS1_2_VERSION, ...; 0: either */
    aopctl_client_e      who;
    unsigned             http2:1;
    unsigned             nameless:1;    /* no SNI in the first handshake */
    unsigned             keep:1;        /* does the server keep it? */
    const char          *sni;           /* NULL: that of the probe */
    const char          *host;          /* NULL: that of the probe */
    const char          *path;          /* NULL: that of the probe */
    const char          *visitor;       /* CF-Connecting-IP; NULL: none */
} aopctl_attempt_t;


/* The result. */

typedef struct {
    aopctl_result_e      result;
    int                  status;        /* of HTTP; 0: no answer */
    unsigned             asked:1;       /* for a certificate */
    unsigned             shown:1;       /* a certificate was sent */
    unsigned             resumed:1;     /* the session was */
    unsigned             silent:1;      /* timed out, or cannot connect */
    unsigned             failed:1;      /* here: not a result of the host */
    unsigned             spoke:1;       /* TLS or HTTP */
    unsigned             kept:1;        /* the connection was */
    unsigned             http3:1;       /* was announced */
    unsigned             loop:1;        /* a redirect to the requested URL */

    /* by its status or page, an answer about the certificate */

    unsigned             certificate:1;

    /* AOPCTL_RESULT_REFUSED, but possibly for all clients */

    unsigned             doubtful:1;

    aopctl_page_e        title;
    aopctl_page_t        page;
    char                 text[256];
} aopctl_answer_t;


typedef struct {
    const char          *host;          /* to connect to */
    const char          *port;
    const char          *http_port;     /* NULL: not tested */
    const char          *sni;           /* NULL: none */
    const char          *authority;     /* Host of the requests */
    const char          *path;
    const char          *cert;          /* NULL: none given */
    const char          *key;
    long                 timeout;
    double               deadline;      /* of all visits */
    char                 literal[64];   /* an IPv6 address as Host */
    unsigned             quiet:1;
    unsigned             json:1;
    aopctl_client_cert_t    given;         /* owned */

    /* of one address */

    const struct addrinfo  *addr;       /* borrowed */
    char                 address[64];   /* the same as text */
    SSL_CTX             *ctx;           /* owned */
    X509_NAME           *ca;            /* the first told; owned, or NULL */
    json_t              *ca_names;      /* owned */
} aopctl_probe_t;


/*
 * Reads the argument HOST[:PORT], which is taken apart, and checks the names
 * and the path that were given.  Returns AOPCTL_STATUS_GOOD, or
 * AOPCTL_STATUS_USAGE after a message.
 */

aopctl_status_e aopctl_target(aopctl_probe_t *probe, const char *command,
    char *target);


/*
 * Prepares the visits of an address.  Returns 0 if memory is short; to be
 * freed in any case.
 */

int aopctl_attempt_init(aopctl_probe_t *probe);
void aopctl_attempt_free(aopctl_probe_t *probe);

/*
 * Connects and sends the request: once, and unless again is NULL once more
 * with the session of the first time; again->result is
 * AOPCTL_RESULT_NOT_OFFERED if there was none.
 */

void aopctl_attempt(aopctl_probe_t *probe, const aopctl_attempt_t *attempt,
    aopctl_answer_t *first, aopctl_answer_t *again);

/* Where an answer redirects to on the same host; 0: nowhere, or to itself. */

int aopctl_attempt_redirect(const aopctl_answer_t *answer,
    char path[AOPCTL_PAGE_URL]);

/* Plain HTTP at an address; of the attempt, host and path are taken. */

void aopctl_attempt_plain(aopctl_probe_t *probe, const struct addrinfo *addr,
    const aopctl_attempt_t *attempt, aopctl_answer_t *answer);


/*
 * Makes all visits to an address, and adds their results and the conclusion to
 * the answer.  Returns the status.
 */

aopctl_status_e aopctl_plan_run(aopctl_probe_t *probe, json_t *answer);

/* Adds a conclusion to the answer; returns the status. */

aopctl_status_e aopctl_conclusion_say(json_t *answer, aopctl_status_e status,
    const char *conclusion, const char *why);


/* An answer as JSON. */

json_t *aopctl_answer_json(const aopctl_answer_t *answer);


/* The findings, for a person, and the line that sums them up. */

void aopctl_probe_text_print(const json_t *answer);
void aopctl_probe_text_print_conclusion(const json_t *answer);


#endif /* _AOPCTL_PROBE_H_INCLUDED_ */
