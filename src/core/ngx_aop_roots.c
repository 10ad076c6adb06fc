
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Is this a CA that issues certificates for anyone?  The CAs that the system
 * trusts do; they are looked up only for a warning, and nothing is ever
 * verified by them.  A system without a store, or with an unreadable one,
 * knows no such CA.
 */


#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_roots.h"


/* Debian's bundle has 220 KB */

#define NGX_AOP_ROOTS_MAX  (4 * 1024 * 1024)


static int ngx_aop_roots_load(X509_STORE *roots);
static int ngx_aop_roots_hashed(const char *path);
static int ngx_aop_roots_load_file(X509_STORE *roots, const char *file);
static const char *ngx_aop_roots_path(const char *variable,
    const char *otherwise);
static int ngx_aop_roots_find(X509_STORE_CTX *ctx, const X509_NAME *name,
    X509 *x509, int (*is)(X509 *root, X509 *x509));


X509_STORE *
ngx_aop_roots_new(void)
{
    X509_STORE  *roots;

    ERR_set_mark();

    roots = X509_STORE_new();

    if (roots != NULL && !ngx_aop_roots_load(roots)) {
        X509_STORE_free(roots);
        roots = NULL;
    }

    ERR_pop_to_mark();

    return roots;
}


/*
 * Of a folder, OpenSSL reads only the certificates of the names in question;
 * the bundle next to it is read as a whole, which takes 100 ms with OpenSSL
 * 3.0.  So it is read only if there is nothing else, or if it was named.
 */

static int
ngx_aop_roots_load(X509_STORE *roots)
{
    const char   *dir;
    X509_LOOKUP  *lookup;

    dir = ngx_aop_roots_path(X509_get_default_cert_dir_env(),
                             X509_get_default_cert_dir());

    lookup = X509_STORE_add_lookup(roots, X509_LOOKUP_hash_dir());
    if (lookup == NULL) {
        return 0;
    }

    (void) X509_LOOKUP_add_dir(lookup, dir, X509_FILETYPE_PEM);

    if (ngx_aop_roots_hashed(dir)
        && getenv(X509_get_default_cert_file_env()) == NULL)
    {
        return 1;
    }

    return ngx_aop_roots_load_file(roots,
                         ngx_aop_roots_path(X509_get_default_cert_file_env(),
                                            X509_get_default_cert_file()));
}


/* Does it have names as made by c_rehash(1): eight digits, a number? */

static int
ngx_aop_roots_hashed(const char *path)
{
    DIR                  *dir;
    size_t                n;
    const struct dirent  *entry;

    dir = opendir(path);

    if (dir == NULL) {
        return 0;
    }

    n = 0;

    do {
        entry = readdir(dir);

        if (entry != NULL) {
            n = strspn(entry->d_name, "0123456789abcdef");
        }

    } while (entry != NULL && (n != 8 || strcmp(entry->d_name + n, ".0") != 0));

    (void) closedir(dir);

    return entry != NULL;
}


static int
ngx_aop_roots_load_file(X509_STORE *roots, const char *file)
{
    struct stat   st;
    X509_LOOKUP  *lookup;

    if (stat(file, &st) != 0
        || !S_ISREG(st.st_mode)
        || st.st_size > NGX_AOP_ROOTS_MAX)
    {
        return 1;
    }

    lookup = X509_STORE_add_lookup(roots, X509_LOOKUP_file());
    if (lookup == NULL) {
        return 0;
    }

    (void) X509_LOOKUP_load_file(lookup, file, X509_FILETYPE_PEM);

    return 1;
}


static const char *
ngx_aop_roots_path(const char *variable, const char *otherwise)
{
    const char  *path;

    path = getenv(variable);

    return path ? path : otherwise;
}


int
ngx_aop_roots_know(X509_STORE *roots, X509 *x509)
{
    int              known;
    X509_STORE_CTX  *ctx;

    known = 0;

    ERR_set_mark();

    ctx = X509_STORE_CTX_new();

    if (ctx != NULL && X509_STORE_CTX_init(ctx, roots, NULL, NULL)) {
        known = ngx_aop_roots_find(ctx, X509_get_subject_name(x509), x509,
                                   ngx_aop_cert_same_key)
                || ngx_aop_roots_find(ctx, X509_get_issuer_name(x509), x509,
                                      ngx_aop_cert_issued);
    }

    X509_STORE_CTX_free(ctx);

    ERR_pop_to_mark();

    return known;
}


static int
ngx_aop_roots_find(X509_STORE_CTX *ctx, const X509_NAME *name, X509 *x509,
    int (*is)(X509 *root, X509 *x509))
{
    int              i, found;
    STACK_OF(X509)  *list;

    found = 0;

    /* OpenSSL 1.1.1 takes a name that is not const, and leaves it as it is */

    list = X509_STORE_CTX_get1_certs(ctx, (X509_NAME *) name);

    for (i = 0; !found && i < sk_X509_num(list); i++) {
        found = is(sk_X509_value(list, i), x509);
    }

    sk_X509_pop_free(list, X509_free);

    return found;
}
