// registry: the versions of a dataset's model, which of them serves, and which served when.
//
//     models/simulated/1/ 2/ 3/      whole folders, never changed once there
//     models/simulated/champion      symbolic link to one of them, for people and shells
//     models/simulated/ledger.jsonl  one line per action
//
// Changing or removing a line of the ledger (docs/formats.md) breaks the chain at the next one, which
// an error names by its number.
//
// One process at a time changes a registry, which it locks; readers need no lock. The ledger's line
// is written last, and decides: after a crash registry_open removes half a line and takes a promotion
// back that has no line, and the next training replaces a version that has none.
//
// Ownership: a registry owns all of its struct until registry_release, which is due after an error,
// too, and may be called on one that is zeroed.
#ifndef TRAIN_REGISTRY_H
#define TRAIN_REGISTRY_H

#include "base/output.h"
#include "train/model.h"

enum ledger_action { LEDGER_TRAIN, LEDGER_KEEP, LEDGER_PROMOTE, LEDGER_ROLLBACK };

struct ledger_entry {
    int64_t time; // seconds since 1970-01-01 UTC
    enum ledger_action action;
    int64_t version;
    const char *sha256;      // of the version's model.json
    const char *by, *reason; // UTF-8; by NULL in registry_record: the user's login name
    const char *evidence;    // its sha256; "" where there is none, or NULL in registry_record
    json_t *line;            // the registry's, without previous: the texts are in it
};

struct registry {
    char *path, *ledger;          // of the folder and its file; NULL when released
    int lock;                     // descriptor of the folder, -1 without the lock
    struct ledger_entry *entries; // [n], in the order of the file
    size_t n, capacity;
    char head[SHA256_HEX]; // hash of the last line
    off_t size;            // of the ledger's whole lines, in bytes
    bool torn;             // it ends with half a line
    bool missing;          // there is no ledger yet
    bool repaired;         // registry_open found what a crash had left
};

// Read the ledger and verify its chain; empty where there is no file. Release it after an error, too.
int registry_read(struct registry *r, const char *path, struct err *err);
// Lock the registry for a change; the folder is made where it is missing.
int registry_open(struct registry *r, const char *path, struct err *err);
void registry_release(struct registry *r);

// A folder for the next version, whose model has this sha256. Fill it, then registry_record;
// output_release drops it otherwise. If the version before has the same model, *version is that
// one's, and folder->path stays NULL.
int registry_next(struct registry *r, const char *sha256, struct output *folder, int64_t *version,
                  struct err *err);
// A version's model; an error, and its version 0, unless it is the one that was trained. Release it after
// an error, too.
int registry_load(const struct registry *r, int64_t version, struct model *m, struct err *err);
// Write the line of an entry, as of now. LEDGER_TRAIN commits the folder if that has a path, a
// promotion or rollback makes the version the champion. After an error nothing has changed.
int registry_record(struct registry *r, const struct ledger_entry *e, struct output *folder,
                    struct err *err);
// The sha256 of an entry's evidence, "" where that cannot be read: metrics.json of a training, else
// comparison.json. folder: of a version that is not committed yet, or NULL.
void registry_checksum(const struct registry *r, const struct ledger_entry *e,
                       const struct output *folder, char sha256[SHA256_HEX]);

// Refuses an option's text that cannot be in a line: it is one line of at most 300 bytes of UTF-8.
int ledger_check_text(const char *option, const char *text, struct err *err);
// Whether the version became the champion by this line.
bool ledger_promotes(const struct ledger_entry *e);
// The champion at a time by the ledger; 0 where there was none.
int64_t registry_champion_at(const struct registry *r, int64_t time);
int64_t registry_champion_before(const struct registry *r, size_t line); // counted from 0
// The champion to roll back to: a promotion pushes a version onto a stack, a rollback pops it.
int registry_previous(const struct registry *r, int64_t *version, struct err *err);
// The champion; *version is 0 after an error.
int registry_champion(const struct registry *r, int64_t *version, struct err *err);
// The newest version; 0 where there is none.
int64_t registry_latest(const struct registry *r);
// registry_load of the champion.
int registry_load_champion(const struct registry *r, struct model *m, struct err *err);
// A version's name is a whole number from 1 on, without sign or leading zero. 0 or -1.
int registry_parse_version(const char *name, int64_t *version);

#endif
