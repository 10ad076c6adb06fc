
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The directives that say what is trusted: "aop_ca", "aop_crl", "aop_pin",
 * "aop_require".  Most failed rollouts are a wrong file, so each file is
 * examined closely.  No error depends on the clock: a file that was accepted
 * yesterday must not keep nginx from starting today.
 */


#include "ngx_http_aop_conf.h"
#include "ngx_aop_cloudflare.h"
#include "ngx_aop_key.h"
#include "ngx_aop_lint.h"
#include "ngx_aop_pem.h"


static ngx_int_t ngx_http_aop_add_cloudflare(ngx_conf_t *cf,
    ngx_array_t *cas);
static ngx_int_t ngx_http_aop_add_ca_file(ngx_conf_t *cf, ngx_array_t *cas,
    ngx_str_t *file);
static ngx_int_t ngx_http_aop_check_ca(ngx_conf_t *cf, X509 *x509,
    ngx_str_t *file);
static ngx_int_t ngx_http_aop_add_ca(ngx_conf_t *cf, ngx_array_t *cas,
    X509 *x509, const char *name);
static void ngx_http_aop_ca_cleanup(void *data);
static ngx_int_t ngx_http_aop_add_crl(ngx_conf_t *cf, ngx_array_t *crls,
    X509_CRL *crl, ngx_str_t *file);
static void ngx_http_aop_crl_cleanup(void *data);
static ngx_int_t ngx_http_aop_read_file(ngx_conf_t *cf, const char *directive,
    const char *what, ngx_str_t *file, ngx_aop_pem_t *pem);
static ngx_int_t ngx_http_aop_ca_log_findings(ngx_conf_t *cf,
    const char *directive, ngx_str_t *file, const char *what,
    const X509_NAME *name, const ngx_aop_lint_found_t *found);


char *
ngx_http_aop_ca_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_srv_conf_t  *ascf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value;
    ngx_uint_t   i;

    if (ascf->ca != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    ascf->ca = ngx_array_create(cf->pool, 4, sizeof(ngx_http_aop_ca_t));
    if (ascf->ca == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "cloudflare") == 0) {
            rc = ngx_http_aop_add_cloudflare(cf, ascf->ca);

        } else {
            rc = ngx_http_aop_add_ca_file(cf, ascf->ca, &value[i]);
        }

        if (rc != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


ngx_array_t *
ngx_http_aop_ca_default(ngx_conf_t *cf)
{
    ngx_array_t  *cas;

    cas = ngx_array_create(cf->pool, 1, sizeof(ngx_http_aop_ca_t));

    if (cas == NULL || ngx_http_aop_add_cloudflare(cf, cas) != NGX_OK) {
        return NULL;
    }

    return cas;
}


static ngx_int_t
ngx_http_aop_add_cloudflare(ngx_conf_t *cf, ngx_array_t *cas)
{
    X509       *x509;
    ngx_int_t   rc;

    x509 = ngx_aop_cloudflare_ca();

    if (x509 == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot load the built-in \"aop_ca cloudflare\"");
        return NGX_ERROR;
    }

    rc = ngx_http_aop_add_ca(cf, cas, x509, "cloudflare");

    X509_free(x509);

    return rc;
}


static ngx_int_t
ngx_http_aop_add_ca_file(ngx_conf_t *cf, ngx_array_t *cas, ngx_str_t *file)
{
    int            i;
    X509          *x509;
    ngx_int_t      rc;
    ngx_aop_pem_t  pem;

    if (ngx_http_aop_read_file(cf, "aop_ca", "certificate", file, &pem)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    rc = NGX_OK;

    if (sk_X509_num(pem.certs) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load \"aop_ca\" file \"%V\": no "
                           "certificate in it, but a CRL (use \"aop_crl\" for "
                           "CRLs)", file);
        rc = NGX_ERROR;
    }

    for (i = 0; rc == NGX_OK && i < sk_X509_num(pem.certs); i++) {
        x509 = sk_X509_value(pem.certs, i);

        rc = ngx_http_aop_check_ca(cf, x509, file);

        if (rc == NGX_OK) {

            /* equal policies have equal names, wherever they came from */

            rc = ngx_http_aop_add_ca(cf, cas, x509,
                                     ngx_aop_cloudflare_is_ca(x509)
                                     ? "cloudflare" : NULL);
        }
    }

    ngx_aop_pem_free(&pem);

    return rc;
}


static ngx_int_t
ngx_http_aop_check_ca(ngx_conf_t *cf, X509 *x509, ngx_str_t *file)
{
    ngx_aop_lint_found_t  found;

    /*
     * Whether a key is long enough is not checked: that depends on the
     * security level of each server, which "ssl_ciphers" may set further down.
     */

    ngx_aop_lint_cert(x509, 0, ngx_time(), &found);

    return ngx_http_aop_ca_log_findings(cf, "aop_ca", file, "certificate",
                                        X509_get_subject_name(x509), &found);
}


static ngx_int_t
ngx_http_aop_add_ca(ngx_conf_t *cf, ngx_array_t *cas, X509 *x509,
    const char *name)
{
    ngx_http_aop_ca_t   *ca;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    ca = ngx_array_push(cas);

    if (cln == NULL || ca == NULL) {
        return NGX_ERROR;
    }

    X509_up_ref(x509);

    cln->handler = ngx_http_aop_ca_cleanup;
    cln->data = x509;

    ca->x509 = x509;
    ca->name = name;

    return NGX_OK;
}


static void
ngx_http_aop_ca_cleanup(void *data)
{
    X509_free(data);
}


char *
ngx_http_aop_ca_set_crl(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_srv_conf_t  *ascf = conf;

    int             i;
    ngx_int_t       rc;
    ngx_str_t      *value;
    ngx_aop_pem_t   pem;

    if (ascf->crls != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    ascf->crls = ngx_array_create(cf->pool, 4, sizeof(X509_CRL *));
    if (ascf->crls == NULL) {
        return NGX_CONF_ERROR;
    }

    value = cf->args->elts;

    if (ngx_http_aop_read_file(cf, "aop_crl", "CRL", &value[1], &pem)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    rc = NGX_OK;

    if (sk_X509_CRL_num(pem.crls) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load \"aop_crl\" file \"%V\": no CRL in "
                           "it, but a certificate (use \"aop_ca\" for "
                           "certificates)",
                           &value[1]);
        rc = NGX_ERROR;
    }

    for (i = 0; rc == NGX_OK && i < sk_X509_CRL_num(pem.crls); i++) {
        rc = ngx_http_aop_add_crl(cf, ascf->crls,
                                  sk_X509_CRL_value(pem.crls, i), &value[1]);
    }

    ngx_aop_pem_free(&pem);

    return (rc == NGX_OK) ? NGX_CONF_OK : NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_aop_add_crl(ngx_conf_t *cf, ngx_array_t *crls, X509_CRL *crl,
    ngx_str_t *file)
{
    X509_CRL              **elt;
    ngx_pool_cleanup_t     *cln;
    ngx_aop_lint_found_t    found;

    ngx_aop_lint_crl(crl, ngx_time(), &found);

    if (ngx_http_aop_ca_log_findings(cf, "aop_crl", file, "CRL",
                                     X509_CRL_get_issuer(crl), &found)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    elt = ngx_array_push(crls);

    if (cln == NULL || elt == NULL) {
        return NGX_ERROR;
    }

    X509_CRL_up_ref(crl);

    cln->handler = ngx_http_aop_crl_cleanup;
    cln->data = crl;

    *elt = crl;

    return NGX_OK;
}


static void
ngx_http_aop_crl_cleanup(void *data)
{
    X509_CRL_free(data);
}


char *
ngx_http_aop_ca_set_pin(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_srv_conf_t  *ascf = conf;

    ngx_str_t      *value;
    ngx_uint_t      i;
    const char     *err;
    ngx_aop_pin_t  *pin;

    if (ascf->pins == NGX_CONF_UNSET_PTR) {
        ascf->pins = ngx_array_create(cf->pool, 4, sizeof(ngx_aop_pin_t));
        if (ascf->pins == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        pin = ngx_array_push(ascf->pins);
        if (pin == NULL) {
            return NGX_CONF_ERROR;
        }

        err = ngx_aop_pin_parse(pin, (char *) value[i].data, value[i].len);

        if (err != NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid pin \"%V\" in \"aop_pin\": %s",
                               &value[i], err);
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


/* A certificate that OpenSSL cannot verify could only be rejected. */

char *
ngx_http_aop_ca_set_require(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_srv_conf_t  *ascf = conf;

    char  *rv, version[NGX_AOP_KEY_VERSION];

    rv = ngx_conf_set_enum_slot(cf, cmd, conf);

    if (rv == NGX_CONF_OK
        && ascf->require == NGX_HTTP_AOP_REQUIRE_POST_QUANTUM
        && !ngx_aop_key_ml_dsa())
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"aop_require post_quantum\" requires ML-DSA, "
                           "which %s does not support (OpenSSL 3.5 or later "
                           "does)",
                           ngx_aop_key_openssl(version));
        return NGX_CONF_ERROR;
    }

    return rv;
}


static ngx_int_t
ngx_http_aop_read_file(ngx_conf_t *cf, const char *directive,
    const char *what, ngx_str_t *file, ngx_aop_pem_t *pem)
{
    if (file->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "empty file name in \"%s\" directive", directive);
        return NGX_ERROR;
    }

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_aop_pem_read_as(pem, (char *) file->data, what)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "cannot load \"%s\" file \"%V\": %s",
                           directive, file, pem->err);
        return NGX_ERROR;
    }

    if (pem->keys) {
        ngx_conf_log_error(NGX_LOG_WARN, cf, 0, "\"%s\" file \"%V\" %s",
                           directive, file,
                           ngx_aop_lint(NGX_AOP_LINT_KEY)->text);
    }

    return NGX_OK;
}


/* An error is of the file; a warning names the certificate or CRL in it. */

static ngx_int_t
ngx_http_aop_ca_log_findings(ngx_conf_t *cf, const char *directive,
    ngx_str_t *file, const char *what, const X509_NAME *name,
    const ngx_aop_lint_found_t *found)
{
    char        *subject, text[NGX_AOP_LINT_TEXT];
    size_t       len;
    ngx_uint_t   i, refused;

    if (found->set == 0) {
        return NGX_OK;
    }

    refused = (ngx_aop_lint_level(found->set) == NGX_AOP_LINT_ERROR);

    subject = ngx_aop_cert_name(name);
    len = subject ? ngx_aop_cert_cut(subject, ngx_strlen(subject),
                                     NGX_AOP_LINT_ABOUT)
                  : 0;

    for (i = 0; i < NGX_AOP_LINT_FINDINGS; i++) {

        if (!(found->set & ngx_aop_lint_bit(i))) {
            continue;
        }

        ngx_aop_lint_text(found, i, text);

        if (ngx_aop_lint(i)->level == NGX_AOP_LINT_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%s\" file \"%V\" %s",
                               directive, file, text);

        } else if (!refused) {
            ngx_conf_log_error(NGX_LOG_WARN, cf, 0,
                               "\"%s\" file \"%V\": the %s of \"%*s\" %s",
                               directive, file, what, len, subject, text);
        }
    }

    OPENSSL_free(subject);

    return refused ? NGX_ERROR : NGX_OK;
}
