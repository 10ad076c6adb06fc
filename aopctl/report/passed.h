
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_PASSED_H_INCLUDED_
#define _AOPCTL_PASSED_H_INCLUDED_


#include <stdint.h>

#include "log_line.h"
#include "json.h"


#define AOPCTL_PASSED_MAX   32
#define AOPCTL_PASSED_TEXT  200


typedef struct {
    char        anchor[AOPCTL_PASSED_TEXT];
    char        subject[AOPCTL_PASSED_TEXT];
    char        fingerprint[72];
    char        not_after[32];
    uint64_t    count;
    time_t      first;
    time_t      last;
} aopctl_passed_item_t;


/* Which certificates passed; zeroed, it is empty. */

typedef struct {
    size_t                  n;
    uint64_t                dropped;    /* of those that lost their places */
    aopctl_passed_item_t    items[AOPCTL_PASSED_MAX];
} aopctl_passed_t;


void aopctl_passed_add(aopctl_passed_t *passed, const aopctl_log_line_t *line);

/* As JSON, the latest first; passed may be NULL. */

json_t *aopctl_passed_json(aopctl_passed_t *passed);


#endif /* _AOPCTL_PASSED_H_INCLUDED_ */
