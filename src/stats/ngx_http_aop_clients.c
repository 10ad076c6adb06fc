
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The client certificates that recently passed in a server, so that their
 * expiry can be reported and logged.
 */


#include "ngx_http_aop_stats.h"


#define NGX_HTTP_AOP_CLIENT_IN_USE  3600


static ngx_uint_t ngx_http_aop_clients_seen(ngx_http_aop_stat_t *stat,
    const ngx_aop_result_t *result, const ngx_http_aop_client_t *new);
static ngx_uint_t ngx_http_aop_clients_known(ngx_http_aop_client_t *client,
    const ngx_aop_result_t *result, const ngx_http_aop_client_t *new);
static void ngx_http_aop_clients_group(ngx_http_request_t *r,
    ngx_http_aop_client_t *client);
static void ngx_http_aop_clients_read(ngx_http_request_t *r,
    ngx_http_aop_client_t *client);
static ngx_http_aop_client_t *ngx_http_aop_clients_place(
    ngx_http_aop_stat_t *stat, const u_char *digest);


/* The facts of a new certificate are printed without holding the lock. */

void
ngx_http_aop_clients_add(ngx_http_request_t *r, ngx_http_aop_stat_t *stat,
    const ngx_aop_result_t *result)
{
    ngx_http_aop_client_t   new, *client;

    ngx_memzero(&new, sizeof(ngx_http_aop_client_t));

    ngx_http_aop_clients_group(r, &new);

    if (ngx_http_aop_clients_seen(stat, result, &new)) {
        return;
    }

    ngx_memcpy(new.leaf, result->leaf, NGX_AOP_DIGEST);
    ngx_memcpy(new.anchor, result->anchor->digest, NGX_AOP_DIGEST);

    ngx_http_aop_clients_read(r, &new);

    ngx_http_aop_shm_lock();

    client = ngx_http_aop_clients_place(stat, result->leaf);

    /* another worker may have added the same one meanwhile, and warned of it */

    if (client != NULL && !ngx_http_aop_clients_known(client, result, &new)) {

        /* the place is free until all of it is filled in */

        client->seen = 0;
        ngx_memory_barrier();

        *client = new;
        ngx_memory_barrier();

        client->seen = ngx_time();
    }

    ngx_http_aop_shm_unlock();
}


/* Notes that a certificate passed; 0: it is not a known one. */

static ngx_uint_t
ngx_http_aop_clients_seen(ngx_http_aop_stat_t *stat,
    const ngx_aop_result_t *result, const ngx_http_aop_client_t *new)
{
    ngx_uint_t              found;
    ngx_http_aop_client_t  *client;

    ngx_http_aop_shm_lock();

    client = ngx_http_aop_clients_place(stat, result->leaf);

    /* if all places are in use, there is no need to read it */

    found = (client == NULL
             || ngx_http_aop_clients_known(client, result, new));

    ngx_http_aop_shm_unlock();

    return found;
}


static ngx_uint_t
ngx_http_aop_clients_known(ngx_http_aop_client_t *client,
    const ngx_aop_result_t *result, const ngx_http_aop_client_t *new)
{
    if (client->seen == 0
        || ngx_memcmp(client->leaf, result->leaf, NGX_AOP_DIGEST) != 0)
    {
        return 0;
    }

    ngx_memcpy(client->anchor, result->anchor->digest, NGX_AOP_DIGEST);
    ngx_memcpy(client->group, new->group, sizeof(client->group));
    client->seen = ngx_time();

    return 1;
}


static void
ngx_http_aop_clients_group(ngx_http_request_t *r, ngx_http_aop_client_t *client)
{
    const char  *group;

    group = ngx_http_aop_ssl_group(r->connection->ssl->connection);

    if (group != NULL) {
        ngx_memcpy(client->group, group,
                   ngx_min(ngx_strlen(group), sizeof(client->group) - 1));
    }
}


static void
ngx_http_aop_clients_read(ngx_http_request_t *r, ngx_http_aop_client_t *client)
{
    X509       *leaf;
    ngx_str_t  *subject, *key;

    leaf = SSL_get_peer_certificate(r->connection->ssl->connection);

    if (leaf != NULL) {
        (void) ngx_aop_cert_time(X509_get0_notBefore(leaf),
                                 &client->not_before);
        (void) ngx_aop_cert_time(X509_get0_notAfter(leaf),
                                 &client->not_after);
        X509_free(leaf);
    }

    subject = ngx_http_aop_conn_fact(r, NGX_AOP_CERT_SUBJECT);

    if (subject != NULL) {
        ngx_memcpy(client->subject, subject->data,
                   ngx_aop_cert_cut((char *) subject->data, subject->len,
                                    sizeof(client->subject) - 1));
    }

    key = ngx_http_aop_conn_fact(r, NGX_AOP_CERT_KEY);

    if (key != NULL) {
        ngx_memcpy(client->key, key->data,
                   ngx_min(key->len, sizeof(client->key) - 1));
    }
}


/*
 * The place of a certificate: its own, a free one, or that of the one not seen
 * for longest.  NULL if all are in use: many certificates that take turns must
 * not push each other out, with a warning each time.
 */

static ngx_http_aop_client_t *
ngx_http_aop_clients_place(ngx_http_aop_stat_t *stat, const u_char *digest)
{
    time_t                  now;
    ngx_uint_t              i;
    ngx_http_aop_client_t  *client, *oldest;

    client = stat->clients;
    oldest = client;

    for (i = 0; i < NGX_HTTP_AOP_CLIENTS; i++) {

        if (ngx_memcmp(client[i].leaf, digest, NGX_AOP_DIGEST) == 0) {
            return &client[i];
        }

        if (client[i].seen < oldest->seen) {
            oldest = &client[i];
        }
    }

    /* the clock may have been set back since */

    now = ngx_time();

    return (now - oldest->seen > NGX_HTTP_AOP_CLIENT_IN_USE
            || oldest->seen > now)
           ? oldest : NULL;
}
