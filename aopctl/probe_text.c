
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What a probe found, for a person: a line a visit, and what they come to. */


#include <stdio.h>
#include <string.h>

#include "probe.h"
#include "screen.h"


static void aopctl_probe_print_visit(const json_t *visit);
static void aopctl_probe_print_session(const json_t *session,
    unsigned given);
static void aopctl_probe_print_visitors(const json_t *visitors);
static aopctl_colour_e aopctl_probe_colour(const char *result,
    unsigned given);


void
aopctl_probe_print(const json_t *answer)
{
    size_t         i;
    const char    *address;
    const json_t  *value;

    address = aopctl_json_str(answer, "address");

    aopctl_line(AOPCTL_BOLD, "%s port %lld%s%s%s, SNI %s, Host %s, %s",
                aopctl_json_str(answer, "host"),
                aopctl_json_int(answer, "port"), address[0] ? " (" : "",
                address, address[0] ? ")" : "",
                json_is_string(json_object_get(answer, "sni"))
                ? aopctl_json_str(answer, "sni") : "(none)",
                aopctl_json_str(answer, "authority"),
                aopctl_json_str(answer, "path"));

    json_array_foreach(json_object_get(answer, "visits"), i, value) {
        aopctl_probe_print_visit(value);
    }

    aopctl_probe_print_visitors(json_object_get(answer, "visitors"));

    value = json_object_get(answer, "plain_http");

    if (json_is_object(value)) {
        aopctl_line(aopctl_probe_colour(aopctl_json_str(value, "result"), 0),
                    "  plain HTTP, port %lld: %s, %s",
                    aopctl_json_int(value, "port"),
                    aopctl_json_str(value, "result"),
                    aopctl_json_str(value, "text"));
    }

    value = json_object_get(answer, "asks");

    if (value != NULL) {
        aopctl_line(AOPCTL_PLAIN, "  asks for a certificate: %s",
                    json_is_true(value) ? "yes" : "no");
    }

    json_array_foreach(json_object_get(answer, "ca_names"), i, value) {
        aopctl_line(AOPCTL_PLAIN, "  names the CA: %s",
                    json_string_value(value));
    }
}


void
aopctl_probe_print_conclusion(const json_t *answer)
{
    const char  *conclusion;

    conclusion = aopctl_json_str(answer, "conclusion");

    aopctl_line(strcmp(conclusion, "enforced") == 0 ? AOPCTL_GREEN
                : strcmp(conclusion, "not_enforced") == 0 ? AOPCTL_RED
                : AOPCTL_YELLOW, "%s%s",
                strcmp(conclusion, "cannot_tell") == 0 ? "cannot tell: " : "",
                aopctl_json_str(answer, "why"));
}


static void
aopctl_probe_print_visit(const json_t *visit)
{
    unsigned     given;
    const char  *result;

    given = strcmp(aopctl_json_str(visit, "stranger"), "given") == 0;
    result = aopctl_json_str(visit, "result");

    aopctl_line(aopctl_probe_colour(result, given),
                "  TLS %s, HTTP/%s, %s%s%s: %s, %s",
                aopctl_json_str(visit, "tls"), aopctl_json_str(visit, "http"),
                aopctl_json_str(visit, "stranger"),
                given ? " certificate" : "",
                json_is_true(json_object_get(visit, "sni")) ? ""
                                                            : ", without SNI",
                result, aopctl_json_str(visit, "text"));

    aopctl_probe_print_session(json_object_get(visit, "with_session"), given);
}


/* A session that was not offered, or not resumed, is no way in. */

static void
aopctl_probe_print_session(const json_t *session, unsigned given)
{
    const char  *result;

    result = aopctl_json_str(session, "result");

    if (strcmp(result, "not_offered") == 0) {
        return;
    }

    aopctl_line(aopctl_probe_colour(result, given),
                "    again with its session, %s: %s, %s",
                json_is_true(json_object_get(session, "resumed"))
                ? "resumed" : "not resumed", result,
                aopctl_json_str(session, "text"));
}


/* They are asked as long as they are refused: the last one tells. */

static void
aopctl_probe_print_visitors(const json_t *visitors)
{
    size_t         n;
    const char    *result;
    const json_t  *last;

    n = json_array_size(visitors);

    if (n == 0) {
        return;
    }

    last = json_array_get(visitors, n - 1);
    result = aopctl_json_str(last, "result");

    aopctl_line(aopctl_probe_colour(result, 0),
                "  for %zu visitors (CF-Connecting-IP), the last one %s: %s, "
                "%s", n, aopctl_json_str(last, "visitor"), result,
                aopctl_json_str(last, "text"));
}


static aopctl_colour_e
aopctl_probe_colour(const char *result, unsigned given)
{
    if (strcmp(result, "served") == 0) {
        return given ? AOPCTL_GREEN : AOPCTL_RED;
    }

    if (strcmp(result, "refused") == 0) {
        return given ? AOPCTL_RED : AOPCTL_GREEN;
    }

    return AOPCTL_YELLOW;
}
