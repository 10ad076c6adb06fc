
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The policy of a server: what "aop_ca", "aop_crl", "aop_pin", "aop_require"
 * and "aop_verify_depth" say, and the security level of "ssl_ciphers", as one
 * object.  Servers with the same settings share it, so that two servers have
 * the same policy if and only if the pointers are equal.
 */


#include "ngx_http_aop_conf.h"
#include "ngx_aop_lint.h"
#include "ngx_aop_roots.h"


/*
 * A policy is found by the settings of a server, and by its digest; the nodes
 * of both are in one tree, distinguished by the lengths of the keys.
 */

typedef struct {
    ngx_str_node_t           sn;
    const ngx_aop_policy_t  *policy;
} ngx_http_aop_policy_node_t;


/* The settings of a server; if they are inherited, the arrays are the same. */

typedef struct {
    const ngx_array_t       *ca;
    const ngx_array_t       *crls;
    const ngx_array_t       *pins;
    ngx_int_t                verify_depth;
    ngx_int_t                auth_level;
    ngx_uint_t               require;
} ngx_http_aop_policy_key_t;


static ngx_int_t ngx_http_aop_policy_intern(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_aop_policy_t *ngx_http_aop_policy_make(
    ngx_http_aop_srv_conf_t *ascf);
static ngx_int_t ngx_http_aop_policy_fill(ngx_aop_policy_t *policy,
    ngx_http_aop_srv_conf_t *ascf);
static ngx_int_t ngx_http_aop_policy_keep(ngx_conf_t *cf,
    ngx_aop_policy_t *policy);
static void ngx_http_aop_policy_cleanup(void *data);
static const ngx_aop_policy_t *ngx_http_aop_policy_find(ngx_conf_t *cf,
    const void *key, size_t len);
static ngx_int_t ngx_http_aop_policy_add(ngx_conf_t *cf, const void *key,
    size_t len, const ngx_aop_policy_t *policy);
static ngx_int_t ngx_http_aop_policy_check(ngx_conf_t *cf,
    const ngx_aop_policy_t *policy, ngx_http_core_srv_conf_t *cscf);
static void ngx_http_aop_policy_public(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf, const ngx_aop_policy_t *policy,
    ngx_http_core_srv_conf_t *cscf);
static X509_STORE *ngx_http_aop_policy_roots(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf);
static void ngx_http_aop_policy_roots_cleanup(void *data);
static void ngx_http_aop_policy_own(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf, const ngx_aop_policy_t *policy,
    ngx_http_core_srv_conf_t *cscf);
static void ngx_http_aop_policy_own_chain(const ngx_aop_policy_t *policy,
    SSL_CTX *ctx, ngx_aop_lint_found_t *found);
static ngx_uint_t ngx_http_aop_policy_warned(ngx_conf_t *cf,
    ngx_http_aop_main_conf_t *amcf, const ngx_aop_policy_t *policy);
static void ngx_http_aop_policy_log_findings(ngx_conf_t *cf,
    const ngx_aop_lint_found_t *found, ngx_http_core_srv_conf_t *cscf);


ngx_int_t
ngx_http_aop_policy_init(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_srv_conf_t    *ascf;
    ngx_http_aop_main_conf_t   *amcf;
    ngx_http_aop_policy_key_t   key;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);
    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    ngx_memzero(&key, sizeof(ngx_http_aop_policy_key_t));

    key.ca = ascf->ca;
    key.crls = ascf->crls;
    key.pins = ascf->pins;
    key.verify_depth = ascf->verify_depth;
    key.auth_level = ascf->auth_level;
    key.require = ascf->require;

    ascf->policy = ngx_http_aop_policy_find(cf, &key, sizeof(key));

    if (ascf->policy == NULL
        && (ngx_http_aop_policy_intern(cf, cscf) != NGX_OK
            || ngx_http_aop_policy_add(cf, &key, sizeof(key), ascf->policy)
               != NGX_OK))
    {
        return NGX_ERROR;
    }

    ngx_http_aop_policy_own(cf, amcf, ascf->policy, cscf);

    return NGX_OK;
}


/* The same settings in other words, or read from a file again, may be known. */

static ngx_int_t
ngx_http_aop_policy_intern(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_aop_policy_t          *policy;
    ngx_http_aop_srv_conf_t   *ascf;
    ngx_http_aop_main_conf_t  *amcf;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);
    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    policy = ngx_http_aop_policy_make(ascf);

    if (policy == NULL) {
        goto failed;
    }

    ascf->policy = ngx_http_aop_policy_find(cf, policy->digest,
                                            NGX_AOP_DIGEST);
    if (ascf->policy != NULL) {
        ngx_aop_policy_free(policy);
        return NGX_OK;
    }

    if (ngx_http_aop_policy_keep(cf, policy) != NGX_OK) {
        ngx_aop_policy_free(policy);
        goto failed;
    }

    ascf->policy = policy;

    if (ngx_http_aop_policy_check(cf, policy, cscf) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_http_aop_policy_public(cf, amcf, policy, cscf);

    return NGX_OK;

failed:

    ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                  "cannot prepare the certificates of \"aop_ca\"");

    return NGX_ERROR;
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
    policy->post_quantum = (ascf->require
                            == NGX_HTTP_AOP_REQUIRE_POST_QUANTUM);

    if (ngx_http_aop_policy_fill(policy, ascf) != NGX_OK
        || !ngx_aop_policy_identify(policy))
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


/* The policy is owned by the cycle then, unless it fails. */

static ngx_int_t
ngx_http_aop_policy_keep(ngx_conf_t *cf, ngx_aop_policy_t *policy)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL
        || !ngx_aop_policy_seal(policy)
        || ngx_http_aop_policy_add(cf, policy->digest, NGX_AOP_DIGEST, policy)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    cln->handler = ngx_http_aop_policy_cleanup;
    cln->data = policy;

    return NGX_OK;
}


static void
ngx_http_aop_policy_cleanup(void *data)
{
    ngx_aop_policy_free(data);
}


static const ngx_aop_policy_t *
ngx_http_aop_policy_find(ngx_conf_t *cf, const void *key, size_t len)
{
    ngx_str_t                    name;
    ngx_str_node_t              *node;
    ngx_http_aop_main_conf_t    *amcf;
    ngx_http_aop_policy_node_t  *known;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);

    name.data = (u_char *) key;
    name.len = len;

    node = ngx_str_rbtree_lookup(&amcf->policies, &name,
                                 ngx_crc32_long(name.data, len));
    if (node == NULL) {
        return NULL;
    }

    known = (ngx_http_aop_policy_node_t *) node;

    return known->policy;
}


static ngx_int_t
ngx_http_aop_policy_add(ngx_conf_t *cf, const void *key, size_t len,
    const ngx_aop_policy_t *policy)
{
    ngx_http_aop_main_conf_t    *amcf;
    ngx_http_aop_policy_node_t  *node;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_aop_module);

    node = ngx_palloc(cf->pool, sizeof(ngx_http_aop_policy_node_t) + len);
    if (node == NULL) {
        return NGX_ERROR;
    }

    node->policy = policy;
    node->sn.str.data = (u_char *) (node + 1);
    node->sn.str.len = len;
    node->sn.node.key = ngx_crc32_long((u_char *) key, len);

    ngx_memcpy(node->sn.str.data, key, len);

    ngx_rbtree_insert(&amcf->policies, &node->sn.node);

    return NGX_OK;
}


/* What is allowed, but probably not what was meant; and what cannot work. */

static ngx_int_t
ngx_http_aop_policy_check(ngx_conf_t *cf, const ngx_aop_policy_t *policy,
    ngx_http_core_srv_conf_t *cscf)
{
    size_t                i;
    ngx_aop_lint_found_t  found;

    ngx_aop_lint_keys(policy, &found);
    ngx_http_aop_policy_log_findings(cf, &found, cscf);

    if (ngx_aop_lint_level(found.set) == NGX_AOP_LINT_ERROR) {
        return NGX_ERROR;
    }

    ngx_aop_lint_strength(policy, &found);
    ngx_http_aop_policy_log_findings(cf, &found, cscf);

    ngx_aop_lint_policy(policy, &found);
    ngx_http_aop_policy_log_findings(cf, &found, cscf);

    for (i = 0; i < policy->nanchors; i++) {
        ngx_aop_lint_anchor(policy, &policy->anchors[i], &found);
        ngx_http_aop_policy_log_findings(cf, &found, cscf);
    }

    return NGX_OK;
}


/* The default needs no look at the system's store. */

static void
ngx_http_aop_policy_public(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf,
    const ngx_aop_policy_t *policy, ngx_http_core_srv_conf_t *cscf)
{
    X509_STORE            *roots;
    ngx_aop_lint_found_t   found;

    if (policy->nanchors == 1
        && ngx_strcmp(policy->anchors[0].name, "cloudflare") == 0)
    {
        return;
    }

    roots = ngx_http_aop_policy_roots(cf, amcf);

    if (roots != NULL) {
        ngx_aop_lint_public(policy, roots, &found);
        ngx_http_aop_policy_log_findings(cf, &found, cscf);
    }
}


static X509_STORE *
ngx_http_aop_policy_roots(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf)
{
    ngx_pool_cleanup_t  *cln;

    if (amcf->roots != NULL) {
        return amcf->roots;
    }

    cln = ngx_pool_cleanup_add(cf->temp_pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    amcf->roots = ngx_aop_roots_new();

    cln->handler = ngx_http_aop_policy_roots_cleanup;
    cln->data = amcf;

    return amcf->roots;
}


static void
ngx_http_aop_policy_roots_cleanup(void *data)
{
    ngx_http_aop_main_conf_t  *amcf = data;

    X509_STORE_free(amcf->roots);
    amcf->roots = NULL;
}


static void
ngx_http_aop_policy_own(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf,
    const ngx_aop_policy_t *policy, ngx_http_core_srv_conf_t *cscf)
{
    ngx_aop_lint_found_t      found;
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (sscf->ssl.ctx == NULL) {
        return;
    }

    ngx_http_aop_policy_own_chain(policy, sscf->ssl.ctx, &found);

    if (found.set != 0 && !ngx_http_aop_policy_warned(cf, amcf, policy)) {
        ngx_http_aop_policy_log_findings(cf, &found, cscf);
    }
}


/* A server may have a certificate for each kind of key. */

static void
ngx_http_aop_policy_own_chain(const ngx_aop_policy_t *policy, SSL_CTX *ctx,
    ngx_aop_lint_found_t *found)
{
    long             op;
    X509            *x509, *current;
    STACK_OF(X509)  *chain;

    ngx_memzero(found, sizeof(ngx_aop_lint_found_t));

    current = SSL_CTX_get0_certificate(ctx);

    for (op = SSL_CERT_SET_FIRST;
         found->set == 0 && SSL_CTX_set_current_cert(ctx, op);
         op = SSL_CERT_SET_NEXT)
    {
        x509 = SSL_CTX_get0_certificate(ctx);

        chain = NULL;
        (void) SSL_CTX_get0_chain_certs(ctx, &chain);

        if (x509 != NULL) {
            ngx_aop_lint_own_chain(policy, x509, chain, found);
        }
    }

    if (current != NULL) {
        (void) SSL_CTX_select_current_cert(ctx, current);
    }
}


/* Once for all servers of a policy: they may be thousands. */

static ngx_uint_t
ngx_http_aop_policy_warned(ngx_conf_t *cf, ngx_http_aop_main_conf_t *amcf,
    const ngx_aop_policy_t *policy)
{
    ngx_uint_t                i;
    const ngx_aop_policy_t  **elt;

    if (amcf->warned == NULL) {
        amcf->warned = ngx_array_create(cf->temp_pool, 4, sizeof(void *));
        if (amcf->warned == NULL) {
            return 0;
        }
    }

    elt = amcf->warned->elts;

    for (i = 0; i < amcf->warned->nelts; i++) {
        if (elt[i] == policy) {
            return 1;
        }
    }

    elt = ngx_array_push(amcf->warned);

    if (elt != NULL) {
        *elt = policy;
    }

    return 0;
}


static void
ngx_http_aop_policy_log_findings(ngx_conf_t *cf,
    const ngx_aop_lint_found_t *found, ngx_http_core_srv_conf_t *cscf)
{
    char        text[NGX_AOP_LINT_TEXT];
    ngx_uint_t  i, level;

    for (i = 0; i < NGX_AOP_LINT_FINDINGS; i++) {
        if (found->set & ngx_aop_lint_bit(i)) {
            level = (ngx_aop_lint(i)->level == NGX_AOP_LINT_ERROR)
                    ? NGX_LOG_EMERG : NGX_LOG_WARN;

            ngx_log_error(level, cf->log, 0,
                          "\"aop_ca\" of the server in %s:%ui %s",
                          cscf->file_name, cscf->line,
                          ngx_aop_lint_text(found, i, text));
        }
    }
}
