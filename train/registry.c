// The ledger, the folders of the versions, and the champion link.
#include "train/registry.h"

#include "base/memory.h"
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
#include <time.h>
#include <unistd.h>

static const char *const actions[] = {"train", "promote", "rollback"};
enum { N_ACTIONS = sizeof actions / sizeof *actions };

// ---- ledger ----

// line[0..n): a line without its newline.
static int add_line(struct registry *r, const char *line, size_t n, struct err *err)
{
    struct ledger_entry e = {0};
    json_error_t why;
    const char *when, *action, *sha256, *previous;
    size_t a = 0;
    int rc = -1;
    json_t *j = json_loadb(line, n, JSON_REJECT_DUPLICATES, &why);
    if (!j)
        return err_set(err, "is not JSON: %s", why.text);
    if (json_unpack_ex(j, &why, JSON_STRICT, "{s:s, s:s, s:I, s:s, s:s}", "time", &when, "action",
                       &action, "version", &e.version, "sha256", &sha256, "previous", &previous)) {
        err_set(err, "%s", why.text);
        goto out;
    }
    while (a < N_ACTIONS && strcmp(action, actions[a]) != 0)
        a++;
    if (strcmp(previous, r->head) != 0) {
        err_set(err, "does not follow the line before it: one of them was altered, or lines "
                     "between them were removed");
    } else if (value_moment(when, strlen(when), &e.time) || a == N_ACTIONS) {
        err_set(err, "'%.40s' is not a time, or '%.40s' not an action", when, action);
    } else {
        e.action = (enum ledger_action)a;
        snprintf(e.sha256, sizeof e.sha256, "%s", sha256);
        ARRAY_GROW(r->entries, r->n + 1, r->capacity);
        r->entries[r->n++] = e;
        sha256_hex(r->head, line, n);
        rc = 0;
    }
out:
    json_decref(j);
    return rc;
}

static int read_ledger(struct registry *r, struct err *err)
{
    char *path = path_join(r->path, "ledger.jsonl"), *line = NULL;
    size_t size = 0;
    FILE *f = file_open(path, false, err);
    int rc = f || errno == ENOENT ? 0 : -1;
    for (ssize_t n; f && rc == 0 && (n = getline(&line, &size, f)) > 0;) {
        r->torn = line[n - 1] != '\n';
        if (!r->torn && (rc = add_line(r, line, (size_t)n - 1, err)))
            err_prefix(err, "%s:%zu", path, r->n + 1);
    }
    if (f && rc == 0 && ferror(f))
        rc = err_sys(err, "%s: cannot read", path);
    if (f)
        fclose(f);
    free(line);
    free(path);
    return rc;
}

static int write_line(const char *path, const char *line, struct err *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, "%s: cannot open", path);
    off_t before = lseek(fd, 0, SEEK_END);
    int rc = write_all(fd, line, strlen(line), path, err);
    if (rc == 0 && fsync(fd))
        rc = err_sys(err, "%s: cannot write to disk", path);
    if (rc == 0 && before == 0) // a new file: sync its name, too
        rc = sync_parent(path, err);
    if (rc && before >= 0 && ftruncate(fd, before))
        err_prefix(err, "%s: half a line could not be removed", path);
    close(fd);
    return rc;
}

static int append(struct registry *r, enum ledger_action action, int64_t version,
                  const char *sha256, struct err *err)
{
    char when[TIME_TEXT];
    char *line =
        xasprintf("{\"time\":\"%s\",\"action\":\"%s\",\"version\":%" PRId64
                  ",\"sha256\":\"%s\",\"previous\":\"%s\"}\n",
                  time_text(when, (int64_t)time(NULL)), actions[action], version, sha256, r->head);
    char *path = path_join(r->path, "ledger.jsonl");
    int rc = write_line(path, line, err) || add_line(r, line, strlen(line) - 1, err) ? -1 : 0;
    free(path);
    free(line);
    return rc;
}

// ---- champion ----

int registry_parse_version(const char *name, int64_t *version)
{
    size_t n = strlen(name);
    if (n == 0 || n > 18 || name[0] == '0' || strspn(name, "0123456789") != n)
        return -1;
    *version = strtoll(name, NULL, 10);
    return 0;
}

int registry_champion(const char *path, int64_t *version, struct err *err)
{
    char target[32], *link = path_join(path, "champion");
    ssize_t n = readlink(link, target, sizeof target - 1);
    int rc = 0;
    *version = 0;
    target[n < 0 ? 0 : n] = '\0';
    if (n < 0 && access(path, F_OK))
        rc = err_sys(err, "%s: cannot open the registry", path);
    else if (n < 0 && errno != ENOENT)
        rc = err_sys(err, "%s: cannot read the link", link);
    else if (n < 0)
        rc = err_set(err, "%s: there is no champion yet: promote a version first", path);
    else if (registry_parse_version(target, version))
        rc = err_set(err, "%s: points to '%s', which is no version", link, target);
    free(link);
    return rc;
}

// Replace the link in one step and sync it.
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

int64_t registry_champion_at(const struct registry *r, int64_t time)
{
    int64_t version = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->entries[i].action != LEDGER_TRAIN && r->entries[i].time <= time)
            version = r->entries[i].version;
    return version;
}

int registry_previous(const struct registry *r, int64_t *version, struct err *err)
{
    int64_t *stack = xcalloc(r->n, sizeof *stack);
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct ledger_entry *e = &r->entries[i];
        while (e->action == LEDGER_ROLLBACK && n > 0 && stack[n - 1] != e->version)
            n--;
        if (e->action != LEDGER_TRAIN && (n == 0 || stack[n - 1] != e->version))
            stack[n++] = e->version;
    }
    *version = n > 1 ? stack[n - 2] : 0;
    free(stack);
    return *version ? 0 : err_set(err, "%s: there is no champion before the present one", r->path);
}

// ---- open ----

int registry_read(struct registry *r, const char *path, struct err *err)
{
    *r = (struct registry){.path = xstrdup(path)};
    memset(r->head, '0', SHA256_HEX - 1);
    if (read_ledger(r, err) == 0)
        return 0;
    registry_release(r);
    return -1;
}

static int check_end(const struct registry *r, struct err *err)
{
    if (!r->torn)
        return 0;
    return err_set(err,
                   "%s/ledger.jsonl:%zu: the last line is not complete, as a crash leaves it: "
                   "remove that line and try again",
                   r->path, r->n + 1);
}

int registry_check(const char *path, struct err *err)
{
    struct registry r;
    int rc = registry_read(&r, path, err) || check_end(&r, err) ? -1 : 0;
    registry_release(&r);
    return rc;
}

// Make the folder and those above it, and lock it; its descriptor, or -1.
static int lock_folder(const char *path, struct err *err)
{
    char *below = path_join(path, "");
    int rc = make_parents(below, err);
    free(below);
    if (rc)
        return -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(err, "%s: cannot open the folder", path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return fd;
    close(fd);
    return err_set(err, "%s: another program changes this registry now; try again when it is done",
                   path);
}

// Make the link follow the ledger, which is written first.
static int repair_link(const struct registry *r, struct err *err)
{
    struct err none;
    int64_t linked;
    const int64_t champion = registry_champion_at(r, INT64_MAX);
    registry_champion(r->path, &linked, &none); // 0 after an error
    return champion == 0 || champion == linked ? 0 : write_link(r, champion, err);
}

int registry_open(struct registry *r, const char *path, struct err *err)
{
    *r = (struct registry){0};
    signal(SIGXFSZ, SIG_IGN); // a file size limit is a failed write then, like a full disk
    const int lock = lock_folder(path, err);
    if (lock < 0)
        return -1;
    if (registry_read(r, path, err)) {
        close(lock);
        return -1;
    }
    r->lock = lock;
    if (check_end(r, err) == 0 && repair_link(r, err) == 0)
        return 0;
    registry_release(r);
    return -1;
}

void registry_release(struct registry *r)
{
    if (r->lock)
        close(r->lock);
    free(r->entries);
    free(r->path);
    *r = (struct registry){0};
}

// ---- versions ----

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

int registry_next(struct registry *r, struct output *folder, int64_t *version, struct err *err)
{
    if (registry_latest(r->path, version, err))
        return -1;
    char *path = xasprintf("%s/%" PRId64, r->path, ++*version);
    int rc = output_dir_open(folder, path, NULL, err);
    free(path);
    return rc;
}

static char *model_path(const char *registry, int64_t version)
{
    return xasprintf("%s/%" PRId64 "/model.json", registry, version);
}

static int hash_model(const struct registry *r, int64_t version, char hex[SHA256_HEX],
                      struct err *err)
{
    char *path = model_path(r->path, version);
    int rc = sha256_file(hex, path, err);
    free(path);
    return rc;
}

int registry_add(struct registry *r, struct output *folder, const char *sha256, int64_t *version,
                 struct err *err)
{
    char before[SHA256_HEX] = "";
    if (*version > 1 && hash_model(r, *version - 1, before, err))
        return -1;
    if (strcmp(before, sha256) == 0) {
        output_release(folder);
        --*version;
    } else if (output_commit(folder, err)) {
        return -1;
    }
    return append(r, LEDGER_TRAIN, *version, sha256, err);
}

// An error unless the version was trained and, with a sha256, its last training had this one.
static int check_trained(const struct registry *r, int64_t version, const char *sha256,
                         struct err *err)
{
    size_t i = r->n;
    while (i > 0 &&
           (r->entries[i - 1].action != LEDGER_TRAIN || r->entries[i - 1].version != version))
        i--;
    if (i == 0)
        return err_set(err, "%s: there is no version %" PRId64 " in the ledger", r->path, version);
    const char *trained = r->entries[i - 1].sha256;
    if (!sha256 || strcmp(sha256, trained) == 0)
        return 0;
    return err_set(err,
                   "%s/%" PRId64 "/model.json: was altered since its training (sha256 %.12s…, "
                   "not %.12s…)",
                   r->path, version, sha256, trained);
}

int registry_promote(struct registry *r, int64_t version, enum ledger_action action,
                     struct err *err)
{
    char hex[SHA256_HEX];
    if (check_trained(r, version, NULL, err) || hash_model(r, version, hex, err) ||
        check_trained(r, version, hex, err) || append(r, action, version, hex, err))
        return -1;
    return write_link(r, version, err);
}

int registry_load_champion(const char *path, struct model *m, int64_t *version, struct err *err)
{
    struct registry r = {0};
    if (registry_champion(path, version, err))
        return -1;
    char *file = model_path(path, *version);
    const int rc = model_load(m, file, err) || registry_read(&r, path, err) ||
                   check_trained(&r, *version, m->sha256, err);
    if (rc)
        model_release(m);
    registry_release(&r);
    free(file);
    return rc ? -1 : 0;
}
