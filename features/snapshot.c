// Layout, all numbers little-endian, 8 bytes each:
//
//     magic "ASSAYST2", plan checksum, events, last time, not finite, number of
//     tracks, fingerprint of the pseudonym key, position
//     per track: number of keys, and per key in increasing order:
//         key, first, next, cursors [n_edges], events first .. next-1 [time, lanes as (hi, lo)]
//     XXH3 of all bytes before
//
// Counts of edges and lanes are the plan's. A key's events are those that some window of an event
// that comes late can still reach.
#include "features/snapshot.h"

#include "base/output.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static const char magic[8] = "ASSAYST2";
enum { HEAD_WORDS = 8, BUFFER_WORDS = 8192 };
// Seconds either way, beyond every year and row number; their differences cannot overflow.
static const int64_t max_time = INT64_C(1) << 53;

_Static_assert(sizeof(union word) == 8, "a word of the file is a word in memory");
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "snapshots are written as the machine holds them, which must be little-endian"
#endif

// ---- saving ----

struct sink {
    union word words[BUFFER_WORDS];
    size_t n;
    int fd;
    const char *name;
    XXH3_state_t *hash;
    struct err *err;
    int failed;
};

static void flush(struct sink *k)
{
    if (!k->failed)
        k->failed = write_all(k->fd, k->words, k->n * sizeof *k->words, k->name, k->err);
    k->n = 0;
}

static void put(struct sink *k, const union word *words, size_t n)
{
    XXH3_64bits_update(k->hash, words, n * sizeof *words);
    for (size_t i = 0; i < n; i++) {
        if (k->n == BUFFER_WORDS)
            flush(k);
        k->words[k->n++] = words[i];
    }
}

static void put_number(struct sink *k, uint64_t x)
{
    put(k, &(union word){.cursor = x}, 1);
}

static int by_key(const void *a, const void *b)
{
    const struct histories_slot *const *x = a, *const *y = b;
    return ((*x)->key > (*y)->key) - ((*x)->key < (*y)->key);
}

static void put_history(struct sink *k, const struct histories_slot *slot, const struct shape *s)
{
    const struct history *h = &slot->history;
    uint64_t first = history_oldest_needed(h, s);
    put_number(k, slot->key);
    put_number(k, first);
    put_number(k, h->next);
    put(k, h->words, s->n_edges);
    for (uint64_t i = first; i < h->next; i++)
        put(k, history_event(h, s, i), 1 + 2 * s->n_lanes);
}

static int put_track(struct sink *k, const struct state *s, const struct state_track *track)
{
    size_t n = 0, filled = 0;
    for (unsigned i = 0; i < s->threads; i++)
        n += track->shards[i].n;
    const struct histories_slot **slots = calloc(n + 1, sizeof *slots);
    if (!slots)
        return err_set(k->err, "%s: out of memory", k->name);
    for (unsigned i = 0; i < s->threads; i++)
        for (size_t j = 0; j < track->shards[i].capacity; j++)
            if (track->shards[i].slots[j].history.capacity)
                slots[filled++] = &track->shards[i].slots[j];
    qsort(slots, filled, sizeof *slots, by_key);
    put_number(k, filled);
    for (size_t i = 0; i < filled; i++)
        put_history(k, slots[i], &track->shape);
    free(slots);
    return k->failed;
}

static int save(struct sink *k, const struct state *s)
{
    union word head[HEAD_WORDS] = {{.cursor = 0},
                                   {.cursor = plan_checksum(s->plan)},
                                   {.cursor = s->events},
                                   {.time = s->last_time},
                                   {.cursor = atomic_load(&s->not_finite)},
                                   {.cursor = s->plan->n_tracks},
                                   {.cursor = s->key_fingerprint},
                                   {.cursor = s->position}};
    memcpy(&head[0], magic, sizeof magic);
    put(k, head, HEAD_WORDS);
    for (size_t t = 0; t < s->plan->n_tracks; t++)
        if (put_track(k, s, &s->tracks[t]))
            return -1;
    put_number(k, XXH3_64bits_digest(k->hash));
    flush(k);
    return k->failed;
}

int snapshot_save(const struct state *s, int fd, const char *name, struct err *err)
{
    struct sink *k = calloc(1, sizeof *k);
    XXH3_state_t *hash = XXH3_createState();
    int rc = -1;
    if (k && hash && XXH3_64bits_reset(hash) == XXH_OK) {
        k->fd = fd;
        k->name = name;
        k->hash = hash;
        k->err = err;
        rc = save(k, s);
    } else {
        err_set(err, "%s: out of memory", name);
    }
    XXH3_freeState(hash);
    free(k);
    return rc;
}

// ---- loading ----

struct source {
    const union word *at, *end;
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

// A history whose cursors or times disagree, or that begins too late, would be read astray.
static int check_history(const struct source *f, const struct history *h, const struct shape *s)
{
    for (size_t e = 0; e < s->n_edges; e++) {
        uint64_t cursor = h->words[e].cursor;
        if (cursor > h->next || (cursor > 0 && cursor <= h->first) || (cursor == 0 && h->first > 0))
            return damaged(f, "a cursor points outside its history");
    }
    for (uint64_t i = h->first; i < h->next; i++) {
        const union word *event = history_event(h, s, i);
        if (event->time < -max_time || event->time > max_time)
            return damaged(f, "a time is out of range");
        if (i > h->first && event->time < history_event(h, s, i - 1)->time)
            return damaged(f, "times decrease");
        for (size_t l = 0; l < 2 * s->n_lanes; l++)
            if (!isfinite(event[1 + l].value))
                return damaged(f, "a total is not finite");
    }
    if (h->first > 0 && history_event(h, s, h->first)->time > history_last(h, s) - s->keep)
        return damaged(f, "events that windows reach are missing");
    return 0;
}

static int get_history(struct source *f, struct state *s, struct state_track *track,
                       uint64_t *last_key, bool first_key)
{
    const struct shape *shape = &track->shape;
    if (!has(f, 3 + shape->n_edges))
        return damaged(f, "too short");
    uint64_t key = f->at[0].cursor, first = f->at[1].cursor, next = f->at[2].cursor;
    size_t stride = 1 + 2 * shape->n_lanes;
    if (!first_key && key <= *last_key)
        return damaged(f, "keys are not in order");
    *last_key = key;
    const union word *cursors = f->at + 3;
    f->at += 3 + shape->n_edges;
    if (first >= next || next - first > (uint64_t)(f->end - f->at) / stride)
        return damaged(f, "a key's number of events is wrong");
    struct history *h = histories_get(&track->shards[state_shard(s, key)], key);
    if (!h || history_reserve(h, shape, next - first))
        return err_set(f->err, "%s: out of memory", f->path);
    memcpy(h->words, cursors, shape->n_edges * sizeof *cursors);
    h->first = first;
    h->next = next;
    for (uint64_t i = first; i < next; i++, f->at += stride)
        memcpy(history_event(h, shape, i), f->at, stride * sizeof *f->at);
    return check_history(f, h, shape);
}

static int get_track(struct source *f, struct state *s, struct state_track *track)
{
    if (!has(f, 1))
        return damaged(f, "too short");
    uint64_t n = (f->at++)->cursor, last_key = 0;
    for (uint64_t i = 0; i < n; i++)
        if (get_history(f, s, track, &last_key, i == 0))
            return -1;
    return 0;
}

static int get_head(struct source *f, struct state *s)
{
    char begin[sizeof magic] = {0};
    if (has(f, HEAD_WORDS + 1))
        memcpy(begin, f->at, sizeof begin);
    if (memcmp(begin, magic, sizeof magic) != 0)
        return err_set(f->err, "%s: not a snapshot of this version", f->path);
    f->end--; // the checksum
    size_t bytes = (size_t)((const char *)f->end - (const char *)f->at);
    if (XXH3_64bits(f->at, bytes) != f->end->cursor)
        return damaged(f, "the checksum does not match");
    if (f->at[1].cursor != plan_checksum(s->plan) || f->at[5].cursor != s->plan->n_tracks)
        return err_set(f->err,
                       "%s: was made by other feature expressions than the model's: promote the "
                       "model that was trained on these features, or compute the features of this "
                       "one again",
                       f->path);
    s->events = f->at[2].cursor;
    s->last_time = f->at[3].time;
    atomic_store(&s->not_finite, f->at[4].cursor);
    s->key_fingerprint = f->at[6].cursor;
    s->position = f->at[7].cursor;
    f->at += HEAD_WORDS;
    return 0;
}

static int load(struct source *f, struct state *s)
{
    if (get_head(f, s))
        return -1;
    for (size_t t = 0; t < s->plan->n_tracks; t++)
        if (get_track(f, s, &s->tracks[t]))
            return -1;
    return f->at == f->end ? 0 : damaged(f, "too long");
}

int snapshot_load(struct state *s, const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) {
        err_sys(err, "%s: cannot open the state snapshot", path);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    size_t size = (size_t)st.st_size;
    void *map = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return err_set(err, "%s: not a snapshot: empty or not a file", path);
    struct source f = {map, (const union word *)map + size / sizeof(union word), path, err};
    int rc = size % sizeof(union word) ? damaged(&f, "cut off") : load(&f, s);
    munmap(map, size);
    return rc;
}

int snapshot_checksum(const char *path, uint64_t *checksum, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s: cannot open the state snapshot", path);
    const off_t end = lseek(fd, -(off_t)sizeof *checksum, SEEK_END);
    const bool whole = end >= 0 && read(fd, checksum, sizeof *checksum) == sizeof *checksum;
    close(fd);
    return whole ? 0 : err_set(err, "%s: not a snapshot: empty or not a file", path);
}

int snapshot_position(const char *path, uint64_t *position)
{
    union word head[HEAD_WORDS];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const bool whole = read(fd, head, sizeof head) == sizeof head;
    close(fd);
    char begin[sizeof magic];
    memcpy(begin, head, sizeof begin);
    if (!whole || memcmp(begin, magic, sizeof magic) != 0)
        return -1;
    *position = head[7].cursor;
    return 0;
}
