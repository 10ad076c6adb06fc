
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_LINT_H_INCLUDED_
#define _AOPCTL_LINT_H_INCLUDED_


#include "aopctl.h"
#include "json.h"


/* What is in the files, for a person. */

void aopctl_lint_print(const json_t *answer);


#endif /* _AOPCTL_LINT_H_INCLUDED_ */
