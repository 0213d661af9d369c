// model: the file that holds everything scoring needs, and the arithmetic of a score.
//
//     margin      = intercept + Σ_i weight_i · (x_i − mean_i) / scale_i    in the inputs' order
//     probability = 1 / (1 + exp(−margin))
//     decision    = probability >= threshold ? "review" : "approve"
//
// Batch and serving call the same functions on the same float32 inputs, so they give the same bits.
//
// model.json:
//     {"format": "assay model", "version": 1,
//      "plan": {...},                                features/plan.h: columns, expressions
//      "inputs": [{"name","mean","scale","weight","reference":{"edges":[...],"counts":[...]}}],
//      "intercept", "threshold", "l2",
//      "score_reference": {"edges","counts"},        of the training rows' probabilities
//      "training": {"train","test","rows","frauds","threshold_from"},
//      "provenance": {"data_xxh3","config_xxh3","program"}}
// Numbers are written with 17 significant digits and come back as the same doubles. There is no
// clock time in it: the same input gives the same file, whose sha256 is the model's identity.
//
// Ownership: a model owns everything it points to until model_release.
#ifndef TRAIN_MODEL_H
#define TRAIN_MODEL_H

#include "features/plan.h"
#include "train/histogram.h"

struct model_input {
    char *name;
    double mean, scale, weight; // scale > 0; weight belongs to the standardised input
    struct histogram reference; // of the training rows
};

struct model {
    struct plan plan;           // first: a server exchanges what stands behind it
    struct model_input *inputs; // in the order of plan.inputs
    size_t n_inputs;
    double intercept, threshold, l2;
    struct histogram score_reference;
    json_t *training, *provenance; // owned, as in the file
    char sha256[65];               // of the file's bytes, hexadecimal
};

// Reads, checks (format, version, finite numbers, inputs that agree with the plan) and hashes.
int model_load(struct model *m, const char *path, struct err *err);
// The file's text, allocated, to be freed by the caller; NULL when out of memory.
char *model_to_text(const struct model *m);
void model_release(struct model *m);

// x[n_inputs]: one event's inputs.
double model_margin(const struct model *m, const float *x);
double model_probability(double margin);
// c[n_inputs]: the terms weight_i · (x_i − mean_i) / scale_i of the margin.
void model_contributions(const struct model *m, const float *x, double *c);

#endif
