// retrain: is a new model due, which days train it, and does it replace the champion?
//
// Let M be the newest row's time (or the time as of which labels are known) - label_delay. The last
// `test` whole days up to M judge, and the `train` days before them train. l2 and threshold come from
// the last quarter of the training window (train/evaluate.h), never from earlier weeks: after a shift
// those would give a threshold for another world.
//
// Due: a drift alarm, or new_frauds frauds with mature labels since the newest version's test window,
// or `every` since its end, but not within cool_down of it.
//
// Promoted: the 95 % interval of the difference in the primary metric (train/compare.h) lies above 0;
// or performance of the champion has fallen by the monitor's alarm and the interval lies above
// -margin. Never promoted: alerts a day above alert_rate_most times the budget, or a sum of
// probabilities that is more than calibration_most times the frauds found, or less than 1 / that.
//
// make pipeline's models are not retrained, and one more rule holds for them. What cannot be compared
// with the champion, because it has other inputs or other training rows, or because there are fewer
// than 14 common days, is promoted, unless the champion was trained on later days.
//
// Ownership: everything is borrowed.
#ifndef TRAIN_RETRAIN_H
#define TRAIN_RETRAIN_H

#include "train/evaluate.h"

struct retrain {
    bool on_alarm;
    int64_t new_frauds; // 0: no reason to train
    int64_t every, cool_down, train,
        test; // seconds; every 0: no reason; the windows are whole days
    double margin, alert_rate_most, calibration_most;
    double budget; // alerts a day, 0 where costs choose the threshold
    char why[640]; // the sentence for the ledger
};

int retrain_from_config(struct retrain *r, const struct config *c, struct err *err);
// Is a model due? Sets train and test of the split, which has its label_delay. drift: of the champion
// (monitor/comparison.h).
bool retrain_due(struct retrain *r, struct split *split, const struct examples *e,
                 const struct model *newest, const json_t *drift, bool forced);
// Does version B of a comparison (train/compare.h) replace A? fallen: A's performance has.
bool retrain_decide(struct retrain *r, const json_t *comparison, bool fallen);

struct challenge {
    struct retrain rules;
    struct model champion;   // version 0: there is none
    const json_t *drift;     // NULL: not a retraining
    bool promote, decide;    // whatever the comparison says; by the rules
    const char *by, *reason; // for the ledger: who trained it (NULL: the login name), and why
};

// Compares a published version with the champion, adds comparison.json to its folder, and decides;
// prints both. A model that is trained again is not decided upon again.
int challenge_decide(struct challenge *c, const struct registry *g, const struct model *m,
                     struct output *folder, const struct examples *e, const struct config *config,
                     struct err *err);
// Commits the folder, and promotes the version or not; each is a line of the ledger.
int challenge_record(const struct challenge *c, struct registry *g, const struct model *m,
                     struct output *folder, struct err *err);

#endif
