// metrics: how good scores are, and how certainly; and the threshold from which on a score is an alert.
//
// Only judged rows count: those with a known label whose card was not yet known to be stolen. A
// metric without a meaning (no frauds, no rows, no alerts) is NAN here and null in JSON.
// Definitions, with ties as in scikit-learn:
//
//     roc_auc            P(score of a fraud > score of a genuine row), ties count half
//     average_precision  Σ (recall_k − recall_{k−1}) precision_k over the distinct scores, falling
//     log_loss           mean −log of the probability given to the truth, clipped to [ε, 1 − ε]
//     brier              mean (score − label)²
//     precision, recall, f1     of the decisions score >= threshold
//     false_positive_rate       alerts among the genuine rows
//     selection_rate            alerts among all rows
//     card_precision_at_100     cards_precision; NAN from metrics_compute
//
// Calibration compares probabilities with fraud shares in ten equally wide bins: bin b has n_b of
// the n rows, mean probability p_b and fraud share o_b.
//
//     ece = Σ n_b/n |p_b − o_b|   expected calibration error (Naeini et al., AAAI 2015)
//
// Ownership: a ranking owns its arrays until ranking_release; all other arrays are borrowed.
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include "train/examples.h"

// A 95 % interval of the normal distribution reaches this many standard deviations.
#define Z_95 1.959963984540054

// judged[i] of a row is its label 1 or 0, or one of these: the row does not count.
enum { LABEL_UNKNOWN = -1, LABEL_KNOWN_CARD = -2, LABEL_ELSEWHERE = -3 };

// The distinct scores of the judged rows, falling, with the rows at or above each.
struct ranking {
    size_t n;
    double *score;              // [n]
    uint64_t *frauds, *genuine; // [n], cumulative; the last are the totals
};

// The scores of the *found rows with that label, sorted; the caller frees them.
double *scores_of(int8_t label, const double *score, const int8_t *judged, size_t n, size_t *found);
// score[n]: probabilities; judged[n].
void ranking_make(struct ranking *k, const double *score, const int8_t *judged, size_t n);
void ranking_release(struct ranking *k);
double ranking_frauds(const struct ranking *k); // the total, 0 where no row counts

enum { CALIBRATION_BINS = 10 };

// Counts and sums over rows, all doubles. Those of days add up to those of a replicate.
struct tally {
    double rows, frauds;                // judged rows, and those of them that are frauds
    double unknown_labels, known_cards; // rows that do not count, by reason
    double true_positives, false_positives, false_negatives, true_negatives;
    double log_loss, squares;
    double bin_rows[CALIBRATION_BINS], bin_frauds[CALIBRATION_BINS];
    double bin_probability[CALIBRATION_BINS]; // sums
    double card_precision;                    // of a day (cards_precision), for a replicate
};

void tally_row(struct tally *t, double score, int8_t judged, double threshold);
void tally_add(struct tally *t, const struct tally *other, double times);

struct metrics { // all doubles; those of metric_list first
    double roc_auc, average_precision, card_precision_at_100;
    double precision, recall, f1, false_positive_rate, selection_rate;
    double log_loss, brier, ece, threshold, mean_probability;
    struct tally tally;
};

// score[n]: probabilities; judged[n].
struct metrics metrics_compute(const double *score, const int8_t *judged, size_t n,
                               double threshold);
// The same from sums of rows and their ranking.
struct metrics metrics_finish(const struct tally *t, const struct ranking *k, double threshold);

// The metrics one by one, in the order of the struct.
enum { N_METRICS = 11 };
#define METRIC(name) (offsetof(struct metrics, name) / sizeof(double)) // its index
extern const struct metric {
    const char *name, *title; // as in JSON; for people
    int better;               // 1: more is better, -1: less, 0: neither
} metric_list[N_METRICS];
double metrics_get(const struct metrics *m, size_t metric);

// As in docs/formats.md, metrics.json, without intervals.
json_t *metrics_to_json(const struct metrics *m);

// The 95 % interval of a share k / n, n > 0 (Wilson 1927).
void wilson_interval(double k, double n, double *low, double *high);

// The score from which on rows become alerts, rounded down to 7 significant digits (model.h); scores
// that are equal in these are ties. Of equally good ones it is the highest; where no alert is worth
// its cost, or none fits the budget, just above the highest score, at most 1. Without rows it is 1.
//
// budget > 0: as many alerts as possible, at most so many (1 for less), of all rows but those of known
// cards. budget = 0: the lowest cost_fraud · frauds below it + cost_alert · rows at or above it.
double threshold_choose(const double *score, const int8_t *judged, size_t n, double budget,
                        double cost_fraud, double cost_alert);

// ---- cards (Le Borgne et al., Fraud Detection Handbook, ULB 2022, chapters 3.4, 4.2) ----

// A card, or whatever [split] blocked names, is blocked when a fraud of it is known, so its later
// rows need no model. A period is judged in blocks of seven days, because a long one would lose more
// cards from week to week: on day d the rows of a card are left out that had a fraud from `history`
// seconds before the block on, among these examples or those before them, whose label was known
// before d.
enum { CARDS_CHECKED = 100 };

// judged[rows]: labels, or LABEL_KNOWN_CARD where a row is left out; to be freed. block: the day on
// which the first one begins, 0: that of the first row. Without cards every row stays, without
// labels all are unknown.
int8_t *cards_judge(const struct examples *e, struct row_range rows, int64_t block, int64_t history,
                    int64_t label_delay);

// Card precision @100 of docs/configuration.md, a mean over the test days; NAN without cards or rows.
// Equal scores are in the order of rows. score[i], judged[i]: of row test.first + i. daily: NULL, or
// the tally of each day that has rows, for its precision.
double cards_precision(const struct examples *e, struct row_range test, const double *score,
                       const int8_t *judged, struct tally *daily);
// metrics_compute with the card precision.
struct metrics metrics_with_cards(const struct examples *e, struct row_range rows,
                                  const double *score, const int8_t *judged, double threshold);

// ---- intervals (bootstrap.c) ----

// Confidence intervals of the metrics, by drawing whole days, or rows without a clock.
//
// Rows of one day are not independent, because a stolen card buys several times. So a replicate
// draws whole days with replacement, as many as the test has, and computes every metric of them. An
// interval goes from percentile 2.5 to 97.5 of 1000 replicates (Efron, Tibshirani: An Introduction
// to the Bootstrap, 1993, chapters 13 and 8); with few days (seven are few) it tends to be too short.
// Below five days hours are drawn; below five hours there are no intervals. Without a clock rows are
// drawn, as if they were independent; of more than 20,000 rows neighbours are drawn together.
//
// The draws depend only on the number of days, so two candidates on the same rows are compared
// replicate by replicate. A replicate's card precision is the mean of its days, each with the cards
// that were found before it in the real order; hours have none.

enum { BOOTSTRAP_REPLICATES = 1000, BOOTSTRAP_SEED = 1, BOOTSTRAP_LEAST_UNITS = 5 };

// The metrics of metric_list, then the alerts a day, or without a clock their share of the rows.
enum { BOOTSTRAP_ALERTS = N_METRICS, N_BOOTSTRAP };

struct interval {
    double low, high, error; // NAN where the metric has no meaning in some replicate
};

struct bootstrap {
    const char *unit; // "day", "hour" or "row"; NULL: too few for intervals
    size_t units;
    double (*values)[N_BOOTSTRAP]; // [BOOTSTRAP_REPLICATES], to be freed; NULL without a unit
};

// score[i], judged[i]: of row test.first + i.
void bootstrap_run(struct bootstrap *b, const struct examples *e, struct row_range test,
                   const double *score, const int8_t *judged, double threshold);
// The interval and the standard error (the replicates' standard deviation) of a's metric or, with b,
// of a's minus b's. PAIRED: both are of the same rows, so the same draws are compared. INDEPENDENT:
// of other rows, so draw r of a is compared with draw r + 1 of b.
enum bootstrap_rows { PAIRED, INDEPENDENT };
struct interval bootstrap_interval(const struct bootstrap *a, const struct bootstrap *b,
                                   size_t metric, enum bootstrap_rows rows);

// ---- slices: groups of test rows, which [slices] of docs/configuration.md declares ----

// A slice is small where it has fewer than SLICE_LEAST judged frauds or genuine rows.
enum { SLICES_MAX = 32, SLICE_LEAST = 10, SLICE_NAME = 80 };

struct slicing {
    const char *name;      // the config's
    const float *x;        // of all rows; NULL for a category
    const uint32_t *codes; // of all rows; NULL for a feature
    double at[SLICES_MAX]; // rising: the lower edges of bands, or the values or codes of slices
    bool others;           // the last slice takes the codes that have no slice of their own
    char names[SLICES_MAX][SLICE_NAME];
    size_t n; // slices
};

// Values become slices where they are in the test rows. The list is the caller's to free; examples and
// config must live as long.
int slices_from_config(struct slicing **list, size_t *n, const struct examples *e,
                       struct row_range test, const struct config *c, struct err *err);
// judged[test rows] with LABEL_ELSEWHERE for the rows of other slices than slice k; to be freed.
int8_t *slice_judged(const struct slicing *s, size_t k, struct row_range test,
                     const int8_t *judged);
bool slice_is_small(const struct tally *t);

#endif
