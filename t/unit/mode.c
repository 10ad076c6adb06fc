
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* Three words are modes, and nothing that looks like them. */


#include <string.h>

#include "ngx_aop_mode.h"
#include "unit.h"


typedef struct {
    const char      *name;          /* the word */
    size_t           len;           /* 0: all of it */
    ngx_aop_mode_e   mode;          /* NGX_AOP_MODES: it is none */
} mode_case_t;


static const mode_case_t  modes[] = {
    { "off", 0, NGX_AOP_MODE_OFF },
    { "optional", 0, NGX_AOP_MODE_OPTIONAL },
    { "on", 0, NGX_AOP_MODE_ON },

    { "", 0, NGX_AOP_MODES },
    { "o", 0, NGX_AOP_MODES },
    { "of", 0, NGX_AOP_MODES },
    { "offf", 0, NGX_AOP_MODES },
    { "Off", 0, NGX_AOP_MODES },
    { "off ", 0, NGX_AOP_MODES },
    { " off", 0, NGX_AOP_MODES },
    { "off\0", 4, NGX_AOP_MODES },
    { "off,on", 0, NGX_AOP_MODES },
    { "optiona", 0, NGX_AOP_MODES },
    { "optionals", 0, NGX_AOP_MODES },
    { "ON", 0, NGX_AOP_MODES },
    { "0", 0, NGX_AOP_MODES },
    { "false", 0, NGX_AOP_MODES },

    /* of a longer text the first bytes count */

    { "offer", 3, NGX_AOP_MODE_OFF },
    { "once", 2, NGX_AOP_MODE_ON }
};


static void
test_mode(void **state)
{
    int                 rc;
    size_t              len;
    ngx_aop_mode_e      mode;
    const mode_case_t  *c;

    c = *state;
    len = c->len ? c->len : strlen(c->name);
    mode = NGX_AOP_MODES;

    rc = ngx_aop_mode_parse(&mode, c->name, len);

    assert_int_equal(rc, c->mode != NGX_AOP_MODES);
    assert_int_equal(mode, c->mode);

    if (rc) {
        assert_memory_equal(ngx_aop_mode_word(mode), c->name, len);
        assert_int_equal(strlen(ngx_aop_mode_word(mode)), len);
    }
}


int
main(void)
{
    unit_cases(modes, test_mode);

    return unit_run("mode", NULL, NULL);
}
