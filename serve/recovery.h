// recovery: the state that the rows of a database lead to, from a snapshot or a checkpoint on. The
// server starts with it, and `export --verify` checks with it what was served.
#ifndef SERVE_RECOVERY_H
#define SERVE_RECOVERY_H

#include "serve/store.h"

// The texts of categories that the plan asks for: fills d[p->schema.n], which is zeroed.
int dictionaries_of_plan(struct dictionary *d, const struct plan *p, struct err *err);

// Initialises the state, too; after an error there is nothing to release.
int recovery_load(struct state *s, const struct plan *p, const struct dictionary *dictionaries,
                  uint64_t key_fingerprint, const char *path, struct err *err);

struct replayed {
    uint64_t rows, values, differ; // transactions; their inputs and label values
    struct err first;              // about the first value that differs
};
// Replay what the store holds after the state's position. The inputs and label values that were
// stored when a row was served should come out again: else the file was altered, or this program
// computes otherwise than the one that wrote it. A server may write to the store meanwhile: it is
// read in parts, up to the row that was its newest when it was opened.
int recovery_replay(struct state *s, struct store *store, struct replayed *found, struct err *err);

#endif
