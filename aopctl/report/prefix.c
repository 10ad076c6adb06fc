
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What Docker, Kubernetes, syslog and journald put before a line of a log.
 * Only what they are known to write is skipped: a line of another format in
 * which a stranger wrote JSON is not one of ours.
 */


#define PCRE2_CODE_UNIT_WIDTH  8

#include <pcre2.h>
#include <string.h>

#include "prefix.h"


/* RFC 5424, 6.2.3, and the forms of journalctl(1) that lack the colon */

#define AOPCTL_TIME  "\\d\\d:\\d\\d:\\d\\d(?:[.,]\\d{1,9})?"
#define AOPCTL_DATE  "\\d{4}-\\d\\d-\\d\\d"
#define AOPCTL_ISO   AOPCTL_DATE "T" AOPCTL_TIME "(?:Z|[+-]\\d\\d:?\\d\\d)"

/* RFC 3164, 4.1.2, and "journalctl -o short-precise", "short-full" */

#define AOPCTL_BSD   "[A-Z][a-z]{2}\\ [\\ \\d]\\d\\ " AOPCTL_TIME
#define AOPCTL_DAY   "[A-Z][a-z]{2}\\ " AOPCTL_DATE "\\ " AOPCTL_TIME         \
                     "\\ [A-Z]{2,5}"

#define AOPCTL_SGR   "(?:\\x1b\\[[0-9;]*m)*+"

static const char  aopctl_prefix_pattern[] =
    "^" AOPCTL_SGR

    /* docker compose logs; kubectl logs --prefix */

    "(?: [\\w.-]{1,128}+ \\ * \\| \\ ? " AOPCTL_SGR
    "  | \\[pod/[^\\]\\s]{1,512}\\]\\ )?+"

    /* RFC 5424, with its structured data and byte order mark */

    "(?: <\\d{1,3}>1\\ (?:-|" AOPCTL_ISO ")\\ "
    "    (?:[!-~]{1,255}+\\ ){4}"
    "    (?:-|(?:\\[(?:[^\\]\"\\\\]|\"(?:[^\"\\\\]|\\\\.)*+\")*+\\])++)\\ "
    "    (?:\\xef\\xbb\\xbf)?+"

    /* RFC 3164, rsyslog's files, journalctl: a host, a tag with a colon */

    "  | (?:<\\d{1,3}>)? (?:" AOPCTL_BSD "|" AOPCTL_DAY "|" AOPCTL_ISO ")\\ "
    "    (?:[\\w.:-]{1,255}+\\ )? [\\w./@-]{1,64}+ (?:\\[\\d{1,10}\\])? :\\ *"

    /* docker logs -t; the CRI of Kubernetes: a stream, a full line */

    "  | " AOPCTL_ISO "\\ (?: std(?:out|err)\\ F(?::\\w{1,16})*\\ )?"
    ")?"

    "(?=\\{)";


static int aopctl_prefix_init(void);


static pcre2_code        *aopctl_prefix_code;
static pcre2_match_data  *aopctl_prefix_data;


size_t
aopctl_prefix(const char *line, size_t len)
{
    if (memchr(line, '{', len) == NULL
        || !aopctl_prefix_init()
        || pcre2_match(aopctl_prefix_code, (PCRE2_SPTR) line, len, 0,
                       PCRE2_ANCHORED, aopctl_prefix_data, NULL)
           < 0)
    {
        return 0;
    }

    return pcre2_get_ovector_pointer(aopctl_prefix_data)[1];
}


static int
aopctl_prefix_init(void)
{
    int         code;
    PCRE2_SIZE  offset;

    if (aopctl_prefix_code == NULL) {
        aopctl_prefix_code = pcre2_compile((PCRE2_SPTR) aopctl_prefix_pattern,
                                           PCRE2_ZERO_TERMINATED,
                                           PCRE2_EXTENDED, &code, &offset,
                                           NULL);
    }

    if (aopctl_prefix_data == NULL) {
        aopctl_prefix_data = pcre2_match_data_create(1, NULL);
    }

    return aopctl_prefix_code != NULL && aopctl_prefix_data != NULL;
}
