// snapshot: a state on disk, so that a server starts where the batch ended.
//
// One binary file, little-endian (the layout stands in snapshot.c), with the plan's checksum in its
// head and its own XXH3 at its end. Loading refuses a file that is truncated, altered, or was made
// by another plan. Keys are sorted, so the same events and pseudonym key give the same bytes.
#ifndef FEATURES_SNAPSHOT_H
#define FEATURES_SNAPSHOT_H

#include "features/state.h"

// The name of the snapshot inside a feature table's folder.
#define SNAPSHOT_NAME "state.bin"

// Write to fd; name is for messages.
int snapshot_save(const struct state *s, int fd, const char *name, struct err *err);
// Into a state fresh from state_new.
int snapshot_load(struct state *s, const char *path, struct err *err);

#endif
