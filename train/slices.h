// slices: groups of test rows, which [slices] of docs/configuration.md declares.
//
// A slice is small where it has fewer than SLICE_LEAST judged frauds or genuine rows. Errors name
// file, line and value. Ownership: the list is the caller's to free; examples and config must live as long.
#ifndef TRAIN_SLICES_H
#define TRAIN_SLICES_H

#include "train/metrics.h"

enum { SLICES_MAX = 32, SLICE_LEAST = 10, SLICE_NAME = 80 };

struct slicing {
    const char *name;      // the config's
    const float *x;        // of all rows; NULL for a category
    const uint32_t *codes; // of all rows; NULL for a feature
    double at[SLICES_MAX]; // rising: the lower edges of bands, or the values or codes of slices
    bool others;           // the last slice takes the codes that have no slice of their own
    char names[SLICES_MAX][SLICE_NAME];
    size_t n; // slices
};

// Values become slices where they are in the test rows.
int slices_from_config(struct slicing **list, size_t *n, const struct examples *e,
                       struct row_range test, const struct config *c, struct err *err);
// judged[test rows] with LABEL_ELSEWHERE for the rows of other slices than slice k; to be freed.
enum { LABEL_ELSEWHERE = -3 };
int8_t *slice_judged(const struct slicing *s, size_t k, struct row_range test,
                     const int8_t *judged);
bool slice_is_small(const struct tally *t);

#endif
