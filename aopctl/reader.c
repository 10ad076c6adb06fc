
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Lines of a log file, plain or gzip.  A file that ends in the middle, or
 * turns to garbage, gives what came before, and says so.
 */


#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reader.h"


#define AOPCTL_READ_CHUNK  (256 * 1024)
#define AOPCTL_READ_SIZE   (AOPCTL_READ_MAX + AOPCTL_READ_CHUNK)


static int aopctl_reader_fill(aopctl_reader_t *reader);
static void aopctl_reader_error(aopctl_reader_t *reader);


int
aopctl_reader_open(aopctl_reader_t *reader, const char *file)
{
    int          fd;
    struct stat  st;

    memset(reader, 0, sizeof(aopctl_reader_t));

    fd = (strcmp(file, "-") == 0) ? dup(STDIN_FILENO)
                                  : open(file, O_RDONLY|O_CLOEXEC);

    if (fd == -1 || fstat(fd, &st) != 0) {
        snprintf(reader->err, sizeof(reader->err), "%s", strerror(errno));
        goto failed;
    }

    if (S_ISDIR(st.st_mode)) {
        snprintf(reader->err, sizeof(reader->err), "%s", strerror(EISDIR));
        goto failed;
    }

    reader->size = S_ISREG(st.st_mode) ? st.st_size : 0;
    reader->buf = malloc(AOPCTL_READ_SIZE);
    reader->gz = gzdopen(fd, "r");

    if (reader->buf == NULL || reader->gz == NULL
        || gzbuffer(reader->gz, AOPCTL_READ_CHUNK) != 0)
    {
        snprintf(reader->err, sizeof(reader->err), "out of memory");
        goto failed;
    }

    return 1;

failed:

    if (fd != -1 && reader->gz == NULL) {
        close(fd);
    }

    aopctl_reader_close(reader);

    return 0;
}


void
aopctl_reader_close(aopctl_reader_t *reader)
{
    if (reader->gz != NULL) {
        gzclose_r(reader->gz);
    }

    free(reader->buf);

    reader->gz = NULL;
    reader->buf = NULL;
}


aopctl_read_e
aopctl_reader_line(aopctl_reader_t *reader, const char **line, size_t *len)
{
    char    *end;
    size_t   seen;
    unsigned skipped;

    seen = 0;

    for ( ;; ) {
        end = memchr(reader->buf + reader->pos + seen, '\n',
                     reader->last - reader->pos - seen);

        if (end != NULL) {
            break;
        }

        seen = reader->last - reader->pos;

        if (reader->eof) {

            if (reader->err[0] != '\0') {
                return AOPCTL_READ_ERROR;
            }

            if (seen == 0 && !reader->skip) {
                return AOPCTL_READ_END;
            }

            end = reader->buf + reader->last;
            break;
        }

        if (seen > AOPCTL_READ_MAX) {
            reader->skip = 1;
            reader->pos = reader->last;
            seen = 0;
        }

        if (!aopctl_reader_fill(reader)) {
            reader->eof = 1;
        }
    }

    *line = reader->buf + reader->pos;
    *len = end - *line;

    reader->pos = end - reader->buf + (end < reader->buf + reader->last);

    skipped = reader->skip;
    reader->skip = 0;

    return skipped ? AOPCTL_READ_LONG : AOPCTL_READ_LINE;
}


/* Returns 0 at the end of the file, and on errors. */

static int
aopctl_reader_fill(aopctl_reader_t *reader)
{
    int     n;
    size_t  rest;

    rest = reader->last - reader->pos;

    memmove(reader->buf, reader->buf + reader->pos, rest);

    reader->pos = 0;
    reader->last = rest;

    n = gzread(reader->gz, reader->buf + rest, AOPCTL_READ_CHUNK);

    /* the read that meets the end may bring data, and be the one that knows */

    aopctl_reader_error(reader);

    if (n <= 0) {
        return 0;
    }

    reader->last += n;

    return 1;
}


/* A truncated file is read to its end, and only then told of. */

static void
aopctl_reader_error(aopctl_reader_t *reader)
{
    int          error;
    const char  *text;

    text = gzerror(reader->gz, &error);

    switch (error) {

    case Z_OK:
    case Z_STREAM_END:
        return;

    case Z_BUF_ERROR:
        text = "the compressed file is cut off";
        break;

    case Z_DATA_ERROR:
        text = "the compressed file is damaged";
        break;

    case Z_ERRNO:
        text = strerror(errno);
        break;

    default:
        break;
    }

    snprintf(reader->err, sizeof(reader->err), "%s", text);
}


off_t
aopctl_reader_offset(aopctl_reader_t *reader)
{
    return gzoffset(reader->gz);
}
