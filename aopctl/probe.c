
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * "aopctl probe": what is to be visited, and where it is.  An address of
 * Cloudflare's is never taken for an origin.
 */


#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "probe.h"
#include "screen.h"
#include "ngx_aop_cloudflare.h"


#define AOPCTL_PROBE_TIMEOUT  5

/* all visits, of the time-out: some time is left for the answer */

#define AOPCTL_PROBE_VISITS   2.8


static aopctl_status_e aopctl_probe_arguments(aopctl_probe_t *probe, int argc,
    char **argv);
static aopctl_status_e aopctl_probe_argument(aopctl_probe_t *probe,
    const char *command, int option);
static aopctl_status_e aopctl_probe_target(aopctl_probe_t *probe,
    const char *command, char *target);
static int aopctl_probe_split(aopctl_probe_t *probe, char *target);
static int aopctl_probe_is_word(const char *text);
static int aopctl_probe_is_address(const char *host);
static aopctl_status_e aopctl_probe_run(aopctl_probe_t *probe);
static struct addrinfo *aopctl_probe_resolve(const char *host,
    const char *port, long timeout);
static void aopctl_probe_slow(int signo);
static const struct addrinfo *aopctl_probe_reach(aopctl_probe_t *probe,
    const struct addrinfo *addrs, char *err, size_t size);
static void aopctl_probe_head(const aopctl_probe_t *probe, json_t *answer);
static const char *aopctl_probe_text(const struct addrinfo *addr, char *buf,
    size_t size);
static int aopctl_probe_is_edge(const struct addrinfo *addr);


const char  aopctl_probe_help[] =
    "Usage: aopctl probe [OPTION]... HOST[:PORT]\n"
    "\n"
    "Visits an origin as strangers do: without a certificate and with one of\n"
    "their own making, over TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2, with a\n"
    "resumed session, without SNI, for some visitors (CF-Connecting-IP), and\n"
    "over plain HTTP. Give the origin's own address, not the name that leads to\n"
    "Cloudflare; of several, the first that takes a connection is visited.\n"
    "Once aop is configured, probe from outside: visits from the origin itself\n"
    "are counted as failures from a private address.\n"
    "\n"
    "      --sni NAME        name in the handshake (HOST, if it is a name)\n"
    "      --host NAME       Host of the requests (the name of --sni)\n"
    "      --path PATH       what is asked for (/)\n"
    "      --cert FILE       visit with this certificate, too\n"
    "      --key FILE        its key (in the file of --cert)\n"
    "      --http-port PORT  where plain HTTP would be (80)\n"
    "      --no-http         do not ask there\n"
    "      --timeout SECONDS for each visit, 1 to 300 (5); all visits together\n"
    "                        end within three times as many\n"
    "  -q, --quiet           the conclusion only, in one line\n"
    "      --json            the answer as JSON\n"
    "  -h, --help            this text\n"
    "\n"
    "Refusals are nginx's own page about a certificate (400), 495, 496, and\n"
    "a TLS alert about one. Answers of 400, 403 and 421, and connections that\n"
    "end once a certificate was asked for, may be for everybody: they are\n"
    "refusals only if the certificate of --cert is served. 408, 429, 500 and\n"
    "503 tell nothing; all others served a stranger.\n"
    "\n"
    "Exit status: 0 enforced: strangers are refused, 1 enforced over TLS, but\n"
    "plain HTTP is open, the given certificate is refused too, or either is\n"
    "unclear, 2 not enforced: strangers are served, 3 cannot tell; 66 a file\n"
    "could not be read.\n";


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

    if (status != AOPCTL_GOOD) {
        return status;
    }

    if (probe.cert != NULL
        && !aopctl_stranger_load(&probe.given, probe.cert, probe.key))
    {
        return AOPCTL_NO_INPUT;
    }

    if (aopctl_probe_init(&probe)) {
        status = aopctl_probe_run(&probe);

    } else {
        aopctl_error("probe: out of memory");
        status = AOPCTL_FAILED;
    }

    aopctl_stranger_free(&probe.given);
    X509_NAME_free(probe.ca);
    SSL_CTX_free(probe.ctx);
    json_decref(probe.ca_names);

    return status;
}


static aopctl_status_e
aopctl_probe_arguments(aopctl_probe_t *probe, int argc, char **argv)
{
    int              option;
    aopctl_status_e  status;

    while ((option = aopctl_option(argc, argv, AOPCTL_NO_LETTERS "q",
                                   aopctl_probe_options))
           != -1)
    {
        status = aopctl_probe_argument(probe, argv[0], option);

        if (status != AOPCTL_GOOD) {
            return status;
        }
    }

    if (argv[optind] == NULL) {
        return aopctl_usage(argv[0], "a host is missing");
    }

    if (argv[optind + 1] != NULL) {
        return aopctl_usage(argv[0], "more than one host");
    }

    if (probe->key != NULL && probe->cert == NULL) {
        return aopctl_usage(argv[0], "\"--key\" without \"--cert\"");
    }

    if (probe->quiet && probe->json) {
        return aopctl_usage(argv[0], "\"--quiet\" with \"--json\"");
    }

    return aopctl_probe_target(probe, argv[0], argv[optind]);
}


static aopctl_status_e
aopctl_probe_argument(aopctl_probe_t *probe, const char *command, int option)
{
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
            return aopctl_usage(command, "\"%s\" is no port", optarg);
        }

        probe->http_port = optarg;
        break;

    case 'n':
        probe->http_port = NULL;
        break;

    case 't':
        if (!aopctl_number(optarg, 1, 300, &probe->timeout)) {
            return aopctl_usage(command, "\"%s\" is no number of seconds from "
                                "1 to 300", optarg);
        }
        break;

    case 'q':
        probe->quiet = 1;
        break;

    case 'j':
        probe->json = 1;
        break;

    default:
        return AOPCTL_USAGE;
    }

    return AOPCTL_GOOD;
}


/* A host that is an address has no name to ask for. */

static aopctl_status_e
aopctl_probe_target(aopctl_probe_t *probe, const char *command, char *target)
{
    if (strchr(target, '/') != NULL) {
        return aopctl_usage(command, "\"%s\" is a URL: give HOST[:PORT]",
                            target);
    }

    if (!aopctl_probe_is_word(target) || !aopctl_probe_split(probe, target)) {
        return aopctl_usage(command, "\"%s\" is no host and port", target);
    }

    if (probe->sni == NULL && !aopctl_probe_is_address(probe->host)) {
        probe->sni = probe->host;
    }

    if (probe->authority == NULL) {
        probe->authority = probe->sni ? probe->sni : probe->host;
    }

    if ((probe->sni && !aopctl_probe_is_word(probe->sni))
        || !aopctl_probe_is_word(probe->authority))
    {
        return aopctl_usage(command, "a name is empty, too long, or has blank "
                            "or control characters in it");
    }

    if (probe->path[0] != '/' || !aopctl_probe_is_word(probe->path)) {
        return aopctl_usage(command, "\"%s\" is no path", probe->path);
    }

    return AOPCTL_GOOD;
}


/*
 * "host", "host:port", "1::2", "[1::2]" or "[1::2]:port".  What is none of
 * these is left as it is.
 */

static int
aopctl_probe_split(aopctl_probe_t *probe, char *target)
{
    long   number;
    char  *colon, *end;

    probe->host = target;
    colon = strchr(target, ':');
    end = colon;

    if (target[0] == '[') {
        end = strchr(target, ']');

        if (end == NULL || (end[1] != '\0' && end[1] != ':')) {
            return 0;
        }

        colon = end[1] ? end + 1 : NULL;
        probe->host = target + 1;

    } else if (colon != NULL && strchr(colon + 1, ':') != NULL) {
        colon = NULL;
        end = NULL;
    }

    if (colon != NULL) {
        probe->port = colon + 1;
    }

    if (probe->host == end || !aopctl_number(probe->port, 1, 65535, &number)) {
        return 0;
    }

    if (end != NULL) {
        *end = '\0';
    }

    return 1;
}


/* What goes into a handshake or a request, and cannot break out of it. */

static int
aopctl_probe_is_word(const char *text)
{
    size_t  i;

    for (i = 0; text[i] > 0x20 && text[i] < 0x7f; i++) { /* void */ }

    return text[i] == '\0' && i > 0 && i < 1024;
}


static int
aopctl_probe_is_address(const char *host)
{
    struct in_addr   in;
    struct in6_addr  in6;

    return inet_pton(AF_INET, host, &in) == 1
           || inet_pton(AF_INET6, host, &in6) == 1;
}


static aopctl_status_e
aopctl_probe_run(aopctl_probe_t *probe)
{
    char               err[512];
    json_t            *answer;
    struct addrinfo   *addrs;
    aopctl_status_e    status;

    /* a server that closes early is heard of by an error, not by a signal */

    signal(SIGPIPE, SIG_IGN);

    probe->deadline = aopctl_conn_now()
                      + AOPCTL_PROBE_VISITS * (double) probe->timeout;

    answer = json_object();
    addrs = aopctl_probe_resolve(probe->host, probe->port, probe->timeout);
    probe->addr = aopctl_probe_reach(probe, addrs, err, sizeof(err));

    aopctl_probe_head(probe, answer);

    if (probe->addr == NULL) {
        status = aopctl_probe_say(answer, AOPCTL_UNKNOWN, err);

    } else {
        status = aopctl_probe_visits(probe, answer);
    }

    signal(SIGPIPE, SIG_DFL);

    if (probe->json) {
        aopctl_json_write(answer);

    } else {
        if (!probe->quiet) {
            aopctl_probe_print(answer);
        }

        aopctl_probe_print_conclusion(answer);
    }

    json_decref(answer);

    if (addrs != NULL) {
        freeaddrinfo(addrs);
    }

    return status;
}


/* The resolver has a time-out of its own, which may be long. */

static struct addrinfo *
aopctl_probe_resolve(const char *host, const char *port, long timeout)
{
    int               rc;
    struct addrinfo   hints, *addrs;

    memset(&hints, 0, sizeof(struct addrinfo));

    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;

    signal(SIGALRM, aopctl_probe_slow);
    alarm((unsigned) timeout);

    rc = getaddrinfo(host, port, &hints, &addrs);

    alarm(0);

    if (rc != 0) {
        aopctl_error("cannot resolve \"%s\": %s", host, gai_strerror(rc));
        return NULL;
    }

    return addrs;
}


static void
aopctl_probe_slow(int signo)
{
    ssize_t  n;

    static const char  text[] = "aopctl: the host's name was not resolved "
                                "in time\n";

    n = write(STDERR_FILENO, text, sizeof(text) - 1);

    (void) n;

    _exit(AOPCTL_UNKNOWN);
}


/* The first address that takes a connection and is not Cloudflare's. */

static const struct addrinfo *
aopctl_probe_reach(aopctl_probe_t *probe, const struct addrinfo *addrs,
    char *err, size_t size)
{
    int            rc;
    char           text[64];
    aopctl_conn_t  conn;

    snprintf(err, size, "the name cannot be resolved");

    for ( /* void */ ; addrs; addrs = addrs->ai_next) {

        aopctl_probe_text(addrs, text, sizeof(text));

        if (aopctl_probe_is_edge(addrs)) {
            snprintf(err, size, "%s is an address of Cloudflare's edge, which "
                     "serves everybody: give the origin's own address, and "
                     "its name with --sni", text);
            continue;
        }

        rc = aopctl_conn_open(&conn, addrs,
                              aopctl_conn_now() + (double) probe->timeout);

        if (!rc) {
            snprintf(err, size, "%s: %s", text, conn.err);
        }

        aopctl_conn_close(&conn);

        if (rc) {
            return addrs;
        }
    }

    return NULL;
}


static void
aopctl_probe_head(const aopctl_probe_t *probe, json_t *answer)
{
    char  text[64];

    aopctl_json_set(answer, "host", aopctl_json_text(probe->host));
    aopctl_json_set(answer, "port", json_integer(atoi(probe->port)));
    aopctl_json_set(answer, "address", probe->addr
                    ? json_string(aopctl_probe_text(probe->addr, text,
                                                    sizeof(text)))
                    : json_null());
    aopctl_json_set(answer, "sni", probe->sni ? aopctl_json_text(probe->sni)
                                              : json_null());
    aopctl_json_set(answer, "authority", aopctl_json_text(probe->authority));
    aopctl_json_set(answer, "path", aopctl_json_text(probe->path));
}


static const char *
aopctl_probe_text(const struct addrinfo *addr, char *buf, size_t size)
{
    if (getnameinfo(addr->ai_addr, addr->ai_addrlen, buf, size, NULL, 0,
                    NI_NUMERICHOST)
        != 0)
    {
        buf[0] = '\0';
    }

    return buf;
}


static int
aopctl_probe_is_edge(const struct addrinfo *addr)
{
    size_t                  n;
    const ngx_aop_range_t  *ranges;

    ranges = ngx_aop_cloudflare_ranges(&n);

    return ranges != NULL && ngx_aop_range_find(ranges, n, addr->ai_addr);
}
