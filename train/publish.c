// Completes the fitted model and its results, and writes a version's files.
#include "base/memory.h"
#include "base/option.h"
#include "train/registry.h"
#include "train/report.h"

#include <stdlib.h>

extern const char sentences_txt[], card_md[];

// The references count rows with unknown labels, too: drift compares them with all later rows.
static void add_references(struct model *m, const struct examples *e, struct row_range rows)
{
    const size_t n = (size_t)(rows.end - rows.first);
    double *values = xcalloc(n, sizeof *values), *score = scores_new(e, m, rows);
    for (size_t i = 0; i < m->n_inputs; i++) {
        for (size_t j = 0; j < n; j++)
            values[j] = (double)e->x[i][rows.first + j];
        histogram_fit(&m->inputs[i].reference, values, n);
    }
    histogram_fit(&m->score_reference, score, n);
    free(values);
    free(score);
}

// The checksum covers the report's settings, too: another report is another version.
static int complete(struct model *m, const struct evaluation *v, const struct config *config,
                    struct err *err)
{
    static const char *const sections[] = {"columns",   "features", "split", "model",
                                           "baselines", "slices",   "card",  NULL};
    const struct examples *e = &v->model.examples;
    const struct fold_result *r = &v->model.results[0];
    const struct fold *fold = r->fit->fold;
    const struct config_entry *class = config_find(config, "card", "class");
    const char *data;
    char sum[17];
    if (json_unpack(e->table.provenance, "{s:{s:s}}", "table", "input_xxh3", &data))
        return err_set(err, "%s/manifest.json: provenance has no table.input_xxh3", e->table.path);
    m->plan = e->plan;
    m->threshold = r->threshold;
    m->l2 = v->model.l2;
    m->review_outside = v->settings.review_outside;
    m->train = fold->train.times;
    m->test = fold->test.times;
    m->training =
        json_pack("{s:s, s:s, s:I, s:I, s:s, s:I, s:I, s:I, s:I, s:s*}", "train", fold->train.text,
                  "test", fold->test.text, "rows", (json_int_t)r->fit->logreg.known, "frauds",
                  (json_int_t)r->fit->logreg.frauds, "threshold_from", r->threshold_from,
                  "train_from", m->train.from, "train_until", m->train.until, //
                  "test_from", m->test.from, "test_until", m->test.until, "class",
                  class ? class->value : NULL);
    m->provenance = json_pack("{s:s, s:s, s:s, s:O*}", "data_xxh3", data, "config_xxh3",
                              checksum_text(sum, config_checksum(config, sections)), "program",
                              "assay " ASSAY_VERSION, "shuffle",
                              json_object_get(e->table.provenance, "shuffle"));
    add_references(m, e, fold->train.rows);
    return 0;
}

static json_t *about(const struct model *m, const struct config *config)
{
    char *name = config_name(config);
    json_t *j = plan_to_json(&m->plan);
    json_object_del(j, "schema");
    json_object_update(j, m->provenance);
    json_object_update_new(j, json_pack("{s:s, s:s, s:I, s:s, s:b}", "dataset", name, "config",
                                        config->path, "version", (json_int_t)m->version, "sha256",
                                        m->sha256, "windows", m->plan.n_tracks > 0));
    free(name);
    return j;
}

// Adds the members that metrics.json, card and page have besides the results.
static void complete_results(json_t *results, const struct model *m, const struct config *config)
{
    json_t *text = json_pack("{s:[], s:[], s:[], s:[], s:[]}", "lead", "policy", "comparisons",
                             "urgent", "warnings");
    json_object_set_new(results, "about", about(m, config));
    sentences_add(text, sentences_txt, results);
    json_t *urgent = json_object_get(text, "urgent"), *all = json_copy(urgent);
    json_array_extend(all, json_object_get(text, "warnings"));
    json_object_set_new(text, "warnings", all);
    json_object_set_new(results, "text", text);
}

// Frees the text.
static int write_file(struct output *folder, const char *name, char *text, struct err *err)
{
    int rc = output_dir_file(folder, name, text, strlen(text), err);
    free(text);
    return rc;
}

int publish(struct registry *r, struct output *folder, const struct config *config,
            struct evaluation *v, struct err *err)
{
    struct model *m = &v->model.results[0].fit->model;
    char *text = NULL;
    json_t *results = NULL;
    int rc = complete(m, v, config, err) || !(results = results_new(v, config, err));
    if (rc == 0) {
        text = model_to_text(m);
        sha256_hex(m->sha256, text, strlen(text));
        rc = registry_next(r, m->sha256, folder, &m->version, err);
    }
    if (rc == 0) {
        complete_results(results, m, config);
        v->urgent = json_incref(json_object_get(json_object_get(results, "text"), "urgent"));
    }
    if (rc == 0 && folder->path) {
        size_t n_onnx;
        unsigned char *onnx = onnx_from_model(m, &n_onnx);
        rc = output_dir_file(folder, "model.json", text, strlen(text), err) ||
             output_dir_file(folder, "model.onnx", onnx, n_onnx, err) ||
             write_file(folder, "metrics.json",
                        json_dumps(results, JSON_INDENT(1) | JSON_REAL_PRECISION(17)), err) ||
             write_file(folder, "card.md", template_fill(card_md, TEMPLATE_MARKDOWN, results),
                        err) ||
             write_file(folder, "report.html", report_page(results), err);
        free(onnx);
    }
    json_decref(results);
    free(text);
    return rc ? -1 : 0;
}
