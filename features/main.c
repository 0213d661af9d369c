// features: column tables into one feature table, in blocks of rows in time order, and the state that
// a server starts from.
//
// The feature table has the ingested table's id, time, keys, categories and label, one float32
// column per input of the plan, and as a further file the state after the last row (snapshot.c). Its rows
// are in time order (rows with equal times keep theirs), or with [split] shuffle in that of
// table_shuffle. missing values, onehots and hinges are fitted to the training window of [split].
//
// Memory: the state and one block. Several tables, or one out of time order, are copied (table_join).
#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/value.h"
#include "features/split.h"
#include "features/state.h"
#include "ingest/table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <xxhash.h>

// Rows of a block: enough that threads seldom wait for each other, few enough for the caches.
enum { BLOCK = 32768, MAX_SAMPLE = 200000 }; // the latter: for quantiles

static const char *config_path = "datasets/simulated.ini", *output = "build/simulated/features";
static int64_t threads, until = INT64_MAX, shuffle;

// They live as long as the program: a million histories are slow to free.
static struct config config;
static struct table table;
static struct plan plan;
static const struct schema *const schema = &plan.schema;
static struct split split;
static struct state state;
static struct table_writer writer;
static const int64_t *time;  // [table.rows] in time order
static const void **columns; // [schema->n] the block's columns
static float **inputs;       // [n_inputs][BLOCK], one allocation
static struct table_column
    *written; // [n_written] of the feature table; a feature's data: the block's
static size_t n_written;
static struct row_range block;

static const struct table_column *source(size_t column)
{
    return &table.columns[table_find(&table, schema->columns[column].name)];
}

// ---- opening ----

static int open_tables(char **paths, size_t n_tables, struct err *err)
{
    static struct table *tables; // static: in use until the program ends
    static uint64_t *rows;
    tables = xcalloc(n_tables, sizeof *tables);
    rows = xcalloc(n_tables, sizeof *rows);
    for (size_t k = 0; k < n_tables; k++) {
        if (table_open(&tables[k], paths[k], err))
            return -1;
        rows[k] = tables[k].rows;
        for (size_t i = 0; i < schema->n; i++)
            if (!table_data(&tables[k], schema->columns[i].name, schema->columns[i].kind, err))
                return err_prefix(err, "the table and [columns] differ, run ingest again");
    }
    if (table_join(&table, tables, n_tables, rows, err) ||
        (shuffle >= 0 && table_shuffle(&table, (uint64_t)shuffle, err)))
        return -1;
    time = table_first(&table, COLUMN_TIME);
    return 0;
}

// ---- blocks of rows ----

static void open_state(void)
{
    const json_t *key = json_object_get(table.provenance, "key_fingerprint");
    state_init(&state, &plan, (unsigned)threads);
    if (json_is_string(key))
        state.key_fingerprint = strtoull(json_string_value(key), NULL, 16);
    for (size_t i = 0; i < schema->n; i++) {
        const struct table_column *c = source(i);
        if (c->kind == COLUMN_CATEGORY)
            state_bind(&state, (int)i, (const char *const *)c->dictionary, c->dictionary_size);
    }
    columns = xcalloc(schema->n, sizeof *columns);
    inputs = xcalloc(plan.n_inputs, sizeof *inputs + BLOCK * sizeof **inputs);
    for (size_t i = 0; i < plan.n_inputs; i++)
        inputs[i] = (float *)(inputs + plan.n_inputs) + i * BLOCK;
}

// The values of a column from the block's first row on.
static const void *block_data(const struct table_column *c)
{
    return (const char *)c->data + block.first * column_size(c->kind);
}

// The block from a row on, but for rows from `end` on.
static int run_state(uint64_t first, uint64_t end, struct err *err)
{
    block = (struct row_range){first, end - first < BLOCK ? end : first + BLOCK};
    for (size_t i = 0; i < schema->n; i++)
        columns[i] = block_data(source(i));
    const struct events events = {(size_t)(block.end - first), columns};
    return state_run(&state, &events, inputs, err);
}

// ---- fitting ----

// Is a row one of MAX_SAMPLE that are drawn? Selection sampling: Algorithm S of Knuth, The Art of
// Computer Programming 2, 3.4.2, with hashes of the rows' numbers in place of random numbers. left:
// how many rows there are from this one on.
static bool is_drawn(uint64_t row, uint64_t left, size_t taken)
{
    const uint64_t room = MAX_SAMPLE - taken;
    return left <= room || XXH3_64bits(&row, sizeof row) % left < room;
}

// Median (of a sample) or mean of those training rows that have the number; 0 where none has it.
static void fit_missing(struct schema_column *column, const double *all, struct row_range rows)
{
    double *sample = xcalloc(MAX_SAMPLE, sizeof *sample), sum = 0;
    uint64_t known = 0, seen = 0;
    size_t n_taken = 0;
    for (uint64_t i = rows.first; i < rows.end; i++)
        if (!isnan(all[i])) {
            sum += all[i];
            known++;
        }
    for (uint64_t i = rows.first; i < rows.end; i++)
        if (!isnan(all[i]) && is_drawn(i, known - seen++, n_taken))
            sample[n_taken++] = all[i];
    sort_doubles(sample, n_taken);
    column->fill = known == 0 ? 0
                   : strcmp(column->missing, "mean") == 0
                       ? sum / (double)known
                       : (sample[(n_taken - 1) / 2] + sample[n_taken / 2]) / 2;
    free(sample);
}

static int fit_onehot(struct plan_definition *d, struct row_range rows, struct err *err)
{
    const struct table_column *c = source((size_t)d->unfitted);
    const uint32_t *codes = c->data;
    struct plan_value *values = xcalloc(c->dictionary_size, sizeof *values);
    for (size_t i = 0; i < c->dictionary_size; i++)
        values[i].text = c->dictionary[i];
    for (uint64_t i = rows.first; i < rows.end; i++)
        values[codes[i]].rows++;
    int rc = plan_fit_onehot(&plan, d, values, c->dictionary_size, err);
    free(values);
    return rc;
}

// Spell out the knots of all hinges, in one run.
static int fit_hinges(struct row_range rows, struct err *err)
{
    const uint64_t n = rows.end - rows.first, room = n < MAX_SAMPLE ? n : MAX_SAMPLE;
    double *samples = xcalloc(plan.n_definitions * room, sizeof *samples); // [n_definitions][room]
    size_t taken = 0;
    open_state();
    // Windows need the rows before.
    for (uint64_t first = plan.n_tracks ? 0 : rows.first; first < rows.end; first = block.end) {
        if (run_state(first, rows.end, err))
            return -1;
        for (uint64_t row = first; row < block.end; row++) {
            if (row < rows.first || !is_drawn(row, rows.end - row, taken))
                continue;
            for (size_t i = 0; i < plan.n_definitions; i++)
                if (plan.definitions[i].knots > 0)
                    samples[i * room + taken] =
                        (double)inputs[plan.definitions[i].input][row - first];
            taken++;
        }
    }
    state_release(&state);
    free(inputs);
    free(columns);
    for (size_t i = 0; i < plan.n_definitions; i++)
        if (plan.definitions[i].knots > 0)
            plan_fit_hinges(&plan.definitions[i], samples + i * room, taken);
    free(samples);
    return plan_refit(&plan, err);
}

static int fit(struct err *err)
{
    bool hinges = false;
    const struct row_range rows = split_rows(&split.train, -schema->utc_offset, time, table.rows);
    for (size_t i = 0; i < schema->n; i++)
        if (column_fits_missing(&schema->columns[i]))
            fit_missing(&plan.schema.columns[i], source(i)->data, rows);
    for (size_t i = 0; i < plan.n_definitions; i++) {
        struct plan_definition *d = &plan.definitions[i];
        hinges |= d->knots > 0;
        if (d->unfitted >= 0 && fit_onehot(d, rows, err))
            return -1;
    }
    return plan_refit(&plan, err) || (hinges && fit_hinges(rows, err)) ? -1 : 0;
}

// ---- running ----

// The columns of the feature table, and room for a block of them.
static int open_writer(struct err *err)
{
    written = xcalloc(schema->n + plan.n_inputs, sizeof *written);
    // Numbers are not copied, so a feature may have the name of one: `amount = amount`.
    for (size_t i = 0; i < schema->n; i++)
        if (source(i)->kind != COLUMN_NUMBER)
            written[n_written++] = *source(i);
    for (size_t i = 0; i < plan.n_inputs; i++)
        written[n_written++] = (struct table_column){
            .name = plan.inputs[i].name, .kind = COLUMN_FEATURE, .data = inputs[i]};
    return table_writer_open(&writer, output, written, n_written, err);
}

static int run_blocks(uint64_t rows, struct err *err)
{
    struct progress progress;
    int rc = 0;
    progress_init(&progress, "features", rows);
    for (uint64_t first = 0; first < rows && rc == 0; first = block.end) {
        rc = run_state(first, rows, err);
        for (size_t i = 0; i < n_written && rc == 0; i++) {
            const struct table_column *c = &written[i];
            rc =
                table_writer_append(&writer, i, c->kind == COLUMN_FEATURE ? c->data : block_data(c),
                                    (size_t)(block.end - first), err);
        }
        progress_set(&progress, block.end);
    }
    progress_done(&progress);
    return rc;
}

static int commit(struct err *err)
{
    static const char *const sections[] = {"columns", "features", "split", NULL};
    char checksum[17];
    const int fd = output_dir_create(&writer.dir, SNAPSHOT_NAME, err);
    if (fd < 0)
        return -1;
    int rc = snapshot_save(&state, fd, writer.dir.path, err);
    if (output_dir_close(&writer.dir, fd, err) || rc)
        return -1;
    json_t *provenance = json_pack(
        "{s:O, s:O, s:s, s:o, s:I, s:s}", "table", table.provenance, "columns", table.summary,
        "config_xxh3", checksum_text(checksum, config_checksum(&config, sections)), "plan",
        plan_to_json(&plan), "not_finite", (json_int_t)atomic_load(&state.not_finite), "program",
        "assay " ASSAY_VERSION);
    if (shuffle >= 0)
        json_object_set_new(provenance, "shuffle", json_integer(shuffle));
    if (table_writer_finish(&writer, provenance, err))
        return -1;
    return output_commit(&writer.dir, err);
}

static int features(char **paths, size_t n_tables, struct err *err)
{
    const double start = seconds_now();
    // All of [split] is checked here, since train would refuse it later.
    if (config_load(&config, config_path, err) || plan_from_config(&plan, &config, err) ||
        split_from_config(&split, &config, err) || split_labels(&split, &config, schema, err) ||
        split_shuffle(&split, &shuffle, &config, &plan, err) || open_tables(paths, n_tables, err) ||
        fit(err))
        return -1;
    open_state();
    const uint64_t rows = time_rows(INT64_MIN, until, time, table.rows).end;
    const int rc = open_writer(err) || run_blocks(rows, err) || commit(err);
    table_writer_release(&writer);
    if (rc)
        return -1;
    if (state.not_finite)
        fprintf(stderr, "features: %llu values were not finite and became 0\n",
                (unsigned long long)state.not_finite);
    if (plan_warning(&plan))
        fprintf(stderr, "features: %s\n", plan_warning(&plan));
    return summary_print("features", rows, start, 1e-6 * (double)rows, "Mrow/s", output, err);
}

int main(int argc, char **argv)
{
    threads = parallel_threads();
    const struct program program = {
        "features",
        "TABLE...",
        "Compute the features of a column table, and the state after its last row. Several tables "
        "are joined by time, and an id that is in two counts once.",
        "build/bin/features --config datasets/simulated.ini build/simulated/table",
        {
            {"config", "FILE", "dataset description", .text = &config_path},
            {"output", "DIR", "feature table to write", .text = &output},
            {"threads", "N", "worker threads", .number = &threads, 1, PARALLEL_MAX},
            {"until", "TIME", "only rows before this date or time, UTC", .time = &until},
        }};
    struct err err;
    umask(077); // only the owner may read pseudonyms and amounts
    json_set_alloc_funcs(xmalloc, free);
    int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    return features(argv + first, (size_t)(argc - first), &err) ? err_report("features", &err) : 0;
}
