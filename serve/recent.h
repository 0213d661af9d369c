// recent: what is remembered of the newest decisions and labels, for metrics and the dashboard.
//
//     recent_init(&r, &model, &err)
//     recent_add(&r, &model, &row)               the writer's, each decision
//     recent_label(&r, order, review, changed, label)
//     recent_drift(&r, &model, psi)              any thread: PSI per input, then of the score
//     recent_write_decisions(&r, &plan, &reply)  any thread: the newest, as GET /decisions answers
//     recent_release(&r)
//
// Drift is PSI (monitor/drift.h) of the newest RECENT_DECISIONS against the reference histograms of the
// model that serves now; after a reload the same decisions are counted into the new model's bins.
// Quality is of the newest RECENT_LABELS labels; a label that changes is changed there.
//
// It has a lock of its own; the model must stay what it is meanwhile (service_hold).
// Ownership: owns its rings until recent_release.
#ifndef SERVE_RECENT_H
#define SERVE_RECENT_H

#include "serve/store.h"
#include "train/model.h"

#include <pthread.h>

enum { RECENT_DECISIONS = 10000, RECENT_LABELS = 10000, RECENT_SHOWN = 50 };

struct recent_decision {
    int64_t order, received, time;
    struct decision decision;
};

struct recent_label {
    int64_t order; // of the transaction
    bool review, fraud;
};

struct recent {
    pthread_mutex_t lock;
    bool made;
    size_t n_inputs, n_numbers;
    float *x;                      // [RECENT_DECISIONS][n_inputs], a ring
    double *probability;           // [RECENT_DECISIONS]
    uint8_t *bins;                 // [RECENT_DECISIONS][n_inputs + 1]
    uint64_t *counts;              // [n_inputs + 1][HISTOGRAM_BINS + 1]
    char sha256[65];               // of the model whose bins these are
    uint64_t decisions;            // so far; the newest is at (decisions - 1) % RECENT_DECISIONS
    struct recent_decision *shown; // [RECENT_SHOWN], a ring of the same
    double *numbers;               // [RECENT_SHOWN][n_numbers]: columns of kind number
    struct recent_label *labels;   // [RECENT_LABELS], a ring
    uint64_t n_labels;             // so far
    uint64_t quality[2][2];        // of those in the ring: [review][fraud]
};

int recent_init(struct recent *r, const struct model *m, struct err *err);
void recent_release(struct recent *r);

// row: as it is stored. order: its number.
void recent_add(struct recent *r, const struct model *m, int64_t order,
                const struct store_row *row);
// changed: the transaction had another label before.
void recent_label(struct recent *r, int64_t order, bool review, bool changed, int label);

// psi[n_inputs + 1]; NAN where there is no decision. Returns how many decisions it is of.
uint64_t recent_drift(struct recent *r, const struct model *m, double *psi);
// quality[review][fraud]: counts over the newest labels.
void recent_quality(struct recent *r, uint64_t quality[2][2]);
// {"decisions":[...]}, the newest first, at most RECENT_SHOWN.
void recent_write_decisions(struct recent *r, const struct plan *p, struct reply *reply);

#endif
