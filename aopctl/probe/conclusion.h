
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_CONCLUSION_H_INCLUDED_
#define _AOPCTL_CONCLUSION_H_INCLUDED_


#include "probe.h"


/* What the attempts at an address add up to. */

typedef struct {
    unsigned             spoke:1;           /* TLS or HTTP, to any client */
    unsigned             asked:1;           /* who came with the SNI */
    unsigned             asked_nameless:1;  /* who came without */
    unsigned             asked_all:1;       /* by all that turned away */
    unsigned             served:1;          /* a stranger */
    unsigned             served_resumed:1;  /* only by a resumed session */
    unsigned             served_visitor:1;  /* only for some visitors */
    unsigned             exempt:1;          /* served, but not on "/" */
    unsigned             refused:1;         /* a stranger */
    unsigned             unclear:1;
    unsigned             doubtful:1;        /* the client of the answer */
    unsigned             checked:1;         /* who refused: */
    unsigned             behind:1;          /* it was a server behind it */
    unsigned             given_served:1;
    unsigned             given_refused:1;
    unsigned             given_unclear:1;
    unsigned             settled:1;         /* by the given one's */
    unsigned             unstable:1;        /* the site's page is */
    unsigned             silent:1;
    unsigned             http3:1;           /* announced */

    /* of the other names, and of plain HTTP */

    unsigned             names_served:1;
    unsigned             names_unclear:1;
    unsigned             names_rejected:1;  /* a handshake was */
    unsigned             names_host:1;      /* with the SNI of the site */
    unsigned             plain_there:1;     /* there is something */
    unsigned             plain:1;           /* the site */
    unsigned             plain_another:1;   /* another page */
    unsigned             plain_unclear:1;

    char                 err[256];          /* of what told nothing first */
    char                 names[512];        /* the first served or unclear */

    /* the first of a stranger that was refused, by HTTP/2 or not, or NULL */
    const aopctl_attempt_t  *attempts[2];

    /* the first of the given certificate that was served; NULL: none */
    const aopctl_attempt_t  *given;

    /* the site's page, by HTTP/2 or not: status 0 if not seen */
    aopctl_page_t        site[2];
} aopctl_conclusion_t;


/*
 * Settles an answer by comparing it with what the given certificate got
 * before: what only strangers get is a refusal, what everyone gets is not.  If
 * the given certificate was not served, a doubtful answer means nothing, as
 * aopctl_conclusion_doubt() has it.
 */

void aopctl_conclusion_settle(const aopctl_attempt_t *attempt,
    aopctl_answer_t *answer, aopctl_conclusion_t *conclusion);
void aopctl_conclusion_doubt(aopctl_answer_t *answer, const char *why);

/*
 * The site's page, as it was seen over this version of HTTP, or else over the
 * other; NULL: not seen.
 */

const aopctl_page_t *aopctl_conclusion_site(
    const aopctl_conclusion_t *conclusion, unsigned http2);

/* Adds a settled answer; the attempt has to live as long as the conclusion. */

void aopctl_conclusion_note(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_conclusion_t *conclusion);

/* Adds one that is unclear. */

void aopctl_conclusion_unclear(const aopctl_answer_t *answer,
    aopctl_conclusion_t *conclusion);

/* Adds the conclusion to the answer; returns the status. */

aopctl_status_e aopctl_conclusion_conclude(const aopctl_probe_t *probe,
    json_t *answer, const aopctl_conclusion_t *conclusion);


#endif /* _AOPCTL_CONCLUSION_H_INCLUDED_ */
