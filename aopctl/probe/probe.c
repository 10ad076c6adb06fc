
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "aopctl probe": its arguments, and the addresses of the host, which are all
 * visited at the same time; one of Cloudflare's is never taken for an origin.
 */


#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "probe.h"
#include "term.h"
#include "ngx_aop_cloudflare.h"


#define AOPCTL_PROBE_TIMEOUT    10
#define AOPCTL_PROBE_ADDRESSES  16

/* of the time-out: all visits together, with some time left for the answer */

#define AOPCTL_PROBE_VISITS     2.8
#define AOPCTL_PROBE_ALL        3


/* An address, and the result of visiting it. */

typedef struct {
    aopctl_probe_t    probe;
    aopctl_status_e   status;
    json_t           *answer;       /* owned */
    pthread_t         thread;
    unsigned          edge;         /* Cloudflare's: not visited */
    unsigned          apart;        /* in a thread of its own, not to be read */
} aopctl_address_t;


static aopctl_status_e aopctl_probe_arguments(aopctl_probe_t *probe, int argc,
    char **argv);
static aopctl_status_e aopctl_probe_option(void *data, const char *command,
    int option);
static aopctl_status_e aopctl_probe_run(aopctl_probe_t *probe);
static void aopctl_probe_print(const aopctl_probe_t *probe,
    const json_t *answer, aopctl_status_e status);
static struct addrinfo *aopctl_probe_resolve(const char *host,
    const char *port);
static void aopctl_probe_limit(double seconds);
static void aopctl_probe_slow(int signo);
static size_t aopctl_probe_addresses(const aopctl_probe_t *probe,
    const struct addrinfo *addrs, aopctl_address_t *list, unsigned *more);
static int aopctl_probe_is_edge(const struct addrinfo *addr);
static void aopctl_probe_visit_all(aopctl_address_t *list, size_t n);
static void *aopctl_probe_visit(void *data);
static aopctl_status_e aopctl_probe_conclude(json_t *answer,
    const aopctl_address_t *list, size_t n);
static const aopctl_address_t *aopctl_probe_worst(const aopctl_address_t *list,
    size_t n);
static json_t *aopctl_probe_head(const aopctl_probe_t *probe);


const char  aopctl_probe_help[] =
    "Usage: aopctl probe [OPTION]... HOST[:PORT]\n"
    "\n"
    "Connects to an origin like clients that bypass Cloudflare: without a\n"
    "certificate and with a self-made one, over TLS 1.2 and 1.3, HTTP/1.1\n"
    "and HTTP/2, with a resumed session, with addresses in CF-Connecting-IP,\n"
    "over plain HTTP, and under other names: without SNI, with an unrelated\n"
    "one, and with another Host. Reports whether such clients are rejected.\n"
    "\n"
    "Use the origin's own address, or a name that resolves to it and not to\n"
    "Cloudflare; all addresses of a name are tested. Requests from the origin\n"
    "itself, known by their user agent, do not affect \"ready\" on the status\n"
    "page.\n"
    "\n"
    "      --sni NAME        name in the TLS handshake (HOST, if a name)\n"
    "      --host NAME       Host of the requests (the name in --sni)\n"
    "      --path PATH       path of the requests (/)\n"
    "      --cert FILE       test with this certificate, too\n"
    "      --key FILE        its key (in the file of --cert)\n"
    "      --http-port PORT  port for plain HTTP (80)\n"
    "      --no-http         do not test plain HTTP\n"
    "      --timeout SECONDS for each connection, 1 to 300 (10); three times\n"
    "                        as long for all of them\n"
    "  -q, --quiet           print the conclusion only, in one line\n"
    "      --json            print JSON\n"
    "  -h, --help            print this help\n"
    "\n"
    "Use a valid certificate (--cert) if you have one: any response that only\n"
    "other clients get is then a rejection, and pages can be compared with\n"
    "the site's. Without it, only nginx's own page about a certificate (400),\n"
    "495, 496, and a TLS alert about a certificate are rejections.\n"
    "\n"
    "Exit status: 0 enforced, at each address and under each name that was\n"
    "tested; 1 part of it could not be tested, or is exempt; 2 not enforced:\n"
    "the site is served to clients without a valid certificate; 3 no\n"
    "connection; 66 a file could not be read.\n";


static const struct option  aopctl_probe_options[] = {
    { "sni", required_argument, NULL, 's' },
    { "host", required_argument, NULL, 'H' },
    { "path", required_argument, NULL, 'p' },
    { "cert", required_argument, NULL, 'c' },
    { "key", required_argument, NULL, 'k' },
    { "http-port", required_argument, NULL, 'P' },
    { "no-http", no_argument, NULL, 'n' },
    { "timeout", required_argument, NULL, 't' },
    { "quiet", no_argument, NULL, 'q' },
    { "json", no_argument, NULL, 'j' },
    { NULL, 0, NULL, 0 }
};


aopctl_status_e
aopctl_probe(int argc, char **argv)
{
    aopctl_probe_t   probe;
    aopctl_status_e  status;

    memset(&probe, 0, sizeof(aopctl_probe_t));

    probe.port = "443";
    probe.http_port = "80";
    probe.path = "/";
    probe.timeout = AOPCTL_PROBE_TIMEOUT;

    status = aopctl_probe_arguments(&probe, argc, argv);

    if (status != AOPCTL_STATUS_GOOD) {
        return status;
    }

    if (probe.cert != NULL
        && !aopctl_client_cert_load(&probe.given, probe.cert, probe.key))
    {
        return AOPCTL_STATUS_NO_INPUT;
    }

    status = aopctl_probe_run(&probe);

    aopctl_client_cert_free(&probe.given);

    return status;
}


static aopctl_status_e
aopctl_probe_arguments(aopctl_probe_t *probe, int argc, char **argv)
{
    aopctl_status_e  status;

    status = aopctl_options(argc, argv, ":q", aopctl_probe_options,
                            aopctl_probe_option, probe);

    if (status != AOPCTL_STATUS_GOOD) {
        return status;
    }

    if (argv[optind] == NULL) {
        return aopctl_usage(argv[0], "missing host");
    }

    if (argv[optind + 1] != NULL) {
        return aopctl_usage(argv[0], "more than one host");
    }

    if (probe->key != NULL && probe->cert == NULL) {
        return aopctl_usage(argv[0], "\"--key\" requires \"--cert\"");
    }

    if (probe->quiet && probe->json) {
        return aopctl_usage(argv[0], "\"--quiet\" cannot be used with "
                                     "\"--json\"");
    }

    return aopctl_target(probe, argv[0], argv[optind]);
}


static aopctl_status_e
aopctl_probe_option(void *data, const char *command, int option)
{
    aopctl_probe_t  *probe = data;

    long  number;

    switch (option) {

    case 's':
        probe->sni = optarg;
        break;

    case 'H':
        probe->authority = optarg;
        break;

    case 'p':
        probe->path = optarg;
        break;

    case 'c':
        probe->cert = optarg;
        break;

    case 'k':
        probe->key = optarg;
        break;

    case 'P':
        if (!aopctl_number(optarg, 1, 65535, &number)) {
            return aopctl_usage(command, "invalid port \"%s\"", optarg);
        }

        probe->http_port = optarg;
        break;

    case 'n':
        probe->http_port = NULL;
        break;

    case 't':
        if (!aopctl_number(optarg, 1, 300, &probe->timeout)) {
            return aopctl_usage(command, "invalid timeout \"%s\", use 1 to "
                                "300", optarg);
        }
        break;

    case 'q':
        probe->quiet = 1;
        break;

    case 'j':
        probe->json = 1;
        break;
    }

    return AOPCTL_STATUS_GOOD;
}


static aopctl_status_e
aopctl_probe_run(aopctl_probe_t *probe)
{
    size_t             i, n;
    json_t            *answer;
    unsigned           more;
    struct addrinfo   *addrs;
    aopctl_status_e    status;
    aopctl_address_t   list[AOPCTL_PROBE_ADDRESSES];

    /* report a server that closes early by an error, not by a signal */

    signal(SIGPIPE, SIG_IGN);
    signal(SIGALRM, aopctl_probe_slow);

    probe->deadline = aopctl_conn_now()
                      + AOPCTL_PROBE_VISITS * (double) probe->timeout;

    aopctl_probe_limit((double) probe->timeout);
    addrs = aopctl_probe_resolve(probe->host, probe->port);

    /* whatever OpenSSL or a library does with the data of a host */

    aopctl_probe_limit(probe->deadline - aopctl_conn_now()
                       + (AOPCTL_PROBE_ALL - AOPCTL_PROBE_VISITS)
                         * (double) probe->timeout);

    answer = aopctl_probe_head(probe);

    n = aopctl_probe_addresses(probe, addrs, list, &more);
    aopctl_probe_visit_all(list, n);

    aopctl_probe_limit(0);

    status = aopctl_probe_conclude(answer, list, n);

    if (status == AOPCTL_STATUS_GOOD && more) {
        status = aopctl_conclusion_say(answer, AOPCTL_STATUS_WARNING,
                                       "cannot_tell",
                                       "the name has too many addresses "
                                       "(probe each of them separately)");
    }

    signal(SIGPIPE, SIG_DFL);

    aopctl_probe_print(probe, answer, status);

    for (i = 0; i < n; i++) {
        json_decref(list[i].answer);
        aopctl_attempt_free(&list[i].probe);
    }

    json_decref(answer);

    if (addrs != NULL) {
        freeaddrinfo(addrs);
    }

    return status;
}


static void
aopctl_probe_print(const aopctl_probe_t *probe, const json_t *answer,
    aopctl_status_e status)
{
    if (status == AOPCTL_STATUS_FAILED) {
        aopctl_term_error("probe: out of memory");
        return;
    }

    if (probe->json) {
        aopctl_json_write(answer);
        return;
    }

    if (!probe->quiet) {
        aopctl_probe_text_print(answer);
    }

    aopctl_probe_text_print_conclusion(answer);
}


/* The resolver has a time-out of its own, which may be long. */

static struct addrinfo *
aopctl_probe_resolve(const char *host, const char *port)
{
    int               rc;
    struct addrinfo   hints, *addrs;

    memset(&hints, 0, sizeof(struct addrinfo));

    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;

    rc = getaddrinfo(host, port, &hints, &addrs);

    if (rc != 0) {
        aopctl_term_error("cannot resolve \"%s\": %s (try the origin's "
                          "address, and its name with --sni)", host,
                          gai_strerror(rc));
        return NULL;
    }

    return addrs;
}


/* The program ends then; if 0, it does not. */

static void
aopctl_probe_limit(double seconds)
{
    struct itimerval  timer;

    memset(&timer, 0, sizeof(struct itimerval));

    timer.it_value.tv_sec = (time_t) seconds;
    timer.it_value.tv_usec = (suseconds_t)
                             ((seconds - (double) timer.it_value.tv_sec) * 1e6);

    setitimer(ITIMER_REAL, &timer, NULL);
}


static void
aopctl_probe_slow(int signo)
{
    ssize_t  n;

    static const char  text[] = "aopctl: probe timed out (is the resolver "
                                "slow? try a longer --timeout)\n";

    n = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void) n;

    _exit(AOPCTL_STATUS_UNKNOWN);
}


/* Returns how many there are to visit; *more: the list is full. */

static size_t
aopctl_probe_addresses(const aopctl_probe_t *probe,
    const struct addrinfo *addrs, aopctl_address_t *list, unsigned *more)
{
    size_t             n;
    aopctl_address_t  *address;

    for (n = 0; addrs != NULL && n < AOPCTL_PROBE_ADDRESSES;
         n++, addrs = addrs->ai_next)
    {
        address = &list[n];

        memset(address, 0, sizeof(aopctl_address_t));

        address->probe = *probe;
        address->probe.addr = addrs;
        address->edge = aopctl_probe_is_edge(addrs);
        address->answer = json_object();

        if (getnameinfo(addrs->ai_addr, addrs->ai_addrlen,
                        address->probe.address, sizeof(address->probe.address),
                        NULL, 0, NI_NUMERICHOST)
            != 0)
        {
            address->probe.address[0] = '\0';
        }
    }

    *more = (addrs != NULL);

    return n;
}


static int
aopctl_probe_is_edge(const struct addrinfo *addr)
{
    size_t                  n;
    const ngx_aop_range_t  *ranges;

    ranges = ngx_aop_cloudflare_ranges(&n);

    return ranges != NULL && ngx_aop_peer_range_find(ranges, n, addr->ai_addr);
}


/* An address without a thread of its own is visited in turn. */

static void
aopctl_probe_visit_all(aopctl_address_t *list, size_t n)
{
    size_t  i;

    /* jansson seeds its hash tables when the first one is made */

    json_object_seed(0);

    for (i = 1; i < n; i++) {
        list[i].apart = (pthread_create(&list[i].thread, NULL,
                                        aopctl_probe_visit, &list[i])
                         == 0);
    }

    for (i = 0; i < n; i++) {

        if (list[i].apart) {
            (void) pthread_join(list[i].thread, NULL);

        } else {
            (void) aopctl_probe_visit(&list[i]);
        }
    }
}


static void *
aopctl_probe_visit(void *data)
{
    aopctl_probe_t    *probe;
    aopctl_address_t  *address = data;

    probe = &address->probe;

    aopctl_json_set(address->answer, "address", json_string(probe->address));

    if (address->edge) {
        address->status = aopctl_conclusion_say(address->answer,
                                                AOPCTL_STATUS_UNKNOWN,
                              "not_visited", "an address of Cloudflare's "
                              "edge, which serves all clients (use the "
                              "origin's own address, and --sni for its name)");

    } else if (!aopctl_attempt_init(probe)) {
        address->status = AOPCTL_STATUS_FAILED;

    } else {
        address->status = aopctl_plan_run(probe, address->answer);
    }

    return NULL;
}


/* What the addresses add up to: the worst of them decides. */

static aopctl_status_e
aopctl_probe_conclude(json_t *answer, const aopctl_address_t *list, size_t n)
{
    char                     why[1024];
    size_t                   i;
    json_t                  *addresses;
    aopctl_status_e          status;
    const aopctl_address_t  *worst;

    addresses = json_array();
    worst = NULL;
    status = AOPCTL_STATUS_UNKNOWN;

    for (i = 0; i < n; i++) {
        aopctl_json_append(addresses, json_incref(list[i].answer));
    }

    aopctl_json_set(answer, "addresses", addresses);

    worst = aopctl_probe_worst(list, n);

    if (worst == NULL) {
        return aopctl_conclusion_say(answer, AOPCTL_STATUS_UNKNOWN,
                                     "cannot_tell",
                                     "the name cannot be resolved");
    }

    /* some of several addresses were reached: that is not nothing */

    status = worst->status;

    for (i = 0; status == AOPCTL_STATUS_UNKNOWN && i < n; i++) {
        if (list[i].status != AOPCTL_STATUS_UNKNOWN) {
            status = AOPCTL_STATUS_WARNING;
        }
    }

    if (status == AOPCTL_STATUS_FAILED) {
        return status;
    }

    snprintf(why, sizeof(why), "%s%s%s",
             n > 1 || worst->status == AOPCTL_STATUS_UNKNOWN
             ? worst->probe.address
                                                      : "",
             n > 1 || worst->status == AOPCTL_STATUS_UNKNOWN ? ": " : "",
             aopctl_json_str(worst->answer, "why"));

    return aopctl_conclusion_say(answer, status,
                                 worst->edge
                                 ? "cannot_tell"
                                 : aopctl_json_str(worst->answer, "conclusion"),
                                 why);
}


/*
 * Not enforced precedes not reached, which precedes the rest.  Cloudflare's
 * addresses are not the origin's: they count only if there are no others.
 */

static const aopctl_address_t *
aopctl_probe_worst(const aopctl_address_t *list, size_t n)
{
    size_t                   i;
    const aopctl_address_t  *worst;

    static const int  order[] = { 1, 2, 4, 3 };

    worst = NULL;

    for (i = 0; i < n; i++) {

        if (list[i].status == AOPCTL_STATUS_FAILED) {
            return &list[i];
        }

        if (worst == NULL
            || (worst->edge && !list[i].edge)
            || (worst->edge == list[i].edge
                && order[list[i].status] > order[worst->status]))
        {
            worst = &list[i];
        }
    }

    return worst;
}


static json_t *
aopctl_probe_head(const aopctl_probe_t *probe)
{
    json_t  *answer;

    answer = json_object();

    aopctl_json_set(answer, "host", aopctl_json_text(probe->host));
    aopctl_json_set(answer, "port", json_integer(atoi(probe->port)));
    aopctl_json_set(answer, "sni", probe->sni ? aopctl_json_text(probe->sni)
                                              : json_null());
    aopctl_json_set(answer, "authority", aopctl_json_text(probe->authority));
    aopctl_json_set(answer, "path", aopctl_json_text(probe->path));

    return answer;
}
