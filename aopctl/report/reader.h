
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


#ifndef _AOPCTL_READER_H_INCLUDED_
#define _AOPCTL_READER_H_INCLUDED_


#include <stddef.h>
#include <sys/types.h>
#include <archive.h>
#include <zlib.h>


typedef enum {
    AOPCTL_READ_LINE = 0,
    AOPCTL_READ_LONG,           /* a line too long to be one; passed over */
    AOPCTL_READ_END,
    AOPCTL_READ_ERROR           /* what came before the error was read */
} aopctl_read_e;


/* Lines of a file, plain or compressed, in constant memory. */

typedef struct {
    struct archive  *archive;   /* owned */
    gzFile           gz;        /* owned: what libarchive reads from */
    char            *raw;       /* owned: as read, before decompression */
    char            *buf;       /* owned */
    size_t           pos;
    size_t           last;
    size_t           skipped;   /* of a line that is too long */
    off_t            size;      /* of the file; 0 if it has none */
    unsigned         eof:1;
    unsigned         truncated:1;   /* as zlib found, of gzip */
    char             err[256];  /* of an error */
} aopctl_reader_t;


/* The longest line that is read, its end not counted. */

#define AOPCTL_READ_MAX  (1024 * 1024)

/* More bytes than this without an end of line are not a log. */

#define AOPCTL_READ_ENDLESS  (64 * 1024 * 1024)


/*
 * Opens a file, "-" for standard input.  Returns 0 with err set.  Devices are
 * not read, except terminals and /dev/null, nor is a FIFO that nobody opens
 * for writing within seconds.
 */

int aopctl_reader_open(aopctl_reader_t *reader, const char *file);
void aopctl_reader_close(aopctl_reader_t *reader);

/* The next line without its end; it is valid until the next call. */

aopctl_read_e aopctl_reader_line(aopctl_reader_t *reader, const char **line,
    size_t *len);

/* How much was read; of a compressed file, in compressed bytes. */

off_t aopctl_reader_offset(aopctl_reader_t *reader);

/* Ends the reading with an error. */

void aopctl_reader_stop(aopctl_reader_t *reader, const char *err);


#endif /* _AOPCTL_READER_H_INCLUDED_ */
