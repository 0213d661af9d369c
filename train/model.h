// model: the file that holds everything scoring needs (docs/formats.md), and the arithmetic of a
// score.
//
//     margin      = intercept + Σ_i weight_i · (c_i − mean_i) / scale_i    in the inputs' order
//     c_i         = x_i, or the nearer of min_i and max_i where it lies outside of them
//     probability = 1 / (1 + exp(−margin))
//     decision    = probability >= threshold ? "review" : "approve"
//
// min and max are the range of the training rows: without the clamp an extreme value with a negative
// weight would hide any fraud. With `outside` = "review" a row with such an input is reviewed anyway.
//
// Batch and serving call the same functions on the same float32 inputs, so they give the same bits.
// Means, scales, weights, intercept and threshold are rounded to 7 significant digits, because the
// last bits of a fit differ between processors (tested on several kernels, not proven).
//
// Ownership: a model owns everything it points to until model_release.
#ifndef TRAIN_MODEL_H
#define TRAIN_MODEL_H

#include "features/plan.h"

enum { HISTOGRAM_BINS = 10, SHA256_HEX = 65 }; // 64 hexadecimal digits and a 0

// Counts of the training rows' values between fixed edges: what later rows are compared with to see
// drift. Bin b holds edges[b-1] <= x < edges[b]; the first and the last bin are open.
struct histogram {
    size_t n_edges;
    double edges[HISTOGRAM_BINS - 1]; // [n_edges], increasing
    uint64_t counts[HISTOGRAM_BINS];  // [n_edges + 1]
};

struct model_input {
    const char *name;           // the plan's
    double mean, scale, weight; // scale > 0; weight belongs to the standardised input
    double min, max;            // of training
    struct histogram reference;
};

struct period_times { // seconds since 1970-01-01 of local time (train/examples.h), [from, until)
    int64_t from, until;
};

struct model {
    struct plan plan;
    struct model_input *inputs; // in the order of plan.inputs
    size_t n_inputs;
    double intercept, threshold, l2;
    bool review_outside; // rows with an input outside its range
    struct histogram score_reference;
    json_t *training, *provenance;   // as in the file
    struct period_times train, test; // their rows; no later row chose weights, l2 or threshold
    char sha256[SHA256_HEX];         // of the file's bytes
    int64_t version;                 // in its registry, which sets it
};

// Reads the file, checks its format and members, and hashes it. Release it after an error, too.
int model_load(struct model *m, const char *path, struct err *err);
void model_release(struct model *m);
json_t *model_to_json(const struct model *m);
// The file's text, to be freed by the caller.
char *model_to_text(const struct model *m);

// The model as an ONNX file of *n bytes, to be freed by the caller, for other runtimes (onnx.c).
unsigned char *onnx_from_model(const struct model *m, size_t *n);

// x[n_inputs]: one event's inputs.
double model_margin(const struct model *m, const float *x);
double model_probability(double margin);
// The term weight_i · (c_i − mean_i) / scale_i of the margin.
double model_contribution(const struct model *m, size_t i, float x);
struct reason {          // what a feature says about an event
    int input;           // its first; of a onehot the one that is 1, if any
    float value;         // of this input
    double contribution; // of all its inputs
};
// Of the feature with this first input. Returns the next one's, or n_inputs.
size_t model_reason(const struct model *m, size_t first, const float *x, struct reason *reason);
// How many inputs lie outside the range of training; outside[n_inputs], if not NULL: 1 for these.
size_t model_outside(const struct model *m, const float *x, unsigned char *outside);
bool model_reviews(const struct model *m, const float *x, double probability);

// The nearest double to x in 7 significant digits.
double round_digits(double x);

// Edges are quantiles of values[0..n), n >= 1, which are sorted in place. A value that holds
// several quantiles gets a bin of its own. A constant gets two edges: for less, equal and more.
void histogram_fit(struct histogram *h, double *values, size_t n);
size_t histogram_bin(const struct histogram *h, double value); // 0 .. n_edges
json_t *histogram_to_json(const struct histogram *h);
json_t *json_counts(const uint64_t *counts, size_t n);

// A whole file of at most 64 MiB, *n bytes, to be freed; NULL and a message otherwise.
char *file_read(const char *path, size_t *n, struct err *err);
// The same of JSON, the caller's, with the file's sha256 where that is not NULL.
json_t *json_read(const char *path, char sha256[SHA256_HEX], struct err *err);
void sha256_hex(char hex[SHA256_HEX], const void *data, size_t n);

#endif
