
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * Lines of a log file, plain or compressed: by gzip, which zlib reads, or by
 * xz, zstd or bzip2, which libarchive reads.  A file that ends in the middle,
 * or turns to garbage, yields what came before, and then an error.
 */


#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <archive_entry.h>

#include "reader.h"


#define AOPCTL_READ_CHUNK  (256 * 1024)
#define AOPCTL_READ_SIZE   (AOPCTL_READ_MAX + AOPCTL_READ_CHUNK)

/* seconds that a FIFO may have no writer */

#define AOPCTL_READ_WAIT   5


static const char *aopctl_reader_file(aopctl_reader_t *reader,
    const char *file);
static int aopctl_reader_fd(const char *file);
static void aopctl_reader_alarm(int signo);
static const char *aopctl_reader_stat(aopctl_reader_t *reader, int fd);
static int aopctl_reader_is_device(const struct stat *st, int fd);
static int aopctl_reader_init(aopctl_reader_t *reader);
static la_ssize_t aopctl_reader_read(struct archive *archive, void *data,
    const void **buf);
static int aopctl_reader_fill(aopctl_reader_t *reader);
static void aopctl_reader_end(aopctl_reader_t *reader);
static void aopctl_reader_error(aopctl_reader_t *reader);


int
aopctl_reader_open(aopctl_reader_t *reader, const char *file)
{
    const char  *err;

    memset(reader, 0, sizeof(aopctl_reader_t));

    err = aopctl_reader_file(reader, file);

    if (err != NULL) {
        snprintf(reader->err, sizeof(reader->err), "%s", err);

    } else if (aopctl_reader_init(reader)) {
        return 1;
    }

    aopctl_reader_close(reader);

    return 0;
}


static const char *
aopctl_reader_file(aopctl_reader_t *reader, const char *file)
{
    int          fd;
    const char  *err;

    fd = (strcmp(file, "-") == 0) ? dup(STDIN_FILENO)
                                  : aopctl_reader_fd(file);

    if (fd == -1) {
        return (errno == EINTR) ? "a FIFO without a writer"
                                : strerror(errno);
    }

    err = aopctl_reader_stat(reader, fd);

    if (err == NULL) {
        reader->gz = gzdopen(fd, "r");

        if (reader->gz == NULL
            || gzbuffer(reader->gz, AOPCTL_READ_CHUNK) != 0)
        {
            err = "out of memory";
        }
    }

    if (reader->gz == NULL) {
        close(fd);
    }

    return err;
}


/* open() of a FIFO waits for a writer, which may never come. */

static int
aopctl_reader_fd(const char *file)
{
    int               fd, error;
    struct sigaction  action, before;

    memset(&action, 0, sizeof(action));
    action.sa_handler = aopctl_reader_alarm;

    (void) sigaction(SIGALRM, &action, &before);
    (void) alarm(AOPCTL_READ_WAIT);

    fd = open(file, O_RDONLY|O_CLOEXEC);
    error = errno;

    (void) alarm(0);
    (void) sigaction(SIGALRM, &before, NULL);

    errno = error;

    return fd;
}


/* It exists so that open() returns. */

static void
aopctl_reader_alarm(int signo)
{
    /* void */
}


static const char *
aopctl_reader_stat(aopctl_reader_t *reader, int fd)
{
    struct stat  st;

    if (fstat(fd, &st) != 0) {
        return strerror(errno);
    }

    if (S_ISDIR(st.st_mode)) {
        return strerror(EISDIR);
    }

    if (aopctl_reader_is_device(&st, fd)) {
        return "a device, not a log";
    }

    reader->size = S_ISREG(st.st_mode) ? st.st_size : 0;

    return NULL;
}


static int
aopctl_reader_is_device(const struct stat *st, int fd)
{
    struct stat  null;

    if (S_ISBLK(st->st_mode)) {
        return 1;
    }

    return S_ISCHR(st->st_mode)
           && !isatty(fd)
           && (stat("/dev/null", &null) != 0 || null.st_rdev != st->st_rdev);
}


/* Filters for which libarchive runs a program are not enabled. */

static int
aopctl_reader_init(aopctl_reader_t *reader)
{
    struct archive        *archive;
    struct archive_entry  *entry;

    archive = archive_read_new();

    reader->archive = archive;
    reader->raw = malloc(AOPCTL_READ_CHUNK);
    reader->buf = malloc(AOPCTL_READ_SIZE);

    if (archive == NULL || reader->raw == NULL || reader->buf == NULL) {
        snprintf(reader->err, sizeof(reader->err), "out of memory");
        return 0;
    }

    (void) archive_read_support_filter_xz(archive);
    (void) archive_read_support_filter_zstd(archive);
    (void) archive_read_support_filter_bzip2(archive);
    (void) archive_read_support_format_raw(archive);
    (void) archive_read_support_format_empty(archive);

    if (archive_read_open(archive, reader, NULL, aopctl_reader_read, NULL)
        != ARCHIVE_OK)
    {
        aopctl_reader_error(reader);
        return 0;
    }

    switch (archive_read_next_header(archive, &entry)) {

    case ARCHIVE_OK:
        return 1;

    case ARCHIVE_EOF:
        aopctl_reader_end(reader);
        return 1;

    default:
        aopctl_reader_error(reader);
        return 0;
    }
}


void
aopctl_reader_close(aopctl_reader_t *reader)
{
    (void) archive_read_free(reader->archive);

    free(reader->raw);
    free(reader->buf);

    if (reader->gz != NULL) {
        gzclose_r(reader->gz);
    }

    reader->archive = NULL;
    reader->gz = NULL;
    reader->raw = NULL;
    reader->buf = NULL;
}


/*
 * zlib reads gzip and passes anything else through: libarchive does not verify
 * the checksums of gzip, and a damaged log must not pass for one that was
 * read.
 */

static la_ssize_t
aopctl_reader_read(struct archive *archive, void *data, const void **buf)
{
    aopctl_reader_t  *reader = data;

    int          n, error;
    const char  *text;

    *buf = reader->raw;

    n = gzread(reader->gz, reader->raw, AOPCTL_READ_CHUNK);

    text = gzerror(reader->gz, &error);

    /*
     * the last read that brings data may be the one that meets the error, and
     * the next one forgets it since zlib 1.3.2
     */

    if (n > 0) {
        reader->truncated |= (error == Z_BUF_ERROR);
        return n;
    }

    if (error == Z_OK && reader->truncated) {
        error = Z_BUF_ERROR;
    }

    switch (error) {

    case Z_OK:
    case Z_STREAM_END:
        return 0;

    case Z_BUF_ERROR:
        text = "the compressed file is truncated";
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

    archive_set_error(archive, EIO, "%s", text);

    return -1;
}


aopctl_read_e
aopctl_reader_line(aopctl_reader_t *reader, const char **line, size_t *len)
{
    char    *end;
    size_t   seen;

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

            if (seen == 0 && reader->skipped == 0) {
                return AOPCTL_READ_END;
            }

            end = reader->buf + reader->last;
            break;
        }

        if (seen > AOPCTL_READ_MAX) {
            reader->skipped += seen;
            reader->pos = reader->last;
            seen = 0;
        }

        if (reader->skipped > AOPCTL_READ_ENDLESS) {
            aopctl_reader_stop(reader, "not a log, a line is too long");

        } else if (!aopctl_reader_fill(reader)) {
            reader->eof = 1;
        }
    }

    *line = reader->buf + reader->pos;
    *len = end - *line;

    reader->pos = end - reader->buf + (end < reader->buf + reader->last);

    if (reader->skipped == 0) {
        return AOPCTL_READ_LINE;
    }

    reader->skipped = 0;

    return AOPCTL_READ_LONG;
}


/* Returns 0 at the end of the file, and on errors. */

static int
aopctl_reader_fill(aopctl_reader_t *reader)
{
    size_t      rest;
    la_ssize_t  n;

    rest = reader->last - reader->pos;

    memmove(reader->buf, reader->buf + reader->pos, rest);

    reader->pos = 0;
    reader->last = rest;

    n = archive_read_data(reader->archive, reader->buf + rest,
                          AOPCTL_READ_CHUNK);

    if (n > 0) {
        reader->last += n;
        return 1;
    }

    if (n == 0) {
        aopctl_reader_end(reader);

    } else {
        aopctl_reader_error(reader);
    }

    return 0;
}


/*
 * libarchive takes anything but another compressed part after one for the end,
 * even the first bytes of a part that was cut off.
 */

static void
aopctl_reader_end(aopctl_reader_t *reader)
{
    off_t  used;

    reader->eof = 1;

    used = archive_filter_bytes(reader->archive, -1);

    if (gzdirect(reader->gz) && used < reader->size) {
        snprintf(reader->err, sizeof(reader->err), "only %lld of %lld bytes "
                 "belong to a complete file (truncated?)", (long long) used,
                 (long long) reader->size);
    }
}


static void
aopctl_reader_error(aopctl_reader_t *reader)
{
    const char  *text;

    text = archive_error_string(reader->archive);

    aopctl_reader_stop(reader, text ? text : "cannot be decompressed");
}


void
aopctl_reader_stop(aopctl_reader_t *reader, const char *err)
{
    reader->eof = 1;

    snprintf(reader->err, sizeof(reader->err), "%s", err);
}


off_t
aopctl_reader_offset(aopctl_reader_t *reader)
{
    off_t  offset;

    offset = gzoffset(reader->gz);

    /* a pipe has none */

    return (offset == -1) ? archive_filter_bytes(reader->archive, -1) : offset;
}
