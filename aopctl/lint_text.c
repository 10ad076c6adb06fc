
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What is in the files, for a person: file by file, the level last. */


#include "lint.h"
#include "screen.h"


static void aopctl_lint_print_part(const json_t *part, int n,
    const char *const *keys);
static void aopctl_lint_print_findings(const json_t *findings,
    const char *indent);
static aopctl_colour_e aopctl_lint_colour(const char *level);


static const char *const  aopctl_lint_cert_keys[] = {
    "subject", "issuer", "serial", "not_before", "not_after", "days_left",
    "fingerprint", "spki", "verdict", "anchor", "reason", NULL
};

static const char *const  aopctl_lint_crl_keys[] = {
    "issuer", "last_update", "next_update", "days_left", NULL
};


void
aopctl_lint_print(const json_t *answer)
{
    size_t         i, n;
    const char    *level;
    const json_t  *file, *list, *part;

    json_array_foreach(json_object_get(answer, "files"), i, file) {

        aopctl_line(AOPCTL_BOLD, "%s", aopctl_json_str(file, "file"));
        aopctl_lint_print_findings(json_object_get(file, "findings"), "  ");

        list = json_object_get(file, "certificates");

        json_array_foreach(list, n, part) {
            aopctl_lint_print_part(part, (int) n + 1, aopctl_lint_cert_keys);
        }

        list = json_object_get(file, "crls");

        json_array_foreach(list, n, part) {
            aopctl_lint_print_part(part, (int) n + 1, aopctl_lint_crl_keys);
        }
    }

    level = aopctl_json_str(answer, "level");

    aopctl_lint_print_findings(json_object_get(answer, "findings"), "");
    aopctl_line(aopctl_lint_colour(level), "%s", level);
}


static void
aopctl_lint_print_part(const json_t *part, int n, const char *const *keys)
{
    const json_t  *value;

    aopctl_line(AOPCTL_PLAIN, "  %d: %s", n, aopctl_json_str(part, "what"));

    for ( /* void */ ; *keys; keys++) {
        value = json_object_get(part, *keys);

        if (json_is_integer(value)) {
            aopctl_line(AOPCTL_PLAIN, "     %-12s %lld", *keys,
                        (long long) json_integer_value(value));

        } else if (value != NULL) {
            aopctl_line(AOPCTL_PLAIN, "     %-12s %s", *keys,
                        json_string_value(value));
        }
    }

    aopctl_lint_print_findings(json_object_get(part, "findings"), "     ");
}


static void
aopctl_lint_print_findings(const json_t *findings, const char *indent)
{
    size_t         i;
    const char    *level;
    const json_t  *finding;

    json_array_foreach(findings, i, finding) {
        level = aopctl_json_str(finding, "level");

        aopctl_line(aopctl_lint_colour(level), "%s%s: %s", indent, level,
                    aopctl_json_str(finding, "text"));
    }
}


static aopctl_colour_e
aopctl_lint_colour(const char *level)
{
    switch (level[0]) {

    case 'e':
        return AOPCTL_RED;

    case 'w':
        return AOPCTL_YELLOW;

    default:
        return AOPCTL_GREEN;
    }
}
