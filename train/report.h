// report: the files of a version that tell what its model is worth.
//
//     metrics.json     train/results.h
//     *.tsv            train/curves.h
//     report.html      one page that needs nothing else: tables, and plots by gnuplot
//     card.md          a model card (Mitchell et al., Model Cards for Model Reporting, FAT* 2019)
//
// The page and the card are templates, report.html and card.md of this folder, with {{names}} that
// are filled from metrics.json.
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "base/output.h"
#include "train/evaluate.h"

struct report_names {
    const char *dataset; // the name of its .ini without the ending
    const char *config;  // the path of its .ini
    int64_t version;
    const struct model *model; // plan and provenance
};

int report_write(struct output_dir *folder, const struct evaluation *v, const json_t *results,
                 const struct report_names *names, struct err *err);

// A version's metrics and baselines as aligned text to print. path: its metrics.json.
int report_print(const char *path, struct err *err);

#endif
