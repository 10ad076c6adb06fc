
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The words of the answers, in the JSON and on the screen. */


#include <string.h>

#include "answer.h"


static const char *const  aopctl_answer_words[AOPCTL_ANSWERS] = {
    "no", "rejecting", "unread", "unknown", "unprotected", "off", "yes",
    "enforced"
};


const char *
aopctl_answer_word(aopctl_answer_e answer)
{
    return aopctl_answer_words[answer];
}


aopctl_answer_e
aopctl_answer_of(const json_t *object)
{
    unsigned     i;
    const char  *word;

    word = aopctl_json_str(object, "answer");

    for (i = 0; i < AOPCTL_ANSWERS; i++) {
        if (strcmp(word, aopctl_answer_words[i]) == 0) {
            return i;
        }
    }

    return AOPCTL_ANSWER_UNKNOWN;
}
