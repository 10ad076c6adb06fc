
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_STATUS_H_INCLUDED_
#define _AOPCTL_STATUS_H_INCLUDED_


#include "aopctl.h"
#include "json.h"
#include "ngx_aop_text.h"


/*
 * The one answer for the origins made by aopctl_fleet_origin(), which it takes
 * over; owned by the caller.  *status is the exit status of the command.
 */

json_t *aopctl_fleet_answer(json_t *origins, aopctl_status_e *status);


/*
 * One origin: its URL, and the result of aopctl_page_read() for its page
 * (which is taken over), or why it could not be read.
 */

json_t *aopctl_fleet_origin(const char *url, json_t *page, const char *err);


/* The same for a person. */

void aopctl_status_text_print(const json_t *answer);
void aopctl_status_text_print_end(const json_t *answer);


#endif /* _AOPCTL_STATUS_H_INCLUDED_ */
