
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_NAME_H_INCLUDED_
#define _NGX_AOP_NAME_H_INCLUDED_


#include <stddef.h>


/*
 * One argument of "server_name".  The caller keeps what it points to; a
 * regular expression is compiled by the caller's library.
 */

typedef struct {
    const char  *data;
    size_t       len;
    void        *regex;             /* NULL: exact, or a wildcard */
} ngx_aop_name_t;


/*
 * Does the regular expression match the host?  If a limit prevents an answer,
 * it does: a failure for a host that may be the server's counts.
 */

typedef int (*ngx_aop_name_regex_pt)(void *regex, const char *host,
    size_t len);


/*
 * Is this host a name of the server?  Names are exact, "*.example.com",
 * ".example.com", "www.example.*", or a regular expression, each as nginx
 * takes it.  A server with an empty name, or with the customary "_", takes
 * all hosts.  The host is one of ngx_aop_name_host(), or as nginx keeps it.
 */

int ngx_aop_name_match(const ngx_aop_name_t *name, const char *host,
    size_t len, ngx_aop_name_regex_pt regex);


/*
 * How many of the first bytes of a Host are the name, as nginx sees it:
 * without the port and without a final dot.
 */

size_t ngx_aop_name_host(const char *host, size_t len);


/* Is this a name, not a regular expression, that "server_name" takes? */

int ngx_aop_name_valid(const char *name, size_t len);


#endif /* _NGX_AOP_NAME_H_INCLUDED_ */
