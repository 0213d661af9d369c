// compare: is version B better than version A? Both score the same rows, each decides at its own
// threshold. The rows begin where both trainings have ended and end where labels are mature
// (examples.h); cards blocked by a fraud are left out, one set for both (metrics.h, with a history of
// 28 days and label_delay). Several tables follow each other in time. An export of served traffic is
// such a table, so any version with the same inputs can be tried on what was served.
//
// Intervals are of the differences B - A in 1000 draws of whole days, the same draws for both
// (bootstrap.h). B is better where the 95 % interval of the primary metric, which [retrain] metric
// names, lies above 0, and worse where it lies below. Below 14 days nothing is judged, because
// intervals of few days are too short. Without a clock rows are drawn, and judged whatever their
// number; the table has to be that which trained both, in the same order. A true difference of
//
//     detectable = (z_0.975 + z_0.8) · standard error = 2.8 · standard error
//
// is shown by 80 % of such periods (Bloom, Minimum Detectable Effects, Evaluation Review 19, 1995).
// The worst slice of [slices] has the lowest difference of the primary metric; small ones do not
// count. As the lowest of many it tends to look worse than it is.
//
// The comparison is JSON without a clock time, so the same input gives the same bytes:
//
//     {"format": "assay comparison", "version": 1,
//      "verdict": {"code": "better", "worse", "none" (no difference shown), "few_days" or "few_frauds"
//                  (some draw has none), "title", "sentence", "notes": [...],
//                  "alerts": "more" or "fewer" by a tenth, or null},
//      "a": {"version","sha256","training": {...},         train/model.h
//            "metrics": {...}}, "b": {...},                train/metrics.h metrics_to_json
//      "tables": [{"path","xxh3","rows","labels_as_of"}, ...],           xxh3: of the manifest
//      "period": {"from","to","days","rows",               from and to: of the first and last row;
//                                                          days: null without a clock
//                 "cards_from",                            null, or where the tables had to begin
//                 "not_mature",                            rows left out of all but the last table
//                 "young"},                                rows of the period that are not mature yet
//      "differences": [{"metric","title","a","b","value","low","high","detectable"}, ...],
//                           the primary metric, log_loss, precision, recall, alerts_per_day or
//                           without a clock alert_share;
//                           value = b - a
//      "worst_slice": {the same, "slicing","name"} or null,
//      "flips": {"to_review": {"rows","frauds"}, "to_approve": {...},        from A to B
//                "rows": [{"id","time","fraud","a","b"}, ...]},      probabilities, the most different
//                                                                   first, 5000 at most
//      "class": {...}}                                     train/report.h
//
// Times are ISO text; an undefined number is null. An id is the server database's t_id as text,
// because JavaScript and jq would round it; null without ids.
#ifndef TRAIN_COMPARE_H
#define TRAIN_COMPARE_H

#include "train/evaluate.h"

enum { COMPARE_LEAST_DAYS = 14, COMPARE_FLIPS = 5000 };

// e: opened with its own plan. Only rows within the times count. The caller's; NULL and a message
// where the inputs of versions and tables differ, or no row is left.
json_t *compare_new(const struct model *a, const struct model *b, const struct examples *e,
                    const struct config *config, struct period_times within, struct err *err);

// Its template for template_print (report.h): verdict, figures and flips, in 24 lines.
extern const char compare_txt[];

#endif
