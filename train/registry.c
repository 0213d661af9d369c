// The registry's folders and its champion link. What was done to them, and who was champion when,
// stands in the ledger (ledger.c).
#include "train/registry.h"
#include "ingest/value.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { PATH_BYTES = 4096 };

int registry_parse_version(const char *name, int64_t *version)
{
    size_t n = strlen(name);
    if (n == 0 || n > 18 || name[0] == '0' || strspn(name, "0123456789") != n)
        return -1;
    *version = strtoll(name, NULL, 10);
    return 0;
}

// ---- champion --------------------------------------------------------------------------------------

// The champion by the link; 0 where there is none.
static int read_link(const char *registry, int64_t *version, struct err *err)
{
    char path[PATH_BYTES], target[32];
    snprintf(path, sizeof path, "%s/champion", registry);
    *version = 0;
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n < 0)
        return errno == ENOENT ? 0 : err_sys(err, "%s: cannot read the link", path);
    target[n] = '\0';
    if (registry_parse_version(target, version))
        return err_set(err, "%s: points to '%s', which is no version", path, target);
    return 0;
}

// Replace the link in one step, and have it on disk.
static int write_link(const struct registry *r, int64_t version, struct err *err)
{
    char target[32];
    snprintf(target, sizeof target, "%" PRId64, version);
    if (unlinkat(r->lock, "champion.tmp", 0) && errno != ENOENT)
        return err_sys(err, "%s/champion.tmp: cannot remove", r->path);
    if (symlinkat(target, r->lock, "champion.tmp") ||
        renameat(r->lock, "champion.tmp", r->lock, "champion") || fsync(r->lock))
        return err_sys(err, "%s/champion: cannot point to %s", r->path, target);
    return 0;
}

// The champion by the ledger up to a time; 0 where there was none.
static int64_t champion_at(const struct ledger *l, int64_t time)
{
    int64_t version = 0;
    for (size_t i = 0; i < l->n; i++)
        if (l->entries[i].action != LEDGER_TRAIN && l->entries[i].time <= time)
            version = l->entries[i].version;
    return version;
}

// ---- open ------------------------------------------------------------------------------------------

// Makes the folder, and those above it.
static int open_folder(const char *path, struct err *err)
{
    char below[PATH_BYTES];
    snprintf(below, sizeof below, "%s/", path);
    if (make_parents(below, err))
        return -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s: cannot open the folder", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    if (errno == EWOULDBLOCK)
        err_set(err, "%s: another program changes this registry now; try again when it is done",
                path);
    else
        err_sys(err, "%s: cannot lock", path);
    close(fd);
    return -1;
}

int registry_open(struct registry *r, const char *path, struct err *err)
{
    int64_t linked;
    *r = (struct registry){.path = strdup(path)};
    if (!r->path)
        return err_set(err, "%s: out of memory", path);
    signal(SIGXFSZ, SIG_IGN); // a file size limit is a failed write then, like a full disk
    r->lock = open_folder(path, err);
    if (r->lock < 0) {
        free(r->path);
        *r = (struct registry){0};
        return -1;
    }
    if (ledger_read(&r->ledger, path, err) || ledger_check_end(&r->ledger, path, err) ||
        read_link(path, &linked, err))
        goto fail;
    int64_t champion = champion_at(&r->ledger, INT64_MAX);
    if (champion != linked && champion > 0 && write_link(r, champion, err))
        goto fail;
    return 0;
fail:
    registry_release(r);
    return -1;
}

void registry_release(struct registry *r)
{
    if (!r->path)
        return;
    ledger_release(&r->ledger);
    close(r->lock);
    free(r->path);
    *r = (struct registry){0};
}

// ---- versions --------------------------------------------------------------------------------------

int registry_latest(const char *path, int64_t *version, struct err *err)
{
    int64_t v;
    *version = 0;
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : err_sys(err, "%s: cannot open", path);
    for (struct dirent *e; (e = readdir(dir));)
        if (registry_parse_version(e->d_name, &v) == 0 && v > *version)
            *version = v;
    closedir(dir);
    return 0;
}

int registry_next(struct registry *r, struct output_dir *folder, struct err *err)
{
    char path[PATH_BYTES];
    int64_t latest;
    if (registry_latest(r->path, &latest, err))
        return -1;
    snprintf(path, sizeof path, "%s/%" PRId64, r->path, latest + 1);
    return output_dir_open(folder, path, NULL, err);
}

static int hash_of(const struct registry *r, int64_t version, char hex[SHA256_HEX], struct err *err)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%" PRId64 "/model.json", r->path, version);
    return sha256_file(hex, path, err);
}

int registry_add(struct registry *r, struct output_dir *folder, const char *sha256,
                 int64_t *version, struct err *err)
{
    char newest[SHA256_HEX] = "";
    int64_t latest;
    if (registry_latest(r->path, &latest, err) || (latest > 0 && hash_of(r, latest, newest, err)))
        return -1;
    if (strcmp(newest, sha256) == 0) {
        output_dir_release(folder);
        *version = latest;
    } else {
        if (output_dir_commit(folder, err))
            return -1;
        *version = latest + 1;
    }
    return ledger_append(&r->ledger, r->path, LEDGER_TRAIN, *version, sha256, err);
}

// The newest line that tells of its training; NULL where there is none.
static const struct ledger_entry *trained(const struct ledger *l, int64_t version)
{
    for (size_t i = l->n; i-- > 0;)
        if (l->entries[i].action == LEDGER_TRAIN && l->entries[i].version == version)
            return &l->entries[i];
    return NULL;
}

static int check_hash(const struct ledger *l, const char *path, int64_t version, const char *sha256,
                      struct err *err)
{
    const struct ledger_entry *e = trained(l, version);
    if (!e)
        return err_set(err, "%s: there is no version %" PRId64 " in the ledger", path, version);
    if (strcmp(sha256, e->sha256) != 0)
        return err_set(err,
                       "%s/%" PRId64 "/model.json: was altered since its training (sha256 %.12s…, "
                       "not %.12s…)",
                       path, version, sha256, e->sha256);
    return 0;
}

int registry_promote(struct registry *r, int64_t version, enum ledger_action action,
                     struct err *err)
{
    char hex[SHA256_HEX];
    if (!trained(&r->ledger, version))
        return err_set(err, "%s: there is no version %" PRId64 " in the ledger", r->path, version);
    if (hash_of(r, version, hex, err) || check_hash(&r->ledger, r->path, version, hex, err))
        return -1;
    if (ledger_append(&r->ledger, r->path, action, version, hex, err))
        return -1;
    return write_link(r, version, err);
}

int registry_previous(const struct registry *r, int64_t *version, struct err *err)
{
    const struct ledger *l = &r->ledger;
    int64_t *pile = malloc((l->n + 1) * sizeof *pile);
    size_t n = 0;
    if (!pile)
        return err_set(err, "%s: out of memory", r->path);
    for (size_t i = 0; i < l->n; i++) {
        const struct ledger_entry *e = &l->entries[i];
        while (e->action == LEDGER_ROLLBACK && n > 0 && pile[n - 1] != e->version)
            n--;
        if (e->action != LEDGER_TRAIN && (n == 0 || pile[n - 1] != e->version))
            pile[n++] = e->version;
    }
    *version = n > 1 ? pile[n - 2] : 0;
    free(pile);
    return *version ? 0 : err_set(err, "%s: there is no champion before the present one", r->path);
}

// ---- without a lock --------------------------------------------------------------------------------

int registry_champion(const char *path, int64_t *version, struct err *err)
{
    if (read_link(path, version, err))
        return -1;
    if (*version)
        return 0;
    if (access(path, F_OK))
        return err_sys(err, "%s: cannot open the registry", path);
    return err_set(err, "%s: there is no champion yet: promote a version first", path);
}

int registry_check(const char *path, int64_t version, const char *sha256, struct err *err)
{
    struct ledger l;
    if (ledger_read(&l, path, err))
        return -1;
    int rc = check_hash(&l, path, version, sha256, err);
    ledger_release(&l);
    return rc;
}

int registry_load_champion(const char *path, struct model *m, int64_t *version, struct err *err)
{
    char file[4096];
    if (registry_champion(path, version, err))
        return -1;
    int n = snprintf(file, sizeof file, "%s/%" PRId64 "/model.json", path, *version);
    if (n < 0 || (size_t)n >= sizeof file)
        return err_set(err, "%s: the path is too long", path);
    if (model_load(m, file, err))
        return -1;
    if (registry_check(path, *version, m->sha256, err) == 0)
        return 0;
    model_release(m);
    return -1;
}

int registry_who(const char *path, int64_t time, int64_t *version, struct err *err)
{
    struct ledger l;
    char when[TIME_TEXT];
    if (ledger_read(&l, path, err))
        return -1;
    *version = champion_at(&l, time);
    ledger_release(&l);
    return *version ? 0
                    : err_set(err, "%s: there was no champion at %s", path, time_text(when, time));
}
