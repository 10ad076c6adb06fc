
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_REPORT_H_INCLUDED_
#define _AOPCTL_REPORT_H_INCLUDED_


#include "aopctl.h"
#include "json.h"
#include "tally.h"


/*
 * What a tally says, as JSON: the caller's.  At most "top" entries of each
 * list.  *status is what the command is to end with.
 */

json_t *aopctl_report_answer(aopctl_tally_t *tally, size_t top,
    aopctl_status_e *status);

/* The same, for a person. */

void aopctl_report_print(const json_t *answer);


#endif /* _AOPCTL_REPORT_H_INCLUDED_ */
