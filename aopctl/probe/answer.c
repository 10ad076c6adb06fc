
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* The result of a visit, as JSON. */


#include "probe.h"


json_t *
aopctl_answer_json(const aopctl_answer_t *answer)
{
    json_t  *object;

    static const char *const  words[] = {
        "served", "refused", "unclear", "not_offered", "another_page"
    };

    object = json_object();

    aopctl_json_set(object, "result", json_string(words[answer->result]));
    aopctl_json_set(object, "text", aopctl_json_text(answer->text));
    aopctl_json_set(object, "status", answer->status
                    ? json_integer(answer->status) : json_null());
    aopctl_json_set(object, "asked", json_boolean(answer->asked));
    aopctl_json_set(object, "resumed", json_boolean(answer->resumed));

    return object;
}
