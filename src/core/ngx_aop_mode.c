
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The words for the modes.  Any other word has no mode: the caller decides
 * what it means, and it must not be "off".
 */


#include <string.h>

#include "ngx_aop_mode.h"


static const char *const  ngx_aop_mode_words[NGX_AOP_MODES] = {
    "off", "optional", "on"
};


int
ngx_aop_mode_parse(ngx_aop_mode_e *mode, const char *text, size_t len)
{
    unsigned  i;

    for (i = 0; i < NGX_AOP_MODES; i++) {
        if (strlen(ngx_aop_mode_words[i]) == len
            && memcmp(ngx_aop_mode_words[i], text, len) == 0)
        {
            *mode = i;
            return 1;
        }
    }

    return 0;
}


const char *
ngx_aop_mode_word(ngx_aop_mode_e mode)
{
    return ngx_aop_mode_words[mode];
}
