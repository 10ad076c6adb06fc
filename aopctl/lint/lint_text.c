
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* What is in the files, for a person: file by file, the level last. */


#include <stdio.h>
#include <string.h>

#include "lint.h"
#include "term.h"


static const char *aopctl_lint_role(const json_t *file);
static void aopctl_lint_worst(const json_t *object, const char *level,
    const char *name, const json_t **found, const char **where, size_t *n);
static void aopctl_lint_print_part(const json_t *part, int n,
    const char *const *keys);
static void aopctl_lint_print_findings(const json_t *findings,
    const char *indent);
static aopctl_color_e aopctl_lint_color(const char *level);


static const char *const  aopctl_lint_cert_keys[] = {
    "subject", "issuer", "serial", "not_before", "not_after", "days_left",
    "fingerprint", "spki", "key", "verdict", "anchor", "reason", NULL
};

static const char *const  aopctl_lint_crl_keys[] = {
    "issuer", "last_update", "next_update", "days_left", NULL
};


void
aopctl_lint_text_print(const json_t *answer)
{
    size_t         i, n;
    const char    *level;
    const json_t  *file, *list, *part;

    json_array_foreach(json_object_get(answer, "files"), i, file) {

        aopctl_term_line(AOPCTL_COLOR_BOLD, "%s%s", aopctl_json_str(file,
                                                                    "file"),
                         aopctl_lint_role(file));
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
    aopctl_term_line(aopctl_lint_color(level), "%s", level);
}


static const char *
aopctl_lint_role(const json_t *file)
{
    size_t       i;
    const char  *role;

    static const struct {
        const char  *word;
        const char  *text;
    } roles[] = {
        { "ca", " (aop_ca)" },
        { "crl", " (aop_crl)" },
        { "client", " (client certificate)" },
        { "key", " (private key)" }
    };

    role = aopctl_json_str(file, "role");

    for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
        if (strcmp(roles[i].word, role) == 0) {
            return roles[i].text;
        }
    }

    return "";
}


/* The level, the first finding of it, and how many more there are. */

void
aopctl_lint_text_print_line(const json_t *answer)
{
    char           more[64];
    size_t         i, n;
    const char    *level, *name;
    const json_t  *file, *finding;

    n = 0;
    name = "";
    finding = NULL;
    level = aopctl_json_str(answer, "level");

    json_array_foreach(json_object_get(answer, "files"), i, file) {
        aopctl_lint_worst(file, level, aopctl_json_str(file, "file"),
                          &finding, &name, &n);
    }

    aopctl_lint_worst(answer, level, "aop_ca", &finding, &name, &n);

    if (finding == NULL) {
        aopctl_term_line(aopctl_lint_color(level), "%s", level);
        return;
    }

    more[0] = '\0';

    if (n > 1) {
        snprintf(more, sizeof(more), " (and %zu more)", n - 1);
    }

    aopctl_term_line(aopctl_lint_color(level), "%s: %s %s%s", level, name,
                     aopctl_json_str(finding, "text"), more);
}


/* Counts the findings of a level in an object and in its parts. */

static void
aopctl_lint_worst(const json_t *object, const char *level, const char *name,
    const json_t **found, const char **where, size_t *n)
{
    size_t         i;
    const json_t  *part;

    json_array_foreach(json_object_get(object, "findings"), i, part) {

        if (strcmp(aopctl_json_str(part, "level"), level) != 0) {
            continue;
        }

        if ((*n)++ == 0) {
            *found = part;
            *where = name;
        }
    }

    json_array_foreach(json_object_get(object, "certificates"), i, part) {
        aopctl_lint_worst(part, level, name, found, where, n);
    }

    json_array_foreach(json_object_get(object, "crls"), i, part) {
        aopctl_lint_worst(part, level, name, found, where, n);
    }
}


static void
aopctl_lint_print_part(const json_t *part, int n, const char *const *keys)
{
    const json_t  *value;

    aopctl_term_line(AOPCTL_COLOR_PLAIN, "  %d: %s", n,
                     aopctl_json_str(part, "what"));

    for ( /* void */ ; *keys; keys++) {
        value = json_object_get(part, *keys);

        if (json_is_integer(value)) {
            aopctl_term_line(AOPCTL_COLOR_PLAIN, "     %-12s %lld", *keys,
                             (long long) json_integer_value(value));

        } else if (value != NULL) {
            aopctl_term_line(AOPCTL_COLOR_PLAIN, "     %-12s %s", *keys,
                             json_string_value(value));
        }
    }

    value = json_object_get(part, "with_chain");

    if (value != NULL) {
        aopctl_term_line(AOPCTL_COLOR_PLAIN, "     %-12s %s", "with chain",
                         aopctl_json_str(value, "verdict"));
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

        aopctl_term_line(aopctl_lint_color(level), "%s%s: %s", indent, level,
                         aopctl_json_str(finding, "text"));
    }
}


static aopctl_color_e
aopctl_lint_color(const char *level)
{
    switch (level[0]) {

    case 'e':
        return AOPCTL_COLOR_RED;

    case 'w':
        return AOPCTL_COLOR_YELLOW;

    default:
        return AOPCTL_COLOR_GREEN;
    }
}
