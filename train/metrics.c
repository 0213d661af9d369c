// Metrics of scores against labels. Ranking metrics come from one sorted pass over the distinct
// scores, which the curves use too (report.c).
#include "train/metrics.h"
#include "ingest/table.h"
#include "train/sort.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
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

static double total(const uint64_t *cumulated, size_t n)
{
    return n ? (double)cumulated[n - 1] : 0;
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
    return ratio(sum, total(k->frauds, k->n));
}

// ---- all of them -----------------------------------------------------------------------------------

static double log_loss_of(double score, int8_t label)
{
    double p = fmin(fmax(score, DBL_EPSILON), 1 - DBL_EPSILON);
    return label == 1 ? -log(p) : -log1p(-p);
}

static void count_row(struct metrics *m, double score, int8_t judged)
{
    bool alert = score >= m->threshold, fraud = judged == 1;
    m->unknown_labels += judged == LABEL_UNKNOWN;
    m->known_cards += judged == LABEL_KNOWN_CARD;
    if (judged < 0)
        return;
    m->rows++;
    m->frauds += fraud;
    m->true_positives += alert && fraud;
    m->false_positives += alert && !fraud;
    m->false_negatives += !alert && fraud;
    m->true_negatives += !alert && !fraud;
    m->log_loss += log_loss_of(score, judged);
    m->brier += (score - fraud) * (score - fraud);
}

int metrics_compute(struct metrics *m, const double *score, const int8_t *judged, size_t n,
                    double threshold, struct err *err)
{
    struct ranking k;
    *m = (struct metrics){.threshold = threshold, .card_precision_at_100 = NAN};
    if (ranking_make(&k, score, judged, n, err))
        return -1;
    m->roc_auc = ranking_roc_auc(&k);
    m->average_precision = ranking_average_precision(&k);
    ranking_release(&k);
    for (size_t i = 0; i < n; i++)
        count_row(m, score[i], judged[i]);
    double tp = (double)m->true_positives,
           wrong = (double)(m->false_positives + m->false_negatives);
    m->log_loss = ratio(m->log_loss, (double)m->rows);
    m->brier = ratio(m->brier, (double)m->rows);
    m->precision = ratio(tp, tp + (double)m->false_positives);
    m->recall = ratio(tp, tp + (double)m->false_negatives);
    m->f1 = ratio(2 * tp, 2 * tp + wrong);
    return 0;
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *confusion(const struct metrics *m)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "true_positives", count(m->true_positives),
                     "false_positives", count(m->false_positives), "false_negatives",
                     count(m->false_negatives), "true_negatives", count(m->true_negatives));
}

json_t *metrics_to_json(const struct metrics *m)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rows",
        count(m->rows), "frauds", count(m->frauds), "unknown_labels", count(m->unknown_labels),
        "known_cards", count(m->known_cards), "roc_auc", json_number_or_null(m->roc_auc),
        "average_precision", json_number_or_null(m->average_precision), "card_precision_at_100",
        json_number_or_null(m->card_precision_at_100), "log_loss", json_number_or_null(m->log_loss),
        "brier", json_number_or_null(m->brier), "threshold", json_number_or_null(m->threshold),
        "precision", json_number_or_null(m->precision), "recall", json_number_or_null(m->recall),
        "f1", json_number_or_null(m->f1), "confusion", confusion(m));
}
