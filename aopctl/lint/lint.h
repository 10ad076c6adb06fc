
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_LINT_H_INCLUDED_
#define _AOPCTL_LINT_H_INCLUDED_


#include <time.h>
#include <openssl/x509.h>

#include "aopctl.h"
#include "json.h"
#include "ngx_aop_lint.h"
#include "ngx_aop_pem.h"


#define AOPCTL_LINT_DAY    86400
#define AOPCTL_LINT_FILES  64


/* The purpose of a file. */

typedef enum {
    AOPCTL_LINT_ANY = 0,            /* found by its content */
    AOPCTL_LINT_CA,                 /* "aop_ca" */
    AOPCTL_LINT_CRL,                /* "aop_crl" */
    AOPCTL_LINT_CLIENT,             /* what was uploaded to Cloudflare */
    AOPCTL_LINT_KEY                 /* its private key */
} aopctl_lint_role_e;


typedef struct {
    time_t                  now;
    long                    days;           /* what ends in these ends soon */
    long                    depth;
    int                     auth_level;     /* what nginx verifies with */
    ngx_aop_policy_t       *policy;         /* of all files; owned */
    unsigned                post_quantum:1; /* "aop_require" */
    unsigned                json:1;
    unsigned                quiet:1;
    ngx_aop_lint_level_e    level;

    /* borrowed from the arguments */

    const char             *cas[AOPCTL_LINT_FILES];
    size_t                  ncas;           /* 0: no file has a role */
    const char             *crls[AOPCTL_LINT_FILES];
    size_t                  ncrls;
    const char             *key;            /* NULL: not given */
    ngx_aop_pin_t           pins[AOPCTL_LINT_FILES];
    size_t                  npins;
    const char             *needs_ca;       /* an option given, NULL: none */
    char                  **files;          /* ends with NULL */
} aopctl_lint_t;


/*
 * The policy that nginx would make of the files; returns 0 if memory is short.
 * Without roles, the CAs of the files are anchors, except those of a file that
 * begins with a leaf; leaves are anchors if there is no CA.
 */

int aopctl_lint_trust_policy(aopctl_lint_t *lint);

/* Reads a file; the name "cloudflare" of a CA is the built-in one. */

int aopctl_lint_trust_read(ngx_aop_pem_t *pem, const char *file,
    aopctl_lint_role_e role);

/* Does it begin with a certificate that is not a CA, and continue? */

int aopctl_lint_trust_is_chain(const ngx_aop_pem_t *pem);


/* What is in a file, and what is wrong with it. */

json_t *aopctl_lint_file(aopctl_lint_t *lint, const char *file,
    aopctl_lint_role_e role);

/* The private key, and whether it belongs to the first certificate of file. */

json_t *aopctl_lint_key(aopctl_lint_t *lint, const char *file);

/*
 * What the module would say if Cloudflare presented the first certificate,
 * alone or with all others.
 */

void aopctl_lint_client(aopctl_lint_t *lint, json_t *object,
    const ngx_aop_pem_t *pem, ngx_aop_lint_level_e *level);

/* The same for one certificate, alone. */

void aopctl_lint_client_judge(aopctl_lint_t *lint, json_t *object, X509 *x509,
    ngx_aop_lint_level_e *level);


/*
 * A finding; those of the core, added to a list; and one of ours, added to
 * those of an object.  "level" rises to that of the worst.
 */

json_t *aopctl_lint_finding(ngx_aop_lint_level_e level, const char *word,
    const char *text);
void aopctl_lint_finding_list(json_t *list, const ngx_aop_lint_found_t *found,
    ngx_aop_lint_level_e *level);
void aopctl_lint_finding_add(json_t *object, ngx_aop_lint_level_e finding,
    const char *word, const char *text, ngx_aop_lint_level_e *level);
void aopctl_lint_finding_raise(ngx_aop_lint_level_e *level,
    ngx_aop_lint_level_e by);


/* What is in the files, for a person; and in one line. */

void aopctl_lint_text_print(const json_t *answer);
void aopctl_lint_text_print_line(const json_t *answer);


#endif /* _AOPCTL_LINT_H_INCLUDED_ */
