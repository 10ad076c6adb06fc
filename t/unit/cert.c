
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What is told of a certificate: right, printable, and cut between escapes. */


#include <stdio.h>
#include <stdlib.h>
#include <openssl/err.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_cloudflare.h"
#include "pki.h"


#define CERT_LONG   (100 * 1024)
#define CERT_PARTS  8


enum {
    ROOT = 1,
    LEAF,
    NCERTS
};


typedef struct {
    const char           *name;
    ngx_aop_cert_fact_e   fact;
    const char           *text;
} cert_fact_t;


typedef struct {
    const char           *name;
    const char           *field;
    int                   type;         /* V_ASN1_* */
    const char           *value;
    int                   len;
    const char           *text;
} cert_name_t;


typedef struct {
    const char           *name;
    const char           *hex;
    const char           *text;
} cert_serial_t;


typedef struct {
    const char           *name;
    int                   type;         /* V_ASN1_* */
    const char           *value;
    int64_t               time;
    const char           *text;         /* NULL: not a time */
} cert_time_t;


typedef struct {
    const char           *name;
    long long             left;         /* seconds */
    long long             days;
} cert_days_t;


typedef struct {
    const char           *name;
    const char           *part[CERT_PARTS];     /* none may be split */
} cert_cut_t;


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT }
};


static const cert_days_t  days[] = {
    { "days: a whole day", 86400, 1 },
    { "days: a second less", 86399, 0 },
    { "days: now", 0, 0 },
    { "days: a second ago", -1, -1 },
    { "days: an hour ago", -3600, -1 },
    { "days: a day ago", -86400, -1 },
    { "days: a second more", -86401, -2 }
};


/* of the CA that is built in */

static const cert_fact_t  facts[] = {
    { "fact: subject", NGX_AOP_CERT_SUBJECT,
      "CN=origin-pull.cloudflare.net,ST=California,L=San Francisco,"
      "OU=Origin Pull,O=CloudFlare\\, Inc.,C=US" },
    { "fact: issuer", NGX_AOP_CERT_ISSUER,
      "CN=origin-pull.cloudflare.net,ST=California,L=San Francisco,"
      "OU=Origin Pull,O=CloudFlare\\, Inc.,C=US" },
    { "fact: serial", NGX_AOP_CERT_SERIAL, "5791BA9556C22E61" },
    { "fact: fingerprint", NGX_AOP_CERT_FINGERPRINT,
      "9a1ac2b4be15f9f27eee20a734cba4e9898f61001b3bd7c84b69b56a3e25a2b9" },
    { "fact: SPKI", NGX_AOP_CERT_SPKI,
      "e2ef9fe85ac39f522dc773505f399875aa75ac10c49766ca899f8f99b07da34c" },
    { "fact: not after", NGX_AOP_CERT_NOT_AFTER, "2029-11-01T17:00:00Z" }
};


#define bytes(text)  text, sizeof(text) - 1

static const cert_name_t  names[] = {
    { "name: plain", "CN", V_ASN1_PRINTABLESTRING, bytes("Leaf 1"),
      "CN=Leaf 1" },
    { "name: of 1 letter", "CN", V_ASN1_UTF8STRING, bytes("a"), "CN=a" },
    { "name: empty", "CN", V_ASN1_UTF8STRING, bytes(""), "CN=" },
    { "name: NUL inside", "CN", V_ASN1_UTF8STRING, bytes("a\0b"),
      "CN=a\\00b" },
    { "name: NUL only", "CN", V_ASN1_UTF8STRING, bytes("\0"), "CN=\\00" },
    { "name: line feed", "CN", V_ASN1_UTF8STRING, bytes("a\nb"),
      "CN=a\\0Ab" },
    { "name: carriage return, line feed", "CN", V_ASN1_UTF8STRING,
      bytes("a\r\nX-Evil: 1"), "CN=a\\0D\\0AX-Evil: 1" },
    { "name: control characters", "CN", V_ASN1_UTF8STRING,
      bytes("\x01\t\x1b[2J\x1f\x7f"), "CN=\\01\\09\\1B[2J\\1F\\7F" },
    { "name: quotes", "CN", V_ASN1_UTF8STRING, bytes("a\"b'c"),
      "CN=a\\\"b'c" },
    { "name: special characters", "CN", V_ASN1_UTF8STRING,
      bytes("a,b+c;d<e>f=g"), "CN=a\\,b\\+c\\;d\\<e\\>f=g" },
    { "name: backslash", "CN", V_ASN1_UTF8STRING, bytes("a\\0Ab"),
      "CN=a\\\\0Ab" },
    { "name: number sign first", "CN", V_ASN1_UTF8STRING, bytes("#a#"),
      "CN=\\#a#" },
    { "name: spaces around", "CN", V_ASN1_UTF8STRING, bytes(" a b "),
      "CN=\\ a b\\ " },
    { "name: a percent sign", "CN", V_ASN1_UTF8STRING, bytes("%s%n"),
      "CN=%s%n" },
    { "name: UTF-8", "CN", V_ASN1_UTF8STRING, bytes("\xc3\xa9\xe2\x82\xac"),
      "CN=\\C3\\A9\\E2\\82\\AC" },
    { "name: UTF-8 beyond the BMP", "CN", V_ASN1_UTF8STRING,
      bytes("\xf0\x9f\x98\x80"), "CN=\\F0\\9F\\98\\80" },
    { "name: UTF-8, right to left", "CN", V_ASN1_UTF8STRING,
      bytes("\xe2\x80\xae" "a"), "CN=\\E2\\80\\AEa" },
    { "name: C1 control", "CN", V_ASN1_UTF8STRING, bytes("\xc2\x9b"),
      "CN=\\C2\\9B" },
    { "name: BMPString", "CN", V_ASN1_BMPSTRING, bytes("\0a\0\xe9\x20\xac"),
      "CN=a\\C3\\A9\\E2\\82\\AC" },
    { "name: BMPString, line feed", "CN", V_ASN1_BMPSTRING,
      bytes("\0\n\0\0"), "CN=\\0A\\00" },
    { "name: UniversalString", "CN", V_ASN1_UNIVERSALSTRING,
      bytes("\0\0\0a\0\x01\xf6\x00"), "CN=a\\F0\\9F\\98\\80" },
    { "name: T61String", "CN", V_ASN1_T61STRING, bytes("a\xe9"),
      "CN=a\\C3\\A9" },
    { "name: IA5String with high bytes", "CN", V_ASN1_IA5STRING,
      bytes("a\xff\n"), "CN=a\\C3\\BF\\0A" },
    { "name: no string at all", "CN", V_ASN1_BIT_STRING, bytes("a\v"),
      "CN=#030300610B" },
    { "name: unknown attribute", "1.2.3.4", V_ASN1_UTF8STRING, bytes("a"),
      "1.2.3.4=#0C0161" }
};


static const cert_serial_t  serials[] = {
    { "serial: 0", "00", "00" },
    { "serial: 1", "01", "01" },
    { "serial: 127", "7f", "7F" },
    { "serial: 128", "80", "80" },
    { "serial: 0a0b", "0a0b", "0A0B" },
    { "serial: negative", "-01", "-01" },
    { "serial: 20 bytes", "7fffffffffffffffffffffffffffffffffffffff",
      "7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF" }
};


static const cert_time_t  times[] = {
    { "time: 1950", V_ASN1_UTCTIME, "500101000000Z",
      -631152000, "1950-01-01T00:00:00Z" },
    { "time: before the epoch", V_ASN1_UTCTIME, "691231235959Z",
      -1, "1969-12-31T23:59:59Z" },
    { "time: the epoch", V_ASN1_UTCTIME, "700101000000Z",
      0, "1970-01-01T00:00:00Z" },
    { "time: 2000", V_ASN1_UTCTIME, "000229120000Z",
      951825600, "2000-02-29T12:00:00Z" },
    { "time: before 2^31", V_ASN1_UTCTIME, "380119031407Z",
      2147483647, "2038-01-19T03:14:07Z" },
    { "time: 2^31", V_ASN1_UTCTIME, "380119031408Z",
      2147483648, "2038-01-19T03:14:08Z" },
    { "time: the last UTCTime", V_ASN1_UTCTIME, "491231235959Z",
      2524607999, "2049-12-31T23:59:59Z" },
    { "time: GeneralizedTime before 2050", V_ASN1_GENERALIZEDTIME,
      "20491231235959Z", 2524607999, "2049-12-31T23:59:59Z" },
    { "time: 2050", V_ASN1_GENERALIZEDTIME, "20500101000000Z",
      2524608000, "2050-01-01T00:00:00Z" },
    { "time: 2^32", V_ASN1_GENERALIZEDTIME, "21060207062816Z",
      4294967296, "2106-02-07T06:28:16Z" },
    { "time: 2400 is a leap year", V_ASN1_GENERALIZEDTIME,
      "24000229000000Z", 13574563200, "2400-02-29T00:00:00Z" },
    { "time: 1600", V_ASN1_GENERALIZEDTIME, "16000101000000Z",
      -11676096000, "1600-01-01T00:00:00Z" },
    { "time: without end", V_ASN1_GENERALIZEDTIME, "99991231235959Z",
      INT64_C(253402300799), "9999-12-31T23:59:59Z" },

    { "no time: empty UTCTime", V_ASN1_UTCTIME, "", 0, NULL },
    { "no time: empty GeneralizedTime", V_ASN1_GENERALIZEDTIME, "", 0, NULL },
    { "no time: month 13", V_ASN1_UTCTIME, "301301000000Z", 0, NULL },
    { "no time: month 0", V_ASN1_UTCTIME, "300001000000Z", 0, NULL },
    { "no time: 29 February", V_ASN1_UTCTIME, "300229000000Z", 0, NULL },
    { "no time: 29 February 2100", V_ASN1_GENERALIZEDTIME,
      "21000229000000Z", 0, NULL },
    { "no time: day 0", V_ASN1_UTCTIME, "300100000000Z", 0, NULL },
    { "no time: hour 24", V_ASN1_UTCTIME, "300101240000Z", 0, NULL },
    { "no time: minute 60", V_ASN1_UTCTIME, "300101006000Z", 0, NULL },
    { "no time: a word", V_ASN1_UTCTIME, "tomorrow", 0, NULL },
    { "no time: cut short", V_ASN1_GENERALIZEDTIME, "2030", 0, NULL },
    { "no time: more after it", V_ASN1_UTCTIME, "300101000000Z0", 0, NULL },
    { "no time: another type", V_ASN1_OCTET_STRING, "300101000000Z", 0, NULL }
};


static const cert_cut_t  cuts[] = {
    { "cut: nothing", { NULL } },
    { "cut: plain", { "C", "N", "=", "a" } },
    { "cut: a pair", { "a", "\\,", "b" } },
    { "cut: a pair first", { "\\,", "b" } },
    { "cut: a pair last", { "a", "\\," } },
    { "cut: a pair only", { "\\\"" } },
    { "cut: a byte", { "a", "\\0A", "b" } },
    { "cut: a byte first", { "\\0A", "b" } },
    { "cut: a byte last", { "a", "b", "\\0A" } },
    { "cut: a byte only", { "\\FF" } },
    { "cut: bytes", { "\\E2", "\\82", "\\AC", "\\00", "\\7F" } },
    { "cut: the ends of the digits", { "\\09", "\\90", "\\AF", "\\FA" } },
    { "cut: backslashes", { "\\\\", "\\\\", "\\\\", "\\\\" } },
    { "cut: a backslash before digits", { "a", "\\\\", "0", "A", "b" } },
    { "cut: a backslash before a byte", { "\\\\", "\\0A", "\\\\", "\\0A" } },
    { "cut: pair and byte", { "\\+", "\\0A", "\\ ", "x", "\\#", "\\0D" } },
    { "cut: a digit after a pair", { "\\,", "A", "B", "\\,", "1" } }
};


static int
cert_setup(void **state)
{
    pki_certs(certs, NCERTS);

    return 0;
}


static int
cert_teardown(void **state)
{
    pki_free();

    return 0;
}


/* The caller frees the text; NULL if the fact could not be printed. */

static char *
cert_text(X509 *x509, ngx_aop_cert_fact_e fact)
{
    BIO   *bio;
    char  *data, *text;
    long   len;

    text = NULL;

    bio = BIO_new(BIO_s_mem());
    assert_non_null(bio);

    if (ngx_aop_cert_print(x509, fact, bio)) {
        len = BIO_get_mem_data(bio, &data);

        text = calloc(1, len + 1);
        assert_non_null(text);

        if (len) {
            memcpy(text, data, len);
            assert_int_equal(strlen(text), len);
        }
    }

    BIO_free(bio);

    return text;
}


static void
cert_expect(X509 *x509, ngx_aop_cert_fact_e fact, const char *expect)
{
    char  *text;

    text = cert_text(x509, fact);

    assert_non_null(text);
    assert_string_equal(text, expect);

    free(text);
}


static void
cert_fact(void **state)
{
    X509               *ca;
    const cert_fact_t  *c = *state;

    ca = ngx_aop_cloudflare_ca();
    assert_non_null(ca);

    cert_expect(ca, c->fact, c->text);

    X509_free(ca);
}


static void
cert_fact_unknown(void **state)
{
    assert_null(cert_text(pki.cert[LEAF], NGX_AOP_CERT_FACTS));
    assert_null(cert_text(pki.cert[LEAF], (ngx_aop_cert_fact_e) -1));
}


static void
cert_subject_and_issuer(void **state)
{
    cert_expect(pki.cert[LEAF], NGX_AOP_CERT_SUBJECT, "CN=Leaf");
    cert_expect(pki.cert[LEAF], NGX_AOP_CERT_ISSUER, "CN=Root");
}


/* The digests once more, without the core. */

static void
cert_hash(unsigned char *der, int len, unsigned char *digest, char *hex)
{
    size_t  i;

    assert_true(len > 0);
    assert_int_equal(EVP_Digest(der, len, digest, NULL, EVP_sha256(), NULL),
                     1);

    for (i = 0; i < NGX_AOP_DIGEST; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }

    OPENSSL_free(der);
}


static void
cert_digest(void **state)
{
    int             len;
    char            hex[2 * NGX_AOP_DIGEST + 1];
    unsigned char  *der;
    unsigned char   expect[NGX_AOP_DIGEST], digest[NGX_AOP_DIGEST];

    der = NULL;
    len = i2d_X509(pki.cert[LEAF], &der);
    cert_hash(der, len, expect, hex);

    assert_int_equal(ngx_aop_cert_digest(pki.cert[LEAF], digest), 1);
    assert_memory_equal(digest, expect, NGX_AOP_DIGEST);
    cert_expect(pki.cert[LEAF], NGX_AOP_CERT_FINGERPRINT, hex);
}


static void
cert_spki(void **state)
{
    int             len;
    char            hex[2 * NGX_AOP_DIGEST + 1];
    unsigned char  *der;
    unsigned char   expect[NGX_AOP_DIGEST], digest[NGX_AOP_DIGEST];

    der = NULL;
    len = i2d_PUBKEY(pki.key[LEAF], &der);
    cert_hash(der, len, expect, hex);

    assert_int_equal(ngx_aop_cert_spki(pki.cert[LEAF], digest), 1);
    assert_memory_equal(digest, expect, NGX_AOP_DIGEST);
    cert_expect(pki.cert[LEAF], NGX_AOP_CERT_SPKI, hex);
}


static X509 *
cert_named(const char *field, int type, const void *value, int len)
{
    X509       *x509;
    X509_NAME  *name;

    x509 = X509_new();
    name = X509_NAME_new();

    assert_non_null(x509);
    assert_non_null(name);

    assert_int_equal(X509_NAME_add_entry_by_txt(name, field, type, value, len,
                                                -1, 0),
                     1);
    assert_int_equal(X509_set_subject_name(x509, name), 1);
    assert_int_equal(X509_set_issuer_name(x509, name), 1);

    X509_NAME_free(name);

    return x509;
}


/* What a certificate is named is its own from OpenSSL 4 on: const. */

static X509_NAME *
cert_name_copy(X509 *x509)
{
    X509_NAME  *name;

    name = X509_NAME_dup((X509_NAME *) X509_get_subject_name(x509));
    assert_non_null(name);

    return name;
}


static void
cert_rename(X509 *x509, X509_NAME *name)
{
    assert_int_equal(X509_set_subject_name(x509, name), 1);

    X509_NAME_free(name);
}


static void
cert_name(void **state)
{
    X509               *x509;
    const cert_name_t  *c = *state;

    x509 = cert_named(c->field, c->type, c->value, c->len);

    cert_expect(x509, NGX_AOP_CERT_SUBJECT, c->text);
    cert_expect(x509, NGX_AOP_CERT_ISSUER, c->text);

    X509_free(x509);
}


/* As a string of one's own. */

static void
cert_name_string(void **state)
{
    char  *text;

    text = ngx_aop_cert_name(X509_get_subject_name(pki.cert[LEAF]));

    assert_non_null(text);
    assert_string_equal(text, "CN=Leaf");

    OPENSSL_free(text);
}


static void
cert_name_none(void **state)
{
    char  *text;
    X509  *x509;

    x509 = X509_new();
    assert_non_null(x509);

    cert_expect(x509, NGX_AOP_CERT_SUBJECT, "");
    cert_expect(x509, NGX_AOP_CERT_ISSUER, "");

    text = ngx_aop_cert_name(X509_get_subject_name(x509));

    assert_non_null(text);
    assert_string_equal(text, "");

    OPENSSL_free(text);
    X509_free(x509);
}


static void
cert_name_attributes(void **state)
{
    X509       *x509;
    X509_NAME  *name;

    x509 = cert_named("CN", MBSTRING_ASC, "a", -1);
    name = cert_name_copy(x509);

    /* one more RDN, then one more value in it */

    assert_int_equal(X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_ASC,
                                       (unsigned char *) "b", -1, -1, 0),
                     1);
    assert_int_equal(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC,
                                       (unsigned char *) "c,d", -1, -1, -1),
                     1);
    cert_rename(x509, name);

    cert_expect(x509, NGX_AOP_CERT_SUBJECT, "O=c\\,d+OU=b,CN=a");

    X509_free(x509);
}


/* Every byte there is, as a string of each type that holds bytes. */

static void
cert_name_all_bytes(void **state)
{
    int             i;
    size_t          n;
    char           *text;
    X509           *x509;
    unsigned char   all[256];

    static const int  types[] = {
        V_ASN1_PRINTABLESTRING, V_ASN1_T61STRING, V_ASN1_IA5STRING,
        V_ASN1_NUMERICSTRING
    };

    for (i = 0; i < 256; i++) {
        all[i] = (unsigned char) i;
    }

    for (n = 0; n < unit_nelts(types); n++) {
        x509 = cert_named("CN", types[n], all, sizeof(all));

        text = cert_text(x509, NGX_AOP_CERT_SUBJECT);
        assert_non_null(text);
        unit_printable(text);

        free(text);
        X509_free(x509);
    }
}


static void
cert_name_long(void **state)
{
    char  *value, *text;
    X509  *x509;

    value = malloc(CERT_LONG);
    assert_non_null(value);
    memset(value, '\n', CERT_LONG);

    x509 = cert_named("CN", V_ASN1_UTF8STRING, value, CERT_LONG);

    text = cert_text(x509, NGX_AOP_CERT_SUBJECT);
    assert_non_null(text);
    assert_int_equal(strlen(text), 3 + 3 * CERT_LONG);
    unit_printable(text);

    free(text);
    X509_free(x509);
    free(value);
}


static void
cert_name_many(void **state)
{
    int         i;
    char       *text;
    X509       *x509;
    X509_NAME  *name;

    x509 = cert_named("OU", MBSTRING_ASC, "a", -1);
    name = cert_name_copy(x509);

    for (i = 1; i < 500; i++) {
        assert_int_equal(X509_NAME_add_entry_by_txt(name, "OU", MBSTRING_ASC,
                                           (unsigned char *) "a", -1, -1, 0),
                         1);
    }

    cert_rename(x509, name);

    text = cert_text(x509, NGX_AOP_CERT_SUBJECT);
    assert_non_null(text);
    assert_int_equal(strlen(text), 500 * (sizeof("OU=a,") - 1) - 1);

    free(text);
    X509_free(x509);
}


static void
cert_serial(void **state)
{
    X509                 *x509;
    BIGNUM               *bn;
    ASN1_INTEGER         *serial;
    const cert_serial_t  *c = *state;

    bn = NULL;
    x509 = X509_new();

    assert_non_null(x509);
    assert_true(BN_hex2bn(&bn, c->hex) > 0);

    serial = BN_to_ASN1_INTEGER(bn, NULL);
    assert_non_null(serial);
    assert_int_equal(X509_set_serialNumber(x509, serial), 1);

    cert_expect(x509, NGX_AOP_CERT_SERIAL, c->text);

    ASN1_INTEGER_free(serial);
    BN_free(bn);
    X509_free(x509);
}


static void
cert_not_after(const ASN1_TIME *asn1, const char *text)
{
    X509  *x509;

    x509 = X509_new();

    assert_non_null(x509);
    assert_int_equal(X509_set1_notAfter(x509, asn1), 1);

    if (text) {
        cert_expect(x509, NGX_AOP_CERT_NOT_AFTER, text);

    } else {
        assert_null(cert_text(x509, NGX_AOP_CERT_NOT_AFTER));
    }

    X509_free(x509);
}


static void
cert_time(void **state)
{
    char                date[NGX_AOP_DATE];
    time_t              t;
    ASN1_TIME          *asn1;
    const cert_time_t  *c = *state;

    t = 12345;

    asn1 = ASN1_STRING_type_new(c->type);
    assert_non_null(asn1);
    assert_int_equal(ASN1_STRING_set(asn1, c->value, -1), 1);

    assert_int_equal(ngx_aop_cert_time(asn1, &t), c->text != NULL);
    assert_true(t == ngx_aop_time_fit(c->time));

    if (c->text) {
        assert_ptr_equal(ngx_aop_cert_date(c->time, date), date);
        assert_string_equal(date, c->text);
    }

    cert_not_after(asn1, c->text);

    ASN1_TIME_free(asn1);
    ERR_clear_error();
}


static void
cert_time_null(void **state)
{
    time_t  t;

    t = 12345;

    assert_int_equal(ngx_aop_cert_time(NULL, &t), 0);
    assert_true(t == 0);
}


/* Beyond what a calendar holds there is no date, and none is made up. */

static void
cert_date_none(void **state)
{
    char  date[NGX_AOP_DATE];

    memset(date, 'x', sizeof(date));

    assert_string_equal(ngx_aop_cert_date(INT64_MAX, date), "");
}


/* The time zone of the machine is not that of certificates. */

static void
cert_time_zone(void **state)
{
    time_t      t;
    ASN1_TIME  *asn1;

    setenv("TZ", "America/New_York", 1);
    tzset();

    asn1 = pki_time(PKI_NOW);

    assert_int_equal(ngx_aop_cert_time(asn1, &t), 1);
    assert_true(t == PKI_NOW);

    ASN1_TIME_free(asn1);
    unsetenv("TZ");
    tzset();
}


/* Out of memory is a BIO that takes nothing. */

static void
cert_full(void **state)
{
    int   fact;
    BIO  *bio;

    bio = BIO_new_mem_buf("", 0);
    assert_non_null(bio);

    for (fact = 0; fact < NGX_AOP_CERT_FACTS; fact++) {
        assert_int_equal(ngx_aop_cert_print(pki.cert[LEAF],
                                            (ngx_aop_cert_fact_e) fact, bio),
                         0);
    }

    BIO_free(bio);
    ERR_clear_error();
}


/* As many whole parts as fit; counted by hand. */

static size_t
cert_whole_parts(const cert_cut_t *c, size_t max)
{
    size_t  i, len;

    len = 0;

    for (i = 0; i < CERT_PARTS && c->part[i] != NULL; i++) {
        if (len + strlen(c->part[i]) > max) {
            break;
        }

        len += strlen(c->part[i]);
    }

    return len;
}


static void
cert_cut(void **state)
{
    char              *text;
    char               all[64];
    size_t             i, len, max;
    const cert_cut_t  *c = *state;

    all[0] = '\0';

    for (i = 0; i < CERT_PARTS && c->part[i] != NULL; i++) {
        strcat(all, c->part[i]);
    }

    /* without its end, for tools to see what reads beyond */

    len = strlen(all);
    text = malloc(len ? len : 1);
    assert_non_null(text);
    memcpy(text, all, len);

    for (max = 0; max <= len + 3; max++) {
        assert_int_equal(ngx_aop_cert_cut(text, len, max),
                         cert_whole_parts(c, max));
    }

    free(text);
}


/* What OpenSSL prints is what is cut. */

static void
cert_cut_names(void **state)
{
    char    *text;
    X509    *x509;
    size_t   i, n, len, max;

    for (i = 0; i < unit_nelts(names); i++) {
        x509 = cert_named(names[i].field, names[i].type, names[i].value,
                          names[i].len);
        text = cert_text(x509, NGX_AOP_CERT_SUBJECT);
        assert_non_null(text);

        len = strlen(text);

        for (max = 0; max <= len; max++) {
            n = ngx_aop_cert_cut(text, len, max);

            assert_true(n <= max && n + 3 > max);

            /* a whole prefix is cut no further */

            assert_int_equal(ngx_aop_cert_cut(text, len, n), n);
        }

        free(text);
        X509_free(x509);
    }
}


static void
cert_days(void **state)
{
    const cert_days_t  *c = *state;

    assert_int_equal(ngx_aop_cert_days(PKI_NOW + c->left, PKI_NOW), c->days);
}


int
main(void)
{
    unit_cases(days, cert_days);
    unit_cases(facts, cert_fact);
    unit_case("fact: none of these", cert_fact_unknown, NULL);
    unit_case("subject is not issuer", cert_subject_and_issuer, NULL);
    unit_case("digest, computed apart", cert_digest, NULL);
    unit_case("SPKI, computed apart", cert_spki, NULL);
    unit_cases(names, cert_name);
    unit_case("name: as a string", cert_name_string, NULL);
    unit_case("name: no attribute", cert_name_none, NULL);
    unit_case("name: several attributes", cert_name_attributes, NULL);
    unit_case("name: every byte", cert_name_all_bytes, NULL);
    unit_case("name: 100 KB", cert_name_long, NULL);
    unit_case("name: 500 attributes", cert_name_many, NULL);
    unit_cases(serials, cert_serial);
    unit_cases(times, cert_time);
    unit_case("no time: NULL", cert_time_null, NULL);
    unit_case("no date: the end of time_t", cert_date_none, NULL);
    unit_case("time: in UTC wherever we are", cert_time_zone, NULL);
    unit_case("nowhere to print to", cert_full, NULL);
    unit_cases(cuts, cert_cut);
    unit_case("cut: every name above", cert_cut_names, NULL);

    return unit_run("cert", cert_setup, cert_teardown);
}
