#define _GNU_SOURCE // qsort_r
#include "features/batch.h"

#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "features/snapshot.h"
#include "features/split.h"
#include "ingest/table.h"

#include <stdlib.h>
#include <string.h>

// Rows of a block: enough that threads seldom wait for each other, few enough for the caches.
enum { BLOCK = 32768 };

struct batch {
    struct table table;
    struct plan plan;
    struct state state;
    struct table_writer writer;
    unsigned threads;
    const int64_t *time;  // [table.rows] in time order
    uint64_t *order;      // [table.rows] row numbers in time order; NULL: they are already
    uint64_t *gathered;   // [schema.n][BLOCK] the block's rows, where they must be put in order
    const void **columns; // [schema.n] the block's columns
    float **inputs;       // [n_inputs][BLOCK], one allocation
    struct table_column *written; // [n_written] of the feature table; data: the block's
    size_t n_written, n;          // n: rows of the block
};

static const struct table_column *source(const struct batch *b, size_t column)
{
    return &b->table.columns[table_find(&b->table, b->plan.schema.columns[column].name)];
}

// A feature may be a column: `amount = amount`. Numbers are not copied, so names stay apart.
static bool is_copied(const struct batch *b, size_t column)
{
    return b->plan.schema.columns[column].kind != COLUMN_NUMBER;
}

// ---- opening ----

// Of two rows, by their numbers.
static int by_time(const void *a, const void *b, void *times)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    const int64_t *time = times;
    if (time[x] != time[y])
        return time[x] < time[y] ? -1 : 1;
    return x < y ? -1 : 1;
}

static void sort_rows(struct batch *b)
{
    const uint64_t n = b->table.rows;
    const int64_t *time = b->table.columns[table_find_kind(&b->table, COLUMN_TIME)].data;
    uint64_t i = 1;
    while (i < n && time[i] >= time[i - 1])
        i++;
    b->time = time;
    if (i >= n)
        return;
    int64_t *sorted = xreallocarray(NULL, n, sizeof *sorted);
    b->order = xreallocarray(NULL, n, sizeof *b->order);
    for (i = 0; i < n; i++)
        b->order[i] = i;
    qsort_r(b->order, n, sizeof *b->order, by_time, (void *)time);
    for (i = 0; i < n; i++)
        sorted[i] = time[b->order[i]];
    b->time = sorted;
}

static int check_columns(const struct batch *b, struct err *err)
{
    const struct schema *s = &b->plan.schema;
    for (size_t i = 0; i < s->n; i++)
        if (!table_data(&b->table, s->columns[i].name, s->columns[i].kind, err))
            return err_prefix(err, "the table and [columns] differ, run ingest again");
    return 0;
}

// Spell out the values of the onehots of a category column.
static int fit_column(struct batch *b, int column, struct row_range rows, struct err *err)
{
    const struct table_column *c = source(b, (size_t)column);
    const uint32_t *codes = c->data;
    struct plan_value *values = xcalloc(c->dictionary_size, sizeof *values);
    for (size_t i = 0; i < c->dictionary_size; i++)
        values[i].text = c->dictionary[i];
    for (uint64_t i = rows.first; i < rows.end; i++)
        values[codes[b->order ? b->order[i] : i]].rows++;
    int rc = plan_fit(&b->plan, column, values, c->dictionary_size, err);
    free(values);
    return rc;
}

static int fit_onehots(struct batch *b, const struct config *c, struct err *err)
{
    struct split split;
    if (split_labels(&split, c, &b->plan.schema, err)) // train would refuse it later
        return -1;
    if (plan_unfitted(&b->plan) < 0)
        return 0;
    if (split_from_config(&split, c, err))
        return -1;
    const struct row_range rows = split_rows(&split.train, 0, b->time, b->table.rows);
    for (int column; (column = plan_unfitted(&b->plan)) >= 0;)
        if (fit_column(b, column, rows, err))
            return -1;
    return 0;
}

static void open_state(struct batch *b)
{
    const json_t *key = json_object_get(b->table.provenance, "key_fingerprint");
    state_init(&b->state, &b->plan, b->threads);
    if (json_is_string(key))
        b->state.key_fingerprint = strtoull(json_string_value(key), NULL, 16);
    for (size_t i = 0; i < b->plan.schema.n; i++) {
        const struct table_column *c = source(b, i);
        if (c->kind == COLUMN_CATEGORY)
            state_bind(&b->state, (int)i, (const char *const *)c->dictionary, c->dictionary_size);
    }
}

// The columns of the feature table, and room for a block of them.
static int open_writer(struct batch *b, const char *output, struct err *err)
{
    const struct plan *p = &b->plan;
    size_t n = 0;
    b->gathered = xcalloc(b->order ? p->schema.n * BLOCK : 0, sizeof *b->gathered);
    b->columns = xcalloc(p->schema.n, sizeof *b->columns);
    b->inputs = xcalloc(p->n_inputs, sizeof *b->inputs);
    b->written = xcalloc(p->schema.n + p->n_inputs, sizeof *b->written);
    b->inputs[0] = xcalloc(p->n_inputs * BLOCK, sizeof **b->inputs);
    for (size_t i = 0; i < p->schema.n; i++)
        if (is_copied(b, i))
            b->written[n++] = *source(b, i);
    for (size_t i = 0; i < p->n_inputs; i++) {
        b->inputs[i] = b->inputs[0] + i * BLOCK;
        b->written[n++] = (struct table_column){
            .name = p->inputs[i].name, .kind = COLUMN_FEATURE, .data = b->inputs[i]};
    }
    b->n_written = n;
    return table_writer_open(&b->writer, output, b->written, n, err);
}

// ---- running ----

// Rows [first, first + b->n) in time order of a column: in place, or gathered.
static const void *column_rows(const struct batch *b, size_t column, uint64_t first)
{
    const struct table_column *c = source(b, column);
    const size_t size = column_size(c->kind);
    const char *data = c->data;
    if (!b->order)
        return data + first * size;
    char *to = (char *)(b->gathered + column * BLOCK);
    for (size_t i = 0; i < b->n; i++)
        memcpy(to + i * size, data + b->order[first + i] * size, size);
    return to;
}

// Columns are written independently of each other, so each thread takes every so many-th of them.
static int append_share(void *arg, unsigned thread, struct err *err)
{
    struct batch *b = arg;
    for (size_t i = thread; i < b->n_written; i += b->threads)
        if (table_writer_append(&b->writer, i, b->written[i].data, b->n, err))
            return -1;
    return 0;
}

static int run_block(struct batch *b, uint64_t first, struct err *err)
{
    size_t written = 0;
    for (size_t i = 0; i < b->plan.schema.n; i++) {
        b->columns[i] = column_rows(b, i, first);
        if (is_copied(b, i))
            b->written[written++].data = b->columns[i];
    }
    const struct events events = {b->n, b->columns};
    if (state_run(&b->state, &events, b->inputs, err))
        return -1;
    return parallel_run(b->threads, append_share, b, err);
}

static int run_blocks(struct batch *b, uint64_t rows, struct err *err)
{
    struct progress progress;
    int rc = 0;
    progress_init(&progress, "features", rows);
    for (uint64_t first = 0; first < rows && rc == 0; first += b->n) {
        b->n = rows - first < BLOCK ? (size_t)(rows - first) : BLOCK;
        rc = run_block(b, first, err);
        progress_set(&progress, first + b->n);
    }
    progress_done(&progress);
    return rc;
}

static int commit(struct batch *b, const struct config *c, struct err *err)
{
    static const char *const sections[] = {"columns", "features", "split", NULL};
    char checksum[17];
    const int fd = output_dir_create(&b->writer.dir, SNAPSHOT_NAME, err);
    if (fd < 0)
        return -1;
    int rc = snapshot_save(&b->state, fd, b->writer.dir.path, err);
    if (output_dir_close(&b->writer.dir, fd, err) || rc)
        return -1;
    json_t *provenance = json_pack(
        "{s:O, s:O, s:s, s:o, s:I, s:s}", "table", b->table.provenance, "columns", b->table.summary,
        "config_xxh3", checksum_text(checksum, config_checksum(c, sections)), "plan",
        plan_to_json(&b->plan), "not_finite", (json_int_t)atomic_load(&b->state.not_finite),
        "program", "assay " ASSAY_VERSION);
    if (table_writer_finish(&b->writer, provenance, err))
        return -1;
    return output_commit(&b->writer.dir, err);
}

static int run(struct batch *b, const struct config *c, const char *table, const char *output,
               int64_t until, struct batch_result *result, struct err *err)
{
    if (plan_from_config(&b->plan, c, err) || table_open(&b->table, table, err) ||
        check_columns(b, err))
        return -1;
    sort_rows(b);
    if (fit_onehots(b, c, err))
        return -1;
    open_state(b);
    LOWER_BOUND(result->rows, 0, b->table.rows, b->time[result->rows] < until);
    if (open_writer(b, output, err) || run_blocks(b, result->rows, err) || commit(b, c, err))
        return -1;
    result->warning = plan_warning(&b->plan);
    result->not_finite = atomic_load(&b->state.not_finite);
    return 0;
}

int batch_run(const struct config *c, const char *table, const char *output, unsigned threads,
              int64_t until, struct batch_result *result, struct err *err)
{
    static struct batch b; // lives as long as the program: a million histories are slow to free
    b.threads = threads;
    int rc = run(&b, c, table, output, until, result, err);
    table_writer_release(&b.writer);
    return rc;
}
