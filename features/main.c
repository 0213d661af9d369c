// features: a column table into a feature table and the state that a server starts from.
#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "features/batch.h"

#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

static int work(const char *config_path, const char *table, const char *output, unsigned threads,
                int64_t until, struct err *err)
{
    const double start = seconds_now();
    static struct config config;
    struct batch_result result;
    if (config_load(&config, config_path, err) ||
        batch_run(&config, table, output, threads, until, &result, err))
        return -1;
    if (result.not_finite)
        fprintf(stderr, "features: %llu values were not finite and became 0\n",
                (unsigned long long)result.not_finite);
    if (result.warning)
        fprintf(stderr, "features: %s\n", result.warning);
    return summary_print("features", result.rows, start, 1e-6 * (double)result.rows, "Mrow/s",
                         output, err);
}

int main(int argc, char **argv)
{
    const char *config = "datasets/simulated.ini", *output = "build/simulated/features";
    int64_t threads = parallel_threads(), until = INT64_MAX;
    const struct program program = {
        "features",
        "TABLE",
        "Compute the features of a column table, and the state after its last row.",
        "build/bin/features --config datasets/simulated.ini build/simulated/table",
        {
            {"config", "FILE", "dataset description", .text = &config},
            {"output", "DIR", "feature table to write", .text = &output},
            {"threads", "N", "worker threads", .number = &threads, 1, PARALLEL_MAX},
            {"until", "TIME", "only rows before this date or time, UTC", .time = &until},
        }};
    struct err err;
    umask(077); // only the owner may read pseudonyms and amounts
    json_set_alloc_funcs(xmalloc, free);
    int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    const int rc = work(config, argv[first], output, (unsigned)threads, until, &err);
    return rc ? err_report("features", &err) : 0;
}
