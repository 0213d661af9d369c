// draft: guesses the .ini of a dataset from its CSV; docs/own-data.md says how.
//
//     draft_make("my.csv", "churn", stdout, stderr, &err)    the .ini, and a table of the columns
//
// label: NULL to guess it; a header or "#3", perhaps with "=" and the positive values, separated by '|'.
#ifndef INGEST_DRAFT_H
#define INGEST_DRAFT_H

#include "base/err.h"

#include <stdio.h>

int draft_make(const char *file, const char *label, FILE *ini, FILE *table, struct err *err);

#endif
