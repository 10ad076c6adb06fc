
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * A log file is what strangers made the server write: each line is one of the
 * module's, another's, or damaged, and reading comes to an end.
 */


#include <sys/mman.h>
#include <unistd.h>

#include "log_line.h"
#include "reader.h"
#include "fuzz.h"


static void
fuzz_line(const char *line, size_t len)
{
    aopctl_log_line_t  entry;

    memset(&entry, 0xa5, sizeof(entry));

    if (aopctl_log_line_parse(&entry, line, len) != AOPCTL_LOG_LINE_OK) {
        return;
    }

    fuzz_check(entry.time > 0);
    fuzz_check(entry.outcome <= AOPCTL_OUTCOME_REFUSED);
    fuzz_check(entry.server.data != NULL && entry.mode.data != NULL);

    if (entry.outcome != AOPCTL_OUTCOME_OFF) {
        fuzz_check(entry.verdict < NGX_AOP_VERDICTS);
        fuzz_check(entry.peer < NGX_AOP_PEERS);
    }

    fuzz_check(entry.addr.data != NULL && entry.host.data != NULL);
    fuzz_check(entry.path.data != NULL && entry.agent.data != NULL);

    aopctl_log_line_free(&entry);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int               fd;
    char              name[sizeof("/proc/self/fd/") + 10];
    size_t            len, lines;
    const char       *line;
    aopctl_read_e     rc;
    aopctl_reader_t   reader;

    fd = memfd_create("log", MFD_CLOEXEC);
    fuzz_check(fd != -1);
    fuzz_check(write(fd, data, size) == (ssize_t) size);

    sprintf(name, "/proc/self/fd/%d", fd);

    if (aopctl_reader_open(&reader, name)) {

        for (lines = 0; /* void */ ; lines++) {
            rc = aopctl_reader_line(&reader, &line, &len);

            if (rc == AOPCTL_READ_LINE) {
                fuzz_check(memchr(line, '\n', len) == NULL);
                fuzz_line(line, len);

            } else if (rc != AOPCTL_READ_LONG) {
                break;
            }
        }

        fuzz_check(rc != AOPCTL_READ_ERROR || reader.err[0] != '\0');
        aopctl_reader_close(&reader);
    }

    close(fd);

    return 0;
}
