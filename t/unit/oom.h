
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Memory that runs out when a test says so.  A test calls what it tests with
 * the first allocation failing, then the second, and so on, until a run did
 * not reach the one that was to fail.
 */


#ifndef _OOM_H_INCLUDED_
#define _OOM_H_INCLUDED_


#include <stdlib.h>
#include <openssl/crypto.h>

#include "unit.h"


typedef enum {
    OOM_ONCE = 0,       /* one allocation fails */
    OOM_FROM            /* and all that follow it */
} oom_e;


static struct {
    int      armed;
    oom_e    mode;
    size_t   left;      /* allocations before the one that fails */
    size_t   failed;
} oom;


static inline int
oom_fails(void)
{
    if (!oom.armed) {
        return 0;
    }

    if (oom.left > 0) {
        oom.left--;
        return 0;
    }

    if (oom.mode == OOM_ONCE && oom.failed) {
        return 0;
    }

    oom.failed++;

    return 1;
}


static void *
oom_malloc(size_t size, const char *file, int line)
{
    return (size == 0 || oom_fails()) ? NULL : malloc(size);
}


static void *
oom_realloc(void *p, size_t size, const char *file, int line)
{
    if (size == 0) {
        free(p);
        return NULL;
    }

    return oom_fails() ? NULL : realloc(p, size);
}


static void
oom_free(void *p, const char *file, int line)
{
    free(p);
}


/* To be called before anything else of OpenSSL. */

static inline void
oom_init(void)
{
    if (!CRYPTO_set_mem_functions(oom_malloc, oom_realloc, oom_free)) {
        abort();
    }
}


static inline void
oom_arm(oom_e mode, size_t left)
{
    oom.mode = mode;
    oom.left = left;
    oom.failed = 0;
    oom.armed = 1;
}


/* Returns how many allocations have failed. */

static inline size_t
oom_disarm(void)
{
    oom.armed = 0;

    return oom.failed;
}


#endif /* _OOM_H_INCLUDED_ */
