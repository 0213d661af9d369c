// monitor: has the data changed since the model was trained?
//
// Compares the rows after the test window, or another table, with the training rows and writes
// drift.json and a table (comparison.h).
#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "monitor/comparison.h"
#include "train/registry.h"

#include <stdlib.h>

enum { EXIT_DRIFTED = 3 };

struct arguments {
    const char *config, *models, *output, *current, *features;
    bool fail_on_drift;
    int64_t threads;
};

static int monitor(const struct arguments *a, bool *drifted, struct err *err)
{
    const double start = seconds_now();
    struct config config = {0};
    struct model model = {0};
    int64_t version;
    struct table features = {0}, other = {0};
    struct comparison comparison = {0};
    int rc = -1;
    if (config_load(&config, a->config, err) ||
        registry_load_champion(a->models, &model, &version, err) ||
        table_open(&features, a->features, err) ||
        (a->current && table_open(&other, a->current, err)) ||
        comparison_init(&comparison, &model, &features, a->current ? &other : NULL, &config,
                        (unsigned)a->threads, err) ||
        comparison_write(&comparison, a->output, err))
        goto out;
    comparison_print(&comparison);
    *drifted = comparison.drifted;
    const uint64_t rows = period_rows(&comparison.reference) + period_rows(&comparison.current);
    const double seconds = seconds_now() - start;
    rc = summary_print("monitor", rows, seconds, 1e-6 * (double)rows / seconds, "Mrow/s", a->output,
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
    struct arguments a = {.config = "datasets/simulated.ini",
                          .models = "models/simulated",
                          .output = "build/simulated/monitor/drift.json",
                          .threads = parallel_threads()};
    const struct option_spec specs[] = {
        {"config", "FILE", OPTION_STRING, &a.config, "dataset description", 0, 0},
        {"models", "DIR", OPTION_STRING, &a.models, "registry whose champion is compared with", 0,
         0},
        {"output", "FILE", OPTION_STRING, &a.output, "report as JSON", 0, 0},
        {"current", "DIR", OPTION_STRING, &a.current,
         "other feature table to compare (default: the rows after the test window)", 0, 0},
        {"fail-on-drift", NULL, OPTION_FLAG, &a.fail_on_drift, "exit 3 on drift", 0, 0},
        {"threads", "N", OPTION_INT, &a.threads, "worker threads", 1, PARALLEL_MAX},
    };
    const struct program program = {
        "monitor",
        "FEATURES",
        "Compare the rows after the test window of a feature table with its training rows.",
        "build/bin/monitor --fail-on-drift build/simulated/features",
        specs,
        sizeof specs / sizeof *specs,
        1,
        1};
    struct err err;
    bool drifted = false;
    json_set_alloc_funcs(xmalloc, free);
    const int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    a.features = argv[first];
    if (monitor(&a, &drifted, &err))
        return err_report("monitor", &err);
    return drifted && a.fail_on_drift ? EXIT_DRIFTED : 0;
}
