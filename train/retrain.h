// retrain: is a new model due, which days train it, and does it replace the champion?
// docs/configuration.md ([retrain]) and docs/models.md have the rules.
//
// Let M be the newest row's time (or the time as of which labels are known) - label_delay. The last
// `test` whole days up to M judge, and the `train` days before them train. l2 and threshold come
// from the last quarter of the training window (train/evaluate.h), never from earlier weeks: after
// a shift those would give a threshold for another world. The threshold is chosen on the scores
// that the final model gives to that quarter; those of a model of the first three quarters know too
// little of a recent shift.
//
// Ownership: everything is borrowed.
#ifndef TRAIN_RETRAIN_H
#define TRAIN_RETRAIN_H

#include "train/evaluate.h"

// A new version against the champion.
struct challenge {
    // [retrain]
    bool on_alarm;
    int64_t new_frauds;       // 0: no reason to train
    int64_t every, cool_down; // seconds; every 0: no reason
    int64_t train, test;      // seconds, whole days
    double margin, alert_rate_least, alert_rate_most, calibration_most;
    // of the caller
    double budget;           // settings_budget of a day or of a row
    struct model champion;   // version 0: there is none
    bool by_rules;           // decide whether the version is promoted
    bool promote;            // whatever the comparison says; after challenge_decide: is it?
    const char *by, *reason; // for the ledger: who trained it (NULL: the login name), and why
    // results
    const json_t *drift;       // of a retraining
    char evidence[SHA256_HEX]; // of comparison.json
    char why[640];             // UTF-8, one sentence for the ledger
};

// Sets what [retrain] says, and leaves the rest as it is.
int retrain_from_config(struct challenge *c, const struct config *config, struct err *err);
// Is a model due? Sets why, and train and test of the split, which has its label_delay. drift:
// drift.json of the champion (monitor/comparison.h).
bool retrain_due(struct challenge *c, struct split *split, const struct examples *e,
                 const struct model *newest, const json_t *drift, bool forced);
// Does version B of a comparison (train/compare.c) replace A? Sets why. fallen: by the monitor's
// alarm, A's performance has fallen.
bool retrain_decide(struct challenge *c, const json_t *comparison, bool fallen);

// Is a retraining due by this drift.json of the champion? Prints the answer. 1, 0, or -1 on an error.
int challenge_is_due(struct challenge *c, const struct registry *g, const char *drift,
                     struct split *split, const struct examples *e, bool forced, struct err *err);
// Compares a published version with the champion, adds comparison.json to its folder, and decides;
// prints both before anything is committed. A model that is trained again keeps its decision.
int challenge_decide(struct challenge *c, const struct registry *g, const struct model *m,
                     struct output *folder, const struct examples *e, const struct config *config,
                     struct err *err);
// Commits the folder, and promotes the version or not; each is a line of the ledger. An error between
// the two leaves a version without a decision: the next training decides.
int challenge_record(const struct challenge *c, struct registry *g, const struct model *m,
                     struct output *folder, struct err *err);

#endif
