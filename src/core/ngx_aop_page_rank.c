
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Which server needs attention?  Those that reject what they should not come
 * first, then those that would, then those that will.  A server that is not
 * counted is never among those where all is well.
 */


#include <string.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_page.h"


static ngx_aop_page_rank_e ngx_aop_page_rank_no(
    const ngx_aop_report_server_t *server);
static int ngx_aop_page_rank_urgent(const ngx_aop_report_server_t *server,
    time_t now);
static int ngx_aop_page_rank_cert(const ngx_aop_report_cert_t *cert,
    time_t now);


ngx_aop_page_rank_e
ngx_aop_page_rank(const ngx_aop_report_server_t *server, time_t now)
{
    if (!server->counted) {
        return NGX_AOP_PAGE_DOUBT;
    }

    if (server->answer.ready == NGX_AOP_READY_NO) {
        return ngx_aop_page_rank_no(server);
    }

    if (ngx_aop_page_rank_urgent(server, now)) {
        return NGX_AOP_PAGE_EXPIRING;
    }

    if (ngx_aop_page_rank_enforcing(server)) {
        return NGX_AOP_PAGE_ENFORCED;
    }

    if (server->answer.ready == NGX_AOP_READY_YES) {
        return NGX_AOP_PAGE_READY;
    }

    return (server->answer.cause == NGX_AOP_CAUSE_TRAFFIC)
           ? NGX_AOP_PAGE_WAITING : NGX_AOP_PAGE_DOUBT;
}


static ngx_aop_page_rank_e
ngx_aop_page_rank_no(const ngx_aop_report_server_t *server)
{
    if (ngx_aop_page_rank_enforcing(server)) {
        return NGX_AOP_PAGE_FAILING;
    }

    if (server->answer.cause == NGX_AOP_CAUSE_FAILED
        && server->answer.failed == 0)
    {
        return NGX_AOP_PAGE_PRIVATE;
    }

    return NGX_AOP_PAGE_NO;
}


ngx_aop_page_word_e
ngx_aop_page_rank_word(const ngx_aop_report_server_t *server)
{
    if (ngx_aop_page_rank_enforcing(server)) {

        if (server->counted && server->answer.ready == NGX_AOP_READY_NO) {
            return NGX_AOP_PAGE_WORD_FAILING;
        }

        return (server->state == NGX_AOP_STATE_ENFORCED)
               ? NGX_AOP_PAGE_WORD_ENFORCED : NGX_AOP_PAGE_WORD_PARTLY;
    }

    switch (server->answer.ready) {

    case NGX_AOP_READY_NO:
        return NGX_AOP_PAGE_WORD_NO;

    case NGX_AOP_READY_YES:
        return NGX_AOP_PAGE_WORD_YES;

    default:
        return NGX_AOP_PAGE_WORD_UNKNOWN;
    }
}


int
ngx_aop_page_rank_enforcing(const ngx_aop_report_server_t *server)
{
    return server->state == NGX_AOP_STATE_ENFORCED
           || (server->state == NGX_AOP_STATE_PARTLY
               && strcmp(server->mode, "on") == 0);
}


/* A CRL that is renewed daily is always about to expire. */

static int
ngx_aop_page_rank_urgent(const ngx_aop_report_server_t *server, time_t now)
{
    long long                     days;
    const ngx_aop_report_cert_t  *cert;

    cert = ngx_aop_page_rank_next(server, now);

    if (cert == NULL) {
        return 0;
    }

    days = ngx_aop_cert_days(cert->not_after, now);

    return days < 0
           || (days <= NGX_AOP_PAGE_URGENT && strcmp(cert->kind, "crl") != 0);
}


/* The first of the best rank; they are in the order of their dates. */

const ngx_aop_report_cert_t *
ngx_aop_page_rank_next(const ngx_aop_report_server_t *server, time_t now)
{
    int                           best, rank;
    size_t                        i;
    const ngx_aop_report_cert_t  *next;

    best = 0;
    next = NULL;

    for (i = 0; i < server->ncerts; i++) {
        rank = ngx_aop_page_rank_cert(&server->certs[i], now);

        if (rank > best) {
            best = rank;
            next = &server->certs[i];
        }
    }

    return next;
}


/* What has expired comes first, a CRL that has not comes last. */

static int
ngx_aop_page_rank_cert(const ngx_aop_report_cert_t *cert, time_t now)
{
    long long  days;

    if (cert->not_after == 0 || cert->replaced) {
        return 0;
    }

    days = ngx_aop_cert_days(cert->not_after, now);

    if (days > NGX_AOP_PAGE_SOON) {
        return 0;
    }

    if (days < 0) {
        return 3;
    }

    return strcmp(cert->kind, "crl") == 0 ? 1 : 2;
}
