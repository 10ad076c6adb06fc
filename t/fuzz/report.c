
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A report is well-formed whatever its texts are: names of servers, subjects,
 * reasons, and what peers have sent; and there is none if memory is short.
 */


#include "report_read.h"
#include "fuzz.h"


#define FUZZ_TEXTS  8
#define FUZZ_CERTS  8


typedef struct {
    void    *memory;
    size_t   left;
} fuzz_memory_t;


static void *
fuzz_alloc(void *data, size_t size)
{
    fuzz_memory_t  *memory = data;

    return memory->left-- ? read_alloc(&memory->memory, size) : NULL;
}


static void
fuzz_server(ngx_aop_report_t *report, fuzz_input_t *in, char **text,
    const char *name)
{
    size_t                    i;
    ngx_aop_report_cert_t     certs[FUZZ_CERTS];
    ngx_aop_report_server_t   server;

    static const char *const  kinds[] = { "anchor", "crl", "client" };

    memset(&server, 0, sizeof(ngx_aop_report_server_t));
    memset(certs, 0, sizeof(certs));

    server.name = name;
    server.mode = "optional";
    server.why = text[1];
    server.state = fuzz_byte(in) % 3;
    server.counted = fuzz_byte(in) & 1;
    server.answer.ready = fuzz_byte(in) % 3;
    server.answer.cause = fuzz_byte(in) % (NGX_AOP_CAUSE_NONE + 1);
    server.answer.verdict = fuzz_byte(in) % NGX_AOP_VERDICTS;
    server.answer.peer = fuzz_byte(in) % NGX_AOP_PEERS;
    server.answer.trend[fuzz_byte(in) % NGX_AOP_EVIDENCE_HOURS].failed
        = UINT32_MAX;
    server.answer.trend[fuzz_byte(in) % NGX_AOP_EVIDENCE_HOURS].passed
        = fuzz_byte(in);
    server.answer.hint = (fuzz_byte(in) & 1) ? text[2] : NULL;
    server.requests[fuzz_byte(in) & 1][fuzz_byte(in) % NGX_AOP_VERDICTS]
                   [fuzz_byte(in) % NGX_AOP_PEERS].count = fuzz_byte(in);
    server.certs = certs;
    server.ncerts = fuzz_byte(in) % FUZZ_CERTS;

    for (i = 0; i < server.ncerts; i++) {
        certs[i].kind = kinds[fuzz_byte(in) % 3];
        certs[i].subject = text[fuzz_byte(in) % FUZZ_TEXTS];
        certs[i].fingerprint = text[3];
        certs[i].anchor = text[4];
        certs[i].key = text[4];
        certs[i].group = text[3];
        certs[i].last = fuzz_byte(in) & 1;
        certs[i].replaced = fuzz_byte(in) & 1;
        certs[i].not_after = (time_t) fuzz_byte(in) * 86400 * 200;
    }

    ngx_aop_report_data_server(report, &server);
}


static void
fuzz_rest(ngx_aop_report_t *report, fuzz_input_t *in, char **text)
{
    size_t                         n;
    ngx_aop_report_peer_t          peer;
    ngx_aop_report_unprotected_t   open;

    memset(&peer, 0, sizeof(ngx_aop_report_peer_t));
    memset(&open, 0, sizeof(ngx_aop_report_unprotected_t));

    peer.server = text[5];
    snprintf(peer.addr, sizeof(peer.addr), "%s", text[6]);
    snprintf(peer.host, sizeof(peer.host), "%s", text[7]);
    snprintf(peer.agent, sizeof(peer.agent), "%s", text[0]);

    for (n = fuzz_byte(in) % 32; n; n--) {
        peer.count = fuzz_byte(in);
        ngx_aop_report_data_peer(report, fuzz_byte(in) & 1, &peer);
    }

    open.name = "open";
    open.file = text[0];
    open.beside.names = (const char *const *) text;
    open.beside.n = FUZZ_TEXTS;

    ngx_aop_report_data_unprotected(report, &open);
}


static void
fuzz_read(const ngx_aop_report_writer_t *writer, const char *text, size_t len)
{
    if (writer == &ngx_aop_report_json) {
        fuzz_check(read_json(text, len, NULL, NULL, 0) == 0);

    } else if (writer == &ngx_aop_report_prometheus) {
        fuzz_check(read_metrics(text, len, NULL, NULL) == 0);

    } else {
        fuzz_check(read_html(text, len) == 0);
    }
}


static void
fuzz_report(const ngx_aop_report_writer_t *writer, fuzz_input_t in,
    char **text)
{
    char              *whole;
    size_t             len;
    fuzz_memory_t      memory;
    ngx_aop_report_t   report;

    memset(&memory, 0, sizeof(fuzz_memory_t));
    memset(&report, 0, sizeof(ngx_aop_report_t));

    memory.left = fuzz_byte(&in);

    report.writer = writer;
    report.alloc = fuzz_alloc;
    report.data = &memory;
    report.module = "1";
    report.nginx = "1";
    report.openssl = "1";
    report.now = FUZZ_NOW;
    report.servers = fuzz_byte(&in);
    report.view.server = (fuzz_byte(&in) & 1) ? text[5] : NULL;
    report.view.all = fuzz_byte(&in) & 1;
    report.view.paused = fuzz_byte(&in) & 1;

    ngx_aop_report_data_start(&report);
    fuzz_server(&report, &in, text, "one");
    fuzz_server(&report, &in, text, "two");
    fuzz_rest(&report, &in, text);
    ngx_aop_report_data_end(&report);

    whole = read_whole(&report, &len);

    fuzz_check((whole == NULL) == report.failed);

    if (whole != NULL) {
        fuzz_read(writer, whole, len);
    }

    free(whole);
    read_free(&memory.memory);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char          *text[FUZZ_TEXTS];
    size_t         i;
    fuzz_input_t   in, piece;

    in.data = data;
    in.size = size;

    for (i = 0; i < FUZZ_TEXTS; i++) {
        piece = fuzz_piece(&in);

        text[i] = malloc(piece.size + 1);
        fuzz_check(text[i] != NULL);

        memcpy(text[i], piece.data, piece.size);
        text[i][piece.size] = '\0';
    }

    fuzz_report(&ngx_aop_report_json, in, text);
    fuzz_report(&ngx_aop_report_prometheus, in, text);
    fuzz_report(&ngx_aop_report_html, in, text);

    for (i = 0; i < FUZZ_TEXTS; i++) {
        free(text[i]);
    }

    return 0;
}
