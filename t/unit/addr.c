
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What is an address, how it is written, and what is not an address. */


#include <stdlib.h>
#include <string.h>

#include "ngx_aop_addr.h"
#include "unit.h"


typedef struct {
    const char  *name;          /* the address */
    const char  *text;          /* NULL: not an address */
    int          ipv4;
} addr_case_t;


static const addr_case_t  addrs[] = {
    { "1.2.3.4", "1.2.3.4", 1 },
    { "0.0.0.0", "0.0.0.0", 1 },
    { "255.255.255.255", "255.255.255.255", 1 },
    { "::", "::", 0 },
    { "::1", "::1", 0 },
    { "2001:db8::7", "2001:db8::7", 0 },
    { "2001:DB8:0:0:0:0:0:7", "2001:db8::7", 0 },
    { "2001:0db8:0000:0000:0000:0000:0000:0007", "2001:db8::7", 0 },
    { "::ffff:1.2.3.4", "1.2.3.4", 1 },
    { "::FFFF:102:304", "1.2.3.4", 1 },
    { "0:0:0:0:0:ffff:1.2.3.4", "1.2.3.4", 1 },
    { "0000:0000:0000:0000:0000:ffff:255.255.255.255", "255.255.255.255", 1 },
    { "64:ff9b::1.2.3.4", "64:ff9b::102:304", 0 },

    { "", NULL, 0 },
    { ".", NULL, 0 },
    { "...", NULL, 0 },
    { "1..2.3", NULL, 0 },
    { "1.2.3.", NULL, 0 },
    { ".1.2.3", NULL, 0 },
    { "1.2.3", NULL, 0 },
    { "1.2.3.4.", NULL, 0 },
    { "1.2.3.4.5", NULL, 0 },
    { "0001.2.3.4", NULL, 0 },
    { "01.2.3.4", NULL, 0 },
    { "1.2.3.04", NULL, 0 },
    { "1.2.3.00", NULL, 0 },
    { "1.2.3.256", NULL, 0 },
    { "1.2.3.4294967300", NULL, 0 },
    { "1.2.3.-4", NULL, 0 },
    { "1.2.3.+4", NULL, 0 },
    { "1.2.3.0x4", NULL, 0 },
    { "0x1.2.3.4", NULL, 0 },
    { "16909060", NULL, 0 },
    { "1.2.3.4 ", NULL, 0 },
    { " 1.2.3.4", NULL, 0 },
    { "1.2.3.4\n", NULL, 0 },
    { "1.2.3.4:80", NULL, 0 },
    { "1.2.3.4/32", NULL, 0 },
    { "1.2.3.4,5.6.7.8", NULL, 0 },
    { "[1.2.3.4]", NULL, 0 },
    { "[::1]", NULL, 0 },
    { "[::1]:80", NULL, 0 },
    { "::1%eth0", NULL, 0 },
    { "fe80::1%1", NULL, 0 },
    { ":", NULL, 0 },
    { ":::", NULL, 0 },
    { "1::2::3", NULL, 0 },
    { "1:2:3:4:5:6:7", NULL, 0 },
    { "1:2:3:4:5:6:7:8:9", NULL, 0 },
    { "12345::", NULL, 0 },
    { "g::", NULL, 0 },
    { "::1.2.3", NULL, 0 },
    { "::01.2.3.4", NULL, 0 },
    { "unix:", NULL, 0 },
    { "localhost", NULL, 0 },
    { "0000:0000:0000:0000:0000:ffff:255.255.255.2550", NULL, 0 }
};


static void
addr_case(void **state)
{
    int                 rc;
    char               *text, buf[NGX_AOP_ADDR_TEXT];
    size_t              len;
    unsigned char       addr[NGX_AOP_ADDR], again[NGX_AOP_ADDR];
    const addr_case_t  *c = *state;

    /* in memory of its own: a byte read beyond is seen by valgrind */

    len = strlen(c->name);
    text = malloc(len ? len : 1);
    assert_non_null(text);
    memcpy(text, c->name, len);

    rc = ngx_aop_addr_parse(addr, text, len);
    free(text);

    assert_int_equal(rc, c->text != NULL);

    if (!rc) {
        return;
    }

    assert_int_equal(ngx_aop_addr_is_ipv4(addr), c->ipv4);
    assert_string_equal(ngx_aop_addr_text(addr, buf), c->text);

    assert_int_equal(ngx_aop_addr_parse(again, buf, strlen(buf)), 1);
    assert_memory_equal(again, addr, NGX_AOP_ADDR);
}


static void
addr_length(void **state)
{
    unsigned char  addr[NGX_AOP_ADDR];

    assert_int_equal(ngx_aop_addr_parse(addr, "1.2.3.45", 7), 1);
    assert_int_equal(addr[15], 4);
    assert_int_equal(ngx_aop_addr_parse(addr, "1.2.3.4\0x", 9), 0);
    assert_int_equal(ngx_aop_addr_parse(addr, "\0" "1.2.3.4", 8), 0);
    assert_int_equal(ngx_aop_addr_parse(addr, "1.2.3.4", 0), 0);
}


int
main(void)
{
    unit_cases(addrs, addr_case);
    unit_case("the length counts", addr_length, NULL);

    return unit_run("addr", NULL, NULL);
}
