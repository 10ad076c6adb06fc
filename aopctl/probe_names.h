
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PROBE_NAMES_H_INCLUDED_
#define _AOPCTL_PROBE_NAMES_H_INCLUDED_


#include "findings.h"


/*
 * What strangers get at the same address under other names, and over plain
 * HTTP: the site as well?  To be asked after the site's own page was seen.
 */

json_t *aopctl_probe_names(aopctl_probe_t *probe, aopctl_findings_t *findings);

/* null if plain HTTP is not to be asked for. */

json_t *aopctl_probe_plain_http(aopctl_probe_t *probe,
    aopctl_findings_t *findings);


#endif /* _AOPCTL_PROBE_NAMES_H_INCLUDED_ */
