
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_STATUS_H_INCLUDED_
#define _AOPCTL_STATUS_H_INCLUDED_


#include "aopctl.h"
#include "json.h"
#include "ngx_aop_text.h"


/*
 * The one answer for the origins, as aopctl_fleet_origin() makes them: the
 * caller's.  Takes the origins over.  *status is what the command ends with.
 */

json_t *aopctl_fleet_answer(json_t *origins, aopctl_status_e *status);


/*
 * One origin: its URL, and what aopctl_page_read() made of its page (which is
 * taken over); or why it could not be read.
 */

json_t *aopctl_fleet_origin(const char *url, json_t *page, const char *err);


/* The same for a person. */

void aopctl_status_text_print(const json_t *answer);
void aopctl_status_text_print_end(const json_t *answer);


#endif /* _AOPCTL_STATUS_H_INCLUDED_ */
