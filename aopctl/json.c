
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What is added to jansson: any bytes become valid text, and the program ends
 * if memory is short, because half an answer must not go out.
 */


#include <stdlib.h>
#include <string.h>

#include "aopctl.h"
#include "json.h"
#include "term.h"
#include "ngx_aop_cert.h"
#include "ngx_aop_text.h"


json_t *
aopctl_json_text(const char *text)
{
    return aopctl_json_bytes(text, strlen(text));
}


json_t *
aopctl_json_bytes(const char *data, size_t len)
{
    char    buf[AOPCTL_JSON_TEXT];
    size_t  n;

    n = ngx_aop_text_utf8(buf, sizeof(buf), data, len);

    return json_stringn(buf, n);
}


json_t *
aopctl_json_time(time_t t)
{
    char  date[NGX_AOP_DATE];

    return json_string(ngx_aop_cert_date(t, date));
}


void
aopctl_json_set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) != 0) {
        aopctl_term_error("out of memory");
        exit(AOPCTL_STATUS_FAILED);
    }
}


void
aopctl_json_append(json_t *array, json_t *value)
{
    if (json_array_append_new(array, value) != 0) {
        aopctl_term_error("out of memory");
        exit(AOPCTL_STATUS_FAILED);
    }
}


const char *
aopctl_json_str(const json_t *object, const char *key)
{
    const char  *text;

    text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}


long long
aopctl_json_int(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}


void
aopctl_json_write(const json_t *value)
{
    /* escaped, to keep Unicode's C1 control characters off the terminal */

    if (json_dumpf(value, stdout, JSON_INDENT(2)|JSON_ENSURE_ASCII) == 0) {
        putchar('\n');
    }
}
