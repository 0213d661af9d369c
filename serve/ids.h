// ids: which transactions were seen, by the pseudonym of their id.
//
// An index over random numbers touches another page of the database with every row, which makes
// twenty times the writes of the rows themselves (measured: 45,000 rows a second instead of
// 225,000). So the newest ids stay in memory and move to the table `seen` one of 256 ranges at a
// time: a page is then written once for hundreds of ids. After a crash they are read again from the
// rows.
//
// Errors: -1, and SQLite has the message. Ownership: owns its arrays and statements until
// ids_release. Zeroed, it is empty.
#ifndef SERVE_IDS_H
#define SERVE_IDS_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

enum { IDS_RANGES = 256, IDS_KEPT = 65536 };

struct ids {
    sqlite3 *db;
    sqlite3_stmt *find, *put;
    struct ids_range {
        struct seen {
            uint64_t id;
            int64_t order;
        } * seen; // [n], in the order of arrival
        size_t n, capacity;
    } ranges[IDS_RANGES]; // by the highest byte of the id
    size_t n;             // of all ranges
    unsigned due;         // the range to move to the table next
};

// column: the schema's name of the id.
int ids_open(struct ids *ids, sqlite3 *db, const char *column);
void ids_add(struct ids *ids, uint64_t id, int64_t order);  // orders increase
int ids_find(struct ids *ids, uint64_t id, int64_t *order); // 0: not seen
// Before each commit: move ranges to the table while more than IDS_KEPT are in memory. next: the
// next order number. dropped: rows were dropped, so remove the ids of lower ones than the lowest.
int ids_merge(struct ids *ids, int64_t next, int dropped);
void ids_release(struct ids *ids);

#endif
