// ids: which transactions were seen, by the pseudonym of their id.
//
// An index over random numbers touches another page of the database with every row, which makes
// twenty times the writes of the rows themselves (measured: 45,000 rows a second instead of
// 225,000). So the newest ids stay in memory and move to the table `seen` one of 256 ranges at a
// time: a page is then written once for hundreds of ids. After a crash they are read again from the
// rows.
//
// Ownership: owns its arrays until ids_release. Zeroed, it is empty.
#ifndef SERVE_IDS_H
#define SERVE_IDS_H

#include <stddef.h>
#include <stdint.h>

enum { IDS_RANGES = 256, IDS_KEPT = 65536 };

struct ids {
    struct ids_range {
        struct seen {
            uint64_t id;
            int64_t order;
        } * seen; // [n], in the order of arrival
        size_t n, capacity;
    } ranges[IDS_RANGES]; // by the highest byte of the id
    size_t n;             // of all ranges; one of them is due while it is above IDS_KEPT
    unsigned due;         // the range to move to the table next
};

void ids_add(struct ids *ids, uint64_t id, int64_t order); // orders increase
int64_t ids_find(const struct ids *ids, uint64_t id);      // 0: not in memory
// Forget the due range after it was written, and go on to the next.
void ids_drop(struct ids *ids);
// The lowest order number in memory, or `none`.
int64_t ids_lowest(const struct ids *ids, int64_t none);
void ids_release(struct ids *ids);

#endif
