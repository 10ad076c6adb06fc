
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The policy of a server: what "aop_ca", "aop_crl", "aop_pin" and
 * "aop_verify_depth" say, and the security level of "ssl_ciphers", as one
 * object.  Servers that say the same share it, so that a pointer tells whether
 * they ask the same question.
 */


#include "ngx_http_aop.h"
#include "ngx_aop_lint.h"


static ngx_aop_policy_t *ngx_http_aop_policy_make(
    ngx_http_aop_srv_conf_t *ascf);
static ngx_int_t ngx_http_aop_policy_fill(ngx_aop_policy_t *policy,
    ngx_http_aop_srv_conf_t *ascf);
static ngx_aop_policy_t *ngx_http_aop_policy_find(
    ngx_http_aop_main_conf_t *amcf, const ngx_aop_policy_t *policy);
static ngx_int_t ngx_http_aop_policy_add(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf, ngx_aop_policy_t *policy);
static void ngx_http_aop_policy_cleanup(void *data);
static void ngx_http_aop_policy_check(ngx_conf_t *cf,
    const ngx_aop_policy_t *policy, ngx_http_core_srv_conf_t *cscf);
static void ngx_http_aop_policy_tell(ngx_conf_t *cf,
    const ngx_aop_lint_found_t *found, ngx_http_core_srv_conf_t *cscf);


ngx_int_t
ngx_http_aop_policy_init(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_aop_policy_t          *policy, *known;
    ngx_http_aop_srv_conf_t   *ascf;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);
    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    policy = ngx_http_aop_policy_make(ascf);

    if (policy == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot prepare the certificates of \"aop_ca\"");
        return NGX_ERROR;
    }

    known = ngx_http_aop_policy_find(amcf, policy);

    if (known != NULL) {
        ngx_aop_policy_free(policy);
        ascf->policy = known;
        return NGX_OK;
    }

    if (ngx_http_aop_policy_add(cf, amcf, policy) != NGX_OK) {
        ngx_aop_policy_free(policy);
        return NGX_ERROR;
    }

    ascf->policy = policy;

    ngx_http_aop_policy_check(cf, policy, cscf);

    return NGX_OK;
}


static ngx_aop_policy_t *
ngx_http_aop_policy_make(ngx_http_aop_srv_conf_t *ascf)
{
    ngx_aop_policy_t  *policy;

    policy = ngx_aop_policy_new(ascf->verify_depth);

    if (policy == NULL) {
        return NULL;
    }

    policy->auth_level = ascf->auth_level;

    if (ngx_http_aop_policy_fill(policy, ascf) != NGX_OK
        || !ngx_aop_policy_seal(policy))
    {
        ngx_aop_policy_free(policy);
        return NULL;
    }

    return policy;
}


static ngx_int_t
ngx_http_aop_policy_fill(ngx_aop_policy_t *policy,
    ngx_http_aop_srv_conf_t *ascf)
{
    X509_CRL           **crl;
    ngx_uint_t           i;
    ngx_aop_pin_t       *pin;
    ngx_http_aop_ca_t   *ca;

    ca = ascf->ca->elts;

    for (i = 0; i < ascf->ca->nelts; i++) {
        if (!ngx_aop_policy_add_anchor(policy, ca[i].x509, ca[i].name)) {
            return NGX_ERROR;
        }
    }

    if (ascf->crls != NULL) {
        crl = ascf->crls->elts;

        for (i = 0; i < ascf->crls->nelts; i++) {
            if (!ngx_aop_policy_add_crl(policy, crl[i])) {
                return NGX_ERROR;
            }
        }
    }

    if (ascf->pins != NULL) {
        pin = ascf->pins->elts;

        for (i = 0; i < ascf->pins->nelts; i++) {
            if (!ngx_aop_policy_add_pin(policy, &pin[i])) {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


static ngx_aop_policy_t *
ngx_http_aop_policy_find(ngx_http_aop_main_conf_t *amcf,
    const ngx_aop_policy_t *policy)
{
    ngx_uint_t          i;
    ngx_aop_policy_t  **known;

    known = amcf->policies.elts;

    for (i = 0; i < amcf->policies.nelts; i++) {
        if (ngx_memcmp(known[i]->digest, policy->digest, NGX_AOP_DIGEST)
            == 0)
        {
            return known[i];
        }
    }

    return NULL;
}


/* The policy is the cycle's then, unless it fails. */

static ngx_int_t
ngx_http_aop_policy_add(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf,
    ngx_aop_policy_t *policy)
{
    ngx_aop_policy_t    **elt;
    ngx_pool_cleanup_t   *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    elt = ngx_array_push(&amcf->policies);

    if (cln == NULL || elt == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_aop_policy_cleanup;
    cln->data = policy;

    *elt = policy;

    return NGX_OK;
}


static void
ngx_http_aop_policy_cleanup(void *data)
{
    ngx_aop_policy_free(data);
}


/* What is allowed, but probably not what was meant. */

static void
ngx_http_aop_policy_check(ngx_conf_t *cf, const ngx_aop_policy_t *policy,
    ngx_http_core_srv_conf_t *cscf)
{
    size_t                i;
    ngx_aop_lint_found_t  found;

    ngx_aop_lint_policy(policy, &found);
    ngx_http_aop_policy_tell(cf, &found, cscf);

    for (i = 0; i < policy->nanchors; i++) {
        ngx_aop_lint_anchor(policy, &policy->anchors[i], &found);
        ngx_http_aop_policy_tell(cf, &found, cscf);
    }
}


static void
ngx_http_aop_policy_tell(ngx_conf_t *cf, const ngx_aop_lint_found_t *found,
    ngx_http_core_srv_conf_t *cscf)
{
    char        text[NGX_AOP_LINT_TEXT];
    ngx_uint_t  i;

    for (i = 0; i < NGX_AOP_LINT_FINDINGS; i++) {
        if (found->set & ngx_aop_lint_bit(i)) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"aop_ca\" of the server in %s:%ui %s",
                          cscf->file_name, cscf->line,
                          ngx_aop_lint_text(found, i, text));
        }
    }
}
