// From an evaluation to JSON. jansson refuses NULL values, so an allocation that failed on the way
// makes the whole NULL, and only results_new has to look.
#include "train/results.h"
#include "ingest/table.h"
#include "ingest/value.h"

#include <math.h>
#include <string.h>

static json_t *number(double x)
{
    return json_number_or_null(x);
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

// All members of `from` into `into`, which takes the reference to it; NULL where one of them is.
static json_t *with(json_t *into, json_t *from)
{
    if (into && from && json_object_update(into, from) == 0) {
        json_decref(from);
        return into;
    }
    json_decref(into);
    json_decref(from);
    return NULL;
}

static json_t *append(json_t *list, json_t *item)
{
    if (json_array_append_new(list, item) == 0)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *set(json_t *object, const char *key, json_t *value)
{
    if (json_object_set_new(object, key, value) == 0)
        return object;
    json_decref(object);
    return NULL;
}

// ---- one candidate ---------------------------------------------------------------------------------

static json_t *intervals(const struct bootstrap *b)
{
    json_t *j = json_object();
    for (size_t i = 0; i < N_METRICS; i++) {
        struct interval x = bootstrap_interval(b, NULL, i);
        j = set(j, metric_list[i].name, json_pack("[o, o]", number(x.low), number(x.high)));
    }
    return j;
}

static json_t *test(const struct candidate *c)
{
    return set(metrics_to_json(&c->results[0].metrics), "intervals", intervals(&c->bootstrap));
}

static json_t *folds(const struct candidate *c, size_t n)
{
    json_t *list = json_array();
    for (size_t k = 0; k < n; k++) {
        const struct fold_result *f = &c->results[k];
        list = append(list,
                      with(json_pack("{s:s, s:s, s:s}", "train", f->fit->fold->train_text, "test",
                                     f->fit->fold->test_text, "threshold_from", f->threshold_from),
                           metrics_to_json(&f->metrics)));
    }
    return list;
}

// Over the folds in which the metric has a meaning.
static json_t *summary_of(const struct candidate *c, size_t n, size_t metric)
{
    double sum = 0, squares = 0, known = 0, worst = NAN;
    const char *when = NULL;
    const int better = metric_list[metric].better;
    for (size_t k = 0; k < n; k++) {
        const double x = metrics_get(&c->results[k].metrics, metric);
        if (isnan(x))
            continue;
        sum += x;
        known++;
        if (better != 0 && (!when || better * x < better * worst)) {
            worst = x;
            when = c->results[k].fit->fold->test_text;
        }
    }
    const double mean = sum / known;
    for (size_t k = 0; k < n; k++) {
        const double apart = metrics_get(&c->results[k].metrics, metric) - mean;
        squares += isnan(apart) ? 0 : apart * apart;
    }
    return json_pack("{s:i, s:o, s:o, s:o, s:s?}", "folds", (int)known, "mean", number(mean), "sd",
                     number(known > 1 ? sqrt(squares / (known - 1)) : NAN), "worst", number(worst),
                     "worst_test", when);
}

static json_t *summary(const struct candidate *c, size_t n)
{
    json_t *j = json_object();
    for (size_t i = 0; i < N_METRICS; i++)
        j = set(j, metric_list[i].name, summary_of(c, n, i));
    return j;
}

// ---- the model -------------------------------------------------------------------------------------

static json_t *bootstrap(const struct bootstrap *b)
{
    if (!b->unit)
        return json_null();
    return json_pack("{s:s, s:o, s:i, s:i}", "unit", b->unit, "units", count(b->units),
                     "replicates", BOOTSTRAP_REPLICATES, "seed", BOOTSTRAP_SEED);
}

static json_t *validation(const struct candidate *c, const struct settings *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_l2; i++)
        list = append(list, json_pack("{s:f, s:o}", "l2", s->l2[i], "mean_average_precision",
                                      number(c->validation[i])));
    return list;
}

static json_t *policy(const struct settings *s)
{
    if (s->by_cost)
        return json_pack("{s:s, s:f, s:f}", "policy", "cost", "cost_fraud", s->cost_fraud,
                         "cost_alert", s->cost_alert);
    return json_pack("{s:s, s:I}", "policy", "alerts_per_day", "alerts_per_day",
                     (json_int_t)s->alerts_per_day);
}

static json_t *data(const struct fold_result *f)
{
    const struct fit *t = f->fit;
    return json_pack("{s:{s:o, s:o, s:o, s:o}, s:{s:o, s:o, s:o}}", "train", "rows",
                     count(t->fold->train.end - t->fold->train.first), "known", count(t->rows),
                     "frauds", count(t->frauds), "days", number(t->fold->train_days), "test",
                     "rows", count(t->fold->test.end - t->fold->test.first), "frauds",
                     count(f->metrics.tally.frauds), "days", number(t->fold->test_days));
}

static json_t *weights(const struct candidate *c)
{
    const struct fit *t = c->results[0].fit;
    json_t *list = json_array();
    for (size_t i = 0; i < t->model.n_inputs; i++) {
        const struct model_input *in = &t->model.inputs[i];
        const double w = in->weight, e = t->standard_error[i], reach = Z_95 * e;
        list =
            append(list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "feature",
                                   c->examples.names[i], "mean", number(in->mean), "scale",
                                   number(in->scale), "weight", number(w), "standard_error",
                                   number(e), "low", number(w - reach), "high", number(w + reach),
                                   "z", number(w / e), "odds_ratio", number(exp(w))));
    }
    return list;
}

static json_t *intercept(const struct fit *t)
{
    return json_pack("{s:o, s:o}", "weight", number(t->model.intercept), "standard_error",
                     number(t->standard_error[t->model.n_inputs]));
}

// ---- slices ----------------------------------------------------------------------------------------

static const char *const compared[] = {"selection_rate", "recall", "false_positive_rate"};
enum { N_COMPARED = sizeof compared / sizeof *compared };

static double named(const struct metrics *m, const char *name)
{
    for (size_t i = 0; i < N_METRICS; i++)
        if (strcmp(metric_list[i].name, name) == 0)
            return metrics_get(m, i);
    return NAN;
}

static json_t *slice(const struct slice *s, const struct metrics *overall)
{
    json_t *difference = json_object(), *ratio = json_object();
    for (size_t i = 0; i < N_COMPARED; i++) {
        const double x = named(&s->metrics, compared[i]), all = named(overall, compared[i]);
        difference = set(difference, compared[i], number(x - all));
        ratio = set(ratio, compared[i], number(x / all));
    }
    json_t *j = json_pack("{s:s, s:b}", "name", s->name, "small", s->small);
    return set(set(with(j, metrics_to_json(&s->metrics)), "difference", difference), "ratio",
               ratio);
}

static json_t *slicings(const struct evaluation *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n_slicings; i++) {
        const struct slicing *s = &v->slicings[i];
        json_t *each = json_array();
        for (size_t k = 0; k < s->n; k++)
            each = append(each, slice(&s->slices[k], &v->model.results[0].metrics));
        list = append(list, json_pack("{s:s, s:o}", "name", s->name, "slices", each));
    }
    return list;
}

// ---- baselines -------------------------------------------------------------------------------------

static json_t *inputs(const struct candidate *c)
{
    json_t *list = json_array();
    for (size_t i = 0; i < c->examples.n_inputs; i++)
        list = append(list, json_string(c->examples.names[i]));
    return list;
}

static json_t *differences(const struct candidate *model, const struct candidate *baseline)
{
    json_t *j = json_object();
    for (size_t i = 0; i < N_METRICS; i++) {
        const double value = metrics_get(&model->results[0].metrics, i) -
                             metrics_get(&baseline->results[0].metrics, i);
        const struct interval x = bootstrap_interval(&model->bootstrap, &baseline->bootstrap, i);
        j = set(j, metric_list[i].name,
                json_pack("[o, o, o]", number(value), number(x.low), number(x.high)));
    }
    return j;
}

static json_t *false_positives(const struct evaluation *v, const struct candidate *c)
{
    const int64_t n = evaluation_false_positives(v, c);
    return n < 0 ? json_null() : count((uint64_t)n);
}

static json_t *baselines(const struct evaluation *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n_baselines && list; i++) {
        const struct candidate *c = &v->baselines[i];
        list = append(list, json_pack("{s:s, s:o, s:f, s:o, s:o, s:o, s:o, s:o}", "name", c->name,
                                      "inputs", inputs(c), "l2", c->l2, "test", test(c), "folds",
                                      folds(c, v->n_folds), "summary", summary(c, v->n_folds),
                                      "difference", differences(&v->model, c),
                                      "false_positives_at_recall", false_positives(v, c)));
    }
    return list;
}

// ---- [card] ----------------------------------------------------------------------------------------

static json_t *card(const struct config *config, struct err *err)
{
    static const char *const known[] = {"intended_use", "data", "limits"};
    json_t *j = json_object();
    if (config_check_keys(config, "card", known, sizeof known / sizeof *known, err)) {
        json_decref(j);
        return NULL;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct config_entry *e = config_find(config, "card", known[i]);
        if (e && *e->value == '\0') {
            config_error(config, e, -1, err, "is empty: leave the line out for a general text");
            json_decref(j);
            return NULL;
        }
        if (e && !value_utf8(e->value, strlen(e->value))) {
            config_error(config, e, 0, err, "its value is not UTF-8");
            json_decref(j);
            return NULL;
        }
        if (e)
            j = set(j, known[i], json_string(e->value));
    }
    return j;
}

json_t *results_new(const struct evaluation *v, const struct settings *s,
                    const struct config *config, struct err *err)
{
    const struct candidate *m = &v->model;
    const struct fold_result *f = &m->results[0];
    json_t *words = card(config, err);
    if (!words)
        return NULL;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                     "test", test(m), "false_positives_at_recall", false_positives(v, m), "folds",
                     folds(m, v->n_folds), "summary", summary(m, v->n_folds), "bootstrap",
                     bootstrap(&m->bootstrap), "validation", validation(m, s), "l2", m->l2,
                     "threshold", policy(s), "data", data(f), "weights", weights(m), "intercept",
                     intercept(f->fit), "slices", slicings(v), "baselines", baselines(v), "card",
                     words);
}
