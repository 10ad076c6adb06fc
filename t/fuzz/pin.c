
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* A pin is read, or what is wrong with it is said; what is read is whole. */


#include "ngx_aop_pin.h"
#include "fuzz.h"


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             i, n;
    char            hex[sizeof("cert-sha256:") + 2 * NGX_AOP_DIGEST];
    char           *text;
    const char     *err;
    ngx_aop_pin_t   pin, other;

    /* of its own, so that a byte too far is seen */

    text = malloc(size ? size : 1);
    fuzz_check(text != NULL);
    memcpy(text, data, size);

    memset(&pin, 0, sizeof(pin));
    err = ngx_aop_pin_parse(&pin, text, size);

    if (err != NULL) {
        fuzz_printable(err, strlen(err));

    } else {
        fuzz_check(size >= sizeof("cert-sha256:") - 1 + 44);
        fuzz_check(memcmp(text, pin.spki ? "spki" : "cert", 4) == 0);

        n = sprintf(hex, "%s-sha256:", pin.spki ? "spki" : "cert");

        for (i = 0; i < NGX_AOP_DIGEST; i++) {
            n += sprintf(hex + n, "%02x", pin.digest[i]);
        }

        memset(&other, 0, sizeof(other));
        fuzz_check(ngx_aop_pin_parse(&other, hex, n) == NULL);
        fuzz_check(other.spki == pin.spki);
        fuzz_check(memcmp(other.digest, pin.digest, NGX_AOP_DIGEST) == 0);
    }

    free(text);

    return 0;
}
