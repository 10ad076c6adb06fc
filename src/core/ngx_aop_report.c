
/*
 * Copyright (C) the ngx_http_aop_module authors
 */


/*
 * The parts of a report.  Each is a list of blocks that grows at its end, so
 * that nothing is ever moved: the answer takes little more memory than its
 * length.  A report for which memory was short is not sent, not even in part.
 */


#include <string.h>

#include "ngx_aop_report.h"


static int ngx_aop_report_more(ngx_aop_text_t *text, size_t len);


ngx_aop_text_t *
ngx_aop_report_part(ngx_aop_report_t *report, size_t i)
{
    ngx_aop_report_part_t  *part;

    part = &report->parts[i];

    if (part->report == NULL) {
        part->report = report;
        part->text.more = ngx_aop_report_more;
    }

    return &part->text;
}


static int
ngx_aop_report_more(ngx_aop_text_t *text, size_t len)
{
    size_t                   size, least;
    ngx_aop_report_t        *report;
    ngx_aop_report_part_t   *part;
    ngx_aop_report_block_t  *block;

    part = (ngx_aop_report_part_t *) text;
    report = part->report;

    if (report->failed) {
        return 0;
    }

    size = sizeof(ngx_aop_report_block_t) + len;

    /* most parts of most reports are short */

    least = part->last ? NGX_AOP_REPORT_BLOCK : NGX_AOP_REPORT_BLOCK / 8;

    if (size < least) {
        size = least;
    }

    block = report->alloc(report->data, size);

    if (block == NULL) {
        report->failed = 1;
        return 0;
    }

    report->size += size;

    block->start = (char *) (block + 1);
    block->end = block->start;
    block->next = NULL;

    if (part->last != NULL) {
        part->last->end = text->pos;
        part->last->next = block;

    } else {
        part->first = block;
    }

    part->last = block;

    text->start = block->start;
    text->pos = block->start;
    text->last = (char *) block + size;

    return 1;
}


ngx_aop_report_block_t *
ngx_aop_report_done(ngx_aop_report_t *report, size_t *len)
{
    size_t                    i;
    ngx_aop_report_part_t    *part;
    ngx_aop_report_block_t   *first, *block, **last;

    *len = 0;
    first = NULL;
    last = &first;

    for (i = 0; i < NGX_AOP_REPORT_PARTS; i++) {
        part = &report->parts[i];

        if (report->failed || part->text.overflow) {
            return NULL;
        }

        if (part->last == NULL) {
            continue;
        }

        part->last->end = part->text.pos;
        *last = part->first;
        last = &part->last->next;

        for (block = part->first; block != NULL; block = block->next) {
            *len += block->end - block->start;
        }
    }

    return first;
}
