
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_PEER_H_INCLUDED_
#define _NGX_AOP_PEER_H_INCLUDED_


#include <stddef.h>
#include <sys/socket.h>


/*
 * Where a connection came from.  The class of a peer decides nothing: it
 * tells a hole in the roll-out (edge) from a health check (private) and from
 * the noise of the Internet (direct).
 */

typedef enum {
    NGX_AOP_PEER_EDGE = 0,
    NGX_AOP_PEER_PRIVATE,
    NGX_AOP_PEER_DIRECT,
    NGX_AOP_PEERS
} ngx_aop_peer_e;


/* An address range; IPv4 is held as IPv4-mapped IPv6. */

typedef struct {
    unsigned char   addr[16];
    unsigned char   bits;           /* length of the prefix, 0 to 128 */
    unsigned char   cleared;        /* it was written with bits below that */
} ngx_aop_range_t;


/*
 * ngx_aop_peer_range_parse() reads "address" or "address/bits" of len bytes.
 * Returns 1, or 0 if the text is not an address range.  Bits of the address
 * below the prefix are cleared.
 */

int ngx_aop_peer_range_parse(ngx_aop_range_t *range, const char *text,
    size_t len);


/*
 * ngx_aop_peer_class() classifies an address: NGX_AOP_PEER_EDGE if it is in
 * one of the n ranges, else NGX_AOP_PEER_PRIVATE for loopback, RFC 1918, RFC
 * 4193, link-local and UNIX-domain addresses, else NGX_AOP_PEER_DIRECT.  An
 * IPv4-mapped IPv6 address counts as IPv4 (RFC 4291, 2.5.5.2).
 */

ngx_aop_peer_e ngx_aop_peer_class(const struct sockaddr *sa,
    const ngx_aop_range_t *ranges, size_t n);


/*
 * ngx_aop_peer_range_find() returns whether an address is in one of n ranges.
 */

int ngx_aop_peer_range_find(const ngx_aop_range_t *ranges, size_t n,
    const struct sockaddr *sa);


/* "edge", "private" or "direct" */

const char *ngx_aop_peer_word(ngx_aop_peer_e peer);


#endif /* _NGX_AOP_PEER_H_INCLUDED_ */
