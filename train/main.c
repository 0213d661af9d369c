// train: a feature table into a new version of the model in the registry.
//
// Chooses, fits and measures (evaluate.h), and adds the model with its metrics and curves to the
// registry, as one folder (publish.c).
#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "train/compare.h"
#include "train/report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *config_path = "datasets/simulated.ini", *models = "models/simulated";
static bool promote;

// Prints the new version against the champion, on the rows after both; it fails nothing.
static void compare_with_champion(const struct registry *r, const struct model *m,
                                  const struct examples *e, const struct config *config)
{
    static struct model champion;
    const int64_t version = registry_champion_at(r, INT64_MAX);
    const struct period_times always = {INT64_MIN, INT64_MAX};
    struct err err;
    if (version == 0)
        return;
    const int rc = registry_load(r, version, &champion, &err);
    if (rc == 0 && strcmp(champion.sha256, m->sha256) == 0)
        return;
    json_t *j = rc ? NULL : compare_new(&champion, m, e, 1, config, always, &err);
    if (j)
        template_print(compare_txt, j);
    else
        printf("Not compared with the champion: %s\n", err.msg);
    json_decref(j);
}

static int train(const char *path, unsigned threads, struct err *err)
{
    const double start = seconds_now();
    // They live as long as the program.
    static struct config config;
    static struct plan plan;
    static struct examples examples;
    static struct evaluation evaluation;
    static struct registry before, registry;
    struct output folder = {0};
    // A damaged ledger is an error before the training, too.
    if (config_load(&config, config_path, err) || registry_read(&before, models, err) ||
        plan_from_config(&plan, &config, err) || // refuses labels that are not known yet
        examples_open(&examples, path, NULL, err) ||
        evaluation_run(&evaluation, &examples, &config, threads, err) ||
        registry_open(&registry, models, err))
        return -1;
    if (registry.repaired)
        fprintf(stderr, "train: %s: a crash had left half a change; it is taken back\n", models);
    int rc = publish(&registry, &folder, &config, &evaluation, err);
    if (rc == 0) {
        const struct fit *fit = evaluation.model.results[0].fit;
        const struct model *m = &fit->model;
        const double rows = fit->logreg.known;
        char *artifact = xasprintf("%s/%" PRId64, models, m->version);
        compare_with_champion(&registry, m, &examples, &config);
        // Printed first: after an error there is neither another version nor another champion.
        rc = summary_print("train", (uint64_t)rows, start, 1e-3 * rows, "krow/s", artifact, err) ||
             registry_record(&registry, LEDGER_TRAIN, m->version, m->sha256, &folder, err) ||
             (promote &&
              registry_record(&registry, LEDGER_PROMOTE, m->version, m->sha256, NULL, err));
        free(artifact);
    }
    output_release(&folder);
    return rc;
}

int main(int argc, char **argv)
{
    int64_t threads = parallel_threads();
    const struct program program = {
        "train",
        "FEATURES",
        "Train a model on a feature table, measure it, and add it to a registry.",
        "build/bin/train --promote build/simulated/features",
        {
            {"config", "FILE", "dataset description", .text = &config_path},
            {"output", "DIR", "registry to add the model to", .text = &models},
            {"threads", "N", "worker threads", .number = &threads, 1, PARALLEL_MAX},
            {"promote", NULL, "make the model the champion", .flag = &promote},
        }};
    struct err err;
    json_set_alloc_funcs(xmalloc, free);
    int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    return train(argv[first], (unsigned)threads, &err) ? err_report("train", &err) : 0;
}
