
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_MODE_H_INCLUDED_
#define _NGX_AOP_MODE_H_INCLUDED_


#include <stddef.h>


/* What is done about a verdict, from nothing to everything. */

typedef enum {
    NGX_AOP_MODE_OFF = 0,                /* nothing is verified */
    NGX_AOP_MODE_OPTIONAL,               /* it is logged */
    NGX_AOP_MODE_ON,                     /* what is not "ok" is rejected */
    NGX_AOP_MODES
} ngx_aop_mode_e;


/*
 * ngx_aop_mode_parse() reads a word of len bytes.  Returns 1, or 0 if it is
 * not exactly "off", "optional" or "on"; *mode is unchanged then.
 */

int ngx_aop_mode_parse(ngx_aop_mode_e *mode, const char *text, size_t len);

const char *ngx_aop_mode_word(ngx_aop_mode_e mode);


#endif /* _NGX_AOP_MODE_H_INCLUDED_ */
