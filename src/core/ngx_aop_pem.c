
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * PEM files that an administrator named.  An error says what to correct;
 * nothing that may have been meant as a certificate is skipped silently.
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "ngx_aop_pem.h"


/* rejects a file named by mistake; a CRL may grow for years */

#define NGX_AOP_PEM_MAX  (100 * 1024 * 1024)
#define NGX_AOP_PEM_ANY  "certificate or CRL"


static char *ngx_aop_pem_load(ngx_aop_pem_t *pem, FILE *f, size_t *len);
static int ngx_aop_pem_parse_as(ngx_aop_pem_t *pem, const char *data,
    size_t len, const char *what);
static int ngx_aop_pem_count(const char *data, size_t len);
static int ngx_aop_pem_blocks(ngx_aop_pem_t *pem, BIO *bio, int count);
static int ngx_aop_pem_empty(ngx_aop_pem_t *pem, const char *what);
static int ngx_aop_pem_block(ngx_aop_pem_t *pem, const char *name,
    const unsigned char *der, long len);
static int ngx_aop_pem_add_trusted(ngx_aop_pem_t *pem,
    const unsigned char *der, long len);
static int ngx_aop_pem_add_cert(ngx_aop_pem_t *pem, const unsigned char *der,
    long len);
static int ngx_aop_pem_add_crl(ngx_aop_pem_t *pem, const unsigned char *der,
    long len);
static int ngx_aop_pem_is_der(const char *data, size_t len);
static int ngx_aop_pem_broken(ngx_aop_pem_t *pem, const char *what, int n);


int
ngx_aop_pem_read(ngx_aop_pem_t *pem, const char *file)
{
    return ngx_aop_pem_read_as(pem, file, NGX_AOP_PEM_ANY);
}


int
ngx_aop_pem_read_as(ngx_aop_pem_t *pem, const char *file, const char *what)
{
    int     rc, fd;
    char   *data;
    FILE   *f;
    size_t  len;

    memset(pem, 0, sizeof(ngx_aop_pem_t));

    /* open() of a FIFO would wait for a writer */

    fd = open(file, O_RDONLY|O_CLOEXEC|O_NONBLOCK);
    f = (fd == -1) ? NULL : fdopen(fd, "r");

    if (f == NULL) {
        snprintf(pem->err, sizeof(pem->err), "%s", strerror(errno));

        if (fd != -1) {
            close(fd);
        }

        return 0;
    }

    data = ngx_aop_pem_load(pem, f, &len);

    fclose(f);

    if (data == NULL) {
        return 0;
    }

    rc = ngx_aop_pem_parse_as(pem, data, len, what);

    OPENSSL_free(data);

    return rc;
}


static char *
ngx_aop_pem_load(ngx_aop_pem_t *pem, FILE *f, size_t *len)
{
    char        *data;
    struct stat  st;

    if (fstat(fileno(f), &st) != 0) {
        snprintf(pem->err, sizeof(pem->err), "%s", strerror(errno));
        return NULL;
    }

    if (!S_ISREG(st.st_mode)) {
        snprintf(pem->err, sizeof(pem->err), "not a regular file");
        return NULL;
    }

    if (st.st_size == 0) {
        snprintf(pem->err, sizeof(pem->err), "the file is empty");
        return NULL;
    }

    if (st.st_size > NGX_AOP_PEM_MAX) {
        snprintf(pem->err, sizeof(pem->err),
                 "larger than 100 MB, not a certificate or CRL file");
        return NULL;
    }

    data = OPENSSL_malloc(st.st_size);
    if (data == NULL) {
        snprintf(pem->err, sizeof(pem->err), "out of memory");
        return NULL;
    }

    *len = fread(data, 1, st.st_size, f);

    if (ferror(f)) {
        snprintf(pem->err, sizeof(pem->err), "%s", strerror(errno));
        OPENSSL_free(data);
        return NULL;
    }

    return data;
}


int
ngx_aop_pem_parse(ngx_aop_pem_t *pem, const char *data, size_t len)
{
    return ngx_aop_pem_parse_as(pem, data, len, NGX_AOP_PEM_ANY);
}


static int
ngx_aop_pem_parse_as(ngx_aop_pem_t *pem, const char *data, size_t len,
    const char *what)
{
    int   rc;
    BIO  *bio;

    static const char  bom[] = "\xef\xbb\xbf";

    memset(pem, 0, sizeof(ngx_aop_pem_t));

    /* before the first line a byte order mark would hide the first block */

    if (len >= 3 && memcmp(data, bom, 3) == 0) {
        data += 3;
        len -= 3;
    }

    if (ngx_aop_pem_is_der(data, len)) {
        snprintf(pem->err, sizeof(pem->err),
                 "DER instead of PEM (convert it with \"openssl x509 -inform "
                 "DER\" or \"openssl crl -inform DER\")");
        return 0;
    }

    rc = 0;

    bio = BIO_new_mem_buf(data, (int) len);
    pem->certs = sk_X509_new_null();
    pem->crls = sk_X509_CRL_new_null();

    if (bio == NULL || pem->certs == NULL || pem->crls == NULL) {
        snprintf(pem->err, sizeof(pem->err), "out of memory");

    } else {
        rc = ngx_aop_pem_blocks(pem, bio, ngx_aop_pem_count(data, len))
             && !ngx_aop_pem_empty(pem, what);
    }

    if (!rc) {
        ngx_aop_pem_free(pem);
    }

    BIO_free(bio);

    return rc;
}


/* How many blocks were meant: "-BEGIN " in any spelling. */

static int
ngx_aop_pem_count(const char *data, size_t len)
{
    int          n;
    const char  *p, *last;

    static const char  begin[] = "-BEGIN ";

    n = 0;
    last = data + len;

    for (p = data;
         (p = memchr(p, '-', last - p)) != NULL
         && (size_t) (last - p) >= sizeof(begin) - 1;
         p++)
    {
        n += (memcmp(p, begin, sizeof(begin) - 1) == 0);
    }

    return n;
}


static int
ngx_aop_pem_blocks(ngx_aop_pem_t *pem, BIO *bio, int count)
{
    int             n, rc;
    char           *name, *header;
    long            len;
    unsigned char  *der;
    unsigned long   error;

    ERR_clear_error();

    for (n = 1; PEM_read_bio(bio, &name, &header, &der, &len); n++) {

        rc = ngx_aop_pem_block(pem, name, der, len);

        if (!rc && pem->err[0] == '\0') {
            ngx_aop_pem_broken(pem, name, n);
        }

        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);

        if (!rc) {
            return 0;
        }
    }

    error = ERR_peek_last_error();

    if (ERR_GET_LIB(error) != ERR_LIB_PEM
        || ERR_GET_REASON(error) != PEM_R_NO_START_LINE)
    {
        return ngx_aop_pem_broken(pem, "PEM", n);
    }

    ERR_clear_error();

    if (n - 1 < count) {
        snprintf(pem->err, sizeof(pem->err),
                 "%d of %d blocks cannot be read (\"-----BEGIN ...-----\" "
                 "must be on a separate line, with five dashes at each end)",
                 count - n + 1, count);
        return 0;
    }

    return 1;
}


static int
ngx_aop_pem_empty(ngx_aop_pem_t *pem, const char *what)
{
    if (sk_X509_num(pem->certs) != 0 || sk_X509_CRL_num(pem->crls) != 0) {
        return 0;
    }

    snprintf(pem->err, sizeof(pem->err),
             pem->keys ? "no %s (but a private key) in it" : "no PEM %s in it",
             what);

    return 1;
}


static int
ngx_aop_pem_block(ngx_aop_pem_t *pem, const char *name,
    const unsigned char *der, long len)
{
    if (strcmp(name, PEM_STRING_X509) == 0
        || strcmp(name, PEM_STRING_X509_OLD) == 0)
    {
        return ngx_aop_pem_add_cert(pem, der, len);
    }

    if (strcmp(name, PEM_STRING_X509_TRUSTED) == 0) {
        return ngx_aop_pem_add_trusted(pem, der, len);
    }

    if (strcmp(name, PEM_STRING_X509_CRL) == 0) {
        return ngx_aop_pem_add_crl(pem, der, len);
    }

    if (strstr(name, "PRIVATE KEY") != NULL) {
        pem->keys++;
    }

    /* other blocks about certificates are meant, but not understood */

    return strstr(name, "CERT") == NULL
           && strstr(name, "CRL") == NULL
           && strstr(name, "PKCS") == NULL;
}


/*
 * A certificate is trusted because the configuration names it, unless its own
 * trust settings say otherwise.  They are not kept: d2i_X509() does not read
 * them.
 */

static int
ngx_aop_pem_add_trusted(ngx_aop_pem_t *pem, const unsigned char *der,
    long len)
{
    int                   trust;
    X509                 *x509;
    const unsigned char  *p;

    p = der;

    x509 = d2i_X509_AUX(NULL, &p, len);
    if (x509 == NULL) {
        return 0;
    }

    trust = X509_check_trust(x509, X509_TRUST_SSL_CLIENT, 0);

    X509_free(x509);

    if (trust == X509_TRUST_REJECTED) {
        snprintf(pem->err, sizeof(pem->err),
                 "the trust settings of a TRUSTED CERTIFICATE reject TLS "
                 "client authentication (remove them with \"openssl x509\" if "
                 "they are not intended)");
        return 0;
    }

    return ngx_aop_pem_add_cert(pem, der, len);
}


static int
ngx_aop_pem_add_cert(ngx_aop_pem_t *pem, const unsigned char *der, long len)
{
    X509  *x509;

    x509 = d2i_X509(NULL, &der, len);
    if (x509 == NULL) {
        return 0;
    }

    if (!sk_X509_push(pem->certs, x509)) {
        X509_free(x509);
        return 0;
    }

    return 1;
}


static int
ngx_aop_pem_add_crl(ngx_aop_pem_t *pem, const unsigned char *der, long len)
{
    X509_CRL  *crl;

    crl = d2i_X509_CRL(NULL, &der, len);
    if (crl == NULL) {
        return 0;
    }

    if (!sk_X509_CRL_push(pem->crls, crl)) {
        X509_CRL_free(crl);
        return 0;
    }

    return 1;
}


static int
ngx_aop_pem_is_der(const char *data, size_t len)
{
    int                   rc;
    X509                 *x509;
    X509_CRL             *crl;
    const unsigned char  *p;

    if (len == 0 || data[0] != 0x30) {      /* SEQUENCE */
        return 0;
    }

    ERR_set_mark();

    p = (const unsigned char *) data;
    x509 = d2i_X509(NULL, &p, (long) len);

    p = (const unsigned char *) data;
    crl = d2i_X509_CRL(NULL, &p, (long) len);

    ERR_pop_to_mark();

    rc = (x509 != NULL || crl != NULL);

    X509_free(x509);
    X509_CRL_free(crl);

    return rc;
}


static int
ngx_aop_pem_broken(ngx_aop_pem_t *pem, const char *what, int n)
{
    char        *p, name[40];
    const char  *reason;

    /* the name is what stands in the file */

    snprintf(name, sizeof(name), "%s", what);

    for (p = name; *p; p++) {
        if (*p < 0x20 || *p > 0x7e) {
            *p = '?';
        }
    }

    reason = ERR_reason_error_string(ERR_peek_last_error());

    snprintf(pem->err, sizeof(pem->err), "block %d (%s) is broken: %s",
             n, name, reason ? reason : "not a certificate or CRL");

    ERR_clear_error();

    return 0;
}


void
ngx_aop_pem_free(ngx_aop_pem_t *pem)
{
    sk_X509_pop_free(pem->certs, X509_free);
    sk_X509_CRL_pop_free(pem->crls, X509_CRL_free);

    pem->certs = NULL;
    pem->crls = NULL;
}
