
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_H_INCLUDED_
#define _AOPCTL_H_INCLUDED_


#include <getopt.h>
#include <stddef.h>


/*
 * Exit statuses.  The first four are what monitors expect of a plugin; the
 * others are those of sysexits.h.
 */

typedef enum {
    AOPCTL_STATUS_GOOD = 0,
    AOPCTL_STATUS_WARNING = 1,
    AOPCTL_STATUS_BAD = 2,
    AOPCTL_STATUS_UNKNOWN = 3,         /* could not tell */
    AOPCTL_STATUS_USAGE = 64,
    AOPCTL_STATUS_NO_INPUT = 66,       /* a file could not be read */
    AOPCTL_STATUS_FAILED = 70,         /* memory is short, or OpenSSL failed */
    AOPCTL_STATUS_NO_OUTPUT = 74       /* the output could not be written */
} aopctl_status_e;


typedef struct {
    const char         *name;
    aopctl_status_e   (*run)(int argc, char **argv);
    const char         *help;
} aopctl_command_t;


/* A command gets its own name as argv[0]. */

aopctl_status_e aopctl_lint(int argc, char **argv);
aopctl_status_e aopctl_probe(int argc, char **argv);
aopctl_status_e aopctl_report(int argc, char **argv);
aopctl_status_e aopctl_status(int argc, char **argv);

extern const char  aopctl_lint_help[];
extern const char  aopctl_probe_help[];
extern const char  aopctl_report_help[];
extern const char  aopctl_status_help[];


/*
 * Wrong arguments: prints what is wrong, and where to find help.  Returns
 * AOPCTL_STATUS_USAGE.
 */

aopctl_status_e aopctl_usage(const char *command, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));


/*
 * Passes the options of a command to set(), one by one: their "val", with the
 * value in optarg.  The letters are those of short options, after a colon.
 * Returns AOPCTL_STATUS_GOOD with the arguments that follow at argv[optind],
 * AOPCTL_STATUS_USAGE after a message about an option, or another status that
 * set() returned.
 */

typedef aopctl_status_e (*aopctl_option_pt)(void *data, const char *command,
    int option);

aopctl_status_e aopctl_options(int argc, char **argv, const char *letters,
    const struct option *options, aopctl_option_pt set, void *data);

/* Reads a whole number from min to max; returns 0 if it is not one. */

int aopctl_number(const char *text, long min, long max, long *number);


#endif /* _AOPCTL_H_INCLUDED_ */
