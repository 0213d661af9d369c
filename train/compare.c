// The rows that both versions are judged on, the figures of each, their differences, and the flips.
#include "base/memory.h"
#include "base/value.h"
#include "train/report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

extern const char compare_verdict_txt[];

enum { HISTORY = 28 * SECONDS_PER_DAY };

struct trial { // of versions A and B on the same rows
    const struct model *models[2];
    struct examples e;
    const struct examples *parts; // [n_parts] the tables of e
    size_t n_parts;
    struct split split; // its label_delay and blocked
    size_t metric;      // the primary one, in metric_list
    struct row_range rows;
    size_t n;
    uint64_t young;   // rows within the period after those, whose labels are not mature
    double days;      // that have rows
    int8_t *judged;   // [n]
    double *score[2]; // [n]
};

struct figures { // of A and B
    struct metrics metrics[2];
    struct bootstrap bootstrap[2];
};

// ---- rows ---------------------------------------------------------------------------------------

static int read_metric(struct trial *t, const struct config *config, struct err *err)
{
    const struct config_entry *e = config_find(config, "retrain", "metric");
    t->metric = METRIC(average_precision);
    if (!e || strcmp(e->value, metric_list[t->metric].name) == 0)
        return 0;
    t->metric = METRIC(card_precision_at_100);
    if (t->split.blocked && strcmp(e->value, metric_list[t->metric].name) == 0)
        return 0;
    return config_error(config, e, 0, err,
                        "'%.60s' is neither average_precision nor, with a key in [split] blocked, "
                        "card_precision_at_100",
                        e->value);
}

// Row numbers tell which rows did not train a version only in its own table, in its own order.
static bool is_own_table(const struct model *m, const struct examples *e)
{
    const char *own = "", *data = "-";
    json_int_t own_seed = -1, seed = -1;
    json_unpack(m->provenance, "{s:s, s?:I}", "data_xxh3", &own, "shuffle", &own_seed);
    json_unpack(e->table.provenance, "{s:{s:s}, s?:I}", "table", "input_xxh3", &data, "shuffle",
                &seed);
    return strcmp(own, data) == 0 && own_seed == seed && examples_trained(e, m);
}

static int open_trial(struct trial *t, const struct config *config, struct err *err)
{
    struct examples *e = &t->e;
    for (size_t i = 0; i < 2; i++)
        if (plan_checksum(&t->models[i]->plan) != plan_checksum(&e->plan))
            return err_set(err,
                           "version %" PRId64 " was trained on other [columns] or [features] than "
                           "%s has: compare versions and tables of one description",
                           t->models[i]->version, t->parts->table.path);
        else if (e->counts_rows && !is_own_table(t->models[i], t->parts))
            return err_set(err,
                           "version %" PRId64
                           " was not trained on %s: without a clock only its own "
                           "table tells which rows are new to it, so compare versions of one file "
                           "and one [split] shuffle",
                           t->models[i]->version, t->parts->table.path);
    if (split_labels(&t->split, config, &e->plan.schema, err) || read_metric(t, config, err))
        return -1;
    if (t->models[0]->version == t->models[1]->version)
        return err_set(err, "version %" PRId64 " is named twice: compare two different ones",
                       t->models[0]->version);
    const char *blocked = t->split.blocked;
    e->card = blocked ? table_data(&e->table, blocked, COLUMN_KEY, err) : NULL;
    return blocked && !e->card ? -1 : 0;
}

static void find_rows(struct trial *t, struct period_times within)
{
    const int64_t *time = t->e.time, delay = t->split.label_delay;
    for (int i = 0; i < 2; i++)
        if (within.from < t->models[i]->train.until)
            within.from = t->models[i]->train.until;
    const struct row_range all = time_rows(within.from, within.until, time, t->e.rows);
    t->rows = mature_rows(&t->e, all, delay);
    t->young = all.end - t->rows.end;
    t->n = (size_t)(t->rows.end - t->rows.first);
    t->days = t->e.counts_rows ? NAN : 0;
    for (uint64_t r = t->rows.first; r < t->rows.end; r++)
        t->days += r == t->rows.first || day_of(time[r]) != day_of(time[r - 1]);
    t->judged = cards_judge(&t->e, t->rows, 0, HISTORY + delay, delay);
    for (int i = 0; i < 2; i++)
        t->score[i] = scores_new(&t->e, t->models[i], t->rows);
}

// ---- figures ------------------------------------------------------------------------------------

static void measure(const struct trial *t, const int8_t *judged, bool draw, struct figures *f)
{
    for (int i = 0; i < 2; i++) {
        const double *score = t->score[i], threshold = t->models[i]->threshold;
        f->metrics[i] = draw || t->metric == METRIC(card_precision_at_100) // which is slow
                            ? metrics_with_cards(&t->e, t->rows, score, judged, threshold)
                            : metrics_compute(score, judged, t->n, threshold);
        if (draw)
            bootstrap_run(&f->bootstrap[i], &t->e, t->rows, score, judged, threshold);
    }
}

static double change(const struct trial *t, const struct figures *f)
{
    return metrics_get(&f->metrics[1], t->metric) - metrics_get(&f->metrics[0], t->metric);
}

static void release(struct figures *f)
{
    free(f->bootstrap[0].values);
    free(f->bootstrap[1].values);
}

// metric: in metric_list, or BOOTSTRAP_ALERTS.
static json_t *difference(const struct trial *t, const struct figures *f, size_t metric)
{
    static const struct metric alerts = {"alerts_per_day", "Alerts a day", 0};
    static const struct metric share = {"alert_share", "Share of alerts", 0};
    const struct metric *is = metric != BOOTSTRAP_ALERTS ? &metric_list[metric]
                              : t->e.counts_rows         ? &share
                                                         : &alerts;
    const struct interval i =
        bootstrap_interval(&f->bootstrap[1], &f->bootstrap[0], metric, PAIRED);
    double of[2];
    for (int k = 0; k < 2; k++) {
        const struct metrics *m = &f->metrics[k];
        of[k] = is == &alerts  ? (m->tally.true_positives + m->tally.false_positives) / t->days
                : is == &share ? m->selection_rate
                               : metrics_get(m, metric);
    }
    return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "metric", is->name, "title",
                     is->title, "a", json_number(of[0]), "b", json_number(of[1]), "value",
                     json_number(of[1] - of[0]), "low", json_number(i.low), "high",
                     json_number(i.high), "detectable", json_number(2.8 * i.error));
}

// NULL where no slice counts.
static json_t *worst_slice(const struct trial *t, const struct slicing *s, size_t n)
{
    json_t *worst = NULL;
    double lowest = INFINITY;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < s[i].n; k++) {
            struct figures f = {0};
            int8_t *judged = slice_judged(&s[i], k, t->rows, t->judged);
            measure(t, judged, false, &f);
            if (!slice_is_small(&f.metrics[0].tally) && change(t, &f) < lowest) {
                lowest = change(t, &f);
                measure(t, judged, true, &f);
                json_decref(worst);
                worst = difference(t, &f, t->metric);
                json_object_set_new(worst, "slicing", json_string(s[i].name));
                json_object_set_new(worst, "name", json_string(s[i].names[k]));
            }
            release(&f);
            free(judged);
        }
    return worst;
}

// ---- flips --------------------------------------------------------------------------------------

struct flip {
    double apart; // the distance of the probabilities
    size_t i;     // of row rows.first + i
};

static int farthest_first(const void *a, const void *b)
{
    const struct flip *x = a, *y = b;
    return x->apart != y->apart ? ORDER(y->apart, x->apart) : ORDER(x->i, y->i);
}

static json_t *flip(const struct trial *t, size_t i)
{
    const uint64_t row = t->rows.first + i, *ids = table_first(&t->e.table, COLUMN_ID);
    char text[24], time[TIME_TEXT];
    snprintf(text, sizeof text, "%" PRId64, ids ? (int64_t)ids[row] : 0);
    return json_pack("{s:s?, s:s, s:b, s:f, s:f}", "id", ids ? text : NULL, "time",
                     examples_time(&t->e, t->e.time[row], time), "fraud", t->judged[i] == 1, "a",
                     t->score[0][i], "b", t->score[1][i]);
}

static json_t *flips(const struct trial *t)
{
    struct flip *list = NULL;
    size_t n = 0, capacity = 0;
    json_int_t rows[2] = {0}, frauds[2] = {0}; // to approve, to review
    json_t *each = json_array();
    for (size_t i = 0; i < t->n; i++) {
        const double a = t->score[0][i], b = t->score[1][i];
        const bool review = b >= t->models[1]->threshold;
        if (t->judged[i] < 0 || review == (a >= t->models[0]->threshold))
            continue;
        rows[review]++;
        frauds[review] += t->judged[i];
        ARRAY_GROW(list, n + 1, capacity);
        list[n++] = (struct flip){fabs(b - a), i};
    }
    if (n > 0)
        qsort(list, n, sizeof *list, farthest_first);
    for (size_t k = 0; k < n && k < COMPARE_FLIPS; k++)
        json_array_append_new(each, flip(t, list[k].i));
    free(list);
    return json_pack("{s:{s:I, s:I}, s:{s:I, s:I}, s:o}", "to_review", "rows", rows[1], "frauds",
                     frauds[1], "to_approve", "rows", rows[0], "frauds", frauds[0], "rows", each);
}

// ---- the comparison -----------------------------------------------------------------------------

static json_t *side(const struct model *m, const struct metrics *metrics)
{
    return json_pack("{s:I, s:s, s:O, s:o}", "version", (json_int_t)m->version, "sha256", m->sha256,
                     "training", m->training, "metrics", metrics_to_json(metrics));
}

static json_t *table(const struct examples *e)
{
    char sum[17], text[TIME_TEXT];
    const char *as_of =
        e->labels_as_of == INT64_MAX ? NULL : examples_time(e, e->labels_as_of, text);
    return json_pack("{s:s, s:s, s:I, s:s?}", "path", e->table.path, "xxh3",
                     checksum_text(sum, e->table.xxh3), "rows", (json_int_t)e->rows, "labels_as_of",
                     as_of);
}

static json_t *period(const struct trial *t)
{
    const int64_t from = t->e.time[t->rows.first];
    const int64_t since = day_of(from - HISTORY - t->split.label_delay);
    const bool late = t->e.card && day_of(t->e.time[0]) > since;
    json_int_t not_mature = 0;
    char text[3][TIME_TEXT];
    // The next table has the rows from its first one on.
    for (size_t i = 0; i + 1 < t->n_parts; i++) {
        const struct examples *e = &t->parts[i], *after = &t->parts[i + 1];
        const int64_t next = after->rows ? *after->time : INT64_MAX;
        const struct row_range own = time_rows(INT64_MIN, next, e->time, e->rows);
        not_mature += (json_int_t)(own.end - mature_rows(e, own, t->split.label_delay).end);
    }
    return json_pack("{s:s, s:s, s:o, s:I, s:s?, s:I, s:I}", "from",
                     examples_time(&t->e, from, text[0]), "to",
                     examples_time(&t->e, t->e.time[t->rows.end - 1], text[1]), "days",
                     isnan(t->days) ? json_null() : json_integer((json_int_t)t->days), "rows",
                     (json_int_t)t->n, "cards_from", late ? date_text(text[2], since) : NULL,
                     "not_mature", not_mature, "young", (json_int_t)t->young);
}

static json_t *verdict(const struct trial *t, const struct figures *f, const json_t *class)
{
    const struct interval i =
        bootstrap_interval(&f->bootstrap[1], &f->bootstrap[0], t->metric, PAIRED);
    static const char *const said[][2] = {{"few_days", "Too few days to judge"},
                                          {"few_frauds", "Too few %s to judge"},
                                          {"better", "Better"},
                                          {"worse", "Worse"},
                                          {"none", "No difference shown"}};
    const bool holds[] = {t->days<COMPARE_LEAST_DAYS, isnan(i.low), i.low> 0, i.high < 0, true};
    const double a = f->metrics[0].selection_rate, b = f->metrics[1].selection_rate;
    const char *alerts = b > 1.1 * a ? "more" : b < 0.9 * a ? "fewer" : NULL;
    size_t k = 0;
    while (!holds[k])
        k++;
    return json_pack("{s:s, s:o, s:s?, s:s, s:[]}", "code", said[k][0], "title",
                     json_sprintf(said[k][1], json_string_value(json_object_get(class, "many"))),
                     "alerts", alerts, "sentence", "", "notes");
}

static json_t *results(const struct trial *t, const struct figures *f, const struct slicing *s,
                       size_t n_slicings)
{
    json_t *list = json_array(), *class = class_words(t->models[1]->training);
    for (size_t i = 0; i < t->n_parts; i++)
        json_array_append_new(list, table(&t->parts[i]));
    json_t *j =
        json_pack("{s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:[o, o, o, o, o], s:o?, s:o, s:o}",
                  "format", "assay comparison", "version", 1, "verdict", verdict(t, f, class), "a",
                  side(t->models[0], &f->metrics[0]), "b", side(t->models[1], &f->metrics[1]),
                  "tables", list, "period", period(t), "differences", difference(t, f, t->metric),
                  difference(t, f, METRIC(log_loss)), difference(t, f, METRIC(precision)),
                  difference(t, f, METRIC(recall)), difference(t, f, BOOTSTRAP_ALERTS),
                  "worst_slice", worst_slice(t, s, n_slicings), "flips", flips(t), "class", class);
    sentences_add(json_object_get(j, "verdict"), compare_verdict_txt, j);
    return j;
}

json_t *compare_new(const struct model *a, const struct model *b, const struct examples *e,
                    const struct config *config, struct period_times within, struct err *err)
{
    struct trial t = {.models = {a, b},
                      .e = *e,
                      .parts = e->parts ? e->parts : e,
                      .n_parts = e->parts ? e->n_parts : 1};
    struct figures f = {0};
    struct slicing *slicings = NULL;
    size_t n_slicings;
    json_t *j = NULL;
    if (open_trial(&t, config, err))
        return NULL;
    find_rows(&t, within);
    measure(&t, t.judged, true, &f);
    if (f.metrics[0].tally.rows == 0)
        err_set(err,
                "%s: no row counts: it must be later than the training of both versions, within "
                "--from and --until, with a mature label, and of a card that is not blocked",
                t.e.table.path);
    else if (slices_from_config(&slicings, &n_slicings, &t.e, t.rows, config, err) == 0)
        j = results(&t, &f, slicings, n_slicings);
    release(&f);
    free(slicings);
    free(t.judged);
    free(t.score[0]);
    free(t.score[1]);
    return j;
}
