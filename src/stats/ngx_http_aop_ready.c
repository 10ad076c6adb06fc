
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Applies the core's rule to a server: what it needs besides the evidence is
 * in the configuration.
 */


#include "ngx_http_aop_stats.h"
#include "ngx_aop_cert.h"


static time_t ngx_http_aop_ready_ahead(const ngx_http_aop_stat_t *stat);
static void ngx_http_aop_ready_dates(const ngx_aop_policy_t *policy,
    ngx_aop_text_t *outdated, ngx_aop_text_t *warning);
static void ngx_http_aop_ready_anchors(const ngx_aop_policy_t *policy,
    ngx_aop_text_t *text, ngx_uint_t *n);
static void ngx_http_aop_ready_crls(const ngx_aop_policy_t *policy,
    ngx_aop_text_t *text);
static ngx_uint_t ngx_http_aop_ready_date(const ASN1_TIME *from,
    const ASN1_TIME *to, const char *kind, const X509_NAME *name,
    ngx_aop_text_t *text);


void
ngx_http_aop_ready(const ngx_http_aop_server_t *server, ngx_aop_text_t *why,
    ngx_aop_answer_t *answer)
{
    char                      old[1024], others[1024];
    time_t                    now;
    ngx_aop_text_t            outdated, warning;
    ngx_aop_evidence_t        evidence;
    ngx_aop_ready_conf_t      conf;
    ngx_http_aop_srv_conf_t  *ascf;

    ascf = server->cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];

    now = ngx_http_aop_shm_time(server->shared);

    ngx_memzero(&conf, sizeof(ngx_aop_ready_conf_t));

    conf.requests = ascf->ready_requests;
    conf.time = ascf->ready_time;
    conf.ahead = ngx_http_aop_ready_ahead(server->shared);
    conf.state = ngx_http_aop_ready_state(server->cscf);

    ngx_aop_text_init(&outdated, old, sizeof(old) - 1);
    ngx_aop_text_init(&warning, others, sizeof(others) - 1);

    ngx_http_aop_ready_dates(ascf->policy, &outdated, &warning);

    *outdated.pos = '\0';
    *warning.pos = '\0';

    conf.outdated = (outdated.pos != outdated.start) ? old : NULL;
    conf.classical = ascf->classical;
    conf.warning = (warning.pos != warning.start) ? others : NULL;

    ngx_http_aop_shm_evidence(server->shared, &evidence);

    (void) ngx_aop_ready(&evidence, &conf, now, why, answer);

    /* as people have the time */

    answer->since += conf.ahead;
    answer->from += conf.ahead;
    answer->hour += conf.ahead;

    if (answer->settles) {
        answer->settles += conf.ahead;
        answer->last += conf.ahead;
    }
}


/*
 * How much the time of day is ahead of the evidence's.  What was printed is to
 * be printed again, so that less than a second and its rounding are nothing.
 */

static time_t
ngx_http_aop_ready_ahead(const ngx_http_aop_stat_t *stat)
{
    int64_t      ahead;
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    ahead = (int64_t) (tp->sec - stat->start) * 1000 + tp->msec
            - (ngx_msec_int_t) (ngx_current_msec - stat->tick);

    return (ahead > -1500 && ahead < 1500) ? 0 : ahead / 1000;
}


ngx_aop_state_e
ngx_http_aop_ready_state(const ngx_http_core_srv_conf_t *cscf)
{
    ngx_http_aop_srv_conf_t  *ascf;
    ngx_http_aop_loc_conf_t  *alcf;

    ascf = cscf->ctx->srv_conf[ngx_http_aop_module.ctx_index];
    alcf = cscf->ctx->loc_conf[ngx_http_aop_module.ctx_index];

    switch (alcf->mode->mode) {

    case NGX_AOP_MODE_ON:
        return ascf->relaxed ? NGX_AOP_STATE_PARTLY : NGX_AOP_STATE_ENFORCED;

    case NGX_AOP_MODE_OPTIONAL:
        return NGX_AOP_STATE_OBSERVING;

    default:        /* a variable; or "off", and locations decide */
        return NGX_AOP_STATE_PARTLY;
    }
}


/*
 * If an anchor is out of its dates beside others, that is no reason for "no":
 * if certificates need it, they have failed.  Every CRL is required.
 */

static void
ngx_http_aop_ready_dates(const ngx_aop_policy_t *policy,
    ngx_aop_text_t *outdated, ngx_aop_text_t *warning)
{
    ngx_uint_t  n;

    ngx_http_aop_ready_anchors(policy, warning, &n);

    if (n == policy->nanchors) {
        *warning->pos = '\0';
        ngx_aop_text_puts(outdated, warning->start);
        warning->pos = warning->start;
    }

    ngx_http_aop_ready_crls(policy, outdated);
}


static void
ngx_http_aop_ready_anchors(const ngx_aop_policy_t *policy,
    ngx_aop_text_t *text, ngx_uint_t *n)
{
    size_t  i;
    X509   *x509;

    *n = 0;

    for (i = 0; i < policy->nanchors; i++) {
        x509 = policy->anchors[i].x509;

        *n += ngx_http_aop_ready_date(X509_get0_notBefore(x509),
                                      X509_get0_notAfter(x509), "CA",
                                      X509_get_subject_name(x509), text);
    }
}


static void
ngx_http_aop_ready_crls(const ngx_aop_policy_t *policy, ngx_aop_text_t *text)
{
    int        i;
    X509_CRL  *crl;

    for (i = 0; policy->crls && i < sk_X509_CRL_num(policy->crls); i++) {
        crl = sk_X509_CRL_value(policy->crls, i);

        (void) ngx_http_aop_ready_date(X509_CRL_get0_lastUpdate(crl),
                                       X509_CRL_get0_nextUpdate(crl), "CRL of",
                                       X509_CRL_get_issuer(crl), text);
    }
}


/* Returns whether it is out of its dates; a CRL may not expire. */

static ngx_uint_t
ngx_http_aop_ready_date(const ASN1_TIME *from, const ASN1_TIME *to,
    const char *kind, const X509_NAME *name, ngx_aop_text_t *text)
{
    char         date[NGX_AOP_DATE], *subject;
    time_t       now, t;
    const char  *verb;

    now = ngx_time();

    if (X509_cmp_time(from, &now) > 0) {
        (void) ngx_aop_cert_time(from, &t);
        verb = "is not valid before";

    } else if (to != NULL && X509_cmp_time(to, &now) < 0) {
        (void) ngx_aop_cert_time(to, &t);
        verb = "expired on";

    } else {
        return 0;
    }

    subject = ngx_aop_cert_name(name);

    ngx_aop_text_printf(text, "%sthe %s \"%.200s\" %s %s",
                        text->pos != text->start ? ", " : "", kind,
                        subject ? subject : "", verb,
                        ngx_aop_cert_date(t, date));

    OPENSSL_free(subject);

    return 1;
}


char *
ngx_http_aop_ready_set(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_aop_srv_conf_t  *ascf = conf;

    ngx_str_t   *value, text;
    ngx_uint_t   i;

    if (ascf->ready_requests != NGX_CONF_UNSET
        || ascf->ready_time != NGX_CONF_UNSET)
    {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {
        text = value[i];

        if (ngx_strncmp(text.data, "requests=", 9) == 0
            && ascf->ready_requests == NGX_CONF_UNSET)
        {
            text.data += 9;
            text.len -= 9;

            ascf->ready_requests = ngx_atoi(text.data, text.len);

            if (ascf->ready_requests != NGX_ERROR
                && ascf->ready_requests != 0)
            {
                continue;
            }

        } else if (ngx_strncmp(text.data, "time=", 5) == 0
                   && ascf->ready_time == NGX_CONF_UNSET)
        {
            text.data += 5;
            text.len -= 5;

            ascf->ready_time = ngx_parse_time(&text, 1);

            if (ascf->ready_time != (time_t) NGX_ERROR
                && ascf->ready_time != 0)
            {
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
