
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which class a peer's address is in.  All addresses are compared as IPv6,
 * with IPv4 mapped, so that there is only one kind of range.
 */


#include <netinet/in.h>
#include <string.h>

#include "ngx_aop_peer.h"
#include "ngx_aop_addr.h"


#define NGX_AOP_MAPPED_BITS  96


static int ngx_aop_peer_in6(const struct sockaddr *sa, unsigned char *addr);
static int ngx_aop_range_match(const ngx_aop_range_t *range,
    const unsigned char *addr);
static int ngx_aop_range_bits(const char *text, size_t len, int max);
static void ngx_aop_range_clear(ngx_aop_range_t *range);


static const unsigned char  ngx_aop_mapped_prefix[12] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};


#define ngx_aop_mapped(a, b, c, d)                                            \
    { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }

static const ngx_aop_range_t  ngx_aop_private_ranges[] = {
    { ngx_aop_mapped(127, 0, 0, 0), NGX_AOP_MAPPED_BITS + 8, 0 },
    { ngx_aop_mapped(10, 0, 0, 0), NGX_AOP_MAPPED_BITS + 8, 0 },
    { ngx_aop_mapped(172, 16, 0, 0), NGX_AOP_MAPPED_BITS + 12, 0 },
    { ngx_aop_mapped(192, 168, 0, 0), NGX_AOP_MAPPED_BITS + 16, 0 },
    { ngx_aop_mapped(169, 254, 0, 0), NGX_AOP_MAPPED_BITS + 16, 0 },
    { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, 128, 0 },  /* ::1 */
    { { 0xfc }, 7, 0 },                                     /* ULA, RFC 4193 */
    { { 0xfe, 0x80 }, 10, 0 },                              /* link-local */
};

#define NGX_AOP_PRIVATE_RANGES                                                \
    (sizeof(ngx_aop_private_ranges) / sizeof(ngx_aop_private_ranges[0]))


static const char *const  ngx_aop_peer_words[NGX_AOP_PEERS] = {
    "edge", "private", "direct"
};


ngx_aop_peer_e
ngx_aop_peer_class(const struct sockaddr *sa, const ngx_aop_range_t *ranges,
    size_t n)
{
    if (sa->sa_family == AF_UNIX) {
        return NGX_AOP_PEER_PRIVATE;
    }

    if (ngx_aop_peer_range_find(ranges, n, sa)) {
        return NGX_AOP_PEER_EDGE;
    }

    return ngx_aop_peer_range_find(ngx_aop_private_ranges,
                                   NGX_AOP_PRIVATE_RANGES, sa)
           ? NGX_AOP_PEER_PRIVATE : NGX_AOP_PEER_DIRECT;
}


int
ngx_aop_peer_range_find(const ngx_aop_range_t *ranges, size_t n,
    const struct sockaddr *sa)
{
    size_t         i;
    unsigned char  addr[16];

    if (!ngx_aop_peer_in6(sa, addr)) {
        return 0;
    }

    for (i = 0; i < n; i++) {
        if (ngx_aop_range_match(&ranges[i], addr)) {
            return 1;
        }
    }

    return 0;
}


const char *
ngx_aop_peer_word(ngx_aop_peer_e peer)
{
    return ngx_aop_peer_words[peer];
}


static int
ngx_aop_peer_in6(const struct sockaddr *sa, unsigned char *addr)
{
    const struct sockaddr_in   *sin;
    const struct sockaddr_in6  *sin6;

    switch (sa->sa_family) {

    case AF_INET:
        sin = (const struct sockaddr_in *) sa;
        memcpy(addr, ngx_aop_mapped_prefix, 12);
        memcpy(addr + 12, &sin->sin_addr, 4);
        return 1;

    case AF_INET6:
        sin6 = (const struct sockaddr_in6 *) sa;
        memcpy(addr, &sin6->sin6_addr, 16);
        return 1;

    default:
        return 0;
    }
}


static int
ngx_aop_range_match(const ngx_aop_range_t *range, const unsigned char *addr)
{
    unsigned  bytes, bits;

    bytes = range->bits / 8;
    bits = range->bits % 8;

    if (memcmp(range->addr, addr, bytes) != 0) {
        return 0;
    }

    return bits == 0
           || ((range->addr[bytes] ^ addr[bytes]) >> (8 - bits)) == 0;
}


int
ngx_aop_peer_range_parse(ngx_aop_range_t *range, const char *text, size_t len)
{
    int          bits, offset;
    size_t       n;
    const char  *slash;

    slash = memchr(text, '/', len);
    n = slash ? (size_t) (slash - text) : len;

    if (!ngx_aop_addr_parse(range->addr, text, n)) {
        return 0;
    }

    /* "/bits" of an IPv4-mapped address in IPv6 form are those of IPv6 */

    offset = memchr(text, ':', n) ? 0 : NGX_AOP_MAPPED_BITS;
    bits = 128 - offset;

    if (slash != NULL) {
        bits = ngx_aop_range_bits(slash + 1, len - n - 1, bits);

        if (bits == -1) {
            return 0;
        }
    }

    range->bits = (unsigned char) (offset + bits);

    ngx_aop_range_clear(range);

    return 1;
}


/* -1 if this is not a plain number, or is above max. */

static int
ngx_aop_range_bits(const char *text, size_t len, int max)
{
    int     bits;
    size_t  i;

    if (len == 0 || (len > 1 && text[0] == '0')) {
        return -1;
    }

    bits = 0;

    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return -1;
        }

        bits = bits * 10 + (text[i] - '0');

        if (bits > max) {
            return -1;
        }
    }

    return bits;
}


static void
ngx_aop_range_clear(ngx_aop_range_t *range)
{
    unsigned       i;
    unsigned char  bit;

    range->cleared = 0;

    for (i = range->bits; i < 128; i++) {
        bit = (unsigned char) (0x80u >> (i % 8));

        if (range->addr[i / 8] & bit) {
            range->addr[i / 8] ^= bit;
            range->cleared = 1;
        }
    }
}
