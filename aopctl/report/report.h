
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_REPORT_H_INCLUDED_
#define _AOPCTL_REPORT_H_INCLUDED_


#include "aopctl.h"
#include "json.h"
#include "term.h"
#include "log_stats.h"
#include "ngx_aop_text.h"


/*
 * What the log says, as JSON, owned by the caller.  At most "top" entries of
 * each list.  *status is the exit status of the command.
 */

json_t *aopctl_report_data_answer(aopctl_log_stats_t *stats, size_t top,
    aopctl_status_e *status);

/* How many servers are ready and which are not, in one sentence. */

void aopctl_report_brief_why(const json_t *servers, ngx_aop_text_t *text);


/* The same, for a person, with a line for each server. */

void aopctl_report_text_print(const json_t *answer);
void aopctl_report_brief_print(const json_t *answer);

/* For both: the last line, and the color of an answer. */

void aopctl_report_text_print_end(const json_t *answer);
aopctl_color_e aopctl_report_text_color(const char *ready);


#endif /* _AOPCTL_REPORT_H_INCLUDED_ */
