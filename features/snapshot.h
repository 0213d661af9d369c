// snapshot: a state on disk, so that a server starts where the batch ended.
//
// Loading refuses a file that is truncated, altered or made by another plan. The same events under
// the same pseudonym key give the same bytes for any number of threads.
#ifndef FEATURES_SNAPSHOT_H
#define FEATURES_SNAPSHOT_H

#include "features/state.h"

// The name of the snapshot inside a feature table's folder.
#define SNAPSHOT_NAME "state.bin"

// Write to fd; name is for messages.
int snapshot_save(const struct state *s, int fd, const char *name, struct err *err);
// s: fresh from state_init; after an error it can only be released.
int snapshot_load(struct state *s, const char *path, struct err *err);

// What a snapshot says of itself, not verified.
struct snapshot_head {
    uint64_t position, checksum; // the checksum at its end
    int64_t last_time;           // as in struct state
};
int snapshot_peek(const char *path, struct snapshot_head *head, struct err *err);

#endif
