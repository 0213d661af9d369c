// report: the files of a version that tell how good its model is (docs/formats.md).
//
//     metrics.json     everything known about its quality; the others show what is in it
//     report.html      one page that needs no other file: web/page.html with web/report.html,
//                      metrics.json, Chart.js, style sheet and scripts in it
//     card.md          a model card (Mitchell et al., Model Cards for Model Reporting, FAT* 2019)
//
// Page, card.md, summary.txt (the terminal's) and sentences.txt ("text") are templates
// (base/template.h).
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include "base/template.h"
#include "train/evaluate.h"

// metrics.json without "about" and "text", which publish.c adds; NULL and a message for a bad key or
// value in [card].
json_t *results_new(const struct evaluation *v, const struct config *config, struct err *err);

// The member "test": metrics with their intervals.
json_t *results_metrics(const struct metrics *m, const struct bootstrap *b);
// The member "reliability". Each range holds the lower half of the rows that are left, so that some lie on
// both sides of any threshold; less where it gets wider than a tenth.
json_t *results_reliability(const double *score, const int8_t *judged, size_t n);

// The page, to be freed. Without results (NULL) it is the server's: it links style sheet and
// scripts, and asks for metrics.json.
char *report_page(const json_t *results);
// The page of a drift.json, to be freed; it needs no other file.
char *drift_page(const json_t *drift);
// Each line of the filled template starts with the name of the list in `to` that its sentence is
// appended to, or of the text in it that the sentence becomes.
void sentences_add(json_t *to, const char *template, const json_t *results);
// The words for the two classes: those of fraud, or of the class that a member "class" names.
json_t *class_words(const json_t *named);
extern const char summary_txt[]; // of a metrics.json, for template_print

#endif
