
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_REPORT_H_INCLUDED_
#define _NGX_AOP_REPORT_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "ngx_aop_ready.h"
#include "ngx_aop_text.h"


/*
 * The report, as JSON, Prometheus text or HTML.  The caller settles one server
 * after the other and passes each once; the output goes to the parts of the
 * answer (a table, a metric) and stays there, so that nothing is kept of a
 * server, and the work can be done in slices.
 *
 * All text may be hostile; it is escaped here.
 */

#define NGX_AOP_REPORT_COLUMNS  13
#define NGX_AOP_REPORT_TABLES   20      /* at most */
#define NGX_AOP_REPORT_PARTS    (NGX_AOP_REPORT_TABLES + 16)
#define NGX_AOP_REPORT_BLOCK    16384
#define NGX_AOP_REPORT_TOP      10      /* of the page */
#define NGX_AOP_REPORT_WORDS    6       /* of the page, for servers */


typedef enum {
    NGX_AOP_REPORT_FULL = 0,
    NGX_AOP_REPORT_RESUMED,
    NGX_AOP_REPORT_DECLINED,
    NGX_AOP_REPORT_HANDSHAKES
} ngx_aop_report_handshake_e;


typedef struct {
    uint64_t                      count;
    time_t                        first;
    time_t                        last;
} ngx_aop_report_count_t;


/* An anchor, a CRL, or a client certificate. */

typedef struct {
    const char                   *kind;
    const char                   *subject;
    const char                   *fingerprint;
    const char                   *anchor;
    const char                   *key;          /* of a CRL "" */
    const char                   *group;        /* of its last handshake */
    time_t                        not_before;
    time_t                        not_after;    /* 0: it does not expire */
    time_t                        last;         /* it, or by it; 0: never */
    unsigned                      replaced:1;   /* another one is in use */
    unsigned                      series:1;     /* is one of the metric */
} ngx_aop_report_cert_t;


typedef struct {
    const char                   *name;
    const char                   *mode;
    const char                   *why;
    ngx_aop_state_e               state;
    ngx_aop_answer_t              answer;

    /* the rows of requests[] are "optional" and "on" */

    ngx_aop_report_count_t        requests[2][NGX_AOP_VERDICTS][NGX_AOP_PEERS];
    ngx_aop_report_count_t        connections[NGX_AOP_REPORT_HANDSHAKES];

    ngx_aop_report_cert_t        *certs;
    size_t                        ncerts;

    unsigned                      counted:1;
} ngx_aop_report_server_t;


/* A peer that failed; "error" is how much too low its count may be. */

typedef struct {
    const char                   *server;       /* outlives the report */
    ngx_aop_verdict_e             verdict;
    ngx_aop_peer_e                peer;
    uint64_t                      count;
    uint64_t                      error;
    time_t                        first;
    time_t                        last;
    unsigned                      refused:1;
    char                          addr[48];
    char                          host[96];
    char                          uri[160];
    char                          agent[160];
} ngx_aop_report_peer_t;


typedef struct {
    const char *const            *names;
    size_t                        n;
} ngx_aop_report_list_t;


/* A TLS server for which "aop" is off. */

typedef struct {
    const char                   *name;
    const char                   *file;
    uint64_t                      line;
    ngx_aop_report_list_t         beside;   /* enforced, at its addresses */
    unsigned                      beside_more:1;
    unsigned                      explicit:1;
} ngx_aop_report_unprotected_t;


typedef enum {
    NGX_AOP_REPORT_TEXT = 0,
    NGX_AOP_REPORT_SERVER,              /* text: the name of one */
    NGX_AOP_REPORT_VERDICT,             /* text: the word of one */
    NGX_AOP_REPORT_NUMBER,
    NGX_AOP_REPORT_DAYS,                /* left, until something expires */
    NGX_AOP_REPORT_TIME,                /* 0 is none */
    NGX_AOP_REPORT_BOOLEAN,
    NGX_AOP_REPORT_LIST
} ngx_aop_report_type_e;

/* for NGX_AOP_REPORT_DAYS: it does not expire */

#define NGX_AOP_REPORT_NEVER  INT64_MAX


typedef struct {
    const char                   *name;     /* key in JSON, label */
    const char                   *title;    /* heading; NULL: not in HTML */
    ngx_aop_report_type_e         type;
    unsigned                      label:1;  /* tells rows apart, is a label */
} ngx_aop_report_column_t;


typedef union {
    const char                   *text;
    int64_t                       number;
    const ngx_aop_report_list_t  *list;
} ngx_aop_report_value_t;


typedef struct ngx_aop_report_s         ngx_aop_report_t;
typedef struct ngx_aop_report_table_s   ngx_aop_report_table_t;

/* Called with each row of a table; "server" is NULL in tables of no server. */

typedef void (*ngx_aop_report_row_pt)(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row);


/*
 * A table of the report, described once (ngx_aop_report_data.c) and written by
 * writers that do not know its content.
 */

struct ngx_aop_report_table_s {
    const char                     *name;     /* key in JSON */
    const char                     *title;    /* heading in HTML */
    const ngx_aop_report_column_t  *columns;  /* up to one without a name */

    /* Prometheus: NULL is no metric; the sample is in column "value" */

    const char                     *metric;
    const char                     *type;
    const char                     *help;
    size_t                          value;

    unsigned                        flat:1;   /* is one row, of the object */
    unsigned                        brief:1;  /* its first rows do on a page */

    /* NULL: it is not one for each server */

    void                          (*rows)(ngx_aop_report_t *report,
                                       const ngx_aop_report_table_t *table,
                                       const ngx_aop_report_server_t *server,
                                       ngx_aop_report_row_pt row);
};


typedef struct {
    const char                   *name;
    const char                   *type;     /* Content-Type */
    unsigned                      refresh;  /* seconds; 0: it is read once */
    void                        (*start)(ngx_aop_report_t *report);
    void                        (*server)(ngx_aop_report_t *report,
                                     const ngx_aop_report_server_t *server);
    ngx_aop_report_row_pt         row;      /* of tables of no server */

    /* NULL: it is written as a row */
    void                        (*peer)(ngx_aop_report_t *report, unsigned list,
                                     const ngx_aop_report_peer_t *peer);
    void                        (*unprotected)(ngx_aop_report_t *report,
                                     const ngx_aop_report_unprotected_t
                                     *server);
    void                        (*end)(ngx_aop_report_t *report);
} ngx_aop_report_writer_t;


typedef struct ngx_aop_report_block_s  ngx_aop_report_block_t;

struct ngx_aop_report_block_s {
    char                         *start;
    char                         *end;      /* of the text in it */
    ngx_aop_report_block_t       *next;
};


/* A piece of the answer that grows on its own. */

typedef struct {
    ngx_aop_text_t                text;     /* the last of its blocks */
    ngx_aop_report_t             *report;
    ngx_aop_report_block_t       *first;
    ngx_aop_report_block_t       *last;
    uint64_t                      rows;
} ngx_aop_report_part_t;


/* The requested part of it. */

typedef struct {
    const char                   *server;   /* one of that name; NULL: all */
    unsigned                      all:1;    /* no table is cut short */
    unsigned                      paused:1; /* the page does not refresh */
} ngx_aop_report_view_t;


/* Memory of that size, or NULL; it is the caller's to free. */

typedef void *(*ngx_aop_report_alloc_pt)(void *data, size_t size);

struct ngx_aop_report_s {

    /* set by the caller, the rest zeroed */

    const ngx_aop_report_writer_t  *writer;
    ngx_aop_report_alloc_pt         alloc;
    void                           *data;
    const char                     *module;
    const char                     *nginx;
    const char                     *openssl;
    time_t                          now;
    size_t                          servers;    /* how many will come */
    ngx_aop_report_view_t           view;

    ngx_aop_report_part_t           parts[NGX_AOP_REPORT_PARTS];
    size_t                          size;       /* of all blocks */

    /* of the page */

    uint64_t                        answers[NGX_AOP_REPORT_WORDS];
    uint64_t                        opened;     /* servers, that need it */
    ngx_aop_report_peer_t          *top[2];     /* the most frequent first */
    size_t                          ntop[2];
    uint64_t                        peers[2];

    unsigned                        failed:1;   /* no memory: no answer */
};


/*
 * The parts, to which the writers write.  ngx_aop_report_part() is the text of
 * one.  ngx_aop_report_done() returns the blocks of the whole answer in their
 * order and its length; NULL if it has failed: half a report is not sent.
 */

ngx_aop_text_t *ngx_aop_report_part(ngx_aop_report_t *report, size_t i);
ngx_aop_report_block_t *ngx_aop_report_done(ngx_aop_report_t *report,
    size_t *len);


/*
 * In this order: ngx_aop_report_data_start(); each server, each peer that
 * failed (list 0: from Cloudflare and private addresses, 1: from others), each
 * unprotected server, and the cache, in any order; ngx_aop_report_data_end().
 * A server's certificates are put into their order.
 */

extern const ngx_aop_report_table_t  ngx_aop_report_data_tables[];

void ngx_aop_report_data_start(ngx_aop_report_t *report);
void ngx_aop_report_data_server(ngx_aop_report_t *report,
    ngx_aop_report_server_t *server);
void ngx_aop_report_data_peer(ngx_aop_report_t *report, unsigned list,
    const ngx_aop_report_peer_t *peer);
void ngx_aop_report_data_unprotected(ngx_aop_report_t *report,
    const ngx_aop_report_unprotected_t *server);
void ngx_aop_report_data_cache(ngx_aop_report_t *report, uint64_t hits,
    uint64_t misses);
void ngx_aop_report_data_end(ngx_aop_report_t *report);

/* A peer as a row of its table. */

void ngx_aop_report_data_peer_row(ngx_aop_report_t *report, unsigned list,
    const ngx_aop_report_peer_t *peer, ngx_aop_report_row_pt row);


extern const ngx_aop_report_writer_t  ngx_aop_report_json;
extern const ngx_aop_report_writer_t  ngx_aop_report_prometheus;
extern const ngx_aop_report_writer_t  ngx_aop_report_html;


#endif /* _NGX_AOP_REPORT_H_INCLUDED_ */
