// replay_tally: what came of a replay, counted, and the table that tells it.
//
// Zeroed it is empty. Every transaction that was sent is counted once: as answered, or under one
// error. An error's kind is what was asked and a status ("predict: 503 Service Unavailable"), "no
// answer" (transport), or "not understood" (an answer that is none).
#ifndef SERVE_REPLAY_TALLY_H
#define SERVE_REPLAY_TALLY_H

#include "base/err.h"
#include "serve/replay_latency.h"

#include <stddef.h>
#include <stdint.h>

enum { TALLY_DECISIONS = 8, TALLY_ERRORS = 32, TALLY_NAME = 48 };

struct tally_kind {
    char name[TALLY_NAME];
    uint64_t n;
    char first[256]; // text of the first error of the kind
};

struct replay_tally {
    uint64_t sent, answered; // transactions
    uint64_t requests;       // of transactions; again: requests that were sent more than once
    uint64_t again;
    uint64_t rejected; // rows of the file that broke the schema
    double seconds;
    struct latency latency; // of answered requests
    struct tally_kind decisions[TALLY_DECISIONS], errors[TALLY_ERRORS];
    size_t n_decisions, n_errors;
    uint64_t labels, labels_changed; // posted; new to the server
    uint64_t labels_failed, labels_waiting;
};

// The kind of that name, which is added where it is new; where there is no room the last, "others".
struct tally_kind *tally_decision(struct replay_tally *t, const char *name);
// n transactions or labels were not answered, and why.
void tally_error(struct replay_tally *t, const char *kind, uint64_t n, const char *text);
// To stdout.
void tally_print(const struct replay_tally *t);

#endif
