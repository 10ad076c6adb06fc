
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which CAs issue certificates for anyone: those of the system's store, which
 * is a file of this test's, and those of the server's own chain.
 */


#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "ngx_aop_lint.h"
#include "ngx_aop_roots.h"
#include "pki.h"


enum {
    PUBLIC = 1,
    ISSUED,
    RENEWED,                        /* another certificate of the key */
    OTHER,                          /* of the name, and of another key */
    BELOW_OTHER,
    OWN,
    SITE,
    SITE_OWN,
    PUBLIC_LEAF,
    NCERTS
};


typedef struct {
    const char   *name;
    pki_index_t   cert;
    int           known;
} roots_known_t;


typedef struct {
    const char   *name;
    pki_index_t   anchors[3];
    pki_index_t   site;             /* 0: what the system trusts */
    pki_index_t   chain;            /* 0: none */
    const char   *about;            /* NULL: not found */
} roots_lint_t;


static const pki_cert_t  certs[NCERTS] = {
    [PUBLIC] = { .name = "Public", .ext = { PKI_CA } },
    [ISSUED] = { .name = "Issued", .by = PUBLIC, .ext = { PKI_CA } },
    [RENEWED] = { .name = "Public", .key = PUBLIC, .ext = { PKI_CA } },
    [OTHER] = { .name = "Public", .ext = { PKI_CA } },
    [BELOW_OTHER] = { .name = "Below", .by = OTHER, .ext = { PKI_CA } },
    [OWN] = { .name = "Own", .ext = { PKI_CA } },
    [SITE] = { .name = "site", .by = ISSUED },
    [SITE_OWN] = { .name = "site", .by = OWN },
    [PUBLIC_LEAF] = { .name = "leaf", .by = PUBLIC }
};


static const roots_known_t  known[] = {
    { "a root of the store", PUBLIC, 1 },
    { "another certificate of its key", RENEWED, 1 },
    { "a CA that it issued", ISSUED, 1 },
    { "a CA of its name", OTHER, 0 },
    { "a CA below one of its name", BELOW_OTHER, 0 },
    { "an own CA", OWN, 0 }
};


static const roots_lint_t  findings[] = {
    { "public: an own CA", { OWN }, 0, 0, NULL },
    { "public: a root", { PUBLIC }, 0, 0, "\"CN=Public\"" },
    { "public: a leaf of a root", { PUBLIC_LEAF }, 0, 0, NULL },
    { "public: beside an own CA", { OWN, ISSUED }, 0, 0, "\"CN=Issued\"" },
    { "public: two of one name", { PUBLIC, RENEWED }, 0, 0,
      "\"CN=Public\" and 1 more" },

    { "own chain: another CA", { OWN }, SITE, ISSUED, NULL },
    { "own chain: the issuer", { ISSUED }, SITE, 0, "\"CN=Issued\"" },
    { "own chain: the issuer, in the chain", { ISSUED }, SITE, ISSUED,
      "\"CN=Issued\"" },
    { "own chain: the root", { PUBLIC }, SITE, ISSUED, "\"CN=Public\"" },
    { "own chain: the root, not in the chain", { PUBLIC }, SITE, 0, NULL },
    { "own chain: a CA of the root's name", { OTHER }, SITE, ISSUED, NULL },
    { "own chain: the certificate itself", { SITE }, SITE, ISSUED, NULL },
    { "own chain: an own CA, of all", { OWN }, SITE_OWN, 0, "\"CN=Own\"" }
};


static char         roots_file[] = "/tmp/aop-roots.XXXXXX";
static X509_STORE  *roots;


static int
roots_setup(void **state)
{
    int    fd;
    FILE  *f;

    pki_certs(certs, NCERTS);

    fd = mkstemp(roots_file);
    assert_int_not_equal(fd, -1);

    f = fdopen(fd, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, pki.cert[PUBLIC]), 1);
    fclose(f);

    setenv("SSL_CERT_FILE", roots_file, 1);
    setenv("SSL_CERT_DIR", "/nonexistent", 1);

    roots = ngx_aop_roots_new();
    assert_non_null(roots);

    return 0;
}


static int
roots_teardown(void **state)
{
    unlink(roots_file);
    X509_STORE_free(roots);
    pki_free();

    return 0;
}


static void
roots_known(void **state)
{
    const roots_known_t  *c = *state;

    assert_int_equal(ngx_aop_roots_know(roots, pki.cert[c->cert]), c->known);
    assert_int_equal(ERR_peek_error(), 0);
}


static void
roots_lint(void **state)
{
    size_t                 i;
    unsigned               set;
    STACK_OF(X509)        *chain;
    ngx_aop_policy_t      *policy;
    const roots_lint_t    *c = *state;
    ngx_aop_lint_found_t   found;

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);

    for (i = 0; i < 3 && c->anchors[i]; i++) {
        assert_int_equal(ngx_aop_policy_add_anchor(policy,
                                                   pki.cert[c->anchors[i]],
                                                   NULL),
                         1);
    }

    chain = NULL;

    if (c->chain) {
        chain = sk_X509_new_null();
        assert_true(sk_X509_push(chain, pki.cert[c->chain]));
    }

    memset(&found, 0xff, sizeof(found));

    if (c->site) {
        set = ngx_aop_lint_bit(NGX_AOP_LINT_OWN_CHAIN);
        ngx_aop_lint_own_chain(policy, pki.cert[c->site], chain, &found);

    } else {
        set = ngx_aop_lint_bit(NGX_AOP_LINT_PUBLIC);
        ngx_aop_lint_public(policy, roots, &found);
    }

    assert_int_equal(found.set, c->about ? set : 0);
    assert_string_equal(found.about, c->about ? c->about : "");

    sk_X509_free(chain);
    ngx_aop_policy_free(policy);
}


/* What is missing, is no file, or is no PEM, is a store that knows nobody. */

static void
roots_quiet(void **state)
{
    size_t       i;
    X509_STORE  *store;

    static const char *const  files[] = {
        "/nonexistent", "/dev/zero", "/tmp", "/proc/self/exe"
    };

    for (i = 0; i < unit_nelts(files); i++) {
        setenv("SSL_CERT_FILE", files[i], 1);

        store = ngx_aop_roots_new();
        assert_non_null(store);

        assert_int_equal(ngx_aop_roots_know(store, pki.cert[PUBLIC]), 0);
        assert_int_equal(ERR_peek_error(), 0);

        X509_STORE_free(store);
    }
}


/* A folder is asked by names, as "openssl rehash" makes them. */

static void
roots_folder(void **state)
{
    FILE        *f;
    char         folder[] = "/tmp/aop-roots.XXXXXX", file[64];
    X509_STORE  *store;

    assert_non_null(mkdtemp(folder));

    snprintf(file, sizeof(file), "%s/%08lx.0", folder,
             X509_NAME_hash(X509_get_subject_name(pki.cert[PUBLIC])));

    f = fopen(file, "w");
    assert_non_null(f);
    assert_int_equal(PEM_write_X509(f, pki.cert[PUBLIC]), 1);
    fclose(f);

    unsetenv("SSL_CERT_FILE");
    setenv("SSL_CERT_DIR", folder, 1);

    store = ngx_aop_roots_new();
    assert_non_null(store);

    assert_int_equal(ngx_aop_roots_know(store, pki.cert[RENEWED]), 1);
    assert_int_equal(ngx_aop_roots_know(store, pki.cert[ISSUED]), 1);
    assert_int_equal(ngx_aop_roots_know(store, pki.cert[OTHER]), 0);
    assert_int_equal(ngx_aop_roots_know(store, pki.cert[OWN]), 0);

    X509_STORE_free(store);
    unlink(file);
    rmdir(folder);
}


/* A name of any length leaves room for the advice and for how many. */

static void
roots_long_name(void **state)
{
    char                   name[1000], text[NGX_AOP_LINT_TEXT];
    ngx_aop_policy_t      *policy;
    ngx_aop_lint_found_t   found;

    memset(name, 'x', sizeof(name));
    name[sizeof(name) - 1] = '\0';

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);

    assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[PUBLIC], name),
                     1);
    assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[RENEWED],
                                               name),
                     1);

    ngx_aop_lint_public(policy, roots, &found);
    ngx_aop_lint_text(&found, NGX_AOP_LINT_PUBLIC, text);

    assert_non_null(strstr(text, "x\" and 1 more, which"));
    assert_non_null(strstr(text, " you uploaded to Cloudflare"));

    ngx_aop_policy_free(policy);
}


int
main(void)
{
    unit_cases(known, roots_known);
    unit_cases(findings, roots_lint);
    unit_case("public: a long name", roots_long_name, NULL);
    unit_case("a store that cannot be read", roots_quiet, NULL);
    unit_case("a folder", roots_folder, NULL);

    return unit_run("roots", roots_setup, roots_teardown);
}
