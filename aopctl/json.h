
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_JSON_H_INCLUDED_
#define _AOPCTL_JSON_H_INCLUDED_


#include <time.h>
#include <jansson.h>


/*
 * The result of a command is one JSON value: --json writes it out, and
 * the text for a person is made of it.
 *
 * These make values; NULL if memory is short, which jansson's *_set_new()
 * and *_append_new() pass on as an error.  Bytes that are no UTF-8 come out
 * as U+FFFD; text is cut at AOPCTL_JSON_TEXT bytes.
 */

#define AOPCTL_JSON_TEXT  2048

json_t *aopctl_json_text(const char *text);
json_t *aopctl_json_bytes(const char *data, size_t len);
json_t *aopctl_json_time(time_t t);


/* Sets key to value, which it takes over; ends the program if it cannot. */

void aopctl_json_set(json_t *object, const char *key, json_t *value);
void aopctl_json_append(json_t *array, json_t *value);


/* Borrowed from the object; "", 0 and NULL for what is not there. */

const char *aopctl_json_str(const json_t *object, const char *key);
long long aopctl_json_int(const json_t *object, const char *key);


/* Writes to standard output, in ASCII. */

void aopctl_json_write(const json_t *value);


#endif /* _AOPCTL_JSON_H_INCLUDED_ */
