
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * aopctl: the questions around a rollout that nginx itself cannot answer.  This
 * file finds the command and exits with its status.
 */


#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>

#include "aopctl.h"
#include "term.h"
#include "ngx_aop_version.h"


static const aopctl_command_t *aopctl_find(const char *name);
static aopctl_status_e aopctl_run(const aopctl_command_t *command, int argc,
    char **argv);
static int aopctl_is(const char *name, const char *word, const char *letter);
static aopctl_status_e aopctl_help(const char *name);
static void aopctl_version(void);


static const aopctl_command_t  aopctl_commands[] = {
    { "lint", aopctl_lint, aopctl_lint_help },
    { "probe", aopctl_probe, aopctl_probe_help },
    { "report", aopctl_report, aopctl_report_help },
    { "status", aopctl_status, aopctl_status_help },
    { NULL, NULL, NULL }
};


static const char  aopctl_general_help[] =
    "Usage: aopctl COMMAND [OPTION]... [ARGUMENT]...\n"
    "\n"
    "A tool for rolling out Cloudflare's Authenticated Origin Pulls with\n"
    "nginx.\n"
    "\n"
    "  lint FILE...       check CA files and client certificates\n"
    "  probe HOST[:PORT]  check what clients without a certificate get\n"
    "  report [FILE]...   check in the log whether it is safe to enforce\n"
    "  status URL...      check the status pages of all origins\n"
    "\n"
    "  help [COMMAND]     print this help, or that of a command\n"
    "  version            print the version\n"
    "\n"
    "  -h, --help         same as \"help\", also after a command\n"
    "  -V, --version      same as \"version\"\n"
    "\n"
    "Exit status: 0 ok, 1 warning, 2 critical, 3 cannot tell, 64 invalid\n"
    "arguments, 66 a file could not be read, 70 out of memory or OpenSSL\n"
    "failure, 74 the output could not be written.\n"
    "\n"
    "Set NO_COLOR in the environment to disable colors.\n";


int
main(int argc, char **argv)
{
    const char              *name;
    aopctl_status_e          status;
    const aopctl_command_t  *command;

    aopctl_term_init();

    if (argc < 2) {
        return aopctl_usage(NULL, "missing command");
    }

    name = argv[1];
    command = aopctl_find(name);

    if (command != NULL) {
        status = aopctl_run(command, argc - 1, argv + 1);

    } else if (aopctl_is(name, "help", "-h")) {
        status = aopctl_help(argv[2]);

    } else if (aopctl_is(name, "version", "-V")) {
        aopctl_version();
        status = AOPCTL_STATUS_GOOD;

    } else {
        return aopctl_usage(NULL, "unknown %s \"%s\"",
                            name[0] == '-' ? "option" : "command", name);
    }

    /* output that could not be written must not look like success */

    if (fflush(stdout) != 0 || ferror(stdout)) {
        aopctl_term_error("cannot write: %s", strerror(errno));
        return AOPCTL_STATUS_NO_OUTPUT;
    }

    return status;
}


static const aopctl_command_t *
aopctl_find(const char *name)
{
    const aopctl_command_t  *command;

    for (command = aopctl_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
    }

    return NULL;
}


/* Help is printed wherever it is requested, whatever else is wrong. */

static aopctl_status_e
aopctl_run(const aopctl_command_t *command, int argc, char **argv)
{
    int  i;

    for (i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(command->help, stdout);
            return AOPCTL_STATUS_GOOD;
        }
    }

    return command->run(argc, argv);
}


/* A command without a file to work on: its name, as an option too. */

static int
aopctl_is(const char *name, const char *word, const char *letter)
{
    return strcmp(name, word) == 0
           || strcmp(name, letter) == 0
           || (strncmp(name, "--", 2) == 0 && strcmp(name + 2, word) == 0);
}


static aopctl_status_e
aopctl_help(const char *name)
{
    const aopctl_command_t  *command;

    command = name ? aopctl_find(name) : NULL;

    if (name != NULL && command == NULL) {
        return aopctl_usage(NULL, "unknown command \"%s\"", name);
    }

    fputs(command ? command->help : aopctl_general_help, stdout);

    return AOPCTL_STATUS_GOOD;
}


static void
aopctl_version(void)
{
    printf("aopctl %s, %s\n", NGX_HTTP_AOP_VERSION,
           OpenSSL_version(OPENSSL_VERSION));
}


aopctl_status_e
aopctl_usage(const char *command, const char *fmt, ...)
{
    char     text[512];
    va_list  args;

    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);

    aopctl_term_error("%s%s%s, try \"aopctl%s%s --help\"",
                      command ? command : "", command ? ": " : "", text,
                      command ? " " : "", command ? command : "");

    return AOPCTL_STATUS_USAGE;
}


aopctl_status_e
aopctl_options(int argc, char **argv, const char *letters,
    const struct option *options, aopctl_option_pt set, void *data)
{
    int              option;
    aopctl_status_e  status;

    opterr = 0;
    status = AOPCTL_STATUS_GOOD;

    /* "+" is not given: options may follow the arguments */

    while (status == AOPCTL_STATUS_GOOD
           && (option = getopt_long(argc, argv, letters, options, NULL)) != -1)
    {
        switch (option) {

        case ':':
            return aopctl_usage(argv[0], "option \"%s\" requires a value",
                                argv[optind - 1]);

        case '?':
            return aopctl_usage(argv[0], "invalid option \"%s\"",
                                argv[optind - 1]);

        default:
            status = set(data, argv[0], option);
        }
    }

    return status;
}


int
aopctl_number(const char *text, long min, long max, long *number)
{
    char  *end;

    if (text[0] < '0' || text[0] > '9') {
        return 0;
    }

    errno = 0;
    *number = strtol(text, &end, 10);

    return errno == 0 && *end == '\0' && *number >= min && *number <= max;
}
