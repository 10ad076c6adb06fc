
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_ADDR_H_INCLUDED_
#define _NGX_AOP_ADDR_H_INCLUDED_


#include <stddef.h>
#include <netinet/in.h>


/* An address is 16 bytes; IPv4 is held as IPv4-mapped IPv6. */

#define NGX_AOP_ADDR  16


/*
 * ngx_aop_addr_parse() reads an IPv4 or IPv6 address of len bytes, and nothing
 * but an address: no missing parts, no leading zeros in IPv4, no port, no
 * brackets, no zone, no space.  Returns 1; or 0, and *addr is then undefined.
 */

int ngx_aop_addr_parse(unsigned char *addr, const char *text, size_t len);


/* Returns 1 if the address is IPv4. */

int ngx_aop_addr_is_ipv4(const unsigned char *addr);


/*
 * ngx_aop_addr_text() writes the address in its shortest form to a buffer of
 * NGX_AOP_ADDR_TEXT bytes, as IPv4 if it is one, and returns the buffer.
 */

#define NGX_AOP_ADDR_TEXT  INET6_ADDRSTRLEN

const char *ngx_aop_addr_text(const unsigned char *addr, char *buf);


#endif /* _NGX_AOP_ADDR_H_INCLUDED_ */
