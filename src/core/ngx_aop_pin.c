
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* Pins: which of the leaves that the anchors vouch for is meant. */


#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "ngx_aop_pin.h"


#define NGX_AOP_PIN_CERT    "cert-sha256:"
#define NGX_AOP_PIN_SPKI    "spki-sha256:"
#define NGX_AOP_PIN_PREFIX  (sizeof(NGX_AOP_PIN_CERT) - 1)

#define NGX_AOP_PIN_HEX     (2 * NGX_AOP_DIGEST)
#define NGX_AOP_PIN_COLONS  (3 * NGX_AOP_DIGEST - 1)    /* one between bytes */
#define NGX_AOP_PIN_BASE64  44      /* 32 bytes and one of padding */


static int ngx_aop_pin_hex(unsigned char *digest, const char *text,
    size_t len);
static int ngx_aop_pin_colons(const char *text);
static int ngx_aop_pin_base64(unsigned char *digest, const char *text,
    size_t len);


const char *
ngx_aop_pin_parse(ngx_aop_pin_t *pin, const char *text, size_t len)
{
    if (len < NGX_AOP_PIN_PREFIX) {
        return "neither \"cert-sha256:\" nor \"spki-sha256:\"";
    }

    if (memcmp(text, NGX_AOP_PIN_CERT, NGX_AOP_PIN_PREFIX) == 0) {
        pin->spki = 0;

    } else if (memcmp(text, NGX_AOP_PIN_SPKI, NGX_AOP_PIN_PREFIX) == 0) {
        pin->spki = 1;

    } else {
        return "neither \"cert-sha256:\" nor \"spki-sha256:\"";
    }

    text += NGX_AOP_PIN_PREFIX;
    len -= NGX_AOP_PIN_PREFIX;

    if (ngx_aop_pin_hex(pin->digest, text, len)
        || (pin->spki && ngx_aop_pin_base64(pin->digest, text, len)))
    {
        return NULL;
    }

    return pin->spki ? "not 64 hexadecimal digits or 44 base64 characters"
                     : "not 64 hexadecimal digits";
}


static int
ngx_aop_pin_hex(unsigned char *digest, const char *text, size_t len)
{
    int             ok;
    long            n;
    char            hex[NGX_AOP_PIN_COLONS + 1];
    unsigned char  *buf;

    if (len != NGX_AOP_PIN_HEX && len != NGX_AOP_PIN_COLONS) {
        return 0;
    }

    /* which also accepts colons one after another, and at the ends */

    if (len == NGX_AOP_PIN_COLONS && !ngx_aop_pin_colons(text)) {
        return 0;
    }

    memcpy(hex, text, len);
    hex[len] = '\0';

    ERR_set_mark();

    buf = OPENSSL_hexstr2buf(hex, &n);

    ERR_pop_to_mark();

    ok = (buf != NULL && n == NGX_AOP_DIGEST);

    if (ok) {
        memcpy(digest, buf, NGX_AOP_DIGEST);
    }

    OPENSSL_free(buf);

    return ok;
}


static int
ngx_aop_pin_colons(const char *text)
{
    size_t  i;

    for (i = 2; i < NGX_AOP_PIN_COLONS; i += 3) {
        if (text[i] != ':') {
            return 0;
        }
    }

    return 1;
}


static int
ngx_aop_pin_base64(unsigned char *digest, const char *text, size_t len)
{
    unsigned char  buf[NGX_AOP_PIN_BASE64 / 4 * 3];

    /* EVP_DecodeBlock() passes over spaces at the ends and counts padding */

    if (len != NGX_AOP_PIN_BASE64
        || text[len - 1] != '=' || text[len - 2] == '='
        || memchr(text, ' ', len) || memchr(text, '\t', len)
        || EVP_DecodeBlock(buf, (const unsigned char *) text, (int) len)
           != (int) sizeof(buf))
    {
        return 0;
    }

    memcpy(digest, buf, NGX_AOP_DIGEST);

    return 1;
}


int
ngx_aop_pin_match(const ngx_aop_pin_t *pins, size_t n,
    const ngx_aop_leaf_t *leaf)
{
    size_t         i;
    unsigned char  spki[NGX_AOP_DIGEST];

    if (!leaf->digested || !ngx_aop_cert_spki(leaf->x509, spki)) {
        return -1;
    }

    for (i = 0; i < n; i++) {
        if (memcmp(pins[i].digest, pins[i].spki ? spki : leaf->digest,
                   NGX_AOP_DIGEST)
            == 0)
        {
            return 1;
        }
    }

    return 0;
}
