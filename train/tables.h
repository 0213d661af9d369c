// tables: metrics.json (train/results.h) as tables (tables.c) and sentences (sentences.c) for people, in
// any format of sheet.h. So the terminal, the report and the model card show the same figures.
//
// Each returns 0, or -1 when out of memory or f fails. What is missing in the JSON is shown as "-".
#ifndef TRAIN_TABLES_H
#define TRAIN_TABLES_H

#include "train/sheet.h"

#include <jansson.h>

typedef int table_fn(const json_t *results, enum sheet_format format, FILE *f);

table_fn tables_metrics;     // test with intervals, mean, spread and worst of the folds
table_fn tables_baselines;   // the model beside them, and the difference in average precision
table_fn tables_slices;      // each with its metrics, and the differences to the overall figure
table_fn tables_weights;     // the largest first
table_fn tables_folds;       // week by week
table_fn tables_data;        // which rows trained and tested
table_fn tables_calibration; // ece, the parts of the Brier score

table_fn tables_policy;    // how the threshold was chosen, and by costs what the test cost
table_fn tables_lead;      // one sentence: what was found at which price
table_fn tables_bootstrap; // one sentence: where the intervals come from
table_fn tables_saved;     // one sentence a baseline: false alarms at the same recall
table_fn tables_warnings;  // a list; nothing where there is nothing to warn of

#endif
