
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A status page is what any host may answer: it is read as a whole or not at
 * all, each server of it has an answer, and none that is good by itself.
 */


#include <time.h>

#include "answer.h"
#include "page.h"
#include "fuzz.h"


static void
fuzz_server(const json_t *server)
{
    const char       *ready, *state;
    aopctl_answer_e   answer;

    answer = aopctl_answer_of(server);
    ready = aopctl_json_str(server, "ready");
    state = aopctl_json_str(server, "state");

    fuzz_check(json_is_string(json_object_get(server, "name")));
    fuzz_check(json_string_length(json_object_get(server, "reason")) > 0
               || aopctl_json_str(server, "why")[0] == '\0');
    fuzz_check(answer != AOPCTL_ANSWER_UNREAD);
    fuzz_check((answer == AOPCTL_ANSWER_NO) == (strcmp(ready, "no") == 0));

    if (answer == AOPCTL_ANSWER_YES) {
        fuzz_check(strcmp(ready, "yes") == 0);
        fuzz_check(strcmp(state, "observing") == 0
                   || strcmp(state, "partly") == 0);
    }

    if (answer == AOPCTL_ANSWER_ENFORCED) {
        fuzz_check(strcmp(state, "enforced") == 0);
    }
}


static void
fuzz_servers(const json_t *servers)
{
    size_t         i;
    const json_t  *server;

    fuzz_check(json_array_size(servers) > 0);

    json_array_foreach(servers, i, server) {
        fuzz_server(server);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t      *page;
    const char  *err;

    page = aopctl_page_read((const char *) data, size, FUZZ_NOW, &err);

    if (page == NULL) {
        fuzz_check(err != NULL && err[0] != '\0');
        return 0;
    }

    fuzz_check(err == NULL);
    fuzz_servers(json_object_get(page, "servers"));
    fuzz_check(json_is_array(json_object_get(page, "unprotected")));

    json_decref(page);

    return 0;
}
