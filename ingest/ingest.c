// The stage: settings, then blocks of rows through two threads, then commit or refuse.
//
// While one thread reads and parses the next block, the other converts this one; they meet after
// each block, so the result is that of one thread.
#include "ingest/ingest.h"

#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "ingest/convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// All that a run holds.
struct run {
    struct ingest *ingest;
    struct dataset dataset;
    struct pseudonym pseudonym;
    struct csv csv;
    struct csv_block blocks[2];
    struct convert convert;
    struct table_writer writer;
    struct rejects rejects;
};

// ---- blocks ---------------------------------------------------------------------------------------

struct step {
    struct run *run;
    struct csv_block *parsed, *converted;
};

static int run_half(void *arg, unsigned i, struct err *err)
{
    const struct step *s = arg;
    return i == 0 ? convert_block(&s->run->convert, s->converted, err)
                  : csv_next(&s->run->csv, s->parsed, CSV_BLOCK_ROWS, err);
}

// Convert one block while the next is parsed. A failure of the earlier block comes first.
static int run_step(struct run *r, struct csv_block *parsed, struct csv_block *converted,
                    struct err *err)
{
    return parallel_run(2, run_half, &(struct step){r, parsed, converted}, err);
}

static int convert_rows(struct run *r, struct err *err)
{
    struct progress progress;
    progress_init(&progress, "ingest", r->csv.input.size);
    int rc = csv_next(&r->csv, &r->blocks[0], CSV_BLOCK_ROWS, err);
    for (int i = 0; rc == 0 && r->blocks[i].n_rows > 0; i = !i) {
        rc = run_step(r, &r->blocks[!i], &r->blocks[i], err);
        progress_set(&progress, r->csv.input.bytes);
    }
    progress_done(&progress);
    return rc;
}

static int convert_file(struct run *r, struct err *err)
{
    if (csv_next(&r->csv, &r->blocks[0], 1, err) || convert_header(&r->convert, &r->blocks[0], err))
        return -1;
    csv_select(&r->csv, r->convert.wanted, r->convert.n_wanted);
    if (convert_rows(r, err))
        return -1;
    convert_finish(&r->convert);
    return 0;
}

// ---- outputs --------------------------------------------------------------------------------------

static int open_outputs(struct run *r, struct err *err)
{
    const struct ingest *g = r->ingest;
    struct table_column *columns = calloc(r->dataset.schema.n, sizeof *columns);
    char *beside = malloc(strlen(g->output) + sizeof "/rejects.csv");
    int rc = -1;
    if (!columns || !beside) {
        err_set(err, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < r->dataset.schema.n; i++) {
        columns[i].name = r->dataset.schema.columns[i].name;
        columns[i].kind = r->dataset.schema.columns[i].kind;
    }
    size_t n = strlen(g->output);
    while (n > 1 && g->output[n - 1] == '/')
        n--;
    while (n > 0 && g->output[n - 1] != '/')
        n--;
    sprintf(beside, "%.*srejects.csv", (int)n, g->output);
    rc = table_writer_open(&r->writer, g->output, columns, r->dataset.schema.n, err);
    if (rc == 0)
        rc = rejects_open(&r->rejects, g->rejects ? g->rejects : beside, g->keep_raw_rejects, err);
out:
    free(columns);
    free(beside);
    return rc;
}

static json_t *provenance(const struct run *r)
{
    static const char *const sections[] = {"input", "columns"};
    char input[17], config[17], key[17];
    checksum_text(input, input_xxh3(&r->csv.input));
    checksum_text(key, pseudonym_fingerprint(&r->pseudonym));
    checksum_text(config, config_checksum(&r->dataset.config, sections, 2));
    return json_pack("{ss, sI, ss, ss, ss, ss, so, sI}", "input", r->csv.input.name, "input_bytes",
                     (json_int_t)r->csv.input.bytes, "input_xxh3", input, "config_xxh3", config,
                     "key_fingerprint", key, "program", "assay " ASSAY_VERSION, "schema",
                     schema_to_json(&r->dataset.schema), "rejected", (json_int_t)r->rejects.n);
}

// Refused: the old table stands; rejects.csv is written all the same, to show why.
static int check_rate(struct run *r, struct err *err)
{
    uint64_t n = r->rejects.n, seen = r->convert.seen;
    char path[512];
    if (seen == 0)
        return err_set(err, "%s: no rows behind the header", r->csv.input.name);
    if (r->convert.rows > 0 && (double)n <= r->dataset.max_reject_rate * (double)seen)
        return 0;
    snprintf(path, sizeof path, "%s", r->rejects.output.path);
    if (rejects_commit(&r->rejects, err))
        return -1;
    return err_set(err,
                   "%s: %" PRIu64 " of %" PRIu64 " rows (%.3g %%) break the schema, allowed are "
                   "%.3g %%; the first: %s; all are in %s",
                   r->csv.input.name, n, seen, 100.0 * (double)n / (double)seen,
                   100.0 * r->dataset.max_reject_rate, r->rejects.first, path);
}

static int commit(struct run *r, struct err *err)
{
    json_t *from = provenance(r);
    if (!from)
        return err_set(err, "%s: out of memory, or its name is not UTF-8", r->csv.input.name);
    int rc = table_writer_commit(&r->writer, from, err);
    json_decref(from);
    return rc ? -1 : rejects_commit(&r->rejects, err);
}

int ingest_run(struct ingest *g, struct err *err)
{
    struct run r = {.ingest = g, .csv.input.fd = -1};
    int rc = -1;
    if (dataset_load(&r.dataset, g->config, g->input, err) ||
        csv_open(&r.csv, r.dataset.file, r.dataset.delimiter, err) ||
        pseudonym_load(&r.pseudonym, g->key, true, err) || open_outputs(&r, err) ||
        convert_open(&r.convert, r.csv.input.name, &r.dataset.schema, &r.pseudonym, &r.writer,
                     &r.rejects, err))
        goto out;
    r.csv.keep_raw = g->keep_raw_rejects;
    if (convert_file(&r, err) || check_rate(&r, err))
        goto out;
    rc = commit(&r, err);
    g->rows = r.convert.rows;
    g->rejected = r.rejects.n;
    g->bytes = r.csv.input.bytes;
out:
    convert_release(&r.convert);
    rejects_release(&r.rejects);
    table_writer_release(&r.writer);
    csv_block_release(&r.blocks[0]);
    csv_block_release(&r.blocks[1]);
    csv_release(&r.csv);
    dataset_release(&r.dataset);
    return rc;
}
