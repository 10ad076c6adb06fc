
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which server a TLS connection is for, by the name in the ClientHello or by
 * that of a session, before nginx itself knows it.  If it is not clear here
 * how nginx will treat a name, it has no server.
 */


#include "ngx_http_aop_conn.h"


static ngx_int_t ngx_http_aop_sni_name(ngx_ssl_conn_t *ssl, u_char *buf,
    ngx_str_t *name);
static ngx_int_t ngx_http_aop_sni_normalize(u_char *buf, const u_char *p,
    size_t len, ngx_str_t *name);
static ngx_http_core_srv_conf_t *ngx_http_aop_sni_find(
    ngx_http_addr_conf_t *addr, ngx_str_t *name);


/* a host name of RFC 1035, and a dot at its end */

#define NGX_HTTP_AOP_NAME_LEN  255


ngx_http_core_srv_conf_t *
ngx_http_aop_sni_server(ngx_ssl_conn_t *ssl)
{
    u_char                  buf[NGX_HTTP_AOP_NAME_LEN];
    ngx_int_t               rc;
    ngx_str_t               name;
    ngx_connection_t       *c;
    ngx_http_connection_t  *hc;

    c = ngx_ssl_get_connection(ssl);
    hc = c->data;

    rc = ngx_http_aop_sni_name(ssl, buf, &name);

    if (rc == NGX_ERROR) {
        return NULL;
    }

    if (rc == NGX_DECLINED) {
        return hc->addr_conf->default_server;
    }

    return ngx_http_aop_sni_find(hc->addr_conf, &name);
}


ngx_http_core_srv_conf_t *
ngx_http_aop_sni_made_for(ngx_ssl_conn_t *ssl, SSL_SESSION *session)
{
    size_t                  len;
    u_char                  buf[NGX_HTTP_AOP_NAME_LEN];
    ngx_str_t               name;
    const char             *p;
    ngx_connection_t       *c;
    ngx_http_connection_t  *hc;

    c = ngx_ssl_get_connection(ssl);
    hc = c->data;

    p = SSL_SESSION_get0_hostname(session);

    if (p == NULL) {
        return hc->addr_conf->default_server;
    }

    len = ngx_strlen(p);

    if (ngx_http_aop_sni_normalize(buf, (const u_char *) p, len, &name)
        != NGX_OK)
    {
        return NULL;
    }

    return ngx_http_aop_sni_find(hc->addr_conf, &name);
}


/*
 * The host name of the ClientHello's server_name extension (RFC 6066, 3), as
 * nginx is going to compare it.  NGX_DECLINED: there is none.  NGX_ERROR: it
 * is not known here how nginx will treat it.
 */

static ngx_int_t
ngx_http_aop_sni_name(ngx_ssl_conn_t *ssl, u_char *buf, ngx_str_t *name)
{
    size_t                len, n;
    const unsigned char  *p;

    if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &len)) {
        return NGX_DECLINED;
    }

    /* a list of 16 bits length: a type, 0 for host_name, 16 bits length */

    if (len < 5 || p[2] != TLSEXT_NAMETYPE_host_name) {
        return NGX_ERROR;
    }

    n = p[3] << 8 | p[4];

    if (n > len - 5) {
        return NGX_ERROR;
    }

    return ngx_http_aop_sni_normalize(buf, p + 5, n, name);
}


static ngx_int_t
ngx_http_aop_sni_normalize(u_char *buf, const u_char *p, size_t len,
    ngx_str_t *name)
{
    u_char  ch;
    size_t  i;

    if (len == 0 || len > NGX_HTTP_AOP_NAME_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < len; i++) {
        ch = ngx_tolower(p[i]);

        if ((ch < 'a' || ch > 'z') && (ch < '0' || ch > '9')
            && ch != '-' && ch != '_'
            && (ch != '.' || i == 0 || p[i - 1] == '.'))
        {
            return NGX_ERROR;
        }

        buf[i] = ch;
    }

    if (buf[len - 1] == '.') {
        len--;
    }

    name->data = buf;
    name->len = len;

    return NGX_OK;
}


/* As ngx_http_find_virtual_server(), which modules cannot call, does it. */

static ngx_http_core_srv_conf_t *
ngx_http_aop_sni_find(ngx_http_addr_conf_t *addr, ngx_str_t *name)
{
    ngx_http_core_srv_conf_t  *cscf;

    if (addr->virtual_names == NULL) {
        return addr->default_server;
    }

    cscf = ngx_hash_find_combined(&addr->virtual_names->names,
                                  ngx_hash_key(name->data, name->len),
                                  name->data, name->len);
    if (cscf != NULL) {
        return cscf;
    }

#if (NGX_PCRE)
    {
    ngx_int_t                n;
    ngx_uint_t               i;
    ngx_http_server_name_t  *sn;

    sn = addr->virtual_names->regex;

    for (i = 0; i < addr->virtual_names->nregex; i++) {

        n = ngx_regex_exec(sn[i].regex->regex, name, NULL, 0);

        if (n >= 0) {
            return sn[i].server;
        }

        if (n != NGX_REGEX_NO_MATCHED) {
            return NULL;
        }
    }
    }
#endif

    return addr->default_server;
}
