// The program ingest: reads a CSV, as its .ini describes it, into a column table.
//
// Only the command line and the closing line are here; the stage is ingest.c.
#include "base/memory.h"
#include "base/option.h"
#include "base/progress.h"
#include "ingest/ingest.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

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
    int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    if (first < argc)
        g.input = argv[first];

    double start = seconds_now();
    if (ingest_run(&g, &err))
        return err_report("ingest", &err);
    double seconds = seconds_now() - start;
    if (g.rejected > 0)
        fprintf(stderr, "ingest: %" PRIu64 " rows break the schema; see %s\n", g.rejected,
                g.rejects ? g.rejects : "rejects.csv beside the table");
    if (summary_print("ingest", g.rows, seconds, (double)g.bytes / 1e6 / seconds, "MB/s", g.output,
                      &err))
        return err_report("ingest", &err);
    return 0;
}
