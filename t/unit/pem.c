
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What is read out of a PEM file, and what is said if it cannot be. */


#include <stdio.h>
#include <unistd.h>
#include <sys/stat.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "ngx_aop_pem.h"
#include "oom.h"
#include "pki.h"


#define PEM_MB      (1024 * 1024)
#define PEM_COPIES  100


enum {
    ROOT = 1,
    LEAF,
    NCERTS
};

enum {
    CRL = 1,
    NCRLS
};


typedef enum {
    PEM_LF = 0,
    PEM_CRLF,
    PEM_CR
} pem_eol_e;


/*
 * In a text, {} stands for a certificate or another thing by its letter; see
 * pem_piece().
 */

typedef struct {
    const char  *name;
    const char  *text;
    int          certs;
    int          crls;
    int          keys;
    pem_eol_e    eol;
    const char  *err;           /* part of the message; NULL: a good file */
} pem_case_t;


typedef struct {
    const char  *name;
    size_t       size;          /* of a certificate and what follows it */
    const char  *err;
} pem_size_t;


typedef struct {
    const char  *name;
    const char  *file;
    const char  *err;
} pem_file_t;


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT }
};


static const pki_crl_t  crls[NCRLS] = {
    [CRL] = { .by = ROOT, .revoked = { LEAF } }
};


#define BEGIN(name)  "-----BEGIN " name "-----\n"
#define END(name)    "-----END " name "-----\n"

static const pem_case_t  cases[] = {

    { "a certificate", "{root}", .certs = 1 },
    { "two certificates", "{root}{leaf}", .certs = 2 },
    { "the same twice", "{root}{root}", .certs = 2 },
    { "a CRL", "{crl}", .crls = 1 },
    { "two CRLs", "{crl}{crl}", .crls = 2 },
    { "CRL, certificate", "{crl}{root}", .certs = 1, .crls = 1 },
    { "certificates, CRL, key", "{root}{leaf}{crl}{key}",
      .certs = 2, .crls = 1, .keys = 1 },
    { "key, certificate, key", "{key}{root}{key}", .certs = 1, .keys = 2 },
    { "an EC key of the old kind",
      BEGIN("EC PRIVATE KEY") "AAAA\n" END("EC PRIVATE KEY") "{root}",
      .certs = 1, .keys = 1 },
    { "an encrypted key",
      BEGIN("RSA PRIVATE KEY") "Proc-Type: 4,ENCRYPTED\n"
      "DEK-Info: AES-256-CBC,0123456789ABCDEF0123456789ABCDEF\n\nAAAA\n"
      END("RSA PRIVATE KEY") "{root}", .certs = 1, .keys = 1 },
    { "X509 CERTIFICATE", "{old}", .certs = 1 },
    { "TRUSTED CERTIFICATE", "{trusted}", .certs = 1 },
    { "TRUSTED CERTIFICATE, not for servers", "{rejectedelse}", .certs = 1 },
    { "TRUSTED CERTIFICATE, not for clients", "{root}{rejected}",
      .err = "the trust settings of a TRUSTED CERTIFICATE reject TLS client" },
    { "TRUSTED CERTIFICATE, not for any", "{rejectedany}",
      .err = "the trust settings of a TRUSTED CERTIFICATE reject TLS client" },
    { "TRUSTED CERTIFICATE, for servers only", "{trustedelse}",
      .err = "the trust settings of a TRUSTED CERTIFICATE reject TLS client" },
    { "another block between", "{root}{public}{leaf}", .certs = 2 },

    { "text before", "Subject: CN = Root\n\n{root}", .certs = 1 },
    { "text after", "{root}the end\n", .certs = 1 },
    { "text between", "{root}\n# next\n-----\n--\n{leaf}", .certs = 2 },
    { "empty lines around", "\n\n\n{root}\n\n\n{leaf}\n\n\n", .certs = 2 },
    { "text that starts with 0", "0 is the first letter\n{root}",
      .certs = 1 },
    { "no line feed at the end", "{root}{noeol}", .certs = 2 },
    { "CRLF", "{root}{leaf}", .certs = 2, .eol = PEM_CRLF },
    { "CRLF, text around", "a\n{root}b\n{crl}c\n", .certs = 1, .crls = 1,
      .eol = PEM_CRLF },
    { "byte order mark", "\xef\xbb\xbf{root}", .certs = 1 },
    { "byte order mark, CRLF", "\xef\xbb\xbf{root}{leaf}", .certs = 2,
      .eol = PEM_CRLF },
    { "byte order mark, text", "\xef\xbb\xbftext\n{root}", .certs = 1 },
    { "NUL bytes before", "{nul}{nul}\n{root}", .certs = 1 },
    { "NUL bytes after", "{root}{nul}{nul}{nul}", .certs = 1 },
    { "NUL bytes between", "{root}{nul}\n{leaf}", .certs = 2 },

    { "empty", "", .err = "no PEM certificate or CRL in it" },
    { "a line feed", "\n", .err = "no PEM certificate or CRL in it" },
    { "a byte order mark only", "\xef\xbb\xbf",
      .err = "no PEM certificate or CRL in it" },
    { "text only", "no certificate here\n",
      .err = "no PEM certificate or CRL in it" },
    { "NUL bytes only", "{nul}{nul}{nul}{nul}",
      .err = "no PEM certificate or CRL in it" },
    { "a 0 only", "0", .err = "no PEM certificate or CRL in it" },
    { "a key only", "{key}",
      .err = "no certificate or CRL (but a private key) in" },
    { "a public key only", "{public}",
      .err = "no PEM certificate or CRL in it" },
    { "a request only",
      BEGIN("CERTIFICATE REQUEST") "AAAA\n" END("CERTIFICATE REQUEST"),
      .err = "not a certificate or CRL" },
    { "PKCS7 only", BEGIN("PKCS7") "AAAA\n" END("PKCS7"),
      .err = "not a certificate or CRL" },
    { "CR only", "{root}", .eol = PEM_CR,
      .err = "1 of 1 blocks cannot be read" },

    { "DER of a certificate", "{der}", .err = "DER instead of PEM" },
    { "DER of a CRL", "{crlder}", .err = "DER instead of PEM" },
    { "DER, and more", "{der}{root}", .err = "DER instead of PEM" },
    { "DER behind a byte order mark", "\xef\xbb\xbf{der}",
      .err = "DER instead of PEM" },

    { "cut in its data", "{half}", .err = "block 1 (PEM) is broken" },
    { "cut in its data, the second", "{root}{half}",
      .err = "block 2 (PEM) is broken" },
    { "cut in its data, another after it", "{half}{root}",
      .err = "block 1 (PEM) is broken" },
    { "BEGIN only", BEGIN("CERTIFICATE"), .err = "block 1 (PEM) is broken" },
    { "END of another", BEGIN("CERTIFICATE") "AAAA\n" END("X509 CRL"),
      .err = "block 1 (PEM) is broken" },
    { "no line feed between", "{noeol}{root}",
      .err = "block 1 (PEM) is broken" },
    { "broken base64", "{star}", .err = "block 1 (PEM) is broken" },
    { "broken base64, the third", "{root}{key}{star}",
      .err = "block 3 (PEM) is broken" },
    { "NUL bytes within", BEGIN("CERTIFICATE") "{nul}{nul}\n"
      END("CERTIFICATE"), .err = "block 1 (PEM) is broken" },

    { "no DER", BEGIN("CERTIFICATE") "AAAA\n" END("CERTIFICATE"),
      .err = "block 1 (CERTIFICATE) is broken" },
    { "no DER, the second", "{root}" BEGIN("CERTIFICATE") "AAAA\n"
      END("CERTIFICATE"), .err = "block 2 (CERTIFICATE) is broken" },
    { "no DER, another after it", BEGIN("CERTIFICATE") "AAAA\n"
      END("CERTIFICATE") "{root}", .err = "block 1 (CERTIFICATE) is broken" },
    { "cut DER", "{cutder}", .err = "block 1 (CERTIFICATE) is broken" },
    { "an empty block", BEGIN("CERTIFICATE") END("CERTIFICATE"),
      .err = "block 1 (" },
    { "no CRL", "{root}" BEGIN("X509 CRL") "AAAA\n" END("X509 CRL"),
      .err = "block 2 (X509 CRL) is broken" },
    { "a certificate as CRL", "{misnamed}",
      .err = "block 1 (X509 CRL) is broken" },
    { "no trusted certificate", BEGIN("TRUSTED CERTIFICATE") "AAAA\n"
      END("TRUSTED CERTIFICATE"),
      .err = "block 1 (TRUSTED CERTIFICATE) is broken" }
};


static const pem_size_t  sizes[] = {
    { "file: small", 0, NULL },
    { "file: 16 MB", 16 * PEM_MB, NULL },
    { "file: 100 MB", 100 * PEM_MB, NULL },
    { "file: 100 MB and a byte", 100 * PEM_MB + 1, "larger than 100 MB" }
};


static const pem_file_t  files[] = {
    { "file: missing", "missing.pem", "No such file or directory" },
    { "file: below a missing folder", "no/file.pem",
      "No such file or directory" },
    { "file: below a file", "empty.pem/file.pem", "Not a directory" },
    { "file: empty", "empty.pem", "the file is empty" },
    { "file: a directory", ".", "not a regular file" },
    { "file: a device", "/dev/null", "not a regular file" },
    { "file: no name", "", "No such file or directory" }
};


static char  pem_folder[] = "/tmp/aop-unit-pem-XXXXXX";


static void
pem_path(char *path, size_t size, const char *file)
{
    int  n;

    if (file[0] == '/' || file[0] == '\0') {
        n = snprintf(path, size, "%s", file);

    } else {
        n = snprintf(path, size, "%s/%s", pem_folder, file);
    }

    assert_true(n >= 0 && (size_t) n < size);
}


static void
pem_write(const char *file, const char *data, size_t len)
{
    char   path[256];
    FILE  *f;

    pem_path(path, sizeof(path), file);

    f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, len, f), len);
    assert_int_equal(fclose(f), 0);
}


static void
pem_delete(const char *file)
{
    char  path[256];

    pem_path(path, sizeof(path), file);
    unlink(path);
}


static int
pem_setup(void **state)
{
    pki_certs(certs, NCERTS);
    pki_crls(crls, NCRLS);

    assert_non_null(mkdtemp(pem_folder));
    pem_write("empty.pem", "", 0);

    return 0;
}


static int
pem_teardown(void **state)
{
    pki_free();

    pem_delete("empty.pem");
    pem_delete("size.pem");

    return rmdir(pem_folder);
}


static void
pem_put(BIO *out, const char *data, size_t len)
{
    if (len) {
        assert_int_equal(BIO_write(out, data, (int) len), len);
    }
}


/* A certificate under another label, or with less of it. */

static void
pem_put_block(BIO *out, const char *label, long less)
{
    int             len;
    unsigned char  *der;

    der = NULL;
    len = i2d_X509(pki.cert[ROOT], &der);

    assert_true(len > less);
    assert_true(PEM_write_bio(out, label, "", der, len - less) > 0);

    OPENSSL_free(der);
}


static void
pem_put_trusted(BIO *out, int trust, int reject)
{
    X509  *x509;

    x509 = X509_dup(pki.cert[ROOT]);
    assert_non_null(x509);

    if (trust != NID_undef) {
        assert_int_equal(X509_add1_trust_object(x509, OBJ_nid2obj(trust)), 1);
    }

    if (reject != NID_undef) {
        assert_int_equal(X509_add1_reject_object(x509, OBJ_nid2obj(reject)),
                         1);
    }

    assert_int_equal(PEM_write_bio_X509_AUX(out, x509), 1);

    X509_free(x509);
}


/* The root's block without its last len bytes, or with a star in it. */

static void
pem_put_damaged(BIO *out, size_t less, int star)
{
    BIO   *bio;
    char  *data;
    long   len;

    bio = BIO_new(BIO_s_mem());
    assert_non_null(bio);
    assert_int_equal(PEM_write_bio_X509(bio, pki.cert[ROOT]), 1);

    len = BIO_get_mem_data(bio, &data);
    assert_true((size_t) len > less);

    if (star) {
        data[len / 2] = '*';
    }

    pem_put(out, data, len - less);

    BIO_free(bio);
}


static void
pem_piece(BIO *out, const char *name, size_t len)
{
#define is(text)  (len == sizeof(text) - 1 && memcmp(name, text, len) == 0)

    if (is("root")) {
        assert_int_equal(PEM_write_bio_X509(out, pki.cert[ROOT]), 1);

    } else if (is("leaf")) {
        assert_int_equal(PEM_write_bio_X509(out, pki.cert[LEAF]), 1);

    } else if (is("crl")) {
        assert_int_equal(PEM_write_bio_X509_CRL(out, pki.crl[CRL]), 1);

    } else if (is("key")) {
        assert_int_equal(PEM_write_bio_PrivateKey(out, pki.key[ROOT], NULL,
                                                  NULL, 0, NULL, NULL), 1);

    } else if (is("public")) {
        assert_int_equal(PEM_write_bio_PUBKEY(out, pki.key[ROOT]), 1);

    } else if (is("old")) {
        pem_put_block(out, PEM_STRING_X509_OLD, 0);

    } else if (is("misnamed")) {
        pem_put_block(out, PEM_STRING_X509_CRL, 0);

    } else if (is("cutder")) {
        pem_put_block(out, PEM_STRING_X509, 10);

    } else if (is("trusted")) {
        pem_put_trusted(out, NID_client_auth, NID_undef);

    } else if (is("rejected")) {
        pem_put_trusted(out, NID_undef, NID_client_auth);

    } else if (is("rejectedany")) {
        pem_put_trusted(out, NID_client_auth, NID_anyExtendedKeyUsage);

    } else if (is("rejectedelse")) {
        pem_put_trusted(out, NID_undef, NID_server_auth);

    } else if (is("trustedelse")) {
        pem_put_trusted(out, NID_server_auth, NID_undef);

    } else if (is("half")) {
        pem_put_damaged(out, 200, 0);

    } else if (is("noeol")) {
        pem_put_damaged(out, 1, 0);

    } else if (is("star")) {
        pem_put_damaged(out, 0, 1);

    } else if (is("der")) {
        assert_int_equal(i2d_X509_bio(out, pki.cert[ROOT]), 1);

    } else if (is("crlder")) {
        assert_int_equal(i2d_X509_CRL_bio(out, pki.crl[CRL]), 1);

    } else if (is("nul")) {
        pem_put(out, "", 1);

    } else {
        fail_msg("no such piece: %.*s", (int) len, name);
    }

#undef is
}


static BIO *
pem_expand(const char *text)
{
    BIO         *out;
    size_t       n;
    const char  *p;

    out = BIO_new(BIO_s_mem());
    assert_non_null(out);

    for (p = text; *p; p += n) {

        if (*p == '{') {
            n = strcspn(p, "}") + 1;
            pem_piece(out, p + 1, n - 2);
            continue;
        }

        n = strcspn(p, "{");
        pem_put(out, p, n);
    }

    return out;
}


static BIO *
pem_line_ends(BIO *in, pem_eol_e eol)
{
    BIO   *out;
    long   i, len;
    char  *data;

    out = BIO_new(BIO_s_mem());
    assert_non_null(out);

    len = BIO_get_mem_data(in, &data);

    for (i = 0; i < len; i++) {

        if (data[i] == '\n' && eol != PEM_LF) {
            pem_put(out, "\r", 1);
        }

        if (data[i] != '\n' || eol != PEM_CR) {
            pem_put(out, data + i, 1);
        }
    }

    BIO_free(in);

    return out;
}


static void
pem_failed(ngx_aop_pem_t *pem, int rc, const char *err)
{
    assert_int_equal(rc, 0);

    if (strstr(pem->err, err) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", err, pem->err);
    }

    unit_printable(pem->err);

    /* nothing to free */

    assert_null(pem->certs);
    assert_null(pem->crls);
}


static void
pem_case(void **state)
{
    int                rc;
    BIO               *bio;
    long               len;
    char              *data;
    ngx_aop_pem_t      pem;
    const pem_case_t  *c = *state;

    memset(&pem, 0xa5, sizeof(pem));

    bio = pem_line_ends(pem_expand(c->text), c->eol);
    len = BIO_get_mem_data(bio, &data);

    rc = ngx_aop_pem_parse(&pem, len ? data : "", len);

    BIO_free(bio);

    assert_int_equal(ERR_peek_error(), 0);

    if (c->err) {
        pem_failed(&pem, rc, c->err);
        return;
    }

    assert_string_equal(pem.err, "");
    assert_int_equal(rc, 1);
    assert_int_equal(sk_X509_num(pem.certs), c->certs);
    assert_int_equal(sk_X509_CRL_num(pem.crls), c->crls);
    assert_int_equal(pem.keys, c->keys);

    ngx_aop_pem_free(&pem);

    assert_null(pem.certs);
    assert_null(pem.crls);
}


static int
pem_parse(ngx_aop_pem_t *pem, const char *text)
{
    int    rc;
    BIO   *bio;
    long   len;
    char  *data;

    bio = pem_expand(text);
    len = BIO_get_mem_data(bio, &data);

    rc = ngx_aop_pem_parse(pem, data, len);

    BIO_free(bio);

    return rc;
}


static void
pem_order(void **state)
{
    ngx_aop_pem_t  pem;

    assert_int_equal(pem_parse(&pem, "{leaf}{crl}{trusted}{leaf}"), 1);

    assert_int_equal(sk_X509_num(pem.certs), 3);
    assert_int_equal(X509_cmp(sk_X509_value(pem.certs, 0), pki.cert[LEAF]),
                     0);
    assert_int_equal(X509_cmp(sk_X509_value(pem.certs, 1), pki.cert[ROOT]),
                     0);
    assert_int_equal(X509_cmp(sk_X509_value(pem.certs, 2), pki.cert[LEAF]),
                     0);
    assert_int_equal(X509_CRL_match(sk_X509_CRL_value(pem.crls, 0),
                                    pki.crl[CRL]),
                     0);

    ngx_aop_pem_free(&pem);
}


static void
pem_many(void **state)
{
    int             i;
    char            text[PEM_COPIES * (sizeof("{leaf}") - 1) + 1];
    ngx_aop_pem_t   pem;

    text[0] = '\0';

    for (i = 0; i < PEM_COPIES; i++) {
        strcat(text, "{leaf}");
    }

    assert_int_equal(pem_parse(&pem, text), 1);
    assert_int_equal(sk_X509_num(pem.certs), PEM_COPIES);

    ngx_aop_pem_free(&pem);
}


static void
pem_free_twice(void **state)
{
    ngx_aop_pem_t  pem;

    assert_int_equal(pem_parse(&pem, "{root}{crl}"), 1);

    ngx_aop_pem_free(&pem);
    ngx_aop_pem_free(&pem);

    assert_int_equal(pem_parse(&pem, "{half}"), 0);

    ngx_aop_pem_free(&pem);
}


/* A stray error is not the reason why a good file would fail. */

static void
pem_stray_error(void **state)
{
    ngx_aop_pem_t  pem;

    ERR_put_error(ERR_LIB_X509, 0, ERR_R_MALLOC_FAILURE, __FILE__, __LINE__);

    assert_int_equal(pem_parse(&pem, "{root}"), 1);

    ngx_aop_pem_free(&pem);
    ERR_clear_error();
}


/* No length of a file is fatal: each is whole blocks, or refused. */

static void
pem_every_length(void **state)
{
    int             rc;
    BIO            *bio;
    long            i, len;
    char           *data, *copy;
    ngx_aop_pem_t   pem;

    bio = pem_expand("{root}{crl}");
    len = BIO_get_mem_data(bio, &data);

    for (i = 0; i < len; i++) {

        /* of that length only, for tools to see what reads beyond */

        copy = malloc(i ? i : 1);
        assert_non_null(copy);
        memcpy(copy, data, i);

        rc = ngx_aop_pem_parse(&pem, copy, i);

        if (rc) {
            assert_int_equal(sk_X509_num(pem.certs), 1);
            ngx_aop_pem_free(&pem);

        } else {
            assert_true(pem.err[0] != '\0');
        }

        free(copy);
    }

    BIO_free(bio);
}


static void
pem_size(void **state)
{
    int                rc;
    BIO               *bio;
    char              *data, path[256];
    long               len;
    ngx_aop_pem_t      pem;
    const pem_size_t  *c = *state;

    bio = pem_expand("{root}");
    len = BIO_get_mem_data(bio, &data);

    pem_write("size.pem", data, len);
    pem_path(path, sizeof(path), "size.pem");

    if (c->size) {
        assert_int_equal(truncate(path, c->size), 0);
    }

    rc = ngx_aop_pem_read(&pem, path);

    BIO_free(bio);

    if (c->err) {
        pem_failed(&pem, rc, c->err);
        return;
    }

    assert_int_equal(rc, 1);
    assert_int_equal(sk_X509_num(pem.certs), 1);

    ngx_aop_pem_free(&pem);
}


static void
pem_file(void **state)
{
    char               path[256];
    ngx_aop_pem_t      pem;
    const pem_file_t  *c = *state;

    memset(&pem, 0xa5, sizeof(pem));
    pem_path(path, sizeof(path), c->file);

    pem_failed(&pem, ngx_aop_pem_read(&pem, path), c->err);
}


static void
pem_file_broken(void **state)
{
    char           path[256];
    ngx_aop_pem_t  pem;

    static const char  text[] = BEGIN("CERTIFICATE") "AAAA\n"
                                END("CERTIFICATE");

    pem_write("size.pem", text, sizeof(text) - 1);
    pem_path(path, sizeof(path), "size.pem");

    pem_failed(&pem, ngx_aop_pem_read(&pem, path),
               "block 1 (CERTIFICATE) is broken");
}


/*
 * OpenSSL before 1.1.1p and 3.0.4 crashes if memory runs out while
 * d2i_X509_CRL() makes a CRL: it frees what it has of it by the CRL's methods,
 * which have not been set yet (OpenSSL's pull request 18360).
 */

static int
pem_crl_crashes(void)
{
    unsigned long  version;

    version = OpenSSL_version_num();

    return version < 0x1010110f
           || (version >= 0x30000000 && version < 0x30000040);
}


/* Either all of the file or an error; never a part of it. */

static void
pem_memory(void **state)
{
    int             rc, ncrls;
    BIO            *bio;
    long            len;
    char           *data;
    size_t          n, failed;
    ngx_aop_pem_t   pem;
    const oom_e    *mode = *state;

    ncrls = pem_crl_crashes() ? 0 : 1;

    bio = pem_expand(ncrls ? "{root}{leaf}{crl}{key}" : "{root}{leaf}{key}");
    len = BIO_get_mem_data(bio, &data);

    for (n = 0, failed = 1; failed; n++) {

        oom_arm(*mode, n);
        rc = ngx_aop_pem_parse(&pem, data, len);
        failed = oom_disarm();

        ERR_clear_error();

        if (!rc) {
            assert_true(failed > 0);
            assert_true(pem.err[0] != '\0');
            assert_null(pem.certs);
            assert_null(pem.crls);
            continue;
        }

        assert_int_equal(sk_X509_num(pem.certs), 2);
        assert_int_equal(sk_X509_CRL_num(pem.crls), ncrls);
        assert_int_equal(pem.keys, 1);

        ngx_aop_pem_free(&pem);
    }

    assert_true(n > 10);

    BIO_free(bio);
}


int
main(void)
{
    static const oom_e  once = OOM_ONCE, from = OOM_FROM;

    oom_init();

    unit_cases(cases, pem_case);
    unit_case("in the order of the file", pem_order, NULL);
    unit_case("100 certificates", pem_many, NULL);
    unit_case("freed twice", pem_free_twice, NULL);
    unit_case("a stray error", pem_stray_error, NULL);
    unit_case("a file of every length", pem_every_length, NULL);
    unit_cases(sizes, pem_size);
    unit_cases(files, pem_file);
    unit_case("file: broken", pem_file_broken, NULL);
    unit_slow("an allocation fails", pem_memory, &once);
    unit_slow("memory runs out", pem_memory, &from);

    return unit_run("pem", pem_setup, pem_teardown);
}
