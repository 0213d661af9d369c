// monitor: has the world moved since the model was trained?
//
// Compares the rows that came after the test window (or another table) with the training rows and
// writes drift.json and a table. What counts as drift is comparison.h's and drift.h's business.
#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "monitor/comparison.h"
#include "monitor/drift_report.h"
#include "train/registry.h"

#include <stdlib.h>

enum { EXIT_DRIFTED = 3 };

struct settings {
    const char *config, *models, *output, *current, *features;
    bool fail_on_drift;
    int64_t threads;
};

// The training rows, and the period to hold against them: the whole of `other` where it was given,
// else what comes after the test window.
static int choose_rows(struct period *reference, struct period *current, const struct split *split,
                       const struct table *features, const struct table *other, struct err *err)
{
    int column = table_find_kind(features, COLUMN_TIME);
    if (column < 0)
        return err_set(err, "%s: there is no column of kind time", features->path);
    const int64_t *time = features->columns[column].data;
    struct row_range test = split_rows(&split->test, 0, time, features->rows);
    *reference = (struct period){features, split_rows(&split->train, 0, time, features->rows)};
    *current = other->path ? (struct period){other, {0, other->rows}}
                           : (struct period){features, {test.end, features->rows}};
    return 0;
}

static int monitor(const struct settings *s, bool *drifted, struct err *err)
{
    double start = seconds_now();
    struct config config = {0};
    struct split split;
    struct limits limits;
    struct model model = {0};
    int64_t version;
    struct table features = {0}, other = {0};
    struct period reference = {0}, current = {0};
    struct comparison comparison = {0};
    int rc = -1;
    if (config_load(&config, s->config, err) || split_from_config(&split, &config, err) ||
        limits_from_config(&limits, &config, err) ||
        registry_load_champion(s->models, &model, &version, err) ||
        table_open(&features, s->features, err) ||
        (s->current && table_open(&other, s->current, err)) ||
        choose_rows(&reference, &current, &split, &features, &other, err) ||
        comparison_init(&comparison, &model, &reference, &current, &limits, (unsigned)s->threads,
                        err) ||
        drift_report_write(&comparison, s->output, err) || drift_report_print(&comparison, err))
        goto out;
    uint64_t rows =
        reference.rows.end - reference.rows.first + current.rows.end - current.rows.first;
    double seconds = seconds_now() - start;
    *drifted = comparison.drifted;
    rc = summary_print("monitor", rows, seconds, 1e-6 * (double)rows / seconds, "Mrow/s", s->output,
                       err);
out:
    comparison_release(&comparison);
    table_release(&other);
    table_release(&features);
    model_release(&model);
    config_release(&config);
    return rc;
}

int main(int argc, char **argv)
{
    struct settings s = {
        .config = "datasets/simulated.ini",
        .models = "models/simulated",
        .output = "build/simulated/monitor/drift.json",
        .threads = parallel_threads(),
    };
    const struct option_spec specs[] = {
        {"config", "FILE", OPTION_STRING, &s.config, "dataset description", 0, 0},
        {"models", "DIR", OPTION_STRING, &s.models, "registry whose champion is compared with", 0,
         0},
        {"output", "FILE", OPTION_STRING, &s.output, "report as JSON", 0, 0},
        {"current", "DIR", OPTION_STRING, &s.current,
         "other feature table to compare (default: the rows after the test window)", 0, 0},
        {"fail-on-drift", NULL, OPTION_FLAG, &s.fail_on_drift, "exit 3 on drift", 0, 0},
        {"threads", "N", OPTION_INT, &s.threads, "worker threads", 1, PARALLEL_MAX},
    };
    const struct program program = {
        "monitor",
        "FEATURES",
        "Compare the rows after the test window of a feature table with its training rows.",
        "build/bin/monitor --fail-on-drift build/simulated/features",
        specs,
        sizeof specs / sizeof *specs,
        1,
        1,
    };
    struct err err;
    bool drifted = false;
    json_set_alloc_funcs(xmalloc, free);
    int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    s.features = argv[first];
    if (monitor(&s, &drifted, &err))
        return err_report("monitor", &err);
    return drifted && s.fail_on_drift ? EXIT_DRIFTED : 0;
}
