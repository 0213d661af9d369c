// export: a served period as a feature table or as a raw one (--transactions), or a check that what
// was served can be computed again. It reads the database while a server writes to it, or without one.
//
// The table has the format of features/main.c: inputs as they were served, labels as they were known
// at a time of the data clock, and three more columns: _probability, _decision (1: review) and _version,
// which may change within a table. The raw one has the columns of ingest's table.
#include "base/memory.h"
#include "base/option.h"
#include "base/progress.h"
#include "base/value.h"
#include "features/split.h"
#include "serve/service.h"
#include "train/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { BLOCK = 8192 }; // rows that are written at a time

static const char *config_path = "datasets/simulated.ini", *models = "models/simulated";
static const char *database = "var/assay.db", *output = "build/simulated/served";
static const char *state_path = "build/simulated/features/state.bin";
static int64_t from = INT64_MIN, until = INT64_MAX, labels_as_of = INT64_MIN;
static bool verify, transactions;

// They live as long as the program.
static struct model model; // any with the database's plan
static const struct plan *const plan = &model.plan;
static const struct schema *const schema = &model.plan.schema;
static struct store store;
static struct dictionary *known; // [schema->n]: what the plan asks for

// The newest version that has the plan.
static int find_model(struct err *err)
{
    static struct registry r;
    struct err why = {""};
    if (registry_read(&r, models, err))
        return -1;
    for (int64_t version = registry_latest(&r); version > 0; version--, model_release(&model))
        if (registry_load(&r, version, &model, &why) == 0 &&
            plan_checksum(plan) == store.identity.plan)
            return 0;
    return err_set(err,
                   "%s: holds transactions with other [columns] or [features] than the models of "
                   "%s; give --models the registry whose models decided%s%.500s",
                   store.path, models, *why.msg ? "; " : "", why.msg);
}

static int open_database(struct err *err)
{
    if (store_open_reader(&store, database, err) || find_model(err))
        return -1;
    known = xcalloc(schema->n, sizeof *known);
    return dictionaries_of_plan(known, plan, err) || store_bind(&store, plan, known, err) ? -1 : 0;
}

// ---- the table ----

static struct table_writer writer;
static struct table_column *columns; // [n_columns] of the table
static const void **places;          // [n_columns]: where a row has its value, or its text
static uint64_t *block;              // [n_columns][BLOCK]: room for any kind of value
static size_t n_columns, n;          // n: rows of the block
static struct dictionary *texts;     // [n_columns] of categories
static int8_t label;                 // the row's
static double decided[3];            // probability, decision and version of the row
static XXH3_state_t *hash;
static struct progress progress;
static uint64_t rows, labelled, overdue; // overdue: mature, but without a label
static int64_t label_delay;

// NOLINTNEXTLINE(readability-non-const-parameter): it goes into a table, whose names are not const
static void add_column(char *name, enum column_kind kind, const void *place)
{
    columns[n_columns] = (struct table_column){.name = name, .kind = kind};
    places[n_columns++] = place;
}

static int open_table(struct err *err)
{
    static char names[][16] = {"_probability", "_decision", "_version"}; // no input begins with _
    const size_t most = schema->n + plan->n_inputs + 3;
    columns = xcalloc(most, sizeof *columns);
    places = xcalloc(most, sizeof *places);
    texts = xcalloc(most, sizeof *texts);
    hash = xchecked(XXH3_createState());
    XXH3_64bits_reset(hash);
    for (size_t c = 0; c < schema->n; c++) {
        const enum column_kind kind = schema->columns[c].kind;
        if (transactions || kind != COLUMN_NUMBER) // numbers are in the inputs of a feature table
            add_column(schema->columns[c].name, kind,
                       kind == COLUMN_LABEL      ? &label
                       : kind == COLUMN_CATEGORY ? (const void *)&store.one->texts[c]
                                                 : store.columns[c]);
    }
    for (size_t i = 0; i < plan->n_inputs && !transactions; i++)
        add_column(plan->inputs[i].name, COLUMN_FEATURE, &store.one->x[i]);
    for (size_t i = 0; i < 3 && !transactions; i++)
        add_column(names[i], COLUMN_NUMBER, &decided[i]);
    block = xcalloc(n_columns * BLOCK, sizeof *block);
    return table_writer_open(&writer, output, columns, n_columns, err);
}

static int write_block(struct err *err)
{
    for (size_t c = 0; c < n_columns; c++) {
        const uint64_t *values = block + c * BLOCK;
        XXH3_64bits_update(hash, values, n * column_size(columns[c].kind));
        if (table_writer_append(&writer, c, values, n, err))
            return -1;
    }
    rows += n;
    n = 0;
    progress_set(&progress, rows);
    return 0;
}

static int put_row(void *arg, const struct store_row *row, const struct store_label *none,
                   struct err *err)
{
    const int64_t time = row->values[schema_find_kind(schema, COLUMN_TIME)];
    uint32_t code = 0;
    (void)arg, (void)none;
    label = (int8_t)row->label;
    decided[0] = row->decision.probability;
    decided[1] = row->decision.review;
    decided[2] = (double)row->decision.version;
    for (size_t i = 0; i < n_columns; i++) {
        const size_t size = column_size(columns[i].kind);
        const void *value = places[i];
        if (columns[i].kind == COLUMN_CATEGORY) {
            value = &code;
            if (dictionary_code(&texts[i], *(const char *const *)places[i], &code, err))
                return err_prefix(err, "%s: %s", store.path, columns[i].name);
        }
        memcpy((char *)(block + i * BLOCK) + n * size, value, size);
    }
    labelled += label >= 0;
    overdue += label < 0 && time <= labels_as_of - label_delay;
    return ++n == BLOCK ? write_block(err) : 0;
}

static int commit(struct err *err)
{
    char sum[3][17];
    for (size_t c = 0; c < n_columns; c++)
        table_writer_dictionary(&writer, c, &texts[c]);
    json_t *provenance =
        json_pack("{s:s, s:s, s:s}", "input_xxh3", checksum_text(sum[0], XXH3_64bits_digest(hash)),
                  "key_fingerprint", checksum_text(sum[1], store.identity.key_fingerprint),
                  "base_xxh3", checksum_text(sum[2], store.identity.base));
    if (!transactions)
        provenance = json_pack("{s:o, s:o}", "plan", plan_to_json(plan), "table", provenance);
    json_object_set_new(provenance, "labels_as_of", json_integer((json_int_t)labels_as_of));
    json_object_set_new(provenance, "program", json_string("assay " ASSAY_VERSION));
    if (table_writer_finish(&writer, provenance, err))
        return -1;
    return output_commit(&writer.dir, err);
}

static int export_table(double start, struct err *err)
{
    static struct config config;
    static struct table old;
    struct split split;
    struct err none;
    int64_t clock;
    char text[2][TIME_TEXT];
    if (table_open(&old, output, &none) == 0 && !json_object_get(old.provenance, "labels_as_of"))
        return err_set(
            err, "--output %s: is a table that export did not write; give another folder", output);
    if (config_load(&config, config_path, err) || split_labels(&split, &config, schema, err) ||
        store_execute(&store, "read", &clock, err,
                      "SELECT clock FROM prediction ORDER BY seq DESC LIMIT 1"))
        return -1;
    if (labels_as_of > clock)
        return err_set(err, "--labels-as-of %s: is later than the newest transaction, of %s",
                       time_text(text[0], labels_as_of), time_text(text[1], clock));
    label_delay = split.label_delay;
    labels_as_of = labels_as_of == INT64_MIN ? clock : labels_as_of;
    store_labels_as_of(&store, labels_as_of);
    progress_init(&progress, "export", 0);
    int rc = open_table(err) || store_each_by_time(&store, from, until, put_row, NULL, err) ||
             write_block(err);
    if (rc == 0 && rows == 0)
        rc = err_set(err, "%s: has no transaction of that period; its newest ones are of %s",
                     store.path, store.next > 1 ? time_text(text[0], clock) : "no time");
    rc = rc || commit(err);
    progress_done(&progress);
    table_writer_release(&writer);
    if (rc)
        return -1;
    printf("labels as of %s: %" PRIu64 " known; of the other transactions %" PRIu64
           " should have one by now and %" PRIu64 " are younger than label_delay\n",
           time_text(text[0], labels_as_of), labelled, overdue, rows - labelled - overdue);
    return summary_print("export", rows, start, 1e-6 * (double)rows, "Mrow/s", output, err);
}

// ---- verification ----

// From the snapshot that the database began with, or from a checkpoint.
static int export_verify(double start, struct err *err)
{
    static struct state state;
    struct snapshot_head head;
    struct replayed found = {0};
    int64_t before;
    if (snapshot_peek(state_path, &head, err))
        return -1;
    if (head.position == 0 && head.checksum != store.identity.base)
        return err_set(err, "%s: is not the state that %s began with", state_path, database);
    if (recovery_load(&state, plan, known, store.identity.key_fingerprint, state_path, err) ||
        store_execute(&store, "count", &before, err,
                      "SELECT count(*) FROM prediction WHERE seq <= %lld",
                      (long long)state.position) ||
        recovery_replay(&state, &store, &found, err))
        return -1;
    printf("%" PRIu64 " values, %" PRIu64 " differ; %" PRId64
           " transactions before %s cannot be verified\n",
           found.values, found.differ, before, state_path);
    if (summary_print("export", found.rows, start, 1e-6 * (double)found.rows, "Mrow/s", database,
                      err))
        return -1;
    return found.differ == 0 ? 0 : err_set(err, "%s", found.first.msg);
}

int main(int argc, char **argv)
{
    const double start = seconds_now();
    const struct program program = {
        "export",
        "",
        "Write the transactions that were served as a feature table; or compute all inputs again "
        "and compare them (--verify). A server may run meanwhile.",
        "build/bin/export --verify",
        {
            {"database", "FILE", "the server's database", .text = &database},
            {"from", "TIME", "only transactions from this date or time on, UTC", .time = &from},
            {"until", "TIME", "and before this one", .time = &until},
            {"labels-as-of", "TIME",
             "labels as they were known at this time of the data clock (default: at the newest "
             "transaction)",
             .time = &labels_as_of},
            {"output", "DIR", "table to write", .text = &output},
            {"transactions", NULL, "the raw columns instead of the inputs: a table for features",
             .flag = &transactions},
            {"verify", NULL,
             "compute inputs and label values again, not decisions; exit 1 if one differs",
             .flag = &verify},
            {"models", "DIR", "registry with a model of the same features", .text = &models},
            {"config", "FILE", "dataset description, for its label_delay", .text = &config_path},
            {"state", "FILE",
             "to verify: the snapshot that the database began with, or a checkpoint",
             .text = &state_path},
        }};
    struct err err;
    umask(077); // only the owner may read pseudonyms
    json_set_alloc_funcs(xmalloc, free);
    int rc = option_parse(&program, argc, argv, &err);
    if (rc > 0 && verify &&
        (from != INT64_MIN || until != INT64_MAX || labels_as_of != INT64_MIN || transactions))
        rc = err_set(&err, "--verify, and --from, --until, --labels-as-of and --transactions of a "
                           "table exclude each other");
    if (rc > 0 && from >= until)
        rc = err_set(&err, "the period is empty: --from must be earlier than --until");
    if (rc <= 0)
        return option_exit(&program, rc, &err);
    rc = open_database(&err) ? -1 : verify ? export_verify(start, &err) : export_table(start, &err);
    store_close(&store);
    return rc ? err_report("export", &err) : 0;
}
