// ingest: a CSV, as its .ini describes it, becomes a column table.
#include "base/memory.h"
#include "base/option.h"
#include "base/progress.h"
#include "ingest/convert.h"
#include "ingest/profile.h"

#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *config = "datasets/simulated.ini", *output = "build/simulated/table";
static const char *key_file = "var/pseudonym.key", *rejects, *input, *draft, *label;
static struct dataset dataset;
static struct pseudonym pseudonym;
static struct convert convert;

static int ingest(struct err *err)
{
    const double start = seconds_now();
    if (dataset_load(&dataset, config, input, err) ||
        pseudonym_load(&pseudonym, key_file, true, err) ||
        convert_open(&convert, &dataset, &pseudonym, err) ||
        convert_table(&convert, output, rejects, err))
        return -1;
    convert_check(&convert, err);
    if (convert_broken(&convert) > 0)
        fprintf(stderr, "ingest: %s; all are in %s\n", err->msg, rejects);
    if (convert.repeated > 0)
        fprintf(stderr, "ingest: %" PRIu64 " with the id of an earlier row left out; see %s\n",
                convert.repeated, rejects);
    const int label_at = schema_find_kind(&dataset.schema, COLUMN_LABEL);
    const struct convert_column *col = label_at < 0 ? NULL : &convert.columns[label_at];
    if (col && *col->others && !col->positive)
        fprintf(stderr, "ingest: warning: no row has positive=%s in column %s; its values are %s\n",
                col->schema->positive, col->schema->name, col->others);
    return summary_print("ingest", convert.rows, start, 1e-6 * (double)convert.csv.bytes, "MB/s",
                         output, err);
}

int main(int argc, char **argv)
{
    const struct program program = {
        "ingest",
        "[INPUT]",
        "Read a CSV, plain, .gz or .zst, into a column table. INPUT replaces the file that the "
        "description names; - is standard input.",
        "build/bin/ingest --output build/simulated/table",
        {
            {"config", "FILE", "the dataset's description", .text = &config},
            {"output", "FOLDER", "the table", .text = &output},
            {"rejects", "FILE", "rows that break the schema (default rejects.csv beside the table)",
             .text = &rejects},
            {"key", "FILE", "the secret key of the pseudonyms, made if missing", .text = &key_file},
            {"draft", "FILE", "instead: print a draft of the description of this CSV",
             .text = &draft},
            {"label", "COLUMN", "its label, or COLUMN=VALUE|VALUE with the positive values",
             .text = &label},
        }};
    struct err err;
    umask(077); // only the owner may read pseudonyms and amounts
    json_set_alloc_funcs(xmalloc, free);
    const int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    input = first < argc ? argv[first] : NULL;
    if (draft)
        return draft_make(draft, label, stdout, stderr, &err) || stdout_close(&err)
                   ? err_report("ingest", &err)
                   : 0;
    char *folder = xstrdup(output);
    if (!rejects)
        rejects = path_join(dirname(folder), "rejects.csv");
    free(folder);
    return ingest(&err) ? err_report("ingest", &err) : 0;
}
