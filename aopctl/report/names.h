
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_NAMES_H_INCLUDED_
#define _AOPCTL_NAMES_H_INCLUDED_


#include "log_line.h"
#include "ngx_aop_name.h"


/*
 * Reads a name as "server_name" takes it, which stays the caller's.  Returns
 * NULL, or what is wrong with it.
 */

const char *aopctl_names_parse(ngx_aop_name_t *name, const char *text);


/* Is the Host of a line one of these names? */

int aopctl_names_have(const ngx_aop_name_t *names, size_t n,
    const aopctl_bytes_t *host);


#endif /* _AOPCTL_NAMES_H_INCLUDED_ */
