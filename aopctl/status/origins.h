
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_ORIGINS_H_INCLUDED_
#define _AOPCTL_ORIGINS_H_INCLUDED_


#include <stddef.h>


#define AOPCTL_ORIGINS      10000
#define AOPCTL_ORIGINS_URL  2048
#define AOPCTL_ORIGINS_ERR  512


typedef struct {
    char    *url;               /* as given */
    char    *request;           /* the same page, as JSON */
} aopctl_origin_t;


/* All is owned by the list: aopctl_origins_free() frees it. */

typedef struct {
    aopctl_origin_t  *origin;
    size_t            n;
    size_t            size;
    char            **duplicate;
    size_t            nduplicates;
    unsigned          unread:1;                 /* the error is of a file */
    char              err[AOPCTL_ORIGINS_ERR];
} aopctl_origins_t;


/*
 * Adds a URL, and the URLs of a file: one per line, without blank lines and
 * those that begin with "#"; "-" is standard input.  A URL that is already
 * there goes to the duplicates.  Both return 0 with the reason in err, for
 * what cannot be requested, for more than AOPCTL_ORIGINS, and if memory is
 * short.
 */

int aopctl_origins_add(aopctl_origins_t *origins, const char *url);
int aopctl_origins_file(aopctl_origins_t *origins, const char *file);

void aopctl_origins_free(aopctl_origins_t *origins);


#endif /* _AOPCTL_ORIGINS_H_INCLUDED_ */
