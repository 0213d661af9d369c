// Building JSON cannot fail here: jansson allocates with xmalloc.
#include "base/memory.h"
#include "base/value.h"
#include "train/report.h"

#include <math.h>
#include <stdlib.h>

// ---- the model and each baseline ----------------------------------------------------------------

json_t *results_metrics(const struct metrics *m, const struct bootstrap *b)
{
    json_t *j = metrics_to_json(m), *intervals = json_object();
    for (size_t i = 0; i < N_METRICS; i++) {
        const struct interval x = bootstrap_interval(b, NULL, i, PAIRED);
        json_object_set_new(intervals, metric_list[i].name,
                            json_pack("[o, o]", json_number(x.low), json_number(x.high)));
    }
    json_object_set_new(j, "intervals", intervals);
    return j;
}

// Each metric's [value, low, high] of a - b.
static json_t *difference(const struct candidate *a, const struct candidate *b)
{
    json_t *j = json_object();
    for (size_t i = 0; i < N_METRICS; i++) {
        const struct interval x = bootstrap_interval(&a->bootstrap, &b->bootstrap, i, PAIRED);
        const double change =
            metrics_get(&a->results[0].metrics, i) - metrics_get(&b->results[0].metrics, i);
        json_object_set_new(
            j, metric_list[i].name,
            json_pack("[o, o, o]", json_number(change), json_number(x.low), json_number(x.high)));
    }
    return j;
}

static json_t *folds(const struct candidate *c, size_t n)
{
    json_t *list = json_array();
    for (size_t k = 0; k < n; k++) {
        const struct fold_result *f = &c->results[k];
        json_t *j = json_pack("{s:s, s:s, s:s}", "train", f->fit->fold->train.text, "test",
                              f->fit->fold->test.text, "threshold_from", f->threshold_from);
        json_object_update_new(j, metrics_to_json(&f->metrics));
        json_array_append_new(list, j);
    }
    return list;
}

// Summarises each metric over the folds in which it is defined.
static json_t *summary(const struct candidate *c, size_t n)
{
    json_t *j = json_object();
    for (size_t i = 0; i < N_METRICS; i++) {
        double sum = 0, squares = 0, known = 0, worst = NAN;
        const int better = metric_list[i].better;
        for (size_t k = 0; k < n; k++) {
            const double x = metrics_get(&c->results[k].metrics, i);
            if (isnan(x))
                continue;
            sum += x;
            known++;
            if (better != 0 && !(better * x >= better * worst))
                worst = x;
        }
        if (known == 0 && i == METRIC(card_precision_at_100)) // there are no cards or no days
            continue;
        for (size_t k = 0; k < n; k++) {
            const double apart = metrics_get(&c->results[k].metrics, i) - sum / known;
            squares += isnan(apart) ? 0 : apart * apart;
        }
        json_object_set_new(j, metric_list[i].name,
                            json_pack("{s:i, s:o, s:o, s:o}", "folds", (int)known, "mean",
                                      json_number(sum / known), "sd",
                                      json_number(known > 1 ? sqrt(squares / (known - 1)) : NAN),
                                      "worst", json_number(worst)));
    }
    return j;
}

// A point is kept if the next one would be half a percent of the frauds or 5 % of the genuine rows
// further: close enough for logarithmic axes, too.
static json_t *curve(const struct fit *t)
{
    struct ranking k;
    size_t kept = 0;
    json_t *thresholds = json_array();
    ranking_make(&k, t->score, t->fold->judged, t->fold->test.n);
    const uint64_t step = (uint64_t)ranking_frauds(&k) / 200 + 1;
    uint64_t f = 0, g = 0; // of the last point kept
    for (size_t i = 0; i < k.n; i++) {
        if (i > 0 && i + 1 < k.n && k.frauds[i] - f < step && k.genuine[i] <= g + g / 20)
            continue;
        k.frauds[kept] = f = k.frauds[i];
        k.genuine[kept++] = g = k.genuine[i];
        json_array_append_new(thresholds, json_number(k.score[i]));
    }
    json_t *j = json_pack("{s:o, s:o, s:o}", "threshold", thresholds, "frauds",
                          json_counts(k.frauds, kept), "genuine", json_counts(k.genuine, kept));
    ranking_release(&k);
    return j;
}

static json_t *candidate(const struct evaluation *v, const struct candidate *c)
{
    const int64_t wrong = evaluation_false_positives(v, c);
    return json_pack("{s:o, s:o, s:o, s:o, s:f, s:o}", "test",
                     results_metrics(&c->results[0].metrics, &c->bootstrap), "folds",
                     folds(c, v->n_folds), "summary", summary(c, v->n_folds), "curve",
                     curve(c->results[0].fit), "l2", c->l2, "false_positives_at_recall",
                     wrong < 0 ? json_null() : json_integer(wrong));
}

// ---- the model ----------------------------------------------------------------------------------

// Metrics of the training rows by the test's rules: much better ones are a sign of overfitting.
static json_t *training(const struct candidate *c, int64_t label_delay)
{
    const struct fold_result *f = &c->results[0];
    const struct part *train = &f->fit->fold->train;
    double *score = scores_new(&c->examples, &f->fit->model, train->rows);
    int8_t *judged = fold_judge(f->fit->fold, train, &c->examples, label_delay);
    const struct metrics m =
        metrics_with_cards(&c->examples, train->rows, score, judged, f->threshold);
    free(score);
    free(judged);
    return metrics_to_json(&m);
}

// The model's decision on row i of the test, and its reasons; null for -1.
static json_t *decision(const struct candidate *c, int64_t i)
{
    if (i < 0)
        return json_null();
    const struct fit *t = c->results[0].fit;
    const struct model *m = &t->model;
    const uint64_t row = t->fold->test.rows.first + (uint64_t)i;
    float *x = xcalloc(m->n_inputs, sizeof *x);
    json_t *list = json_array();
    struct reason r;
    char time[TIME_TEXT];
    for (size_t k = 0; k < m->n_inputs; k++)
        x[k] = c->examples.x[k][row];
    for (size_t k = 0; k < m->n_inputs;) {
        k = model_reason(m, k, x, &r);
        json_array_append_new(list,
                              json_pack("{s:s, s:f, s:f}", "feature", m->inputs[r.input].name,
                                        "value", (double)r.value, "contribution", r.contribution));
    }
    json_t *j =
        json_pack("{s:s, s:f, s:b, s:o}", "time",
                  examples_time(&c->examples, c->examples.time[row], time), "probability",
                  t->score[i], "review", model_reviews(m, x, t->score[i]), "contributions", list);
    free(x);
    return j;
}

static json_t *decisions(const struct candidate *c)
{
    const struct fold *fold = c->results[0].fit->fold;
    const double *score = c->results[0].fit->score;
    int64_t at[3] = {-1, -1, -1}; // highest genuine row, highest fraud, lowest fraud
    for (int64_t i = 0; i < (int64_t)fold->test.n; i++) {
        const int8_t label = fold->judged[i];
        if (label >= 0 && (at[label] < 0 || score[i] > score[at[label]]))
            at[label] = i;
        if (label == 1 && (at[2] < 0 || score[i] < score[at[2]]))
            at[2] = i;
    }
    return json_pack("{s:o, s:o, s:o}", "highest_fraud", decision(c, at[1]), "highest_genuine",
                     decision(c, at[0]), "lowest_fraud", decision(c, at[2]));
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
    if (s->alert_share > 0)
        return json_pack("{s:s, s:f}", "policy", "alert_share", "alert_share", s->alert_share);
    return json_pack("{s:s, s:I}", "policy", "alerts_per_day", "alerts_per_day",
                     (json_int_t)s->alerts_per_day);
}

// [day since 1970, rows with a known label, frauds] of each day that has rows.
static json_t *daily(const struct examples *e)
{
    json_t *list = json_array();
    for (uint64_t r = 0; r < e->rows && !e->counts_rows;) {
        const int64_t day = day_of(e->time[r]);
        json_int_t known = 0, frauds = 0;
        for (; r < e->rows && day_of(e->time[r]) == day; r++) {
            known += e->label[r] >= 0;
            frauds += e->label[r] == 1;
        }
        json_array_append_new(list, json_pack("[I, I, I]", (json_int_t)day, known, frauds));
    }
    return list;
}

static json_t *data(const struct candidate *c, const struct settings *s)
{
    const struct part *train = &c->results[0].fit->fold->train;
    const struct part *test = &c->results[0].fit->fold->test;
    const struct logreg *fit = &c->results[0].fit->logreg;
    const struct tally *t = &c->results[0].metrics.tally;
    const double alerts = t->true_positives + t->false_positives;
    const int64_t *time = c->examples.time;
    const json_t *provenance = c->examples.table.provenance;
    return json_pack(
        "{s:{s:I, s:I, s:o, s:I, s:f, s:I, s:I}, s:{s:I, s:I, s:o, s:o, s:f, s:I, s:I}, s:o, s:O*, "
        "s:O*}",
        "train", "rows", (json_int_t)train->n, "frauds", (json_int_t)fit->frauds, "days",
        json_number(train->days), "unknown", (json_int_t)train->n - (json_int_t)fit->known,
        "fraud_share", fit->frauds / fit->known, "first_day",
        (json_int_t)day_of(time[train->rows.first]), "last_day",
        (json_int_t)day_of(time[train->rows.end - 1]), "test", "rows", (json_int_t)test->n,
        "frauds", (json_int_t)t->frauds, "days", json_number(test->days), "alerts_per_day",
        json_number(s->alert_share > 0 ? NAN : alerts / test->days), "fraud_share",
        t->frauds / t->rows, "first_day", (json_int_t)day_of(time[test->rows.first]), "last_day",
        (json_int_t)day_of(time[test->rows.end - 1]), "daily", daily(&c->examples), "columns",
        json_object_get(provenance, "columns"), "input",
        json_object_get(json_object_get(provenance, "table"), "input"));
}

// Counts the training rows of a class in the bins of the input's reference.
static json_t *distribution(const struct candidate *c, size_t input, int8_t label)
{
    const struct fit *t = c->results[0].fit;
    struct histogram h = t->model.inputs[input].reference;
    memset(h.counts, 0, sizeof h.counts);
    for (uint64_t r = t->fold->train.rows.first; r < t->fold->train.rows.end; r++)
        if (c->examples.label[r] == label)
            h.counts[histogram_bin(&h, (double)c->examples.x[input][r])]++;
    return histogram_to_json(&h);
}

static json_t *weights(const struct candidate *c)
{
    const struct fit *t = c->results[0].fit;
    json_t *list = json_array();
    for (size_t i = 0; i < t->model.n_inputs; i++) {
        const struct model_input *in = &t->model.inputs[i];
        const double w = in->weight, e = t->logreg.standard_error[i], reach = Z_95 * e;
        json_array_append_new(
            list,
            json_pack("{s:s, s:f, s:f, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "feature",
                      in->name, "min", in->min, "max", in->max, "weight", w, "standard_error",
                      json_number(e), "low", json_number(w - reach), "high", json_number(w + reach),
                      "z", json_number(w / e), "odds_ratio", json_number(exp(w)), "genuine",
                      distribution(c, i, 0), "frauds", distribution(c, i, 1)));
    }
    return list;
}

json_t *results_reliability(const double *score, const int8_t *judged, size_t n)
{
    enum { LEAST = 30 }; // rows of a range
    struct ranking k;
    json_t *list = json_array();
    ranking_make(&k, score, judged, n);
    for (size_t end = k.n, from; end > 0; end = from) {
        const double all = (double)(k.frauds[end - 1] + k.genuine[end - 1]); // rows that are left
        double above = all, frauds = (double)k.frauds[end - 1], sum = 0, low, high;
        for (from = end;
             from > 0 && (above < LEAST || all - above < LEAST ||
                          (above > all / 2 && k.score[from] < k.score[end - 1] + 0.1));) {
            const double with = above;
            above = --from ? (double)(k.frauds[from - 1] + k.genuine[from - 1]) : 0;
            sum += k.score[from] * (with - above);
        }
        frauds -= from ? (double)k.frauds[from - 1] : 0;
        const double rows = all - above;
        wilson_interval(frauds, rows, &low, &high);
        json_array_append_new(list, json_pack("{s:f, s:f, s:I, s:I, s:f, s:f, s:f, s:f}", "from",
                                              k.score[end - 1], "to", k.score[from], "rows",
                                              (json_int_t)rows, "frauds", (json_int_t)frauds,
                                              "mean_probability", sum / rows, "fraud_share",
                                              frauds / rows, "low", low, "high", high));
    }
    ranking_release(&k);
    return list;
}

static json_t *scores(const struct fit *t)
{
    enum { RANGES = 40, REACH = 10 }; // of log-odds, to both sides
    uint64_t rows[2][RANGES] = {0};
    for (uint64_t i = 0; i < t->fold->test.n; i++) {
        const double at = (log(t->score[i] / (1 - t->score[i])) + REACH) * RANGES / (2 * REACH);
        if (t->fold->judged[i] >= 0)
            rows[t->fold->judged[i]][at < 0 ? 0 : at < RANGES ? (int)at : RANGES - 1]++;
    }
    return json_pack("{s:i, s:i, s:o, s:o}", "from", -REACH, "to", REACH, "genuine",
                     json_counts(rows[0], RANGES), "frauds", json_counts(rows[1], RANGES));
}

static double member(const json_t *j, const char *key)
{
    const json_t *x = json_object_get(j, key);
    return json_is_number(x) ? json_number_value(x) : NAN;
}

static json_t *slice(const struct slicing *by, size_t k, const struct fold_result *f)
{
    const struct fold *fold = f->fit->fold;
    int8_t *judged = slice_judged(by, k, fold->test.rows, fold->judged);
    const struct metrics m = metrics_compute(f->fit->score, judged, fold->test.n, f->threshold);
    json_t *j = metrics_to_json(&m);
    free(judged);
    json_object_update_new(j, json_pack("{s:s, s:s, s:b, s:o}", "slicing", by->name, "name",
                                        by->names[k], "small", slice_is_small(&m.tally),
                                        "fraud_share", json_number(m.tally.frauds / m.tally.rows)));
    return j;
}

static json_t *slicings(const struct evaluation *v)
{
    json_t *list = json_array();
    for (size_t i = 0; i < v->n_slicings; i++) {
        const struct slicing *s = &v->slicings[i];
        json_t *each = json_array();
        int small = 0;
        for (size_t k = 0; k < s->n; k++) {
            json_t *one = slice(s, k, &v->model.results[0]);
            json_array_append_new(each, one);
            small += json_is_true(json_object_get(one, "small"));
        }
        json_array_append_new(list, json_pack("{s:s, s:i, s:b, s:o}", "name", s->name, "small",
                                              small, "many_small", small > 3, "slices", each));
    }
    return list;
}

// The share of the rows in which none of a onehot's inputs first .. end is set, or that of rare values.
static double unknown_share(const struct examples *e, size_t first, size_t end,
                            const struct part *p)
{
    uint64_t n = 0;
    for (uint64_t r = p->rows.first; r < p->rows.end; r++) {
        size_t i = first;
        while (i < end && e->x[i][r] == 0)
            i++;
        n += i == end || strcmp(strchr(e->names[i], '['), "[*]") == 0;
    }
    return (double)n / fmax(1, (double)p->n);
}

// Onehots whose values training does not know in a large share of the test, by so much more than in the
// training rows. These have such rows, too, where the values were written by hand.
static json_t *unseen(const struct examples *e, const struct fold *fold)
{
    static const double MUCH = 0.2;
    json_t *list = json_array();
    for (size_t first = 0, end; first < e->n_inputs; first = end) {
        const char *name = e->names[first];
        const size_t n = strcspn(name, "[");
        for (end = first + 1; end < e->n_inputs && strncmp(name, e->names[end], n + 1) == 0;)
            end++;
        if (name[n] == '\0')
            continue;
        const double share = unknown_share(e, first, end, &fold->test);
        if (share - unknown_share(e, first, end, &fold->train) >= MUCH)
            json_array_append_new(list, json_pack("{s:s%, s:f}", "name", name, n, "share", share));
    }
    return list;
}

// sentences.txt has a sentence for each.
static json_t *warnings(const struct candidate *m, const struct settings *s, int64_t label_delay)
{
    const struct fold_result *f = &m->results[0];
    const struct tally *t = &f->metrics.tally;
    const struct fold *fold = f->fit->fold;
    const double alerts = t->true_positives + t->false_positives;
    const double budget = settings_budget(s, fold->test.days, t->rows);
    const int64_t *time = m->examples.time;
    const bool late = !m->examples.counts_rows &&
                      time[fold->test.rows.first] - time[fold->train.rows.end - 1] < label_delay;
    return json_pack("{s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:b, s:o}", "few_rows", slice_is_small(t),
                     "late_labels", late, "known_cards", t->known_cards > t->rows, "no_validation",
                     s->n_l2 > 1 && isnan(m->validation[0]), "threshold_from_training",
                     strcmp(f->threshold_from, "training") == 0, "over_budget",
                     budget > 0 && alerts > 2 * budget &&
                         alerts<10 * budget, "far_over_budget", budget> 0 && alerts >= 10 * budget,
                     "no_alert", alerts == 0 && t->frauds > 0, "unseen",
                     unseen(&m->examples, fold));
}

// ---- baselines and [card] -----------------------------------------------------------------------

static double mean_ap(const json_t *j)
{
    return member(json_object_get(json_object_get(j, "summary"), "average_precision"), "mean");
}

static json_t *baseline(const json_t *model, const struct evaluation *v, const struct candidate *c)
{
    json_t *j = candidate(v, c), *inputs = json_array();
    const double change =
        member(model, "false_positives_at_recall") / member(j, "false_positives_at_recall") - 1;
    for (size_t i = 0; i < c->examples.n_inputs; i++)
        json_array_append_new(inputs, json_string(c->examples.names[i]));
    json_object_update_new(j,
                           json_pack("{s:s, s:o, s:o, s:o, s:b}", "name", c->name, "inputs", inputs,
                                     "difference", difference(&v->model, c), "change",
                                     json_number(change), "better", mean_ap(j) > mean_ap(model)));
    return j;
}

static json_t *card(const struct config *config, struct err *err)
{
    json_t *j = json_object();
    for (const struct config_entry *e = config->entries; e < config->entries + config->n; e++) {
        if (strcmp(e->section, "card") != 0 ||
            (*e->value && json_object_set_new(j, e->key, json_string(e->value)) == 0))
            continue;
        config_error(config, e, *e->value ? 0 : -1, err,
                     *e->value ? "its value is not UTF-8"
                               : "is empty: remove the line for a general text");
        json_decref(j);
        return NULL;
    }
    return j;
}

json_t *results_new(const struct evaluation *v, const struct config *config, struct err *err)
{
    const struct candidate *m = &v->model;
    const struct fold_result *f = &m->results[0];
    json_t *words = card(config, err);
    if (!words)
        return NULL;
    json_t *results = candidate(v, m), *baselines = json_array(), *bootstrap = NULL;
    if (m->bootstrap.unit)
        bootstrap = json_pack("{s:s, s:I, s:i, s:i}", "unit", m->bootstrap.unit, "units",
                              (json_int_t)m->bootstrap.units, "replicates", BOOTSTRAP_REPLICATES,
                              "seed", BOOTSTRAP_SEED);
    for (size_t i = 0; i < v->n_baselines; i++)
        json_array_append_new(baselines, baseline(results, v, &v->baselines[i]));
    json_t *more = json_pack(
        "{s:o?, s:o, s:o, s:o, s:{s:o}, s:o, s:o, s:o, s:o, s:o, s:{s:s, s:s?}, s:b, s:o, s:o, "
        "s:o, s:{}, s:b, s:o}",
        "bootstrap", bootstrap, "threshold", policy(&v->settings, &f->metrics.tally), "data",
        data(m, &v->settings), "weights", weights(m), "intercept", "weight",
        json_number(f->fit->model.intercept), "reliability",
        results_reliability(f->fit->score, f->fit->fold->judged, f->fit->fold->test.n), "scores",
        scores(f->fit), "slices", slicings(v), "baselines", baselines, "warnings",
        warnings(m, &v->settings, v->split.label_delay), "split", "label_delay",
        v->split.label_delay_text, "blocked", v->split.blocked, "review_outside",
        v->settings.review_outside, "card", words, "training", training(m, v->split.label_delay),
        "decisions", decisions(m), "titles", "counts_rows", m->examples.counts_rows, "class",
        class_words(words));
    json_object_update_new(results, more);
    for (size_t i = 0; i < N_METRICS; i++)
        json_object_set_new(json_object_get(results, "titles"), metric_list[i].name,
                            json_string(metric_list[i].title));
    return results;
}
