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
#include <sys/stat.h>

static bool keep_raw;
static const char *config = "datasets/simulated.ini", *output = "build/simulated/table";
static const char *key_file = "var/pseudonym.key", *rejects, *input;
static struct dataset dataset;
static struct csv csv;
static struct pseudonym pseudonym;
static struct convert convert;

static int ingest(struct err *err)
{
    const double start = seconds_now();
    if (dataset_load(&dataset, config, input, err) ||
        csv_open(&csv, dataset.file, dataset.delimiter, err) ||
        pseudonym_load(&pseudonym, key_file, true, err))
        return -1;
    csv.keep_raw = keep_raw;
    if (convert_open(&convert, &csv, &dataset, &pseudonym, err) ||
        convert_table(&convert, output, rejects, dataset.max_reject_rate, &dataset.config, err))
        return -1;
    const uint64_t rejected = convert_broken(&convert);
    const double seconds = seconds_now() - start;
    if (rejected > 0)
        fprintf(stderr, "ingest: %" PRIu64 " %s the schema; see %s\n", rejected,
                rejected == 1 ? "row breaks" : "rows break", rejects);
    if (convert.repeated > 0)
        fprintf(stderr, "ingest: %" PRIu64 " with the id of an earlier row left out; see %s\n",
                convert.repeated, rejects);
    return summary_print("ingest", convert.rows, seconds, (double)csv.bytes / 1e6 / seconds, "MB/s",
                         output, err);
}

int main(int argc, char **argv)
{
    const struct option_spec specs[] = {
        {"config", "FILE", OPTION_STRING, &config, "the dataset's description", 0, 0},
        {"output", "FOLDER", OPTION_STRING, &output, "the table", 0, 0},
        {"rejects", "FILE", OPTION_STRING, &rejects,
         "rows that break the schema (default rejects.csv beside the table)", 0, 0},
        {"key", "FILE", OPTION_STRING, &key_file,
         "the secret key of the pseudonyms, made if missing", 0, 0},
        {"keep-raw-rejects", NULL, OPTION_FLAG, &keep_raw,
         "keep rejected rows whole, identifiers included", 0, 0},
    };
    static const char purpose[] =
        "Read a CSV, plain, .gz or .zst, into a column table. INPUT replaces the file that the\n"
        "description names; - is standard input.";
    static const char example[] =
        "build/bin/ingest --config datasets/simulated.ini --output build/simulated/table";
    const struct program program = {
        "ingest", "[INPUT]", purpose, example, specs, sizeof specs / sizeof *specs, 0, 1};
    struct err err;
    umask(077); // pseudonyms and amounts are nobody else's business
    json_set_alloc_funcs(xmalloc, free);
    const int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    input = first < argc ? argv[first] : NULL;
    char *folder = xstrdup(output);
    if (!rejects)
        rejects = path_join(dirname(folder), "rejects.csv");
    free(folder);
    return ingest(&err) ? err_report("ingest", &err) : 0;
}
