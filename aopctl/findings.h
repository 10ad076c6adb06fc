
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_FINDINGS_H_INCLUDED_
#define _AOPCTL_FINDINGS_H_INCLUDED_


#include "probe.h"


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


/*
 * Settles whether an answer that may be what everybody gets is a refusal: it is
 * if the given certificate was served before; else it tells nothing, as
 * aopctl_findings_doubt() has it.
 */

void aopctl_findings_settle(const aopctl_attempt_t *attempt,
    aopctl_answer_t *answer, aopctl_findings_t *findings);
void aopctl_findings_doubt(aopctl_answer_t *answer);

/* Adds a settled answer; the attempt has to live as long as the findings. */

void aopctl_findings_note(const aopctl_attempt_t *attempt,
    const aopctl_answer_t *answer, aopctl_findings_t *findings);

/* Adds the conclusion to the answer; returns the status. */

aopctl_status_e aopctl_findings_conclude(const aopctl_probe_t *probe,
    json_t *answer, const aopctl_findings_t *findings);


#endif /* _AOPCTL_FINDINGS_H_INCLUDED_ */
