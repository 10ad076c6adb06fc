
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A name and a host, both of any bytes: a valid name is one of its own server,
 * but for one with a dot before it, and letters have no case.
 */


#include <ctype.h>

#include "ngx_aop_name.h"
#include "fuzz.h"


static char *
fuzz_copy(const fuzz_input_t *in, int (*change)(int))
{
    char    *text;
    size_t   i;

    text = malloc(in->size ? in->size : 1);
    fuzz_check(text != NULL);

    for (i = 0; i < in->size; i++) {
        text[i] = (char) (change ? change(in->data[i]) : in->data[i]);
    }

    return text;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             match;
    char           *text, *host, *upper;
    size_t          len;
    fuzz_input_t    in, piece;
    ngx_aop_name_t  name;

    in.data = data;
    in.size = size;

    len = fuzz_byte(&in);

    piece.data = in.data;
    piece.size = (len < in.size) ? len : in.size;

    in.data += piece.size;
    in.size -= piece.size;

    text = fuzz_copy(&piece, NULL);
    host = fuzz_copy(&in, NULL);
    upper = fuzz_copy(&in, toupper);

    name.data = text;
    name.len = piece.size;
    name.regex = NULL;

    match = ngx_aop_name_match(&name, host, in.size, NULL);

    fuzz_check(match == 0 || match == 1);
    fuzz_check(match == ngx_aop_name_match(&name, upper, in.size, NULL));

    if (ngx_aop_name_valid(text, piece.size)) {
        fuzz_check(ngx_aop_name_match(&name, text, piece.size, NULL)
                   == (piece.size == 1 || text[0] != '.'));
    }

    len = ngx_aop_name_host(host, in.size);

    fuzz_check(len <= in.size);

    free(text);
    free(host);
    free(upper);

    return 0;
}
