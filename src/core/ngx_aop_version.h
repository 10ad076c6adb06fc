
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_VERSION_H_INCLUDED_
#define _NGX_AOP_VERSION_H_INCLUDED_


/* of the module, and of all that is built from the same sources */

#define NGX_HTTP_AOP_VERSION  "0.2.0"


/* where the folder docs/ is published (make DOCS_URL=...); "": nowhere */

#ifndef NGX_AOP_DOCS_URL
#define NGX_AOP_DOCS_URL  ""
#endif


#endif /* _NGX_AOP_VERSION_H_INCLUDED_ */
