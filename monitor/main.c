// monitor: has the data changed since the model was trained? Writes drift.json and a table.
#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "monitor/comparison.h"
#include "train/registry.h"

#include <malloc.h>

enum { EXIT_DRIFTED = 3 };

static const char *config_path = "datasets/simulated.ini", *models = "models/simulated";
static const char *output = "build/simulated/monitor/drift.json", *current;

static int monitor(const char *path, unsigned threads, bool *drifted, struct err *err)
{
    const double start = seconds_now();
    // They live as long as the program.
    static struct config config;
    static struct model model;
    static struct examples features, other;
    static struct comparison comparison;
    int64_t version;
    if (config_load(&config, config_path, err) ||
        registry_load_champion(models, &model, &version, err) ||
        examples_open(&features, path, &model.plan, err) ||
        (current && examples_open(&other, current, &model.plan, err)) ||
        comparison_init(&comparison, &model, &features, current ? &other : NULL, &config, threads,
                        err) ||
        comparison_write(&comparison, output, err))
        return -1;
    comparison_print(&comparison);
    *drifted = comparison.drifted;
    const uint64_t rows = period_rows(&comparison.reference) + period_rows(&comparison.current);
    return summary_print("monitor", rows, start, 1e-6 * (double)rows, "Mrow/s", output, err);
}

int main(int argc, char **argv)
{
    bool fail_on_drift = false, drifted = false;
    int64_t threads = parallel_threads();
    const struct program program = {
        "monitor",
        "FEATURES",
        "Compare the rows after the test window of a feature table with its training rows.",
        "build/bin/monitor --fail-on-drift build/simulated/features",
        {
            {"config", "FILE", "dataset description", .text = &config_path},
            {"models", "DIR", "registry whose champion is compared with", .text = &models},
            {"output", "FILE", "report as JSON", .text = &output},
            {"current", "DIR",
             "other feature table to compare (default: the rows after the test window)",
             .text = &current},
            {"fail-on-drift", NULL, "exit 3 on drift", .flag = &fail_on_drift},
            {"threads", "N", "worker threads", .number = &threads, 1, PARALLEL_MAX},
        }};
    struct err err;
    json_set_alloc_funcs(xmalloc, free);
    mallopt(M_MMAP_THRESHOLD, 1 << 28); // buffers of a column come and go: keep their pages
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    const int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    if (monitor(argv[first], (unsigned)threads, &drifted, &err))
        return err_report("monitor", &err);
    return drifted && fail_on_drift ? EXIT_DRIFTED : 0;
}
