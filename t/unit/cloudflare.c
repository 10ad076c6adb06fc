
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What is built in of Cloudflare is what Cloudflare publishes.  The source is
 * included, so that the tables of look-alikes can be held against their
 * digests: the certificates themselves are not ours to keep here.
 */


#include <arpa/inet.h>
#include <netinet/in.h>

#include "ngx_aop_cloudflare.c"
#include "lookalike.h"


enum {
    ROOT = 1,
    LEAF,
    NAMESAKE,
    NCERTS
};


typedef struct {
    const char           *name;         /* the range */
    const char           *before;       /* NULL: in another range */
    const char           *first;
    const char           *last;
    const char           *after;
} cloudflare_range_t;


typedef struct {
    const char           *name;
    const char           *field;        /* NULL: no attribute at all */
    const char           *value;
    int                   len;          /* 0: up to the text's end */
    int                   expect;
} cloudflare_name_t;


typedef struct {
    const char           *name;
    const char           *hex;
    ngx_aop_lookalike_e   cert;         /* by its own digest */
    ngx_aop_lookalike_e   key;          /* by that of its SPKI */
} cloudflare_digest_t;


static const cloudflare_range_t  ranges[] = {
    { "173.245.48.0/20", "173.245.47.255",
      "173.245.48.0", "173.245.63.255", "173.245.64.0" },
    { "103.21.244.0/22", "103.21.243.255",
      "103.21.244.0", "103.21.247.255", "103.21.248.0" },
    { "103.22.200.0/22", "103.22.199.255",
      "103.22.200.0", "103.22.203.255", "103.22.204.0" },
    { "103.31.4.0/22", "103.31.3.255",
      "103.31.4.0", "103.31.7.255", "103.31.8.0" },
    { "141.101.64.0/18", "141.101.63.255",
      "141.101.64.0", "141.101.127.255", "141.101.128.0" },
    { "108.162.192.0/18", "108.162.191.255",
      "108.162.192.0", "108.162.255.255", "108.163.0.0" },
    { "190.93.240.0/20", "190.93.239.255",
      "190.93.240.0", "190.93.255.255", "190.94.0.0" },
    { "188.114.96.0/20", "188.114.95.255",
      "188.114.96.0", "188.114.111.255", "188.114.112.0" },
    { "197.234.240.0/22", "197.234.239.255",
      "197.234.240.0", "197.234.243.255", "197.234.244.0" },
    { "198.41.128.0/17", "198.41.127.255",
      "198.41.128.0", "198.41.255.255", "198.42.0.0" },
    { "162.158.0.0/15", "162.157.255.255",
      "162.158.0.0", "162.159.255.255", "162.160.0.0" },
    { "104.16.0.0/13", "104.15.255.255",
      "104.16.0.0", "104.23.255.255", NULL },
    { "104.24.0.0/14", NULL,
      "104.24.0.0", "104.27.255.255", "104.28.0.0" },
    { "172.64.0.0/13", "172.63.255.255",
      "172.64.0.0", "172.71.255.255", "172.72.0.0" },
    { "131.0.72.0/22", "131.0.71.255",
      "131.0.72.0", "131.0.75.255", "131.0.76.0" },
    { "2400:cb00::/32", "2400:caff:ffff:ffff:ffff:ffff:ffff:ffff",
      "2400:cb00::", "2400:cb00:ffff:ffff:ffff:ffff:ffff:ffff", "2400:cb01::" },
    { "2606:4700::/32", "2606:46ff:ffff:ffff:ffff:ffff:ffff:ffff",
      "2606:4700::", "2606:4700:ffff:ffff:ffff:ffff:ffff:ffff", "2606:4701::" },
    { "2803:f800::/32", "2803:f7ff:ffff:ffff:ffff:ffff:ffff:ffff",
      "2803:f800::", "2803:f800:ffff:ffff:ffff:ffff:ffff:ffff", "2803:f801::" },
    { "2405:b500::/32", "2405:b4ff:ffff:ffff:ffff:ffff:ffff:ffff",
      "2405:b500::", "2405:b500:ffff:ffff:ffff:ffff:ffff:ffff", "2405:b501::" },
    { "2405:8100::/32", "2405:80ff:ffff:ffff:ffff:ffff:ffff:ffff",
      "2405:8100::", "2405:8100:ffff:ffff:ffff:ffff:ffff:ffff", "2405:8101::" },
    { "2a06:98c0::/29", "2a06:98bf:ffff:ffff:ffff:ffff:ffff:ffff",
      "2a06:98c0::", "2a06:98c7:ffff:ffff:ffff:ffff:ffff:ffff", "2a06:98c8::" },
    { "2c0f:f248::/32", "2c0f:f247:ffff:ffff:ffff:ffff:ffff:ffff",
      "2c0f:f248::", "2c0f:f248:ffff:ffff:ffff:ffff:ffff:ffff", "2c0f:f249::" }
};


static const cloudflare_name_t  names[] = {
    { "issuer: Origin CA", "OU",
      "CloudFlare Origin SSL Certificate Authority", 0, 1 },
    { "issuer: Origin ECC CA", "OU",
      "CloudFlare Origin SSL ECC Certificate Authority", 0, 1 },
    { "issuer: the origin-pull CA", "OU", "Origin Pull", 0, 0 },
    { "issuer: longer by a letter", "OU",
      "CloudFlare Origin SSL Certificate Authority2", 0, 0 },
    { "issuer: longer by a NUL", "OU",
      "CloudFlare Origin SSL Certificate Authority\0", 44, 0 },
    { "issuer: shorter by a letter", "OU",
      "CloudFlare Origin SSL Certificate Authorit", 0, 0 },
    { "issuer: the second shorter by a letter", "OU",
      "CloudFlare Origin SSL ECC Certificate Authorit", 0, 0 },
    { "issuer: its beginning", "OU", "CloudFlare Origin SSL", 0, 0 },
    { "issuer: its end", "OU", "Certificate Authority", 0, 0 },
    { "issuer: other case", "OU",
      "Cloudflare Origin SSL Certificate Authority", 0, 0 },
    { "issuer: a letter changed", "OU",
      "CloudFlare Origin SSL Certificate Authoritx", 0, 0 },
    { "issuer: as common name", "CN",
      "CloudFlare Origin SSL Certificate Authority", 0, 0 },
    { "issuer: as organization", "O",
      "CloudFlare Origin SSL Certificate Authority", 0, 0 },
    { "issuer: an empty unit", "OU", "", 0, 0 },
    { "issuer: an empty name", NULL, NULL, 0, 0 }
};


static const cloudflare_digest_t  digests[] = {
    { "digest: the CA built in",
      "9a1ac2b4be15f9f27eee20a734cba4e9898f61001b3bd7c84b69b56a3e25a2b9",
      NGX_AOP_LOOKALIKE_NONE, NGX_AOP_LOOKALIKE_NONE },
    { "digest: its key, shared with the edition of 2015",
      "e2ef9fe85ac39f522dc773505f399875aa75ac10c49766ca899f8f99b07da34c",
      NGX_AOP_LOOKALIKE_NONE, NGX_AOP_LOOKALIKE_NONE },
    { "digest: the edition of 2015",
      "062465eea14401f48be7d9a873f2ee674f96806584225d50c04f761d4480b8ba",
      NGX_AOP_LOOKALIKE_2015, NGX_AOP_LOOKALIKE_NONE },
    { "digest: the key of the Origin CA, RSA",
      "b6e8c8ca4c7ca5e6934efea031364927bbfedf086229499a60d83b5d587222b7",
      NGX_AOP_LOOKALIKE_NONE, NGX_AOP_LOOKALIKE_ORIGIN_CA },
    { "digest: the key of the Origin CA, ECC",
      "9114b3916b6457dbf19b6fc04ea6b61aa33a98668e71a01ba60c08f8a5167d5e",
      NGX_AOP_LOOKALIKE_NONE, NGX_AOP_LOOKALIKE_ORIGIN_CA }
};


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT },
    [NAMESAKE] = { .name = "OU=CloudFlare Origin SSL Certificate Authority",
                   .ext = { PKI_CA } }
};


static int
cloudflare_setup(void **state)
{
    pki_certs(certs, NCERTS);

    return 0;
}


static int
cloudflare_teardown(void **state)
{
    pki_free();

    return 0;
}


static void
cloudflare_hex(const unsigned char *data, size_t len, char *hex)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", data[i]);
    }
}


/* Digests are computed here without the core's functions. */

static void
ca_fingerprint(void **state)
{
    int             len;
    char            hex[2 * NGX_AOP_DIGEST + 1];
    X509           *ca;
    unsigned char  *der, digest[NGX_AOP_DIGEST];

    der = NULL;

    ca = ngx_aop_cloudflare_ca();
    assert_non_null(ca);

    len = i2d_X509(ca, &der);
    assert_true(len > 0);

    EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL);
    cloudflare_hex(digest, NGX_AOP_DIGEST, hex);

    assert_string_equal(hex, digests[0].hex);

    OPENSSL_free(der);
    X509_free(ca);
}


static void
ca_spki(void **state)
{
    int             len;
    char            hex[2 * NGX_AOP_DIGEST + 1];
    X509           *ca;
    unsigned char  *der, digest[NGX_AOP_DIGEST];

    der = NULL;

    ca = ngx_aop_cloudflare_ca();
    assert_non_null(ca);

    len = i2d_PUBKEY(X509_get0_pubkey(ca), &der);
    assert_true(len > 0);

    EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL);
    cloudflare_hex(digest, NGX_AOP_DIGEST, hex);

    assert_string_equal(hex, digests[1].hex);

    OPENSSL_free(der);
    X509_free(ca);
}


static void
ca_signature(void **state)
{
    X509  *ca;

    ca = ngx_aop_cloudflare_ca();
    assert_non_null(ca);

    assert_int_equal(X509_check_issued(ca, ca), X509_V_OK);
    assert_int_equal(X509_verify(ca, X509_get0_pubkey(ca)), 1);
    assert_int_equal(X509_get_signature_nid(ca), NID_sha512WithRSAEncryption);

    X509_free(ca);
}


static void
ca_key(void **state)
{
    X509  *ca;

    ca = ngx_aop_cloudflare_ca();
    assert_non_null(ca);

    assert_int_equal(EVP_PKEY_base_id(X509_get0_pubkey(ca)), EVP_PKEY_RSA);
    assert_int_equal(EVP_PKEY_bits(X509_get0_pubkey(ca)), 4096);
    assert_true(ngx_aop_cert_is_ca(ca));

    X509_free(ca);
}


static void
ca_date(const ASN1_TIME *date, const char *text)
{
    ASN1_TIME  *expect;

    expect = ASN1_TIME_new();
    assert_non_null(expect);

    assert_int_equal(ASN1_TIME_set_string_X509(expect, text), 1);
    assert_int_equal(ASN1_TIME_compare(date, expect), 0);

    ASN1_TIME_free(expect);
}


static void
ca_dates(void **state)
{
    X509  *ca;

    ca = ngx_aop_cloudflare_ca();
    assert_non_null(ca);

    ca_date(X509_get0_notBefore(ca), "20191010184500Z");
    ca_date(X509_get0_notAfter(ca), "20291101170000Z");

    X509_free(ca);
}


static void
ca_name(void **state)
{
    char             *text;
    X509             *ca;
    const X509_NAME  *name;

    ca = ngx_aop_cloudflare_ca();
    assert_non_null(ca);

    name = X509_get_subject_name(ca);
    text = ngx_aop_cert_name(name);

    assert_non_null(text);
    assert_non_null(strstr(text, "CN=origin-pull.cloudflare.net,"));
    assert_int_equal(ngx_aop_cloudflare_origin_ca_name(name), 0);

    OPENSSL_free(text);
    X509_free(ca);
}


static void
ca_serial(void **state)
{
    X509      *ca;
    uint64_t   serial;

    ca = ngx_aop_cloudflare_ca();
    assert_non_null(ca);

    assert_int_equal(ASN1_INTEGER_get_uint64(&serial,
                                             X509_get0_serialNumber(ca)),
                     1);
    assert_true(serial == UINT64_C(0x5791ba9556c22e61));

    X509_free(ca);
}


static ngx_aop_peer_e
cloudflare_peer(const char *address)
{
    size_t                  n;
    struct sockaddr_in      sin;
    struct sockaddr_in6     sin6;
    const ngx_aop_range_t  *list;

    list = ngx_aop_cloudflare_ranges(&n);
    assert_non_null(list);

    memset(&sin, 0, sizeof(sin));
    memset(&sin6, 0, sizeof(sin6));

    sin.sin_family = AF_INET;
    sin6.sin6_family = AF_INET6;

    if (inet_pton(AF_INET, address, &sin.sin_addr) == 1) {
        return ngx_aop_peer_class((struct sockaddr *) &sin, list, n);
    }

    assert_int_equal(inet_pton(AF_INET6, address, &sin6.sin6_addr), 1);

    return ngx_aop_peer_class((struct sockaddr *) &sin6, list, n);
}


static void
cloudflare_range(void **state)
{
    const cloudflare_range_t  *c = *state;

    assert_int_equal(cloudflare_peer(c->first), NGX_AOP_PEER_EDGE);
    assert_int_equal(cloudflare_peer(c->last), NGX_AOP_PEER_EDGE);

    if (c->before) {
        assert_int_equal(cloudflare_peer(c->before), NGX_AOP_PEER_DIRECT);
    }

    if (c->after) {
        assert_int_equal(cloudflare_peer(c->after), NGX_AOP_PEER_DIRECT);
    }
}


static void
cloudflare_ranges(void **state)
{
    size_t                  i, n;
    ngx_aop_range_t         range;
    const ngx_aop_range_t  *list;

    list = ngx_aop_cloudflare_ranges(&n);

    assert_non_null(list);
    assert_int_equal(n, 22);
    assert_int_equal(n, unit_nelts(ranges));

    for (i = 0; i < n; i++) {
        assert_int_equal(ngx_aop_peer_range_parse(&range, ranges[i].name,
                                                  strlen(ranges[i].name)),
                         1);
        assert_int_equal(list[i].bits, range.bits);
        assert_memory_equal(list[i].addr, range.addr, sizeof(range.addr));
    }
}


static void
cloudflare_ranges_again(void **state)
{
    size_t                  n, again;
    const ngx_aop_range_t  *list;

    list = ngx_aop_cloudflare_ranges(&n);

    assert_ptr_equal(ngx_aop_cloudflare_ranges(&again), list);
    assert_int_equal(again, n);
}


static void
cloudflare_others(void **state)
{
    assert_int_equal(cloudflare_peer("1.1.1.1"), NGX_AOP_PEER_DIRECT);
    assert_int_equal(cloudflare_peer("192.0.2.1"), NGX_AOP_PEER_DIRECT);
    assert_int_equal(cloudflare_peer("2001:db8::1"), NGX_AOP_PEER_DIRECT);
    assert_int_equal(cloudflare_peer("10.0.0.1"), NGX_AOP_PEER_PRIVATE);
    assert_int_equal(cloudflare_peer("::1"), NGX_AOP_PEER_PRIVATE);
    assert_int_equal(cloudflare_peer("::ffff:104.16.0.1"), NGX_AOP_PEER_EDGE);
}


static void
lookalike_none(void **state)
{
    int    i;
    X509  *ca;

    ca = ngx_aop_cloudflare_ca();
    assert_non_null(ca);

    assert_int_equal(ngx_aop_cloudflare_lookalike(ca),
                     NGX_AOP_LOOKALIKE_NONE);

    X509_free(ca);

    for (i = ROOT; i < NCERTS; i++) {
        assert_int_equal(ngx_aop_cloudflare_lookalike(pki.cert[i]),
                         NGX_AOP_LOOKALIKE_NONE);
    }
}


static void
lookalike_key(void **state)
{
    X509  *x509;

    x509 = lookalike_cert(LEAF, ROOT);

    assert_int_equal(ngx_aop_cloudflare_lookalike(x509),
                     NGX_AOP_LOOKALIKE_ORIGIN_CA);

    X509_free(x509);
}


#define lookalike_find(table, digest)                                         \
    ngx_aop_lookalike_find(table, ngx_aop_array_size(table), digest)

static void
lookalike_digest(void **state)
{
    size_t                      i;
    unsigned int                byte;
    unsigned char               digest[NGX_AOP_DIGEST];
    const cloudflare_digest_t  *c = *state;

    for (i = 0; i < NGX_AOP_DIGEST; i++) {
        assert_int_equal(sscanf(c->hex + 2 * i, "%2x", &byte), 1);
        digest[i] = (unsigned char) byte;
    }

    assert_int_equal(lookalike_find(ngx_aop_lookalike_certs, digest),
                     c->cert);
    assert_int_equal(lookalike_find(ngx_aop_lookalike_keys, digest), c->key);

    digest[NGX_AOP_DIGEST - 1] ^= 1;

    assert_int_equal(lookalike_find(ngx_aop_lookalike_certs, digest),
                     NGX_AOP_LOOKALIKE_NONE);
    assert_int_equal(lookalike_find(ngx_aop_lookalike_keys, digest),
                     NGX_AOP_LOOKALIKE_NONE);
}


static void
origin_ca_name(void **state)
{
    X509_NAME                *name;
    const cloudflare_name_t  *c = *state;

    name = X509_NAME_new();
    assert_non_null(name);

    if (c->field) {
        assert_int_equal(X509_NAME_add_entry_by_txt(name, c->field,
                                 V_ASN1_UTF8STRING,
                                 (const unsigned char *) c->value,
                                 c->len ? c->len : (int) strlen(c->value),
                                 -1, 0),
                         1);
    }

    assert_int_equal(ngx_aop_cloudflare_origin_ca_name(name), c->expect);

    X509_NAME_free(name);
}


/* Among the other attributes of the real issuer. */

static void
origin_ca_name_whole(void **state)
{
    size_t      i;
    X509_NAME  *name;

    static const char *const  rdns[][2] = {
        { "C", "US" },
        { "O", "CloudFlare, Inc." },
        { "OU", "CloudFlare Origin SSL Certificate Authority" },
        { "L", "San Francisco" },
        { "ST", "California" }
    };

    name = X509_NAME_new();
    assert_non_null(name);

    for (i = 0; i < unit_nelts(rdns); i++) {
        assert_int_equal(X509_NAME_add_entry_by_txt(name, rdns[i][0],
                                 MBSTRING_ASC,
                                 (const unsigned char *) rdns[i][1], -1, -1,
                                 0),
                         1);
    }

    assert_int_equal(ngx_aop_cloudflare_origin_ca_name(name), 1);

    X509_NAME_free(name);
}


int
main(void)
{
    unit_case("built-in CA: SHA-256", ca_fingerprint, NULL);
    unit_case("built-in CA: SHA-256 of its SPKI", ca_spki, NULL);
    unit_case("built-in CA: signed by itself", ca_signature, NULL);
    unit_case("built-in CA: an RSA-4096 CA", ca_key, NULL);
    unit_case("built-in CA: dates", ca_dates, NULL);
    unit_case("built-in CA: name", ca_name, NULL);
    unit_case("built-in CA: serial", ca_serial, NULL);
    unit_case("the published ranges, in order", cloudflare_ranges, NULL);
    unit_case("the ranges once more", cloudflare_ranges_again, NULL);
    unit_cases(ranges, cloudflare_range);
    unit_case("addresses of others", cloudflare_others, NULL);
    unit_case("no look-alike", lookalike_none, NULL);
    unit_case("a look-alike by its key", lookalike_key, NULL);
    unit_cases(digests, lookalike_digest);
    unit_cases(names, origin_ca_name);
    unit_case("issuer: the whole name", origin_ca_name_whole, NULL);

    return unit_run("cloudflare", cloudflare_setup, cloudflare_teardown);
}
