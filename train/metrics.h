// metrics: what a model's scores are worth, and the curves behind the numbers.
//
// Only rows with a known label are judged; the others are counted. Where a metric has no meaning
// (no frauds, no rows, no alerts) it is NAN here and null in JSON. Definitions, with ties as in
// scikit-learn:
//
//     roc_auc            P(score of a fraud > score of a genuine row), ties count half
//     average_precision  Σ (recall_k − recall_{k−1}) precision_k over the distinct scores, falling
//     log_loss           mean −log of the probability given to the truth, clipped to [ε, 1 − ε]
//     brier              mean (score − label)²
//     precision, recall, f1     of the decisions score >= threshold
//     card_precision_at_100     see card_metrics, like all that knows of customers
//
// Ownership: a ranking owns its arrays until ranking_release; everything else is borrowed.
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include "base/err.h"
#include "features/split.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

// The distinct scores of the known rows, falling, with the rows at or above each.
struct ranking {
    size_t n;
    double *score;              // [n]
    uint64_t *frauds, *genuine; // [n], cumulated; the last are the totals
};

// score[n]: probabilities, 0 .. 1; label[n]: 1, 0, -1.
int ranking_make(struct ranking *k, const double *score, const int8_t *label, size_t n,
                 struct err *err);
void ranking_release(struct ranking *k);
double ranking_roc_auc(const struct ranking *k);
double ranking_average_precision(const struct ranking *k);

// The Handbook's way to measure (Le Borgne et al., Fraud Detection Handbook, ULB 2022, chapters 4.2
// and 5.2) over rows in time order, of which [test.first, test.end) were scored. Customers with a
// fraud from row `first` on through day d − 8 are known to be compromised and their rows of day d
// are left out. Of the others' rows: the ranking metrics, and card precision: each test day every
// customer, those found on an earlier test day left out too, stands with its highest score and label
// of the day, the 100 highest are checked, precision = found / 100; the mean over the test days is
// the result. Equal scores stand in the order of their rows.
enum { CARDS_CHECKED = 100, LABEL_DELAY_DAYS = 7 };
struct card_history {
    const uint64_t *card; // card[r] of row r of the table; NULL where there is none: all NAN
    const int64_t *time;  // time[r], seconds
    const int8_t *label;  // label[r]
    uint64_t first;       // the first training row
    struct row_range test;
};
struct card_metrics {
    uint64_t rows, frauds; // not left out
    double roc_auc, average_precision, precision_at_100;
};
// score[i]: of row test.first + i.
int card_metrics_compute(struct card_metrics *m, const struct card_history *h, const double *score,
                         struct err *err);

struct metrics {
    uint64_t rows, frauds, unknown_labels; // rows with a known label, those of them that are frauds
    double roc_auc, average_precision, log_loss, brier;
    double threshold, precision, recall, f1;
    uint64_t true_positives, false_positives, false_negatives, true_negatives;
    struct card_metrics cards;
};

// Of the scored rows of h.
int metrics_compute(struct metrics *m, const struct card_history *h, const double *score,
                    double threshold, struct err *err);
// {"rows","frauds","unknown_labels","roc_auc","average_precision","card_precision_at_100",
// "log_loss","brier","threshold","precision","recall","f1","confusion":{"true_positives",...},
// "without_known_cards":{"rows","frauds","roc_auc","average_precision"}}; NULL: out of memory.
json_t *metrics_to_json(const struct metrics *m);

#endif
