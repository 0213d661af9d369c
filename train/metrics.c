// Metrics of scores against labels. Ranking metrics come from one pass over the distinct scores.
#include "train/metrics.h"
#include "base/memory.h"
#include "base/value.h"
#include "train/model.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

// ---- ranking ------------------------------------------------------------------------------------

double *scores_of(int8_t label, const double *score, const int8_t *judged, size_t n, size_t *found)
{
    double *scores = xmalloc(n * sizeof *scores);
    *found = 0;
    for (size_t i = 0; i < n; i++)
        if (judged[i] == label)
            scores[(*found)++] = score[i];
    sort_doubles(scores, *found);
    return scores;
}

void ranking_make(struct ranking *k, const double *score, const int8_t *judged, size_t n)
{
    size_t n_frauds, n_genuine;
    double *frauds = scores_of(1, score, judged, n, &n_frauds);
    double *genuine = scores_of(0, score, judged, n, &n_genuine);
    const size_t most = n_frauds + n_genuine;
    *k = (struct ranking){.score = xmalloc(most * sizeof *k->score),
                          .frauds = xmalloc(most * sizeof *k->frauds),
                          .genuine = xmalloc(most * sizeof *k->genuine)};
    for (size_t f = n_frauds, g = n_genuine; f + g > 0;) {
        const bool fraud = g == 0 || (f > 0 && frauds[f - 1] > genuine[g - 1]);
        const double next = fraud ? frauds[f - 1] : genuine[g - 1];
        while (f > 0 && frauds[f - 1] == next)
            f--;
        while (g > 0 && genuine[g - 1] == next)
            g--;
        k->score[k->n] = next;
        k->frauds[k->n] = n_frauds - f;
        k->genuine[k->n++] = n_genuine - g;
    }
    free(frauds);
    free(genuine);
}

void ranking_release(struct ranking *k)
{
    free(k->score);
    free(k->frauds);
    free(k->genuine);
    *k = (struct ranking){0};
}

double ranking_frauds(const struct ranking *k)
{
    return k->n ? (double)k->frauds[k->n - 1] : 0;
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

// The area under the curve by trapezoids, which counts ties half (Fawcett 2006).
static double roc_auc(const struct ranking *k)
{
    double twice = 0, frauds = 0, genuine = 0;
    for (size_t i = 0; i < k->n; i++) {
        double f = (double)k->frauds[i], g = (double)k->genuine[i];
        twice += (g - genuine) * (f + frauds);
        frauds = f;
        genuine = g;
    }
    return ratio(twice / 2, frauds * genuine);
}

static double average_precision(const struct ranking *k)
{
    double sum = 0, before = 0;
    for (size_t i = 0; i < k->n; i++) {
        double f = (double)k->frauds[i], g = (double)k->genuine[i];
        sum += (f - before) * (f / (f + g));
        before = f;
    }
    return ratio(sum, ranking_frauds(k));
}

// ---- calibration --------------------------------------------------------------------------------

static void calibrate(struct metrics *m)
{
    const struct tally *t = &m->tally;
    double off = 0, probability = 0;
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        off += fabs(t->bin_probability[b] - t->bin_frauds[b]);
        probability += t->bin_probability[b];
    }
    m->ece = ratio(off, t->rows);
    m->mean_probability = ratio(probability, t->rows);
}

void wilson_interval(double k, double n, double *low, double *high)
{
    const double z = Z_95, p = k / n, z2 = z * z / n;
    const double centre = (p + z2 / 2) / (1 + z2);
    const double half = z * sqrt(p * (1 - p) / n + z2 / n / 4) / (1 + z2);
    *low = k == 0 ? 0 : centre - half;
    *high = k == n ? 1 : centre + half;
}

// ---- all metrics --------------------------------------------------------------------------------

void tally_row(struct tally *t, double score, int8_t judged, double threshold)
{
    const bool alert = score >= threshold, fraud = judged == 1;
    const double p = fmin(fmax(score, DBL_EPSILON), 1 - DBL_EPSILON);
    const int bin = score < 1 ? (int)(score * CALIBRATION_BINS) : CALIBRATION_BINS - 1;
    t->unknown_labels += judged == LABEL_UNKNOWN;
    t->known_cards += judged == LABEL_KNOWN_CARD;
    if (judged < 0)
        return;
    t->rows++;
    t->frauds += fraud;
    t->true_positives += alert && fraud;
    t->false_positives += alert && !fraud;
    t->false_negatives += !alert && fraud;
    t->true_negatives += !alert && !fraud;
    t->log_loss -= fraud ? log(p) : log1p(-p);
    t->squares += (score - fraud) * (score - fraud);
    t->bin_rows[bin]++;
    t->bin_frauds[bin] += fraud;
    t->bin_probability[bin] += score;
}

void tally_add(struct tally *t, const struct tally *other, double times)
{
    double *to = (double *)t;
    for (size_t i = 0; i < sizeof *t / sizeof *to; i++)
        to[i] += times * ((const double *)other)[i];
}

struct metrics metrics_finish(const struct tally *t, const struct ranking *k, double threshold)
{
    const double tp = t->true_positives, fp = t->false_positives, fn = t->false_negatives;
    struct metrics m = {
        .roc_auc = roc_auc(k),
        .average_precision = average_precision(k),
        .card_precision_at_100 = NAN,
        .log_loss = ratio(t->log_loss, t->rows),
        .brier = ratio(t->squares, t->rows),
        .precision = ratio(tp, tp + fp),
        .recall = ratio(tp, tp + fn),
        .f1 = ratio(2 * tp, 2 * tp + fp + fn),
        .false_positive_rate = ratio(fp, fp + t->true_negatives),
        .selection_rate = ratio(tp + fp, t->rows),
        .threshold = threshold,
        .tally = *t,
    };
    calibrate(&m);
    return m;
}

struct metrics metrics_compute(const double *score, const int8_t *judged, size_t n,
                               double threshold)
{
    struct ranking k;
    struct tally t = {0};
    ranking_make(&k, score, judged, n);
    for (size_t i = 0; i < n; i++)
        tally_row(&t, score[i], judged[i], threshold);
    const struct metrics m = metrics_finish(&t, &k, threshold);
    ranking_release(&k);
    return m;
}

const struct metric metric_list[N_METRICS] = {
    {"roc_auc", "ROC AUC", 1},
    {"average_precision", "Average precision", 1},
    {"card_precision_at_100", "Card precision @100", 1},
    {"precision", "Precision", 1},
    {"recall", "Recall", 1},
    {"f1", "F1", 1},
    {"false_positive_rate", "False positive rate", -1},
    {"selection_rate", "Selection rate", 0},
    {"log_loss", "Log loss", -1},
    {"brier", "Brier score", -1},
    {"ece", "Calibration error (ECE)", -1},
};

double metrics_get(const struct metrics *m, size_t metric)
{
    return ((const double *)m)[metric];
}

json_t *metrics_to_json(const struct metrics *m)
{
    const struct tally *t = &m->tally;
    json_t *j = json_pack("{s:I, s:I, s:I, s:I}", "rows", (json_int_t)t->rows, "frauds",
                          (json_int_t)t->frauds, "unknown_labels", (json_int_t)t->unknown_labels,
                          "known_cards", (json_int_t)t->known_cards);
    for (size_t i = 0; i < N_METRICS; i++)
        json_object_set_new(j, metric_list[i].name, json_number(metrics_get(m, i)));
    json_object_update_new(j, json_pack("{s:o, s:o, s:{s:I, s:I, s:I, s:I}}", "threshold",
                                        json_number(m->threshold), "mean_probability",
                                        json_number(m->mean_probability), "confusion",
                                        "true_positives", (json_int_t)t->true_positives,
                                        "false_positives", (json_int_t)t->false_positives,
                                        "false_negatives", (json_int_t)t->false_negatives,
                                        "true_negatives", (json_int_t)t->true_negatives));
    return j;
}

// ---- threshold ----------------------------------------------------------------------------------

double threshold_choose(const double *score, const int8_t *judged, size_t n, double budget,
                        double cost_fraud, double cost_alert)
{
    static const double HALF_DIGIT = 6e-7; // half a unit of the seventh is at most 5e-7 of a number
    int8_t *counted = xmalloc(n);
    struct ranking k;
    for (size_t i = 0; i < n; i++) // a row of unknown label can be an alert, too
        counted[i] = budget > 0 && judged[i] == LABEL_UNKNOWN ? 0 : judged[i];
    ranking_make(&k, score, counted, n);
    const double frauds = ranking_frauds(&k), most = fmax(1, round(budget));
    double lowest = budget > 0 ? 0 : cost_fraud * frauds, threshold = 1;
    if (k.n > 0) // just above all scores
        threshold = fmin(1, round_digits(fmax(k.score[0], DBL_MIN) * (1 + HALF_DIGIT)));
    for (size_t i = 0; i < k.n; i++) {
        const double caught = (double)k.frauds[i], alerts = caught + (double)k.genuine[i];
        const double cost = budget == 0      ? cost_fraud * (frauds - caught) + cost_alert * alerts
                            : alerts <= most ? -alerts
                                             : INFINITY;
        if (cost >= lowest)
            continue;
        const double below = round_digits(k.score[i] * (1 - HALF_DIGIT));
        if (i + 1 == k.n || k.score[i + 1] < below) { // 7 digits tell the two scores apart
            lowest = cost;
            threshold = below;
        }
    }
    ranking_release(&k);
    free(counted);
    return threshold;
}

// ---- cards ----

enum { CARD_BLOCK = 7 * SECONDS_PER_DAY };

struct card {
    uint64_t card;
    int64_t first; // its first row, which orders ties, or the time of it
    double score;  // the highest of its rows
    bool fraud;    // of one of its rows
};

static int by_card(const void *a, const void *b)
{
    const struct card *x = a, *y = b;
    return x->card != y->card ? ORDER(x->card, y->card) : ORDER(x->first, y->first);
}

static int by_score(const void *a, const void *b)
{
    const struct card *x = a, *y = b;
    return x->score != y->score ? ORDER(y->score, x->score) : ORDER(x->first, y->first);
}

// Makes one of the rows of each card, in the order of cards; returns the number of cards.
static size_t merge(struct card *list, size_t rows)
{
    size_t n = 0;
    if (rows > 0)
        qsort(list, rows, sizeof *list, by_card);
    for (size_t i = 0; i < rows; i++) {
        struct card *last = n > 0 ? &list[n - 1] : NULL;
        if (last && last->card == list[i].card) {
            last->score = fmax(last->score, list[i].score);
            last->fraud = last->fraud || list[i].fraud;
        } else {
            list[n++] = list[i];
        }
    }
    return n;
}

// list[n]: as merge leaves it. NULL where the card is not in it.
static const struct card *find(const struct card *list, size_t n, uint64_t card)
{
    size_t i;
    LOWER_BOUND(i, 0, n, list[i].card < card);
    return i < n && list[i].card == card ? &list[i] : NULL;
}

int8_t *cards_judge(const struct examples *e, struct row_range rows, int64_t block, int64_t history,
                    int64_t label_delay)
{
    const size_t n = (size_t)(rows.end - rows.first);
    int8_t *judged = xmalloc(n);
    struct card *frauds = NULL;
    size_t n_frauds = 0, capacity = 0, i;
    if (!e->label)
        return memset(judged, LABEL_UNKNOWN, n);
    memcpy(judged, e->label + rows.first, n);
    for (const struct examples *t = e; e->card && n > 0 && t && t->label; t = t->before) {
        const uint64_t end =
            t == e ? rows.end : time_rows(INT64_MIN, e->time[0], t->time, t->rows).end;
        for (uint64_t r = 0; r < end; r++)
            if (t->label[r] == 1) {
                ARRAY_GROW(frauds, n_frauds + 1, capacity);
                frauds[n_frauds++] = (struct card){.card = t->card[r], .first = t->time[r]};
            }
    }
    if (n_frauds > 0)
        qsort(frauds, n_frauds, sizeof *frauds, by_card);
    for (uint64_t r = rows.first; n_frauds > 0 && r < rows.end; r++) {
        const int64_t time = e->time[r];
        const int64_t start = (block ? block : day_of(e->time[rows.first])) * SECONDS_PER_DAY;
        const struct card from = {.card = e->card[r],
                                  .first = time - (time - start) % CARD_BLOCK - history};
        LOWER_BOUND(i, 0, n_frauds, by_card(&frauds[i], &from) < 0);
        if (i < n_frauds && frauds[i].card == from.card &&
            day_of(frauds[i].first + label_delay) < day_of(time))
            judged[r - rows.first] = LABEL_KNOWN_CARD;
    }
    free(frauds);
    return judged;
}

double cards_precision(const struct examples *e, struct row_range test, const double *score,
                       const int8_t *judged, struct tally *daily)
{
    if (!e->card || test.first == test.end)
        return NAN;
    const size_t rows = (size_t)(test.end - test.first);
    struct card *day = xmalloc(rows * sizeof *day), *found = xmalloc(rows * sizeof *found);
    size_t n_found = 0, days = 0;
    for (uint64_t r = test.first; r < test.end; days++) {
        const int64_t today = day_of(e->time[r]);
        const size_t before = n_found;
        size_t n = 0;
        for (; r < test.end && day_of(e->time[r]) == today; r++) {
            const int8_t label = judged[r - test.first];
            if (label >= 0 && !find(found, before, e->card[r]))
                day[n++] = (struct card){e->card[r], (int64_t)r, score[r - test.first], label == 1};
        }
        n = merge(day, n);
        qsort(day, n, sizeof *day, by_score);
        for (size_t i = 0; i < n && i < CARDS_CHECKED; i++)
            if (day[i].fraud)
                found[n_found++] = day[i];
        if (daily)
            daily[days].card_precision = (double)(n_found - before) / CARDS_CHECKED;
        n_found = merge(found, n_found);
    }
    free(day);
    free(found);
    return (double)n_found / CARDS_CHECKED / (double)days;
}

struct metrics metrics_with_cards(const struct examples *e, struct row_range rows,
                                  const double *score, const int8_t *judged, double threshold)
{
    struct metrics m = metrics_compute(score, judged, (size_t)(rows.end - rows.first), threshold);
    m.card_precision_at_100 = cards_precision(e, rows, score, judged, NULL);
    return m;
}
