// plot: runs gnuplot on the files of curves.h.
//
// The script is train/report.gp, which says what each plot shows and which variables it wants.
// Errors: gnuplot is not there, or fails; the message has its last words.
#ifndef TRAIN_PLOT_H
#define TRAIN_PLOT_H

#include "base/err.h"

#include <stddef.h>

// Runs in the folder of that descriptor, with the variables' definitions before the script. The
// plots as SVG documents one after the other, to be freed by the caller; NULL and a message otherwise.
char *plot_run(int folder, const char *variables, struct err *err);

// -1 and a message where gnuplot cannot be run: to know it before the work.
int plot_check(struct err *err);

// The n-th SVG element of such a text, without what stands around it; NULL where there is none.
const char *plot_nth(const char *svgs, size_t n, size_t *length);

#endif
