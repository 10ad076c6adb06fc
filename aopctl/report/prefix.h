
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PREFIX_H_INCLUDED_
#define _AOPCTL_PREFIX_H_INCLUDED_


#include <stddef.h>


/*
 * How many of the first bytes of a line were put there by what carried it; 0
 * if they are not known as such, or if nothing that could be JSON follows.
 */

size_t aopctl_prefix(const char *line, size_t len);


#endif /* _AOPCTL_PREFIX_H_INCLUDED_ */
