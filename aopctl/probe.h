
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PROBE_H_INCLUDED_
#define _AOPCTL_PROBE_H_INCLUDED_


#include "aopctl.h"
#include "http.h"
#include "json.h"
#include "stranger.h"


/* Three answers, and "there is nothing there to ask". */

typedef enum {
    AOPCTL_SERVED = 0,
    AOPCTL_TURNED_AWAY,
    AOPCTL_UNCLEAR,
    AOPCTL_NOT_OFFERED
} aopctl_result_e;


typedef enum {
    AOPCTL_NOBODY = 0,          /* no certificate */
    AOPCTL_SELF_SIGNED,
    AOPCTL_GIVEN,               /* --cert: no stranger */
    AOPCTL_STRANGERS
} aopctl_stranger_e;


/* How to connect. */

typedef struct {
    int                  version;       /* TLS1_2_VERSION, TLS1_3_VERSION */
    aopctl_stranger_e    who;
    unsigned             http2:1;
    unsigned             nameless:1;    /* no SNI in the first handshake */
    const char          *visitor;       /* CF-Connecting-IP; NULL: none */
} aopctl_attempt_t;


/* What came of it. */

typedef struct {
    aopctl_result_e      result;
    int                  status;        /* of HTTP; 0: no answer */
    unsigned             asked:1;       /* for a certificate */
    unsigned             resumed:1;     /* the session was */
    unsigned             silent:1;      /* timed out, or cannot connect */

    /* AOPCTL_TURNED_AWAY, but perhaps as everybody is */

    unsigned             doubtful:1;

    char                 text[256];
} aopctl_answer_t;


typedef struct {
    const char          *host;          /* to connect to */
    const char          *port;
    const char          *http_port;     /* NULL: not asked for */
    const char          *sni;           /* NULL: none */
    const char          *authority;     /* Host of the requests */
    const char          *path;
    const char          *cert;          /* NULL: none given */
    const char          *key;
    long                 timeout;
    double               deadline;      /* of all visits */
    unsigned             quiet:1;
    unsigned             json:1;

    const struct addrinfo  *addr;       /* that answers; borrowed */
    SSL_CTX             *ctx;           /* owned */
    X509_NAME           *ca;            /* the first told; owned, or NULL */
    json_t              *ca_names;      /* owned */
    aopctl_stranger_t    given;         /* owned */
} aopctl_probe_t;


/* Prepares what aopctl_probe_ask() needs.  Returns 0 if memory is short. */

int aopctl_probe_init(aopctl_probe_t *probe);

/*
 * Connects and asks: once, and unless again is NULL once more with the session
 * of the first time; again->result is AOPCTL_NOT_OFFERED if there was none.
 */

void aopctl_probe_ask(aopctl_probe_t *probe, const aopctl_attempt_t *attempt,
    aopctl_answer_t *first, aopctl_answer_t *again);

/* Plain HTTP at an address. */

void aopctl_probe_plain(aopctl_probe_t *probe, const struct addrinfo *addr,
    aopctl_answer_t *answer);


/*
 * Makes all visits, and adds what came of them, and the conclusion, to the
 * answer.  Returns what the command is to end with.
 */

aopctl_status_e aopctl_probe_visits(aopctl_probe_t *probe, json_t *answer);

/* Adds a conclusion to the answer; returns the status. */

aopctl_status_e aopctl_probe_say(json_t *answer, aopctl_status_e status,
    const char *why);


/* "served", "refused", "unclear" or "not_offered" */

const char *aopctl_probe_word(aopctl_result_e result);

/* What was found, for a person, and the line that it comes to. */

void aopctl_probe_print(const json_t *answer);
void aopctl_probe_print_conclusion(const json_t *answer);


#endif /* _AOPCTL_PROBE_H_INCLUDED_ */
