
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "aopctl lint": what is in these files, and would nginx take them?  The
 * judgement is the core's; this file only asks and tells.  The files are
 * taken as the arguments of one "aop_ca".
 */


#include <string.h>
#include <time.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "lint.h"
#include "screen.h"
#include "ngx_aop_lint.h"
#include "ngx_aop_pem.h"
#include "ngx_aop_verify.h"


#define AOPCTL_LINT_DAY  86400


typedef struct {
    time_t                  now;
    long                    days;           /* what ends in these ends soon */
    int                     auth_level;     /* what nginx judges with here */
    ngx_aop_policy_t       *policy;         /* of all files; owned */
    unsigned                cas:1;          /* there is a CA among them */
    ngx_aop_lint_level_e    level;
} aopctl_lint_t;


static aopctl_status_e aopctl_lint_arguments(aopctl_lint_t *lint, int argc,
    char **argv, int *json);
static int aopctl_lint_init(aopctl_lint_t *lint, char **files);
static int aopctl_lint_anchors(aopctl_lint_t *lint, char **files,
    unsigned leaves);
static int aopctl_lint_add(aopctl_lint_t *lint, const char *file,
    unsigned leaves);
static json_t *aopctl_lint_files(aopctl_lint_t *lint, char **files);
static json_t *aopctl_lint_file(aopctl_lint_t *lint, const char *file);
static void aopctl_lint_content(aopctl_lint_t *lint, json_t *object,
    const ngx_aop_pem_t *pem);
static json_t *aopctl_lint_cert(aopctl_lint_t *lint, X509 *x509,
    ngx_aop_lint_level_e *level);
static json_t *aopctl_lint_crl(aopctl_lint_t *lint, X509_CRL *crl,
    ngx_aop_lint_level_e *level);
static json_t *aopctl_lint_fact(X509 *x509, ngx_aop_cert_fact_e fact);
static json_t *aopctl_lint_name(const X509_NAME *name);
static void aopctl_lint_dates(aopctl_lint_t *lint, json_t *object,
    const char *from_key, const ASN1_TIME *from, const char *to_key,
    const ASN1_TIME *to);
static void aopctl_lint_soon(const aopctl_lint_t *lint, json_t *object,
    const ASN1_TIME *to, ngx_aop_lint_level_e *level);
static void aopctl_lint_judge(aopctl_lint_t *lint, json_t *object, X509 *x509,
    ngx_aop_lint_level_e *level);
static json_t *aopctl_lint_policy(aopctl_lint_t *lint);
static void aopctl_lint_found(json_t *list,
    const ngx_aop_lint_found_t *found, ngx_aop_lint_level_e *level);
static void aopctl_lint_warn(json_t *object, const char *word,
    const char *text, ngx_aop_lint_level_e *level);
static json_t *aopctl_lint_finding(ngx_aop_lint_level_e level,
    const char *word, const char *text);
static void aopctl_lint_raise(ngx_aop_lint_level_e *level,
    ngx_aop_lint_level_e by);


const char  aopctl_lint_help[] =
    "Usage: aopctl lint [OPTION]... FILE...\n"
    "\n"
    "Tells what each certificate and CRL in these files is, when it ends, and\n"
    "what nginx would make of it. The files are taken as the arguments of one\n"
    "\"aop_ca\". Where a CA is among them, certificates that are no CAs are\n"
    "judged by it, as if Cloudflare had shown them.\n"
    "\n"
    "      --days N       warn of what ends within N days, 0 to 3650 (0)\n"
    "      --json         the answer as JSON\n"
    "  -h, --help         this text\n"
    "\n"
    "Exit status: 0 good, 1 warnings, 2 errors: nginx would not start.\n";


static const struct option  aopctl_lint_options[] = {
    { "days", required_argument, NULL, 'd' },
    { "json", no_argument, NULL, 'j' },
    { NULL, 0, NULL, 0 }
};

static const char *const  aopctl_lint_facts[NGX_AOP_CERT_FACTS] = {
    "subject", "issuer", "serial", "fingerprint", "spki", NULL
};


aopctl_status_e
aopctl_lint(int argc, char **argv)
{
    int              json;
    json_t          *answer;
    aopctl_lint_t    lint;
    aopctl_status_e  status;

    status = aopctl_lint_arguments(&lint, argc, argv, &json);

    if (status != AOPCTL_GOOD) {
        return status;
    }

    if (!aopctl_lint_init(&lint, &argv[optind])) {
        aopctl_error("lint: out of memory");
        return AOPCTL_FAILED;
    }

    answer = aopctl_lint_files(&lint, &argv[optind]);

    if (json) {
        aopctl_json_write(answer);

    } else {
        aopctl_lint_print(answer);
    }

    json_decref(answer);
    ngx_aop_policy_free(lint.policy);

    return (aopctl_status_e) lint.level;
}


static aopctl_status_e
aopctl_lint_arguments(aopctl_lint_t *lint, int argc, char **argv, int *json)
{
    int  option;

    lint->days = 0;
    *json = 0;

    while ((option = aopctl_option(argc, argv, AOPCTL_NO_LETTERS,
                                   aopctl_lint_options))
           != -1)
    {
        switch (option) {

        case 'd':
            if (!aopctl_number(optarg, 0, 3650, &lint->days)) {
                return aopctl_usage(argv[0], "\"%s\" is no number of days "
                                    "from 0 to 3650", optarg);
            }
            break;

        case 'j':
            *json = 1;
            break;

        default:
            return AOPCTL_USAGE;
        }
    }

    if (argv[optind] == NULL) {
        return aopctl_usage(argv[0], "a file is missing");
    }

    return AOPCTL_GOOD;
}


/*
 * Certificates that are no CAs are anchors only if there is no CA: beside one
 * they are there to be judged by it.
 */

static int
aopctl_lint_init(aopctl_lint_t *lint, char **files)
{
    SSL_CTX  *ctx;

    lint->now = time(NULL);
    lint->level = NGX_AOP_LINT_OK;
    lint->cas = 0;

    ctx = SSL_CTX_new(TLS_server_method());
    lint->policy = ngx_aop_policy_new(1);

    if (ctx == NULL || lint->policy == NULL) {
        return 0;
    }

    lint->auth_level = SSL_CTX_get_security_level(ctx);

    SSL_CTX_free(ctx);

    if (!aopctl_lint_anchors(lint, files, 0)) {
        return 0;
    }

    lint->cas = (lint->policy->nanchors != 0);

    if (!lint->cas && !aopctl_lint_anchors(lint, files, 1)) {
        return 0;
    }

    return ngx_aop_policy_seal(lint->policy);
}


static int
aopctl_lint_anchors(aopctl_lint_t *lint, char **files, unsigned leaves)
{
    for ( /* void */ ; *files; files++) {
        if (!aopctl_lint_add(lint, *files, leaves)) {
            return 0;
        }
    }

    return 1;
}


static int
aopctl_lint_add(aopctl_lint_t *lint, const char *file, unsigned leaves)
{
    int            i, rc;
    X509          *x509;
    ngx_aop_pem_t  pem;

    if (!ngx_aop_pem_read(&pem, file)) {
        return 1;
    }

    rc = 1;

    for (i = 0; rc && i < sk_X509_num(pem.certs); i++) {
        x509 = sk_X509_value(pem.certs, i);

        if (leaves || X509_check_ca(x509)) {
            rc = ngx_aop_policy_add_anchor(lint->policy, x509, NULL);
        }
    }

    for (i = 0; rc && i < sk_X509_CRL_num(pem.crls); i++) {
        rc = ngx_aop_policy_add_crl(lint->policy,
                                    sk_X509_CRL_value(pem.crls, i));
    }

    ngx_aop_pem_free(&pem);

    return rc;
}


static json_t *
aopctl_lint_files(aopctl_lint_t *lint, char **files)
{
    json_t  *answer, *list, *findings;

    answer = json_object();
    list = json_array();

    for ( /* void */ ; *files; files++) {
        aopctl_json_append(list, aopctl_lint_file(lint, *files));
    }

    findings = aopctl_lint_policy(lint);

    aopctl_json_set(answer, "level",
                    json_string(ngx_aop_lint_level_word(lint->level)));
    aopctl_json_set(answer, "files", list);
    aopctl_json_set(answer, "findings", findings);

    return answer;
}


static json_t *
aopctl_lint_policy(aopctl_lint_t *lint)
{
    json_t                *list;
    size_t                 i;
    ngx_aop_lint_found_t   found;

    list = json_array();

    ngx_aop_lint_policy(lint->policy, &found);
    aopctl_lint_found(list, &found, &lint->level);

    for (i = 0; i < lint->policy->nanchors; i++) {
        ngx_aop_lint_anchor(lint->policy, &lint->policy->anchors[i], &found);
        aopctl_lint_found(list, &found, &lint->level);
    }

    return list;
}


static json_t *
aopctl_lint_file(aopctl_lint_t *lint, const char *file)
{
    json_t         *object, *list;
    ngx_aop_pem_t   pem;

    object = json_object();

    aopctl_json_set(object, "file", aopctl_json_text(file));

    if (ngx_aop_pem_read(&pem, file)) {
        aopctl_lint_content(lint, object, &pem);
        ngx_aop_pem_free(&pem);
        return object;
    }

    list = json_array();
    aopctl_json_append(list, aopctl_lint_finding(NGX_AOP_LINT_ERROR,
                                                 "unreadable", pem.err));

    aopctl_json_set(object, "level",
                   json_string(ngx_aop_lint_level_word(NGX_AOP_LINT_ERROR)));
    aopctl_json_set(object, "certificates", json_array());
    aopctl_json_set(object, "crls", json_array());
    aopctl_json_set(object, "findings", list);

    lint->level = NGX_AOP_LINT_ERROR;

    return object;
}


static void
aopctl_lint_content(aopctl_lint_t *lint, json_t *object,
    const ngx_aop_pem_t *pem)
{
    int                    i;
    json_t                *certs, *crls, *findings;
    ngx_aop_lint_level_e   level;
    ngx_aop_lint_found_t   found;

    certs = json_array();
    crls = json_array();
    findings = json_array();
    level = NGX_AOP_LINT_OK;

    memset(&found, 0, sizeof(ngx_aop_lint_found_t));
    found.set = pem->keys ? ngx_aop_lint_bit(NGX_AOP_LINT_KEY) : 0;

    aopctl_lint_found(findings, &found, &level);

    for (i = 0; i < sk_X509_num(pem->certs); i++) {
        aopctl_json_append(certs,
                  aopctl_lint_cert(lint, sk_X509_value(pem->certs, i), &level));
    }

    for (i = 0; i < sk_X509_CRL_num(pem->crls); i++) {
        aopctl_json_append(crls,
                aopctl_lint_crl(lint, sk_X509_CRL_value(pem->crls, i), &level));
    }

    aopctl_json_set(object, "level",
                    json_string(ngx_aop_lint_level_word(level)));
    aopctl_json_set(object, "certificates", certs);
    aopctl_json_set(object, "crls", crls);
    aopctl_json_set(object, "findings", findings);

    aopctl_lint_raise(&lint->level, level);
}


static json_t *
aopctl_lint_cert(aopctl_lint_t *lint, X509 *x509, ngx_aop_lint_level_e *level)
{
    json_t                     *object, *findings;
    unsigned                    i;
    ngx_aop_lint_found_t        found;
    const ngx_aop_lint_kind_t  *kind;

    object = json_object();
    findings = json_array();
    kind = ngx_aop_lint_kind(ngx_aop_lint_classify(x509));

    ngx_aop_lint_cert(x509, lint->auth_level, lint->now, &found);
    aopctl_lint_found(findings, &found, level);

    aopctl_json_set(object, "kind", json_string(kind->word));
    aopctl_json_set(object, "what", json_string(kind->text));

    for (i = 0; i < NGX_AOP_CERT_FACTS; i++) {
        if (aopctl_lint_facts[i] != NULL) {
            aopctl_json_set(object, aopctl_lint_facts[i],
                            aopctl_lint_fact(x509, i));
        }
    }

    aopctl_lint_dates(lint, object, "not_before", X509_get0_notBefore(x509),
                      "not_after", X509_get0_notAfter(x509));

    aopctl_json_set(object, "findings", findings);

    aopctl_lint_soon(lint, object, X509_get0_notAfter(x509), level);

    if (X509_check_ca(x509) == 0) {
        aopctl_lint_judge(lint, object, x509, level);
    }

    return object;
}


static json_t *
aopctl_lint_crl(aopctl_lint_t *lint, X509_CRL *crl,
    ngx_aop_lint_level_e *level)
{
    json_t                *object, *findings;
    ngx_aop_lint_found_t   found;

    object = json_object();
    findings = json_array();

    ngx_aop_lint_crl(crl, lint->now, &found);
    aopctl_lint_found(findings, &found, level);

    aopctl_json_set(object, "kind", json_string("crl"));
    aopctl_json_set(object, "what",
                    json_string("a list of revoked certificates, for "
                                "\"aop_crl\""));
    aopctl_json_set(object, "issuer",
                    aopctl_lint_name(X509_CRL_get_issuer(crl)));

    aopctl_lint_dates(lint, object, "last_update",
                      X509_CRL_get0_lastUpdate(crl), "next_update",
                      X509_CRL_get0_nextUpdate(crl));

    aopctl_json_set(object, "findings", findings);

    aopctl_lint_soon(lint, object, X509_CRL_get0_nextUpdate(crl), level);

    return object;
}


static json_t *
aopctl_lint_fact(X509 *x509, ngx_aop_cert_fact_e fact)
{
    BIO     *bio;
    char    *data;
    long     len;
    json_t  *text;

    text = NULL;

    bio = BIO_new(BIO_s_mem());

    if (bio != NULL && ngx_aop_cert_print(x509, fact, bio)) {
        len = BIO_get_mem_data(bio, &data);
        text = aopctl_json_bytes(len ? data : "", len);
    }

    BIO_free(bio);

    return text;
}


static json_t *
aopctl_lint_name(const X509_NAME *name)
{
    char    *text;
    json_t  *value;

    text = ngx_aop_cert_name(name);
    value = text ? aopctl_json_text(text) : NULL;

    OPENSSL_free(text);

    return value;
}


static void
aopctl_lint_dates(aopctl_lint_t *lint, json_t *object, const char *from_key,
    const ASN1_TIME *from, const char *to_key, const ASN1_TIME *to)
{
    time_t  t;

    if (ngx_aop_cert_time(from, &t)) {
        aopctl_json_set(object, from_key, aopctl_json_time(t));
    }

    if (ngx_aop_cert_time(to, &t)) {
        aopctl_json_set(object, to_key, aopctl_json_time(t));
        aopctl_json_set(object, "days_left",
                        json_integer(ngx_aop_cert_days(t, lint->now)));
    }
}


/* What has ended is the core's to tell; how soon is soon is the asker's. */

static void
aopctl_lint_soon(const aopctl_lint_t *lint, json_t *object,
    const ASN1_TIME *to, ngx_aop_lint_level_e *level)
{
    char    text[128], date[NGX_AOP_DATE];
    time_t  t, left;

    if (!ngx_aop_cert_time(to, &t)) {
        return;
    }

    left = t - lint->now;

    if (left < 0 || left >= lint->days * AOPCTL_LINT_DAY) {
        return;
    }

    snprintf(text, sizeof(text), "ends on %s, in %lld days: replace it before",
             ngx_aop_cert_date(t, date), ngx_aop_cert_days(t, lint->now));

    aopctl_lint_warn(object, "ends_soon", text, level);
}


/* What the module would say if Cloudflare showed this certificate. */

static void
aopctl_lint_judge(aopctl_lint_t *lint, json_t *object, X509 *x509,
    ngx_aop_lint_level_e *level)
{
    char                      text[512];
    ngx_aop_result_t          result;
    const ngx_aop_verdict_t  *verdict;

    ngx_aop_judge(lint->policy, lint->auth_level, x509, NULL, lint->now,
                  &result);

    verdict = ngx_aop_verdict(result.verdict);

    aopctl_json_set(object, "verdict", json_string(verdict->word));

    if (result.verdict == NGX_AOP_OK) {
        aopctl_json_set(object, "anchor",
                        aopctl_json_text(result.anchor->name));
        return;
    }

    aopctl_json_set(object, "reason", json_string(result.reason));

    snprintf(text, sizeof(text), "shown by Cloudflare it would be refused, "
             "%s: %s; %s", verdict->word, result.reason,
             verdict->hint[NGX_AOP_EDGE]);

    aopctl_lint_warn(object, "would_be_refused", text, level);
}


static void
aopctl_lint_found(json_t *list, const ngx_aop_lint_found_t *found,
    ngx_aop_lint_level_e *level)
{
    char                   text[NGX_AOP_LINT_TEXT];
    unsigned               i;
    const ngx_aop_lint_t  *row;

    for (i = 0; i < NGX_AOP_LINT_FINDINGS; i++) {

        if (found->set & ngx_aop_lint_bit(i)) {
            row = ngx_aop_lint(i);
            aopctl_json_append(list,
                          aopctl_lint_finding(row->level, row->word,
                                          ngx_aop_lint_text(found, i, text)));
        }
    }

    aopctl_lint_raise(level, ngx_aop_lint_level(found->set));
}


/* What the core has no finding for. */

static void
aopctl_lint_warn(json_t *object, const char *word, const char *text,
    ngx_aop_lint_level_e *level)
{
    aopctl_json_append(json_object_get(object, "findings"),
                       aopctl_lint_finding(NGX_AOP_LINT_WARNING, word, text));

    aopctl_lint_raise(level, NGX_AOP_LINT_WARNING);
}


static json_t *
aopctl_lint_finding(ngx_aop_lint_level_e level, const char *word,
    const char *text)
{
    json_t  *object;

    object = json_object();

    aopctl_json_set(object, "level",
                    json_string(ngx_aop_lint_level_word(level)));
    aopctl_json_set(object, "word", json_string(word));
    aopctl_json_set(object, "text", aopctl_json_text(text));

    return object;
}


static void
aopctl_lint_raise(ngx_aop_lint_level_e *level, ngx_aop_lint_level_e by)
{
    if (*level < by) {
        *level = by;
    }
}
