// From the files on disk to the state as it was: a snapshot, and the rows that came after it.
#define _GNU_SOURCE // realpath
#include "base/memory.h"
#include "features/snapshot.h"
#include "ingest/value.h"
#include "serve/service.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- the snapshot ----------------------------------------------------------------------------------

static int load_snapshot(struct service *s, const char *path, struct err *err)
{
    const struct schema *schema = &s->plan->schema;
    state_init(&s->state, s->plan, 1);
    for (size_t c = 0; c < schema->n; c++)
        if (schema->columns[c].kind == COLUMN_CATEGORY)
            state_bind(&s->state, (int)c, (const char *const *)s->dictionaries[c].texts,
                       s->dictionaries[c].n);
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

// -1 where there is none, or one that cannot be read, which is reported.
static int load_checkpoint(struct service *s, const char *path)
{
    struct stat file;
    struct err err;
    if (stat(path, &file))
        return -1;
    if (load_snapshot(s, path, &err)) {
        writer_report(&s->writer, false, "%s; going back to what was before it", err.msg);
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

// The newest that can be read: the checkpoint, the one before it, or, while the database has all rows
// since then, the snapshot that it began with.
static int load_newest(struct service *s, const char *base, struct err *err)
{
    struct writer *w = &s->writer;
    w->checkpoint_is_good = load_checkpoint(s, w->checkpoint) == 0;
    if (!w->checkpoint_is_good && load_checkpoint(s, w->previous)) {
        if (s->store.dropped > 0)
            return refuse_gap(s, "no checkpoint of it can be read", err);
        if (load_snapshot(s, base, err))
            return -1;
    }
    const int64_t position = (int64_t)s->state.position;
    if (s->store.dropped > 0 && position + 1 < s->store.dropped)
        return refuse_gap(s, "its checkpoint is an older one", err);
    if (position < s->store.next)
        return 0;
    return err_set(err,
                   "%s: holds transactions up to order %" PRId64 ", %s only up to %" PRId64
                   ": these two do not belong together",
                   w->checkpoint, position, s->store.path, s->store.next - 1);
}

// ---- the rows --------------------------------------------------------------------------------------

struct replay {
    struct service *service;
    float *x, **out; // [n_inputs]: the inputs of a row, and their places
};

// The inputs that were stored when the row was served must come out again, else the file was altered, or
// this program computes otherwise than the one that wrote it.
static int replay_row(void *arg, const struct store_row *row, const struct store_label *label,
                      struct err *err)
{
    const struct replay *r = arg;
    struct service *s = r->service;
    const struct events one = {1, row->columns};
    if (label) {
        store_relabel(row, label, &s->state);
        return 0;
    }
    if (state_run(&s->state, &one, r->out, err))
        return -1;
    for (size_t i = 0; i < s->plan->n_inputs; i++)
        if (r->x[i] != row->x[i])
            return err_set(err,
                           "%s: order %" PRId64 ": %s was %.9g when it was served and is %.9g when "
                           "it is replayed: not the rows of this state",
                           s->store.path, row->order, s->plan->inputs[i].name, (double)row->x[i],
                           (double)r->x[i]);
    return 0;
}

static int replay(struct service *s, struct err *err)
{
    const size_t n = s->plan->n_inputs;
    const int64_t from = (int64_t)s->state.position + 1;
    struct replay r = {s, xcalloc(n, sizeof *r.x), xcalloc(n, sizeof *r.out)};
    for (size_t i = 0; i < n; i++)
        r.out[i] = &r.x[i];
    const int rc = store_each(&s->store, from, from, replay_row, &r, err);
    free(r.x);
    free(r.out);
    return rc;
}

static int remember(void *arg, const struct store_row *row, const struct store_label *label,
                    struct err *err)
{
    struct recent *r = arg;
    (void)err;
    if (label)
        recent_label(r, row->order, row->decision.review, label->was >= 0, label->label);
    else
        recent_add(r, row);
    return 0;
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

// Called before a new database is made, so that a start that fails leaves no trace. A log beside its
// name may hold all rows of another database.
static int begin_new(struct service *s, const struct service_files *files, struct err *err)
{
    static const char *const ends[] = {"-wal", "-state", "-state-1"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *name = xasprintf("%s%s", files->database, ends[i]);
        const bool exists = access(name, F_OK) == 0;
        free(name);
        if (exists)
            return err_set(err,
                           "%s%s: exists, but its database does not: put that back, or move this "
                           "away for a new one",
                           files->database, ends[i]);
    }
    return load_snapshot(s, files->state, err);
}

static int recover(struct service *s, const struct service_files *files, struct err *err)
{
    struct writer *w = &s->writer;
    struct store_identity identity = {.key_fingerprint = pseudonym_fingerprint(&s->pseudonym)};
    const bool fresh = access(files->database, F_OK) != 0;
    uint64_t previous;
    w->checkpoint = xasprintf("%s-state", files->database);
    w->previous = xasprintf("%s-state-1", files->database);
    if (check_retain(s, files->retain, err) || (fresh && begin_new(s, files, err)) ||
        snapshot_checksum(files->state, &identity.base, err) ||
        store_open(&s->store, files->database, s->plan, s->dictionaries, files->durability,
                   &identity, err) ||
        (!fresh && load_newest(s, files->state, err)))
        return -1;
    atomic_store(&w->saved_order, (long long)s->state.position);
    if (snapshot_position(w->previous, &previous) == 0 && previous <= s->state.position)
        w->previous_order = (int64_t)previous; // rows after it are kept
    if (replay(s, err))
        return -1;
    s->state.position = (uint64_t)s->store.next - 1;
    atomic_store(&w->position, (long long)s->state.position);
    atomic_store(&w->newest, (long long)s->state.last_time);
    return store_each_newest(&s->store, RECENT_DECISIONS, remember, &s->recent, err);
}

// SQLite puts its files beside the one that a link names; lock and checkpoint belong there, too.
int service_recover(struct service *s, const struct service_files *files, struct err *err)
{
    struct stat file;
    struct service_files resolved = *files;
    const bool is_link = lstat(files->database, &file) == 0 && S_ISLNK(file.st_mode);
    char *target = is_link ? realpath(files->database, NULL) : NULL;
    if (is_link && !target)
        return err_sys(err, "%s: cannot follow the link", files->database);
    if (is_link)
        resolved.database = target;
    const int rc = recover(s, &resolved, err);
    free(target);
    return rc;
}
