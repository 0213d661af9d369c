// An index over random numbers touches another page of the database with every row, which makes
// twenty times the writes of the rows themselves (measured: 45,000 rows a second instead of
// 225,000). So the newest ids stay in memory and move to the table `seen` one of 256 ranges at a
// time: a page is then written once for hundreds of ids. After a crash they are read again from the
// rows. Ranges are plain arrays: to scan some 256 pairs costs less than misses of a hash table.
#include "base/memory.h"
#include "serve/store.h"

int ids_open(struct ids *ids, sqlite3 *db, const char *column)
{
    sqlite3_stmt *rows = NULL;
    char *sql = sqlite3_mprintf("SELECT \"t_%w\", seq FROM prediction WHERE seq >= coalesce("
                                "(SELECT value FROM meta WHERE key = 'merged'), 0) ORDER BY seq",
                                column);
    ids->db = db;
    const int bad =
        sqlite3_prepare_v2(db, sql, -1, &rows, NULL) ||
        sqlite3_prepare_v2(db, "SELECT seq FROM seen WHERE id = ?", -1, &ids->find, NULL) ||
        sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO seen VALUES (?, ?)", -1, &ids->put, NULL);
    sqlite3_free(sql);
    while (!bad && sqlite3_step(rows) == SQLITE_ROW)
        ids_add(ids, (uint64_t)sqlite3_column_int64(rows, 0), sqlite3_column_int64(rows, 1));
    return sqlite3_finalize(rows) || bad ? -1 : 0;
}

void ids_add(struct ids *ids, uint64_t id, int64_t order)
{
    struct ids_range *r = &ids->ranges[id >> 56];
    ARRAY_GROW(r->seen, r->n + 1, r->capacity);
    r->seen[r->n++] = (struct seen){id, order};
    ids->n++;
}

int ids_find(struct ids *ids, uint64_t id, int64_t *order)
{
    const struct ids_range *r = &ids->ranges[id >> 56];
    for (size_t i = r->n; i-- > 0;) // retries ask for the newest
        if (r->seen[i].id == id) {
            *order = r->seen[i].order;
            return 0;
        }
    sqlite3_bind_int64(ids->find, 1, (int64_t)id);
    *order = sqlite3_step(ids->find) == SQLITE_ROW ? sqlite3_column_int64(ids->find, 0) : 0;
    return sqlite3_reset(ids->find) ? -1 : 0;
}

static int64_t lowest(const struct ids *ids, int64_t order)
{
    for (size_t i = 0; i < IDS_RANGES; i++)
        if (ids->ranges[i].n > 0 && ids->ranges[i].seen[0].order < order)
            order = ids->ranges[i].seen[0].order;
    return order;
}

// As signed numbers, ranges do not wrap either.
int ids_merge(struct ids *ids, int64_t next, int dropped)
{
    int bad = 0;
    for (; !bad && ids->n > IDS_KEPT; ids->due = (ids->due + 1) % IDS_RANGES) {
        struct ids_range *r = &ids->ranges[ids->due];
        const uint64_t low = (uint64_t)ids->due << 56, high = low | (UINT64_MAX >> 8);
        for (size_t i = 0; !bad && i < r->n; i++) {
            sqlite3_bind_int64(ids->put, 1, (int64_t)r->seen[i].id);
            sqlite3_bind_int64(ids->put, 2, r->seen[i].order);
            sqlite3_step(ids->put);
            bad = sqlite3_reset(ids->put);
        }
        ids->n -= r->n;
        r->n = 0;
        char *sql = sqlite3_mprintf("DELETE FROM seen WHERE %d AND id BETWEEN %lld AND %lld AND seq"
                                    " < coalesce((SELECT min(seq) FROM prediction), %lld);"
                                    "INSERT OR REPLACE INTO meta VALUES ('merged', %lld)",
                                    dropped, low, high, next, lowest(ids, next));
        bad = bad || !sql || sqlite3_exec(ids->db, sql, NULL, NULL, NULL);
        sqlite3_free(sql);
    }
    return bad ? -1 : 0;
}

void ids_release(struct ids *ids)
{
    sqlite3_finalize(ids->find);
    sqlite3_finalize(ids->put);
    for (size_t i = 0; i < IDS_RANGES; i++)
        free(ids->ranges[i].seen);
    memset(ids, 0, sizeof *ids);
}
