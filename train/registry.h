// registry: the versions of a dataset's model, which of them serves, and which served when.
//
//     models/simulated/1/ 2/ 3/      whole folders, never changed once there
//     models/simulated/champion      symbolic link to one of them, replaced by rename
//     models/simulated/ledger.jsonl  one line per action
//
// A ledger line: {"time":"2026-11-22T10:00:00Z","action":"train|promote|rollback","version":3,
// "sha256":"<of model.json>","previous":"<sha256 of the line before, 64 zeros in the first>"}.
// Changing or removing a line breaks the chain at the next one, which an error names by its number.
//
// One process at a time changes a registry, which it locks; readers need no lock. The ledger is
// written before the link, so registry_open completes a promotion that a crash interrupted. A torn
// last line never took effect: readers ignore it, and changes are refused until it is removed.
//
// Errors: 0 or -1 with a message that names the file. Ownership: a registry owns all of its struct
// until registry_release; one that was zeroed or whose _open failed may be released.
#ifndef TRAIN_REGISTRY_H
#define TRAIN_REGISTRY_H

#include "base/output.h"
#include "train/model.h"

enum ledger_action { LEDGER_TRAIN, LEDGER_PROMOTE, LEDGER_ROLLBACK };

struct ledger_entry {
    int64_t time; // seconds since 1970-01-01 UTC
    enum ledger_action action;
    int64_t version;
    char sha256[SHA256_HEX]; // of the version's model.json
};

struct registry {
    char *path;                   // NULL when released
    int lock;                     // descriptor of the folder, 0 without the lock
    struct ledger_entry *entries; // [n], in the order of the file
    size_t n, capacity;
    char head[SHA256_HEX]; // hash of the last line
    bool torn;             // the ledger ends with half a line
};

// Read the ledger and verify its chain; empty where there is no file.
int registry_read(struct registry *r, const char *path, struct err *err);
// An error where registry_open would refuse the ledger.
int registry_check(const char *path, struct err *err);
// Lock the registry for a change; the folder is made where it is missing.
int registry_open(struct registry *r, const char *path, struct err *err);
void registry_release(struct registry *r);

// A folder for the next version. Fill it, then registry_add; output_release drops it otherwise.
int registry_next(struct registry *r, struct output *folder, int64_t *version, struct err *err);
// Commit the folder and record the training. If the version before has the same sha256, the folder
// is dropped and *version becomes that one's.
int registry_add(struct registry *r, struct output *folder, const char *sha256, int64_t *version,
                 struct err *err);
// Make a version the champion; its model must be the one that was trained. action: LEDGER_PROMOTE
// or LEDGER_ROLLBACK.
int registry_promote(struct registry *r, int64_t version, enum ledger_action action,
                     struct err *err);

// The champion at a time by the ledger; 0 where there was none.
int64_t registry_champion_at(const struct registry *r, int64_t time);
// The champion to roll back to: a promotion pushes a version onto a stack, a rollback pops it.
int registry_previous(const struct registry *r, int64_t *version, struct err *err);
// The champion by the link; *version is 0 after an error.
int registry_champion(const char *path, int64_t *version, struct err *err);
// The newest version; 0 where there is none.
int registry_latest(const char *path, int64_t *version, struct err *err);
// The champion's model, to be released by the caller, and its version.
int registry_load_champion(const char *path, struct model *m, int64_t *version, struct err *err);
// A version's name is a whole number from 1 on, without sign or leading zero. 0 or -1.
int registry_parse_version(const char *name, int64_t *version);

#endif
