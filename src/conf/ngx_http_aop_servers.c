
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The servers of a configuration that has been read: which of them use the
 * module, by which policy each judges, which SSL_CTX is to ask.  It also
 * warns where what was written is less than what was probably meant.
 */


#include "ngx_http_aop_conf.h"
#include "ngx_http_aop_conn.h"


static void ngx_http_aop_servers_level(ngx_http_core_main_conf_t *cmcf);
static ngx_int_t ngx_http_aop_address_level(ngx_http_conf_addr_t *addr,
    ngx_int_t level);
static ngx_uint_t ngx_http_aop_address_tls(ngx_http_conf_addr_t *addr);
static ngx_int_t ngx_http_aop_server_init(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_aop_servers_enabled(ngx_http_core_srv_conf_t *cscf);
static void ngx_http_aop_server_relaxed(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static void ngx_http_aop_server_mixed(ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_aop_mode_relaxed(const ngx_http_aop_mode_t *server,
    const ngx_http_aop_mode_t *location);
static ngx_int_t ngx_http_aop_servers_check_ssl_directives(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_aop_server_names(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf);
static ngx_int_t ngx_http_aop_address_init(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);
static ngx_int_t ngx_http_aop_address_arm(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf);
static ngx_uint_t ngx_http_aop_address_uses(ngx_http_conf_addr_t *addr);
static ngx_int_t ngx_http_aop_address_sessions(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr);
static void ngx_http_aop_servers_warn_shared_ssl_ctx(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf);
static void ngx_http_aop_address_plain(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf);


ngx_int_t
ngx_http_aop_servers_init(ngx_conf_t *cf)
{
    ngx_uint_t                   s;
    ngx_http_core_srv_conf_t   **cscfp;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    ngx_http_aop_servers_level(cmcf);

    for (s = 0; s < cmcf->servers.nelts; s++) {
        if (ngx_http_aop_server_init(cf, cscfp[s]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    /*
     * sessions first: the context that nginx gives them is made of CA names,
     * too, and has to be the same in all servers
     */

    if (ngx_http_aop_addresses_walk(cf, ngx_http_aop_address_sessions)
           != NGX_OK
        || ngx_http_aop_addresses_walk(cf, ngx_http_aop_address_init)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (s = 0; s < cmcf->servers.nelts; s++) {
        if (ngx_http_aop_server_names(cf, cscfp[s]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_http_aop_realip_check(cf);

    return NGX_OK;
}


/*
 * The security level is part of a policy.  Where no handshake will ask for it
 * any level does: one that makes no policy of its own.
 */

static void
ngx_http_aop_servers_level(ngx_http_core_main_conf_t *cmcf)
{
    ngx_int_t                    level;
    ngx_uint_t                   p, a, s;
    ngx_http_conf_port_t        *port;
    ngx_http_conf_addr_t        *addr;
    ngx_http_aop_srv_conf_t     *ascf;
    ngx_http_core_srv_conf_t   **cscfp;

    level = 0;

    if (cmcf->ports != NULL) {
        port = cmcf->ports->elts;

        for (p = 0; p < cmcf->ports->nelts; p++) {
            addr = port[p].addrs.elts;

            for (a = 0; a < port[p].addrs.nelts; a++) {
                level = ngx_http_aop_address_level(&addr[a], level);
            }
        }
    }

    cscfp = cmcf->servers.elts;

    for (s = 0; s < cmcf->servers.nelts; s++) {
        ascf = cscfp[s]->ctx->srv_conf[ngx_http_aop_module.ctx_index];

        if (ascf->auth_level == -1) {
            ascf->auth_level = level;
        }
    }
}


/*
 * A server without an SSL_CTX of its own has that of each address's default
 * server: the strictest of them counts, wherever it is asked for.  Returns the
 * last level there is, or the one given.
 */

static ngx_int_t
ngx_http_aop_address_level(ngx_http_conf_addr_t *addr, ngx_int_t level)
{
    ngx_uint_t                  s;
    ngx_http_ssl_srv_conf_t    *sscf, *dsscf;
    ngx_http_aop_srv_conf_t    *ascf;
    ngx_http_core_srv_conf_t  **cscfp;

    if (!ngx_http_aop_address_tls(addr)) {
        return level;
    }

    dsscf = addr->default_server->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {
        ascf = cscfp[s]->ctx->srv_conf[ngx_http_aop_module.ctx_index];
        sscf = cscfp[s]->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        ascf->tls = 1;

        if (sscf->ssl.ctx == NULL) {
            sscf = dsscf;
        }

        if (sscf->ssl.ctx != NULL) {
            level = SSL_CTX_get_security_level(sscf->ssl.ctx);
            ascf->auth_level = ngx_max(ascf->auth_level, level);
        }
    }

    return level;
}


static ngx_uint_t
ngx_http_aop_address_tls(ngx_http_conf_addr_t *addr)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = addr->default_server->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    return ngx_http_aop_listens_tls(addr) || ngx_http_aop_ssl_enabled(sscf);
}


static ngx_int_t
ngx_http_aop_server_init(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    if (!ngx_http_aop_servers_enabled(cscf)) {
        return NGX_OK;
    }

    ngx_http_aop_server_relaxed(cf, cscf);
    ngx_http_aop_server_mixed(cscf);

    if (ngx_http_aop_servers_check_ssl_directives(cf, cscf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_aop_policy_init(cf, cscf);
}


/* Unless everything in it is constantly "off". */

static ngx_uint_t
ngx_http_aop_servers_enabled(ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                i;
    ngx_http_aop_mode_t     **mode;
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_aop_loc_conf_t  *alcf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    alcf = cscf->ctx->loc_conf[ngx_http_aop_module.ctx_index];

    if (alcf->mode->mode != NGX_AOP_MODE_OFF) {
        return 1;
    }

    if (ascf->locations == NULL) {
        return 0;
    }

    mode = ascf->locations->elts;

    for (i = 0; i < ascf->locations->nelts; i++) {
        if (mode[i]->mode != NGX_AOP_MODE_OFF) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_http_aop_server_relaxed(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                i;
    ngx_http_aop_mode_t     **mode;
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_aop_loc_conf_t  *alcf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    alcf = cscf->ctx->loc_conf[ngx_http_aop_module.ctx_index];

    if (ascf->locations == NULL) {
        return;
    }

    mode = ascf->locations->elts;

    for (i = 0; i < ascf->locations->nelts; i++) {
        if (!ngx_http_aop_mode_relaxed(alcf->mode, mode[i])) {
            continue;
        }

        ascf->relaxed = 1;

        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"aop\" in the location in %s:%ui is less strict than "
                      "\"aop\" of its server in %s:%ui: requests are verified "
                      "only after the location is selected, and \"return\" "
                      "and \"rewrite\" directives of the server itself are "
                      "not protected",
                      mode[i]->file, mode[i]->line,
                      alcf->mode->file, alcf->mode->line);
    }
}


static void
ngx_http_aop_server_mixed(ngx_http_core_srv_conf_t *cscf)
{
    ngx_uint_t                i, modes;
    ngx_http_aop_mode_t     **mode;
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_aop_loc_conf_t  *alcf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    alcf = cscf->ctx->loc_conf[ngx_http_aop_module.ctx_index];

    modes = 1 << alcf->mode->mode;

    if (ascf->locations != NULL) {
        mode = ascf->locations->elts;

        for (i = 0; i < ascf->locations->nelts; i++) {
            modes |= 1 << mode[i]->mode;
        }
    }

    ascf->uniform = (modes == 1 << NGX_AOP_MODE_OPTIONAL
                     || modes == 1 << NGX_AOP_MODE_ON);

    modes &= ~(1 << NGX_AOP_MODE_OFF);

    ascf->mixed = (modes != 1 << NGX_AOP_MODE_OPTIONAL
                   && modes != 1 << NGX_AOP_MODE_ON);
}


static ngx_uint_t
ngx_http_aop_mode_relaxed(const ngx_http_aop_mode_t *server,
    const ngx_http_aop_mode_t *location)
{
    switch (location->mode) {

    case NGX_AOP_MODE_ON:
        return 0;

    case NGX_AOP_MODE_OPTIONAL:
        return server->mode == NGX_AOP_MODE_ON
               || server->mode == NGX_HTTP_AOP_MODE_VARIABLE;

    default: /* NGX_AOP_MODE_OFF, NGX_HTTP_AOP_MODE_VARIABLE */
        return server->mode != NGX_AOP_MODE_OFF;
    }
}


/* What nginx itself does with client certificates in the same server. */

static ngx_int_t
ngx_http_aop_servers_check_ssl_directives(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (sscf->ssl.ctx != NULL
        && ngx_http_aop_ssl_ocsp(sscf)
        && !sscf->verify)
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"ssl_ocsp\" without \"ssl_verify_client\" is "
                      "incompatible with \"aop\" in the server in %s:%ui: "
                      "nginx would close connections with a valid certificate "
                      "(remove \"ssl_ocsp\")",
                      cscf->file_name, cscf->line);
        return NGX_ERROR;
    }

    if (sscf->verify == 1 || sscf->verify == 2) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ssl_verify_client\" is used with \"aop\" in the "
                      "server in %s:%ui: it rejects requests regardless of "
                      "the \"aop\" mode (remove it)",
                      cscf->file_name, cscf->line);
    }

    return NGX_OK;
}


/* Once all servers that share its SSL_CTX have added the names of theirs. */

static ngx_int_t
ngx_http_aop_server_names(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf)
{
    ngx_int_t                 n;
    ngx_http_ssl_srv_conf_t  *sscf;
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (!ascf->asks) {
        return NGX_OK;
    }

    n = ngx_http_aop_tls_names(sscf->ssl.ctx);

    if (n == -1) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot set the CA names of \"aop_ca\"");
        return NGX_ERROR;
    }

    if (n > 0) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "too many CA names for a TLS handshake in the server in "
                      "%s:%ui: none of the %i are sent, clients choose a "
                      "certificate without them (use fewer certificates in "
                      "\"aop_ca\")",
                      cscf->file_name, cscf->line, n);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_aop_address_init(ngx_conf_t *cf, ngx_http_conf_addr_t *addr)
{
    ngx_uint_t                  s, tls;
    ngx_http_aop_srv_conf_t    *ascf;
    ngx_http_core_srv_conf_t  **cscfp;

    tls = ngx_http_aop_address_tls(addr);

    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {
        ascf = cscfp[s]->ctx->srv_conf[ngx_http_aop_module.ctx_index];

        if (ascf->policy == NULL) {
            ngx_http_aop_servers_warn_shared_ssl_ctx(cf, addr, cscfp[s]);
            continue;
        }

        if (!tls) {
            ngx_http_aop_address_plain(cf, addr, cscfp[s]);
            continue;
        }

        ngx_http_aop_tls13_check(cf, addr, cscfp[s]);

        if (ngx_http_aop_address_arm(cf, addr, cscfp[s]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * A server without a certificate of its own handshakes in the SSL_CTX of the
 * default server of the address.
 */

static ngx_int_t
ngx_http_aop_address_arm(ngx_conf_t *cf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_srv_conf_t   *ascf, *dascf;
    ngx_http_ssl_srv_conf_t   *sscf;
    ngx_http_core_srv_conf_t  *dcscf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (sscf->ssl.ctx == NULL) {
        dcscf = addr->default_server;
        dascf = dcscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
        sscf = dcscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

        if (dascf->policy == NULL) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "the server in %s:%ui, default for %V, requests a "
                          "client certificate although it does not use "
                          "\"aop\": the server in %s:%ui uses \"aop\" and has "
                          "no \"ssl_certificate\" of its own (add one)",
                          dcscf->file_name, dcscf->line,
                          &addr->opt.addr_text, cscf->file_name, cscf->line);
        }

        if (sscf->ssl.ctx == NULL) {
            return NGX_OK;
        }

        dascf->asks = 1;

    } else {
        ascf->asks = 1;
    }

    return ngx_http_aop_tls_arm(cf, sscf->ssl.ctx, ascf->policy);
}


/* Does a server with "aop" listen there with TLS? */

static ngx_uint_t
ngx_http_aop_address_uses(ngx_http_conf_addr_t *addr)
{
    ngx_uint_t                  s;
    ngx_http_aop_srv_conf_t    *ascf;
    ngx_http_core_srv_conf_t  **cscfp;

    if (!ngx_http_aop_address_tls(addr)) {
        return 0;
    }

    cscfp = addr->servers.elts;

    for (s = 0; s < addr->servers.nelts; s++) {
        ascf = cscfp[s]->ctx->srv_conf[ngx_http_aop_module.ctx_index];

        if (ascf->policy != NULL) {
            return 1;
        }
    }

    return 0;
}


/* Sessions are handled by the default server's SSL_CTX, whatever SNI. */

static ngx_int_t
ngx_http_aop_address_sessions(ngx_conf_t *cf, ngx_http_conf_addr_t *addr)
{
    ngx_http_ssl_srv_conf_t  *sscf;

    if (!ngx_http_aop_address_uses(addr)) {
        return NGX_OK;
    }

    sscf = addr->default_server->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (sscf->ssl.ctx == NULL) {
        return NGX_OK;
    }

    if (sscf->early_data) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ssl_early_data on\" of the server in %s:%ui is used "
                      "with \"aop\" at %V: early data can be replayed "
                      "(disable it)",
                      addr->default_server->file_name,
                      addr->default_server->line, &addr->opt.addr_text);
    }

    if (sscf->builtin_session_cache == NGX_SSL_DFLT_BUILTIN_SCACHE
        || sscf->builtin_session_cache > 0)
    {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "\"ssl_session_cache builtin\" of the server in %s:%ui "
                      "is disabled, because servers at %V use \"aop\" (use "
                      "\"shared:\" alone)",
                      addr->default_server->file_name,
                      addr->default_server->line, &addr->opt.addr_text);
    }

    return ngx_http_aop_session_arm(cf, sscf);
}


/* Without its own certificate it requests one as the default server does. */

static void
ngx_http_aop_servers_warn_shared_ssl_ctx(ngx_conf_t *cf,
    ngx_http_conf_addr_t *addr, ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_srv_conf_t   *dascf;
    ngx_http_ssl_srv_conf_t   *sscf, *dsscf;
    ngx_http_core_srv_conf_t  *dcscf;

    dcscf = addr->default_server;
    dascf = dcscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    dsscf = dcscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];
    sscf = cscf->ctx->srv_conf[ngx_http_ssl_module.ctx_index];

    if (dascf->policy == NULL
        || dsscf->ssl.ctx == NULL
        || sscf->ssl.ctx != NULL
        || !ngx_http_aop_listens_tls(addr))
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "the server in %s:%ui requests a client certificate "
                  "although it does not use \"aop\": it has no "
                  "\"ssl_certificate\" of its own, and the default server for "
                  "%V in %s:%ui uses \"aop\" (add one)",
                  cscf->file_name, cscf->line, &addr->opt.addr_text,
                  dcscf->file_name, dcscf->line);
}


static void
ngx_http_aop_address_plain(ngx_conf_t *cf, ngx_http_conf_addr_t *addr,
    ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_loc_conf_t  *alcf;
    ngx_http_aop_srv_conf_t  *ascf;

    alcf = cscf->ctx->loc_conf[ngx_http_aop_module.ctx_index];
    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    if (alcf->mode->mode != NGX_AOP_MODE_ON) {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "\"aop on\" in %s:%ui rejects all requests to the plain "
                  "HTTP \"listen %V\" of the server in %s:%ui (%s)",
                  alcf->mode->file, alcf->mode->line, &addr->opt.addr_text,
                  cscf->file_name, cscf->line,
                  ascf->tls ? "move it to a separate server with \"aop off\", "
                              "for redirects, ACME and health checks"
                            : "add \"aop off\" to that server if it serves "
                              "only redirects, ACME, health checks or "
                              "\"return 444\"");
}
