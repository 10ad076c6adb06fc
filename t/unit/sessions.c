
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A table of sessions gives back what was put in, to its owner, until it is
 * removed, expires, or has to make room; and frees what it gives up.  So it
 * does with certificates.
 */


#include <string.h>
#include <openssl/err.h>

#include "ngx_aop_sessions.h"
#include "pki.h"


#define NOW      1000000
#define TIMEOUT  300


enum {
    ROOT = 1,
    LEAF,
    OTHER,
    BROKEN,
    NCERTS
};


static const pki_cert_t  certs[NCERTS] = {
    [ROOT] = { .name = "Root", .ext = { PKI_CA } },
    [LEAF] = { .name = "Leaf", .by = ROOT },
    [OTHER] = { .name = "Other", .by = ROOT },
    [BROKEN] = { .name = "Leaf", .by = ROOT,
                 .ext = { "basicConstraints=DER:04:00" } }
};


static ngx_aop_sessions_t  table;

static const int  alice, bob;


/* A session of the number, which is its id; the first octets choose the set. */

static SSL_SESSION *
session_new(unsigned int n)
{
    SSL_SESSION    *session;
    unsigned char   id[SSL_MAX_SSL_SESSION_ID_LENGTH];

    memset(id, 0, sizeof(id));
    memcpy(id + 8, &n, sizeof(n));

    id[0] = n >> 24;
    id[1] = n >> 16;

    session = SSL_SESSION_new();
    assert_non_null(session);

    assert_true(SSL_SESSION_set1_id(session, id, sizeof(id)));
    assert_true(SSL_SESSION_set_timeout(session, TIMEOUT));

    return session;
}


static SSL_SESSION *
session_find(const void *owner, unsigned int n, time_t now)
{
    SSL_SESSION          *session, *found;
    unsigned int          len;
    const unsigned char  *id;

    session = session_new(n);
    id = SSL_SESSION_get_id(session, &len);

    found = ngx_aop_sessions_find(&table, owner, id, len, now);

    SSL_SESSION_free(session);

    return found;
}


static void
finds_what_was_added(void **state)
{
    SSL_SESSION  *session;

    session = session_new(1);

    assert_null(session_find(&alice, 1, NOW));
    assert_true(ngx_aop_sessions_add(&table, &alice, session, NOW));
    assert_ptr_equal(session_find(&alice, 1, NOW), session);
    assert_null(session_find(&alice, 2, NOW));

    ngx_aop_sessions_clear(&table);

    assert_null(session_find(&alice, 1, NOW));
}


static void
finds_for_the_owner_only(void **state)
{
    SSL_SESSION  *first, *second;

    first = session_new(1);
    second = session_new(1);

    assert_true(ngx_aop_sessions_add(&table, &alice, first, NOW));
    assert_null(session_find(&bob, 1, NOW));

    ngx_aop_sessions_remove(&table, &bob, first);
    assert_ptr_equal(session_find(&alice, 1, NOW), first);

    assert_true(ngx_aop_sessions_add(&table, &bob, second, NOW));
    assert_ptr_equal(session_find(&alice, 1, NOW), first);
    assert_ptr_equal(session_find(&bob, 1, NOW), second);

    ngx_aop_sessions_remove(&table, &alice, first);
    assert_null(session_find(&alice, 1, NOW));
    assert_ptr_equal(session_find(&bob, 1, NOW), second);

    ngx_aop_sessions_clear(&table);
}


static void
an_id_has_one_session(void **state)
{
    SSL_SESSION  *first, *second;

    first = session_new(1);
    second = session_new(1);

    assert_true(ngx_aop_sessions_add(&table, &alice, first, NOW));
    assert_true(ngx_aop_sessions_add(&table, &alice, second, NOW));
    assert_ptr_equal(session_find(&alice, 1, NOW), second);

    ngx_aop_sessions_remove(&table, &alice, second);
    assert_null(session_find(&alice, 1, NOW));
}


/* The id of a session is no secret. */

static void
removes_that_very_session(void **state)
{
    SSL_SESSION  *session, *other, *unnamed;

    session = session_new(1);
    other = session_new(1);
    unnamed = SSL_SESSION_new();
    assert_non_null(unnamed);

    assert_true(ngx_aop_sessions_add(&table, &alice, session, NOW));

    ngx_aop_sessions_remove(&table, &alice, other);
    ngx_aop_sessions_remove(&table, &alice, unnamed);
    assert_ptr_equal(session_find(&alice, 1, NOW), session);

    ngx_aop_sessions_remove(&table, &alice, session);
    assert_null(session_find(&alice, 1, NOW));

    SSL_SESSION_free(unnamed);
    SSL_SESSION_free(other);
}


static void
expires(void **state)
{
    assert_true(ngx_aop_sessions_add(&table, &alice, session_new(1), NOW));
    assert_non_null(session_find(&alice, 1, NOW + TIMEOUT));
    assert_null(session_find(&alice, 1, NOW + TIMEOUT + 1));

    /* and is gone then, whatever the clock does */

    assert_null(session_find(&alice, 1, NOW));
}


static void
needs_an_id(void **state)
{
    SSL_SESSION    *session;
    unsigned char   id[SSL_MAX_SSL_SESSION_ID_LENGTH + 1];

    memset(id, 0, sizeof(id));

    session = SSL_SESSION_new();
    assert_non_null(session);

    assert_false(ngx_aop_sessions_add(&table, &alice, session, NOW));
    assert_true(SSL_SESSION_set1_id(session, id, 16));
    assert_false(ngx_aop_sessions_add(&table, &alice, session, NOW));

    SSL_SESSION_free(session);

    assert_true(ngx_aop_sessions_add(&table, &alice, session_new(0), NOW));
    assert_non_null(ngx_aop_sessions_find(&table, &alice, id, 32, NOW));
    assert_null(ngx_aop_sessions_find(&table, &alice, id, 0, NOW));
    assert_null(ngx_aop_sessions_find(&table, &alice, id, 16, NOW));
    assert_null(ngx_aop_sessions_find(&table, &alice, id, 33, NOW));

    ngx_aop_sessions_clear(&table);
}


/* All of one set: the oldest goes, or one that has expired. */

static void
the_oldest_makes_room(void **state)
{
    unsigned int  n, first;

    for (n = 1; ngx_aop_sessions_add(&table, &alice, session_new(n), NOW)
                && session_find(&alice, 1, NOW) != NULL; n++)
    {
        assert_true(n <= NGX_AOP_SESSIONS_SLOTS);
    }

    first = 2;
    assert_true(n > first);

    for (; first <= n; first++) {
        assert_non_null(session_find(&alice, first, NOW));
    }

    assert_true(ngx_aop_sessions_add(&table, &alice, session_new(n + 1),
                                     NOW + 2 * TIMEOUT));
    assert_true(ngx_aop_sessions_add(&table, &alice, session_new(n + 2),
                                     NOW + 2 * TIMEOUT));
    assert_non_null(session_find(&alice, n + 1, NOW + 2 * TIMEOUT));
    assert_non_null(session_find(&alice, n + 2, NOW + 2 * TIMEOUT));

    ngx_aop_sessions_clear(&table);
}


/* Whatever comes, there are no more than the table has places for. */

static void
is_bounded(void **state)
{
    size_t        kept;
    unsigned int  n;

    for (n = 0; n < 4 * NGX_AOP_SESSIONS_SLOTS; n++) {
        assert_true(ngx_aop_sessions_add(&table, &alice,
                                         session_new(n << 16 | n), NOW));
    }

    kept = 0;

    for (n = 0; n < 4 * NGX_AOP_SESSIONS_SLOTS; n++) {
        kept += session_find(&alice, n << 16 | n, NOW) != NULL;
    }

    assert_int_equal(kept, NGX_AOP_SESSIONS_SLOTS);

    ngx_aop_sessions_clear(&table);
}


static X509 *
cert_shared(X509 *x509, const unsigned char *digest)
{
    return ngx_aop_sessions_cert(&table, x509, digest);
}


/* Of two with different digests in the same place, the last one that came. */

static void
certificates_are_shared(void **state)
{
    X509           *first, *second, *other;
    unsigned char   digest[NGX_AOP_DIGEST], another[NGX_AOP_DIGEST];

    memset(digest, 7, sizeof(digest));
    memcpy(another, digest, sizeof(digest));
    another[NGX_AOP_DIGEST - 1] = 8;

    first = X509_dup(pki.cert[LEAF]);
    second = pki.cert[LEAF];
    other = pki.cert[OTHER];

    assert_non_null(first);
    assert_ptr_equal(cert_shared(first, digest), first);
    assert_ptr_equal(cert_shared(second, digest), first);
    assert_ptr_equal(cert_shared(first, digest), first);

    /* the table has a reference of its own */

    X509_free(first);
    assert_ptr_equal(cert_shared(second, digest), first);
    assert_int_equal(X509_cmp(first, second), 0);

    assert_ptr_equal(cert_shared(other, another), other);
    assert_ptr_equal(cert_shared(second, digest), second);

    ngx_aop_sessions_clear(&table);

    assert_ptr_equal(cert_shared(other, digest), other);

    ngx_aop_sessions_clear(&table);
}


/* As OpenSSL makes them of a good one where memory is short. */

static void
broken_ones_are_not(void **state)
{
    X509           *keyless;
    unsigned char   digest[NGX_AOP_DIGEST];

    memset(digest, 7, sizeof(digest));

    keyless = X509_new();
    assert_non_null(keyless);

    assert_ptr_equal(cert_shared(keyless, digest), keyless);
    assert_ptr_equal(cert_shared(pki.cert[BROKEN], digest), pki.cert[BROKEN]);
    assert_ptr_equal(cert_shared(pki.cert[LEAF], digest), pki.cert[LEAF]);
    assert_ptr_equal(cert_shared(keyless, digest), pki.cert[LEAF]);

    assert_int_equal(ERR_peek_error(), 0);

    ngx_aop_sessions_clear(&table);

    X509_free(keyless);
}


static int
setup(void **state)
{
    pki_certs(certs, NCERTS);

    return 0;
}


static int
teardown(void **state)
{
    pki_free();

    return 0;
}


int
main(void)
{
    unit_case("what was added is found", finds_what_was_added, NULL);
    unit_case("by its owner only", finds_for_the_owner_only, NULL);
    unit_case("one session of an id", an_id_has_one_session, NULL);
    unit_case("removed itself only", removes_that_very_session, NULL);
    unit_case("expires", expires, NULL);
    unit_case("no id, no session", needs_an_id, NULL);
    unit_case("the oldest makes room", the_oldest_makes_room, NULL);
    unit_case("is bounded", is_bounded, NULL);
    unit_case("certificates are shared", certificates_are_shared, NULL);
    unit_case("broken ones are not", broken_ones_are_not, NULL);

    return unit_run("sessions", setup, teardown);
}
