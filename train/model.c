// Reading checks a file's shape; registry.h, that its bytes are those that training wrote.
#include "train/model.h"

#include "base/memory.h"
#include "train/metrics.h"

#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/stat.h>

#define FORMAT "assay model"
enum { VERSION = 3, MAX_BYTES = 64 << 20 };

// ---- scoring ----

// NaN, which no feature is, counts as min.
static double clamp(const struct model_input *in, double x)
{
    return x > in->min ? x < in->max ? x : in->max : in->min;
}

double model_contribution(const struct model *m, size_t i, float x)
{
    const struct model_input *in = &m->inputs[i];
    return in->weight * ((clamp(in, (double)x) - in->mean) / in->scale);
}

size_t model_reason(const struct model *m, size_t first, const float *x, struct reason *reason)
{
    const struct plan *p = &m->plan;
    size_t i = first;
    *reason = (struct reason){.input = (int)first};
    for (; i < m->n_inputs && p->inputs[i].first == first; i++) {
        reason->contribution += model_contribution(m, i, x[i]);
        if (p->nodes[p->inputs[i].node].op == NODE_IS_TEXT && x[i] == 1)
            reason->input = (int)i;
    }
    reason->value = x[reason->input] + 0.0F; // -0 becomes 0, because the database returns it as 0
    return i;
}

double model_margin(const struct model *m, const float *x)
{
    double margin = m->intercept;
    for (size_t i = 0; i < m->n_inputs; i++)
        margin += model_contribution(m, i, x[i]);
    return margin;
}

double model_probability(double margin)
{
    return 1 / (1 + exp(-margin));
}

size_t model_outside(const struct model *m, const float *x, unsigned char *outside)
{
    size_t n = 0;
    for (size_t i = 0; i < m->n_inputs; i++) {
        const bool is = clamp(&m->inputs[i], (double)x[i]) != (double)x[i];
        n += is;
        if (outside)
            outside[i] = is;
    }
    return n;
}

bool model_reviews(const struct model *m, const float *x, double probability)
{
    return probability >= m->threshold || (m->review_outside && model_outside(m, x, NULL) > 0);
}

double round_digits(double x)
{
    char text[32];
    snprintf(text, sizeof text, "%.6e", x); // no program here calls setlocale
    return strtod(text, NULL);
}

// ---- histograms ----

// An edge at the smallest value, or at a value that is several quantiles at once, would put it into
// one bin with all that is larger: the edge is the next larger value then.
static void fit_edges(struct histogram *h, const double *values, size_t n)
{
    double before = values[0], last = values[0];
    for (size_t b = 1; b < HISTOGRAM_BINS; b++) {
        size_t i = n / HISTOGRAM_BINS * b + n % HISTOGRAM_BINS * b / HISTOGRAM_BINS;
        const double quantile = values[i];
        if (quantile == before)
            LOWER_BOUND(i, 0, n, values[i] <= quantile);
        if (i < n && values[i] > last)
            h->edges[h->n_edges++] = last = values[i];
        before = quantile;
    }
    if (h->n_edges == 0) {
        h->edges[0] = values[0];
        h->edges[1] = nextafter(values[0], INFINITY);
        h->n_edges = 2;
    }
}

void histogram_fit(struct histogram *h, double *values, size_t n)
{
    sort_doubles(values, n);
    *h = (struct histogram){0};
    fit_edges(h, values, n);
    for (size_t i = 0; i < n; i++)
        h->counts[histogram_bin(h, values[i])]++;
}

size_t histogram_bin(const struct histogram *h, double value)
{
    size_t b = 0;
    while (b < h->n_edges && value >= h->edges[b])
        b++;
    return b;
}

json_t *json_counts(const uint64_t *counts, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(list, json_integer((json_int_t)counts[i]));
    return list;
}

json_t *histogram_to_json(const struct histogram *h)
{
    json_t *edges = json_array();
    for (size_t i = 0; i < h->n_edges; i++)
        json_array_append_new(edges, json_real(h->edges[i]));
    return json_pack("{s:o, s:o}", "edges", edges, "counts",
                     json_counts(h->counts, h->n_edges + 1));
}

static int histogram_from_json(struct histogram *h, json_t *json, struct err *err)
{
    json_error_t why;
    json_t *edges, *counts;
    if (json_unpack_ex(json, &why, JSON_STRICT, "{s:o, s:o}", "edges", &edges, "counts", &counts))
        return err_set(err, "%s", why.text);
    h->n_edges = json_array_size(edges);
    if (h->n_edges < 1 || h->n_edges >= HISTOGRAM_BINS)
        return err_set(err, "needs 1 to %d edges", HISTOGRAM_BINS - 1);
    if (json_array_size(counts) != h->n_edges + 1)
        return err_set(err, "needs one count more than edges");
    for (size_t b = 0; b <= h->n_edges; b++) {
        h->counts[b] = (uint64_t)json_integer_value(json_array_get(counts, b));
        if (b < h->n_edges)
            h->edges[b] = json_number_value(json_array_get(edges, b));
    }
    return 0;
}

// ---- writing ----

json_t *model_to_json(const struct model *m)
{
    json_t *list = json_array();
    for (size_t i = 0; i < m->n_inputs; i++) {
        const struct model_input *in = &m->inputs[i];
        json_array_append_new(list, json_pack("{s:s, s:f, s:f, s:f, s:f, s:f, s:o}", "name",
                                              in->name, "mean", in->mean, "scale", in->scale,
                                              "weight", in->weight, "min", in->min, "max", in->max,
                                              "reference", histogram_to_json(&in->reference)));
    }
    return json_pack("{s:s, s:i, s:o, s:o, s:f, s:f, s:f, s:s, s:o, s:O, s:O}", "format", FORMAT,
                     "version", VERSION, "plan", plan_to_json(&m->plan), "inputs", list,
                     "intercept", m->intercept, "threshold", m->threshold, "l2", m->l2, "outside",
                     m->review_outside ? "review" : "score", "score_reference",
                     histogram_to_json(&m->score_reference), "training", m->training, "provenance",
                     m->provenance);
}

char *model_to_text(const struct model *m)
{
    json_t *j = model_to_json(m);
    char *text = json_dumps(j, JSON_INDENT(1) | JSON_REAL_PRECISION(17));
    json_decref(j);
    return text;
}

// ---- reading ----

char *file_read(const char *path, size_t *n, struct err *err)
{
    struct stat st;
    char *text = NULL;
    FILE *f = file_open(path, false, err);
    if (!f)
        return NULL;
    if (fstat(fileno(f), &st) || st.st_size > MAX_BYTES)
        err_set(err, "%s: is not a file of at most %d bytes", path, MAX_BYTES);
    else
        text = xmalloc((size_t)st.st_size);
    if (text && (*n = fread(text, 1, (size_t)st.st_size, f)) < (size_t)st.st_size) {
        err_sys(err, "%s: cannot read", path);
        free(text);
        text = NULL;
    }
    fclose(f);
    return text;
}

static int read_inputs(struct model *m, const json_t *inputs, struct err *err)
{
    m->n_inputs = m->plan.n_inputs;
    m->inputs = xcalloc(m->n_inputs, sizeof *m->inputs);
    for (size_t i = 0; i < m->n_inputs; i++) {
        struct model_input *in = &m->inputs[i];
        json_error_t why;
        json_t *reference;
        in->name = m->plan.inputs[i].name;
        if (json_unpack_ex(json_array_get(inputs, i), &why, 0, "{s:F, s:F, s:F, s:F, s:F, s:o}",
                           "mean", &in->mean, "scale", &in->scale, "weight", &in->weight, "min",
                           &in->min, "max", &in->max, "reference", &reference))
            return err_set(err, "inputs[%zu]: %s", i, why.text);
        if (histogram_from_json(&in->reference, reference, err))
            return err_prefix(err, "inputs[%zu].reference", i);
    }
    return 0;
}

static int from_json(struct model *m, json_t *j, struct err *err)
{
    json_error_t why;
    json_t *plan, *inputs, *score;
    const char *format = "", *outside;
    int version = 0;
    json_unpack(j, "{s:s, s:i}", "format", &format, "version", &version);
    if (strcmp(format, FORMAT) != 0 || version != VERSION)
        return err_set(err,
                       "its format is '%.100s', version %d; this program reads '%s', version %d: "
                       "train again with this program",
                       format, version, FORMAT, VERSION);
    if (json_unpack_ex(
            j, &why, JSON_STRICT, "{s:s, s:i, s:o, s:o, s:F, s:F, s:F, s:s, s:o, s:O, s:O}",
            "format", &format, "version", &version, "plan", &plan, "inputs", &inputs, "intercept",
            &m->intercept, "threshold", &m->threshold, "l2", &m->l2, "outside", &outside,
            "score_reference", &score, "training", &m->training, "provenance", &m->provenance) ||
        json_unpack_ex(m->training, &why, 0, "{s:I, s:I, s:I, s:I}", "train_from", &m->train.from,
                       "train_until", &m->train.until, "test_from", &m->test.from, "test_until",
                       &m->test.until))
        return err_set(err, "%s", why.text);
    m->review_outside = strcmp(outside, "review") == 0;
    if (!m->review_outside && strcmp(outside, "score") != 0)
        return err_set(err, "outside is '%.40s', neither score nor review", outside);
    if (plan_from_json(&m->plan, plan, err) || read_inputs(m, inputs, err))
        return -1;
    if (histogram_from_json(&m->score_reference, score, err))
        return err_prefix(err, "score_reference");
    return 0;
}

json_t *json_read(const char *path, char sha256[SHA256_HEX], struct err *err)
{
    size_t n = 0;
    json_error_t why;
    char *text = file_read(path, &n, err);
    json_t *j = text ? json_loadb(text, n, JSON_REJECT_DUPLICATES, &why) : NULL;
    if (text && !j)
        err_set(err, "%s:%d:%d: is not JSON: %s", path, why.line, why.column, why.text);
    if (text && sha256)
        sha256_hex(sha256, text, n);
    free(text);
    return j;
}

int model_load(struct model *m, const char *path, struct err *err)
{
    *m = (struct model){0};
    json_t *j = json_read(path, m->sha256, err);
    if (!j)
        return -1;
    int rc = from_json(m, j, err);
    json_decref(j);
    return rc ? err_prefix(err, "%s", path) : 0;
}

void model_release(struct model *m)
{
    free(m->inputs);
    json_decref(m->training);
    json_decref(m->provenance);
    plan_release(&m->plan);
    *m = (struct model){0};
}

void sha256_hex(char hex[SHA256_HEX], const void *data, size_t n)
{
    unsigned char hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256(hash, data, n);
    sodium_bin2hex(hex, SHA256_HEX, hash, sizeof hash);
}
