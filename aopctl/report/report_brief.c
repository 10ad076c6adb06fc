
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What a log says, in short: a line for each server, and the last line, which
 * counts and names those that are not ready.
 */


#include <string.h>

#include "report.h"
#include "term.h"


#define AOPCTL_REPORT_NAMES  5


static size_t aopctl_report_count(const json_t *servers, const char *ready);
static void aopctl_report_list(const json_t *servers, const char *ready,
    ngx_aop_text_t *text);
static const char *aopctl_report_name(const json_t *server);


void
aopctl_report_brief_why(const json_t *servers, ngx_aop_text_t *text)
{
    size_t  all, no, unknown;

    no = aopctl_report_count(servers, "no");
    unknown = aopctl_report_count(servers, "unknown");
    all = no + unknown + aopctl_report_count(servers, "yes");

    if (no + unknown == 0) {
        ngx_aop_text_printf(text, all == 1 ? "the server in the log is ready"
                                  : "all %zu servers in the log are ready",
                            all);
        return;
    }

    if (no) {
        ngx_aop_text_printf(text, "%zu of %zu server%s %s not ready (", no,
                            all, all == 1 ? "" : "s", no == 1 ? "is" : "are");
        aopctl_report_list(servers, "no", text);
    }

    if (unknown) {
        ngx_aop_text_printf(text, "%sno answer yet for %zu of %zu server%s (",
                            no ? "; " : "", unknown, all,
                            all == 1 ? "" : "s");
        aopctl_report_list(servers, "unknown", text);
    }
}


static size_t
aopctl_report_count(const json_t *servers, const char *ready)
{
    size_t         i, n;
    const json_t  *server;

    n = 0;

    json_array_foreach(servers, i, server) {
        n += (strcmp(aopctl_json_str(server, "ready"), ready) == 0);
    }

    return n;
}


/* Closes the parenthesis. */

static void
aopctl_report_list(const json_t *servers, const char *ready,
    ngx_aop_text_t *text)
{
    size_t         i, n;
    const json_t  *server;

    n = 0;

    json_array_foreach(servers, i, server) {

        if (strcmp(aopctl_json_str(server, "ready"), ready) != 0) {
            continue;
        }

        if (n++ < AOPCTL_REPORT_NAMES) {
            ngx_aop_text_printf(text, "%s%s", n == 1 ? "" : ", ",
                                aopctl_report_name(server));
        }
    }

    if (n > AOPCTL_REPORT_NAMES) {
        ngx_aop_text_printf(text, " and %zu more", n - AOPCTL_REPORT_NAMES);
    }

    ngx_aop_text_puts(text, ")");
}


static const char *
aopctl_report_name(const json_t *server)
{
    const char  *name;

    name = aopctl_json_str(server, "name");

    return name[0] ? name : "no server_name";
}


void
aopctl_report_brief_print(const json_t *answer)
{
    size_t         i;
    const char    *ready;
    const json_t  *server;

    json_array_foreach(json_object_get(answer, "servers"), i, server) {
        ready = aopctl_json_str(server, "ready");

        if (ready[0] == '\0') {
            aopctl_term_line(AOPCTL_COLOR_PLAIN, "%s: not verified",
                             aopctl_report_name(server));

        } else {
            aopctl_term_line(aopctl_report_text_color(ready), "%s: %s: %s",
                             aopctl_report_name(server), ready,
                             aopctl_json_str(server, "why"));
        }
    }

    aopctl_report_text_print_end(answer);
}
