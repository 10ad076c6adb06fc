
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What is in a file of "aopctl lint", and what the core finds wrong with it. */


#include <stdio.h>
#include <string.h>
#include <openssl/x509v3.h>

#include "lint.h"


static json_t *aopctl_lint_unreadable(aopctl_lint_t *lint, json_t *object,
    const char *err);
static void aopctl_lint_content(aopctl_lint_t *lint, json_t *object,
    const ngx_aop_pem_t *pem, aopctl_lint_role_e role);
static void aopctl_lint_certs(aopctl_lint_t *lint, json_t *list,
    const ngx_aop_pem_t *pem, aopctl_lint_role_e role,
    ngx_aop_lint_level_e *level);
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


static const char *const  aopctl_lint_words[] = {
    NULL, "ca", "crl", "client", "key"
};

static const char *const  aopctl_lint_facts[NGX_AOP_CERT_FACTS] = {
    "subject", "issuer", "serial", "fingerprint", "spki", NULL, "key"
};


json_t *
aopctl_lint_file(aopctl_lint_t *lint, const char *file,
    aopctl_lint_role_e role)
{
    json_t         *object;
    ngx_aop_pem_t   pem;

    object = json_object();

    aopctl_json_set(object, "file", aopctl_json_text(file));

    if (role != AOPCTL_LINT_ANY) {
        aopctl_json_set(object, "role", json_string(aopctl_lint_words[role]));
    }

    if (!aopctl_lint_trust_read(&pem, file, role)) {
        return aopctl_lint_unreadable(lint, object, pem.err);
    }

    if (role == AOPCTL_LINT_ANY && aopctl_lint_trust_is_chain(&pem)) {
        role = AOPCTL_LINT_CLIENT;
    }

    aopctl_lint_content(lint, object, &pem, role);
    ngx_aop_pem_free(&pem);

    return object;
}


static json_t *
aopctl_lint_unreadable(aopctl_lint_t *lint, json_t *object, const char *err)
{
    json_t  *list;

    list = json_array();
    aopctl_json_append(list, aopctl_lint_finding(NGX_AOP_LINT_ERROR,
                                                 "unreadable", err));

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
    const ngx_aop_pem_t *pem, aopctl_lint_role_e role)
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

    /* a client certificate may well be stored with its key */

    if (pem->keys && role != AOPCTL_LINT_CLIENT) {
        found.set = ngx_aop_lint_bit(NGX_AOP_LINT_KEY);
    }

    aopctl_lint_finding_list(findings, &found, &level);
    aopctl_lint_certs(lint, certs, pem, role, &level);

    for (i = 0; i < sk_X509_CRL_num(pem->crls); i++) {
        aopctl_json_append(crls,
                aopctl_lint_crl(lint, sk_X509_CRL_value(pem->crls, i), &level));
    }

    aopctl_json_set(object, "certificates", certs);
    aopctl_json_set(object, "crls", crls);
    aopctl_json_set(object, "findings", findings);

    if (role == AOPCTL_LINT_CLIENT) {
        aopctl_lint_client(lint, json_array_get(certs, 0), pem, &level);
    }

    aopctl_json_set(object, "level",
                    json_string(ngx_aop_lint_level_word(level)));

    aopctl_lint_finding_raise(&lint->level, level);
}


static void
aopctl_lint_certs(aopctl_lint_t *lint, json_t *list, const ngx_aop_pem_t *pem,
    aopctl_lint_role_e role, ngx_aop_lint_level_e *level)
{
    int      i;
    X509    *x509;
    json_t  *cert;

    for (i = 0; i < sk_X509_num(pem->certs); i++) {
        x509 = sk_X509_value(pem->certs, i);
        cert = aopctl_lint_cert(lint, x509, level);

        aopctl_json_append(list, cert);

        if (X509_check_ca(x509) != 0) {
            continue;
        }

        if (role == AOPCTL_LINT_ANY) {
            aopctl_lint_client_judge(lint, cert, x509, level);

        } else if (role == AOPCTL_LINT_CLIENT && i > 0) {
            aopctl_lint_finding_add(cert, NGX_AOP_LINT_WARNING, "not_presented",
                                    "is not verified: only the first "
                                    "certificate in a file is the client "
                                    "certificate, the others are its chain",
                                    level);
        }
    }
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
    aopctl_lint_finding_list(findings, &found, level);

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
    aopctl_lint_finding_list(findings, &found, level);

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


/* The core reports what has expired; what expires soon depends on --days. */

static void
aopctl_lint_soon(const aopctl_lint_t *lint, json_t *object,
    const ASN1_TIME *to, ngx_aop_lint_level_e *level)
{
    char       text[128], date[NGX_AOP_DATE];
    time_t     t, left;
    long long  days;

    if (!ngx_aop_cert_time(to, &t)) {
        return;
    }

    left = t - lint->now;

    if (left < 0 || left >= lint->days * AOPCTL_LINT_DAY) {
        return;
    }

    days = ngx_aop_cert_days(t, lint->now);

    snprintf(text, sizeof(text), "expires on %s, in %lld day%s (replace it "
             "before)", ngx_aop_cert_date(t, date), days, days == 1 ? "" : "s");

    aopctl_lint_finding_add(object, NGX_AOP_LINT_WARNING, "ends_soon", text,
                            level);
}
