// ledger: the append-only list of what was done to a registry, chained by hashes.
//
// DIR/ledger.jsonl has one line per action (train/registry.h); "previous" is the SHA-256 of the
// line before without its line end, 64 zeros in the first. Changing or removing a line breaks the
// chain at the next one, which ledger_read reports by its number.
//
// A line is written by one write and an fsync. Where a crash tears the last one, it has no line
// end: ledger_read then leaves it out and sets `torn`, because for a reader it was never written;
// ledger_check_end makes it an error, and ledger_append does not write behind it.
//
// Ownership: a ledger owns its entries until ledger_release.
#ifndef TRAIN_LEDGER_H
#define TRAIN_LEDGER_H

#include "train/sha256.h"

#include <stdbool.h>
#include <stdint.h>

enum ledger_action { LEDGER_TRAIN, LEDGER_PROMOTE, LEDGER_ROLLBACK };

struct ledger_entry {
    int64_t time; // seconds since 1970-01-01 UTC
    enum ledger_action action;
    int64_t version;
    char sha256[SHA256_HEX]; // of the version's model.json
};

struct ledger {
    struct ledger_entry *entries; // in the order of the file
    size_t n;
    char head[SHA256_HEX]; // hash of the last line
    bool torn;
};

// The ledger of a registry's folder, its chain verified; empty where there is no file.
int ledger_read(struct ledger *l, const char *registry, struct err *err);
int ledger_check_end(const struct ledger *l, const char *registry, struct err *err);
void ledger_release(struct ledger *l);
// Behind the last line of *l, at the present time; *l is extended by it.
int ledger_append(struct ledger *l, const char *registry, enum ledger_action action,
                  int64_t version, const char *sha256, struct err *err);

// "train", "promote", "rollback"
const char *ledger_action_name(enum ledger_action action);

#endif
