// train: a feature table into a new version of the model in the registry.
//
// Chooses, fits and measures (evaluate.h), puts the model together (assemble.h), and adds it with
// its metrics and curves to the registry, as one folder.
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "train/assemble.h"
#include "train/onnx.h"
#include "train/registry.h"
#include "train/report.h"
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

static uint64_t checksum(const struct config *c)
{
    static const char *const sections[] = {"columns",   "features", "split", "model",
                                           "baselines", "slices",   "card"};
    return config_checksum(c, sections, sizeof sections / sizeof *sections);
}

static int write_model(struct output_dir *folder, const struct model *m, char sha256[SHA256_HEX],
                       struct err *err)
{
    char *text = model_to_text(m);
    unsigned char *onnx = NULL;
    size_t n_onnx = 0;
    int rc = -1;
    if (!text)
        err_set(err, "%s: out of memory", folder->path);
    else if (output_dir_file(folder, "model.json", text, strlen(text), err) == 0 &&
             onnx_from_model(m, &onnx, &n_onnx, err) == 0)
        rc = output_dir_file(folder, "model.onnx", onnx, n_onnx, err);
    if (rc == 0)
        sha256_hex(sha256, text, strlen(text));
    free(onnx);
    free(text);
    return rc;
}

// A ledger that would refuse the model is found before the work, without keeping others from it.
static int check_ledger(const char *registry, struct err *err)
{
    struct ledger l;
    if (ledger_read(&l, registry, err))
        return -1;
    int rc = ledger_check_end(&l, registry, err);
    ledger_release(&l);
    return rc;
}

static int write_report(struct output_dir *folder, const struct arguments *a, const struct model *m,
                        const struct evaluation *v, const json_t *results, struct err *err)
{
    char dataset[256];
    const char *slash = strrchr(a->config, '/'), *name = slash ? slash + 1 : a->config;
    const char *dot = strrchr(name, '.');
    snprintf(dataset, sizeof dataset, "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
    struct report_names names = {.dataset = dataset, .config = a->config, .model = m};
    if (registry_parse_version(strrchr(folder->path, '/') + 1, &names.version))
        return err_set(err, "%s: is no version's folder", folder->path);
    return report_write(folder, v, results, &names, err);
}

// A new version with all its files, and the champion where that is wanted.
static int publish(const struct arguments *a, const struct model *m, const struct evaluation *v,
                   const json_t *results, int64_t *version, struct err *err)
{
    struct registry r;
    struct output_dir folder = {0};
    char sha256[SHA256_HEX];
    if (registry_open(&r, a->output, err))
        return -1;
    int rc = -1;
    if (registry_next(&r, &folder, err) || write_model(&folder, m, sha256, err) ||
        write_report(&folder, a, m, v, results, err) ||
        registry_add(&r, &folder, sha256, version, err))
        goto out;
    rc = a->promote ? registry_promote(&r, *version, LEDGER_PROMOTE, err) : 0;
out:
    output_dir_release(&folder);
    registry_release(&r);
    return rc;
}

static int work(const struct arguments *a, struct err *err)
{
    const double start = seconds_now();
    const unsigned threads = (unsigned)a->threads;
    struct config config = {0};
    struct split split;
    struct settings settings;
    struct examples examples = {0};
    struct evaluation evaluation = {0};
    struct model model = {0};
    json_t *results = NULL;
    int64_t version;
    int rc = -1;
    if (config_load(&config, a->config, err) || split_from_config(&split, &config, err) ||
        settings_from_config(&settings, &config, err) || check_ledger(a->output, err) ||
        examples_open(&examples, a->features, err) ||
        evaluation_run(&evaluation, &examples, &split, &settings, &config, threads, err) ||
        !(results = results_new(&evaluation, &settings, &config, err)) ||
        model_assemble(&model, &evaluation, &examples, checksum(&config), threads, err) ||
        publish(a, &model, &evaluation, results, &version, err))
        goto out;
    char artifact[4096];
    const uint64_t rows = evaluation.model.folds[0].trial->rows;
    const double seconds = seconds_now() - start;
    snprintf(artifact, sizeof artifact, "%s/%" PRId64, a->output, version);
    rc = summary_print("train", rows, seconds, 1e-3 * (double)rows / seconds, "krow/s", artifact,
                       err);
out:
    json_decref(results);
    model_release(&model);
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
    int first = option_parse(&program, argc, argv, &err);
    if (first <= 0)
        return option_exit(&program, first, &err);
    a.features = argv[first];
    return work(&a, &err) ? err_report("train", &err) : 0;
}
