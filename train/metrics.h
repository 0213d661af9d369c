// metrics: what a model's scores are worth, and the curves behind the numbers.
//
// Only rows with a known label are judged, and of those only the ones that cards.h leaves in; the
// others are counted. Where a metric has no meaning
// (no frauds, no rows, no alerts) it is NAN here and null in JSON. Definitions, with ties as in
// scikit-learn:
//
//     roc_auc            P(score of a fraud > score of a genuine row), ties count half
//     average_precision  Σ (recall_k − recall_{k−1}) precision_k over the distinct scores, falling
//     log_loss           mean −log of the probability given to the truth, clipped to [ε, 1 − ε]
//     brier              mean (score − label)²
//     ece, brier_parts   train/calibration.h
//     precision, recall, f1     of the decisions score >= threshold
//     false_positive_rate       alerts among the genuine rows
//     selection_rate            alerts among all rows
//     card_precision_at_100     train/cards.h; NAN until it is set from there
//
// Ownership: a ranking owns its arrays until ranking_release; everything else is borrowed.
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include "base/err.h"
#include "train/calibration.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The distinct scores of the known rows, falling, with the rows at or above each.
struct ranking {
    size_t n;
    double *score;              // [n]
    uint64_t *frauds, *genuine; // [n], cumulated; the last are the totals
};

// score[n]: probabilities, 0 .. 1; label[n]: 1, 0, below 0 where the row does not count.
int ranking_make(struct ranking *k, const double *score, const int8_t *label, size_t n,
                 struct err *err);
void ranking_release(struct ranking *k);
// All of them; 0 where no row counts.
double ranking_frauds(const struct ranking *k);
double ranking_genuine(const struct ranking *k);
double ranking_roc_auc(const struct ranking *k);
double ranking_average_precision(const struct ranking *k);

// What stands in a judged label beside 1 and 0: the row does not count.
enum { LABEL_UNKNOWN = -1, LABEL_KNOWN_CARD = -2 };

// What adds up over rows, so that days can be added up too (train/bootstrap.h).
struct tally {
    uint64_t rows, frauds;                // judged rows, and those of them that are frauds
    uint64_t unknown_labels, known_cards; // rows that do not count, by reason
    uint64_t true_positives, false_positives, false_negatives, true_negatives;
    double log_loss, squares;
    struct calibration calibration;
};

void tally_row(struct tally *t, double score, int8_t judged, double threshold);
void tally_add(struct tally *t, const struct tally *other, uint64_t times);

struct metrics {
    struct tally tally;
    double threshold;
    double roc_auc, average_precision, card_precision_at_100, log_loss, brier, ece;
    double precision, recall, f1, false_positive_rate, selection_rate;
    struct brier_parts brier_parts;
};

// score[n]: probabilities; judged[n]: 1, 0 or one of the above.
int metrics_compute(struct metrics *m, const double *score, const int8_t *judged, size_t n,
                    double threshold, struct err *err);
// The same from the sums of rows and their ranking.
void metrics_finish(struct metrics *m, const struct tally *t, const struct ranking *k,
                    double threshold);

// The metrics one by one, in the order of the struct, for those who treat them all alike.
enum { N_METRICS = 11 };
struct metric {
    const char *name; // as in JSON
    size_t offset;    // of its double in struct metrics
    int better;       // 1: more is better, -1: less, 0: neither
};
extern const struct metric metric_list[N_METRICS];
double metrics_get(const struct metrics *m, size_t metric);

// {"rows","frauds","unknown_labels","known_cards","roc_auc",...,"selection_rate","threshold",
// "mean_probability","brier_parts":{...},"confusion":{"true_positives",...}}; NULL: out of memory.
json_t *metrics_to_json(const struct metrics *m);

#endif
