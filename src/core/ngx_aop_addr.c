
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The one parser for addresses that somebody else wrote.  What is not exactly
 * an address is not an address: nothing is guessed.
 */


#include <arpa/inet.h>
#include <string.h>

#include "ngx_aop_addr.h"


static const unsigned char  ngx_aop_addr_mapped[12] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff
};


int
ngx_aop_addr_parse(unsigned char *addr, const char *text, size_t len)
{
    char  buf[NGX_AOP_ADDR_TEXT];

    if (len >= sizeof(buf) || memchr(text, '\0', len) != NULL) {
        return 0;
    }

    memcpy(buf, text, len);
    buf[len] = '\0';

    /* inet_aton() and getaddrinfo() would take "1.2.3" and "0001.2.3.4" */

    if (inet_pton(AF_INET, buf, addr + 12) == 1) {
        memcpy(addr, ngx_aop_addr_mapped, 12);
        return 1;
    }

    return inet_pton(AF_INET6, buf, addr) == 1;
}


int
ngx_aop_addr_is_ipv4(const unsigned char *addr)
{
    return memcmp(addr, ngx_aop_addr_mapped, 12) == 0;
}


const char *
ngx_aop_addr_text(const unsigned char *addr, char *buf)
{
    buf[0] = '\0';

    if (ngx_aop_addr_is_ipv4(addr)) {
        (void) inet_ntop(AF_INET, addr + 12, buf, NGX_AOP_ADDR_TEXT);

    } else {
        (void) inet_ntop(AF_INET6, addr, buf, NGX_AOP_ADDR_TEXT);
    }

    return buf;
}
