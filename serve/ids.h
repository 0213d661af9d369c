// ids: which transactions were seen, by the pseudonym of their id.
//
// An index over random numbers touches another page of the database with every row, twenty times the
// writes of the rows themselves (measured: 45,000 rows a second instead of 225,000). So the newest
// ids stay in memory, and go to the table `seen` one of 256 ranges of numbers at a time: its pages are
// written once for hundreds of ids. After a crash the ids that were in memory are read again from the
// rows.
//
//     ids_add(&ids, id, order)        -1: out of memory; orders increase
//     ids_find(&ids, id)              0: not in memory
//     if (ids_want_merge(&ids)) { range = ids_due(&ids); ... write it ...; ids_drop(&ids); }
//
// Ownership: owns its arrays until ids_release. Zeroed, it is empty.
#ifndef SERVE_IDS_H
#define SERVE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IDS_RANGES = 256, IDS_KEPT = 65536 };

struct seen {
    uint64_t id;
    int64_t order;
};

struct ids_range {     // of the numbers whose highest byte is its index
    struct seen *seen; // [n], in the order of arrival
    size_t n, capacity;
};

struct ids {
    struct ids_range ranges[IDS_RANGES];
    size_t n;
    unsigned due; // the range to be written next
};

int ids_add(struct ids *ids, uint64_t id, int64_t order);
int64_t ids_find(const struct ids *ids, uint64_t id);
bool ids_want_merge(const struct ids *ids);
// The range that is due, sorted by id.
const struct ids_range *ids_due(struct ids *ids);
// It has been written: forget it and go on to the next.
void ids_drop(struct ids *ids);
// The lowest order number in memory; `none` where there is none. Not between ids_due and ids_drop.
int64_t ids_lowest(const struct ids *ids, int64_t none);
void ids_release(struct ids *ids);

#endif
