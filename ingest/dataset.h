// dataset: what an .ini says of its CSV: [input] and [columns].
//
//     dataset_load(&d, "datasets/simulated.ini", input, &err)    input: for [input] file, or NULL
//     csv_open(&csv, d.file, d.delimiter, &err)
//     dataset_release(&d)
//
// Errors name the .ini, line and key. Ownership: the dataset owns its config and schema until
// dataset_release; file points into the config, or is the caller's input.
#ifndef INGEST_DATASET_H
#define INGEST_DATASET_H

#include "ingest/schema.h"

struct dataset {
    struct config config;
    struct schema schema;
    const char *file; // "-" is standard input
    char delimiter;
    double max_reject_rate; // share of rows that may break the schema
};

int dataset_load(struct dataset *d, const char *config, const char *input, struct err *err);
void dataset_release(struct dataset *d);

#endif
