// Metrics of scores against labels. Ranking metrics come from one sorted pass over the distinct
// scores, which the curves (curves.c)
// and the bootstrap use too.
#include "train/metrics.h"
#include "ingest/table.h"
#include "train/sort.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- ranking ---------------------------------------------------------------------------------------

// A score and a label in one key: the bits of numbers >= 0 are in their order, and leave the sign's
// bit free for the label.
static uint64_t pack(double score, int8_t label)
{
    uint64_t bits;
    score += 0.0; // −0 becomes 0
    memcpy(&bits, &score, sizeof bits);
    return bits << 1 | (label == 1);
}

static double unpack(uint64_t key)
{
    uint64_t bits = key >> 1;
    double score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

// keys[0..n) ascending become the ranking's points, the highest score first.
static void gather(struct ranking *k, const uint64_t *keys, size_t n)
{
    uint64_t frauds = 0, genuine = 0;
    for (size_t i = n; i-- > 0;) {
        frauds += keys[i] & 1;
        genuine += !(keys[i] & 1);
        if (i > 0 && keys[i] >> 1 == keys[i - 1] >> 1)
            continue;
        k->score[k->n] = unpack(keys[i]);
        k->frauds[k->n] = frauds;
        k->genuine[k->n++] = genuine;
    }
}

int ranking_make(struct ranking *k, const double *score, const int8_t *label, size_t n,
                 struct err *err)
{
    *k = (struct ranking){0};
    uint64_t *keys = malloc((n + 1) * sizeof *keys);
    size_t known = 0;
    for (size_t i = 0; i < n && keys; i++)
        if (label[i] >= 0)
            keys[known++] = pack(score[i], label[i]);
    k->score = malloc((known + 1) * sizeof *k->score);
    k->frauds = malloc((known + 1) * sizeof *k->frauds);
    k->genuine = malloc((known + 1) * sizeof *k->genuine);
    if (!keys || !k->score || !k->frauds || !k->genuine || sort_keys(keys, known)) {
        free(keys);
        ranking_release(k);
        return err_set(err, "out of memory to rank %zu scores", n);
    }
    gather(k, keys, known);
    free(keys);
    return 0;
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

double ranking_genuine(const struct ranking *k)
{
    return k->n ? (double)k->genuine[k->n - 1] : 0;
}

// a / b, without a meaning where b is 0
static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

// The area under the curve by trapezoids, which counts ties half (Fawcett 2006).
double ranking_roc_auc(const struct ranking *k)
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

double ranking_average_precision(const struct ranking *k)
{
    double sum = 0, before = 0;
    for (size_t i = 0; i < k->n; i++) {
        double f = (double)k->frauds[i], g = (double)k->genuine[i];
        sum += (f - before) * (f / (f + g));
        before = f;
    }
    return ratio(sum, ranking_frauds(k));
}

// ---- all of them -----------------------------------------------------------------------------------

static double log_loss_of(double score, int8_t label)
{
    double p = fmin(fmax(score, DBL_EPSILON), 1 - DBL_EPSILON);
    return label == 1 ? -log(p) : -log1p(-p);
}

void tally_row(struct tally *t, double score, int8_t judged, double threshold)
{
    bool alert = score >= threshold, fraud = judged == 1;
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
    t->log_loss += log_loss_of(score, judged);
    t->squares += (score - fraud) * (score - fraud);
    calibration_row(&t->calibration, score, fraud);
}

void tally_add(struct tally *t, const struct tally *other, uint64_t times)
{
    t->rows += times * other->rows;
    t->frauds += times * other->frauds;
    t->unknown_labels += times * other->unknown_labels;
    t->known_cards += times * other->known_cards;
    t->true_positives += times * other->true_positives;
    t->false_positives += times * other->false_positives;
    t->false_negatives += times * other->false_negatives;
    t->true_negatives += times * other->true_negatives;
    t->log_loss += (double)times * other->log_loss;
    t->squares += (double)times * other->squares;
    calibration_add(&t->calibration, &other->calibration, times);
}

void metrics_finish(struct metrics *m, const struct tally *t, const struct ranking *k,
                    double threshold)
{
    const double rows = (double)t->rows, tp = (double)t->true_positives;
    const double fp = (double)t->false_positives, fn = (double)t->false_negatives;
    *m = (struct metrics){.tally = *t, .threshold = threshold, .card_precision_at_100 = NAN};
    m->roc_auc = ranking_roc_auc(k);
    m->average_precision = ranking_average_precision(k);
    m->log_loss = ratio(t->log_loss, rows);
    m->brier = ratio(t->squares, rows);
    m->brier_parts = calibration_brier(&t->calibration, m->brier);
    m->ece = calibration_ece(&t->calibration);
    m->precision = ratio(tp, tp + fp);
    m->recall = ratio(tp, tp + fn);
    m->f1 = ratio(2 * tp, 2 * tp + fp + fn);
    m->false_positive_rate = ratio(fp, fp + (double)t->true_negatives);
    m->selection_rate = ratio(tp + fp, rows);
}

int metrics_compute(struct metrics *m, const double *score, const int8_t *judged, size_t n,
                    double threshold, struct err *err)
{
    struct ranking k;
    struct tally t = {0};
    if (ranking_make(&k, score, judged, n, err))
        return -1;
    for (size_t i = 0; i < n; i++)
        tally_row(&t, score[i], judged[i], threshold);
    metrics_finish(m, &t, &k, threshold);
    ranking_release(&k);
    return 0;
}

// ---- one by one ------------------------------------------------------------------------------------

#define METRIC(field, less)                                                                        \
    {                                                                                              \
#field, offsetof(struct metrics, field), less                                              \
    }
const struct metric metric_list[N_METRICS] = {
    METRIC(roc_auc, 1),
    METRIC(average_precision, 1),
    METRIC(card_precision_at_100, 1),
    METRIC(log_loss, -1),
    METRIC(brier, -1),
    METRIC(ece, -1),
    METRIC(precision, 1),
    METRIC(recall, 1),
    METRIC(f1, 1),
    METRIC(false_positive_rate, -1),
    METRIC(selection_rate, 0),
};

double metrics_get(const struct metrics *m, size_t metric)
{
    double value;
    memcpy(&value, (const char *)m + metric_list[metric].offset, sizeof value);
    return value;
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *brier_parts_to_json(const struct brier_parts *b)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "reliability", json_number_or_null(b->reliability),
                     "resolution", json_number_or_null(b->resolution), "uncertainty",
                     json_number_or_null(b->uncertainty), "within", json_number_or_null(b->within));
}

static json_t *confusion_to_json(const struct tally *t)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "true_positives", count(t->true_positives),
                     "false_positives", count(t->false_positives), "false_negatives",
                     count(t->false_negatives), "true_negatives", count(t->true_negatives));
}

json_t *metrics_to_json(const struct metrics *m)
{
    const struct tally *t = &m->tally;
    json_t *j =
        json_pack("{s:o, s:o, s:o, s:o}", "rows", count(t->rows), "frauds", count(t->frauds),
                  "unknown_labels", count(t->unknown_labels), "known_cards", count(t->known_cards));
    for (size_t i = 0; i < N_METRICS; i++)
        if (json_object_set_new(j, metric_list[i].name, json_number_or_null(metrics_get(m, i))))
            goto fail;
    if (json_object_set_new(j, "threshold", json_number_or_null(m->threshold)) == 0 &&
        json_object_set_new(j, "mean_probability",
                            json_number_or_null(calibration_mean_probability(&t->calibration))) ==
            0 &&
        json_object_set_new(j, "brier_parts", brier_parts_to_json(&m->brier_parts)) == 0 &&
        json_object_set_new(j, "confusion", confusion_to_json(t)) == 0)
        return j;
fail:
    json_decref(j);
    return NULL;
}
