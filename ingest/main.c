// The program ingest: a CSV, as its .ini describes it, becomes a column table. Where more rows break
// the schema than [input] max_reject_rate allows, the old table stays, and only rejects.csv is new.
#include "base/memory.h"
#include "base/option.h"
#include "base/progress.h"
#include "ingest/convert.h"

#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

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

static int open_table(struct ingest *g, struct err *err)
{
    const struct schema *s = &g->dataset.schema;
    struct table_column *columns = xcalloc(s->n, sizeof *columns);
    for (size_t i = 0; i < s->n; i++)
        columns[i] = (struct table_column){.name = s->columns[i].name, .kind = s->columns[i].kind};
    int rc = table_writer_open(&g->writer, g->output, columns, s->n, err);
    free(columns);
    return rc;
}

static int commit(struct ingest *g, struct err *err)
{
    json_t *provenance = convert_provenance(&g->convert, &g->dataset.config);
    if (!provenance)
        return err_set(err, "%s: its name is not UTF-8", g->csv.name);
    int rc = table_writer_commit(&g->writer, provenance, err);
    json_decref(provenance);
    return rc ? -1 : rejects_commit(&g->rejects, err);
}

static int ingest(struct ingest *g, struct err *err)
{
    if (dataset_load(&g->dataset, g->config, g->input, err) ||
        csv_open(&g->csv, g->dataset.file, g->dataset.delimiter, err) ||
        pseudonym_load(&g->pseudonym, g->key, true, err) || open_table(g, err) ||
        rejects_open(&g->rejects, g->rejects_path, g->keep_raw_rejects, err))
        return -1;
    g->csv.keep_raw = g->keep_raw_rejects;
    if (convert_open(&g->convert, &g->csv, &g->dataset.schema, &g->pseudonym, err) ||
        convert_rows(&g->convert, &g->writer, &g->rejects, err) ||
        convert_check(&g->convert, &g->rejects, g->dataset.max_reject_rate, err) || commit(g, err))
        return -1;
    if (g->rejects.n > 0)
        fprintf(stderr, "ingest: %" PRIu64 " rows break the schema; see %s\n", g->rejects.n,
                g->rejects_path);
    return 0;
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
    char *output = xstrdup(g.output), *beside = path_join(dirname(output), "rejects.csv");
    if (!g.rejects_path)
        g.rejects_path = beside;
    const double start = seconds_now();
    int rc = ingest(&g, &err);
    const double seconds = seconds_now() - start;
    if (rc == 0)
        rc = summary_print("ingest", g.convert.rows, seconds, (double)g.csv.bytes / 1e6 / seconds,
                           "MB/s", g.output, &err);
    convert_release(&g.convert);
    rejects_release(&g.rejects);
    table_writer_release(&g.writer);
    csv_release(&g.csv);
    dataset_release(&g.dataset);
    free(output);
    free(beside);
    return rc ? err_report("ingest", &err) : 0;
}
