// Completes the fitted model with what model.json holds besides, and writes the files of a version.
#include "train/publish.h"

#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "train/onnx.h"
#include "train/registry.h"
#include "train/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- references ------------------------------------------------------------------------------------

// References count all training rows, also those whose label is not known: later rows are compared
// with what arrived then.
struct references {
    const struct examples *examples;
    struct row_range rows;
    struct model *model;
    unsigned threads;
};

static int refer(void *arg, unsigned thread, struct err *err)
{
    (void)err;
    const struct references *r = arg;
    const size_t n = (size_t)(r->rows.end - r->rows.first);
    double *values = xcalloc(n, sizeof *values);
    for (size_t i = thread; i < r->model->n_inputs; i += r->threads) {
        const float *x = r->examples->x[i] + r->rows.first;
        for (size_t j = 0; j < n; j++)
            values[j] = (double)x[j];
        histogram_fit(&r->model->inputs[i].reference, values, n);
    }
    free(values);
    return 0;
}

static int add_references(struct model *m, const struct examples *e, struct row_range rows,
                          unsigned threads, struct err *err)
{
    struct references r = {e, rows, m, threads};
    if (parallel_run(threads, refer, &r, err))
        return -1;
    double *score = scores_new(e, m, rows, threads);
    histogram_fit(&m->score_reference, score, (size_t)(rows.end - rows.first));
    free(score);
    return 0;
}

// ---- the model -------------------------------------------------------------------------------------

// A version whose report would differ is another version, so the settings of the report count, too.
static uint64_t checksum(const struct config *c)
{
    static const char *const sections[] = {"columns",   "features", "split", "model",
                                           "baselines", "slices",   "card"};
    return config_checksum(c, sections, sizeof sections / sizeof *sections);
}

// The model borrows the plan of the examples.
static int assemble(struct model *m, const struct evaluation *v, const struct examples *e,
                    const struct config *config, unsigned threads, struct err *err)
{
    const struct fold_result *r = &v->model.results[0];
    const struct model *fitted = &r->fit->model;
    const json_t *table = json_object_get(e->table.provenance, "table");
    const char *data = json_string_value(json_object_get(table, "input_xxh3"));
    char sum[17];
    if (!data)
        return err_set(err, "%s/manifest.json: provenance has no table.input_xxh3", e->table.path);
    *m = (struct model){.plan = e->plan,
                        .inputs = xcalloc(fitted->n_inputs, sizeof *m->inputs),
                        .n_inputs = fitted->n_inputs,
                        .intercept = fitted->intercept,
                        .threshold = r->threshold,
                        .l2 = v->model.l2};
    for (size_t i = 0; i < m->n_inputs; i++) {
        m->inputs[i] = fitted->inputs[i];
        m->inputs[i].name = e->names[i];
    }
    m->training = json_pack("{s:s, s:s, s:I, s:I, s:s}", "train", r->fit->fold->train_text, "test",
                            r->fit->fold->test_text, "rows", (json_int_t)r->fit->rows, "frauds",
                            (json_int_t)r->fit->frauds, "threshold_from", r->threshold_from);
    m->provenance =
        json_pack("{s:s, s:s, s:s}", "data_xxh3", data, "config_xxh3",
                  checksum_text(sum, checksum(config)), "program", "assay " ASSAY_VERSION);
    return add_references(m, e, r->fit->fold->train, threads, err);
}

static void release(struct model *m)
{
    m->plan = (struct plan){0};
    model_release(m);
}

// ---- the files -------------------------------------------------------------------------------------

static int write_model(struct output_dir *folder, const struct model *m, char sha256[SHA256_HEX],
                       struct err *err)
{
    size_t n_onnx;
    char *text = model_to_text(m);
    unsigned char *onnx = onnx_from_model(m, &n_onnx);
    int rc = output_dir_file(folder, "model.json", text, strlen(text), err) ||
             output_dir_file(folder, "model.onnx", onnx, n_onnx, err);
    sha256_hex(sha256, text, strlen(text));
    free(onnx);
    free(text);
    return rc ? -1 : 0;
}

static int write_report(struct output_dir *folder, const char *config, const struct model *m,
                        const struct evaluation *v, const json_t *results, struct err *err)
{
    char dataset[256];
    const char *slash = strrchr(config, '/'), *name = slash ? slash + 1 : config;
    const char *dot = strrchr(name, '.');
    snprintf(dataset, sizeof dataset, "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
    struct report_names names = {.dataset = dataset, .config = config, .model = m};
    if (registry_parse_version(strrchr(folder->path, '/') + 1, &names.version))
        return err_set(err, "%s: is no version's folder", folder->path);
    return report_write(folder, v, results, &names, err);
}

int publish(const char *registry, bool promote, const struct config *config,
            const struct evaluation *v, const struct examples *e, const json_t *results,
            unsigned threads, int64_t *version, struct err *err)
{
    struct registry r = {0};
    struct model m = {0};
    struct output_dir folder = {0};
    char sha256[SHA256_HEX];
    int rc = -1;
    if (assemble(&m, v, e, config, threads, err) || registry_open(&r, registry, err) ||
        registry_next(&r, &folder, err) || write_model(&folder, &m, sha256, err) ||
        write_report(&folder, config->path, &m, v, results, err) ||
        registry_add(&r, &folder, sha256, version, err))
        goto out;
    rc = promote ? registry_promote(&r, *version, LEDGER_PROMOTE, err) : 0;
out:
    output_dir_release(&folder);
    registry_release(&r);
    release(&m);
    return rc;
}
