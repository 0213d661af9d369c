// histogram: shares of values between fixed edges, for drift against the training rows.
//
// Bin b holds edges[b-1] <= x < edges[b]; the first and the last bin are open. Edges are quantiles
// of the reference; a value that holds several quantiles gets a bin of its own, so that what is
// nearly always 0 is told from what is not. At most HISTOGRAM_BINS - 1 edges; a constant gets two,
// for less, equal and more.
// Ownership: the arrays belong to the histogram until histogram_release.
#ifndef TRAIN_HISTOGRAM_H
#define TRAIN_HISTOGRAM_H

#include "base/err.h"

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_BINS = 10 };

struct histogram {
    double *edges;    // [n_edges], increasing
    uint64_t *counts; // [n_edges + 1]
    size_t n_edges;
};

// Quantile edges and counts of values[0..n); they are sorted in place. n >= 1.
int histogram_fit(struct histogram *h, double *values, size_t n, struct err *err);
// The bin of a value: 0 .. n_edges.
size_t histogram_bin(const struct histogram *h, double value);
json_t *histogram_to_json(const struct histogram *h);
int histogram_from_json(struct histogram *h, const json_t *json, struct err *err);
void histogram_release(struct histogram *h);

#endif
