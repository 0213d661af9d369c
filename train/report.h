// report: the files of a version that tell how good its model is.
//
//     metrics.json     everything known about its quality; the others show what is in it
//     report.html      one page that needs no other file: web/page.html with web/report.html,
//                      metrics.json, Chart.js, style sheet and scripts in it
//     card.md          a model card (Mitchell et al., Model Cards for Model Reporting, FAT* 2019)
//
// Page, card.md, summary.txt (the terminal's) and sentences.txt ("text") are templates
// (base/template.h).
//
// metrics.json; a number that is not defined is null:
//
//     {"test":   {metrics of train/metrics.h, "intervals": {"roc_auc": [low, high], ...}},
//      "folds":  [{"train","test","threshold_from", metrics}, ...],    fold 0 is "test"
//      "training": {metrics},                   of fold 0's training rows by the test's rules
//      "summary": {"roc_auc": {"folds","mean","sd","worst"}, ...},     over the folds where the
//                 metric is defined; worst is null where neither direction is better
//      "titles": {"roc_auc": "ROC AUC", ...},
//      "curve":  {"threshold": [...], "frauds": [...], "genuine": [...]},    test rows of fold 0 at
//                 or above some hundred thresholds, from which precision, recall and so on follow
//      "l2", "false_positives_at_recall",       train/evaluate.h
//      "bootstrap": {"unit","units","replicates","seed"} or null,      train/bootstrap.h
//      "threshold": {"policy": "alerts_per_day", "alerts_per_day"} or {"policy": "alert_share",
//                    "alert_share"} or {"policy": "cost",
//                    "cost_fraud","cost_alert","test_cost","test_cost_no_alert",
//                    "test_cost_all_alerts"},
//      "data":   {"train": {"rows","frauds","days","unknown","fraud_share","first_day","last_day"},
//                 "test":  {... without "unknown", "alerts_per_day"},    days count from 1970-01-01
//                 "daily": [[day, rows with a known label, frauds], ...],     of the whole table
//                 "columns": [...]},            ingest/table.h's summary of the table that features
//                                               read; not there for an export
//      "weights": [{"feature","min","max","weight","standard_error","low","high","z","odds_ratio",
//                   "genuine": {"edges","counts"}, "frauds": {...}}, ...],     training rows
//      "intercept": {"weight"},
//      "reliability": [{"from","to","rows","frauds","mean_probability","fraud_share","low","high"},
//                      ...],                    from, to: the lowest and highest probability
//      "decisions": {"highest_fraud","highest_genuine","lowest_fraud"},   of fold 0's test, each
//                 {"time","probability","review",
//                  "contributions": [{"feature","value","contribution"}, ...]} or null
//      "scores": {"from","to","genuine": [...], "frauds": [...]},      rows in equal ranges of
//                 log-odds; the outermost ranges hold everything beyond
//      "slices": [{"name","small","many_small", "slices": [{"slicing","name","small", metrics,
//                  "fraud_share", "difference": {...}}, ...]}, ...],   difference: to "test"
//      "baselines": [{"name","inputs": [...],"l2","test","folds","summary","curve",
//                     "false_positives_at_recall","change","better",   change: model / baseline - 1
//                     "difference": {"roc_auc": [value, low, high], ...}}, ...],  model - baseline
//      "split":  {"label_delay","blocked"},     as [split] has them; blocked: null for none
//      "review_outside",                        true for [model] outside = review
//      "warnings": {"few_rows","late_labels","known_cards","no_validation",
//                   "threshold_from_training","over_budget","far_over_budget","no_alert",
//                   "unseen": [{"name","unseen","rare"}, ...]},         onehots, shares of the test
//      "counts_rows",                           true: no clock, so that days and rates a day are null
//      "class": {"name","is_fraud","one", ...}, words for label 1 and 0
//      "card": {"intended_use", ...},           those that [card] has
//      "about": {"dataset","version","config","features": [{"name","expression"}, ...],
//                "data_xxh3","config_xxh3","program","sha256"},        sha256: of model.json
//      "text": {"lead": [...],"policy": [...],"comparisons": [...],"warnings": [...],   sentences
//               "urgent": those of the warnings that train prints,
//               and the members of "card", each with a general text for one that is missing}}
//
// A weight belongs to the standardised input; low and high are its 95 % interval, weight ± 1.96
// standard errors; odds_ratio = exp(weight) is for a standard deviation. "reliability" has ranges
// of probability, low and high by Wilson; ece and brier_parts have ten equal ones (metrics.h).
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "base/template.h"
#include "train/evaluate.h"

// All but "about" and "text" (publish.c); NULL and a message for a bad key or value in [card].
json_t *results_new(const struct evaluation *v, const struct config *config, struct err *err);

// Its "test": metrics with their intervals.
json_t *results_metrics(const struct metrics *m, const struct bootstrap *b);
// Its "reliability". Each range holds the lower half of the rows that are left, so that some lie on
// both sides of any threshold; less where it gets wider than a tenth.
json_t *results_reliability(const double *score, const int8_t *judged, size_t n);

// The page, to be freed. Without results (NULL) it is the server's: it links style sheet and
// scripts, and asks for metrics.json.
char *report_page(const json_t *results);
// The page of a drift.json, to be freed; it needs no other file.
char *drift_page(const json_t *drift);
// Reads a JSON file of at most 64 MB, such as metrics.json; NULL and a message, or the caller's.
json_t *results_load(const char *path, struct err *err);
// Each line of the filled template starts with the name of the list in `to` that its sentence is
// appended to, or of the text in it that the sentence becomes.
void sentences_add(json_t *to, const char *template, const json_t *results);
// The words for the two classes: those of fraud, or of the class that a member "class" names.
json_t *class_words(const json_t *named);
extern const char summary_txt[]; // of a metrics.json, for template_print

#endif
