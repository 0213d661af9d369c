// monitor: is the model still good for what comes in? Prints a verdict, and writes drift.json with
// its page and its metrics.
#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "monitor/comparison.h"
#include "train/registry.h"

#include <malloc.h>
#include <stdlib.h>

enum { EXIT_DRIFTED = 3 };

static const char *config_path = "datasets/simulated.ini", *models = "models/simulated";
static const char *output = "build/simulated/monitor/drift.json", *current;
static struct model champion;
static struct comparison c = {.model = &champion, .within = {INT64_MIN, INT64_MAX}};

static int monitor(char **paths, size_t n, unsigned threads, struct err *err)
{
    const double start = seconds_now();
    // They live as long as the program.
    static struct config config;
    static struct examples features, other;
    static struct registry registry;
    static json_t *drift;
    if (config_load(&config, config_path, err) || registry_read(&registry, models, err) ||
        registry_load_champion(&registry, &champion, err) ||
        examples_open_all(&features, paths, n, &champion.plan, &config, err) ||
        (current && examples_open(&other, current, &champion.plan, err)))
        return -1;
    c.features = &features;
    c.other = current ? &other : NULL;
    if (!current && c.within.from == INT64_MIN)
        c.within.from = champion.test.until;
    if (comparison_run(&c, &config, threads, err))
        return -1;
    char *dataset = config_name(&config);
    drift = comparison_json(&c, dataset);
    free(dataset);
    if (!drift)
        return err_set(err, "%s: the name of a table in it is not UTF-8", output);
    if (comparison_write(drift, output, err))
        return -1;
    comparison_print(drift, output);
    const uint64_t rows = period_rows(&c.train) + period_rows(&c.test) + period_rows(&c.current);
    return summary_print("monitor", rows, start, 1e-6 * (double)rows, "Mrow/s", output, err);
}

int main(int argc, char **argv)
{
    bool fail_on_drift = false;
    int64_t threads = parallel_threads();
    const struct program program = {
        "monitor",
        "FEATURES...",
        "Compare a period with the rows that the champion was trained and tested on: has the data "
        "changed, and are frauds still found? Several tables are joined: the oldest first.",
        "build/bin/monitor --fail-on-drift build/simulated/features",
        {
            {"config", "FILE", "dataset description", .text = &config_path},
            {"models", "DIR", "registry whose champion is compared with", .text = &models},
            {"output", "FILE", "report as JSON; .html and .prom go beside it", .text = &output},
            {"current", "DIR", "table that holds the period (default: FEATURES)", .text = &current},
            {"from", "TIME",
             "first time of the period (default: after the test window; of --current: all)",
             .time = &c.within.from},
            {"until", "TIME", "only rows before this date or time, UTC", .time = &c.within.until},
            {"fail-on-drift", NULL, "exit 3 on drift", .flag = &fail_on_drift},
            {"threads", "N", "worker threads", .number = &threads, 1, PARALLEL_MAX},
        }};
    struct err err;
    json_set_alloc_funcs(xmalloc, free);
    mallopt(M_MMAP_THRESHOLD, 1 << 28); // buffers of a column come and go: keep their pages
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    int first = option_parse(&program, argc, argv, &err);
    if (first > 0 && c.within.from >= c.within.until)
        first = err_set(&err, "the period is empty: --from must be earlier than --until");
    if (first <= 0)
        return option_exit(&program, first, &err);
    if (monitor(argv + first, (size_t)(argc - first), (unsigned)threads, &err))
        return err_report("monitor", &err);
    return c.drift && fail_on_drift ? EXIT_DRIFTED : 0;
}
