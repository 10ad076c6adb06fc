
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * TLS sessions as OpenSSL has them in memory.  Resuming one costs much less
 * than resuming what was written to a ticket or a cache, from which the client
 * certificate has to be parsed again.  Whether a session may be resumed is not
 * asked here.
 *
 * Ids are OpenSSL's random numbers, so their first octets are as good as a
 * hash; what a client sends is looked up only, never added.
 */


#include <string.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "ngx_aop_sessions.h"


/* the places a session can be in */

#define NGX_AOP_SESSIONS_WAYS  8


static ngx_aop_sessions_slot_t *ngx_aop_sessions_slot(
    ngx_aop_sessions_t *table, const void *owner, const unsigned char *id,
    size_t len);
static ngx_aop_sessions_slot_t *ngx_aop_sessions_set(
    ngx_aop_sessions_t *table, const unsigned char *id);
static ngx_aop_sessions_slot_t *ngx_aop_sessions_victim(
    ngx_aop_sessions_slot_t *set, time_t now);
static void ngx_aop_sessions_drop(ngx_aop_sessions_slot_t *slot);
static int ngx_aop_sessions_whole(X509 *x509);


SSL_SESSION *
ngx_aop_sessions_find(ngx_aop_sessions_t *table, const void *owner,
    const unsigned char *id, size_t len, time_t now)
{
    ngx_aop_sessions_slot_t  *slot;

    slot = ngx_aop_sessions_slot(table, owner, id, len);

    if (slot == NULL) {
        return NULL;
    }

    if (now > slot->expires) {
        ngx_aop_sessions_drop(slot);
        return NULL;
    }

    return slot->session;
}


int
ngx_aop_sessions_add(ngx_aop_sessions_t *table, const void *owner,
    SSL_SESSION *session, time_t now)
{
    unsigned int              len;
    const unsigned char      *id;
    ngx_aop_sessions_slot_t  *slot;

    id = SSL_SESSION_get_id(session, &len);

    if (len != SSL_MAX_SSL_SESSION_ID_LENGTH) {
        return 0;
    }

    slot = ngx_aop_sessions_slot(table, owner, id, len);

    if (slot == NULL) {
        slot = ngx_aop_sessions_victim(ngx_aop_sessions_set(table, id), now);
    }

    ngx_aop_sessions_drop(slot);

    slot->session = session;
    slot->owner = owner;
    slot->added = ++table->added;
    slot->expires = now + SSL_SESSION_get_timeout(session);

    return 1;
}


void
ngx_aop_sessions_remove(ngx_aop_sessions_t *table, const void *owner,
    SSL_SESSION *session)
{
    unsigned int              len;
    const unsigned char      *id;
    ngx_aop_sessions_slot_t  *slot;

    id = SSL_SESSION_get_id(session, &len);

    slot = ngx_aop_sessions_slot(table, owner, id, len);

    if (slot != NULL && slot->session == session) {
        ngx_aop_sessions_drop(slot);
    }
}


/* A digest is as good as a hash.  Another certificate takes the place. */

X509 *
ngx_aop_sessions_cert(ngx_aop_sessions_t *table, X509 *x509,
    const unsigned char *digest)
{
    ngx_aop_sessions_cert_t  *cert;

    cert = &table->certs[digest[0] % NGX_AOP_SESSIONS_CERTS];

    if (cert->x509 != NULL
        && memcmp(cert->digest, digest, NGX_AOP_DIGEST) == 0)
    {
        return cert->x509;
    }

    if (ngx_aop_sessions_whole(x509) && X509_up_ref(x509)) {
        X509_free(cert->x509);

        cert->x509 = x509;
        memcpy(cert->digest, digest, NGX_AOP_DIGEST);
    }

    return x509;
}


/*
 * Equal bytes do not make equal objects: if memory was short when it was parsed
 * or looked at, OpenSSL has no key or no extensions of a good certificate, and
 * does not try again.
 */

static int
ngx_aop_sessions_whole(X509 *x509)
{
    int  whole;

    ERR_set_mark();

    whole = X509_get0_pubkey(x509) != NULL
            && !(X509_get_extension_flags(x509) & EXFLAG_INVALID);

    ERR_pop_to_mark();

    return whole;
}


void
ngx_aop_sessions_clear(ngx_aop_sessions_t *table)
{
    size_t  i;

    for (i = 0; i < NGX_AOP_SESSIONS_SLOTS; i++) {
        ngx_aop_sessions_drop(&table->slots[i]);
    }

    for (i = 0; i < NGX_AOP_SESSIONS_CERTS; i++) {
        X509_free(table->certs[i].x509);
        table->certs[i].x509 = NULL;
    }
}


static ngx_aop_sessions_slot_t *
ngx_aop_sessions_slot(ngx_aop_sessions_t *table, const void *owner,
    const unsigned char *id, size_t len)
{
    int                       i;
    unsigned int              n;
    const unsigned char      *p;
    ngx_aop_sessions_slot_t  *slot;

    if (len != SSL_MAX_SSL_SESSION_ID_LENGTH) {
        return NULL;
    }

    slot = ngx_aop_sessions_set(table, id);

    for (i = 0; i < NGX_AOP_SESSIONS_WAYS; i++, slot++) {

        if (slot->session == NULL || slot->owner != owner) {
            continue;
        }

        p = SSL_SESSION_get_id(slot->session, &n);

        if (n == len && memcmp(p, id, len) == 0) {
            return slot;
        }
    }

    return NULL;
}


static ngx_aop_sessions_slot_t *
ngx_aop_sessions_set(ngx_aop_sessions_t *table, const unsigned char *id)
{
    size_t  set;

    set = (id[0] << 8 | id[1])
          % (NGX_AOP_SESSIONS_SLOTS / NGX_AOP_SESSIONS_WAYS);

    return &table->slots[set * NGX_AOP_SESSIONS_WAYS];
}


/* One that is free or of no use, else the oldest. */

static ngx_aop_sessions_slot_t *
ngx_aop_sessions_victim(ngx_aop_sessions_slot_t *set, time_t now)
{
    int                       i;
    ngx_aop_sessions_slot_t  *victim;

    victim = set;

    for (i = 0; i < NGX_AOP_SESSIONS_WAYS; i++) {

        if (set[i].session == NULL || now > set[i].expires) {
            return &set[i];
        }

        if (set[i].added < victim->added) {
            victim = &set[i];
        }
    }

    return victim;
}


static void
ngx_aop_sessions_drop(ngx_aop_sessions_slot_t *slot)
{
    SSL_SESSION_free(slot->session);

    slot->session = NULL;
    slot->owner = NULL;
}
