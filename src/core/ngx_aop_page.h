
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _NGX_AOP_PAGE_H_INCLUDED_
#define _NGX_AOP_PAGE_H_INCLUDED_


#include "ngx_aop_report.h"


/*
 * The pieces of the report's page, which ngx_aop_report_html.c puts in order.
 * No script, and nothing from outside.
 */

#define NGX_AOP_PAGE_ROWS    50     /* of a table that is cut short */

#define NGX_AOP_PAGE_SOON    30     /* days left */
#define NGX_AOP_PAGE_URGENT  14


/* The servers, the one that needs attention most first; one part for each. */

typedef enum {
    NGX_AOP_PAGE_FAILING = 0,       /* rejects what it should not */
    NGX_AOP_PAGE_NO,                /* would do so */
    NGX_AOP_PAGE_PRIVATE,           /* from private addresses only */
    NGX_AOP_PAGE_EXPIRING,
    NGX_AOP_PAGE_DOUBT,             /* traffic alone does not help */

    NGX_AOP_PAGE_WAITING,           /* for traffic */
    NGX_AOP_PAGE_READY,

    NGX_AOP_PAGE_ENFORCED,

    NGX_AOP_PAGE_FORGOTTEN,         /* off, beside others that enforce */
    NGX_AOP_PAGE_OFF,

    NGX_AOP_PAGE_RANKS
} ngx_aop_page_rank_e;

#define NGX_AOP_PAGE_ATTENTION  NGX_AOP_PAGE_DOUBT      /* up to it */


/* The state of a server, in one word. */

typedef enum {
    NGX_AOP_PAGE_WORD_FAILING = 0,
    NGX_AOP_PAGE_WORD_NO,
    NGX_AOP_PAGE_WORD_UNKNOWN,
    NGX_AOP_PAGE_WORD_YES,
    NGX_AOP_PAGE_WORD_PARTLY,
    NGX_AOP_PAGE_WORD_ENFORCED
} ngx_aop_page_word_e;


/* The parts: the head, the servers by rank, the tables, the foot. */

#define NGX_AOP_PAGE_PART_SERVERS  1
#define NGX_AOP_PAGE_PART_TABLES                                              \
    (NGX_AOP_PAGE_PART_SERVERS + NGX_AOP_PAGE_RANKS)
#define NGX_AOP_PAGE_PART_FOOT     (NGX_AOP_REPORT_PARTS - 1)


extern const char  ngx_aop_page_style[];


/* What is passed as text is escaped. */

void ngx_aop_page_text(ngx_aop_text_t *text, const char *s);
void ngx_aop_page_text_number(ngx_aop_text_t *text, int64_t number);
void ngx_aop_page_text_count(ngx_aop_text_t *text, uint64_t n,
    const char *one, const char *many);
void ngx_aop_page_text_time(ngx_aop_text_t *text, time_t t, time_t now);

/*
 * The name of a server, its address small: ngx_aop_page_text_label() for one
 * line, ngx_aop_page_text_name() for one that may break at the name's dots.
 */

void ngx_aop_page_text_label(ngx_aop_text_t *text, const char *name);
void ngx_aop_page_text_name(ngx_aop_text_t *text, const char *name);

/* Lines to copy, of nginx.conf. */

void ngx_aop_page_text_lines(ngx_aop_text_t *text, const char *lines);

/* The target of a link: the report in that format and view. */

void ngx_aop_page_text_href(ngx_aop_text_t *text, const char *format,
    const ngx_aop_report_view_t *view);

/* The word, as a link to what it means. */

void ngx_aop_page_text_verdict(ngx_aop_text_t *text, const char *word);


/* Bars of the last 24 hours; nothing if nothing came. */

void ngx_aop_page_trend(ngx_aop_text_t *text,
    const ngx_aop_trend_t trend[NGX_AOP_EVIDENCE_HOURS]);


/*
 * ngx_aop_page_rank() returns where a server is to stand, and
 * ngx_aop_page_rank_word() what is said of it.  ngx_aop_page_rank_enforcing()
 * tells whether its own mode is "on", at least outside some locations.
 *
 * ngx_aop_page_rank_next() returns the certificate or CRL to look after first
 * if that is soon, or NULL.
 */

ngx_aop_page_rank_e ngx_aop_page_rank(const ngx_aop_report_server_t *server,
    time_t now);
ngx_aop_page_word_e ngx_aop_page_rank_word(
    const ngx_aop_report_server_t *server);
int ngx_aop_page_rank_enforcing(const ngx_aop_report_server_t *server);
const ngx_aop_report_cert_t *ngx_aop_page_rank_next(
    const ngx_aop_report_server_t *server, time_t now);


/* A server, to its part: a line, with all about it inside. */

void ngx_aop_page_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server);
void ngx_aop_page_server_off(ngx_aop_report_t *report,
    const ngx_aop_report_unprotected_t *server);

/* The words, of all servers, with their numbers. */

void ngx_aop_page_server_words(const ngx_aop_report_t *report,
    ngx_aop_text_t *text);


/*
 * ngx_aop_page_table_all() tells whether no table is to be cut short.
 *
 * ngx_aop_page_table_row() adds a row to its table, and
 * ngx_aop_page_table_end() ends table i, of which there are "all" rows (0: as
 * many as were added).
 */

int ngx_aop_page_table_all(const ngx_aop_report_t *report);
void ngx_aop_page_table_row(ngx_aop_report_t *report,
    const ngx_aop_report_table_t *table, const char *server,
    const ngx_aop_report_value_t *row);
void ngx_aop_page_table_end(ngx_aop_report_t *report, size_t i, uint64_t all);


/* What the verdicts mean, and what to do. */

void ngx_aop_page_verdicts(ngx_aop_text_t *text);


#endif /* _NGX_AOP_PAGE_H_INCLUDED_ */
