
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_HTTP_AOP_CONF_H_INCLUDED_
#define _NGX_HTTP_AOP_CONF_H_INCLUDED_


#include "ngx_http_aop.h"


/*
 * What was configured: what is trusted, which policy each server has, and
 * which servers request certificates.  Done once, at "nginx -t" or start.
 */


/*
 * The directives that say what is trusted; they read their files at once, so
 * that an error names its line.  ngx_http_aop_ca_default() is the value of
 * "aop_ca cloudflare", NULL on failure.
 */

char *ngx_http_aop_ca_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aop_ca_set_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aop_ca_set_pin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
char *ngx_http_aop_ca_set_require(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
ngx_array_t *ngx_http_aop_ca_default(ngx_conf_t *cf);


/*
 * ngx_http_aop_policy_init() makes the policy of a server from these
 * directives; servers with the same settings share it.
 */

ngx_int_t ngx_http_aop_policy_init(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);


/*
 * ngx_http_aop_servers_init() settles, once all is read, which servers use
 * the module, by which policy, and which SSL_CTX is to ask; says what the
 * administrator should know.
 */

ngx_int_t ngx_http_aop_servers_init(ngx_conf_t *cf);


/*
 * ngx_http_aop_realip_check() warns where "aop_real_ip" does not do what was
 * probably meant, and remembers that some server has it.
 */

void ngx_http_aop_realip_check(ngx_conf_t *cf);


/*
 * ngx_http_aop_tls13_check() warns of what keeps clients of the server at a
 * TLS address from presenting a post-quantum certificate, if its policy trusts
 * such.
 */

void ngx_http_aop_tls13_check(ngx_conf_t *cf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf);


/*
 * ngx_http_aop_unprotected_init() lists the TLS servers that do not use the
 * module, once those that do have their labels.
 */

ngx_int_t ngx_http_aop_unprotected_init(ngx_conf_t *cf);


#endif /* _NGX_HTTP_AOP_CONF_H_INCLUDED_ */
