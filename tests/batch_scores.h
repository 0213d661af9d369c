// batch_scores: the batch's scores of some days' rows, from the artifacts that tests/server.h
// makes.
#ifndef TESTS_BATCH_SCORES_H
#define TESTS_BATCH_SCORES_H

#include "base/value.h"
#include "tests/release.h"
#include "tests/server.h"

struct batch_scores {
    uint64_t first;      // row of the table
    uint64_t n;          // rows
    double *probability; // [n], to be freed
    double threshold;
};

static inline int64_t seconds_of(const char *day)
{
    int64_t seconds;
    assert_int_equal(value_moment(day, strlen(day), &seconds), 0);
    return seconds;
}

// Rows of days from .. until, the latter not included.
static inline void batch_scores(struct batch_scores *b, const char *from, const char *until)
{
    char path[300];
    struct err err = {""};
    struct table t;
    struct model m;
    snprintf(path, sizeof path, "%s/features", folder);
    if (table_open(&t, path, &err))
        fail_msg("%s", err.msg);
    snprintf(path, sizeof path, "%s/models/champion/model.json", folder);
    if (model_load(&m, path, &err))
        fail_msg("%s", err.msg);
    const int64_t *time = table_data(&t, "time", COLUMN_TIME, &err);
    float *x = calloc(m.n_inputs, sizeof *x);
    *b = (struct batch_scores){.threshold = m.threshold,
                               .probability = calloc(t.rows + 1, sizeof *b->probability)};
    assert_true(time && x && b->probability);
    while (b->first < t.rows && time[b->first] < seconds_of(from))
        b->first++;
    for (uint64_t row = b->first; row < t.rows && time[row] < seconds_of(until); row++) {
        for (size_t i = 0; i < m.n_inputs; i++)
            x[i] = ((const float *)table_data(&t, m.inputs[i].name, COLUMN_FEATURE, &err))[row];
        b->probability[b->n++] = model_probability(model_margin(&m, x));
    }
    free(x);
    model_release(&m);
    table_release(&t);
}

#endif
