
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The private key that is uploaded with a client certificate: does it belong
 * to it, and does Cloudflare accept its form?  It must have no passphrase, and
 * an ML-DSA key must be its seed and nothing else (RFC 9881, 6).  Nothing of
 * the key itself is ever printed.
 */


#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "lint.h"


#define AOPCTL_LINT_KEY_MAX  (1024 * 1024)

/* [0] IMPLICIT OCTET STRING (SIZE (32)) */

#define AOPCTL_LINT_SEED      "\x80\x20"
#define AOPCTL_LINT_SEED_LEN  34


typedef struct {
    int          n;                 /* private keys in the file */
    EVP_PKEY    *pkey;              /* owned; NULL: not to be read */
    unsigned     encrypted:1;
    unsigned     ml_dsa:1;
    unsigned     seed:1;            /* and nothing else */
    char         err[256];          /* the file could not be read */
} aopctl_lint_key_t;


static void aopctl_lint_key_check(aopctl_lint_t *lint, json_t *object,
    const char *file, const aopctl_lint_key_t *key,
    ngx_aop_lint_level_e *level);
static const char *aopctl_lint_key_form(const aopctl_lint_key_t *key,
    const char **word);
static void aopctl_lint_key_read(aopctl_lint_key_t *key, const char *file);
static void aopctl_lint_key_block(aopctl_lint_key_t *key, const char *name,
    const char *header, const unsigned char *data, long len);
static void aopctl_lint_key_pkcs8(aopctl_lint_key_t *key,
    const unsigned char *data, long len);


json_t *
aopctl_lint_key(aopctl_lint_t *lint, const char *file)
{
    json_t                *object;
    aopctl_lint_key_t      key;
    ngx_aop_lint_level_e   level;

    object = json_object();
    level = NGX_AOP_LINT_OK;

    aopctl_json_set(object, "file", aopctl_json_text(lint->key));
    aopctl_json_set(object, "role", json_string("key"));
    aopctl_json_set(object, "findings", json_array());

    aopctl_lint_key_read(&key, lint->key);
    aopctl_lint_key_check(lint, object, file, &key, &level);

    aopctl_json_set(object, "level",
                    json_string(ngx_aop_lint_level_word(level)));

    aopctl_lint_finding_raise(&lint->level, level);

    EVP_PKEY_free(key.pkey);

    return object;
}


static void
aopctl_lint_key_check(aopctl_lint_t *lint, json_t *object, const char *file,
    const aopctl_lint_key_t *key, ngx_aop_lint_level_e *level)
{
    const char     *text, *word;
    ngx_aop_pem_t   pem;

    if (key->err[0] != '\0') {
        aopctl_lint_finding_add(object, NGX_AOP_LINT_ERROR, "unreadable",
                                key->err, level);
        return;
    }

    text = aopctl_lint_key_form(key, &word);

    if (text != NULL) {
        aopctl_lint_finding_add(object, NGX_AOP_LINT_ERROR, word, text, level);
    }

    if (key->n != 1 || key->encrypted) {
        return;
    }

    if (key->pkey == NULL) {
        aopctl_lint_finding_add(object, NGX_AOP_LINT_WARNING, "key_unknown",
                                "cannot be read by this OpenSSL, so it cannot "
                                "be compared with the certificate",
                                level);
        return;
    }

    /* a certificate that cannot be read is reported with its own file */

    if (!aopctl_lint_trust_read(&pem, file, AOPCTL_LINT_CLIENT)) {
        return;
    }

    ERR_set_mark();

    if (X509_check_private_key(sk_X509_value(pem.certs, 0), key->pkey) != 1) {
        aopctl_lint_finding_add(object, NGX_AOP_LINT_ERROR, "key_mismatch",
                                "does not belong to the client certificate",
                                level);
    }

    ERR_pop_to_mark();

    ngx_aop_pem_free(&pem);
}


/* What Cloudflare would not accept; NULL if it would. */

static const char *
aopctl_lint_key_form(const aopctl_lint_key_t *key, const char **word)
{
    if (key->n == 0) {
        *word = "no_key";
        return "contains no PEM private key";
    }

    if (key->n > 1) {
        *word = "several_keys";
        return "contains more than one private key";
    }

    if (key->encrypted) {
        *word = "key_encrypted";
        return "has a passphrase, which Cloudflare does not support (remove "
               "it with openssl pkey -in FILE -out NEW)";
    }

    if (key->ml_dsa && !key->seed) {
        *word = "key_form";
        return "is an ML-DSA key with more than its seed, and Cloudflare "
               "accepts only the seed (use openssl pkey -provparam "
               "ml-dsa.output_formats=seed-only -in FILE -out NEW)";
    }

    return NULL;
}


static void
aopctl_lint_key_read(aopctl_lint_key_t *key, const char *file)
{
    BIO            *bio;
    long            len;
    char           *name, *header;
    struct stat     st;
    unsigned char  *data;

    memset(key, 0, sizeof(aopctl_lint_key_t));

    if (stat(file, &st) == 0
        && (!S_ISREG(st.st_mode) || st.st_size > AOPCTL_LINT_KEY_MAX))
    {
        snprintf(key->err, sizeof(key->err), "not a regular file of at most "
                 "1 MB");
        return;
    }

    bio = BIO_new_file(file, "r");

    if (bio == NULL) {
        snprintf(key->err, sizeof(key->err), "%s", strerror(errno));
        ERR_clear_error();
        return;
    }

    ERR_set_mark();

    while (PEM_read_bio(bio, &name, &header, &data, &len)) {

        if (strstr(name, "PRIVATE KEY") != NULL) {
            key->n++;

            if (key->n == 1) {
                aopctl_lint_key_block(key, name, header, data, len);
            }
        }

        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_clear_free(data, len);
    }

    ERR_pop_to_mark();

    BIO_free(bio);
}


static void
aopctl_lint_key_block(aopctl_lint_key_t *key, const char *name,
    const char *header, const unsigned char *data, long len)
{
    if (strncmp(name, "ENCRYPTED", 9) == 0 || strstr(header, "ENCRYPTED")) {
        key->encrypted = 1;

    } else if (strcmp(name, "PRIVATE KEY") == 0) {
        aopctl_lint_key_pkcs8(key, data, len);

    } else {
        key->pkey = d2i_AutoPrivateKey(NULL, &data, len);
    }
}


static void
aopctl_lint_key_pkcs8(aopctl_lint_key_t *key, const unsigned char *data,
    long len)
{
    int                    n;
    size_t                 i;
    char                   text[64];
    const ASN1_OBJECT     *oid;
    const unsigned char   *octets;
    PKCS8_PRIV_KEY_INFO   *info;

    /* by their numbers: OpenSSL before 3.5 has no names for them */

    static const char *const  ml_dsa[] = {
        "2.16.840.1.101.3.4.3.17",          /* ML-DSA-44 */
        "2.16.840.1.101.3.4.3.18",          /* ML-DSA-65 */
        "2.16.840.1.101.3.4.3.19"           /* ML-DSA-87 */
    };

    info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &data, len);

    if (info == NULL) {
        return;
    }

    key->pkey = EVP_PKCS82PKEY(info);

    PKCS8_pkey_get0(&oid, &octets, &n, NULL, info);
    OBJ_obj2txt(text, sizeof(text), oid, 1);

    for (i = 0; i < sizeof(ml_dsa) / sizeof(ml_dsa[0]); i++) {
        key->ml_dsa |= (strcmp(text, ml_dsa[i]) == 0);
    }

    key->seed = (n == AOPCTL_LINT_SEED_LEN
                 && memcmp(octets, AOPCTL_LINT_SEED, 2) == 0);

    PKCS8_PRIV_KEY_INFO_free(info);
}
