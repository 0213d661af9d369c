// Layout, all numbers 8 bytes, as the machine holds them (little-endian, like its column tables):
//
//     magic "ASSAYST2", plan checksum, events, last time, not finite, number of
//     tracks, fingerprint of the pseudonym key, position
//     per track: number of keys, and per key in increasing order:
//         key, first, next, cursors [n_edges], events first .. next-1 [time, totals as (hi, lo)]
//     XXH3 of all bytes before
//
// The plan has the numbers of edges and lanes. A key's events are those that some window of a late
// event can still reach.
#include "features/state.h"

#include "base/memory.h"
#include "base/output.h"
#include "base/value.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

static const char magic[8] = "ASSAYST2";
enum { MAGIC, PLAN, EVENTS, LAST_TIME, NOT_FINITE, TRACKS, FINGERPRINT, POSITION, HEAD_WORDS };
// Seconds either way, beyond every year and row number; their differences cannot overflow.
static const int64_t max_time = INT64_C(1) << 53;

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
    return ORDER((*x)->key, (*y)->key);
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
};

static int open_source(struct source *f, const char *path, struct err *err)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s: cannot open the state snapshot", path);
    const size_t size = fstat(fd, &st) == 0 ? (size_t)st.st_size : 0;
    const uint64_t *map = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return err_set(err, "%s: not a snapshot: empty or not a file", path);
    *f = (struct source){map, map, map + size / sizeof *map, size};
    if (f->end - map > HEAD_WORDS && memcmp(map, magic, sizeof magic) == 0)
        return 0;
    munmap((void *)map, size);
    return err_set(err, "%s: not a snapshot of this version", path);
}

// The next n items of that many words; NULL where the file is too short.
static const uint64_t *get(struct source *f, uint64_t n, size_t words)
{
    const uint64_t *at = f->at;
    if (n > (uint64_t)(f->end - at) / words)
        return NULL;
    f->at += n * words;
    return at;
}

// Times that decrease, or too few events, would make windows read other memory.
static bool is_sound(const struct history *h, const struct shape *s)
{
    int64_t before = -max_time;
    for (uint64_t i = h->first; i < h->next; i++) {
        const struct history_event *event = history_event(h, s, i);
        if (event->time < before || event->time > max_time)
            return false;
        before = event->time;
        for (size_t l = 0; l < s->n_lanes; l++)
            if (!isfinite(event->totals[l].hi) || !isfinite(event->totals[l].lo))
                return false;
    }
    return h->first == 0 || history_event(h, s, h->first)->time <= before - s->keep;
}

static bool get_history(struct source *f, struct state *s, size_t track, const uint64_t *last_key)
{
    const struct shape *shape = &s->plan->tracks[track].shape;
    const uint64_t *key = get(f, 1, 3 + shape->n_edges);
    if (!key || (last_key && *key <= *last_key))
        return false;
    const uint64_t first = key[1], next = key[2], n = next - first;
    const uint64_t *events = get(f, n, shape->event_size / sizeof *events);
    if (first >= next || !events)
        return false;
    struct history *h = state_history(s, track, *key, n);
    h->first = first;
    h->next = next;
    memcpy(history_event(h, shape, first), events, n * shape->event_size);
    if (!is_sound(h, shape) || history_last(h, shape) > s->last_time)
        return false;
    for (size_t e = 0; e < shape->n_edges; e++)
        h->cursors[e] = first; // the file's are not trusted
    history_move_cursors(h, shape);
    return true;
}

static bool get_track(struct source *f, struct state *s, size_t track)
{
    const uint64_t *n = get(f, 1, 1), *last_key = NULL;
    for (uint64_t i = 0; n && i < *n; i++) {
        const uint64_t *key = f->at;
        if (!get_history(f, s, track, last_key))
            return false;
        last_key = key;
    }
    return n;
}

int snapshot_load(struct state *s, const char *path, struct err *err)
{
    struct source f;
    int rc = 0;
    if (open_source(&f, path, err))
        return -1;
    const uint64_t *head = get(&f, 1, HEAD_WORDS), *checksum = --f.end;
    const bool whole = XXH3_64bits(head, (size_t)(f.end - head) * sizeof *head) == *checksum;
    const bool fits = head[PLAN] == plan_checksum(s->plan) && head[TRACKS] == s->plan->n_tracks;
    bool sound = whole && fits;
    s->events = head[EVENTS];
    s->last_time = (int64_t)head[LAST_TIME];
    atomic_store(&s->not_finite, head[NOT_FINITE]);
    s->key_fingerprint = head[FINGERPRINT];
    s->position = head[POSITION];
    for (size_t t = 0; sound && t < s->plan->n_tracks; t++)
        sound = get_track(&f, s, t);
    if (whole && !fits)
        rc = err_set(err,
                     "%s: was made by other feature expressions than the model's: promote the "
                     "model that was trained on these features, or compute the features of this "
                     "one again",
                     path);
    else if (!sound || f.at != f.end)
        rc = err_set(err, "%s: damaged snapshot; run features again to make a new one", path);
    munmap((void *)f.start, f.size);
    return rc;
}

int snapshot_peek(const char *path, struct snapshot_head *head, struct err *err)
{
    struct source f;
    if (open_source(&f, path, err))
        return -1;
    *head = (struct snapshot_head){f.start[POSITION], f.end[-1], (int64_t)f.start[LAST_TIME]};
    munmap((void *)f.start, f.size);
    return 0;
}
