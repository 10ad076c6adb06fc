
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PROBE_NAMES_H_INCLUDED_
#define _AOPCTL_PROBE_NAMES_H_INCLUDED_


#include "conclusion.h"


/*
 * What strangers get at the same address over plain HTTP, and under other
 * names: is it the site?  To be called in this order, after the site's own
 * page was seen.  The first is null if plain HTTP is not to be tried.
 */

json_t *aopctl_probe_names_plain_http(aopctl_probe_t *probe,
    aopctl_conclusion_t *conclusion);
json_t *aopctl_probe_names(aopctl_probe_t *probe,
    aopctl_conclusion_t *conclusion);


#endif /* _AOPCTL_PROBE_NAMES_H_INCLUDED_ */
