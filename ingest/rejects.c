// One CSV line per rejected row, through a buffer.
#include "ingest/rejects.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FLUSH_BYTES = 1 << 16 };

static int put(struct rejects *r, const char *text, size_t n, struct err *err)
{
    if (r->used + n > r->size) {
        size_t size = r->used + n + FLUSH_BYTES;
        char *grown = realloc(r->buffer, size);
        if (!grown)
            return err_set(err, "%s: out of memory", r->output.path);
        r->buffer = grown;
        r->size = size;
    }
    memcpy(r->buffer + r->used, text, n);
    r->used += n;
    return 0;
}

// In quotes, those inside doubled.
static int put_quoted(struct rejects *r, const char *text, size_t n, struct err *err)
{
    int bad = put(r, "\"", 1, err);
    for (const char *end = text + n; text < end && !bad;) {
        const char *quote = memchr(text, '"', (size_t)(end - text));
        size_t k = (size_t)((quote ? quote + 1 : end) - text);
        bad = put(r, text, k, err) || (quote && put(r, "\"", 1, err));
        text += k;
    }
    return bad ? -1 : put(r, "\"", 1, err);
}

static int flush(struct rejects *r, struct err *err)
{
    if (output_write(&r->output, r->buffer, r->used, err))
        return -1;
    r->used = 0;
    return 0;
}

int rejects_open(struct rejects *r, const char *path, bool keep_raw, struct err *err)
{
    const char *head = keep_raw ? "line,column,reason,value,row\n" : "line,column,reason,value\n";
    *r = (struct rejects){.keep_raw = keep_raw};
    if (output_open(&r->output, path, 0600, err))
        return -1;
    if (put(r, head, strlen(head), err)) {
        rejects_release(r);
        return -1;
    }
    return 0;
}

int rejects_add(struct rejects *r, const struct reject *x, struct err *err)
{
    char start[128];
    int n = snprintf(start, sizeof start, "%" PRIu64 ",%s,", x->line, x->column);
    if (r->n++ == 0)
        snprintf(r->first, sizeof r->first, "line %" PRIu64 ": %s%s%s", x->line, x->column,
                 *x->column ? ": " : "", x->reason);
    if (put(r, start, (size_t)n, err) || put_quoted(r, x->reason, strlen(x->reason), err) ||
        put(r, ",", 1, err) || (x->value && put_quoted(r, x->value, x->value_n, err)))
        return -1;
    if (r->keep_raw && (put(r, ",", 1, err) || put_quoted(r, x->row, x->row_n, err)))
        return -1;
    if (put(r, "\n", 1, err))
        return -1;
    return r->used >= FLUSH_BYTES ? flush(r, err) : 0;
}

int rejects_commit(struct rejects *r, struct err *err)
{
    return flush(r, err) ? -1 : output_commit(&r->output, err);
}

void rejects_release(struct rejects *r)
{
    output_release(&r->output);
    free(r->buffer);
    r->buffer = NULL;
}
