
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "aopctl lint": what is in these files, and would nginx take them; does this
 * client certificate pass?  The judgement is the core's; this file takes the
 * arguments and puts the answer together.
 */


#include <string.h>
#include <openssl/ssl.h>

#include "lint.h"
#include "term.h"
#include "ngx_aop_key.h"
#include "ngx_aop_roots.h"


/* as "aop_verify_depth" */

#define AOPCTL_LINT_DEPTH  100


static aopctl_status_e aopctl_lint_arguments(aopctl_lint_t *lint, int argc,
    char **argv);
static aopctl_status_e aopctl_lint_option(void *data, const char *command,
    int option);
static aopctl_status_e aopctl_lint_add_file(const char *command,
    const char **files, size_t *n);
static aopctl_status_e aopctl_lint_add_pin(aopctl_lint_t *lint,
    const char *command);
static aopctl_status_e aopctl_lint_require(aopctl_lint_t *lint,
    const char *command);
static aopctl_status_e aopctl_lint_check(const aopctl_lint_t *lint,
    const char *command);
static int aopctl_lint_init(aopctl_lint_t *lint);
static json_t *aopctl_lint_answer(aopctl_lint_t *lint);
static json_t *aopctl_lint_policy(aopctl_lint_t *lint);


const char  aopctl_lint_help[] =
    "Usage: aopctl lint [OPTION]... FILE...\n"
    "       aopctl lint --ca FILE... [OPTION]... CLIENT...\n"
    "\n"
    "Lists the certificates and CRLs in these files with their expiration\n"
    "dates, and reports whether nginx would accept them.\n"
    "\n"
    "With --ca, only the certificates in --ca are trusted, and each CLIENT\n"
    "is a client certificate for Cloudflare, optionally with its chain. It\n"
    "is verified as nginx would verify it, alone and with its chain, because\n"
    "Cloudflare may present it either way.\n"
    "\n"
    "Without --ca, the files are treated as the arguments of one \"aop_ca\",\n"
    "but a file that begins with a certificate that is not a CA is treated\n"
    "as a client certificate with its chain.\n"
    "\n"
    "      --ca FILE      as in \"aop_ca\", also cloudflare; may be repeated\n"
    "      --crl FILE     as in \"aop_crl\"; may be repeated\n"
    "      --depth N      as in \"aop_verify_depth\", 0 to 100 (1)\n"
    "      --pin PIN      as in \"aop_pin\"; may be repeated\n"
    "      --require post_quantum\n"
    "                     as \"aop_require\"\n"
    "      --key FILE     check that FILE is the private key of CLIENT, in a\n"
    "                     form accepted by Cloudflare\n"
    "      --days N       warn of expiration within N days, 0 to 3650 (0)\n"
    "  -q, --quiet        print one line\n"
    "      --json         print JSON\n"
    "  -h, --help         print this help\n"
    "\n"
    "Exit status: 0 ok, 1 warnings, 2 errors: nginx would not start, the\n"
    "client certificate would be rejected, or Cloudflare would not accept\n"
    "it.\n";


static const struct option  aopctl_lint_options[] = {
    { "ca", required_argument, NULL, 'a' },
    { "crl", required_argument, NULL, 'c' },
    { "depth", required_argument, NULL, 'e' },
    { "pin", required_argument, NULL, 'p' },
    { "require", required_argument, NULL, 'r' },
    { "key", required_argument, NULL, 'k' },
    { "days", required_argument, NULL, 'd' },
    { "quiet", no_argument, NULL, 'q' },
    { "json", no_argument, NULL, 'j' },
    { NULL, 0, NULL, 0 }
};


aopctl_status_e
aopctl_lint(int argc, char **argv)
{
    json_t           *answer;
    aopctl_lint_t     lint;
    aopctl_status_e   status;

    memset(&lint, 0, sizeof(aopctl_lint_t));
    lint.depth = 1;

    status = aopctl_lint_arguments(&lint, argc, argv);

    if (status != AOPCTL_STATUS_GOOD) {
        return status;
    }

    if (!aopctl_lint_init(&lint)) {
        ngx_aop_policy_free(lint.policy);
        aopctl_term_error("lint: out of memory");
        return AOPCTL_STATUS_FAILED;
    }

    answer = aopctl_lint_answer(&lint);

    if (lint.json) {
        aopctl_json_write(answer);

    } else if (lint.quiet) {
        aopctl_lint_text_print_line(answer);

    } else {
        aopctl_lint_text_print(answer);
    }

    json_decref(answer);
    ngx_aop_policy_free(lint.policy);

    return (aopctl_status_e) lint.level;
}


static aopctl_status_e
aopctl_lint_arguments(aopctl_lint_t *lint, int argc, char **argv)
{
    aopctl_status_e  status;

    status = aopctl_options(argc, argv, ":q", aopctl_lint_options,
                            aopctl_lint_option, lint);

    if (status != AOPCTL_STATUS_GOOD) {
        return status;
    }

    lint->files = &argv[optind];

    return aopctl_lint_check(lint, argv[0]);
}


static aopctl_status_e
aopctl_lint_option(void *data, const char *command, int option)
{
    aopctl_lint_t  *lint = data;

    switch (option) {

    case 'a':
        return aopctl_lint_add_file(command, lint->cas, &lint->ncas);

    case 'c':
        lint->needs_ca = "--crl";
        return aopctl_lint_add_file(command, lint->crls, &lint->ncrls);

    case 'e':
        lint->needs_ca = "--depth";

        if (!aopctl_number(optarg, 0, AOPCTL_LINT_DEPTH, &lint->depth)) {
            return aopctl_usage(command, "invalid depth \"%s\", use 0 to %d",
                                optarg, AOPCTL_LINT_DEPTH);
        }
        break;

    case 'p':
        lint->needs_ca = "--pin";
        return aopctl_lint_add_pin(lint, command);

    case 'r':
        lint->needs_ca = "--require";
        return aopctl_lint_require(lint, command);

    case 'k':
        lint->needs_ca = "--key";
        lint->key = optarg;
        break;

    case 'd':
        if (!aopctl_number(optarg, 0, 3650, &lint->days)) {
            return aopctl_usage(command, "invalid number of days \"%s\", use "
                                "0 to 3650", optarg);
        }
        break;

    case 'q':
        lint->quiet = 1;
        break;

    case 'j':
        lint->json = 1;
        break;
    }

    return AOPCTL_STATUS_GOOD;
}


static aopctl_status_e
aopctl_lint_add_file(const char *command, const char **files, size_t *n)
{
    if (*n == AOPCTL_LINT_FILES) {
        return aopctl_usage(command, "more than %d files of one kind",
                            AOPCTL_LINT_FILES);
    }

    files[(*n)++] = optarg;

    return AOPCTL_STATUS_GOOD;
}


static aopctl_status_e
aopctl_lint_add_pin(aopctl_lint_t *lint, const char *command)
{
    const char  *err;

    if (lint->npins == AOPCTL_LINT_FILES) {
        return aopctl_usage(command, "more than %d pins", AOPCTL_LINT_FILES);
    }

    err = ngx_aop_pin_parse(&lint->pins[lint->npins++], optarg,
                            strlen(optarg));

    return err ? aopctl_usage(command, "invalid pin \"%s\": %s", optarg, err)
               : AOPCTL_STATUS_GOOD;
}


static aopctl_status_e
aopctl_lint_require(aopctl_lint_t *lint, const char *command)
{
    char  version[NGX_AOP_KEY_VERSION];

    if (strcmp(optarg, "post_quantum") != 0) {
        return aopctl_usage(command, "invalid value \"%s\" of \"--require\", "
                            "use post_quantum", optarg);
    }

    if (!ngx_aop_key_ml_dsa()) {
        return aopctl_usage(command, "\"--require post_quantum\" requires "
                            "ML-DSA, which %s does not support (OpenSSL 3.5 "
                            "or later does)", ngx_aop_key_openssl(version));
    }

    lint->post_quantum = 1;

    return AOPCTL_STATUS_GOOD;
}


static aopctl_status_e
aopctl_lint_check(const aopctl_lint_t *lint, const char *command)
{
    if (lint->ncas == 0 && lint->needs_ca != NULL) {
        return aopctl_usage(command, "\"%s\" requires \"--ca\"",
                            lint->needs_ca);
    }

    if (lint->files[0] == NULL) {
        return aopctl_usage(command, lint->ncas
                                     ? "missing client certificate"
                                     : "missing file");
    }

    if (lint->key != NULL && lint->files[1] != NULL) {
        return aopctl_usage(command, "\"--key\" cannot be used with more than "
                            "one client certificate");
    }

    return AOPCTL_STATUS_GOOD;
}


static int
aopctl_lint_init(aopctl_lint_t *lint)
{
    SSL_CTX  *ctx;

    lint->now = time(NULL);
    lint->level = NGX_AOP_LINT_OK;

    ctx = SSL_CTX_new(TLS_server_method());

    if (ctx == NULL) {
        return 0;
    }

    lint->auth_level = SSL_CTX_get_security_level(ctx);

    SSL_CTX_free(ctx);

    return aopctl_lint_trust_policy(lint);
}


static json_t *
aopctl_lint_answer(aopctl_lint_t *lint)
{
    char    **file;
    json_t   *answer, *list, *findings;
    size_t    i;

    answer = json_object();
    list = json_array();

    for (i = 0; i < lint->ncas; i++) {
        aopctl_json_append(list, aopctl_lint_file(lint, lint->cas[i],
                                                  AOPCTL_LINT_CA));
    }

    for (i = 0; i < lint->ncrls; i++) {
        aopctl_json_append(list, aopctl_lint_file(lint, lint->crls[i],
                                                  AOPCTL_LINT_CRL));
    }

    for (file = lint->files; *file; file++) {
        aopctl_json_append(list, aopctl_lint_file(lint, *file,
                                                  lint->ncas
                                                  ? AOPCTL_LINT_CLIENT
                                                  : AOPCTL_LINT_ANY));
    }

    if (lint->key != NULL) {
        aopctl_json_append(list, aopctl_lint_key(lint, lint->files[0]));
    }

    findings = aopctl_lint_policy(lint);

    aopctl_json_set(answer, "level",
                    json_string(ngx_aop_lint_level_word(lint->level)));
    aopctl_json_set(answer, "files", list);
    aopctl_json_set(answer, "findings", findings);

    return answer;
}


static json_t *
aopctl_lint_policy(aopctl_lint_t *lint)
{
    json_t                *list;
    size_t                 i;
    X509_STORE            *roots;
    ngx_aop_lint_found_t   found;

    list = json_array();

    ngx_aop_lint_keys(lint->policy, &found);
    aopctl_lint_finding_list(list, &found, &lint->level);

    ngx_aop_lint_policy(lint->policy, &found);
    aopctl_lint_finding_list(list, &found, &lint->level);

    roots = ngx_aop_roots_new();

    if (roots != NULL) {
        ngx_aop_lint_public(lint->policy, roots, &found);
        aopctl_lint_finding_list(list, &found, &lint->level);
        X509_STORE_free(roots);
    }

    for (i = 0; i < lint->policy->nanchors; i++) {
        ngx_aop_lint_anchor(lint->policy, &lint->policy->anchors[i], &found);
        aopctl_lint_finding_list(list, &found, &lint->level);
    }

    return list;
}
