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
enum { FLUSH_WORDS = 8192 };
// Seconds either way, beyond every year and row number; their differences cannot overflow.
static const int64_t max_time = INT64_C(1) << 53;

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "snapshots are written as the machine holds them, which must be little-endian"
#endif

static size_t event_words(const struct shape *s)
{
    return shape_event_size(s) / sizeof(uint64_t);
}

// ---- saving ----

struct sink {
    uint64_t *words; // [n], not written yet
    size_t n, capacity;
    XXH3_state_t *hash;
    int fd;
    const char *name;
};

static void put(struct sink *k, const void *words, size_t n)
{
    ARRAY_GROW(k->words, k->n + n, k->capacity);
    memcpy(k->words + k->n, words, n * sizeof *k->words);
    k->n += n;
}

static int flush(struct sink *k, struct err *err)
{
    const size_t n = k->n;
    XXH3_64bits_update(k->hash, k->words, n * sizeof *k->words);
    k->n = 0;
    return write_all(k->fd, k->words, n * sizeof *k->words, k->name, err);
}

static int by_key(const void *a, const void *b)
{
    const struct keyed_history *const *x = a, *const *y = b;
    return ((*x)->key > (*y)->key) - ((*x)->key < (*y)->key);
}

static int put_history(struct sink *k, const struct keyed_history *slot, const struct shape *s,
                       struct err *err)
{
    const struct history *h = &slot->history;
    const uint64_t numbers[] = {slot->key, history_oldest_needed(h, s), h->next};
    put(k, numbers, 3);
    put(k, h->cursors, s->n_edges);
    for (uint64_t i = numbers[1]; i < h->next; i++)
        put(k, history_event(h, s, i), event_words(s));
    return k->n > FLUSH_WORDS ? flush(k, err) : 0;
}

static int put_track(struct sink *k, const struct state *s, const struct state_track *track,
                     struct err *err)
{
    const struct keyed_history **slots = NULL;
    size_t capacity = 0;
    uint64_t n = 0;
    for (unsigned i = 0; i < s->threads; i++) {
        const struct shard *shard = &track->shards[i];
        ARRAY_GROW(slots, n + shard->n, capacity);
        for (size_t j = 0; j < shard->capacity; j++)
            if (shard->slots[j].history.capacity > 0)
                slots[n++] = &shard->slots[j];
    }
    if (n > 0)
        qsort(slots, n, sizeof *slots, by_key);
    put(k, &n, 1);
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = put_history(k, slots[i], &track->shape, err);
    free(slots);
    return rc;
}

static int save(struct sink *k, const struct state *s, struct err *err)
{
    uint64_t head[HEAD_WORDS] = {[PLAN] = plan_checksum(s->plan),
                                 [EVENTS] = s->events,
                                 [LAST_TIME] = (uint64_t)s->last_time,
                                 [NOT_FINITE] = atomic_load(&s->not_finite),
                                 [TRACKS] = s->plan->n_tracks,
                                 [FINGERPRINT] = s->key_fingerprint,
                                 [POSITION] = s->position};
    memcpy(&head[MAGIC], magic, sizeof magic);
    put(k, head, HEAD_WORDS);
    for (size_t t = 0; t < s->plan->n_tracks; t++)
        if (put_track(k, s, &s->tracks[t], err))
            return -1;
    if (flush(k, err))
        return -1;
    const uint64_t hash = XXH3_64bits_digest(k->hash);
    return write_all(k->fd, &hash, sizeof hash, k->name, err);
}

int snapshot_save(const struct state *s, int fd, const char *name, struct err *err)
{
    struct sink k = {.hash = XXH3_createState(), .fd = fd, .name = name};
    XXH3_64bits_reset(k.hash);
    int rc = save(&k, s, err);
    XXH3_freeState(k.hash);
    free(k.words);
    return rc;
}

// ---- loading ----

struct source {
    const uint64_t *at, *end;
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

// Cursors or times that disagree, or too few events, would make windows read other memory.
static int check_history(const struct source *f, const struct history *h, const struct shape *s)
{
    for (size_t e = 0; e < s->n_edges; e++) {
        const uint64_t cursor = h->cursors[e];
        if (cursor > h->next || (cursor > 0 && cursor <= h->first) || (cursor == 0 && h->first > 0))
            return damaged(f, "a cursor points outside its history");
    }
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

static int get_history(struct source *f, struct state *s, size_t track, uint64_t *last_key,
                       bool first_key)
{
    const struct shape *shape = &s->tracks[track].shape;
    if (!has(f, 3 + shape->n_edges))
        return damaged(f, "too short");
    const uint64_t key = f->at[0], first = f->at[1], next = f->at[2], *cursors = f->at + 3;
    const size_t size = shape_event_size(shape);
    if (!first_key && key <= *last_key)
        return damaged(f, "keys are not in order");
    *last_key = key;
    f->at = cursors + shape->n_edges;
    if (first >= next || next - first > (uint64_t)(f->end - f->at) / event_words(shape))
        return damaged(f, "a key's number of events is wrong");
    struct history *h = state_history(s, track, key, next - first);
    memcpy(h->cursors, cursors, shape->n_edges * sizeof *cursors);
    h->first = first;
    h->next = next;
    for (uint64_t i = first; i < next; i++, f->at += event_words(shape))
        memcpy(history_event(h, shape, i), f->at, size);
    return check_history(f, h, shape);
}

static int get_track(struct source *f, struct state *s, size_t track)
{
    if (!has(f, 1))
        return damaged(f, "too short");
    uint64_t n = *f->at++, last_key = 0;
    for (uint64_t i = 0; i < n; i++)
        if (get_history(f, s, track, &last_key, i == 0))
            return -1;
    return 0;
}

static int get_head(struct source *f, struct state *s)
{
    const uint64_t *head = f->at;
    if (!has(f, HEAD_WORDS + 1) || memcmp(head, magic, sizeof magic) != 0)
        return err_set(f->err, "%s: not a snapshot of this version", f->path);
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
    return 0;
}

static int load(struct source *f, struct state *s)
{
    if (get_head(f, s))
        return -1;
    for (size_t t = 0; t < s->plan->n_tracks; t++)
        if (get_track(f, s, t))
            return -1;
    return f->at == f->end ? 0 : damaged(f, "too long");
}

static int open_snapshot(const char *path, struct err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? err_sys(err, "%s: cannot open the state snapshot", path) : fd;
}

int snapshot_load(struct state *s, const char *path, struct err *err)
{
    const int fd = open_snapshot(path, err);
    if (fd < 0)
        return -1;
    struct stat st;
    const size_t size = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
    void *map = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return err_set(err, "%s: not a snapshot: empty or not a file", path);
    struct source f = {map, (const uint64_t *)map + size / sizeof(uint64_t), path, err};
    int rc = size % sizeof(uint64_t) ? damaged(&f, "cut off") : load(&f, s);
    munmap(map, size);
    return rc;
}

int snapshot_checksum(const char *path, uint64_t *checksum, struct err *err)
{
    const int fd = open_snapshot(path, err);
    if (fd < 0)
        return -1;
    const off_t end = lseek(fd, -(off_t)sizeof *checksum, SEEK_END);
    const bool whole = end >= 0 && read(fd, checksum, sizeof *checksum) == sizeof *checksum;
    close(fd);
    return whole ? 0 : err_set(err, "%s: not a snapshot: empty or not a file", path);
}

int snapshot_position(const char *path, uint64_t *position)
{
    uint64_t head[HEAD_WORDS];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    const bool whole = read(fd, head, sizeof head) == sizeof head;
    close(fd);
    if (!whole || memcmp(head, magic, sizeof magic) != 0)
        return -1;
    *position = head[POSITION];
    return 0;
}
