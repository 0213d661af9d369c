// Building JSON cannot fail here: jansson allocates with xmalloc.
#include "ingest/table.h"
#include "train/report.h"

#include <math.h>
#include <string.h>

static json_t *number(double x)
{
    return json_number_or_null(x);
}

static json_t *count(double n)
{
    return json_integer((json_int_t)n);
}

static json_t *counts(const uint64_t *n, size_t size)
{
    json_t *list = json_array();
    for (size_t i = 0; i < size; i++)
        json_array_append_new(list, count((double)n[i]));
    return list;
}

// ---- the model and each baseline ----------------------------------------------------------------

// Each metric's [low, high], or [value, low, high] of its difference to a baseline.
static json_t *intervals(const struct candidate *c, const struct candidate *baseline)
{
    json_t *j = json_object();
    for (size_t i = 0; i < N_METRICS; i++) {
        const struct interval x =
            bootstrap_interval(&c->bootstrap, baseline ? &baseline->bootstrap : NULL, i);
        json_t *list = json_pack("[o, o]", number(x.low), number(x.high));
        if (baseline)
            json_array_insert_new(list, 0,
                                  number(metrics_get(&c->results[0].metrics, i) -
                                         metrics_get(&baseline->results[0].metrics, i)));
        json_object_set_new(j, metric_list[i].name, list);
    }
    return j;
}

static json_t *folds(const struct candidate *c, size_t n)
{
    json_t *list = json_array();
    for (size_t k = 0; k < n; k++) {
        const struct fold_result *f = &c->results[k];
        json_t *j = json_pack("{s:s, s:s, s:s}", "train", f->fit->fold->train_text, "test",
                              f->fit->fold->test_text, "threshold_from", f->threshold_from);
        json_object_update_new(j, metrics_to_json(&f->metrics));
        json_array_append_new(list, j);
    }
    return list;
}

// Over the folds in which the metric is defined.
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
    for (size_t k = 0; k < n; k++) {
        const double apart = metrics_get(&c->results[k].metrics, metric) - sum / known;
        squares += isnan(apart) ? 0 : apart * apart;
    }
    return json_pack("{s:i, s:o, s:o, s:o, s:s?}", "folds", (int)known, "mean", number(sum / known),
                     "sd", number(known > 1 ? sqrt(squares / (known - 1)) : NAN), "worst",
                     number(worst), "worst_test", when);
}

static json_t *summary(const struct candidate *c, size_t n)
{
    json_t *j = json_object();
    for (size_t i = 0; i < N_METRICS; i++)
        json_object_set_new(j, metric_list[i].name, summary_of(c, n, i));
    return j;
}

static json_t *titles(void)
{
    json_t *j = json_object();
    for (size_t i = 0; i < N_METRICS; i++)
        json_object_set_new(j, metric_list[i].name, json_string(metric_list[i].title));
    return j;
}

// A point is kept if the next one would be half a percent of the frauds or 5 % of the genuine rows
// further: close enough for logarithmic axes, too.
static json_t *curve(const struct fit *t)
{
    struct ranking k;
    size_t kept = 0;
    json_t *thresholds = json_array();
    ranking_make(&k, t->score, t->fold->judged, (size_t)(t->fold->test.end - t->fold->test.first));
    const uint64_t step = (uint64_t)ranking_frauds(&k) / 200 + 1;
    uint64_t f = 0, g = 0; // of the last point kept
    for (size_t i = 0; i < k.n; i++) {
        if (i > 0 && i + 1 < k.n && k.frauds[i] - f < step && k.genuine[i] <= g + g / 20)
            continue;
        k.frauds[kept] = f = k.frauds[i];
        k.genuine[kept++] = g = k.genuine[i];
        json_array_append_new(thresholds, number(k.score[i]));
    }
    json_t *j = json_pack("{s:o, s:o, s:o}", "threshold", thresholds, "frauds",
                          counts(k.frauds, kept), "genuine", counts(k.genuine, kept));
    ranking_release(&k);
    return j;
}

static json_t *candidate(const struct evaluation *v, const struct candidate *c)
{
    const int64_t wrong = evaluation_false_positives(v, c);
    json_t *test = metrics_to_json(&c->results[0].metrics);
    json_object_set_new(test, "intervals", intervals(c, NULL));
    return json_pack("{s:o, s:o, s:o, s:o, s:f, s:o}", "test", test, "folds", folds(c, v->n_folds),
                     "summary", summary(c, v->n_folds), "curve", curve(c->results[0].fit), "l2",
                     c->l2, "false_positives_at_recall",
                     wrong < 0 ? json_null() : json_integer(wrong));
}

// ---- the model ----------------------------------------------------------------------------------

static json_t *bootstrap(const struct bootstrap *b)
{
    if (!b->unit)
        return json_null();
    return json_pack("{s:s, s:o, s:i, s:i}", "unit", b->unit, "units", count((double)b->units),
                     "replicates", BOOTSTRAP_REPLICATES, "seed", BOOTSTRAP_SEED);
}

static json_t *validation(const struct candidate *c, const struct settings *s)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_l2; i++)
        json_array_append_new(list, json_pack("{s:f, s:o}", "l2", s->l2[i],
                                              "mean_average_precision", number(c->validation[i])));
    return list;
}

static json_t *policy(const struct settings *s, const struct tally *t)
{
    const double missed = t->false_negatives * s->cost_fraud;
    const double alerts = (t->true_positives + t->false_positives) * s->cost_alert;
    if (s->by_cost)
        return json_pack("{s:s, s:f, s:f, s:f, s:f, s:f}", "policy", "cost", "cost_fraud",
                         s->cost_fraud, "cost_alert", s->cost_alert, "test_cost", missed + alerts,
                         "test_cost_no_alert", t->frauds * s->cost_fraud, "test_cost_all_alerts",
                         t->rows * s->cost_alert);
    return json_pack("{s:s, s:I}", "policy", "alerts_per_day", "alerts_per_day",
                     (json_int_t)s->alerts_per_day);
}

static json_t *data(const struct fold_result *f)
{
    const struct fit *t = f->fit;
    const struct tally *m = &f->metrics.tally;
    const double rows = (double)(t->fold->train.end - t->fold->train.first);
    const double test_rows = (double)(t->fold->test.end - t->fold->test.first);
    const double alerts = m->true_positives + m->false_positives;
    return json_pack(
        "{s:{s:o, s:o, s:o, s:o, s:o, s:o}, s:{s:o, s:o, s:o, s:o, s:o}}", "train", "rows",
        count(rows), "known", count(t->logreg.known), "frauds", count(t->logreg.frauds), "days",
        number(t->fold->train_days), "unknown", count(rows - t->logreg.known), "fraud_share",
        number(t->logreg.frauds / t->logreg.known), "test", "rows", count(test_rows), "frauds",
        count(m->frauds), "days", number(t->fold->test_days), "alerts_per_day",
        number(alerts / t->fold->test_days), "fraud_share", number(m->frauds / m->rows));
}

static json_t *weights(const struct candidate *c)
{
    const struct fit *t = c->results[0].fit;
    json_t *list = json_array();
    for (size_t i = 0; i < t->model.n_inputs; i++) {
        const struct model_input *in = &t->model.inputs[i];
        const double w = in->weight, e = t->logreg.standard_error[i], reach = Z_95 * e;
        json_array_append_new(list, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
                                              "feature", c->examples.names[i], "mean",
                                              number(in->mean), "scale", number(in->scale),
                                              "weight", number(w), "standard_error", number(e),
                                              "low", number(w - reach), "high", number(w + reach),
                                              "z", number(w / e), "odds_ratio", number(exp(w))));
    }
    return list;
}

static json_t *reliability(const struct tally *t)
{
    json_t *list = json_array();
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        double low, high;
        if (t->bin_rows[b] == 0)
            continue;
        wilson_interval(t->bin_frauds[b], t->bin_rows[b], &low, &high);
        json_array_append_new(
            list,
            json_pack("{s:f, s:f, s:o, s:f, s:o, s:f, s:f}", "from", (double)b / CALIBRATION_BINS,
                      "to", (double)(b + 1) / CALIBRATION_BINS, "rows", count(t->bin_rows[b]),
                      "mean_probability", t->bin_probability[b] / t->bin_rows[b], "fraud_share",
                      number(t->bin_frauds[b] / t->bin_rows[b]), "low", low, "high", high));
    }
    return list;
}

static json_t *scores(const struct fit *t)
{
    enum { RANGES = 40, REACH = 10 }; // of log-odds, to both sides
    uint64_t rows[2][RANGES] = {0};
    for (uint64_t i = 0; i < t->fold->test.end - t->fold->test.first; i++) {
        const double at = (log(t->score[i] / (1 - t->score[i])) + REACH) * RANGES / (2 * REACH);
        if (t->fold->judged[i] >= 0)
            rows[t->fold->judged[i]][at < 0 ? 0 : at < RANGES ? (int)at : RANGES - 1]++;
    }
    return json_pack("{s:i, s:i, s:o, s:o}", "from", -REACH, "to", REACH, "genuine",
                     counts(rows[0], RANGES), "frauds", counts(rows[1], RANGES));
}

static double member(const json_t *j, const char *key)
{
    const json_t *x = json_object_get(j, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

static json_t *slice(const struct slicing *by, const struct slice *s, const json_t *all)
{
    static const char *const rates[] = {"selection_rate", "recall", "false_positive_rate"};
    json_t *j = metrics_to_json(&s->metrics), *difference = json_object(), *ratio = json_object();
    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++) {
        const double x = member(j, rates[i]), of_all = member(all, rates[i]);
        json_object_set_new(difference, rates[i], number(x - of_all));
        json_object_set_new(ratio, rates[i], number(x / of_all));
    }
    json_object_update_new(j, json_pack("{s:s, s:s, s:b, s:o, s:o, s:o}", "slicing", by->name,
                                        "name", s->name, "small", s->small, "difference",
                                        difference, "ratio", ratio, "fraud_share",
                                        number(member(j, "frauds") / member(j, "rows"))));
    return j;
}

static json_t *slicings(const struct evaluation *v, const json_t *all)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n_slicings; i++) {
        const struct slicing *s = &v->slicings[i];
        json_t *each = json_array();
        int small = 0;
        for (size_t k = 0; k < s->n; k++) {
            json_array_append_new(each, slice(s, &s->slices[k], all));
            small += s->slices[k].small;
        }
        json_array_append_new(list, json_pack("{s:s, s:i, s:b, s:o}", "name", s->name, "small",
                                              small, "many_small", small > 3, "slices", each));
    }
    return list;
}

// Each has its sentence in sentences.txt.
static json_t *warnings(const struct candidate *m, const struct settings *s, int64_t label_delay)
{
    const struct fold_result *f = &m->results[0];
    const struct tally *t = &f->metrics.tally;
    const bool few = t->frauds < SLICE_LEAST || t->rows - t->frauds < SLICE_LEAST;
    const double alerts = (t->true_positives + t->false_positives);
    const double budget = (double)s->alerts_per_day * f->fit->fold->test_days;
    const struct fold *fold = f->fit->fold;
    const int64_t *time = m->examples.time;
    const bool late = time[fold->test.first] - time[fold->train.end - 1] < label_delay;
    return json_pack("{s:b, s:b, s:b, s:b, s:b, s:b}", "few_rows", few, "late_labels", late,
                     "known_cards", t->known_cards > t->rows, "no_validation",
                     s->n_l2 > 1 && isnan(m->validation[0]), "threshold_from_training",
                     strcmp(f->threshold_from, "training") == 0, "over_budget",
                     !s->by_cost && alerts > 2 * budget);
}

// ---- baselines and [card] -----------------------------------------------------------------------

static double mean_ap(const json_t *j)
{
    return member(json_object_get(json_object_get(j, "summary"), "average_precision"), "mean");
}

static json_t *baseline(const json_t *model, const struct evaluation *v, const struct candidate *c)
{
    json_t *j = candidate(v, c), *inputs = json_array();
    const double mine = member(model, "false_positives_at_recall");
    const double others = member(j, "false_positives_at_recall");
    for (size_t i = 0; i < c->examples.n_inputs; i++)
        json_array_append_new(inputs, json_string(c->examples.names[i]));
    json_object_set_new(j, "name", json_string(c->name));
    json_object_set_new(j, "inputs", inputs);
    json_object_set_new(j, "difference", intervals(&v->model, c));
    json_object_set_new(j, "change", number(mine / others - 1));
    json_object_set_new(j, "better", json_boolean(mean_ap(j) > mean_ap(model)));
    return j;
}

static json_t *card(const struct config *config, struct err *err)
{
    static const char *const keys[] = {"intended_use", "data", "limits"};
    enum { N_KEYS = sizeof keys / sizeof *keys };
    json_t *j = json_object();
    int rc = 0;
    for (size_t i = 0; i < N_KEYS && rc == 0; i++) {
        const struct config_entry *e = config_find(config, "card", keys[i]);
        if (e && *e->value == '\0')
            rc = config_error(config, e, -1, err, "is empty: remove the line for a general text");
        else if (e && json_object_set_new(j, keys[i], json_string(e->value)))
            rc = config_error(config, e, 0, err, "its value is not UTF-8");
    }
    if (rc == 0)
        return j;
    json_decref(j);
    return NULL;
}

json_t *results_new(const struct evaluation *v, const struct config *config, struct err *err)
{
    const struct candidate *m = &v->model;
    const struct fold_result *f = &m->results[0];
    const struct model *fitted = &f->fit->model;
    json_t *words = card(config, err);
    if (!words)
        return NULL;
    json_t *results = candidate(v, m), *baselines = json_array();
    for (size_t i = 0; i < v->n_baselines; i++)
        json_array_append_new(baselines, baseline(results, v, &v->baselines[i]));
    json_t *more =
        json_pack("{s:o, s:o, s:o, s:o, s:o, s:{s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:{s:s, s:s?}, "
                  "s:b, s:o}",
                  "bootstrap", bootstrap(&m->bootstrap), "validation", validation(m, &v->settings),
                  "threshold", policy(&v->settings, &f->metrics.tally), "data", data(f), "weights",
                  weights(m), "intercept", "weight", number(fitted->intercept), "standard_error",
                  number(f->fit->logreg.standard_error[fitted->n_inputs]), "reliability",
                  reliability(&f->metrics.tally), "scores", scores(f->fit), "slices",
                  slicings(v, json_object_get(results, "test")), "baselines", baselines, "warnings",
                  warnings(m, &v->settings, v->split.label_delay), "split", "label_delay",
                  v->split.label_delay_text, "blocked", v->split.blocked, "review_outside",
                  v->settings.review_outside, "card", words);
    json_object_update_new(results, more);
    json_object_set_new(results, "titles", titles());
    return results;
}
