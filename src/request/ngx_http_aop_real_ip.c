
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The client's address, taken from a header.  It is believed if the request's
 * certificate passed and there is exactly one such header with exactly one
 * address in it; in any other case the address stays what it was.
 *
 * It is put where nginx's realip module puts it, and taken back at the end of
 * the request.
 */


#include "ngx_http_aop_request.h"
#include "ngx_aop_addr.h"


typedef struct {
    ngx_connection_t     *connection;
    ngx_addr_t            before;
    ngx_addr_t            client;       /* in the request's pool */
    ngx_sockaddr_t        sockaddr;
    u_char                text[NGX_SOCKADDR_STRLEN];
} ngx_http_aop_real_ip_ctx_t;


static ngx_str_t *ngx_http_aop_real_ip_header(ngx_http_request_t *r,
    const ngx_str_t *name);
static ngx_int_t ngx_http_aop_real_ip_set(ngx_http_request_t *r,
    const u_char *addr);
static ngx_int_t ngx_http_aop_real_ip_client(ngx_addr_t *client,
    ngx_http_aop_real_ip_ctx_t *ctx, const u_char *addr);
static void ngx_http_aop_real_ip_remember(ngx_http_request_t *r);
static void ngx_http_aop_real_ip_put(ngx_connection_t *c,
    const ngx_addr_t *addr);
static void ngx_http_aop_real_ip_cleanup(void *data);
static ngx_uint_t ngx_http_aop_real_ip_token(const ngx_str_t *name);


static ngx_str_t  ngx_http_aop_real_ip_before[] = {
    ngx_string("realip_remote_addr"),
    ngx_string("realip_remote_port"),
    ngx_null_string
};


/*
 * A redirect keeps the address.  It also is how a malformed request gets to
 * its error page, and nobody knows whether all its headers were read.
 */

ngx_int_t
ngx_http_aop_real_ip_apply(ngx_http_request_t *r)
{
    u_char                     addr[NGX_AOP_ADDR];
    ngx_http_aop_srv_conf_t   *ascf;
    ngx_http_aop_judgement_t  *judgement;

    ascf = ngx_http_get_module_srv_conf(r, ngx_http_aop_module);

    if (ascf->real_ip == NULL
        || r->internal
        || !ngx_http_aop_real_ip_parse(r, &ascf->real_ip->header, addr))
    {
        return NGX_DECLINED;
    }

    judgement = ngx_http_aop_conn_judge_request(r);

    if (judgement->result.verdict != NGX_AOP_VERDICT_OK) {
        return NGX_DECLINED;
    }

    return ngx_http_aop_real_ip_set(r, addr);
}


/* An IPv4-mapped address would be a second name for the same client. */

ngx_uint_t
ngx_http_aop_real_ip_parse(ngx_http_request_t *r, const ngx_str_t *name,
    u_char *addr)
{
    ngx_str_t  *value;

    value = ngx_http_aop_real_ip_header(r, name);

    if (value == NULL
        || !ngx_aop_addr_parse(addr, (char *) value->data, value->len))
    {
        return 0;
    }

    return !ngx_aop_addr_is_ipv4(addr)
           || ngx_strlchr(value->data, value->data + value->len, ':') == NULL;
}


static ngx_str_t *
ngx_http_aop_real_ip_header(ngx_http_request_t *r, const ngx_str_t *name)
{
    ngx_str_t        *value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    value = NULL;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].key.len != name->len
                || ngx_strncasecmp(h[i].key.data, name->data, name->len) != 0)
            {
                continue;
            }

            if (value != NULL) {
                return NULL;
            }

            value = &h[i].value;
        }
    }

    return value;
}


static ngx_int_t
ngx_http_aop_real_ip_set(ngx_http_request_t *r, const u_char *addr)
{
    ngx_addr_t                   client;
    ngx_connection_t            *c;
    ngx_http_aop_real_ip_ctx_t  *ctx;

    /* the connection's own address cannot be determined after this */

    if (ngx_http_aop_peer_keep(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_aop_real_ip_remember(r);

    c = r->connection;

    ctx = ngx_http_aop_pool_add(r->pool, sizeof(ngx_http_aop_real_ip_ctx_t),
                                ngx_http_aop_real_ip_cleanup);
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->connection = c;

    ctx->before.sockaddr = c->sockaddr;
    ctx->before.socklen = c->socklen;
    ctx->before.name = c->addr_text;

    ctx->client = ctx->before;

    if (ngx_http_aop_real_ip_client(&client, ctx, addr) != NGX_OK) {
        return NGX_DECLINED;
    }

    ctx->client = client;

    ngx_http_aop_real_ip_put(c, &ctx->client);

    return NGX_DECLINED;
}


/* NGX_ERROR: an nginx without IPv6 has no text for the address. */

static ngx_int_t
ngx_http_aop_real_ip_client(ngx_addr_t *client,
    ngx_http_aop_real_ip_ctx_t *ctx, const u_char *addr)
{
    struct sockaddr_in   *sin;
    struct sockaddr_in6  *sin6;

    client->sockaddr = &ctx->sockaddr.sockaddr;

    if (ngx_aop_addr_is_ipv4(addr)) {
        sin = (struct sockaddr_in *) client->sockaddr;
        sin->sin_family = AF_INET;
        ngx_memcpy(&sin->sin_addr, addr + 12, 4);
        client->socklen = sizeof(struct sockaddr_in);

    } else {
        sin6 = (struct sockaddr_in6 *) client->sockaddr;
        sin6->sin6_family = AF_INET6;
        ngx_memcpy(&sin6->sin6_addr, addr, 16);
        client->socklen = sizeof(struct sockaddr_in6);
    }

    client->name.data = ctx->text;
    client->name.len = ngx_sock_ntop(client->sockaddr, client->socklen,
                                     ctx->text, NGX_SOCKADDR_STRLEN, 0);

    return client->name.len ? NGX_OK : NGX_ERROR;
}


/*
 * nginx's realip would take the address that is set here for the connection's
 * own.  So its variables are evaluated before, and nginx remembers them.
 */

static void
ngx_http_aop_real_ip_remember(ngx_http_request_t *r)
{
    ngx_str_t  *name;

    for (name = ngx_http_aop_real_ip_before; name->len; name++) {
        (void) ngx_http_get_variable(r, name,
                                     ngx_hash_key(name->data, name->len));
    }
}


static void
ngx_http_aop_real_ip_put(ngx_connection_t *c, const ngx_addr_t *addr)
{
    c->sockaddr = addr->sockaddr;
    c->socklen = addr->socklen;
    c->addr_text = addr->name;
}


/* nginx's realip may have found another address since. */

void
ngx_http_aop_real_ip_restore(ngx_http_request_t *r)
{
    ngx_http_aop_real_ip_ctx_t  *ctx;

    ctx = ngx_http_aop_pool_get(r->pool, ngx_http_aop_real_ip_cleanup);

    if (ctx != NULL) {
        ngx_http_aop_real_ip_put(ctx->connection, &ctx->client);
    }
}


static void
ngx_http_aop_real_ip_cleanup(void *data)
{
    ngx_http_aop_real_ip_ctx_t  *ctx = data;

    ngx_http_aop_real_ip_put(ctx->connection, &ctx->before);
}


char *
ngx_http_aop_real_ip_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_srv_conf_t  *ascf = conf;

    ngx_str_t               *value;
    ngx_http_aop_real_ip_t  *real_ip;

    if (ascf->real_ip != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcasecmp(value[1].data, (u_char *) "off") == 0) {
        ascf->real_ip = NULL;
        return NGX_CONF_OK;
    }

    real_ip = ngx_pcalloc(cf->pool, sizeof(ngx_http_aop_real_ip_t));
    if (real_ip == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_strcasecmp(value[1].data, (u_char *) "on") == 0) {
        ngx_str_set(&real_ip->header, NGX_HTTP_AOP_CONNECTING_IP);

    } else if (ngx_http_aop_real_ip_token(&value[1])) {
        real_ip->header = value[1];

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid value \"%V\" in \"aop_real_ip\" directive, "
                           "it must be \"off\", \"on\" or the name of a "
                           "header", &value[1]);
        return NGX_CONF_ERROR;
    }

    real_ip->file = cf->conf_file->file.name.data;
    real_ip->line = cf->conf_file->line;

    ascf->real_ip = real_ip;

    return NGX_CONF_OK;
}


static ngx_uint_t
ngx_http_aop_real_ip_token(const ngx_str_t *name)
{
    u_char      c;
    ngx_uint_t  i;

    for (i = 0; i < name->len; i++) {
        c = ngx_tolower(name->data[i]);

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-'
            && c != '_')
        {
            return 0;
        }
    }

    return name->len != 0;
}
