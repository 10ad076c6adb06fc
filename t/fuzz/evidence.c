
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Whoever sends requests that fail can add a reason to say no, and never takes
 * one away: not by a forged CF-Ray, not by a Host or a user agent, and not by
 * a flood that leaves no room in the tables.  What matters and has just failed
 * is never followed by a yes.
 */


#include "ngx_aop_ready.h"
#include "fuzz.h"


#define FUZZ_POOL    8
#define FUZZ_EVENTS  300
#define FUZZ_SPAN    (12 * 3600)


typedef struct {
    ngx_aop_evidence_t    evidence;
    ngx_aop_event_t       event;
    char                  addr[32];
    char                  host[32];
} fuzz_server_t;


static const ngx_aop_ready_conf_t  fuzz_conf = {
    .requests = 3, .time = 600, .state = NGX_AOP_STATE_OBSERVING
};


static void
fuzz_feed(fuzz_server_t *server)
{
    server->event.addr = server->addr;
    server->event.addr_len = strlen(server->addr);
    server->event.host = server->host;
    server->event.host_len = strlen(server->host);
    server->event.generation = server->evidence.generation;

    if (!ngx_aop_evidence_fast(&server->evidence, &server->event, NULL)) {
        ngx_aop_evidence_add(&server->evidence, &server->event);
    }
}


static ngx_aop_ready_e
fuzz_answer(const fuzz_server_t *server, time_t now)
{
    char              buf[4096];
    size_t            i;
    ngx_aop_text_t    why;
    ngx_aop_answer_t  answer;

    ngx_aop_text_init(&why, buf, sizeof(buf));

    (void) ngx_aop_ready(&server->evidence, &fuzz_conf, now, &why, &answer);

    fuzz_check(!why.overflow);
    fuzz_check(why.pos > why.start);

    for (i = 0; why.start + i < why.pos; i++) {
        fuzz_check(buf[i] != '\0');
    }

    if (answer.ready == NGX_AOP_READY_YES) {
        fuzz_check(answer.sums[NGX_AOP_SUM_PASSED] >= fuzz_conf.requests);
        fuzz_check(answer.sums[NGX_AOP_SUM_HANDSHAKES] > 0);
        fuzz_check(answer.settles == 0);
    }

    return answer.ready;
}


static void
fuzz_event(ngx_aop_event_t *event, unsigned who, unsigned what)
{
    event->peer = who % NGX_AOP_PEERS;
    event->private = (event->peer == NGX_AOP_PEER_PRIVATE)
                     || (event->peer == NGX_AOP_PEER_EDGE && (who & 0x80));
    event->ray = (what & 0x10) != 0;
    event->other_host = (what & 0x20) != 0;
    event->tool = (what & 0x40) != 0;
    event->full = (what & 0x80) != 0;
}


/* An event of the server's own life. */

static void
fuzz_own(fuzz_server_t *server, fuzz_input_t *in, time_t *held)
{
    unsigned          who, what;
    ngx_aop_event_t  *event;

    who = fuzz_byte(in);
    what = fuzz_byte(in);
    event = &server->event;

    fuzz_event(event, who, what);

    event->verdict = (what & 0xf) % NGX_AOP_VERDICTS;
    event->unjudged = (who & 0x60) == 0x60 ? 1 + (what & 1) : 0;

    sprintf(server->host, "own%u", who / 3 % FUZZ_POOL);
    sprintf(server->addr, "10.0.0.%u", what / 7 % FUZZ_POOL);

    if (event->unjudged == 0
        && event->verdict != NGX_AOP_VERDICT_OK
        && event->peer == NGX_AOP_PEER_EDGE && !event->private
        && !event->other_host)
    {
        *held = event->time;
    }

    fuzz_feed(server);
}


/* A failure that somebody makes. */

static void
fuzz_forged(fuzz_server_t *server, unsigned n, unsigned who, unsigned what)
{
    fuzz_event(&server->event, who, what);

    server->event.unjudged = 0;
    server->event.verdict = 1 + (what & 0xf) % (NGX_AOP_VERDICTS - 1);

    sprintf(server->host, "forged%u", n % 199);
    sprintf(server->addr, "10.1.0.%u", n * 7 % 211);

    fuzz_feed(server);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    time_t                t, held, now;
    unsigned              i, n, who, what;
    fuzz_input_t          in;
    static fuzz_server_t  plain, flooded;

    in.data = data;
    in.size = size;

    memset(&plain, 0, sizeof(plain));
    memset(&flooded, 0, sizeof(flooded));

    ngx_aop_evidence_init(&plain.evidence, FUZZ_NOW, 0);
    ngx_aop_evidence_init(&flooded.evidence, FUZZ_NOW, 0);

    held = 0;

    for (t = FUZZ_NOW, i = 0; in.size && i < FUZZ_EVENTS; i++) {
        fuzz_input_t  again;

        t += (time_t) fuzz_byte(&in) * fuzz_byte(&in) / 64;

        if (t > FUZZ_NOW + FUZZ_SPAN) {
            break;
        }

        plain.event.time = t;
        flooded.event.time = t;

        again = in;

        fuzz_own(&plain, &in, &held);
        fuzz_own(&flooded, &again, &held);

        who = fuzz_byte(&in);
        what = fuzz_byte(&in);

        for (n = who / 16; n > 0; n--) {
            fuzz_forged(&flooded, i * 16 + n, who, what);
        }
    }

    for (now = t; now <= t + 28 * 3600; now += 9000) {

        if (fuzz_answer(&plain, now) == NGX_AOP_READY_NO) {
            fuzz_check(fuzz_answer(&flooded, now) != NGX_AOP_READY_YES);
        }

        if (held && now - held < fuzz_conf.time) {
            fuzz_check(fuzz_answer(&plain, now) == NGX_AOP_READY_NO);
            fuzz_check(fuzz_answer(&flooded, now) == NGX_AOP_READY_NO);
        }
    }

    return 0;
}
