// The batch execution: blocks of the table through the state, columns out.
#define _DEFAULT_SOURCE // reallocarray
#include "features/batch.h"

#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "features/snapshot.h"
#include "features/split.h"

#include <stdlib.h>
#include <string.h>

// Rows of a block: enough that threads seldom wait for each other, few enough for the caches.
enum { BLOCK = 32768 };

static const char *const config_sections[] = {"columns", "features", "split"};

// ---- opening ----

struct timed {
    int64_t time;
    uint64_t row;
};

static int by_time(const void *a, const void *b)
{
    const struct timed *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int sort_rows(struct batch *b, const int64_t *time, struct err *err)
{
    uint64_t n = b->table.rows, i = 1;
    while (i < n && time[i] >= time[i - 1])
        i++;
    if (i >= n)
        return 0;
    struct timed *timed = reallocarray(NULL, n, sizeof *timed);
    if (!timed)
        return err_set(err, "%s: out of memory for putting %llu rows in time order", b->table.path,
                       (unsigned long long)n);
    for (i = 0; i < n; i++)
        timed[i] = (struct timed){time[i], i};
    qsort(timed, n, sizeof *timed, by_time);
    b->order = (uint64_t *)timed; // row numbers move to the front of the same memory
    for (i = 0; i < n; i++)
        b->order[i] = timed[i].row;
    return 0;
}

// The table must have been ingested with the columns that the configuration declares now.
static int check_columns(const struct batch *b, struct err *err)
{
    for (size_t i = 0; i < b->plan.schema.n; i++) {
        const struct schema_column *c = &b->plan.schema.columns[i];
        if (!table_data(&b->table, c->name, c->kind, err))
            return err_prefix(err, "the table and [columns] differ, run ingest again");
    }
    return 0;
}

static const int64_t *time_column(const struct batch *b)
{
    return b->table.columns[table_find_kind(&b->table, COLUMN_TIME)].data;
}

static uint64_t row_at(const struct batch *b, uint64_t i)
{
    return b->order ? b->order[i] : i;
}

// The training rows' codes of a category, for the values that onehot keeps.
static uint32_t *training_codes(const struct batch *b, const uint32_t *codes, struct row_range rows)
{
    uint32_t *picked = reallocarray(NULL, rows.end - rows.first + 1, sizeof *picked);
    for (uint64_t i = rows.first; picked && i < rows.end; i++)
        picked[i - rows.first] = codes[row_at(b, i)];
    return picked;
}

static int training_rows(const struct batch *b, const struct config *c, struct row_range *rows,
                         struct err *err)
{
    struct split split;
    if (split_from_config(&split, c, err))
        return -1;
    const int64_t *time = time_column(b);
    int64_t *sorted = NULL;
    if (b->order) {
        sorted = reallocarray(NULL, b->table.rows, sizeof *sorted);
        if (!sorted)
            return err_set(err, "out of memory");
        for (uint64_t i = 0; i < b->table.rows; i++)
            sorted[i] = time[b->order[i]];
    }
    *rows = split_rows(&split.train, 0, sorted ? sorted : time, b->table.rows);
    free(sorted);
    return 0;
}

static int fit_onehots(struct batch *b, const struct config *c, struct err *err)
{
    struct row_range rows = {0, 0};
    if (!plan_wants_fit(&b->plan))
        return 0;
    if (training_rows(b, c, &rows, err))
        return -1;
    size_t n = b->plan.schema.n;
    struct plan_categories *categories = calloc(n + 1, sizeof *categories);
    uint32_t **codes = calloc(n + 1, sizeof *codes);
    int rc = categories && codes ? 0 : err_set(err, "out of memory");
    for (size_t i = 0; i < n && rc == 0; i++) {
        if (b->plan.schema.columns[i].kind != COLUMN_CATEGORY)
            continue;
        int at = table_find(&b->table, b->plan.schema.columns[i].name);
        const struct table_column *column = &b->table.columns[at];
        codes[i] = training_codes(b, column->data, rows);
        if (!codes[i])
            rc = err_set(err, "out of memory");
        categories[i] =
            (struct plan_categories){(const char *const *)column->dictionary,
                                     column->dictionary_size, codes[i], rows.end - rows.first};
    }
    if (rc == 0)
        rc = plan_fit(&b->plan, categories, err);
    for (size_t i = 0; codes && i < n; i++)
        free(codes[i]);
    free(codes);
    free(categories);
    return rc;
}

int batch_open(struct batch *b, const char *table_path, const struct config *c, struct err *err)
{
    *b = (struct batch){0};
    struct schema schema;
    if (schema_from_config(&schema, c, err))
        return -1;
    int rc = plan_from_config(&b->plan, &schema, c, err);
    schema_release(&schema);
    if (rc || table_open(&b->table, table_path, err) || check_columns(b, err) ||
        sort_rows(b, time_column(b), err) || fit_onehots(b, c, err)) {
        batch_release(b);
        return -1;
    }
    b->config_xxh3 = config_checksum(c, config_sections, 3);
    return 0;
}

void batch_release(struct batch *b)
{
    free(b->order);
    plan_release(&b->plan);
    table_release(&b->table);
    *b = (struct batch){0};
}

// ---- running ----

struct runner {
    struct batch *b;
    struct state state;
    struct table_writer writer;
    const struct table_column **source; // [schema.n] the table's columns
    size_t *kept;                       // [n_kept] of those the ones that are copied
    size_t n_kept;
    void **gathered;      // [schema.n][BLOCK], where rows must be put in order
    const void **columns; // [schema.n] the block's columns
    float **out;          // [n_inputs][BLOCK]
    unsigned threads;
};

static int allocate(struct runner *r, struct err *err)
{
    const struct plan *p = &r->b->plan;
    const size_t n = p->schema.n;
    r->source = calloc(n + 1, sizeof *r->source);
    r->kept = calloc(n + 1, sizeof *r->kept);
    r->gathered = calloc(n + 1, sizeof *r->gathered);
    r->columns = calloc(n + 1, sizeof *r->columns);
    r->out = calloc(p->n_inputs + 1, sizeof *r->out);
    bool bad = !r->source || !r->kept || !r->gathered || !r->columns || !r->out;
    for (size_t i = 0; i < p->n_inputs && !bad; i++)
        bad = !(r->out[i] = calloc(BLOCK, sizeof **r->out));
    for (size_t i = 0; i < n && !bad; i++) {
        const struct schema_column *c = &p->schema.columns[i];
        r->source[i] = &r->b->table.columns[table_find(&r->b->table, c->name)];
        if (c->kind != COLUMN_NUMBER)
            r->kept[r->n_kept++] = i;
        if (r->b->order)
            bad = !(r->gathered[i] = calloc(BLOCK, column_size(c->kind)));
    }
    return bad ? err_set(err, "out of memory") : 0;
}

// A feature may be a column: `amount = amount`. Numbers are not copied, so names stay apart.
static int open_writer(struct runner *r, const char *output, struct err *err)
{
    const struct plan *p = &r->b->plan;
    struct table_column *columns = calloc(r->n_kept + p->n_inputs, sizeof *columns);
    if (!columns)
        return err_set(err, "out of memory");
    for (size_t i = 0; i < r->n_kept; i++)
        columns[i] = *r->source[r->kept[i]];
    for (size_t i = 0; i < p->n_inputs; i++)
        columns[r->n_kept + i] =
            (struct table_column){.name = p->inputs[i].name, .kind = COLUMN_FEATURE};
    int rc = table_writer_open(&r->writer, output, columns, r->n_kept + p->n_inputs, err);
    free(columns);
    return rc;
}

static int open_state(struct runner *r, struct err *err)
{
    const struct plan *p = &r->b->plan;
    const json_t *key = json_object_get(r->b->table.provenance, "key_fingerprint");
    if (state_init(&r->state, p, r->threads, err))
        return -1;
    if (json_is_string(key))
        r->state.key_fingerprint = strtoull(json_string_value(key), NULL, 16);
    for (size_t i = 0; i < p->schema.n; i++) {
        const struct table_column *c = r->source[i];
        if (c->kind == COLUMN_CATEGORY)
            state_bind(&r->state, (int)i, (const char *const *)c->dictionary, c->dictionary_size);
    }
    return 0;
}

// Rows [first, first + n) in time order of a column: in place, or gathered.
static const void *column_rows(const struct runner *r, size_t column, uint64_t first, size_t n)
{
    const struct table_column *c = r->source[column];
    size_t size = column_size(c->kind);
    const char *data = c->data;
    if (!r->b->order)
        return data + first * size;
    char *to = r->gathered[column];
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * size, data + r->b->order[first + i] * size, size);
    return to;
}

// Columns are written independently of each other, so each thread takes every so many-th of them.
struct append {
    struct runner *r;
    size_t n; // rows
};

static int append_share(void *arg, unsigned thread, struct err *err)
{
    const struct append *a = arg;
    struct runner *r = a->r;
    for (size_t i = thread; i < r->n_kept + r->b->plan.n_inputs; i += r->threads) {
        const void *values =
            i < r->n_kept ? r->columns[r->kept[i]] : (const void *)r->out[i - r->n_kept];
        if (table_writer_append(&r->writer, i, values, a->n, err))
            return -1;
    }
    return 0;
}

static int run_block(struct runner *r, uint64_t first, size_t n, struct err *err)
{
    for (size_t i = 0; i < r->b->plan.schema.n; i++)
        r->columns[i] = column_rows(r, i, first, n);
    struct events events = {n, r->columns};
    if (state_run(&r->state, &events, r->out, err))
        return -1;
    return parallel_run(r->threads, append_share, &(struct append){r, n}, err);
}

static int finish(struct runner *r, struct err *err)
{
    const struct batch *b = r->b;
    char checksum[17];
    int fd = output_dir_create(&r->writer.dir, SNAPSHOT_NAME, err);
    if (fd < 0)
        return -1;
    int rc = snapshot_save(&r->state, fd, r->writer.dir.path, err);
    if (output_dir_close(&r->writer.dir, fd, err) || rc)
        return -1;
    json_t *provenance = json_pack(
        "{s:O, s:s, s:o, s:I, s:s}", "table", b->table.provenance, "config_xxh3",
        checksum_text(checksum, b->config_xxh3), "plan", plan_to_json(&b->plan), "not_finite",
        (json_int_t)atomic_load(&r->state.not_finite), "program", "assay " ASSAY_VERSION);
    rc = provenance ? table_writer_commit(&r->writer, provenance, err)
                    : err_set(err, "out of memory");
    json_decref(provenance);
    return rc;
}

static uint64_t rows_until(const struct batch *b, int64_t until)
{
    const int64_t *time = time_column(b);
    uint64_t low = 0, high = b->table.rows;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (time[row_at(b, middle)] < until)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int run(struct runner *r, const char *output, int64_t until, struct err *err)
{
    struct progress progress;
    uint64_t rows = rows_until(r->b, until);
    if (allocate(r, err) || open_state(r, err) || open_writer(r, output, err))
        return -1;
    progress_init(&progress, "features", rows);
    int rc = 0;
    for (uint64_t first = 0; first < rows && rc == 0; first += BLOCK) {
        size_t n = rows - first < BLOCK ? (size_t)(rows - first) : BLOCK;
        rc = run_block(r, first, n, err);
        progress_set(&progress, first + n);
    }
    progress_done(&progress);
    if (rc)
        return -1;
    r->b->rows = rows;
    r->b->not_finite = atomic_load(&r->state.not_finite);
    return finish(r, err);
}

int batch_run(struct batch *b, const char *output, unsigned threads, int64_t until, struct err *err)
{
    struct runner r = {.b = b, .threads = threads};
    int rc = run(&r, output, until, err);
    table_writer_release(&r.writer);
    if (r.state.plan)
        state_release(&r.state);
    for (size_t i = 0; r.out && i < b->plan.n_inputs; i++)
        free(r.out[i]);
    for (size_t i = 0; r.gathered && i < b->plan.schema.n; i++)
        free(r.gathered[i]);
    free(r.source);
    free(r.kept);
    free(r.gathered);
    free(r.columns);
    free(r.out);
    return rc;
}
