
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* Which addresses are the edge's, which private; what an address range is. */


#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "ngx_aop_peer.h"
#include "unit.h"


/* 1.2.3.0/24, 2001:db8::/32 and, inside the private ones, 10.1.0.0/16 */

#define mapped(a, b, c, d)                                                    \
    { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d }

static const ngx_aop_range_t  edge[] = {
    { mapped(1, 2, 3, 0), 120, 0 },
    { { 0x20, 0x01, 0x0d, 0xb8 }, 32, 0 },
    { mapped(10, 1, 0, 0), 112, 0 }
};


typedef struct {
    const char       *name;         /* the address */
    ngx_aop_peer_e    peer;
} peer_case_t;


typedef struct {
    const char       *name;
    const char       *text;
    ngx_aop_range_t   range;
} range_case_t;


typedef struct {
    const char       *name;
    const char       *text;
    size_t            len;          /* 0: up to the text's end */
} bad_range_case_t;


typedef struct {
    const char       *name;         /* the range */
    const char       *address;
    int               in;
} match_case_t;


static const peer_case_t  peers[] = {
    { "1.2.2.255", NGX_AOP_PEER_DIRECT },
    { "1.2.3.0", NGX_AOP_PEER_EDGE },
    { "1.2.3.255", NGX_AOP_PEER_EDGE },
    { "1.2.4.0", NGX_AOP_PEER_DIRECT },
    { "::ffff:1.2.3.4", NGX_AOP_PEER_EDGE },
    { "::ffff:1.2.4.0", NGX_AOP_PEER_DIRECT },
    { "::1.2.3.4", NGX_AOP_PEER_DIRECT },
    { "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", NGX_AOP_PEER_DIRECT },
    { "2001:db8::", NGX_AOP_PEER_EDGE },
    { "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", NGX_AOP_PEER_EDGE },
    { "2001:db9::", NGX_AOP_PEER_DIRECT },

    /* RFC 1918, the list first */

    { "9.255.255.255", NGX_AOP_PEER_DIRECT },
    { "10.0.0.0", NGX_AOP_PEER_PRIVATE },
    { "10.0.255.255", NGX_AOP_PEER_PRIVATE },
    { "10.1.0.0", NGX_AOP_PEER_EDGE },
    { "10.1.255.255", NGX_AOP_PEER_EDGE },
    { "10.2.0.0", NGX_AOP_PEER_PRIVATE },
    { "10.255.255.255", NGX_AOP_PEER_PRIVATE },
    { "11.0.0.0", NGX_AOP_PEER_DIRECT },
    { "172.15.255.255", NGX_AOP_PEER_DIRECT },
    { "172.16.0.0", NGX_AOP_PEER_PRIVATE },
    { "172.31.255.255", NGX_AOP_PEER_PRIVATE },
    { "172.32.0.0", NGX_AOP_PEER_DIRECT },
    { "192.167.255.255", NGX_AOP_PEER_DIRECT },
    { "192.168.0.0", NGX_AOP_PEER_PRIVATE },
    { "192.168.255.255", NGX_AOP_PEER_PRIVATE },
    { "192.169.0.0", NGX_AOP_PEER_DIRECT },
    { "::ffff:10.0.0.1", NGX_AOP_PEER_PRIVATE },
    { "::ffff:172.16.0.1", NGX_AOP_PEER_PRIVATE },
    { "::ffff:192.168.0.1", NGX_AOP_PEER_PRIVATE },

    /* loopback */

    { "126.255.255.255", NGX_AOP_PEER_DIRECT },
    { "127.0.0.0", NGX_AOP_PEER_PRIVATE },
    { "127.0.0.1", NGX_AOP_PEER_PRIVATE },
    { "127.255.255.255", NGX_AOP_PEER_PRIVATE },
    { "128.0.0.0", NGX_AOP_PEER_DIRECT },
    { "::ffff:127.0.0.1", NGX_AOP_PEER_PRIVATE },
    { "::", NGX_AOP_PEER_DIRECT },
    { "::1", NGX_AOP_PEER_PRIVATE },
    { "::2", NGX_AOP_PEER_DIRECT },
    { "1::1", NGX_AOP_PEER_DIRECT },

    /* link-local */

    { "169.253.255.255", NGX_AOP_PEER_DIRECT },
    { "169.254.0.0", NGX_AOP_PEER_PRIVATE },
    { "169.254.255.255", NGX_AOP_PEER_PRIVATE },
    { "169.255.0.0", NGX_AOP_PEER_DIRECT },
    { "fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NGX_AOP_PEER_DIRECT },
    { "fe80::", NGX_AOP_PEER_PRIVATE },
    { "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NGX_AOP_PEER_PRIVATE },
    { "fec0::", NGX_AOP_PEER_DIRECT },

    /* RFC 4193 */

    { "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NGX_AOP_PEER_DIRECT },
    { "fc00::", NGX_AOP_PEER_PRIVATE },
    { "fd00::1", NGX_AOP_PEER_PRIVATE },
    { "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NGX_AOP_PEER_PRIVATE },
    { "fe00::", NGX_AOP_PEER_DIRECT },

    /* neither */

    { "0.0.0.0", NGX_AOP_PEER_DIRECT },
    { "100.64.0.1", NGX_AOP_PEER_DIRECT },
    { "224.0.0.1", NGX_AOP_PEER_DIRECT },
    { "255.255.255.255", NGX_AOP_PEER_DIRECT },
    { "64:ff9b::10.0.0.1", NGX_AOP_PEER_DIRECT },
    { "::10.0.0.1", NGX_AOP_PEER_DIRECT },
    { "ff02::1", NGX_AOP_PEER_DIRECT }
};


static const range_case_t  ranges[] = {
    { "an IPv4 address", "1.2.3.4", { mapped(1, 2, 3, 4), 128, 0 } },
    { "IPv4, /0", "0.0.0.0/0", { mapped(0, 0, 0, 0), 96, 0 } },
    { "IPv4, /1", "255.0.0.0/1", { mapped(128, 0, 0, 0), 97, 1 } },
    { "IPv4, /8", "10.0.0.0/8", { mapped(10, 0, 0, 0), 104, 0 } },
    { "IPv4, /31", "1.2.3.5/31", { mapped(1, 2, 3, 4), 127, 1 } },
    { "IPv4, /32", "1.2.3.4/32", { mapped(1, 2, 3, 4), 128, 0 } },
    { "IPv4, bits of the host", "1.2.255.255/18",
      { mapped(1, 2, 192, 0), 114, 1 } },
    { "IPv4, all bits of the host", "255.255.255.255/0",
      { mapped(0, 0, 0, 0), 96, 1 } },

    { "an IPv6 address", "2001:db8::1",
      { { 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 },
        128, 0 } },
    { "IPv6, /0", "::/0", { { 0 }, 0, 0 } },
    { "IPv6, /29", "2a06:98c0::/29", { { 0x2a, 0x06, 0x98, 0xc0 }, 29, 0 } },
    { "IPv6, /33", "2001:db8:8000::/33",
      { { 0x20, 0x01, 0x0d, 0xb8, 0x80 }, 33, 0 } },
    { "IPv6, /128", "::1/128",
      { { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1 }, 128, 0 } },
    { "IPv6, bits of the host", "2001:db8:ffff::ff/33",
      { { 0x20, 0x01, 0x0d, 0xb8, 0x80 }, 33, 1 } },
    { "IPv6, all bits of the host",
      "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/0", { { 0 }, 0, 1 } },
    { "IPv6 in capitals", "2606:4700::AB/120",
      { { 0x26, 0x06, 0x47 }, 120, 1 } },

    { "IPv4-mapped", "::ffff:1.2.3.4", { mapped(1, 2, 3, 4), 128, 0 } },
    { "IPv4-mapped, /120", "::ffff:1.2.3.4/120",
      { mapped(1, 2, 3, 0), 120, 1 } },
    { "IPv4-mapped, /96", "::ffff:1.2.3.4/96", { mapped(0, 0, 0, 0), 96, 1 } },
    { "the longest text there is",
      "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/128",
      { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xff }, 128, 0 } }
};


static const bad_range_case_t  bad_ranges[] = {
    { "no range: empty", "", 0 },
    { "no range: a space", " ", 0 },
    { "no range: a space before", " 1.2.3.4", 0 },
    { "no range: a space after", "1.2.3.4 ", 0 },
    { "no range: a space before the slash", "1.2.3.0 /24", 0 },
    { "no range: a space after the slash", "1.2.3.0/ 24", 0 },
    { "no range: a space at the end", "1.2.3.0/24 ", 0 },
    { "no range: a line feed", "1.2.3.0/24\n", 0 },
    { "no range: a word", "cloudflare", 0 },
    { "no range: a slash", "/", 0 },
    { "no range: bits only", "/24", 0 },
    { "no range: no bits", "1.2.3.0/", 0 },
    { "no range: no bits, IPv6", "::/", 0 },
    { "no range: IPv4, /33", "1.2.3.4/33", 0 },
    { "no range: IPv4, /128", "1.2.3.4/128", 0 },
    { "no range: IPv6, /129", "::1/129", 0 },
    { "no range: /-1", "1.2.3.4/-1", 0 },
    { "no range: /+8", "1.2.3.4/+8", 0 },
    { "no range: /0x8", "1.2.3.4/0x8", 0 },
    { "no range: /8a", "1.2.3.4/8a", 0 },
    { "no range: /8.0", "1.2.3.4/8.0", 0 },
    { "no range: /8/8", "1.2.3.4/8/8", 0 },
    { "no range: a netmask", "1.2.3.4/255.255.255.0", 0 },
    { "no range: /2^32", "1.2.3.4/4294967296", 0 },
    { "no range: /2^64 + 8", "1.2.3.4/18446744073709551624", 0 },
    { "no range: three bytes", "1.2.3/24", 0 },
    { "no range: five bytes", "1.2.3.4.5", 0 },
    { "no range: a byte of 256", "1.2.3.256", 0 },
    { "no range: a number", "16909060", 0 },
    { "no range: a port", "1.2.3.4:443", 0 },
    { "no range: brackets", "[::1]", 0 },
    { "no range: a zone", "fe80::1%lo", 0 },
    { "no range: two gaps", "1::2::3", 0 },
    { "no range: nine groups", "1:2:3:4:5:6:7:8:9", 0 },
    { "no range: too long by one",
      "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255/0128", 0 },
    { "no range: far too long",
      "1.2.3.4/00000000000000000000000000000000000000000000000000000000008",
      0 },
    { "no range: cut short", "1.2.3.4", 6 }
};


static const match_case_t  matches[] = {
    { "0.0.0.0/0", "0.0.0.0", 1 },
    { "0.0.0.0/0", "255.255.255.255", 1 },
    { "0.0.0.0/0", "::ffff:8.8.8.8", 1 },
    { "0.0.0.0/0", "2001:db8::1", 0 },
    { "0.0.0.0/0", "::1", 0 },
    { "::/0", "2001:db8::1", 1 },
    { "8.8.8.8", "8.8.8.8", 1 },
    { "8.8.8.8", "8.8.8.9", 0 },
    { "8.8.8.8/31", "8.8.8.9", 1 },
    { "8.8.8.8/31", "8.8.8.10", 0 },
    { "8.8.8.8/31", "8.8.8.7", 0 },
    { "::ffff:8.8.8.0/120", "8.8.8.8", 1 },
    { "::ffff:8.8.8.0/120", "8.8.9.0", 0 },
    { "2001:db8:8000::/33", "2001:db8:8000::1", 1 },
    { "2001:db8:8000::/33", "2001:db8:7fff::1", 0 },
    { "2001:db8::1/128", "2001:db8::1", 1 },
    { "2001:db8::1/128", "2001:db8::", 0 }
};


static ngx_aop_peer_e
peer_class(const char *address, const ngx_aop_range_t *list, size_t n)
{
    struct sockaddr_in   sin;
    struct sockaddr_in6  sin6;

    memset(&sin, 0, sizeof(sin));
    memset(&sin6, 0, sizeof(sin6));

    sin.sin_family = AF_INET;

    if (inet_pton(AF_INET, address, &sin.sin_addr) == 1) {
        return ngx_aop_peer_class((struct sockaddr *) &sin, list, n);
    }

    sin6.sin6_family = AF_INET6;

    assert_int_equal(inet_pton(AF_INET6, address, &sin6.sin6_addr), 1);

    return ngx_aop_peer_class((struct sockaddr *) &sin6, list, n);
}


static void
peer_case(void **state)
{
    const peer_case_t  *c = *state;

    assert_string_equal(ngx_aop_peer_word(peer_class(c->name, edge,
                                                     unit_nelts(edge))),
                        ngx_aop_peer_word(c->peer));
}


static void
peer_empty_list(void **state)
{
    assert_int_equal(peer_class("1.2.3.4", NULL, 0), NGX_AOP_PEER_DIRECT);
    assert_int_equal(peer_class("10.1.0.1", NULL, 0), NGX_AOP_PEER_PRIVATE);
}


static void
peer_unix(void **state)
{
    ngx_aop_range_t     all[2];
    struct sockaddr_un  sun;

    memset(&sun, 0, sizeof(sun));
    sun.sun_family = AF_UNIX;

    assert_int_equal(ngx_aop_peer_range_parse(&all[0], "0.0.0.0/0", 9), 1);
    assert_int_equal(ngx_aop_peer_range_parse(&all[1], "::/0", 4), 1);

    assert_int_equal(ngx_aop_peer_class((struct sockaddr *) &sun, NULL, 0),
                     NGX_AOP_PEER_PRIVATE);
    assert_int_equal(ngx_aop_peer_class((struct sockaddr *) &sun, all, 2),
                     NGX_AOP_PEER_PRIVATE);
}


static void
peer_unknown_family(void **state)
{
    struct sockaddr  sa;

    memset(&sa, 0, sizeof(sa));
    sa.sa_family = AF_UNSPEC;

    assert_int_equal(ngx_aop_peer_class(&sa, edge, unit_nelts(edge)),
                     NGX_AOP_PEER_DIRECT);
}


static void
peer_words(void **state)
{
    assert_int_equal(NGX_AOP_PEERS, 3);
    assert_string_equal(ngx_aop_peer_word(NGX_AOP_PEER_EDGE), "edge");
    assert_string_equal(ngx_aop_peer_word(NGX_AOP_PEER_PRIVATE), "private");
    assert_string_equal(ngx_aop_peer_word(NGX_AOP_PEER_DIRECT), "direct");
}


static void
range_case(void **state)
{
    ngx_aop_range_t      range;
    const range_case_t  *c = *state;

    memset(&range, 0xa5, sizeof(range));

    assert_int_equal(ngx_aop_peer_range_parse(&range, c->text, strlen(c->text)),
                     1);
    assert_int_equal(range.bits, c->range.bits);
    assert_int_equal(range.cleared, c->range.cleared);
    assert_memory_equal(range.addr, c->range.addr, 16);
}


static void
bad_range_case(void **state)
{
    size_t                   len;
    ngx_aop_range_t          range;
    const bad_range_case_t  *c = *state;

    len = c->len ? c->len : strlen(c->text);

    assert_int_equal(ngx_aop_peer_range_parse(&range, c->text, len), 0);
}


/* The text need not end where its length says. */

static void
range_length(void **state)
{
    ngx_aop_range_t  range;

    assert_int_equal(ngx_aop_peer_range_parse(&range, "1.2.3.4/245", 10), 1);
    assert_int_equal(range.bits, 96 + 24);

    assert_int_equal(ngx_aop_peer_range_parse(&range, "1.2.3.45", 7), 1);
    assert_int_equal(range.addr[15], 4);
}


static void
match_case(void **state)
{
    ngx_aop_range_t      range;
    const match_case_t  *c = *state;

    assert_int_equal(ngx_aop_peer_range_parse(&range, c->name, strlen(c->name)),
                     1);
    assert_int_equal(peer_class(c->address, &range, 1) == NGX_AOP_PEER_EDGE,
                     c->in);
}


int
main(void)
{
    unit_cases(peers, peer_case);
    unit_case("an empty list", peer_empty_list, NULL);
    unit_case("a UNIX-domain socket is private", peer_unix, NULL);
    unit_case("an unknown family is direct", peer_unknown_family, NULL);
    unit_case("words", peer_words, NULL);
    unit_cases(ranges, range_case);
    unit_cases(bad_ranges, bad_range_case);
    unit_case("the length counts", range_length, NULL);
    unit_cases(matches, match_case);

    return unit_run("peer", NULL, NULL);
}
