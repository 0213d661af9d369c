// compare: is version B better than version A? Both score the same rows, none of which trained or
// tuned either: those from the end of both trainings on whose labels are mature (examples.h), in one
// table or several that follow each other in time. What a server has stored counts as such a table,
// so any version with the same inputs can be tried on what was served. Each decides at its own
// threshold. Rows of blocked cards are left out, the same for both (metrics.h, with a history of 28
// days and label_delay).
//
// Intervals are of the differences B - A in 1000 draws of whole days, the same draws for both
// (bootstrap.h). B is better where the 95 % interval of the primary metric lies above 0, and worse
// where it lies below. [retrain] metric names that metric. Below 14 days nothing is judged, because
// intervals of few days are too short. A true difference of
//
//     detectable = (z_0.975 + z_0.8) · standard error = 2.8 · standard error
//
// is shown by 80 % of such periods (Bloom, Minimum Detectable Effects, Evaluation Review 19, 1995).
// The worst slice is the one of [slices] where the primary metric falls most, or rises least; small
// ones do not count. It is the lowest of many, so its own interval lies too low.
//
// The comparison is JSON. It has no clock time, so the same input gives the same bytes:
//
//     {"format": "assay comparison", "version": 1,
//      "verdict": {"code","sentence","notes": [...]},       code: "better", "worse", "none" or "few"
//      "settings": {"metric","label_delay","blocked"},      seconds; the key's name or null
//      "a": {"version","sha256","threshold","train_from","train_until","alerts_per_day",
//            "metrics": {...}},                             train/metrics.h metrics_to_json
//      "b": {...},
//      "tables": [{"path","xxh3","rows","from","to","labels_as_of"}, ...],    xxh3: the manifest's
//      "period": {"from","to","days","rows"},    of the first and the last row; days that have rows
//      "bootstrap": {"unit","units","replicates","seed"} or null
//      "differences": {"average_precision": {"title","a","b","value","low","high","detectable"},
//                      ...},    the primary metric, log_loss, alerts_per_day, then all other metrics
//      "slices": [{"slicing","name","rows","frauds","a","b","value"}, ...],   without small ones
//      "worst_slice": {"slicing","name","title","a","b","value","low","high","detectable"} or null,
//      "flips": {"to_review": {"rows","frauds"}, "to_approve": {...},         from A to B
//                "rows": [{"id","time","fraud","a","b","change"}, ...]}}     probabilities
//
// "value" is b - a. Times are ISO text. A number that is not defined is null. An id is the database's
// t_id as decimal text, because JavaScript and jq round such numbers, or null. Of the flips the 5000
// whose probability differs most are listed.
//
// Ownership: inputs are borrowed; what is opened or joined lives as long as its program.
#ifndef TRAIN_COMPARE_H
#define TRAIN_COMPARE_H

#include "train/evaluate.h"

enum { COMPARE_LEAST_DAYS = 14, COMPARE_FLIPS = 5000 };

struct compare_side {
    const struct model *model;
    int64_t version;
};

// tables: [n], opened with their own plans. Only rows within the times count. NULL and a message
// where the versions or a table have other inputs, or no row is left; else the caller's.
json_t *compare_new(const struct compare_side sides[2], const struct examples *tables, size_t n,
                    const struct config *config, struct period_times within, struct err *err);
// Verdict and figures, in at most 24 lines of 80 columns; brief: without slices and flips.
void compare_print(const json_t *comparison, bool brief);

#endif
