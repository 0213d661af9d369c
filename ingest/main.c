// The program ingest: a CSV, as its .ini describes it, becomes a column table.
//
// The old table stays until the new one is complete. When more rows break the schema than [input]
// max_reject_rate allows, only rejects.csv is written.
#include "base/memory.h"
#include "base/option.h"
#include "base/progress.h"
#include "ingest/convert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ingest {
    const char *config, *input, *output, *rejects_path, *key;
    bool keep_raw_rejects;
    struct dataset dataset;
    struct csv csv;
    struct pseudonym pseudonym;
    struct convert convert;
    struct table_writer writer;
    struct rejects rejects;
};

static int open_outputs(struct ingest *g, struct err *err)
{
    const struct schema *s = &g->dataset.schema;
    struct table_column *columns = xcalloc(s->n, sizeof *columns);
    for (size_t i = 0; i < s->n; i++)
        columns[i] = (struct table_column){.name = s->columns[i].name, .kind = s->columns[i].kind};
    size_t n = strlen(g->output); // of the folder that holds the table
    while (n > 1 && g->output[n - 1] == '/')
        n--;
    while (n > 0 && g->output[n - 1] != '/')
        n--;
    char *beside = xasprintf("%.*srejects.csv", (int)n, g->output);
    int rc = table_writer_open(&g->writer, g->output, columns, s->n, err);
    if (rc == 0)
        rc = rejects_open(&g->rejects, g->rejects_path ? g->rejects_path : beside,
                          g->keep_raw_rejects, err);
    free(columns);
    free(beside);
    return rc;
}

static int commit(struct ingest *g, struct err *err)
{
    static const char *const sections[] = {"input", "columns"};
    char input[17], config[17], key[17];
    checksum_text(input, csv_xxh3(&g->csv));
    checksum_text(key, pseudonym_fingerprint(&g->pseudonym));
    checksum_text(config, config_checksum(&g->dataset.config, sections, 2));
    json_t *provenance =
        json_pack("{ss, sI, ss, ss, ss, ss, so, sI}", "input", g->csv.name, "input_bytes",
                  (json_int_t)g->csv.bytes, "input_xxh3", input, "config_xxh3", config,
                  "key_fingerprint", key, "program", "assay " ASSAY_VERSION, "schema",
                  schema_to_json(&g->dataset.schema), "rejected", (json_int_t)g->rejects.n);
    if (!provenance)
        return err_set(err, "%s: its name is not UTF-8", g->csv.name);
    int rc = table_writer_commit(&g->writer, provenance, err);
    json_decref(provenance);
    return rc ? -1 : rejects_commit(&g->rejects, err);
}

static int ingest(struct ingest *g, struct err *err)
{
    const double start = seconds_now();
    if (dataset_load(&g->dataset, g->config, g->input, err) ||
        csv_open(&g->csv, g->dataset.file, g->dataset.delimiter, err) ||
        pseudonym_load(&g->pseudonym, g->key, true, err) || open_outputs(g, err))
        return -1;
    g->csv.keep_raw = g->keep_raw_rejects;
    if (convert_open(&g->convert, &g->csv, &g->dataset.schema, &g->pseudonym, err) ||
        convert_rows(&g->convert, &g->writer, &g->rejects, err) ||
        rejects_check(&g->rejects, g->csv.name, g->convert.seen, g->dataset.max_reject_rate, err) ||
        commit(g, err))
        return -1;
    const double seconds = seconds_now() - start;
    if (g->rejects.n > 0)
        fprintf(stderr, "ingest: %" PRIu64 " rows break the schema; see %s\n", g->rejects.n,
                g->rejects_path ? g->rejects_path : "rejects.csv beside the table");
    return summary_print("ingest", g->convert.rows, seconds, (double)g->csv.bytes / 1e6 / seconds,
                         "MB/s", g->output, err);
}

int main(int argc, char **argv)
{
    struct ingest g = {.config = "datasets/simulated.ini",
                       .output = "build/simulated/table",
                       .key = "var/pseudonym.key"};
    const struct option_spec specs[] = {
        {"config", "FILE", OPTION_STRING, &g.config, "the dataset's description", 0, 0},
        {"output", "FOLDER", OPTION_STRING, &g.output, "the table", 0, 0},
        {"rejects", "FILE", OPTION_STRING, &g.rejects_path,
         "rows that break the schema (default rejects.csv beside the table)", 0, 0},
        {"key", "FILE", OPTION_STRING, &g.key, "the secret key of the pseudonyms, made if missing",
         0, 0},
        {"keep-raw-rejects", NULL, OPTION_FLAG, &g.keep_raw_rejects,
         "keep rejected rows whole, identifiers included", 0, 0},
    };
    const struct program program = {
        "ingest",
        "[INPUT]",
        "Read a CSV, plain, .gz or .zst, into a column table. INPUT replaces the file that the\n"
        "description names; - is standard input.",
        "build/bin/ingest --config datasets/simulated.ini --output build/simulated/table",
        specs,
        sizeof specs / sizeof *specs,
        0,
        1};
    struct err err;
    json_set_alloc_funcs(xmalloc, free);
    const int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    if (first < argc)
        g.input = argv[first];
    const int rc = ingest(&g, &err);
    convert_release(&g.convert);
    rejects_release(&g.rejects);
    table_writer_release(&g.writer);
    csv_release(&g.csv);
    dataset_release(&g.dataset);
    return rc ? err_report("ingest", &err) : 0;
}
