// The program ingest: a CSV, as its .ini describes it, becomes a column table. Where more rows
// break the schema than [input] max_reject_rate allows, the old table stays, and only rejects.csv
// is new.
#include "base/memory.h"
#include "base/option.h"
#include "base/progress.h"
#include "ingest/convert.h"

#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>

struct ingest {
    const char *config, *input, *output, *rejects, *key;
    bool keep_raw_rejects;
    struct dataset dataset;
    struct csv csv;
    struct pseudonym pseudonym;
    struct convert convert;
};

static int ingest(struct ingest *g, struct err *err)
{
    struct dataset *d = &g->dataset;
    const double start = seconds_now();
    if (dataset_load(d, g->config, g->input, err) ||
        csv_open(&g->csv, d->file, d->delimiter, err) ||
        pseudonym_load(&g->pseudonym, g->key, true, err))
        return -1;
    g->csv.keep_raw = g->keep_raw_rejects;
    if (convert_open(&g->convert, &g->csv, &d->schema, &g->pseudonym, err) ||
        convert_table(&g->convert, g->output, g->rejects, d->max_reject_rate, &d->config, err))
        return -1;
    const uint64_t rejected = g->convert.seen - g->convert.rows;
    const double seconds = seconds_now() - start;
    if (rejected > 0)
        fprintf(stderr, "ingest: %" PRIu64 " rows break the schema; see %s\n", rejected,
                g->rejects);
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
        {"rejects", "FILE", OPTION_STRING, &g.rejects,
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
    if (!g.rejects)
        g.rejects = beside;
    const int rc = ingest(&g, &err);
    convert_release(&g.convert);
    csv_release(&g.csv);
    dataset_release(&g.dataset);
    free(output);
    free(beside);
    return rc ? err_report("ingest", &err) : 0;
}
