
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What names a leaf, and which leaf it names. */


#include <stdlib.h>

#include "ngx_aop_pin.h"
#include "pki.h"


#define HEX     "000102030405060708090a0b0c0d0e0f"                            \
                "101112131415161718191a1b1c1d1eff"
#define COLONS  "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:"            \
                "10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:FF"
#define BASE64  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8="


enum {
    ROOT = 1,
    LEAF,
    RENEWED,
    OTHER,
    NCERTS
};


typedef struct {
    const char   *name;
    const char   *text;
    unsigned      spki;
} pin_case_t;


typedef struct {
    const char   *name;
    const char   *text;
} bad_pin_case_t;


typedef struct {
    const char   *name;
    pki_index_t   certs[PKI_FEW];
    pki_index_t   spkis[PKI_FEW];
    int           match;            /* of LEAF */
} pin_match_t;


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT },
    [RENEWED] = { .name = "Leaf", .by = ROOT, .key = LEAF },
    [OTHER] = { .name = "Leaf", .by = ROOT }
};


static const unsigned char  digest[NGX_AOP_DIGEST] = {
    0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
    0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f,
    0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
    0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0xff
};


static const pin_case_t  pins[] = {
    { "a certificate in hexadecimal", "cert-sha256:" HEX, 0 },
    { "a certificate as openssl prints it", "cert-sha256:" COLONS, 0 },
    { "a key in hexadecimal", "spki-sha256:" HEX, 1 },
    { "a key in hexadecimal with colons", "spki-sha256:" COLONS, 1 },
    { "a key in base64", "spki-sha256:" BASE64, 1 }
};


#define NO_HEX     "not 64 hexadecimal digits"

static const bad_pin_case_t  bad_pins[] = {
    { "no pin: empty", "" },
    { "no pin: a digest only", HEX },
    { "no pin: another kind", "pkey-sha256:" HEX },
    { "no pin: another digest", "cert-sha512:" HEX },
    { "no pin: other case", "CERT-SHA256:" HEX },
    { "no pin: a space before", " cert-sha256:" HEX },
    { "no pin: the kind only", "cert-sha256:" },
    { "no pin: the kind of a key only", "spki-sha256:" },
    { "no pin: the kind cut", "cert-sha256" },
    { "no pin: a digit less", "cert-sha256:000102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1ef" },
    { "no pin: a digit more", "cert-sha256:" HEX "0" },
    { "no pin: a byte more", "cert-sha256:" HEX "00" },
    { "no pin: a space after", "cert-sha256:" HEX " " },
    { "no pin: a space within", "cert-sha256: " HEX },
    { "no pin: no digit", "cert-sha256:g00102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1eff" },
    { "no pin: no digit at the end",
      "cert-sha256:000102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1efg" },
    { "no pin: a sign", "cert-sha256:+00102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1eff" },
    { "no pin: a colon before", "cert-sha256::" HEX },
    { "no pin: a colon after", "cert-sha256:" HEX ":" },
    { "no pin: two colons", "cert-sha256:00::0102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1eff" },
    { "no pin: colons between some bytes only",
      "cert-sha256:00:0102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1eff" },
    { "no pin: as many colons, but elsewhere",
      "cert-sha256::00:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f"
      ":10:11:12:13:14:15:16:17:18:19:1a:1b:1c:1d:1eff" },
    { "no pin: a colon within a byte",
      "cert-sha256:0:00102030405060708090a0b0c0d0e0f"
      "101112131415161718191a1b1c1d1eff" },
    { "no pin: a certificate in base64", "cert-sha256:" BASE64 },
    { "no pin: base64, cut",
      "spki-sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8" },
    { "no pin: base64, padding twice",
      "spki-sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==" },
    { "no pin: base64, no padding",
      "spki-sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8A" },
    { "no pin: base64, more", "spki-sha256:" BASE64 "AAAA" },
    { "no pin: base64, a space before", "spki-sha256: "
      "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8" },
    { "no pin: base64, a space within",
      "spki-sha256:AAECAwQFBgcICQoLDA0ODxAREhMU RYXGBkaGxwdHv8=" },
    { "no pin: base64, a line feed",
      "spki-sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8\n" },
    { "no pin: base64, a star",
      "spki-sha256:*AECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=" },
    { "no pin: base64 for URLs",
      "spki-sha256:-_ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHv8=" }
};


static const pin_match_t  matches[] = {
    { "match: none", { 0 }, { 0 }, 0 },
    { "match: the certificate", { LEAF }, { 0 }, 1 },
    { "match: the key", { 0 }, { LEAF }, 1 },
    { "match: the key of the renewed", { 0 }, { RENEWED }, 1 },
    { "match: not the renewed", { RENEWED }, { 0 }, 0 },
    { "match: another certificate", { OTHER }, { 0 }, 0 },
    { "match: another key", { 0 }, { OTHER }, 0 },
    { "match: the issuer", { ROOT }, { ROOT }, 0 },
    { "match: the last of several", { OTHER, ROOT }, { OTHER, LEAF }, 1 },
    { "match: the first of several", { LEAF, ROOT }, { OTHER, ROOT }, 1 }
};


static int
pin_setup(void **state)
{
    pki_certs(certs, NCERTS);

    return 0;
}


static int
pin_teardown(void **state)
{
    pki_free();

    return 0;
}


static const char *
pin_parse(ngx_aop_pin_t *pin, const char *text, size_t len)
{
    char        *copy;
    const char  *err;

    /* of that length only, for tools to see what reads beyond */

    copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);

    err = ngx_aop_pin_parse(pin, copy, len);

    free(copy);

    return err;
}


static void
pin_case(void **state)
{
    size_t             len;
    ngx_aop_pin_t      pin;
    const pin_case_t  *c = *state;

    len = strlen(c->text);

    /* whatever was there before */

    memset(&pin, c->spki ? 0x00 : 0xff, sizeof(pin));

    assert_null(pin_parse(&pin, c->text, len));
    assert_int_equal(pin.spki, c->spki);
    assert_memory_equal(pin.digest, digest, NGX_AOP_DIGEST);

    /* and nothing shorter is one */

    while (len--) {
        assert_non_null(pin_parse(&pin, c->text, len));
    }
}


static void
bad_pin_case(void **state)
{
    const char            *err;
    ngx_aop_pin_t          pin;
    const bad_pin_case_t  *c = *state;

    err = pin_parse(&pin, c->text, strlen(c->text));

    assert_non_null(err);
    unit_printable(err);
    assert_true(err[0] != '\0');
}


static void
pin_messages(void **state)
{
    ngx_aop_pin_t  pin;

    assert_non_null(strstr(pin_parse(&pin, "x", 1), "\"cert-sha256:\""));
    assert_non_null(strstr(pin_parse(&pin, "x", 1), "\"spki-sha256:\""));
    assert_string_equal(pin_parse(&pin, "cert-sha256:0", 13), NO_HEX);
    assert_non_null(strstr(pin_parse(&pin, "spki-sha256:0", 13), NO_HEX));
    assert_non_null(strstr(pin_parse(&pin, "spki-sha256:0", 13), "base64"));
}


static void
pin_match(void **state)
{
    size_t              i, n;
    ngx_aop_pin_t       list[2 * PKI_FEW];
    ngx_aop_leaf_t      leaf;
    const pin_match_t  *c = *state;

    memset(list, 0, sizeof(list));
    n = 0;

    for (i = 0; i < PKI_FEW && c->certs[i]; i++) {
        assert_int_equal(ngx_aop_cert_digest(pki.cert[c->certs[i]],
                                             list[n++].digest),
                         1);
    }

    for (i = 0; i < PKI_FEW && c->spkis[i]; i++) {
        list[n].spki = 1;
        assert_int_equal(ngx_aop_cert_spki(pki.cert[c->spkis[i]],
                                           list[n++].digest),
                         1);
    }

    ngx_aop_cert_leaf(&leaf, pki.cert[LEAF]);
    assert_int_equal(ngx_aop_pin_match(list, n, &leaf), c->match);

    /* without its digest nothing is known */

    leaf.digested = 0;
    assert_int_equal(ngx_aop_pin_match(list, n, &leaf), -1);
}


/* The digest of a key is no pin of a certificate, nor the other way round. */

static void
pin_match_kind(void **state)
{
    ngx_aop_pin_t   pin;
    ngx_aop_leaf_t  leaf;

    memset(&pin, 0, sizeof(pin));
    ngx_aop_cert_leaf(&leaf, pki.cert[LEAF]);

    assert_int_equal(ngx_aop_cert_spki(pki.cert[LEAF], pin.digest), 1);
    assert_int_equal(ngx_aop_pin_match(&pin, 1, &leaf), 0);

    pin.spki = 1;

    assert_int_equal(ngx_aop_cert_digest(pki.cert[LEAF], pin.digest), 1);
    assert_int_equal(ngx_aop_pin_match(&pin, 1, &leaf), 0);
}


int
main(void)
{
    unit_cases(pins, pin_case);
    unit_cases(bad_pins, bad_pin_case);
    unit_case("no pin: what is said", pin_messages, NULL);
    unit_cases(matches, pin_match);
    unit_case("match: of its own kind", pin_match_kind, NULL);

    return unit_run("pin", pin_setup, pin_teardown);
}
