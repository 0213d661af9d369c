// registry: the versions of a dataset's model, which of them serves, and who served when.
//
//     models/simulated/1/ 2/ 3/      whole folders, never changed once there
//     models/simulated/champion      symbolic link to one of them, replaced by rename
//     models/simulated/ledger.jsonl  one line per action, each with the hash of the line before
//
// A ledger line: {"time":"2026-11-22T10:00:00Z","action":"train|promote|rollback","version":3,
// "sha256":"<of model.json>","previous":"<sha256 of the line before, 64 zeros in the first>"}.
// One process at a time changes a registry (a lock on the folder); readers need none. The ledger is
// written before the link, so a promotion that a crash interrupted is completed by registry_open.
//
//     struct registry r;                              struct output_dir folder; int64_t version;
//     registry_open(&r, "models/simulated", &err)     registry_next(&r, &folder, &err)
//     registry_promote(&r, 3, LEDGER_PROMOTE, &err)   ... output_dir_file(&folder, ...)
//     registry_release(&r)                            registry_add(&r, &folder, sha256, &version, &err)
//
// Errors: 0 or -1 with a message that names the file. Ownership: a registry owns its path, ledger
// and lock until registry_release; one that was zeroed or whose _open failed may be released.
#ifndef TRAIN_REGISTRY_H
#define TRAIN_REGISTRY_H

#include "base/err.h"
#include "base/output.h"
#include "train/ledger.h"
#include "train/model.h"

#include <stdint.h>

struct registry {
    char *path; // NULL when released
    int lock;   // descriptor of the folder
    struct ledger ledger;
};

// Open for change; the folder is made where it is missing, and the ledger's chain is verified.
int registry_open(struct registry *r, const char *path, struct err *err);
void registry_release(struct registry *r);

// A folder for the next version. Fill it, then registry_add; output_dir_release drops it otherwise.
int registry_next(struct registry *r, struct output_dir *folder, struct err *err);
// Commit the folder as that version and write the ledger. Where the newest version's model has the
// same sha256 the folder is dropped, *version is that one's, and the ledger still records the action.
int registry_add(struct registry *r, struct output_dir *folder, const char *sha256,
                 int64_t *version, struct err *err);
// Point champion to a version, whose model must be the one that was trained. action: LEDGER_PROMOTE
// or LEDGER_ROLLBACK.
int registry_promote(struct registry *r, int64_t version, enum ledger_action action,
                     struct err *err);
// The champion before the present one: a promotion puts a version on a pile, a rollback takes the
// top one off.
int registry_previous(const struct registry *r, int64_t *version, struct err *err);
// Without a lock: the champion's version.
int registry_champion(const char *path, int64_t *version, struct err *err);
// Which version was champion at a time (seconds since 1970-01-01 UTC).
int registry_who(const char *path, int64_t time, int64_t *version, struct err *err);
// The champion's model and version, without a lock; -1 also where its file is not the one that was
// trained. The model is the caller's to release.
int registry_load_champion(const char *path, struct model *m, int64_t *version, struct err *err);
// Without a lock: -1 where sha256 is not that of the version's model when it was trained.
int registry_check(const char *path, int64_t version, const char *sha256, struct err *err);
// A version's name: a whole number from 1 on, without sign or leading zero. 0 or -1.
int registry_parse_version(const char *name, int64_t *version);
// The newest version there is; 0 where there is none.
int registry_latest(const char *path, int64_t *version, struct err *err);

#endif
