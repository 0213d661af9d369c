// recent: the newest decisions and labels, for the drift, quality and decisions that the server
// shows.
//
//     recent_init(&r, &plan)
//     recent_add(&r, &row)                     the writer's thread, each decision
//     recent_label(&r, order, review, changed, label)
//     recent_drift(&r, &model, psi)            any thread, here and below
//     recent_write(&r, &model, &reply)         metrics, in the exposition format
//     recent_write_decisions(&r, &reply)       what GET /decisions answers
//     recent_release(&r)
//
// Drift is the PSI (monitor/drift.h) of the newest RECENT_DECISIONS against the reference
// histograms of the model that serves now. Quality is of the newest RECENT_LABELS labels; when a
// label changes, its entry changes.
//
// It has a lock of its own. Ownership: it owns its rings until recent_release and borrows the plan.
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
    const struct plan *plan;
    size_t n_numbers;                  // columns of kind number
    float *x;                          // [RECENT_DECISIONS][plan->n_inputs], a ring
    double *numbers;                   // [RECENT_DECISIONS][n_numbers], a ring
    struct recent_decision *decisions; // [RECENT_DECISIONS], a ring
    uint64_t n_decisions;              // so far; the newest is at (n - 1) % RECENT_DECISIONS
    struct recent_label *labels;       // [RECENT_LABELS], a ring
    uint64_t n_labels;                 // so far
    uint64_t quality[2][2];            // labels in the ring: [review][fraud]
};

void recent_init(struct recent *r, const struct plan *p);
void recent_release(struct recent *r); // zeroed, too

void recent_add(struct recent *r, const struct store_row *row);
// changed: the transaction had another label before.
void recent_label(struct recent *r, int64_t order, bool review, bool changed, int label);

// psi[plan->n_inputs + 1]: of each input, then of the score; NAN without decisions. Returns the
// number of decisions. The model must not be replaced meanwhile (service_hold).
size_t recent_drift(struct recent *r, const struct model *m, double *psi);
void recent_write(struct recent *r, const struct model *m, struct reply *reply);
// {"decisions":[...]}, the newest first, at most RECENT_SHOWN.
void recent_write_decisions(struct recent *r, struct reply *reply);

#endif
