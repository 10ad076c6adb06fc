
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PREFIX_H_INCLUDED_
#define _AOPCTL_PREFIX_H_INCLUDED_


#include <stddef.h>


/*
 * The length of the prefix that a collector put before a line; 0 if it is not
 * a known one, or if nothing that could be JSON follows.
 */

size_t aopctl_prefix(const char *line, size_t len);


#endif /* _AOPCTL_PREFIX_H_INCLUDED_ */
