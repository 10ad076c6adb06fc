
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * An address range holds its own address, and no bit beyond its prefix.  An
 * address is the same after it was written and read again.
 */


#include <netinet/in.h>

#include "ngx_aop_addr.h"
#include "ngx_aop_peer.h"
#include "fuzz.h"


static void
fuzz_addr(const char *text, size_t size)
{
    char           buf[NGX_AOP_ADDR_TEXT];
    unsigned char  addr[NGX_AOP_ADDR], again[NGX_AOP_ADDR];

    if (!ngx_aop_addr_parse(addr, text, size)) {
        return;
    }

    fuzz_printable(text, size);

    ngx_aop_addr_text(addr, buf);

    fuzz_check(ngx_aop_addr_is_ipv4(addr) == (strchr(buf, ':') == NULL));
    fuzz_check(ngx_aop_addr_parse(again, buf, strlen(buf)));
    fuzz_check(memcmp(addr, again, NGX_AOP_ADDR) == 0);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                 *text;
    unsigned              i;
    ngx_aop_range_t       range;
    struct sockaddr_in6   sin6;

    text = malloc(size ? size : 1);
    fuzz_check(text != NULL);
    memcpy(text, data, size);

    fuzz_addr(text, size);

    memset(&range, 0xff, sizeof(range));
    memset(&sin6, 0, sizeof(sin6));

    if (ngx_aop_peer_range_parse(&range, text, size)) {
        fuzz_check(range.bits <= 128);

        for (i = range.bits; i < 128; i++) {
            fuzz_check(!(range.addr[i / 8] & 0x80 >> i % 8));
        }

        sin6.sin6_family = AF_INET6;
        memcpy(&sin6.sin6_addr, range.addr, 16);

        fuzz_check(ngx_aop_peer_range_find(&range, 1,
                                           (struct sockaddr *) &sin6));
        fuzz_check(ngx_aop_peer_class((struct sockaddr *) &sin6, &range, 1)
                   == NGX_AOP_PEER_EDGE);

        if (range.bits) {
            sin6.sin6_addr.s6_addr[0] ^= 0x80;
            fuzz_check(!ngx_aop_peer_range_find(&range, 1,
                                                (struct sockaddr *) &sin6));
        }
    }

    free(text);

    return 0;
}
