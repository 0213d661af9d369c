// Puts together what model.json holds. The references are of all training rows, also those whose
// label is not known: what is served later is compared with what arrived then.
#include "train/assemble.h"
#include "base/option.h"
#include "base/parallel.h"

#include <stdlib.h>
#include <string.h>

// ---- references ------------------------------------------------------------------------------------

struct references {
    const struct examples *examples;
    struct row_range rows;
    struct model *model;
    unsigned threads;
    double *values; // [threads][rows]
};

static int refer(void *arg, unsigned thread, struct err *err)
{
    const struct references *r = arg;
    const size_t n = (size_t)(r->rows.end - r->rows.first);
    double *values = r->values + thread * n;
    for (size_t i = thread; i < r->model->n_inputs; i += r->threads) {
        const float *x = r->examples->x[i] + r->rows.first;
        for (size_t j = 0; j < n; j++)
            values[j] = (double)x[j];
        if (histogram_fit(&r->model->inputs[i].reference, values, n, err))
            return -1;
    }
    return 0;
}

// Each thread holds one column of the training rows.
static int add_input_references(struct model *m, const struct examples *e, struct row_range rows,
                                unsigned threads, struct err *err)
{
    if (m->n_inputs == 0)
        return 0;
    if (threads > m->n_inputs)
        threads = (unsigned)m->n_inputs;
    struct references r = {.examples = e, .rows = rows, .model = m, .threads = threads};
    const size_t n = (size_t)(rows.end - rows.first);
    r.values = calloc(threads, (n + 1) * sizeof *r.values);
    if (!r.values)
        return err_set(err, "out of memory for references of %zu rows", n);
    int rc = parallel_run(threads, refer, &r, err);
    free(r.values);
    return rc;
}

static int add_score_reference(struct model *m, const struct examples *e, struct row_range rows,
                               unsigned threads, struct err *err)
{
    double *score = scores_new(e, m, rows, threads, err);
    if (!score)
        return -1;
    int rc = histogram_fit(&m->score_reference, score, (size_t)(rows.end - rows.first), err);
    free(score);
    return rc;
}

// ---- notes -----------------------------------------------------------------------------------------

static int add_notes(struct model *m, const struct fold *f, const struct examples *e,
                     uint64_t config_xxh3, struct err *err)
{
    char config[17];
    const json_t *table = json_object_get(e->table.provenance, "table");
    const char *data = json_string_value(json_object_get(table, "input_xxh3"));
    if (!data)
        return err_set(err, "%s/manifest.json: provenance has no table.input_xxh3", e->table.path);
    m->training = json_pack("{s:s, s:s, s:I, s:I, s:s}", "train", f->trial->cut.train_text, "test",
                            f->trial->cut.test_text, "rows", (json_int_t)f->trial->rows, "frauds",
                            (json_int_t)f->trial->frauds, "threshold_from", f->threshold_from);
    m->provenance =
        json_pack("{s:s, s:s, s:s}", "data_xxh3", data, "config_xxh3",
                  checksum_text(config, config_xxh3), "program", "assay " ASSAY_VERSION);
    return m->training && m->provenance ? 0 : err_set(err, "out of memory");
}

static int add_plan(struct model *m, const struct examples *e, struct err *err)
{
    return plan_from_json(&m->plan, json_object_get(e->table.provenance, "plan"), err);
}

static int add_inputs(struct model *m, const struct model *fitted, const struct examples *e,
                      struct err *err)
{
    m->inputs = calloc(fitted->n_inputs + 1, sizeof *m->inputs);
    if (!m->inputs)
        return err_set(err, "out of memory");
    m->n_inputs = fitted->n_inputs;
    for (size_t i = 0; i < m->n_inputs; i++) {
        m->inputs[i] = fitted->inputs[i];
        m->inputs[i].name = strdup(e->names[i]);
        if (!m->inputs[i].name)
            return err_set(err, "out of memory");
    }
    return 0;
}

int model_assemble(struct model *m, const struct evaluation *v, const struct examples *e,
                   uint64_t config_xxh3, unsigned threads, struct err *err)
{
    const struct fold *f = &v->model.folds[0];
    const struct model *fitted = &f->trial->model;
    const struct row_range rows = f->trial->cut.train;
    *m = (struct model){
        .intercept = fitted->intercept, .threshold = f->threshold, .l2 = v->model.l2};
    if (add_plan(m, e, err) || add_inputs(m, fitted, e, err) ||
        add_input_references(m, e, rows, threads, err) ||
        add_score_reference(m, e, rows, threads, err) || add_notes(m, f, e, config_xxh3, err)) {
        model_release(m);
        return -1;
    }
    return 0;
}
