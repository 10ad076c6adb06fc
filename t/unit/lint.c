
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Each kind of certificate and each finding, on both sides of what decides;
 * and every row of the tables has words.  (The edition of 2015 of the
 * origin-pull CA cannot be made: the whole certificate is what tells it.)
 */


#include <stdio.h>

#include "ngx_aop_cloudflare.h"
#include "ngx_aop_lint.h"
#include "lookalike.h"


#define LINT_OWN      11            /* of them ten are no bundle */
#define LINT_BUILTIN  LAST          /* the row that is replaced by it */

#define LINT_BUILTIN_NAME                                                     \
    "CN=origin-pull.cloudflare.net,ST=California,L=San Francisco,"            \
    "OU=Origin Pull,O=CloudFlare\\, Inc.,C=US"

#define bit(finding)  ngx_aop_lint_bit(NGX_AOP_LINT_##finding)


enum {
    ROOT = 1,
    LAST_ROOT = LINT_OWN,
    INTER,
    LEAF,
    ALONE,
    ORIGIN_RSA,
    ORIGIN_ECC,
    ORIGIN_LEAF,
    ORIGIN_ECC_LEAF,
    ORIGIN_INTER,
    OLD_ORIGIN_LEAF,
    NEVER,
    BITS_1024,
    LOOKALIKE,
    CLIENT_CA,
    SERVER_CA,
    CRITICAL_CA,
    UNMARKED,
    UNMARKED_V1,
    SERVER_LEAF,
    LAST,
    NCERTS
};

enum {
    CRL = 1,
    CRL_INTER,
    CRL_ENDLESS,
    CRL_DELTA,
    NCRLS
};


typedef struct {
    const char           *name;
    pki_index_t           cert;
    ngx_aop_lint_kind_e   kind;
} lint_kind_t;


typedef struct {
    const char           *name;
    pki_index_t           cert;
    int                   auth_level;
    int64_t               now;
    unsigned              set;
    const char           *about;        /* NULL: nothing */
} lint_cert_t;


typedef struct {
    const char           *name;
    pki_index_t           crl;
    int64_t               now;
    unsigned              set;
    const char           *about;        /* NULL: nothing */
} lint_crl_t;


typedef struct {
    const char           *name;
    int                   own;          /* so many CAs of our own */
    int                   builtin;      /* and the built-in one */
    unsigned              set;
    const char           *about;        /* NULL: nothing */
} lint_policy_t;


typedef struct {
    const char           *name;
    pki_index_t           cert;
    int                   crl;
    unsigned              set;
    const char           *about;        /* NULL: nothing */
} lint_anchor_t;


typedef struct {
    const char           *name;
    unsigned              set;
    ngx_aop_lint_level_e  level;
} lint_level_t;


#define ORIGIN_RSA_NAME  "OU=CloudFlare Origin SSL Certificate Authority"
#define ORIGIN_ECC_NAME  "OU=CloudFlare Origin SSL ECC Certificate Authority"

static const pki_cert_t  certs[NCERTS] = {
    [ROOT ... LAST_ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [INTER] = { .name = "Intermediate", .by = ROOT, .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT },
    [ALONE] = { .name = "Alone" },
    [ORIGIN_RSA] = { .name = ORIGIN_RSA_NAME, .ext = { PKI_CA } },
    [ORIGIN_ECC] = { .name = ORIGIN_ECC_NAME, .ext = { PKI_CA } },
    [ORIGIN_LEAF] = { .name = "Leaf", .by = ORIGIN_RSA },
    [ORIGIN_ECC_LEAF] = { .name = "Leaf", .by = ORIGIN_ECC },
    [ORIGIN_INTER] = { .name = "Inter", .by = ORIGIN_RSA, .ext = { PKI_CA } },
    [OLD_ORIGIN_LEAF] = { .name = "Leaf", .by = ORIGIN_RSA,
                          .to = PKI_NOW - 1 },
    [NEVER] = { .name = "Never", .from = PKI_TO, .to = PKI_FROM },
    [BITS_1024] = { .name = "Short", .rsa = 1024 },
    [LOOKALIKE] = { .name = "Look-alike", .ext = { PKI_CA } },
    [CLIENT_CA] = { .name = "CA", .ext = { PKI_CA,
                    "extendedKeyUsage=serverAuth,clientAuth" } },
    [SERVER_CA] = { .name = "CA", .by = ROOT, .ext = { PKI_CA,
                    "extendedKeyUsage=serverAuth" } },
    [UNMARKED] = { .name = "CA", .ext = { "keyUsage=keyCertSign" } },
    [UNMARKED_V1] = { .name = "CA", .v1 = 1 },
    [CRITICAL_CA] = { .name = "CA", .ext = { PKI_CA,
                      "1.2.3.4=critical,ASN1:NULL" } },
    [SERVER_LEAF] = { .name = "Leaf", .by = ROOT,
                      .ext = { "extendedKeyUsage=serverAuth" } },
    [LAST] = { .name = "Built-in" }
};


static const pki_crl_t  crls[NCRLS] = {
    [CRL] = { .by = ROOT },
    [CRL_INTER] = { .by = INTER },
    [CRL_ENDLESS] = { .by = ROOT, .to = PKI_NEVER },
    [CRL_DELTA] = { .by = ROOT,
                    .ext = { "deltaCRL=critical,ASN1:INTEGER:1" } }
};


static const lint_kind_t  kinds[] = {
    { "kind: built in", LINT_BUILTIN, NGX_AOP_LINT_CLOUDFLARE },
    { "kind: the look-alike", LOOKALIKE, NGX_AOP_LINT_ORIGIN_CA },
    { "kind: below the Origin CA", ORIGIN_LEAF, NGX_AOP_LINT_ORIGIN_CA_LEAF },
    { "kind: below its ECC edition", ORIGIN_ECC_LEAF,
      NGX_AOP_LINT_ORIGIN_CA_LEAF },
    { "kind: a root", ROOT, NGX_AOP_LINT_ROOT },
    { "kind: a root with the name only", ORIGIN_RSA, NGX_AOP_LINT_ROOT },
    { "kind: an intermediate", INTER, NGX_AOP_LINT_INTERMEDIATE },
    { "kind: a CA below the Origin CA", ORIGIN_INTER,
      NGX_AOP_LINT_INTERMEDIATE },
    { "kind: a leaf", LEAF, NGX_AOP_LINT_LEAF },
    { "kind: a leaf, signed by itself", ALONE, NGX_AOP_LINT_LEAF },
    { "kind: not marked as a CA", UNMARKED, NGX_AOP_LINT_LEAF },
    { "kind: not marked as a CA, version 1", UNMARKED_V1, NGX_AOP_LINT_LEAF }
};


#define PKI_FROM_TEXT  "2029-03-07T00:00:00Z"
#define PKI_TO_TEXT    "2030-10-28T00:00:00Z"
#define BUILTIN_TO     ((time_t) 1888246800)        /* 2029-11-01T17:00:00Z */

static const lint_cert_t  cert_cases[] = {
    { "certificate: in time", ROOT, 2, PKI_NOW, 0, NULL },
    { "certificate: a second early", ROOT, 2, PKI_FROM - 1,
      bit(NOT_YET_VALID), PKI_FROM_TEXT },
    { "certificate: its first second", ROOT, 2, PKI_FROM, 0, NULL },
    { "certificate: its last second", ROOT, 2, PKI_TO, 0, NULL },
    { "certificate: a second late", ROOT, 2, PKI_TO + 1,
      bit(ENDED), PKI_TO_TEXT },
    { "certificate: ends before it begins, before", NEVER, 2, PKI_FROM - 1,
      bit(NOT_YET_VALID), PKI_TO_TEXT },
    { "certificate: ends before it begins, between", NEVER, 2, PKI_NOW,
      bit(NOT_YET_VALID), PKI_TO_TEXT },
    { "certificate: ends before it begins, after", NEVER, 2, PKI_TO,
      bit(ENDED), PKI_FROM_TEXT },
    { "certificate: built in", LINT_BUILTIN, 2, BUILTIN_TO, 0, NULL },
    { "certificate: built in, ended", LINT_BUILTIN, 2, BUILTIN_TO + 1,
      bit(ENDED), "2029-11-01T17:00:00Z" },

    { "certificate: 80 bits, no level", BITS_1024, 0, PKI_NOW, 0, NULL },
    { "certificate: 80 bits, level -1", BITS_1024, -1, PKI_NOW, 0, NULL },
    { "certificate: 80 bits, level 1", BITS_1024, 1, PKI_NOW, 0, NULL },
    { "certificate: 80 bits, level 2", BITS_1024, 2, PKI_NOW, bit(WEAK),
      NULL },
    { "certificate: 128 bits, level 3", ROOT, 3, PKI_NOW, 0, NULL },
    { "certificate: 128 bits, level 4", ROOT, 4, PKI_NOW, bit(WEAK), NULL },
    { "certificate: 128 bits, level 99", ROOT, 99, PKI_NOW, bit(WEAK), NULL },
    { "certificate: weak and late", BITS_1024, 2, PKI_TO + 1,
      bit(WEAK)|bit(ENDED), PKI_TO_TEXT },

    { "certificate: the look-alike", LOOKALIKE, 2, PKI_NOW, bit(LOOKALIKE),
      NULL },
    { "certificate: the look-alike, late", LOOKALIKE, 2, PKI_TO + 1,
      bit(LOOKALIKE)|bit(ENDED), PKI_TO_TEXT },
    { "certificate: below the Origin CA", ORIGIN_LEAF, 2, PKI_NOW,
      bit(SERVER_CERT), NULL },
    { "certificate: below the Origin CA, late", OLD_ORIGIN_LEAF, 2, PKI_NOW,
      bit(SERVER_CERT)|bit(ENDED), "2029-12-31T23:59:59Z" },
    { "certificate: a CA below the Origin CA", ORIGIN_INTER, 2, PKI_NOW, 0,
      NULL },
    { "certificate: a leaf", LEAF, 2, PKI_NOW, 0, NULL },

    { "certificate: a CA for clients, too", CLIENT_CA, 2, PKI_NOW, 0, NULL },
    { "certificate: a CA for servers only", SERVER_CA, 2, PKI_NOW,
      bit(PURPOSE), NULL },
    { "certificate: a CA for servers only, late", SERVER_CA, 2, PKI_TO + 1,
      bit(PURPOSE)|bit(ENDED), PKI_TO_TEXT },
    { "certificate: keyCertSign alone", UNMARKED, 2, PKI_NOW, bit(UNMARKED),
      NULL },
    { "certificate: self-signed, version 1", UNMARKED_V1, 2, PKI_NOW,
      bit(UNMARKED), NULL },
    { "certificate: a CA with an unknown extension", CRITICAL_CA, 2, PKI_NOW,
      bit(CRITICAL), NULL },
    { "certificate: a leaf for servers", SERVER_LEAF, 2, PKI_NOW, 0, NULL }
};


static const lint_crl_t  crl_cases[] = {
    { "CRL: in time", CRL, PKI_NOW, 0, NULL },
    { "CRL: a second early", CRL, PKI_FROM - 1, bit(NOT_YET_VALID),
      PKI_FROM_TEXT },
    { "CRL: its first second", CRL, PKI_FROM, 0, NULL },
    { "CRL: its last second", CRL, PKI_TO, 0, NULL },
    { "CRL: a second late", CRL, PKI_TO + 1, bit(ENDED), PKI_TO_TEXT },
    { "CRL: without an end", CRL_ENDLESS, PKI_END, 0, NULL },
    { "CRL: a delta", CRL_DELTA, PKI_NOW, bit(DELTA_CRL), NULL },
    { "CRL: a delta, late", CRL_DELTA, PKI_TO + 1,
      bit(DELTA_CRL)|bit(ENDED), PKI_TO_TEXT }
};


static const lint_policy_t  policy_cases[] = {
    { "policy: nothing", 0, 0, 0, NULL },
    { "policy: the built-in CA", 0, 1, 0, NULL },
    { "policy: an own CA", 1, 0, 0, NULL },
    { "policy: two own CAs", 2, 0, 0, NULL },
    { "policy: own and shared", 1, 1, bit(MIXED), NULL },
    { "policy: ten", 10, 0, 0, NULL },
    { "policy: eleven", 11, 0, bit(MANY), "11" },
    { "policy: ten, one of them shared", 9, 1, bit(MIXED), NULL },
    { "policy: eleven, one of them shared", 10, 1, bit(MIXED)|bit(MANY),
      "11" }
};


static const lint_anchor_t  anchors[] = {
    { "anchor: a leaf, no CRL", LEAF, 0, 0, NULL },
    { "anchor: a leaf and a CRL", LEAF, CRL, bit(UNASKED), "CN=Leaf" },
    { "anchor: a CA and a CRL", ROOT, CRL, 0, NULL },
    { "anchor: a CA, no CRL", ROOT, 0, 0, NULL },
    { "anchor: a CA and another's CRL", INTER, CRL, bit(NO_CRL),
      "CN=Intermediate" },
    { "anchor: an intermediate and its CRL", INTER, CRL_INTER, 0, NULL },
    { "anchor: the built-in CA and another's CRL", LINT_BUILTIN, CRL,
      bit(NO_CRL), LINT_BUILTIN_NAME }
};


static const lint_level_t  levels[] = {
    { "level: nothing", 0, NGX_AOP_LINT_OK },
    { "level: a warning", bit(ENDED), NGX_AOP_LINT_WARNING },
    { "level: the last warning", bit(NO_CRL), NGX_AOP_LINT_WARNING },
    { "level: two warnings", bit(MANY)|bit(MIXED), NGX_AOP_LINT_WARNING },
    { "level: an error", bit(DELTA_CRL), NGX_AOP_LINT_ERROR },
    { "level: the first error", bit(LOOKALIKE), NGX_AOP_LINT_ERROR },
    { "level: an error before a warning", bit(LOOKALIKE)|bit(UNASKED),
      NGX_AOP_LINT_ERROR },
    { "level: a bit of no finding", 1u << NGX_AOP_LINT_FINDINGS,
      NGX_AOP_LINT_OK }
};


static int
lint_setup(void **state)
{
    pki_certs(certs, NCERTS);
    pki_crls(crls, NCRLS);

    X509_free(pki.cert[LINT_BUILTIN]);
    pki.cert[LINT_BUILTIN] = ngx_aop_cloudflare_ca();
    assert_non_null(pki.cert[LINT_BUILTIN]);

    X509_free(pki.cert[LOOKALIKE]);
    pki.cert[LOOKALIKE] = lookalike_cert(ROOT, LOOKALIKE);

    return 0;
}


static int
lint_teardown(void **state)
{
    pki_free();

    return 0;
}


static void
lint_expect(const ngx_aop_lint_found_t *found, unsigned set,
    const char *about)
{
    assert_int_equal(found->set, set);
    assert_string_equal(found->about, about ? about : "");
}


static void
lint_kind(void **state)
{
    const lint_kind_t  *c = *state;

    assert_int_equal(ngx_aop_lint_classify(pki.cert[c->cert]), c->kind);
}


static void
lint_cert(void **state)
{
    const lint_cert_t     *c = *state;
    ngx_aop_lint_found_t   found;

    memset(&found, 0xff, sizeof(found));

    ngx_aop_lint_cert(pki.cert[c->cert], c->auth_level,
                      ngx_aop_time_fit(c->now), &found);

    lint_expect(&found, c->set, c->about);
}


static void
lint_crl(void **state)
{
    const lint_crl_t      *c = *state;
    ngx_aop_lint_found_t   found;

    memset(&found, 0xff, sizeof(found));

    ngx_aop_lint_crl(pki.crl[c->crl], ngx_aop_time_fit(c->now), &found);

    lint_expect(&found, c->set, c->about);
}


static void
lint_policy(void **state)
{
    int                    i;
    ngx_aop_policy_t      *policy;
    const lint_policy_t   *c = *state;
    ngx_aop_lint_found_t   found;

    memset(&found, 0xff, sizeof(found));

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);

    for (i = 0; i < c->own; i++) {
        assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[ROOT + i],
                                                   NULL),
                         1);
    }

    if (c->builtin) {
        assert_int_equal(ngx_aop_policy_add_anchor(policy,
                                                   pki.cert[LINT_BUILTIN],
                                                   "cloudflare"),
                         1);
    }

    ngx_aop_lint_policy(policy, &found);

    lint_expect(&found, c->set, c->about);

    ngx_aop_policy_free(policy);
}


/* The built-in CA: RSA of 4096 bits, which has the strength of level 3. */

static void
lint_keys(void **state)
{
    ngx_aop_policy_t      *policy;
    ngx_aop_lint_found_t   found;

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);
    assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[LINT_BUILTIN],
                                               "cloudflare"),
                     1);

    ngx_aop_lint_keys(policy, &found);
    lint_expect(&found, 0, NULL);

    policy->post_quantum = 1;

    ngx_aop_lint_keys(policy, &found);
    lint_expect(&found, bit(ALL_CLASSICAL), "\"cloudflare\"");

    policy->auth_level = 3;

    ngx_aop_lint_strength(policy, &found);
    lint_expect(&found, 0, NULL);

    policy->auth_level = 4;

    ngx_aop_lint_strength(policy, &found);
    lint_expect(&found, bit(BELOW_LEVEL), "\"cloudflare\"");

    ngx_aop_policy_free(policy);
}


static void
lint_anchor_of(pki_index_t cert, pki_index_t crl, const char *name,
    ngx_aop_lint_found_t *found)
{
    ngx_aop_policy_t  *policy;

    memset(found, 0xff, sizeof(ngx_aop_lint_found_t));

    policy = ngx_aop_policy_new(1);
    assert_non_null(policy);

    assert_int_equal(ngx_aop_policy_add_anchor(policy, pki.cert[cert], name),
                     1);

    if (crl) {
        assert_int_equal(ngx_aop_policy_add_crl(policy, pki.crl[crl]), 1);
    }

    ngx_aop_lint_anchor(policy, &policy->anchors[0], found);

    ngx_aop_policy_free(policy);
}


static void
lint_anchor(void **state)
{
    const lint_anchor_t   *c = *state;
    ngx_aop_lint_found_t   found;

    lint_anchor_of(c->cert, c->crl, NULL, &found);

    lint_expect(&found, c->set, c->about);
}


/* What is to be done about it comes after the name. */

static void
lint_long_name(void **state)
{
    char                   name[1000], expect[NGX_AOP_LINT_ABOUT + 1];
    char                   text[NGX_AOP_LINT_TEXT];
    ngx_aop_lint_found_t   found;

    memset(name, 'x', sizeof(name));
    memcpy(name + NGX_AOP_LINT_ABOUT - 1, "\\0A", 3);
    name[sizeof(name) - 1] = '\0';

    memset(expect, 'x', sizeof(expect));
    expect[NGX_AOP_LINT_ABOUT - 1] = '\0';

    lint_anchor_of(LEAF, CRL, name, &found);
    lint_expect(&found, bit(UNASKED), expect);

    ngx_aop_lint_text(&found, NGX_AOP_LINT_UNASKED, text);
    assert_non_null(strstr(text, "(remove it from \"aop_ca\" to revoke it)"));
}


static void
lint_level(void **state)
{
    const lint_level_t  *c = *state;

    assert_int_equal(ngx_aop_lint_level(c->set), c->level);
}


static void
lint_level_words(void **state)
{
    assert_string_equal(ngx_aop_lint_level_word(NGX_AOP_LINT_OK), "ok");
    assert_string_equal(ngx_aop_lint_level_word(NGX_AOP_LINT_WARNING),
                        "warning");
    assert_string_equal(ngx_aop_lint_level_word(NGX_AOP_LINT_ERROR), "error");
}


static void
lint_word(const char *word)
{
    assert_non_null(word);
    assert_int_equal(strspn(word, "abcdefghijklmnopqrstuvwxyz_0123456789"),
                     strlen(word));
    assert_true(word[0] != '\0');
}


static void
lint_kind_words(void **state)
{
    int  i, k;

    for (i = 0; i < NGX_AOP_LINT_KINDS; i++) {
        lint_word(ngx_aop_lint_kind(i)->word);

        assert_non_null(ngx_aop_lint_kind(i)->text);
        assert_true(ngx_aop_lint_kind(i)->text[0] != '\0');
        unit_printable(ngx_aop_lint_kind(i)->text);

        for (k = 0; k < i; k++) {
            assert_string_not_equal(ngx_aop_lint_kind(i)->word,
                                    ngx_aop_lint_kind(k)->word);
        }
    }
}


static void
lint_finding_words(void **state)
{
    int                    i, k;
    const ngx_aop_lint_t  *row;

    for (i = 0; i < NGX_AOP_LINT_FINDINGS; i++) {
        row = ngx_aop_lint(i);

        lint_word(row->word);

        assert_true(row->level == NGX_AOP_LINT_WARNING
                    || row->level == NGX_AOP_LINT_ERROR);

        for (k = 0; k < i; k++) {
            assert_string_not_equal(row->word, ngx_aop_lint(k)->word);
        }
    }
}


/* Whatever is filled in, the text is whole; and only what there is can be. */

static void
lint_texts(void **state)
{
    int                    i;
    char                   expect[2 * NGX_AOP_LINT_TEXT];
    char                   text[NGX_AOP_LINT_TEXT];
    const char            *format, *hole;
    ngx_aop_lint_found_t   found;

    static const unsigned  filled = bit(NOT_YET_VALID)|bit(ENDED)|bit(MANY)
                                    |bit(UNASKED)|bit(NO_CRL)|bit(PUBLIC)
                                    |bit(OWN_CHAIN)|bit(UNSUPPORTED)
                                    |bit(NONE_SUPPORTED)|bit(BOTH_KINDS)
                                    |bit(CLASSICAL)|bit(ALL_CLASSICAL)
                                    |bit(BELOW_LEVEL);

    memset(&found, 0, sizeof(found));
    memset(found.about, 'y', NGX_AOP_LINT_ABOUT);

    for (i = 0; i < NGX_AOP_LINT_FINDINGS; i++) {
        format = ngx_aop_lint(i)->text;

        assert_non_null(format);
        assert_true(strlen(format) > 20);
        unit_printable(format);

        hole = strchr(format, '%');
        assert_int_equal(hole != NULL, (filled & ngx_aop_lint_bit(i)) != 0);

        if (hole == NULL) {
            snprintf(expect, sizeof(expect), "%s", format);

        } else {
            assert_int_equal(hole[1], 's');
            assert_null(strchr(hole + 1, '%'));
            snprintf(expect, sizeof(expect), "%.*s%s%s",
                     (int) (hole - format), format, found.about, hole + 2);
        }

        assert_ptr_equal(ngx_aop_lint_text(&found, i, text), text);
        assert_string_equal(text, expect);
    }
}


/* What holds today must not keep nginx from starting tomorrow. */

static void
lint_clock(void **state)
{
    int                    i;
    ngx_aop_lint_found_t   early, late;

    for (i = ROOT; i < NCERTS; i++) {
        ngx_aop_lint_cert(pki.cert[i], 2, 0, &early);
        ngx_aop_lint_cert(pki.cert[i], 2, ngx_aop_time_fit(PKI_END), &late);

        assert_int_equal(
                     ngx_aop_lint_level(early.set) == NGX_AOP_LINT_ERROR,
                     ngx_aop_lint_level(late.set) == NGX_AOP_LINT_ERROR);
    }

    assert_int_equal(ngx_aop_lint(NGX_AOP_LINT_ENDED)->level,
                     NGX_AOP_LINT_WARNING);
    assert_int_equal(ngx_aop_lint(NGX_AOP_LINT_NOT_YET_VALID)->level,
                     NGX_AOP_LINT_WARNING);
}


int
main(void)
{
    unit_cases(kinds, lint_kind);
    unit_cases(cert_cases, lint_cert);
    unit_cases(crl_cases, lint_crl);
    unit_cases(policy_cases, lint_policy);
    unit_case("policy: keys", lint_keys, NULL);
    unit_cases(anchors, lint_anchor);
    unit_case("anchor: a long name", lint_long_name, NULL);
    unit_cases(levels, lint_level);
    unit_case("levels: words", lint_level_words, NULL);
    unit_case("kinds: words and texts", lint_kind_words, NULL);
    unit_case("findings: words and levels", lint_finding_words, NULL);
    unit_case("findings: texts", lint_texts, NULL);
    unit_case("no error is the clock's", lint_clock, NULL);

    return unit_run("lint", lint_setup, lint_teardown);
}
