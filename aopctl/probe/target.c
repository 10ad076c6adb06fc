
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The host to probe, as it was given: what to connect to, and by which names to
 * ask for it in a handshake and in a request.
 */


#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "probe.h"


static int aopctl_target_split(aopctl_probe_t *probe, char *target);
static int aopctl_target_is_word(const char *text);
static int aopctl_target_is_address(const char *host);
static const char *aopctl_target_authority(aopctl_probe_t *probe);


/* A host that is an address has no name for SNI. */

aopctl_status_e
aopctl_target(aopctl_probe_t *probe, const char *command, char *target)
{
    if (strchr(target, '/') != NULL) {
        return aopctl_usage(command, "\"%s\" is a URL, use HOST[:PORT]",
                            target);
    }

    if (!aopctl_target_is_word(target) || !aopctl_target_split(probe, target)) {
        return aopctl_usage(command, "invalid host or port \"%s\"", target);
    }

    if (probe->sni == NULL && !aopctl_target_is_address(probe->host)) {
        probe->sni = probe->host;
    }

    if (probe->authority == NULL) {
        probe->authority = probe->sni ? probe->sni
                                      : aopctl_target_authority(probe);
    }

    if ((probe->sni && !aopctl_target_is_word(probe->sni))
        || !aopctl_target_is_word(probe->authority))
    {
        return aopctl_usage(command, "a name is empty, too long, or contains "
                            "blanks or control characters");
    }

    if (probe->path[0] != '/' || !aopctl_target_is_word(probe->path)) {
        return aopctl_usage(command, "invalid path \"%s\"", probe->path);
    }

    return AOPCTL_STATUS_GOOD;
}


/*
 * "host", "host:port", "1::2", "[1::2]" or "[1::2]:port".  What is none of
 * these is left as it is.
 */

static int
aopctl_target_split(aopctl_probe_t *probe, char *target)
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


/* Text for a handshake or a request, which cannot break out of it. */

static int
aopctl_target_is_word(const char *text)
{
    size_t  i;

    for (i = 0; text[i] > 0x20 && text[i] < 0x7f; i++) { /* void */ }

    return text[i] == '\0' && i > 0 && i < 1024;
}


static int
aopctl_target_is_address(const char *host)
{
    struct in_addr   in;
    struct in6_addr  in6;

    return inet_pton(AF_INET, host, &in) == 1
           || inet_pton(AF_INET6, host, &in6) == 1;
}


static const char *
aopctl_target_authority(aopctl_probe_t *probe)
{
    if (strchr(probe->host, ':') == NULL) {
        return probe->host;
    }

    snprintf(probe->literal, sizeof(probe->literal), "[%s]", probe->host);

    return probe->literal;
}
