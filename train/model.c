// The model file, and the arithmetic of a score. A file is taken for hostile until it is checked:
// nothing of it is used that is missing, of another type, not finite, or more than expected.
#include "train/model.h"
#include "train/sha256.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FORMAT "assay model"
enum { VERSION = 1, MAX_BYTES = 64 << 20 };

// ---- scoring ---------------------------------------------------------------------------------------

void model_contributions(const struct model *m, const float *x, double *c)
{
    for (size_t i = 0; i < m->n_inputs; i++) {
        const struct model_input *in = &m->inputs[i];
        c[i] = in->weight * (((double)x[i] - in->mean) / in->scale);
    }
}

// The terms of model_contributions, added in their order.
double model_margin(const struct model *m, const float *x)
{
    double margin = m->intercept;
    for (size_t i = 0; i < m->n_inputs; i++) {
        const struct model_input *in = &m->inputs[i];
        margin += in->weight * (((double)x[i] - in->mean) / in->scale);
    }
    return margin;
}

double model_probability(double margin)
{
    return 1 / (1 + exp(-margin));
}

// ---- writing ---------------------------------------------------------------------------------------

static json_t *inputs_to_json(const struct model *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->n_inputs && list; i++) {
        const struct model_input *in = &m->inputs[i];
        json_t *j = json_pack("{s:s, s:f, s:f, s:f, s:o}", "name", in->name, "mean", in->mean,
                              "scale", in->scale, "weight", in->weight, "reference",
                              histogram_to_json(&in->reference));
        if (json_array_append_new(list, j)) {
            json_decref(list);
            list = NULL;
        }
    }
    return list;
}

char *model_to_text(const struct model *m)
{
    json_t *j = json_pack("{s:s, s:i, s:o, s:o, s:f, s:f, s:f, s:o, s:O, s:O}", "format", FORMAT,
                          "version", VERSION, "plan", plan_to_json(&m->plan), "inputs",
                          inputs_to_json(m), "intercept", m->intercept, "threshold", m->threshold,
                          "l2", m->l2, "score_reference", histogram_to_json(&m->score_reference),
                          "training", m->training, "provenance", m->provenance);
    char *text = j ? json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(j);
    return text;
}

// ---- reading ---------------------------------------------------------------------------------------

// The whole file with a 0 behind it, *n bytes; NULL and a message otherwise.
static char *read_file(const char *path, size_t *n, struct err *err)
{
    struct stat st;
    char *text = NULL;
    FILE *f = fopen(path, "rb");
    if (!f) {
        err_sys(err, "%s: cannot open", path);
        return NULL;
    }
    if (fstat(fileno(f), &st))
        err_sys(err, "%s: cannot read", path);
    else if (!S_ISREG(st.st_mode) || st.st_size > MAX_BYTES)
        err_set(err, "%s: is no file of at most %d bytes", path, MAX_BYTES);
    else if (!(text = malloc((size_t)st.st_size + 1)))
        err_set(err, "%s: out of memory", path);
    if (text) {
        *n = fread(text, 1, (size_t)st.st_size, f);
        text[*n] = '\0';
        if (ferror(f)) {
            err_sys(err, "%s: cannot read", path);
            free(text);
            text = NULL;
        }
    }
    fclose(f);
    return text;
}

static int read_input(struct model *m, size_t i, json_t *j, struct err *err)
{
    struct model_input *in = &m->inputs[i];
    json_error_t why;
    json_t *reference;
    const char *name;
    if (json_unpack_ex(j, &why, JSON_STRICT, "{s:s, s:F, s:F, s:F, s:o}", "name", &name, "mean",
                       &in->mean, "scale", &in->scale, "weight", &in->weight, "reference",
                       &reference))
        return err_set(err, "inputs[%zu]: %s", i, why.text);
    if (strcmp(name, m->plan.inputs[i].name) != 0)
        return err_set(err, "inputs[%zu] is %.100s, but the plan's is %s", i, name,
                       m->plan.inputs[i].name);
    if (!isfinite(in->mean) || !isfinite(in->weight) || !isfinite(in->scale) || in->scale <= 0)
        return err_set(err,
                       "inputs[%zu] (%s): mean, scale and weight must be finite and scale "
                       "above 0",
                       i, m->plan.inputs[i].name);
    in->name = strdup(name);
    if (!in->name)
        return err_set(err, "out of memory");
    if (histogram_from_json(&in->reference, reference, err))
        return err_prefix(err, "inputs[%zu].reference", i);
    return 0;
}

static int read_inputs(struct model *m, const json_t *inputs, struct err *err)
{
    size_t n = json_array_size(inputs);
    if (n != m->plan.n_inputs)
        return err_set(err, "has %zu inputs, but its plan makes %zu", n, m->plan.n_inputs);
    m->inputs = calloc(n + 1, sizeof *m->inputs);
    if (!m->inputs)
        return err_set(err, "out of memory");
    m->n_inputs = n;
    for (size_t i = 0; i < n; i++)
        if (read_input(m, i, json_array_get(inputs, i), err))
            return -1;
    return 0;
}

// What nothing computes with, but people and programs read.
static int check_notes(json_t *training, json_t *provenance, struct err *err)
{
    json_error_t why;
    const char *text;
    json_int_t number;
    if (json_unpack_ex(training, &why, JSON_STRICT, "{s:s, s:s, s:I, s:I, s:s}", "train", &text,
                       "test", &text, "rows", &number, "frauds", &number, "threshold_from", &text))
        return err_set(err, "training: %s", why.text);
    if (json_unpack_ex(provenance, &why, JSON_STRICT, "{s:s, s:s, s:s}", "data_xxh3", &text,
                       "config_xxh3", &text, "program", &text))
        return err_set(err, "provenance: %s", why.text);
    return 0;
}

static int check_head(const char *format, int version, struct err *err)
{
    if (strcmp(format, FORMAT) != 0)
        return err_set(err, "its format is '%.100s', not '%s'", format, FORMAT);
    if (version != VERSION)
        return err_set(err, "is of version %d; this program reads version %d", version, VERSION);
    return 0;
}

static int from_json(struct model *m, json_t *j, struct err *err)
{
    json_error_t why;
    json_t *plan, *inputs, *score;
    const char *format;
    int version;
    if (json_unpack_ex(j, &why, JSON_STRICT, "{s:s, s:i, s:o, s:o, s:F, s:F, s:F, s:o, s:O, s:O}",
                       "format", &format, "version", &version, "plan", &plan, "inputs", &inputs,
                       "intercept", &m->intercept, "threshold", &m->threshold, "l2", &m->l2,
                       "score_reference", &score, "training", &m->training, "provenance",
                       &m->provenance))
        return err_set(err, "%s", why.text);
    if (check_head(format, version, err) || check_notes(m->training, m->provenance, err) ||
        plan_from_json(&m->plan, plan, err) || read_inputs(m, inputs, err))
        return -1;
    if (!isfinite(m->intercept) || !isfinite(m->l2) || m->l2 < 0)
        return err_set(err, "intercept and l2 must be finite and l2 not below 0");
    if (!(m->threshold >= 0 && m->threshold <= 1))
        return err_set(err, "threshold must be within 0 .. 1");
    if (histogram_from_json(&m->score_reference, score, err))
        return err_prefix(err, "score_reference");
    return 0;
}

int model_load(struct model *m, const char *path, struct err *err)
{
    size_t n = 0;
    json_error_t why;
    *m = (struct model){0};
    char *text = read_file(path, &n, err);
    if (!text)
        return -1;
    json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &why);
    sha256_hex(m->sha256, text, n);
    free(text);
    if (!j)
        return err_set(err, "%s:%d:%d: is not JSON: %s", path, why.line, why.column, why.text);
    int rc = from_json(m, j, err);
    json_decref(j);
    if (rc) {
        model_release(m);
        return err_prefix(err, "%s", path);
    }
    return 0;
}

void model_release(struct model *m)
{
    for (size_t i = 0; i < m->n_inputs; i++) {
        free(m->inputs[i].name);
        histogram_release(&m->inputs[i].reference);
    }
    free(m->inputs);
    histogram_release(&m->score_reference);
    json_decref(m->training);
    json_decref(m->provenance);
    plan_release(&m->plan);
    *m = (struct model){0};
}
