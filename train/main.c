// train: a feature table into a new version of the model in the registry.
//
// Chooses, fits and measures (evaluate.h), and adds the model with its metrics and curves to the
// registry, as one folder (publish.c).
#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "train/registry.h"
#include "train/results.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *config, *features, *output;
    int64_t threads;
    bool promote;
};

static int work(const struct arguments *a, struct err *err)
{
    const double start = seconds_now();
    struct config config = {0};
    struct examples examples = {0};
    struct evaluation evaluation = {0};
    json_t *results = NULL;
    int64_t version;
    int rc = -1;
    if (config_load(&config, a->config, err) || registry_check(a->output, err) ||
        examples_open(&examples, a->features, NULL, err) ||
        evaluation_run(&evaluation, &examples, &config, (unsigned)a->threads, err) ||
        !(results = results_new(&evaluation, &config, err)) ||
        publish(a->output, a->promote, &config, &evaluation, results, &version, err))
        goto out;
    char artifact[4096];
    const double rows = evaluation.model.results[0].fit->logreg.known;
    const double seconds = seconds_now() - start;
    snprintf(artifact, sizeof artifact, "%s/%" PRId64, a->output, version);
    rc = summary_print("train", (uint64_t)rows, seconds, 1e-3 * rows / seconds, "krow/s", artifact,
                       err);
out:
    json_decref(results);
    evaluation_release(&evaluation);
    examples_release(&examples);
    config_release(&config);
    return rc;
}

int main(int argc, char **argv)
{
    struct arguments a = {.config = "datasets/simulated.ini",
                          .output = "models/simulated",
                          .threads = parallel_threads()};
    const struct option_spec specs[] = {
        {"config", "FILE", OPTION_STRING, &a.config, "dataset description", 0, 0},
        {"output", "DIR", OPTION_STRING, &a.output, "registry to add the model to", 0, 0},
        {"threads", "N", OPTION_INT, &a.threads, "worker threads", 1, PARALLEL_MAX},
        {"promote", NULL, OPTION_FLAG, &a.promote, "make the model the champion", 0, 0},
    };
    const struct program program = {
        "train",
        "FEATURES",
        "Train a model on a feature table, measure it, and add it to a registry.",
        "build/bin/train --config datasets/simulated.ini --promote build/simulated/features",
        specs,
        sizeof specs / sizeof *specs,
        1,
        1};
    struct err err;
    json_set_alloc_funcs(xmalloc, free);
    int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    a.features = argv[first];
    return work(&a, &err) ? err_report("train", &err) : 0;
}
