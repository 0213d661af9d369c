#include "ingest/rejects.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void put(struct rejects *r, const char *text, size_t n)
{
    ARRAY_GROW(r->text, r->used + n, r->size);
    memcpy(r->text + r->used, text, n);
    r->used += n;
}

// In quotes, those inside doubled.
static void put_quoted(struct rejects *r, const char *text, size_t n)
{
    put(r, "\"", 1);
    for (size_t i = 0; i < n; i++)
        put(r, text[i] == '"' ? "\"\"" : text + i, text[i] == '"' ? 2 : 1);
    put(r, "\"", 1);
}

static int flush(struct rejects *r, struct err *err)
{
    const size_t n = r->used;
    r->used = 0;
    return output_write(&r->output, r->text, n, err);
}

int rejects_open(struct rejects *r, const char *path, bool keep_raw, struct err *err)
{
    const char *head = keep_raw ? "line,column,reason,value,row\n" : "line,column,reason,value\n";
    *r = (struct rejects){.keep_raw = keep_raw};
    put(r, head, strlen(head));
    return output_open(&r->output, path, 0600, err);
}

int rejects_add(struct rejects *r, const struct reject *x, struct err *err)
{
    char start[128];
    int n = snprintf(start, sizeof start, "%" PRIu64 ",%s,", x->line, x->column);
    if (r->n++ == 0)
        snprintf(r->first, sizeof r->first, "line %" PRIu64 ": %s%s%s", x->line, x->column,
                 *x->column ? ": " : "", x->reason);
    put(r, start, (size_t)n);
    put_quoted(r, x->reason, strlen(x->reason));
    put(r, ",", 1);
    if (x->value)
        put_quoted(r, x->value, x->value_n);
    if (r->keep_raw) {
        put(r, ",", 1);
        put_quoted(r, x->row, x->row_n);
    }
    put(r, "\n", 1);
    return r->used < 1 << 16 ? 0 : flush(r, err);
}

int rejects_check(struct rejects *r, const char *input, uint64_t rows, double max_share,
                  struct err *err)
{
    if (rows == 0)
        return err_set(err, "%s: no rows after the header", input);
    if (r->n < rows && (double)r->n <= max_share * (double)rows)
        return 0;
    char *path = xstrdup(r->output.path);
    if (rejects_commit(r, err) == 0)
        err_set(err,
                "%s: %" PRIu64 " of %" PRIu64 " rows (%.3g %%) break the schema, allowed are "
                "%.3g %%; the first: %s; all are in %s",
                input, r->n, rows, 100.0 * (double)r->n / (double)rows, 100.0 * max_share, r->first,
                path);
    free(path);
    return -1;
}

int rejects_commit(struct rejects *r, struct err *err)
{
    return flush(r, err) ? -1 : output_commit(&r->output, err);
}

void rejects_release(struct rejects *r)
{
    output_release(&r->output);
    free(r->text);
    r->text = NULL;
}
