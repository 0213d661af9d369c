// From the files on disk to the state as it was: a snapshot, and what the database holds since.
#define _GNU_SOURCE // realpath
#include "base/output.h"
#include "features/snapshot.h"
#include "ingest/value.h"
#include "serve/service.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 1024 };

// ---- the snapshot ----------------------------------------------------------------------------------

static void make_state(struct service *s)
{
    const struct schema *schema = &s->plan->schema;
    state_init(&s->state, s->plan, 1);
    for (size_t c = 0; c < schema->n; c++) {
        const struct dictionary *d = &s->dictionaries[c];
        if (schema->columns[c].kind == COLUMN_CATEGORY)
            state_bind(&s->state, (int)c, (const char *const *)d->texts, d->n);
    }
}

static int load_snapshot(struct service *s, const char *path, struct err *err)
{
    make_state(s);
    if (snapshot_load(&s->state, path, err) == 0) {
        if (s->state.key_fingerprint == pseudonym_fingerprint(&s->pseudonym))
            return 0;
        err_set(err,
                "%s: was made under another pseudonym key than this one, so none of its keys "
                "would be found again",
                path);
    }
    state_release(&s->state);
    return -1;
}

// -1 and a report where there is one that cannot be read.
static int load_checkpoint(struct service *s, const char *path)
{
    struct stat file;
    struct err err;
    if (stat(path, &file))
        return -1;
    if (load_snapshot(s, path, &err)) {
        service_report(s, false, "%s; going back to what was before it", err.msg);
        return -1;
    }
    atomic_store(&s->writer.saved_time, (long long)file.st_mtime);
    return 0;
}

static int refuse_gap(const struct service *s, const char *checkpoints, struct err *err)
{
    return err_set(
        err,
        "%s: %s, and its rows before order %" PRId64
        " were dropped: restore it with its checkpoint from a backup, or keep it elsewhere "
        "and start with a new one (--database)",
        s->store.path, checkpoints, s->store.dropped);
}

// The newest that can be read: the checkpoint, the one before it, or the snapshot of the beginning,
// while the database has all rows since.
static int load_newest(struct service *s, const char *base, struct err *err)
{
    s->writer.checkpoint_is_good = load_checkpoint(s, s->writer.checkpoint) == 0;
    if (s->writer.checkpoint_is_good || load_checkpoint(s, s->writer.previous) == 0)
        return 0;
    if (s->store.dropped == 0)
        return load_snapshot(s, base, err);
    return refuse_gap(s, "no checkpoint of it can be read", err);
}

static int check_position(const struct service *s, struct err *err)
{
    if (s->store.dropped > 0 && (int64_t)s->state.position + 1 < s->store.dropped)
        return refuse_gap(s, "its checkpoint is an older one", err);
    if ((int64_t)s->state.position < s->store.next)
        return 0;
    return err_set(err,
                   "%s: holds transactions up to order %" PRIu64 ", %s only up to %" PRId64
                   ": these two do not belong together",
                   s->writer.checkpoint, s->state.position, s->store.path, s->store.next - 1);
}

// ---- the rows since --------------------------------------------------------------------------------

struct recovering {
    struct service *service;
    struct store_block block;
    struct store_event event;
    float **x; // [n_inputs][BLOCK]: as computed now
};

static int replay_init(struct recovering *r, struct service *s, struct err *err)
{
    const size_t n = s->plan->n_inputs;
    *r = (struct recovering){.service = s, .x = calloc(n, sizeof *r->x)};
    bool bad = !r->x || store_event_init(&r->event, &s->store);
    for (size_t i = 0; i < n && !bad; i++)
        bad = !(r->x[i] = calloc(BLOCK, sizeof *r->x[i]));
    return bad ? err_set(err, "out of memory") : store_block_init(&r->block, &s->store, BLOCK, err);
}

static void replay_release(struct recovering *r)
{
    for (size_t i = 0; r->x && i < r->service->plan->n_inputs; i++)
        free(r->x[i]);
    free(r->x);
    store_event_release(&r->event);
    store_block_release(&r->block, &r->service->store);
}

// What was stored when it was served must come out again: else the file was altered, or this program
// computes otherwise than the one that wrote it.
static int compare(const struct recovering *r, struct err *err)
{
    const struct plan *p = r->service->plan;
    for (size_t i = 0; i < p->n_inputs; i++)
        for (size_t e = 0; e < r->block.n; e++)
            if (r->x[i][e] != r->block.x[i][e])
                return err_set(err,
                               "%s: up to order %" PRId64 ", %s was %.9g when it was served and is "
                               "%.9g when it is replayed: not the rows of this state",
                               r->service->store.path, r->block.order, p->inputs[i].name,
                               (double)r->block.x[i][e], (double)r->x[i][e]);
    return 0;
}

static int run_block(struct recovering *r, struct err *err)
{
    const struct events events = {r->block.n, (const void *const *)r->block.columns};
    if (r->block.n == 0)
        return 0;
    if (state_run(&r->service->state, &events, r->x, err) || compare(r, err))
        return -1;
    r->block.n = 0;
    return 0;
}

static int run_label(struct recovering *r, const struct store_label *l, struct err *err)
{
    struct store_event *e = &r->event;
    if (run_block(r, err) || store_event(&r->service->store, l->event, e, err))
        return -1;
    const struct events one = {1, e->columns};
    state_relabel(&r->service->state, &one, l->was == 1 ? e->fraud : e->genuine,
                  l->label == 1 ? e->fraud : e->genuine);
    return 0;
}

static int run_rows(struct recovering *r, struct store_reader *reader, struct err *err)
{
    struct store *store = &r->service->store;
    struct store_label label;
    for (int next; (next = store_peek(reader)) != STORE_END;) {
        int rc;
        if (next == STORE_IS_EVENT)
            rc = store_take_event(store, reader, &r->block, err) ||
                 (r->block.n == BLOCK && run_block(r, err));
        else
            rc = store_take_label(store, reader, &label, err) || run_label(r, &label, err);
        if (rc)
            return -1;
    }
    return run_block(r, err);
}

static int replay(struct service *s, struct err *err)
{
    struct recovering r = {.service = s};
    struct store_reader reader = {0};
    int rc = replay_init(&r, s, err) ||
             store_read(&s->store, &reader, (int64_t)s->state.position + 1, err) ||
             run_rows(&r, &reader, err);
    store_reader_release(&reader);
    replay_release(&r);
    return rc ? -1 : 0;
}

// ---- what was newest -------------------------------------------------------------------------------

// The newest decisions and labels go where metrics look for them.
static int fill_decisions(struct service *s, struct store_block *b, float *x, struct err *err)
{
    struct store_reader reader = {0};
    int rc = store_read_newest(&s->store, &reader, RECENT_DECISIONS, err);
    while (rc == 0 && store_peek(&reader) == STORE_IS_EVENT) {
        struct decision decision;
        b->n = 0;
        rc = store_take_event(&s->store, &reader, b, err) ||
             store_decision(&s->store, b->order, &decision, err);
        for (size_t i = 0; i < s->plan->n_inputs; i++)
            x[i] = b->x[i][0];
        const struct store_row row = {.received = b->received,
                                      .decision = &decision,
                                      .columns = (const void *const *)b->columns,
                                      .x = x};
        if (rc == 0)
            recent_add(&s->recent, b->order, &row);
    }
    store_reader_release(&reader);
    return rc ? -1 : 0;
}

static void take_label(void *arg, int64_t order, bool review, int label)
{
    recent_label(arg, order, review, false, label);
}

static int fill_recent(struct service *s, struct err *err)
{
    struct store_block block;
    float *x = calloc(s->plan->n_inputs, sizeof *x);
    int rc = store_block_init(&block, &s->store, 1, err);
    if (rc == 0)
        rc = x ? fill_decisions(s, &block, x, err) : err_set(err, "out of memory");
    if (rc == 0)
        rc = store_newest_labels(&s->store, RECENT_LABELS, take_label, &s->recent, err);
    store_block_release(&block, &s->store);
    free(x);
    return rc;
}

// ---- all of it -------------------------------------------------------------------------------------

static int check_retain(struct service *s, int64_t days, struct err *err)
{
    const struct plan *p = s->plan;
    int64_t longest = 0;
    for (size_t t = 0; t < p->n_tracks; t++)
        for (size_t e = 0; e < p->tracks[t].n_edges; e++)
            longest = p->tracks[t].edges[e] > longest ? p->tracks[t].edges[e] : longest;
    longest += LATE_SECONDS; // a late transaction looks back as much further
    s->writer.retain_seconds = days * SECONDS_PER_DAY;
    if (days == 0 || s->writer.retain_seconds >= longest)
        return 0;
    return err_set(err,
                   "--retain %" PRId64
                   ": labels that the windows wait for would find no transaction; "
                   "give %" PRId64 " days at least, or 0 to keep all",
                   days, (longest + SECONDS_PER_DAY - 1) / SECONDS_PER_DAY);
}

// A new database is made only when all that it begins with was read: a start that fails leaves no trace.
// There must be no part of another one beside its name: the log may have all of its rows.
static int begin_new(struct service *s, const struct service_files *files, struct err *err)
{
    static const char *const ends[] = {"-wal", "-state", "-state-1"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *name = store_name_beside(files->database, ends[i]);
        const bool there = name && access(name, F_OK) == 0;
        free(name);
        if (!name)
            return err_set(err, "out of memory");
        if (there)
            return err_set(
                err,
                "%s%s: is there, and its database is not: put that back, or move this away "
                "for a new one",
                files->database, ends[i]);
    }
    return load_snapshot(s, files->state, err);
}

static int recover(struct service *s, const struct service_files *files, struct err *err)
{
    struct store_identity identity = {.key_fingerprint = pseudonym_fingerprint(&s->pseudonym)};
    const bool fresh = access(files->database, F_OK) != 0;
    s->writer.limit = (size_t)files->queue;
    atomic_store(&s->writer.saved_time, (long long)s->started);
    s->writer.checkpoint = store_name_beside(files->database, "-state");
    s->writer.previous = store_name_beside(files->database, "-state-1");
    if (!s->writer.checkpoint || !s->writer.previous)
        return err_set(err, "out of memory");
    if (check_retain(s, files->retain, err) || (fresh && begin_new(s, files, err)) ||
        snapshot_checksum(files->state, &identity.base, err) ||
        store_open(&s->store, files->database, s->plan, s->dictionaries, files->durability, err) ||
        store_claim(&s->store, &identity, err) || (!fresh && load_newest(s, files->state, err)) ||
        check_position(s, err))
        return -1;
    atomic_store(&s->writer.saved_order, (long long)s->state.position);
    uint64_t previous; // rows that it has not are kept
    if (snapshot_position(s->writer.previous, &previous) == 0 && previous <= s->state.position)
        s->writer.previous_order = (int64_t)previous;
    if (replay(s, err))
        return -1;
    s->state.position = (uint64_t)s->store.next - 1;
    atomic_store(&s->writer.position, (long long)s->state.position);
    atomic_store(&s->writer.newest, (long long)s->state.last_time);
    return fill_recent(s, err);
}

// SQLite has its files beside the one that a link names; lock and checkpoint belong there, too.
int service_recover(struct service *s, const struct service_files *files, struct err *err)
{
    struct stat file;
    struct service_files resolved = *files;
    const bool link = lstat(files->database, &file) == 0 && S_ISLNK(file.st_mode);
    char *target = link ? realpath(files->database, NULL) : NULL;
    if (link && !target)
        return err_sys(err, "%s: cannot follow the link", files->database);
    if (link)
        resolved.database = target;
    const int rc = recover(s, &resolved, err);
    free(target);
    return rc;
}
