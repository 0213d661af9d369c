// Layout, all numbers little-endian, 8 bytes each:
//
//     magic "ASSAYST2", plan checksum, events, last time, not finite, number of
//     tracks, fingerprint of the pseudonym key, position
//     per track: number of keys, and per key in increasing order:
//         key, first, next, cursors [n_edges], events first .. next-1 [time, totals as (hi, lo)]
//     XXH3 of all bytes before
//
// The plan has the numbers of edges and lanes. A key's events are those that some window of a late
// event can still reach.
#include "features/snapshot.h"

#include "base/memory.h"
#include "base/output.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static const char magic[8] = "ASSAYST2";
enum { MAGIC, PLAN, EVENTS, LAST_TIME, NOT_FINITE, TRACKS, FINGERPRINT, POSITION, HEAD_WORDS };
// Seconds either way, beyond every year and row number; their differences cannot overflow.
static const int64_t max_time = INT64_C(1) << 53;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "snapshots are written as the machine holds them, which must be little-endian"
#endif

// ---- saving ----

struct image {
    uint64_t *words;
    size_t n, capacity;
};

static void put(struct image *m, const void *words, size_t n)
{
    ARRAY_GROW(m->words, m->n + n, m->capacity);
    memcpy(m->words + m->n, words, n * sizeof *m->words);
    m->n += n;
}

static int by_key(const void *a, const void *b)
{
    const struct keyed_history *const *x = a, *const *y = b;
    return ((*x)->key > (*y)->key) - ((*x)->key < (*y)->key);
}

static void put_track(struct image *m, const struct state *s, size_t track)
{
    const struct shape *shape = &s->plan->tracks[track].shape;
    const struct shard *shards = &s->shards[track * s->threads];
    size_t total = 0;
    for (unsigned i = 0; i < s->threads; i++)
        total += shards[i].n;
    const struct keyed_history **keys = xcalloc(total, sizeof *keys);
    uint64_t n = 0;
    for (unsigned i = 0; i < s->threads; i++)
        for (size_t j = 0; j < shards[i].capacity; j++)
            if (shards[i].slots[j].history.capacity > 0)
                keys[n++] = &shards[i].slots[j];
    qsort(keys, n, sizeof *keys, by_key);
    put(m, &n, 1);
    for (size_t k = 0; k < n; k++) {
        const struct history *h = &keys[k]->history;
        const uint64_t first = history_oldest_needed(h, shape);
        put(m, (const uint64_t[]){keys[k]->key, first, h->next}, 3);
        put(m, h->cursors, shape->n_edges);
        put(m, history_event(h, shape, first), (h->next - first) * shape->event_size / 8);
    }
    free(keys);
}

int snapshot_save(const struct state *s, int fd, const char *name, struct err *err)
{
    struct image m = {0};
    uint64_t head[HEAD_WORDS] = {[PLAN] = plan_checksum(s->plan),
                                 [EVENTS] = s->events,
                                 [LAST_TIME] = (uint64_t)s->last_time,
                                 [NOT_FINITE] = atomic_load(&s->not_finite),
                                 [TRACKS] = s->plan->n_tracks,
                                 [FINGERPRINT] = s->key_fingerprint,
                                 [POSITION] = s->position};
    memcpy(&head[MAGIC], magic, sizeof magic);
    put(&m, head, HEAD_WORDS);
    for (size_t t = 0; t < s->plan->n_tracks; t++)
        put_track(&m, s, t);
    const uint64_t hash = XXH3_64bits(m.words, m.n * sizeof *m.words);
    put(&m, &hash, 1);
    int rc = write_all(fd, m.words, m.n * sizeof *m.words, name, err);
    free(m.words);
    return rc;
}

// ---- loading ----

struct source {
    const uint64_t *start, *at, *end;
    size_t size; // of the mapping, in bytes
    const char *path;
    struct err *err;
};

static int damaged(const struct source *f, const char *what)
{
    return err_set(f->err, "%s: damaged snapshot (%s); run features again to make a new one",
                   f->path, what);
}

static bool has(const struct source *f, uint64_t words)
{
    return (uint64_t)(f->end - f->at) >= words;
}

static void close_source(const struct source *f)
{
    munmap((void *)f->start, f->size);
}

static int open_source(struct source *f, const char *path, struct err *err)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s: cannot open the state snapshot", path);
    const size_t size = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
    const uint64_t *map = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return err_set(err, "%s: not a snapshot: empty or not a file", path);
    *f = (struct source){map, map, map + size / sizeof *map, size, path, err};
    if (has(f, HEAD_WORDS + 1) && memcmp(map, magic, sizeof magic) == 0)
        return 0;
    close_source(f);
    return err_set(err, "%s: not a snapshot of this version", path);
}

// Cursors or times that disagree, or too few events, would make windows read other memory.
static int check_history(const struct source *f, const struct history *h, const struct shape *s)
{
    for (size_t e = 0; e < s->n_edges; e++)
        if (h->cursors[e] > h->next || (h->first > 0 && h->cursors[e] <= h->first))
            return damaged(f, "a cursor points outside its history");
    for (uint64_t i = h->first; i < h->next; i++) {
        const struct history_event *event = history_event(h, s, i);
        if (event->time < -max_time || event->time > max_time)
            return damaged(f, "a time is out of range");
        if (i > h->first && event->time < history_event(h, s, i - 1)->time)
            return damaged(f, "times decrease");
        for (size_t l = 0; l < s->n_lanes; l++)
            if (!isfinite(event->totals[l].hi) || !isfinite(event->totals[l].lo))
                return damaged(f, "a total is not finite");
    }
    if (h->first > 0 && history_event(h, s, h->first)->time > history_last(h, s) - s->keep)
        return damaged(f, "events that windows reach are missing");
    return 0;
}

static int get_history(struct source *f, struct state *s, size_t track, const uint64_t *last_key)
{
    const struct shape *shape = &s->plan->tracks[track].shape;
    const size_t words = shape->event_size / sizeof *f->at;
    if (!has(f, 3 + shape->n_edges))
        return damaged(f, "too short");
    const uint64_t *key = f->at, first = key[1], next = key[2], *cursors = key + 3;
    if (last_key && *key <= *last_key)
        return damaged(f, "keys are not in order");
    f->at = cursors + shape->n_edges;
    if (first >= next || next - first > (uint64_t)(f->end - f->at) / words)
        return damaged(f, "a key's number of events is wrong");
    struct history *h = state_history(s, track, *key, next - first);
    memcpy(h->cursors, cursors, shape->n_edges * sizeof *cursors);
    h->first = first;
    h->next = next;
    memcpy(history_event(h, shape, first), f->at, (next - first) * shape->event_size);
    f->at += (next - first) * words;
    if (check_history(f, h, shape))
        return -1;
    history_move_cursors(h, shape); // nothing, unless the file is forged
    return history_last(h, shape) <= s->last_time ? 0
                                                  : damaged(f, "an event is newer than the newest");
}

static int get_track(struct source *f, struct state *s, size_t track)
{
    if (!has(f, 1))
        return damaged(f, "too short");
    const uint64_t *last_key = NULL;
    for (uint64_t n = *f->at++; n > 0; n--) {
        const uint64_t *key = f->at;
        if (get_history(f, s, track, last_key))
            return -1;
        last_key = key;
    }
    return 0;
}

static int load(struct source *f, struct state *s)
{
    const uint64_t *head = f->at;
    f->end--; // the checksum
    if (XXH3_64bits(head, (size_t)(f->end - head) * sizeof *head) != *f->end)
        return damaged(f, "the checksum does not match");
    if (head[PLAN] != plan_checksum(s->plan) || head[TRACKS] != s->plan->n_tracks)
        return err_set(f->err,
                       "%s: was made by other feature expressions than the model's: promote the "
                       "model that was trained on these features, or compute the features of this "
                       "one again",
                       f->path);
    s->events = head[EVENTS];
    s->last_time = (int64_t)head[LAST_TIME];
    atomic_store(&s->not_finite, head[NOT_FINITE]);
    s->key_fingerprint = head[FINGERPRINT];
    s->position = head[POSITION];
    f->at += HEAD_WORDS;
    for (size_t t = 0; t < s->plan->n_tracks; t++)
        if (get_track(f, s, t))
            return -1;
    return f->at == f->end ? 0 : damaged(f, "too long");
}

int snapshot_load(struct state *s, const char *path, struct err *err)
{
    struct source f;
    if (open_source(&f, path, err))
        return -1;
    int rc = load(&f, s);
    close_source(&f);
    return rc;
}

int snapshot_peek(const char *path, uint64_t *position, uint64_t *checksum, struct err *err)
{
    struct source f;
    if (open_source(&f, path, err))
        return -1;
    *position = f.start[POSITION];
    *checksum = f.end[-1];
    close_source(&f);
    return 0;
}
