
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * What a fuzzing target needs beside libFuzzer: a way to cut an input into
 * pieces, and to say what must hold of the result.  An input is all there is
 * to a run: a file that has once failed fails again.
 */


#ifndef _FUZZ_H_INCLUDED_
#define _FUZZ_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* 2030-01-01, as PKI_NOW of t/unit/pki.h, which makes the seeds */

#define FUZZ_NOW  ((time_t) 1893456000)


#define fuzz_check(condition)                                                 \
    do {                                                                      \
        if (!(condition)) {                                                   \
            fprintf(stderr, "%s:%d: does not hold: %s\n",                     \
                    __FILE__, __LINE__, #condition);                          \
            abort();                                                          \
        }                                                                     \
    } while (0)


typedef struct {
    const uint8_t  *data;
    size_t          size;
} fuzz_input_t;


static inline unsigned
fuzz_byte(fuzz_input_t *in)
{
    if (in->size == 0) {
        return 0;
    }

    in->size--;

    return *in->data++;
}


/* A piece with its length before it, in two bytes; what is there at most. */

static inline fuzz_input_t
fuzz_piece(fuzz_input_t *in)
{
    size_t        len;
    fuzz_input_t  piece;

    len = fuzz_byte(in) << 8;
    len |= fuzz_byte(in);

    piece.data = in->data;
    piece.size = (len < in->size) ? len : in->size;

    in->data += piece.size;
    in->size -= piece.size;

    return piece;
}


/* What goes into log lines, headers and pages. */

static inline void
fuzz_printable(const char *text, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {
        fuzz_check(text[i] >= 0x20 && text[i] <= 0x7e);
    }
}


#endif /* _FUZZ_H_INCLUDED_ */
