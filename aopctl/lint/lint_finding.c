
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* Findings as JSON, and the worst of them. */


#include "lint.h"


json_t *
aopctl_lint_finding(ngx_aop_lint_level_e level, const char *word,
    const char *text)
{
    json_t  *object;

    object = json_object();

    aopctl_json_set(object, "level",
                    json_string(ngx_aop_lint_level_word(level)));
    aopctl_json_set(object, "word", json_string(word));
    aopctl_json_set(object, "text", aopctl_json_text(text));

    return object;
}


void
aopctl_lint_finding_list(json_t *list, const ngx_aop_lint_found_t *found,
    ngx_aop_lint_level_e *level)
{
    char                   text[NGX_AOP_LINT_TEXT];
    unsigned               i;
    const ngx_aop_lint_t  *row;

    for (i = 0; i < NGX_AOP_LINT_FINDINGS; i++) {

        if (found->set & ngx_aop_lint_bit(i)) {
            row = ngx_aop_lint(i);
            aopctl_json_append(list, aopctl_lint_finding(row->level, row->word,
                                         ngx_aop_lint_text(found, i, text)));
        }
    }

    aopctl_lint_finding_raise(level, ngx_aop_lint_level(found->set));
}


/* For what the core has no finding. */

void
aopctl_lint_finding_add(json_t *object, ngx_aop_lint_level_e finding,
    const char *word, const char *text, ngx_aop_lint_level_e *level)
{
    aopctl_json_append(json_object_get(object, "findings"),
                       aopctl_lint_finding(finding, word, text));

    aopctl_lint_finding_raise(level, finding);
}


void
aopctl_lint_finding_raise(ngx_aop_lint_level_e *level, ngx_aop_lint_level_e by)
{
    if (*level < by) {
        *level = by;
    }
}
