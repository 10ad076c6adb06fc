
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_REPORT_H_INCLUDED_
#define _AOPCTL_REPORT_H_INCLUDED_


#include "aopctl.h"
#include "json.h"
#include "screen.h"
#include "tally.h"
#include "ngx_aop_text.h"


/*
 * What a tally says, as JSON: the caller's.  At most "top" entries of each
 * list.  *status is what the command is to end with.
 */

json_t *aopctl_report_answer(aopctl_tally_t *tally, size_t top,
    aopctl_status_e *status);

/* How many servers are ready and which are not, in one sentence. */

void aopctl_report_why(const json_t *servers, ngx_aop_text_t *text);


/* The same, for a person; and a line for each server. */

void aopctl_report_print(const json_t *answer);
void aopctl_report_print_brief(const json_t *answer);

/* For both: the last line, and the colour of an answer. */

void aopctl_report_print_end(const json_t *answer);
aopctl_colour_e aopctl_report_colour(const char *ready);


#endif /* _AOPCTL_REPORT_H_INCLUDED_ */
