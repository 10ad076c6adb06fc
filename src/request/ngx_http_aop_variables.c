
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The $aop_* variables: the findings and the outcome, for logs and upstreams.
 */


#include "ngx_http_aop_request.h"
#include "ngx_http_aop_stats.h"
#include "ngx_aop_addr.h"


static ngx_int_t ngx_http_aop_variable_mode(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_status(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_failed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_verdict(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_peer(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_peer_addr(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_relay(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_client_ip(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_addr(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const u_char *addr);
static ngx_int_t ngx_http_aop_variable_fact(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_days_left(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_aop_variable_resumed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static const ngx_aop_result_t *ngx_http_aop_variable_result(
    ngx_http_request_t *r);
static ngx_int_t ngx_http_aop_variable_set(ngx_http_variable_value_t *v,
    const void *data, size_t len);
static ngx_int_t ngx_http_aop_variable_text(ngx_http_variable_value_t *v,
    const char *text);


enum {
    NGX_HTTP_AOP_VERDICT_WORD,
    NGX_HTTP_AOP_VERDICT_REASON,
    NGX_HTTP_AOP_VERDICT_ANCHOR
};


#define ngx_http_aop_var(name, handler, data)                                 \
    { ngx_string(name), NULL, handler, data, NGX_HTTP_VAR_NOCACHEABLE, 0 }

static ngx_http_variable_t  ngx_http_aop_vars[] = {

    ngx_http_aop_var("aop_mode", ngx_http_aop_variable_mode, 0),
    ngx_http_aop_var("aop_verdict", ngx_http_aop_variable_verdict,
                     NGX_HTTP_AOP_VERDICT_WORD),
    ngx_http_aop_var("aop_status", ngx_http_aop_variable_status, 0),
    ngx_http_aop_var("aop_failed", ngx_http_aop_variable_failed, 0),
    ngx_http_aop_var("aop_reason", ngx_http_aop_variable_verdict,
                     NGX_HTTP_AOP_VERDICT_REASON),
    ngx_http_aop_var("aop_anchor", ngx_http_aop_variable_verdict,
                     NGX_HTTP_AOP_VERDICT_ANCHOR),
    ngx_http_aop_var("aop_peer", ngx_http_aop_variable_peer, 0),
    ngx_http_aop_var("aop_peer_addr", ngx_http_aop_variable_peer_addr, 0),
    ngx_http_aop_var("aop_relay", ngx_http_aop_variable_relay, 0),
    ngx_http_aop_var("aop_client_ip", ngx_http_aop_variable_client_ip, 0),

    ngx_http_aop_var("aop_client_subject", ngx_http_aop_variable_fact,
                     NGX_AOP_CERT_SUBJECT),
    ngx_http_aop_var("aop_client_issuer", ngx_http_aop_variable_fact,
                     NGX_AOP_CERT_ISSUER),
    ngx_http_aop_var("aop_client_serial", ngx_http_aop_variable_fact,
                     NGX_AOP_CERT_SERIAL),
    ngx_http_aop_var("aop_client_fingerprint", ngx_http_aop_variable_fact,
                     NGX_AOP_CERT_FINGERPRINT),
    ngx_http_aop_var("aop_client_spki", ngx_http_aop_variable_fact,
                     NGX_AOP_CERT_SPKI),
    ngx_http_aop_var("aop_client_key", ngx_http_aop_variable_fact,
                     NGX_AOP_CERT_KEY),
    ngx_http_aop_var("aop_client_not_after", ngx_http_aop_variable_fact,
                     NGX_AOP_CERT_NOT_AFTER),
    ngx_http_aop_var("aop_client_days_left", ngx_http_aop_variable_days_left,
                     0),

    ngx_http_aop_var("aop_resumed", ngx_http_aop_variable_resumed, 0),

    ngx_http_aop_var("aop_json", ngx_http_aop_log_format_json, 0),

    ngx_http_null_variable
};


static const ngx_str_t  ngx_http_aop_connecting_ip =
    ngx_string(NGX_HTTP_AOP_CONNECTING_IP);


static ngx_int_t
ngx_http_aop_variable_mode(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_aop_mode_e               mode;
    ngx_http_aop_srv_conf_t     *ascf;
    const ngx_http_aop_state_t  *state;

    ascf = ngx_http_get_module_srv_conf(r->main, ngx_http_aop_module);
    state = ngx_http_aop_request_state(r);

    if (state != NULL) {
        mode = state->mode;

    } else if (ascf->policy == NULL) {
        mode = NGX_AOP_MODE_OFF;

    } else {
        return ngx_http_aop_variable_text(v, "");
    }

    return ngx_http_aop_variable_text(v, ngx_aop_mode_word(mode));
}


static ngx_int_t
ngx_http_aop_variable_status(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const char                  *status;
    const ngx_http_aop_state_t  *state;

    state = ngx_http_aop_request_state(r);

    if (state == NULL || state->result == NULL) {
        status = "";

    } else if (state->result->verdict == NGX_AOP_VERDICT_OK) {
        status = "PASSED";

    } else if (state->mode == NGX_AOP_MODE_ON) {
        status = "REJECTED";

    } else {
        status = "REJECTED_DRY_RUN";
    }

    return ngx_http_aop_variable_text(v, status);
}


static ngx_int_t
ngx_http_aop_variable_failed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const ngx_http_aop_state_t  *state;

    state = ngx_http_aop_request_state(r);

    if (state == NULL
        || state->result == NULL
        || state->result->verdict == NGX_AOP_VERDICT_OK)
    {
        return ngx_http_aop_variable_text(v, "");
    }

    return ngx_http_aop_variable_text(v, "1");
}


/* These can be read before a mode is applied: a mode may depend on them. */

static ngx_int_t
ngx_http_aop_variable_verdict(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    const ngx_aop_result_t  *result;

    result = ngx_http_aop_variable_result(r);

    if (result == NULL) {
        return ngx_http_aop_variable_text(v, "");
    }

    switch (data) {

    case NGX_HTTP_AOP_VERDICT_WORD:
        return ngx_http_aop_variable_text(v,
                                      ngx_aop_verdict(result->verdict)->word);

    case NGX_HTTP_AOP_VERDICT_REASON:
        return ngx_http_aop_variable_text(v, result->reason);

    default: /* NGX_HTTP_AOP_VERDICT_ANCHOR */
        return ngx_http_aop_variable_text(v, result->anchor
                                             ? result->anchor->name : "");
    }
}


static const ngx_aop_result_t *
ngx_http_aop_variable_result(ngx_http_request_t *r)
{
    ngx_http_aop_srv_conf_t     *ascf;
    const ngx_http_aop_state_t  *state;

    ascf = ngx_http_get_module_srv_conf(r->main, ngx_http_aop_module);

    if (ascf->policy == NULL) {
        return NULL;
    }

    state = ngx_http_aop_request_state(r);

    if (state != NULL && state->result != NULL) {
        return state->result;
    }

    return &ngx_http_aop_conn_judge_request(r->main)->result;
}


static ngx_int_t
ngx_http_aop_variable_peer(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_aop_peer_t  peer;

    ngx_http_aop_peer(r->main, &peer);

    return ngx_http_aop_variable_text(v, ngx_aop_peer_word(peer.class));
}


static ngx_int_t
ngx_http_aop_variable_peer_addr(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_aop_peer_t  peer;

    ngx_http_aop_peer(r->main, &peer);

    return ngx_http_aop_variable_set(v, peer.addr.data, peer.addr.len);
}


static ngx_int_t
ngx_http_aop_variable_relay(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_http_aop_peer_t  peer;

    ngx_http_aop_peer(r->main, &peer);

    return ngx_http_aop_variable_text(v,
                                      ngx_http_aop_count_relay(r->main, &peer)
                                      ? "1" : "");
}


static ngx_int_t
ngx_http_aop_variable_client_ip(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char                   addr[NGX_AOP_ADDR];
    ngx_http_aop_peer_t      peer;
    const ngx_aop_result_t  *result;

    result = ngx_http_aop_variable_result(r);

    if (result != NULL
        && result->verdict == NGX_AOP_VERDICT_OK
        && ngx_http_aop_real_ip_parse(r->main, &ngx_http_aop_connecting_ip,
                                      addr))
    {
        return ngx_http_aop_variable_addr(r, v, addr);
    }

    ngx_http_aop_peer(r->main, &peer);

    return ngx_http_aop_variable_set(v, peer.addr.data, peer.addr.len);
}


/* The same visitor has the same text, however the address was written. */

static ngx_int_t
ngx_http_aop_variable_addr(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, const u_char *addr)
{
    char  *text;

    text = ngx_pnalloc(r->pool, NGX_AOP_ADDR_TEXT);
    if (text == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_aop_variable_text(v, ngx_aop_addr_text(addr, text));
}


static ngx_int_t
ngx_http_aop_variable_fact(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_str_t  fact;

    if (ngx_http_aop_conn_whole_fact(r->main, data, &fact) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_http_aop_variable_set(v, fact.data, fact.len);
}


/* Whole days; negative once the certificate has expired. */

static ngx_int_t
ngx_http_aop_variable_days_left(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    int      valid;
    X509    *leaf;
    u_char  *p;
    time_t   not_after;

    leaf = r->connection->ssl
           ? SSL_get_peer_certificate(r->connection->ssl->connection) : NULL;

    if (leaf == NULL) {
        return ngx_http_aop_variable_text(v, "");
    }

    valid = ngx_aop_cert_time(X509_get0_notAfter(leaf), &not_after);

    X509_free(leaf);

    if (!valid) {
        return ngx_http_aop_variable_text(v, "");
    }

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_aop_variable_set(v, p,
            ngx_sprintf(p, "%L", ngx_aop_cert_days(not_after, ngx_time())) - p);
}


static ngx_int_t
ngx_http_aop_variable_resumed(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    if (r->connection->ssl == NULL) {
        return ngx_http_aop_variable_text(v, "");
    }

    return ngx_http_aop_variable_text(v,
                     SSL_session_reused(r->connection->ssl->connection)
                     ? "r" : ".");
}


static ngx_int_t
ngx_http_aop_variable_text(ngx_http_variable_value_t *v, const char *text)
{
    return ngx_http_aop_variable_set(v, text, ngx_strlen(text));
}


static ngx_int_t
ngx_http_aop_variable_set(ngx_http_variable_value_t *v, const void *data,
    size_t len)
{
    v->data = (u_char *) data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}


ngx_int_t
ngx_http_aop_variables_init(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_aop_vars; v->name.len; v++) {
        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}
