
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "aopctl status": the status pages of many origins, and one answer.  An origin
 * that does not answer is never good.
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <curl/curl.h>

#include "fetch.h"
#include "page.h"
#include "status.h"
#include "term.h"


/* on all pages together */

#define AOPCTL_STATUS_SERVERS  100000


typedef struct {
    aopctl_fetch_conf_t   fetch;
    aopctl_origins_t      origins;
    size_t                servers;
    unsigned              quiet:1;
    unsigned              json:1;
    json_t               *answers;          /* by origin */
} aopctl_status_t;


static aopctl_status_e aopctl_status_arguments(aopctl_status_t *status,
    int argc, char **argv);
static aopctl_status_e aopctl_status_option(void *data, const char *command,
    int option);
static aopctl_status_e aopctl_status_origins(aopctl_status_t *status,
    const char *command);
static aopctl_status_e aopctl_status_readable(const char *file);
static aopctl_status_e aopctl_status_run(aopctl_status_t *status);
static void aopctl_status_page(void *data, size_t origin,
    const aopctl_fetched_t *page);
static void aopctl_status_print(aopctl_status_t *status, json_t *answer);
static void aopctl_status_duplicates(aopctl_status_t *status, json_t *answer);


const char  aopctl_status_help[] =
    "Usage: aopctl status [OPTION]... URL...\n"
    "\n"
    "Reads the status pages (\"aop_report\") of many origins in parallel, and\n"
    "prints a line for each origin and server, worst first: no, rejecting\n"
    "(enforced, and requests from Cloudflare were rejected), unread, unknown,\n"
    "unprotected, off, yes, enforced. Lines that differ only in numbers are\n"
    "printed once, with their count. The last line is the overall result.\n"
    "\n"
    "      --file FILE    read URLs from FILE, one per line; # begins a\n"
    "                     comment, - is standard input; may be repeated\n"
    "      --cacert FILE  trust these CAs for https, not those of the system\n"
    "      --netrc-file FILE\n"
    "                     user names and passwords of the hosts (netrc)\n"
    "      --timeout SECONDS\n"
    "                     for each origin, 1 to 300 (10)\n"
    "  -q, --quiet        print the last line only\n"
    "      --json         print JSON\n"
    "  -h, --help         print this help\n"
    "\n"
    "Exit status: 0 all servers are enforced or ready, 1 some are unknown, or\n"
    "unprotected at the address of an enforced one, 2 some are not ready, or\n"
    "reject requests from Cloudflare, 3 a status page could not be read (2\n"
    "takes precedence over 3); 66 a file could not be read.\n";


static const struct option  aopctl_status_options[] = {
    { "file", required_argument, NULL, 'f' },
    { "cacert", required_argument, NULL, 'c' },
    { "netrc-file", required_argument, NULL, 'n' },
    { "timeout", required_argument, NULL, 't' },
    { "quiet", no_argument, NULL, 'q' },
    { "json", no_argument, NULL, 'j' },
    { NULL, 0, NULL, 0 }
};


aopctl_status_e
aopctl_status(int argc, char **argv)
{
    aopctl_status_t  status;
    aopctl_status_e  rc;

    memset(&status, 0, sizeof(aopctl_status_t));
    status.fetch.timeout = 10;

    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        aopctl_term_error("status: curl failed");
        return AOPCTL_STATUS_FAILED;
    }

    rc = aopctl_status_arguments(&status, argc, argv);

    if (rc == AOPCTL_STATUS_GOOD) {
        rc = aopctl_status_run(&status);
    }

    aopctl_origins_free(&status.origins);
    curl_global_cleanup();

    return rc;
}


static aopctl_status_e
aopctl_status_arguments(aopctl_status_t *status, int argc, char **argv)
{
    aopctl_status_e  rc;

    rc = aopctl_options(argc, argv, ":q", aopctl_status_options,
                        aopctl_status_option, status);

    if (rc != AOPCTL_STATUS_GOOD) {
        return rc;
    }

    for ( /* void */ ; optind < argc; optind++) {
        if (!aopctl_origins_add(&status->origins, argv[optind])) {
            return aopctl_status_origins(status, argv[0]);
        }
    }

    if (status->origins.n == 0) {
        return aopctl_usage(argv[0], "missing URL");
    }

    rc = aopctl_status_readable(status->fetch.cacert);

    return rc ? rc : aopctl_status_readable(status->fetch.netrc);
}


static aopctl_status_e
aopctl_status_option(void *data, const char *command, int option)
{
    aopctl_status_t  *status = data;

    switch (option) {

    case 'f':
        return aopctl_origins_file(&status->origins, optarg)
               ? AOPCTL_STATUS_GOOD : aopctl_status_origins(status, command);

    case 'c':
        status->fetch.cacert = optarg;
        break;

    case 'n':
        status->fetch.netrc = optarg;
        break;

    case 't':
        if (!aopctl_number(optarg, 1, 300, &status->fetch.timeout)) {
            return aopctl_usage(command, "invalid timeout \"%s\", use 1 to "
                                         "300",
                                optarg);
        }
        break;

    case 'q':
        status->quiet = 1;
        break;

    case 'j':
        status->json = 1;
        break;
    }

    return AOPCTL_STATUS_GOOD;
}


static aopctl_status_e
aopctl_status_origins(aopctl_status_t *status, const char *command)
{
    if (status->origins.unread) {
        aopctl_term_error("%s", status->origins.err);
        return AOPCTL_STATUS_NO_INPUT;
    }

    return aopctl_usage(command, "%s", status->origins.err);
}


/* curl takes a missing netrc file for an empty one. */

static aopctl_status_e
aopctl_status_readable(const char *file)
{
    FILE  *stream;

    if (file == NULL) {
        return AOPCTL_STATUS_GOOD;
    }

    stream = fopen(file, "r");

    if (stream == NULL || getc(stream) == EOF) {
        aopctl_term_error("cannot read \"%s\": %s", file,
                          stream && !ferror(stream) ? "the file is empty"
                                                    : strerror(errno));

        if (stream != NULL) {
            fclose(stream);
        }

        return AOPCTL_STATUS_NO_INPUT;
    }

    fclose(stream);

    return AOPCTL_STATUS_GOOD;
}


static aopctl_status_e
aopctl_status_run(aopctl_status_t *status)
{
    size_t           i;
    json_t          *answer;
    aopctl_status_e  rc;

    status->answers = json_array();

    for (i = 0; i < status->origins.n; i++) {
        aopctl_json_append(status->answers, json_null());
    }

    if (!aopctl_fetch(&status->fetch, &status->origins, aopctl_status_page,
                      status))
    {
        aopctl_term_error("status: curl failed, or out of memory");
        json_decref(status->answers);
        return AOPCTL_STATUS_FAILED;
    }

    answer = aopctl_fleet_answer(status->answers, &rc);

    aopctl_status_print(status, answer);

    json_decref(answer);

    return rc;
}


static void
aopctl_status_page(void *data, size_t origin, const aopctl_fetched_t *fetched)
{
    aopctl_status_t  *status = data;

    size_t       n;
    json_t      *page;
    const char  *err;

    page = NULL;
    err = fetched->err;

    if (err == NULL) {
        page = aopctl_page_read(fetched->body, fetched->len, time(NULL), &err);
    }

    if (page != NULL) {
        n = json_array_size(json_object_get(page, "servers"))
            + json_array_size(json_object_get(page, "unprotected"));

        if (n > AOPCTL_STATUS_SERVERS - status->servers) {
            json_decref(page);
            page = NULL;
            err = "more than 100,000 servers on all status pages";

        } else {
            status->servers += n;
        }
    }

    page = aopctl_fleet_origin(status->origins.origin[origin].url, page, err);

    if (json_array_set_new(status->answers, origin, page) != 0) {
        aopctl_term_error("status: out of memory");
        exit(AOPCTL_STATUS_FAILED);
    }
}


static void
aopctl_status_print(aopctl_status_t *status, json_t *answer)
{
    aopctl_status_duplicates(status, answer);

    if (status->json) {
        aopctl_json_write(answer);

    } else if (status->quiet) {
        aopctl_status_text_print_end(answer);

    } else {
        aopctl_status_text_print(answer);
    }
}


/* Each was read once; reported because it is a mistake in a list. */

static void
aopctl_status_duplicates(aopctl_status_t *status, json_t *answer)
{
    size_t   i;
    json_t  *list;

    list = json_array();

    for (i = 0; i < status->origins.nduplicates; i++) {
        aopctl_json_append(list,
                           aopctl_json_text(status->origins.duplicate[i]));

        aopctl_term_error("status: duplicate URL \"%s\", read once",
                          status->origins.duplicate[i]);
    }

    aopctl_json_set(answer, "duplicates", list);
}
