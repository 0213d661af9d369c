// replay_labels: labels on their way, given out when their delay has passed, in the order of time.
//
//     struct replay_labels l = {.delay = 7 * SECONDS_PER_DAY};
//     struct label *label = replay_labels_add(&l, id, time, value, &err)
//     label->lost = true                 its transaction was not answered: it is not given out
//     if (replay_labels_due(&l, clock))            time + delay <= clock, for one at least
//         n = replay_labels_take(&l, clock, 1000, &body)     appends [{"id":...,"label":...},...]
//     replay_labels_release(&l)
//
// Labels of one time are given out in the order in which they were added. Memory grows with the
// rows of one delay, and of no more.
//
// Ownership: a label belongs to the labels, and may be written until it is due.
#ifndef SERVE_REPLAY_LABELS_H
#define SERVE_REPLAY_LABELS_H

#include "base/err.h"
#include "serve/reply.h"

#include <stdbool.h>
#include <stdint.h>

struct label {
    int64_t time;
    uint64_t order; // of the adding
    bool lost;
    int value;
    char id[]; // ended by 0
};

struct replay_labels {
    int64_t delay;       // seconds
    struct label **heap; // [n], the earliest first (a binary heap)
    size_t n, size;
    uint64_t added;
};

// NULL: out of memory.
struct label *replay_labels_add(struct replay_labels *l, const char *id, int64_t time, int value,
                                struct err *err);
bool replay_labels_due(const struct replay_labels *l, int64_t clock);
// Those that are due at the clock, at most max: how many were appended, 0 where all of them were
// lost.
size_t replay_labels_take(struct replay_labels *l, int64_t clock, size_t max, struct reply *body);
void replay_labels_release(struct replay_labels *l);

#endif
