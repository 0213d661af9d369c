// sort: a radix sort for the long arrays of training, several times as fast as qsort.
//
// Least significant byte first, so memory moves in order; bytes in which all keys agree are
// skipped. Errors: -1 when there is no memory for a second array, which leaves the first as it was.
#ifndef TRAIN_SORT_H
#define TRAIN_SORT_H

#include <stddef.h>
#include <stdint.h>

// Ascending, in place.
int sort_keys(uint64_t *keys, size_t n);
// The same for numbers, none of them NaN.
int sort_doubles(double *values, size_t n);

#endif
