
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which hosts are names of a server: each form of "server_name", on both sides
 * of what decides.
 */


#include <string.h>

#include "ngx_aop_name.h"
#include "unit.h"


typedef struct {
    const char  *name;
    const char  *host;
    int          match;
} name_case_t;


typedef struct {
    const char  *name;
    const char  *host;
} name_host_t;


typedef struct {
    const char  *name;
    int          valid;
} name_valid_t;


static const name_case_t  cases[] = {
    { "example.test", "example.test", 1 },
    { "example.test", "Example.TEST", 1 },
    { "Example.TEST", "example.test", 1 },
    { "example.test", "www.example.test", 0 },
    { "example.test", "example.tes", 0 },
    { "example.test", "example.test2", 0 },
    { "example.test", "", 0 },

    { "*.example.test", "www.example.test", 1 },
    { "*.example.test", "a.b.example.test", 1 },
    { "*.Example.test", "WWW.example.TEST", 1 },
    { "*.example.test", "example.test", 0 },
    { "*.example.test", ".example.test", 0 },
    { "*.example.test", "www-example.test", 0 },
    { "*.example.test", "www.example.test.x", 0 },

    { ".example.test", "example.test", 1 },
    { ".example.test", "www.example.test", 1 },
    { ".example.test", "a.b.EXAMPLE.test", 1 },
    { ".example.test", "myexample.test", 0 },
    { ".example.test", "xample.test", 0 },
    { ".example.test", ".example.test", 0 },

    { "www.example.*", "www.example.test", 1 },
    { "www.example.*", "www.example.co.uk", 1 },
    { "www.example.*", "WWW.example.t", 1 },
    { "www.example.*", "www.example.", 0 },
    { "www.example.*", "www.example", 0 },
    { "www.example.*", "www.examples.test", 0 },
    { "www.example.*", "a.www.example.test", 0 },

    { "", "anything", 1 },
    { "", "", 1 },
    { "_", "anything", 1 },
    { "__", "anything", 0 },

    /* what nginx takes as the names they are */

    { ".", ".", 1 },
    { ".", "a", 0 },
    { "*", "*", 1 },
    { "*", "a", 0 }
};


static const name_host_t  hosts[] = {
    { "example.test", "example.test" },
    { "example.test.", "example.test" },
    { "example.test:443", "example.test" },
    { "example.test.:8443", "example.test" },
    { "example.test:", "example.test" },
    { "192.0.2.1:443", "192.0.2.1" },
    { "[2001:db8::1]", "[2001:db8::1]" },
    { "[2001:db8::1]:443", "[2001:db8::1]" },
    { "[2001:db8::1", "[2001" },
    { ":443", "" },
    { ".", "" },
    { "", "" }
};


static const name_valid_t  valid[] = {
    { "example.test", 1 },
    { "*.example.test", 1 },
    { ".example.test", 1 },
    { "example.*", 1 },
    { "*.t", 1 },
    { "t.*", 1 },
    { "_", 1 },
    { "", 0 },
    { "*", 0 },
    { "*.", 0 },
    { ".*", 0 },
    { "*x.test", 0 },
    { "x*", 0 },
    { "www.*.test", 0 },
    { "*.example.*", 0 },
    { ".example.*", 0 },
    { "a..b", 0 },
    { "..", 0 }
};


static int
regex(void *data, const char *host, size_t len)
{
    return data == (void *) cases && len == 4 && memcmp(host, "host", 4) == 0;
}


static void
test_match(void **state)
{
    const name_case_t  *c = *state;

    ngx_aop_name_t  name;

    name.data = c->name;
    name.len = strlen(c->name);
    name.regex = NULL;

    if (ngx_aop_name_match(&name, c->host, strlen(c->host), NULL)
        != c->match)
    {
        fail_msg("host \"%s\"", c->host);
    }
}


static void
test_regex(void **state)
{
    ngx_aop_name_t  name;

    name.data = "host";
    name.len = 4;
    name.regex = (void *) cases;

    assert_int_equal(ngx_aop_name_match(&name, "host", 4, regex), 1);
    assert_int_equal(ngx_aop_name_match(&name, "hosts", 5, regex), 0);
}


static void
test_host(void **state)
{
    const name_host_t  *c = *state;

    assert_int_equal(ngx_aop_name_host(c->name, strlen(c->name)),
                     strlen(c->host));
    assert_memory_equal(c->name, c->host, strlen(c->host));
}


static void
test_valid(void **state)
{
    const name_valid_t  *c = *state;

    assert_int_equal(ngx_aop_name_valid(c->name, strlen(c->name)), c->valid);
}


static void
test_zero(void **state)
{
    assert_int_equal(ngx_aop_name_valid("a\0b", 3), 0);
}


int
main(void)
{
    unit_cases(cases, test_match);
    unit_cases(hosts, test_host);
    unit_cases(valid, test_valid);
    unit_case("a regular expression is the caller's", test_regex, NULL);
    unit_case("a zero is not part of a name", test_zero, NULL);

    return unit_run("name", NULL, NULL);
}
