
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What a probe found, for a person: a line a visit, and what they come to. */


#include <stdio.h>
#include <string.h>

#include "probe.h"
#include "term.h"


static void aopctl_probe_print_address(const json_t *address);
static void aopctl_probe_print_visit(const json_t *visit);
static void aopctl_probe_print_session(const json_t *session,
    unsigned given);
static void aopctl_probe_print_visitors(const json_t *visitors);
static void aopctl_probe_print_name(const json_t *name);
static void aopctl_probe_print_plain(const json_t *plain);
static void aopctl_probe_print_cas(const json_t *address);
static const char *aopctl_probe_result(const json_t *visit);
static const char *aopctl_probe_cannot_tell(const json_t *answer);
static aopctl_color_e aopctl_probe_color(const char *result,
    unsigned given);
static aopctl_color_e aopctl_probe_color_of(const json_t *answer);


void
aopctl_probe_text_print(const json_t *answer)
{
    size_t         i;
    const json_t  *value, *addresses;

    aopctl_term_line(AOPCTL_COLOR_BOLD, "%s port %lld, SNI %s, Host %s, %s",
                     aopctl_json_str(answer, "host"),
                     aopctl_json_int(answer, "port"),
                     json_is_string(json_object_get(answer, "sni"))
                     ? aopctl_json_str(answer, "sni") : "(none)",
                     aopctl_json_str(answer, "authority"),
                     aopctl_json_str(answer, "path"));

    addresses = json_object_get(answer, "addresses");

    json_array_foreach(addresses, i, value) {
        aopctl_probe_print_address(value);
    }

    /* of one address, the conclusion is that of all */

    if (json_array_size(addresses) < 2) {
        return;
    }

    json_array_foreach(addresses, i, value) {
        aopctl_term_line(aopctl_probe_color_of(value), "%s: %s%s",
                         aopctl_json_str(value, "address"),
                         aopctl_probe_cannot_tell(value),
                         aopctl_json_str(value, "why"));
    }
}


static void
aopctl_probe_print_address(const json_t *address)
{
    size_t         i;
    const json_t  *value;

    if (json_object_get(address, "visits") == NULL) {
        return;
    }

    aopctl_term_line(AOPCTL_COLOR_BOLD, "%s", aopctl_json_str(address,
                                                              "address"));

    json_array_foreach(json_object_get(address, "visits"), i, value) {
        aopctl_probe_print_visit(value);
    }

    aopctl_probe_print_visitors(json_object_get(address, "visitors"));

    json_array_foreach(json_object_get(address, "names"), i, value) {
        aopctl_probe_print_name(value);
    }

    aopctl_probe_print_plain(json_object_get(address, "plain_http"));
    aopctl_probe_print_cas(address);
}


static void
aopctl_probe_print_name(const json_t *name)
{
    unsigned     tls;
    const char  *sni, *result;

    sni = json_is_string(json_object_get(name, "sni"))
          ? aopctl_json_str(name, "sni") : NULL;
    result = aopctl_json_str(name, "result");

    if (strcmp(aopctl_json_str(name, "scheme"), "http") == 0) {
        aopctl_term_line(aopctl_probe_color(result, 0),
                         "  plain HTTP, Host %s: %s, %s",
                         aopctl_json_str(name, "authority"),
                         aopctl_probe_result(name),
                         aopctl_json_str(name, "text"));
        return;
    }

    tls = json_is_string(json_object_get(name, "tls"));

    aopctl_term_line(aopctl_probe_color(result, 0),
                     "  %s%s%s%s%s, Host %s: %s, %s",
                     tls ? "TLS " : "", tls ? aopctl_json_str(name, "tls") : "",
                     tls ? ", " : "",
                     sni ? "SNI " : "without SNI", sni ? sni : "",
                     aopctl_json_str(name, "authority"),
                     aopctl_probe_result(name), aopctl_json_str(name, "text"));

    if (json_object_get(name, "with_session") != NULL) {
        aopctl_probe_print_session(json_object_get(name, "with_session"), 0);
    }
}


static void
aopctl_probe_print_plain(const json_t *plain)
{
    const char  *result;

    if (!json_is_object(plain)) {
        return;
    }

    result = aopctl_json_str(plain, "result");

    aopctl_term_line(aopctl_probe_color(result, 0),
                     "  plain HTTP, port %lld: %s, %s",
                     aopctl_json_int(plain, "port"),
                     aopctl_probe_result(plain),
                     aopctl_json_str(plain, "text"));
}


static void
aopctl_probe_print_cas(const json_t *address)
{
    size_t         i;
    const json_t  *value;

    if (json_is_true(json_object_get(address, "http3"))) {
        aopctl_term_line(AOPCTL_COLOR_YELLOW,
                         "  HTTP/3 (announced by Alt-Svc): not tested");
    }

    aopctl_term_line(AOPCTL_COLOR_PLAIN, "  requests a certificate: %s",
                     json_is_true(json_object_get(address, "asks")) ? "yes"
                     : "no");

    json_array_foreach(json_object_get(address, "ca_names"), i, value) {
        aopctl_term_line(AOPCTL_COLOR_PLAIN, "  CA name sent: %s",
                         json_string_value(value));
    }
}


void
aopctl_probe_text_print_conclusion(const json_t *answer)
{
    aopctl_term_line(aopctl_probe_color_of(answer), "%s%s",
                     aopctl_probe_cannot_tell(answer),
                     aopctl_json_str(answer, "why"));
}


static const char *
aopctl_probe_cannot_tell(const json_t *answer)
{
    return strcmp(aopctl_json_str(answer, "conclusion"), "cannot_tell") == 0
           ? "cannot tell: " : "";
}


static aopctl_color_e
aopctl_probe_color_of(const json_t *answer)
{
    switch (aopctl_json_int(answer, "status")) {

    case AOPCTL_STATUS_GOOD:
        return AOPCTL_COLOR_GREEN;

    case AOPCTL_STATUS_BAD:
        return AOPCTL_COLOR_RED;

    default:
        return AOPCTL_COLOR_YELLOW;
    }
}


static void
aopctl_probe_print_visit(const json_t *visit)
{
    unsigned     given;
    const char  *result;

    given = strcmp(aopctl_json_str(visit, "stranger"), "given") == 0;
    result = aopctl_json_str(visit, "result");

    aopctl_term_line(aopctl_probe_color(result, given),
                     "  TLS %s, HTTP/%s, %s%s: %s, %s",
                     aopctl_json_str(visit, "tls"), aopctl_json_str(visit,
                                                                    "http"),
                     aopctl_json_str(visit, "stranger"),
                     given ? " certificate" : "", aopctl_probe_result(visit),
                     aopctl_json_str(visit, "text"));

    aopctl_probe_print_session(json_object_get(visit, "with_session"), given);
}


/* A session that was not offered, or not resumed, is not of interest. */

static void
aopctl_probe_print_session(const json_t *session, unsigned given)
{
    const char  *result;

    result = aopctl_json_str(session, "result");

    if (strcmp(result, "not_offered") == 0) {
        return;
    }

    aopctl_term_line(aopctl_probe_color(result, given),
                     "    again with its session, %s: %s, %s",
                     json_is_true(json_object_get(session, "resumed"))
                     ? "resumed" : "not resumed", aopctl_probe_result(session),
                     aopctl_json_str(session, "text"));
}


/* They are tried as long as they are rejected: the last one decides. */

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

    aopctl_term_line(aopctl_probe_color(result, 0),
                     "  with %zu addresses in CF-Connecting-IP, the last one "
                     "%s: %s, %s", n, aopctl_json_str(last, "visitor"),
                     aopctl_probe_result(last), aopctl_json_str(last, "text"));
}


static const char *
aopctl_probe_result(const json_t *visit)
{
    const char  *result;

    result = aopctl_json_str(visit, "result");

    if (strcmp(result, "another_page") == 0) {
        return "another page";
    }

    return (strcmp(result, "not_offered") == 0) ? "not offered" : result;
}


static aopctl_color_e
aopctl_probe_color(const char *result, unsigned given)
{
    if (strcmp(result, "served") == 0) {
        return given ? AOPCTL_COLOR_GREEN : AOPCTL_COLOR_RED;
    }

    if (strcmp(result, "refused") == 0) {
        return given ? AOPCTL_COLOR_RED : AOPCTL_COLOR_GREEN;
    }

    return AOPCTL_COLOR_YELLOW;
}
