
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Lines in error.log, for the person at three in the morning: fixed words
 * first, then the cause, what to do about it, and the peer.
 */


#include "ngx_http_aop_request.h"
#include "ngx_http_aop_stats.h"
#include "ngx_aop_text.h"


#define NGX_HTTP_AOP_LOG_NAME   200
#define NGX_HTTP_AOP_VALUE_MAX  64

#define NGX_HTTP_AOP_SIMILAR_LEN                                              \
    (sizeof(" ( similar in the last s)") + NGX_INT_T_LEN + NGX_TIME_T_LEN)


static void ngx_http_aop_log_line(ngx_http_request_t *r,
    const ngx_http_aop_state_t *state, const ngx_http_aop_peer_t *peer,
    const ngx_str_t *similar);
static const char *ngx_http_aop_log_done(const ngx_http_aop_state_t *state);
static void ngx_http_aop_log_name(ngx_str_t *text, ngx_str_t *fact);


void
ngx_http_aop_log(ngx_http_request_t *r, const ngx_http_aop_state_t *state)
{
    char                     *action;
    u_char                    buf[NGX_HTTP_AOP_SIMILAR_LEN];
    time_t                    span;
    ngx_str_t                 similar;
    ngx_uint_t                suppressed;
    ngx_http_aop_peer_t       peer;
    ngx_http_aop_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);

    ngx_http_aop_peer(r, &peer);

    if (!ngx_http_aop_throttle_allows(r, alcf->log_level,
                                      state->result->verdict, peer.class,
                                      &suppressed, &span))
    {
        return;
    }

    /* how many lines of the same cause this one stands for */

    similar.data = buf;
    similar.len = 0;

    if (suppressed) {
        similar.len = ngx_sprintf(buf, " (%ui similar in the last %Ts)",
                                  suppressed, span)
                      - buf;
    }

    /* "while logging request" says when, not why */

    action = r->connection->log->action;
    r->connection->log->action = NULL;

    ngx_http_aop_log_line(r, state, &peer, &similar);

    r->connection->log->action = action;
}


static void
ngx_http_aop_log_line(ngx_http_request_t *r, const ngx_http_aop_state_t *state,
    const ngx_http_aop_peer_t *peer, const ngx_str_t *similar)
{
    ngx_str_t                 subject, issuer, *serial;
    const char               *hint;
    ngx_http_aop_loc_conf_t  *alcf;
    const ngx_aop_verdict_t  *verdict;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_aop_module);

    verdict = ngx_aop_verdict(state->result->verdict);
    hint = ngx_http_aop_count_hint(r, peer, state->result->verdict);
    serial = ngx_http_aop_conn_fact(r, NGX_AOP_CERT_SERIAL);

    if (serial == NULL || serial->len == 0) {
        ngx_log_error(alcf->log_level, r->connection->log, 0,
                      "aop: client certificate %s: %s: %s; %s, "
                      "peer: %V (%s)%V",
                      ngx_http_aop_log_done(state), verdict->word,
                      state->result->reason, hint, &peer->addr,
                      ngx_aop_peer_word(peer->class), similar);
        return;
    }

    ngx_http_aop_log_name(&subject,
                          ngx_http_aop_conn_fact(r, NGX_AOP_CERT_SUBJECT));
    ngx_http_aop_log_name(&issuer,
                          ngx_http_aop_conn_fact(r, NGX_AOP_CERT_ISSUER));

    ngx_log_error(alcf->log_level, r->connection->log, 0,
                  "aop: client certificate %s: %s: %s; %s, "
                  "peer: %V (%s), subject: \"%V\", issuer: \"%V\", "
                  "serial: %V%V",
                  ngx_http_aop_log_done(state), verdict->word,
                  state->result->reason, hint, &peer->addr,
                  ngx_aop_peer_word(peer->class), &subject, &issuer, serial,
                  similar);
}


/* The value of a variable that is not a mode, and so counts as "on". */

void
ngx_http_aop_log_mode(ngx_http_request_t *r, const ngx_http_aop_mode_t *mode,
    ngx_str_t *value)
{
    char            buf[NGX_HTTP_AOP_VALUE_MAX];
    ngx_aop_text_t  text;

    ngx_aop_text_init(&text, buf, sizeof(buf));

    ngx_aop_text_cut(&text, ngx_aop_text_json, (char *) value->data,
                     value->len, sizeof(buf));

    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "aop: invalid mode \"%*s\" of variable \"%V\", \"on\" is "
                  "used (it must be \"off\", \"optional\" or \"on\") in "
                  "%s:%ui",
                  text.pos - text.start, text.start, &mode->value->value,
                  mode->file, mode->line);
}


static const char *
ngx_http_aop_log_done(const ngx_http_aop_state_t *state)
{
    return (state->mode == NGX_AOP_MODE_ON) ? "refused" : "would be refused";
}


/* Printed names are ASCII with backslash escapes already. */

static void
ngx_http_aop_log_name(ngx_str_t *text, ngx_str_t *fact)
{
    if (fact == NULL) {
        ngx_str_null(text);
        return;
    }

    text->data = fact->data;
    text->len = ngx_aop_cert_cut((char *) fact->data, fact->len,
                                 NGX_HTTP_AOP_LOG_NAME);
}
