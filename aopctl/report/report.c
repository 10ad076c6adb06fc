
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/* "aopctl report": reads logs in the format "aop_json", line by line. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "names.h"
#include "progress.h"
#include "reader.h"
#include "report.h"
#include "term.h"


/* how many lines are read between two looks at the clock */

#define AOPCTL_REPORT_LINES  4096

/* what comes through a pipe may have no end */

#define AOPCTL_REPORT_VAIN  (16 * 1024 * 1024)


typedef struct {
    aopctl_log_stats_t   stats;
    aopctl_progress_t    progress;
    off_t                done;      /* of the files before this one */
    size_t               top;
    unsigned             json:1;
    unsigned             brief:1;
    json_t              *files;
} aopctl_report_t;


static aopctl_status_e aopctl_report_option(void *data, const char *command,
    int option);
static aopctl_status_e aopctl_report_name(aopctl_report_t *report,
    const char *command);
static aopctl_status_e aopctl_report_only(aopctl_report_t *report,
    const char *command);
static int aopctl_report_since(const char *text, time_t *since);
static int aopctl_report_age(const char *text, long *age);
static off_t aopctl_report_size(const char *const *files);
static aopctl_status_e aopctl_report_read(aopctl_report_t *report,
    const char *const *files);
static int aopctl_report_file(aopctl_report_t *report, const char *file);
static aopctl_read_e aopctl_report_lines(aopctl_report_t *report,
    aopctl_reader_t *reader);
static void aopctl_report_failed(aopctl_report_t *report, json_t *object,
    const char *file, const char *err);


const char  aopctl_report_help[] =
    "Usage: aopctl report [OPTION]... [FILE]...\n"
    "\n"
    "Reads access logs in the aop_json format, in any order, plain or\n"
    "compressed with gzip, xz, zstd or bzip2, also as written by Docker,\n"
    "Kubernetes, syslog or journald; standard input if FILE is - or missing.\n"
    "Reports for each server the requests that passed and their certificates,\n"
    "those that were or would be refused and their clients, and whether it is\n"
    "safe to enforce, by the rule of \"aop_report\" and from the last 24\n"
    "hours of the log.\n"
    "\n"
    "      --since TIME   skip older lines: 2030-01-31T18:00:00Z, 2030-01-31,\n"
    "                     or an age such as 90m, 12h, 7d\n"
    "      --server NAME  this server only, as named in the log; may be\n"
    "                     repeated\n"
    "      --name NAME    a name of the servers, as in \"server_name\"; other\n"
    "                     hosts are ignored when deciding whether it is safe\n"
    "                     to enforce; may be repeated\n"
    "      --brief        print one line for each server\n"
    "      --requests N   minimum number of requests from Cloudflare that\n"
    "                     passed in 24 hours (100)\n"
    "      --time TIME    minimum duration of the log, and minimum time since\n"
    "                     the last failure, such as 10m, 2h (1h)\n"
    "      --top N        length of the lists, 1 to 64 (10)\n"
    "      --json         print JSON\n"
    "  -h, --help         print this help\n"
    "\n"
    "Exit status: 0 all servers are ready, 1 unknown for some, 2 some are not\n"
    "ready, 3 cannot tell: the log contains no requests that decide, or too\n"
    "many damaged lines; 66 a file could not be read.\n";


static const struct option  aopctl_report_options[] = {
    { "since", required_argument, NULL, 's' },
    { "server", required_argument, NULL, 'o' },
    { "name", required_argument, NULL, 'n' },
    { "requests", required_argument, NULL, 'r' },
    { "time", required_argument, NULL, 'w' },
    { "top", required_argument, NULL, 't' },
    { "brief", no_argument, NULL, 'b' },
    { "json", no_argument, NULL, 'j' },
    { NULL, 0, NULL, 0 }
};


aopctl_status_e
aopctl_report(int argc, char **argv)
{
    json_t           *answer;
    aopctl_report_t   report;
    aopctl_status_e   status;

    static const char *const  input[] = { "-", NULL };

    memset(&report, 0, sizeof(aopctl_report_t));
    report.top = 10;
    report.stats.conf.requests = NGX_AOP_READY_REQUESTS;
    report.stats.conf.time = NGX_AOP_READY_TIME;

    status = aopctl_options(argc, argv, ":", aopctl_report_options,
                            aopctl_report_option, &report);

    if (status != AOPCTL_STATUS_GOOD) {
        return status;
    }

    report.files = json_array();

    status = aopctl_report_read(&report, argv[optind]
                                ? (const char *const *) &argv[optind] : input);

    if (status != AOPCTL_STATUS_GOOD) {
        return status;
    }

    answer = aopctl_report_data_answer(&report.stats, report.top, &status);

    aopctl_json_set(answer, "files", report.files);

    if (report.json) {
        aopctl_json_write(answer);

    } else if (report.brief) {
        aopctl_report_brief_print(answer);

    } else {
        aopctl_report_text_print(answer);
    }

    json_decref(answer);
    aopctl_log_stats_free(&report.stats);

    return report.stats.unread ? AOPCTL_STATUS_NO_INPUT : status;
}


static aopctl_status_e
aopctl_report_option(void *data, const char *command, int option)
{
    aopctl_report_t  *report = data;

    long  number;

    switch (option) {

    case 's':
        if (!aopctl_report_since(optarg, &report->stats.since)) {
            return aopctl_usage(command, "invalid time \"%s\", use a time "
                                "such as 2030-01-31T18:00:00Z or 2030-01-31, "
                                "or an age such as 12h", optarg);
        }
        break;

    case 'n':
        return aopctl_report_name(report, command);

    case 'o':
        return aopctl_report_only(report, command);

    case 'b':
        report->brief = 1;
        break;

    case 'r':
        if (!aopctl_number(optarg, 1, 1000000, &number)) {
            return aopctl_usage(command, "invalid number of requests \"%s\", "
                                "use 1 to 1000000", optarg);
        }

        report->stats.conf.requests = number;
        break;

    case 'w':
        if (!aopctl_report_age(optarg, &number)) {
            return aopctl_usage(command, "invalid time \"%s\", use a time "
                                "such as 10m or 2h", optarg);
        }

        report->stats.conf.time = number;
        break;

    case 't':
        if (!aopctl_number(optarg, 1, AOPCTL_TOP, &number)) {
            return aopctl_usage(command, "invalid number \"%s\", use 1 to %d",
                                optarg, AOPCTL_TOP);
        }

        report->top = number;
        break;

    case 'j':
        report->json = 1;
        break;
    }

    return AOPCTL_STATUS_GOOD;
}


static aopctl_status_e
aopctl_report_name(aopctl_report_t *report, const char *command)
{
    const char  *err;

    if (report->stats.nnames == AOPCTL_NAMES) {
        return aopctl_usage(command, "more than %d names", AOPCTL_NAMES);
    }

    err = aopctl_names_parse(&report->stats.names[report->stats.nnames++],
                             optarg);

    if (err != NULL) {
        return aopctl_usage(command, "invalid name \"%s\": %s", optarg, err);
    }

    return AOPCTL_STATUS_GOOD;
}


static aopctl_status_e
aopctl_report_only(aopctl_report_t *report, const char *command)
{
    if (report->stats.nonly == AOPCTL_NAMES) {
        return aopctl_usage(command, "more than %d servers", AOPCTL_NAMES);
    }

    report->stats.only[report->stats.nonly++] = optarg;

    return AOPCTL_STATUS_GOOD;
}


static int
aopctl_report_since(const char *text, time_t *since)
{
    long  age;
    char  time_of[64];

    /* a date is its midnight, in the zone of the times that are printed */

    snprintf(time_of, sizeof(time_of), "%s%s", text,
             strlen(text) == sizeof("2030-01-31") - 1 ? "T00:00:00Z" : "");

    if (aopctl_log_line_time(time_of, since)) {
        return 1;
    }

    if (!aopctl_report_age(text, &age)) {
        return 0;
    }

    *since = time(NULL) - age;

    return 1;
}


static int
aopctl_report_age(const char *text, long *age)
{
    long         number;
    char         digits[16];
    size_t       len;
    const char  *unit;

    static const char  units[] = "smhd";
    static const long  seconds[] = { 1, 60, 3600, 86400 };

    len = strlen(text);

    if (len < 2 || len > sizeof(digits)) {
        return 0;
    }

    memcpy(digits, text, len - 1);
    digits[len - 1] = '\0';

    unit = strchr(units, text[len - 1]);

    if (unit == NULL || !aopctl_number(digits, 1, 1000000, &number)) {
        return 0;
    }

    *age = number * seconds[unit - units];

    return 1;
}


static aopctl_status_e
aopctl_report_read(aopctl_report_t *report, const char *const *files)
{
    aopctl_progress_init(&report->progress, aopctl_report_size(files));

    for ( /* void */ ; *files; files++) {
        if (!aopctl_report_file(report, *files)) {
            aopctl_progress_end(&report->progress);
            aopctl_term_error("report: out of memory");
            return AOPCTL_STATUS_FAILED;
        }
    }

    aopctl_progress_end(&report->progress);

    return AOPCTL_STATUS_GOOD;
}


/* 0 if the size of one is unknown */

static off_t
aopctl_report_size(const char *const *files)
{
    off_t        size;
    struct stat  st;

    size = 0;

    for ( /* void */ ; *files; files++) {

        if (strcmp(*files, "-") == 0
            || stat(*files, &st) != 0
            || !S_ISREG(st.st_mode))
        {
            return 0;
        }

        size += st.st_size;
    }

    return size;
}


/* Returns 0 if memory is short. */

static int
aopctl_report_file(aopctl_report_t *report, const char *file)
{
    json_t           *object;
    uint64_t          lines, damaged, other;
    aopctl_read_e     rc;
    aopctl_reader_t   reader;

    object = json_object();
    aopctl_json_set(object, "file", aopctl_json_text(file));
    aopctl_json_append(report->files, object);

    if (!aopctl_reader_open(&reader, file)) {
        aopctl_report_failed(report, object, file, reader.err);
        return 1;
    }

    lines = report->stats.lines;
    damaged = report->stats.damaged;
    other = report->stats.other;

    rc = aopctl_report_lines(report, &reader);

    if (rc == AOPCTL_READ_ERROR) {
        aopctl_report_failed(report, object, file, reader.err);
    }

    aopctl_json_set(object, "lines",
                    json_integer(report->stats.lines - lines));
    aopctl_json_set(object, "damaged",
                    json_integer(report->stats.damaged - damaged));
    aopctl_json_set(object, "other",
                    json_integer(report->stats.other - other));

    report->done += aopctl_reader_offset(&reader);

    aopctl_reader_close(&reader);

    return rc != AOPCTL_READ_LINE;
}


/* Returns how the file ended, or AOPCTL_READ_LINE if memory is short. */

static aopctl_read_e
aopctl_report_lines(aopctl_report_t *report, aopctl_reader_t *reader)
{
    size_t          len;
    uint64_t        lines, other;
    const char     *line;
    aopctl_read_e   rc;

    lines = report->stats.lines;
    other = report->stats.other;

    for ( ;; ) {
        rc = aopctl_reader_line(reader, &line, &len);

        switch (rc) {

        case AOPCTL_READ_LINE:
            if (!aopctl_log_stats_line(&report->stats, line, len)) {
                return rc;
            }
            break;

        case AOPCTL_READ_LONG:
            report->stats.lines++;
            report->stats.damaged++;
            break;

        default:
            return rc;
        }

        if (report->stats.lines % AOPCTL_REPORT_LINES == 0) {
            aopctl_progress(&report->progress,
                            report->done + aopctl_reader_offset(reader));

            if (reader->size == 0
                && report->stats.lines - lines == report->stats.other - other
                && aopctl_reader_offset(reader) > AOPCTL_REPORT_VAIN)
            {
                aopctl_reader_stop(reader, "the first 16 MB contain no lines "
                                   "in the aop_json format");
            }
        }
    }
}


static void
aopctl_report_failed(aopctl_report_t *report, json_t *object,
    const char *file, const char *err)
{
    report->stats.unread = 1;

    aopctl_progress_end(&report->progress);
    aopctl_term_error("cannot read \"%s\": %s", file, err);
    aopctl_json_set(object, "error", aopctl_json_text(err));
}
