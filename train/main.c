// train: a feature table into a new version of the model in the registry.
//
// Chooses, fits and measures (evaluate.h), and adds the model with its metrics and curves to the
// registry, as one folder (publish.c).
#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/value.h"
#include "train/retrain.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static const char *config_path = "datasets/simulated.ini", *models = "models/simulated", *drift;
static bool forced;

// They live as long as the program.
static struct config config;
static struct plan plan;
static struct split split;
static struct examples examples;
static struct registry registry;
static struct challenge challenge;

static int train(char *const *paths, size_t n, unsigned threads, struct err *err)
{
    const double start = seconds_now();
    static struct evaluation evaluation;
    struct evaluation *v = &evaluation;
    struct challenge *c = &challenge;
    struct output folder = {0};
    char before[SHA256_HEX];
    int due = 1;
    // A damaged ledger is an error before the training, too.
    if (config_load(&config, config_path, err) || registry_read(&registry, models, err) ||
        retrain_from_config(c, &config, err) ||
        plan_from_config(&plan, &config, err) || // refuses labels that are not known yet
        examples_open_all(&examples, paths, n, NULL, &config, err) ||
        split_labels(&split, &config, &examples.plan.schema, err))
        return -1;
    if (drift && examples.counts_rows)
        return err_set(err,
                       "%s: with time_format = row there are no days to retrain on: put the new "
                       "rows into the file, and type make pipeline, which trains and compares",
                       config_path);
    if (drift &&
        (registry_load_champion(&registry, &c->champion, err) ||
         (due = challenge_is_due(c, &registry, drift, &split, &examples, forced, err)) < 0))
        return -1;
    if (!due)
        return stdout_close(err);
    if (examples.counts_rows)
        c->reason = "trained on the rows of [split]";
    memcpy(before, registry.head, sizeof before);
    registry_release(&registry);
    if (evaluation_run(v, &examples, &config, drift ? &split : NULL, threads, err) ||
        registry_open(&registry, models, err))
        return -1;
    if (registry.repaired)
        fprintf(stderr, "train: %s: a crash had left half a change; it is taken back\n", models);
    if (drift && strcmp(before, registry.head) != 0)
        return err_set(err, "%s: another program has changed it meanwhile: try again", models);
    if (!drift && registry_champion_at(&registry, INT64_MAX) &&
        registry_load_champion(&registry, &c->champion, err))
        fprintf(stderr, "train: %s\n", err->msg);
    c->budget = settings_budget(&v->settings, 1, 1);
    int rc = publish(&registry, &folder, &config, v, err);
    for (size_t i = 0; i < json_array_size(v->urgent); i++)
        fprintf(stderr, "train: %s\n", json_string_value(json_array_get(v->urgent, i)));
    if (rc == 0) {
        const struct fit *fit = v->model.results[0].fit;
        const struct model *m = &fit->model;
        const double rows = fit->logreg.known;
        char *artifact = xasprintf("%s/%" PRId64, models, m->version);
        // Printed first: after an error there is neither another version nor another champion.
        rc = challenge_decide(c, &registry, m, &folder, &examples, &config, err) ||
             summary_print("train", (uint64_t)rows, start, 1e-3 * rows, "krow/s", artifact, err) ||
             challenge_record(c, &registry, m, &folder, err);
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
        "FEATURES...",
        "Train a model on feature tables, the oldest first, measure it, compare it with the "
        "champion, and add it to a registry.",
        "build/bin/train --promote build/simulated/features",
        {
            {"config", "FILE", "dataset description", .text = &config_path},
            {"output", "DIR", "registry to add the model to", .text = &models},
            {"threads", "N", "worker threads", .number = &threads, 1, PARALLEL_MAX},
            {"promote", NULL, "make the model the champion", .flag = &challenge.promote},
            {"decide", NULL,
             "make it the champion if there is none, if it is better, or if they cannot be "
             "compared",
             .flag = &challenge.by_rules},
            {"retrain", "FILE",
             "train on the newest days, if [retrain] says that it is due by this result of "
             "monitor, "
             "and make it the champion if it is better",
             .text = &drift},
            {"force", NULL, "with --retrain: train whether it is due or not", .flag = &forced},
            {"by", "NAME", "who asks for it, for the ledger (default: the login name)",
             .text = &challenge.by},
        }};
    struct err err;
    json_set_alloc_funcs(xmalloc, free);
    int first = option_parse(&program, argc, argv, &err);
    if (first > 0 && forced && !drift)
        first = err_set(&err, "--force goes with --retrain");
    if (first > 0 && challenge.by && ledger_check_text("by", challenge.by, &err))
        first = -1;
    if (first <= 0)
        return option_exit(&program, first, &err);
    challenge.by_rules |= drift != NULL;
    challenge.reason = "trained on the days of [split]";
    const size_t n = (size_t)(argc - first);
    return train(argv + first, n, (unsigned)threads, &err) ? err_report("train", &err) : 0;
}
