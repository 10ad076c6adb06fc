
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * seed FOLDER: makes a first corpus for each target.  Nothing of it is kept
 * in the repository, because certificates end.
 */


#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <openssl/pem.h>

#include "ngx_aop_mode.h"
#include "ngx_aop_stamp.h"
#include "pki.h"


enum {
    ROOT = 1,
    TWIN,
    INTER,
    LEAF,
    DEEP,
    ENDED,
    SERVER,
    REVOKED,
    STRANGE,
    RSA_LEAF,
    NCERTS
};

enum {
    CRL = 1,
    INTER_CRL,
    DELTA_CRL,
    OLD_CRL,
    NCRLS
};


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA, PKI_SKID } },
    [TWIN] = { .name = "Root", .ext = { PKI_CA } },
    [INTER] = { .name = "Intermediate", .by = ROOT,
                .ext = { PKI_CA, PKI_SKID, PKI_AKID } },
    [LEAF] = { .name = "leaf", .by = ROOT,
               .ext = { "extendedKeyUsage=clientAuth" } },
    [DEEP] = { .name = "deep", .by = INTER, .ext = { PKI_AKID } },
    [ENDED] = { .name = "ended", .by = ROOT, .to = PKI_NOW - 1 },
    [SERVER] = { .name = "server", .by = ROOT,
                 .ext = { "extendedKeyUsage=serverAuth",
                          "subjectAltName=DNS:server.test,IP:127.0.0.1" } },
    [REVOKED] = { .name = "revoked", .by = ROOT },
    [STRANGE] = { .name = "a\"<&'\\,+ \n\xc3\xa9\xe2\x98\x83", .by = ROOT,
                  .to = PKI_END,
                  .ext = { "nameConstraints=permitted;DNS:good.example",
                           "policyConstraints=requireExplicitPolicy:0" } },
    [RSA_LEAF] = { .name = "OU=CloudFlare Origin SSL Certificate Authority",
                   .by = ROOT, .rsa = 1024, .md = "SHA1" },
};


static const pki_crl_t  crls[NCRLS] = {
    [CRL] = { .by = ROOT, .revoked = { REVOKED } },
    [INTER_CRL] = { .by = INTER, .to = PKI_NEVER },
    [DELTA_CRL] = { .by = ROOT, .ext = { "crlNumber=DER:02:01:02",
                                         "deltaCRL=critical,DER:02:01:01" } },
    [OLD_CRL] = { .by = ROOT, .to = PKI_NOW - PKI_DAY,
                  .revoked = { LEAF } },
};


/* What the target "judge" reads; a digit stands for the row of a table. */

typedef struct {
    const char  *name;
    const char  *parts;         /* a letter and a row, each two characters */
} seed_judge_t;

static const seed_judge_t  judgements[] = {
    { "leaf", "a1l4" },
    { "none", "l4" },
    { "below", "a1i3l5" },
    { "below-none", "a1l5" },
    { "anchor-intermediate", "a3l5" },
    { "anchor-leaf", "a4i1l4" },
    { "twins", "a2a1l4" },
    { "ended", "a1l6" },
    { "server", "a1l7" },
    { "revoked", "a1c1l8" },
    { "crl", "a1c1l4" },
    { "crls", "a1c1c2i3l5" },
    { "crl-ended", "a1c4l4" },
    { "delta", "a1c1c3l4" },
    { "strange", "a1l9" },
    { "pin", "a1p4l4" },
    { "other-pin", "a1p5l4" },
    { "sent-twice", "a1i4i3i3i1l5" },
};


static const char *const  ranges[] = {
    "192.0.2.0/24", "192.0.2.1", "0.0.0.0/0", "2001:db8::/32", "::1",
    "::ffff:192.0.2.1/120", "::/0", "fe80::1/129", "10.0.0.0/33", "1.2.3.4/",
    "2001:0db8:0000:0000:0000:0000:0000:0001/128",
};


/* the length of the name, the name, a host */

static const char *const  names[] = {
    "\x01\x0c" "example.test" "example.test:443",
    "\x01\x06" "*.test" "www.example.test.", "\x01\x05" ".test" "test",
    "\x01\x05" "www.*" "www.test", "\x01\x01" "_" "[2001:db8::1]:443",
};


static const char *const  texts[] = {
    "\x40plain", "\x40\"quotes\" and \\", "\x40<a href='x'>&amp;</a>",
    "\x01overflow of a small buffer",
    "\x40\xc3\xa9\xe2\x98\x83\xf0\x9f\x98\x80",
    "\x40\xff\xfe\xc0\x80\xed\xa0\x80\xf5", "\x40\t\r\n\x7f\x01",
    "\x40\xe2\x98", "\x02\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80",
};


#define SEED_ENTRY(status, verdict)                                           \
    "{\"time\":\"2030-01-01T00:00:00+00:00\",\"server\":\"a.test\","          \
    "\"mode\":\"optional\",\"verdict\":\"" verdict "\",\"status\":\""         \
    status "\",\"resumed\":\".\",\"peer\":\"edge\",\"peer_addr\":"            \
    "\"192.0.2.1\",\"host\":\"a.test\",\"uri\":\"/\\u0000\",\"ua\":\"b\"}\n"

static const char *const  logs[] = {
    SEED_ENTRY("PASSED", "ok"),
    SEED_ENTRY("REJECTED", "none") SEED_ENTRY("REJECTED_DRY_RUN", "expired"),
    SEED_ENTRY("PASSED", "none"),
    "{\"time\":\"2030-01-01T00:00:00+00:00\",\"server\":\"\",\"mode\":\"off\","
    "\"status\":\"\"}\n",
    "192.0.2.1 - - [01/Jan/2030:00:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n\n",
};


/* pieces of an answer, one a line */

#define PAGE(fields)                                                           \
    "{\"module\":\"0.2.0\",\"nginx\":\"1.22.1\",\"openssl\":\"OpenSSL\","      \
    "\"time\":\"2030-01-01T00:00:00Z\",\"servers\":[{\"name\":\"a.test\","     \
    "\"mode\":\"on\",\"why\":\"why\",\"since\":\"2029-12-31T00:00:00Z\","      \
    fields "}]}"

static const char *const  pages[] = {
    PAGE("\"ready\":\"yes\",\"state\":\"observing\",\"refused\":[],"
         "\"certificates\":[]"),
    PAGE("\"ready\":\"unknown\",\"state\":\"enforced\",\"refused\":[{"
         "\"verdict\":\"none\",\"peer\":\"edge\",\"count\":3,\"first\":null,"
         "\"last\":\"2029-12-31T22:00:00Z\"}],\"certificates\":[{\"kind\":"
         "\"client\",\"subject\":\"CN=a\",\"days_left\":3,\"last\":null}]"),
    PAGE("\"ready\":\"no\",\"refused\":[],\"certificates\":[]}],"
         "\"unprotected\":[{\"name\":\"b\",\"file\":\"f\",\"line\":1,"
         "\"explicit\":false,\"beside\":[\"a.test\"]"),
};

static const char *const  answers[] = {
    "HTTP/1.1 200 OK\r\n\r\n",
    "HTTP/1.0 301 x\r\nLocation: https://a.test/\r\n\r\n",
    "HTTP/1.1 400 Bad Request\r\n\r\n<html>\n"
    "<head><title>400 No required SSL \n"
    "certificate was sent</title></head>\r\n",
    "HTTP/1.1 400 x\r\n\r\n<title>400 The SSL certificate error</title>",
    "HTTP/1.1 400 x\r\n\r\n"
    "<title>400 The plain HTTP request was sent to HTTPS port</title>",
    "HTTP/1.1 4\n03 Forbidden\r\n",
    "HTTP/1.1 103 x\r\n\r\nHTTP/1.1 200 x\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 x\r\nTransfer-Encoding: chunked\r\n\r\n"
    "3\r\nabc\r\n5;x=y\r\nd efg\r\n0\r\n\r\n",
    "HTTP/1.1 302 x\r\nLocation: //a.test:8443/b?c\r\nAlt-Svc: h3=\":443\"\r\n"
    "Connection: keep-alive\r\n\r\n",
    "220 mail.test ESMTP\r\n",
};


/* frames of HTTP/2: settings, the head of an answer, its body, the end */

static const char  frames[] =
    "\0\0\0\4\0\0\0\0\0"
    "\0\0\1\1\4\0\0\0\1\x8c"
    "\0\0\5\0\1\0\0\0\1a b c"
    "\0\0\10\7\0\0\0\0\0\0\0\0\1\0\0\0";


static const char  *seed_folder;
static int          seed_files;


static FILE *
seed_open(const char *target, const char *name)
{
    char   path[4096];
    FILE  *f;

    assert_true(snprintf(path, sizeof(path), "%s/%s", seed_folder, target)
                < (int) sizeof(path));
    (void) mkdir(path, 0755);

    assert_true(snprintf(path, sizeof(path), "%s/%s/%s-%d", seed_folder,
                         target, name, seed_files++) < (int) sizeof(path));

    f = fopen(path, "wb");
    assert_non_null(f);

    return f;
}


static void
seed_file(const char *target, const char *name, const void *data, size_t len)
{
    FILE  *f;

    f = seed_open(target, name);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}


static void
seed_certs(void)
{
    int             i, len;
    FILE           *f;
    unsigned char  *der;

    for (i = 1; i < NCERTS; i++) {
        der = NULL;
        len = i2d_X509(pki.cert[i], &der);
        assert_true(len > 0);

        seed_file("cert", "cert", der, len);
        seed_file("pem", "der", der, len);

        OPENSSL_free(der);

        f = seed_open("pem", "cert");
        PEM_write_X509(f, pki.cert[i]);

        if (i == LEAF) {
            PEM_write_X509_AUX(f, pki.cert[ROOT]);
            PEM_write_PrivateKey(f, pki.key[i], NULL, NULL, 0, NULL, NULL);
        }

        fclose(f);
    }

    for (i = 1; i < NCRLS; i++) {
        f = seed_open("pem", "crl");
        fprintf(f, "text before\n");
        PEM_write_X509_CRL(f, pki.crl[i]);
        fclose(f);
    }
}


static void
seed_pin(char *text, pki_index_t row)
{
    int            i, n;
    unsigned char  digest[NGX_AOP_DIGEST];

    assert_true(ngx_aop_cert_spki(pki.cert[row], digest));

    n = sprintf(text, "spki-sha256:");

    for (i = 0; i < NGX_AOP_DIGEST; i++) {
        n += sprintf(text + n, "%s%02X", i % 2 ? ":" : "", digest[i]);
    }
}


static void
seed_piece(FILE *f, char kind, pki_index_t row)
{
    int             len;
    char            pin[256];
    unsigned char  *der;

    der = NULL;

    if (kind == 'p') {
        seed_pin(pin, row);
        der = (unsigned char *) OPENSSL_strdup(pin);
        len = strlen(pin);

    } else if (kind == 'c') {
        len = i2d_X509_CRL(pki.crl[row], &der);

    } else {
        len = i2d_X509(pki.cert[row], &der);
    }

    assert_true(len > 0);

    fputc(kind, f);
    fputc(len >> 8, f);
    fputc(len & 0xff, f);
    fwrite(der, 1, len, f);

    OPENSSL_free(der);
}


static void
seed_judge(const seed_judge_t *seed)
{
    FILE        *f;
    const char  *p;

    f = seed_open("judge", seed->name);

    fputc(3, f);
    fputc(1, f);

    for (p = seed->parts; *p; p += 2) {
        seed_piece(f, p[0], p[1] - '0');
    }

    fclose(f);
}


/* what to put right, the time, and a stamp: see the target "stamp" */

static void
seed_stamps(void)
{
    int              what, verdict;
    void            *data;
    FILE            *f;
    size_t           len;
    SSL_SESSION     *session;
    ngx_aop_stamp_t  stamp;

    static const unsigned char  now[8] = { 0, 0, 0, 0, 0x70, 0xdb, 0xd8, 0x80 };

    session = SSL_SESSION_new();
    assert_non_null(session);

    for (what = 0; what < 8; what++) {
        for (verdict = 0; verdict < 2; verdict++) {
            memset(&stamp, 0, sizeof(stamp));

            stamp.verdict = verdict;
            stamp.made = PKI_NOW - 60;
            stamp.valid_until = PKI_NOW + (what & 1 ? 60 : -30);

            assert_int_equal(ngx_aop_stamp_write(session, &stamp), 1);
            assert_int_equal(SSL_SESSION_get0_ticket_appdata(session, &data,
                                                             &len), 1);

            f = seed_open("stamp", "stamp");
            fputc(what == 6 ? 7 : what, f);
            fwrite(now, 1, sizeof(now), f);
            fwrite(data, 1, len, f);
            fclose(f);
        }
    }

    SSL_SESSION_free(session);
}


static void
seed_texts(const char *target, const char *const *table, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {
        seed_file(target, "text", table[i], strlen(table[i]));
    }
}


/* how it ends, and the pieces: see the target "http" */

static void
seed_answer(const char *answer, int end)
{
    FILE        *f;
    size_t       len;
    const char  *p, *line;

    f = seed_open("http", "answer");

    fputc(end, f);

    for (p = answer; *p; p += len) {
        line = strchr(p, '\n');
        len = line ? (size_t) (line - p) + 1 : strlen(p);

        fputc(len >> 8, f);
        fputc(len & 0xff, f);
        fwrite(p, 1, len, f);
    }

    fclose(f);
}


static void
seed_frames(int end)
{
    FILE    *f;
    size_t   len;

    len = sizeof(frames) - 1;

    f = seed_open("http", "frames");

    fputc(end, f);
    fputc(len >> 8, f);
    fputc(len & 0xff, f);
    fwrite(frames, 1, len, f);

    fclose(f);
}


static void
seed_pins(void)
{
    char  text[256];

    seed_pin(text, LEAF);
    seed_file("pin", "hex", text, strlen(text));

    memcpy(text, "cert", 4);
    seed_file("pin", "cert", text, strlen(text));

    strcpy(text, "spki-sha256:e2ef9fe85ac39f522dc773505f399875"
                 "aa75ac10c49766ca899f8f99b07da34c");
    seed_file("pin", "plain", text, strlen(text));

    strcpy(text, "spki-sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    seed_file("pin", "base64", text, strlen(text));
}


static void
seed_modes(void)
{
    const char  *word;
    unsigned     i;

    for (i = 0; i < NGX_AOP_MODES; i++) {
        word = ngx_aop_mode_word(i);
        seed_file("mode", word, word, strlen(word));
    }
}


/*
 * Six bytes an event: two for the time, who and what, and what is forged
 * beside it.  Requests that pass from the edge, and one failure among them.
 */

static void
seed_evidence(void)
{
    unsigned       i;
    unsigned char  events[120][6];

    for (i = 0; i < unit_nelts(events); i++) {
        memcpy(events[i], "\x20\x40\0\x90\xf0\x11", 6);

        if (i == 30) {
            events[i][3] = 0x91;
        }
    }

    seed_file("evidence", "rollout", (char *) events, sizeof(events));
}


int
main(int argc, char **argv)
{
    size_t  i;

    if (argc != 2) {
        fprintf(stderr, "usage: seed FOLDER\n");
        return 1;
    }

    seed_folder = argv[1];

    pki_certs(certs, NCERTS);
    pki_crls(crls, NCRLS);

    seed_certs();
    seed_stamps();
    seed_pins();
    seed_modes();
    seed_evidence();

    for (i = 0; i < unit_nelts(judgements); i++) {
        seed_judge(&judgements[i]);
    }

    seed_texts("range", ranges, unit_nelts(ranges));
    seed_texts("name", names, unit_nelts(names));
    seed_texts("text", texts, unit_nelts(texts));
    seed_texts("log", logs, unit_nelts(logs));
    seed_texts("page", pages, unit_nelts(pages));

    seed_file("line", "fields",
              "\x02\0\0\x05" "ab\"\\\n" "\x01\x01\0\x08" "CN=\\0A\\,"
              "\x01\0\0\x04\xc2\x9b\xff\xe2", 25);

    seed_file("report", "texts",
              "\0\x05" "a\"<\\&" "\0\x01" "b" "\0\x02" "c\n" "\0\x01" "\xff"
              "\0\x02" "\xc2\x9b" "\0\x01" "\x7f" "\0\x01" "1" "\0\x01" "2"
              "\xff\x02\x01\x01\x01\x01\x02\x03\x09\x03\x02\x01\0\x30\x02\x01"
              "\0\x31\x01\x02\0\x32", 48);

    for (i = 0; i < unit_nelts(answers); i++) {
        seed_answer(answers[i], i % 4);
    }

    seed_frames(4);

    /* a gzip file has zeros in it: "{}" and a line feed, stored */

    seed_file("log", "gzip",
              "\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x03\0\xfc\xff{}\n"
              "\x06\xb0\xa1\xdd\x03\0\0\0", 26);

    pki_free();

    return 0;
}
