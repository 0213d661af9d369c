// report: the files of a version that tell how good its model is, all views of metrics.json
// (train/results.h).
//
//     metrics.json     "about" and "text" are added here: names and checksums; sentences
//     report.html      one page that needs no other file: web/report.html with metrics.json,
//                      Chart.js, style sheet and scripts in it
//     card.md          a model card (Mitchell et al., Model Cards for Model Reporting, FAT* 2019)
//
// Page, card.md, summary.txt (the terminal's) and sentences.txt ("text") are templates. A field is
// {{path}} or {{path:FORMAT}}. A path has names, indices and *, and starts at the current item, or
// after "$." at the root.
//
//     FORMAT             printf's width and precision, % after them for per cent; raw: no escapes
//     {{#path}}...{{/}}  for each item of a list, or each member of an object, whose name is *;
//                        else once, unless the value is missing, null, false or 0
//     {{^path}}...{{/}}  if the value is one of these
//
//     "about": {"dataset","version","config","features": [{"name","expression"}, ...],
//               "data_xxh3","config_xxh3","program"}
//     "text":  {"lead": [...],"policy": [...],"comparisons": [...],"warnings": [...]}
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "base/output.h"
#include "train/model.h"

// config: the path of the .ini. The two members are added to `results`.
int report_write(struct output *folder, json_t *results, const struct model *m, const char *config,
                 int64_t version, struct err *err);

// Prints a version's metrics and baselines. path: its metrics.json.
int report_print(const char *path, struct err *err);

#endif
