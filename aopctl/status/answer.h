
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_ANSWER_H_INCLUDED_
#define _AOPCTL_ANSWER_H_INCLUDED_


#include "json.h"


/* The answer about a server, worst first. */

typedef enum {
    AOPCTL_ANSWER_NO = 0,
    AOPCTL_ANSWER_REJECTING,         /* enforced, also for Cloudflare */
    AOPCTL_ANSWER_UNREAD,           /* the page, and all servers on it */
    AOPCTL_ANSWER_UNKNOWN,
    AOPCTL_ANSWER_UNPROTECTED,      /* beside an enforced one */
    AOPCTL_ANSWER_OFF,              /* unprotected by intent, or alone */
    AOPCTL_ANSWER_YES,
    AOPCTL_ANSWER_ENFORCED,
    AOPCTL_ANSWERS
} aopctl_answer_e;

/* Its word; and that of an object, from the word in "answer". */

const char *aopctl_answer_word(aopctl_answer_e answer);
aopctl_answer_e aopctl_answer_of(const json_t *object);


#endif /* _AOPCTL_ANSWER_H_INCLUDED_ */
