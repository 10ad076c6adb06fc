
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PAGE_H_INCLUDED_
#define _AOPCTL_PAGE_H_INCLUDED_


#include <time.h>

#include "json.h"


/*
 * Reads the JSON of a status page: "module", "nginx", "openssl", "time",
 * "servers", at least one of them, and "unprotected"; both with "answer" and
 * "reason" added, and all of it bounded.  Owned by the caller; NULL, with the
 * reason in err, if it is not such a page.
 */

json_t *aopctl_page_read(const char *body, size_t len, time_t now,
    const char **err);


#endif /* _AOPCTL_PAGE_H_INCLUDED_ */
