
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A server on the page: a line that says in one word how it is, and why in a
 * few; opened, all that is known of it, and what to do.
 */


#include <string.h>

#include "ngx_aop_cert.h"
#include "ngx_aop_page.h"


/* up to so many servers are open from the start */

#define NGX_AOP_PAGE_SERVER_OPEN  3
#define NGX_AOP_PAGE_SERVER_FEW   20


static void ngx_aop_page_server_line(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_server_t *server,
    ngx_aop_page_rank_e rank);
static int ngx_aop_page_server_open(ngx_aop_report_t *report,
    ngx_aop_page_rank_e rank);
static void ngx_aop_page_server_short(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_server_t *server,
    ngx_aop_page_rank_e rank);
static void ngx_aop_page_server_failed(ngx_aop_text_t *text,
    const ngx_aop_answer_t *answer);
static void ngx_aop_page_server_why(ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server);
static void ngx_aop_page_server_refused(ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server);
static void ngx_aop_page_server_hint(ngx_aop_text_t *text,
    const ngx_aop_answer_t *answer);
static void ngx_aop_page_server_trend(ngx_aop_text_t *text,
    const ngx_aop_answer_t *answer);
static void ngx_aop_page_server_expiry(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_server_t *server);
static void ngx_aop_page_server_anchors(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const ngx_aop_report_server_t *server);
static const ngx_aop_report_cert_t *ngx_aop_page_server_client(
    const ngx_aop_report_server_t *server,
    const ngx_aop_report_cert_t *anchor);
static void ngx_aop_page_server_link(ngx_aop_report_t *report,
    ngx_aop_text_t *text, const char *name);


/* by ngx_aop_page_word_e */

static const struct {
    const char  *class;
    const char  *word;
} ngx_aop_page_server_table[NGX_AOP_REPORT_WORDS] = {
    { "no", "Failing" },
    { "no", "No" },
    { "unknown", "Unknown" },
    { "yes", "Yes" },
    { "enforced", "Partly" },
    { "enforced", "Enforced" }
};


/* by ngx_aop_cause_e */

static const char *const  ngx_aop_page_server_causes[] = {
    "a CA or CRL is not valid now",
    NULL,
    "certificates pass from unlisted addresses",
    "not all requests are verified",
    "requests fail behind a relay",
    "not enough traffic yet",
    NULL
};


void
ngx_aop_page_server(ngx_aop_report_t *report,
    const ngx_aop_report_server_t *server)
{
    ngx_aop_text_t       *text;
    ngx_aop_page_rank_e   rank;

    rank = ngx_aop_page_rank(server, report->now);
    text = ngx_aop_report_part(report, NGX_AOP_PAGE_PART_SERVERS + rank);

    report->parts[NGX_AOP_PAGE_PART_SERVERS + rank].rows++;
    report->answers[ngx_aop_page_rank_word(server)]++;

    ngx_aop_page_server_line(report, text, server, rank);

    ngx_aop_text_puts(text, "<div>");
    ngx_aop_page_server_why(text, server);
    ngx_aop_page_server_hint(text, &server->answer);
    ngx_aop_page_server_trend(text, &server->answer);

    if (ngx_aop_page_rank_next(server, report->now) != NULL) {
        ngx_aop_text_puts(text, "<p>");
        ngx_aop_page_server_expiry(report, text, server);
        ngx_aop_text_puts(text, "</p>");
    }

    ngx_aop_page_server_anchors(report, text, server);

    ngx_aop_text_printf(text, "<p>Mode %s", server->mode);
    ngx_aop_page_server_link(report, text, server->name);
    ngx_aop_text_puts(text, "</p></div></details>\n");
}


static void
ngx_aop_page_server_line(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server, ngx_aop_page_rank_e rank)
{
    ngx_aop_page_word_e  word;

    word = ngx_aop_page_rank_word(server);

    ngx_aop_text_printf(text, "<details class=\"s %s\"%s><summary><b>%s</b> "
                        "<span class=\"n\">",
                        ngx_aop_page_server_table[word].class,
                        ngx_aop_page_server_open(report, rank) ? " open" : "",
                        ngx_aop_page_server_table[word].word);

    ngx_aop_page_text_label(text, server->name);

    ngx_aop_text_puts(text, "</span> <span class=\"w\">");
    ngx_aop_page_server_short(report, text, server, rank);
    ngx_aop_text_puts(text, "</span>");

    ngx_aop_page_trend(text, server->answer.trend);

    ngx_aop_text_puts(text, "</summary>");
}


static int
ngx_aop_page_server_open(ngx_aop_report_t *report, ngx_aop_page_rank_e rank)
{
    if (report->servers <= NGX_AOP_PAGE_SERVER_OPEN) {
        return 1;
    }

    return report->servers <= NGX_AOP_PAGE_SERVER_FEW
           && rank <= NGX_AOP_PAGE_ATTENTION
           && report->opened++ < NGX_AOP_PAGE_SERVER_OPEN;
}


/* What fits in a line. */

static void
ngx_aop_page_server_short(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server, ngx_aop_page_rank_e rank)
{
    uint64_t                 passed;
    const uint64_t          *sums;
    const ngx_aop_answer_t  *answer;

    answer = &server->answer;
    sums = answer->sums;

    if (!server->counted) {
        ngx_aop_text_puts(text, "not counted");
        return;
    }

    if (rank == NGX_AOP_PAGE_EXPIRING) {
        ngx_aop_page_server_expiry(report, text, server);
        return;
    }

    passed = sums[NGX_AOP_SUM_PASSED + NGX_AOP_FROM_CLOUDFLARE];

    if (rank == NGX_AOP_PAGE_ENFORCED) {
        ngx_aop_page_text_number(text, (int64_t) passed);
        ngx_aop_text_puts(text, " passed, ");
        ngx_aop_page_text_number(text, (int64_t)
                         (sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_DIRECT]
                          + sums[NGX_AOP_SUM_FAILED + NGX_AOP_FROM_STRANGER]));
        ngx_aop_text_puts(text, " rejected");
        return;
    }

    if (answer->cause == NGX_AOP_CAUSE_FAILED) {
        ngx_aop_page_server_failed(text, answer);

    } else if (answer->cause == NGX_AOP_CAUSE_NONE) {
        ngx_aop_text_puts(text, "all ");
        ngx_aop_page_text_number(text, (int64_t) passed);
        ngx_aop_text_puts(text, " passed");

    } else {
        ngx_aop_text_puts(text, ngx_aop_page_server_causes[answer->cause]);
    }
}


static void
ngx_aop_page_server_failed(ngx_aop_text_t *text,
    const ngx_aop_answer_t *answer)
{
    ngx_aop_page_text_number(text, (int64_t) (answer->failed
                                              ? answer->failed
                                              : answer->failed_private));
    ngx_aop_text_printf(text, " failed from %s: %s",
                        answer->failed ? "Cloudflare" : "private addresses",
                        ngx_aop_verdict(answer->verdict)->word);
}


/* For a server that enforces, whether it is safe is not the question. */

static void
ngx_aop_page_server_why(ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server)
{
    int  enforced;

    enforced = (server->state == NGX_AOP_STATE_ENFORCED);

    if (enforced && server->counted) {
        ngx_aop_page_server_refused(text, server);
    }

    if (!enforced
        || !server->counted
        || server->answer.ready == NGX_AOP_READY_NO)
    {
        ngx_aop_text_puts(text, "<p>");
        ngx_aop_page_text(text, server->why);
        ngx_aop_text_puts(text, "</p>");
    }
}


static void
ngx_aop_page_server_refused(ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server)
{
    const uint64_t  *failed;

    failed = &server->answer.sums[NGX_AOP_SUM_FAILED];

    ngx_aop_text_puts(text, "<p>Requests without a valid client certificate "
                      "are rejected; in 24 h: ");
    ngx_aop_page_text_count(text, failed[NGX_AOP_FROM_CLOUDFLARE]
                                  + failed[NGX_AOP_FROM_OTHER_HOST],
                            " request", " requests");
    ngx_aop_text_puts(text, " from Cloudflare, ");
    ngx_aop_page_text_number(text, (int64_t) failed[NGX_AOP_FROM_PRIVATE]);
    ngx_aop_text_puts(text, " from private addresses, ");
    ngx_aop_page_text_number(text, (int64_t) (failed[NGX_AOP_FROM_DIRECT]
                                             + failed[NGX_AOP_FROM_STRANGER]));
    ngx_aop_text_puts(text, " from others</p>");
}


/*
 * What to do about the worst of the failures that decide.  The lines to copy
 * go with the table's own hint: where an address hides others, none do.
 */

static void
ngx_aop_page_server_hint(ngx_aop_text_t *text, const ngx_aop_answer_t *answer)
{
    const char               *snippet;
    const ngx_aop_verdict_t  *verdict;

    if (answer->hint == NULL) {
        return;
    }

    verdict = ngx_aop_verdict(answer->verdict);
    snippet = verdict->snippet[answer->peer];

    ngx_aop_text_puts(text, "<p class=\"hint\">");
    ngx_aop_page_text_verdict(text, verdict->word);
    ngx_aop_text_puts(text, ": ");
    ngx_aop_page_text(text, answer->hint);
    ngx_aop_text_puts(text, "</p>");

    if (snippet != NULL && answer->hint == verdict->hint[answer->peer]) {
        ngx_aop_page_text_lines(text, snippet);
    }
}


static void
ngx_aop_page_server_trend(ngx_aop_text_t *text,
    const ngx_aop_answer_t *answer)
{
    size_t                  i;
    uint64_t                passed, failed;
    const ngx_aop_trend_t  *last;

    passed = 0;
    failed = 0;

    for (i = 0; i < NGX_AOP_EVIDENCE_HOURS; i++) {
        passed += answer->trend[i].passed;
        failed += answer->trend[i].failed;
    }

    if (passed == 0 && failed == 0) {
        return;
    }

    last = &answer->trend[NGX_AOP_EVIDENCE_HOURS - 1];

    ngx_aop_text_puts(text, "<p>From Cloudflare and private addresses in "
                      "24 h: ");
    ngx_aop_page_text_number(text, (int64_t) passed);
    ngx_aop_text_puts(text, " passed, ");
    ngx_aop_page_text_number(text, (int64_t) failed);
    ngx_aop_text_puts(text, " failed; in this hour: ");
    ngx_aop_page_text_number(text, (int64_t) last->passed);
    ngx_aop_text_puts(text, " passed, ");
    ngx_aop_page_text_number(text, (int64_t) last->failed);
    ngx_aop_text_puts(text, " failed</p>");
}


/* The certificate or CRL to look after first, if that is soon. */

static void
ngx_aop_page_server_expiry(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server)
{
    long long                     days;
    const ngx_aop_report_cert_t  *cert;

    cert = ngx_aop_page_rank_next(server, report->now);

    if (cert == NULL) {
        return;
    }

    days = ngx_aop_cert_days(cert->not_after, report->now);

    ngx_aop_text_printf(text, "<span class=\"%s\">%s ",
                        days > NGX_AOP_PAGE_URGENT ? "soon" : "urgent",
                        cert->kind);
    ngx_aop_page_text(text, cert->subject);
    ngx_aop_text_puts(text, ": ");
    ngx_aop_page_text_number(text, days);
    ngx_aop_text_printf(text, " day%s left</span>", days == 1 ? "" : "s");
}


/*
 * With more than one anchor, a rotation may be under way: by which of them do
 * certificates pass?  The table of certificates has the rest.
 */

static void
ngx_aop_page_server_anchors(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const ngx_aop_report_server_t *server)
{
    size_t                        i, n;
    const ngx_aop_report_cert_t  *cert, *client;

    n = 0;

    for (i = 0; i < server->ncerts; i++) {
        n += (strcmp(server->certs[i].kind, "anchor") == 0);
    }

    if (n < 2) {
        return;
    }

    ngx_aop_text_puts(text, "<ul>");

    for (i = 0; i < server->ncerts; i++) {
        cert = &server->certs[i];

        if (strcmp(cert->kind, "anchor") != 0) {
            continue;
        }

        ngx_aop_text_puts(text, "<li>anchor ");
        ngx_aop_page_text(text, cert->subject);

        if (cert->last == 0) {
            ngx_aop_text_puts(text, ": no certificate has passed by it</li>");
            continue;
        }

        ngx_aop_text_puts(text, ": last passed ");
        ngx_aop_page_text_time(text, cert->last, report->now);

        client = ngx_aop_page_server_client(server, cert);

        if (client != NULL) {
            ngx_aop_text_puts(text, ", client ");
            ngx_aop_page_text(text, client->subject);
        }

        ngx_aop_text_puts(text, "</li>");
    }

    ngx_aop_text_puts(text, "</ul>");
}


static const ngx_aop_report_cert_t *
ngx_aop_page_server_client(const ngx_aop_report_server_t *server,
    const ngx_aop_report_cert_t *anchor)
{
    size_t                        i;
    const ngx_aop_report_cert_t  *cert;

    for (i = 0; i < server->ncerts; i++) {
        cert = &server->certs[i];

        if (strcmp(cert->kind, "client") == 0
            && cert->last == anchor->last
            && strcmp(cert->anchor, anchor->subject) == 0)
        {
            return cert;
        }
    }

    return NULL;
}


static void
ngx_aop_page_server_link(ngx_aop_report_t *report, ngx_aop_text_t *text,
    const char *name)
{
    ngx_aop_report_view_t  view;

    if (report->view.server != NULL) {
        return;
    }

    view = report->view;
    view.server = name;

    ngx_aop_text_puts(text, "; <a href=");
    ngx_aop_page_text_href(text, "html", &view);
    ngx_aop_text_puts(text, ">this server alone</a>");
}


void
ngx_aop_page_server_off(ngx_aop_report_t *report,
    const ngx_aop_report_unprotected_t *server)
{
    size_t           i, rank;
    ngx_aop_text_t  *text;

    rank = (server->explicit || server->beside.n == 0)
           ? NGX_AOP_PAGE_OFF : NGX_AOP_PAGE_FORGOTTEN;
    text = ngx_aop_report_part(report, NGX_AOP_PAGE_PART_SERVERS + rank);

    report->parts[NGX_AOP_PAGE_PART_SERVERS + rank].rows++;

    ngx_aop_text_puts(text, "<details class=\"s off\"><summary><b>Off</b> "
                      "<span class=\"n\">");
    ngx_aop_page_text_label(text, server->name);
    ngx_aop_text_printf(text, "</span> <span class=\"w\">%s%s</span></summary>"
                        "<div><p>",
                        server->explicit ? "aop off" : "no aop directive",
                        server->beside.n
                        ? ", at the address of an enforced server" : "");
    ngx_aop_page_text(text, server->file);
    ngx_aop_text_printf(text, ":%llu", (unsigned long long) server->line);
    ngx_aop_page_server_link(report, text, server->name);
    ngx_aop_text_puts(text, "</p>");

    for (i = 0; i < server->beside.n; i++) {
        ngx_aop_text_puts(text, i ? ", " : "<p>Enforced at the same address: ");
        ngx_aop_page_text_name(text, server->beside.names[i]);
    }

    ngx_aop_text_printf(text, "%s%s</div></details>\n",
                        server->beside_more ? ", and others" : "",
                        server->beside.n ? "</p>" : "");
}


void
ngx_aop_page_server_words(const ngx_aop_report_t *report,
    ngx_aop_text_t *text)
{
    size_t  i;

    for (i = 0; i < NGX_AOP_REPORT_WORDS; i++) {
        if (report->answers[i]) {
            ngx_aop_text_printf(text, "%s: %llu \302\267 ",
                                ngx_aop_page_server_table[i].word,
                                (unsigned long long) report->answers[i]);
        }
    }
}
