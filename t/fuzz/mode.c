
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* A word is a mode only if it is that mode's word. */


#include "ngx_aop_mode.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char            *text;
    const char      *word;
    ngx_aop_mode_e   mode;

    /* of its own, so that a byte too far is seen */

    text = malloc(size ? size : 1);
    fuzz_check(text != NULL);
    memcpy(text, data, size);

    mode = NGX_AOP_MODES;

    if (ngx_aop_mode_parse(&mode, text, size)) {
        word = ngx_aop_mode_word(mode);
        fuzz_check(strlen(word) == size && memcmp(word, text, size) == 0);

    } else {
        fuzz_check(mode == NGX_AOP_MODES);
    }

    free(text);

    return 0;
}
