// The ledger, the folders of the versions, and the champion link.
#include "train/registry.h"

#include "base/memory.h"
#include "base/value.h"

#include <fcntl.h>
#include <inttypes.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *const actions[] = {"train", "keep", "promote", "rollback"};
enum { N_ACTIONS = sizeof actions / sizeof *actions };

// ---- ledger ----

// line[0..n): a line without its newline.
static int add_line(struct registry *r, const char *line, size_t n, struct err *err)
{
    struct ledger_entry e = {.by = "", .reason = "", .evidence = ""};
    json_error_t why;
    const char *when, *action, *previous;
    size_t a = 0;
    json_t *j = e.line = json_loadb(line, n, JSON_REJECT_DUPLICATES, &why);
    if (!j)
        return err_set(err, "is not JSON: %s", why.text);
    int rc =
        json_unpack_ex(j, &why, JSON_STRICT, "{s:s, s:s, s:I, s:s, s?s, s?s, s?s, s:s}", "time",
                       &when, "action", &action, "version", &e.version, "sha256", &e.sha256, "by",
                       &e.by, "reason", &e.reason, "evidence", &e.evidence, "previous", &previous);
    while (rc == 0 && a < N_ACTIONS && strcmp(action, actions[a]) != 0)
        a++;
    if (rc)
        err_set(err, "%s", why.text);
    else if (strcmp(previous, r->head) != 0)
        rc = err_set(err, "does not follow the line before it: one of them was altered, or lines "
                          "between them were removed");
    else if (value_moment(when, strlen(when), &e.time) || a == N_ACTIONS)
        rc = err_set(err, "'%.40s' is not a time, or '%.40s' not an action", when, action);
    if (rc) {
        json_decref(j);
        return -1;
    }
    e.action = (enum ledger_action)a;
    json_object_del(j, "previous");
    sha256_hex(r->head, line, n);
    ARRAY_GROW(r->entries, r->n + 1, r->capacity);
    r->entries[r->n++] = e;
    return 0;
}

static int read_ledger(struct registry *r, struct err *err)
{
    char *line = NULL;
    size_t size = 0;
    FILE *f = file_open(r->ledger, false, err);
    int rc = f || errno == ENOENT ? 0 : -1;
    for (ssize_t n; f && rc == 0 && (n = getline(&line, &size, f)) > 0;) {
        r->torn = line[n - 1] != '\n';
        r->size += r->torn ? 0 : n;
        if (!r->torn && (rc = add_line(r, line, (size_t)n - 1, err)))
            err_prefix(err, "%s:%zu", r->ledger, r->n + 1);
    }
    if (f && rc == 0 && !feof(f)) // an error, or no memory for the line
        rc = err_sys(err, "%s: cannot read", r->ledger);
    r->missing = !f && rc == 0;
    if (f)
        fclose(f);
    free(line);
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

// ---- champion ----

int registry_parse_version(const char *name, int64_t *version)
{
    size_t n = strlen(name);
    if (n == 0 || n > 18 || name[0] == '0' || strspn(name, "0123456789") != n)
        return -1;
    *version = strtoll(name, NULL, 10);
    return 0;
}

// Replace the link in one step and sync it. Version 0: there is no champion.
static int write_link(const struct registry *r, int64_t version, struct err *err)
{
    char target[32];
    snprintf(target, sizeof target, "%" PRId64, version);
    if ((version == 0 ? unlinkat(r->lock, "champion", 0)
                      : symlinkat(target, r->lock, "champion.tmp") ||
                            renameat(r->lock, "champion.tmp", r->lock, "champion")) ||
        fsync(r->lock))
        return err_sys(err, "%s/champion: cannot point to %s", r->path, target);
    return 0;
}

// Make the link follow the ledger.
static int repair_link(struct registry *r, struct err *err)
{
    char linked[32] = "", wanted[32] = "";
    const int64_t champion = registry_champion_at(r, INT64_MAX);
    if (champion)
        snprintf(wanted, sizeof wanted, "%" PRId64, champion);
    if (readlinkat(r->lock, "champion", linked, sizeof linked - 1) < 0 && !champion)
        return 0;
    r->repaired = strcmp(linked, wanted) != 0;
    return r->repaired ? write_link(r, champion, err) : 0;
}

static const char *login_name(void)
{
    const struct passwd *user = getpwuid(getuid());
    return user && value_utf8(user->pw_name, strlen(user->pw_name)) ? user->pw_name : "unknown";
}

// The line decides, so it comes last, and without it the folder or the link goes back.
int registry_record(struct registry *r, const struct ledger_entry *e, struct output *folder,
                    struct err *err)
{
    struct err second;
    char now[TIME_TEXT];
    json_t *j =
        json_pack("{s:s, s:s, s:I, s:s, s:s, s:s, s:s, s:s}", "time", time_text(now, time(NULL)),
                  "action", actions[e->action], "version", (json_int_t)e->version, "sha256",
                  e->sha256, "by", e->by ? e->by : login_name(), "reason", e->reason, "evidence",
                  e->evidence ? e->evidence : "", "previous", r->head);
    char *text = xchecked(json_dumps(j, JSON_COMPACT)), *line = xasprintf("%s\n", text);
    json_decref(j);
    char *placed = folder && folder->path ? xstrdup(folder->path) : NULL;
    int rc = (placed && output_commit(folder, err)) ||
             (ledger_promotes(e) && write_link(r, e->version, err)) ||
             write_line(r->ledger, line, err);
    if (rc == 0)
        rc = add_line(r, text, strlen(text), err);
    else if (repair_link(r, &second))
        err_prefix(err, "%s", second.msg);
    if (rc && placed)
        output_remove(placed);
    free(placed);
    free(text);
    free(line);
    return rc ? -1 : 0;
}

static void checksum(const char *folder, const char *name, char sha256[SHA256_HEX])
{
    struct err none;
    size_t n;
    char *path = path_join(folder, name), *text = file_read(path, &n, &none);
    sha256[0] = '\0';
    if (text)
        sha256_hex(sha256, text, n);
    free(text);
    free(path);
}

void registry_checksum(const struct registry *r, const struct ledger_entry *e,
                       const struct output *folder, char sha256[SHA256_HEX])
{
    char *path = xasprintf("%s/%" PRId64, r->path, e->version);
    checksum(folder && folder->path ? folder->temporary : path,
             e->action == LEDGER_TRAIN ? "metrics.json" : "comparison.json", sha256);
    free(path);
}

int ledger_check_text(const char *option, const char *text, struct err *err)
{
    const size_t n = strlen(text);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return err_set(err, "--%s: has a control character", option);
    return n > 0 && n <= 300 && value_utf8(text, n)
               ? 0
               : err_set(err, "--%s: give 1 to 300 bytes of UTF-8", option);
}

bool ledger_promotes(const struct ledger_entry *e)
{
    return e->action == LEDGER_PROMOTE || e->action == LEDGER_ROLLBACK;
}

int64_t registry_champion_before(const struct registry *r, size_t line)
{
    while (line > 0 && !ledger_promotes(&r->entries[line - 1]))
        line--;
    return line > 0 ? r->entries[line - 1].version : 0;
}

int64_t registry_champion_at(const struct registry *r, int64_t time)
{
    size_t line = r->n;
    while (line > 0 && r->entries[line - 1].time > time)
        line--;
    return registry_champion_before(r, line);
}

int registry_champion(const struct registry *r, int64_t *version, struct err *err)
{
    *version = registry_champion_at(r, INT64_MAX);
    return *version ? 0 : err_set(err, "%s: there is no champion: promote a version", r->path);
}

int registry_previous(const struct registry *r, int64_t *version, struct err *err)
{
    int64_t *stack = xcalloc(r->n, sizeof *stack);
    size_t n = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct ledger_entry *e = &r->entries[i];
        while (e->action == LEDGER_ROLLBACK && n > 0 && stack[n - 1] != e->version)
            n--;
        if (ledger_promotes(e) && (n == 0 || stack[n - 1] != e->version))
            stack[n++] = e->version;
    }
    *version = n > 1 ? stack[n - 2] : 0;
    free(stack);
    return *version ? 0 : err_set(err, "%s: there is no champion before the present one", r->path);
}

// ---- open ----

int registry_read(struct registry *r, const char *path, struct err *err)
{
    *r = (struct registry){
        .path = xstrdup(path), .ledger = path_join(path, "ledger.jsonl"), .lock = -1};
    memset(r->head, '0', SHA256_HEX - 1);
    char *first = path_join(path, "1");
    int rc = read_ledger(r, err);
    // No new chain may begin beside versions of a lost one: they could not be promoted any more.
    if (rc == 0 && r->missing && access(first, F_OK) == 0)
        rc = err_set(err, "%s: is missing, but there are versions: put it back, or move them away",
                     r->ledger);
    free(first);
    return rc;
}

int registry_open(struct registry *r, const char *path, struct err *err)
{
    *r = (struct registry){0};
    signal(SIGXFSZ, SIG_IGN); // a file size limit is a failed write then, like a full disk
    char *below = path_join(path, "");
    const int lock = lock_parent(below, false, err);
    free(below);
    if (lock < 0)
        return -1;
    const int rc = registry_read(r, path, err);
    r->lock = lock;
    if (rc)
        return -1;
    // Repair what a crash left.
    unlinkat(lock, "champion.tmp", 0); // a failure would make the next symlinkat fail
    if (r->torn && truncate(r->ledger, r->size))
        return err_sys(err, "%s: cannot remove half a line at its end", r->ledger);
    if (repair_link(r, err))
        return -1;
    r->repaired |= r->torn;
    return 0;
}

void registry_release(struct registry *r)
{
    if (r->path && r->lock >= 0)
        close(r->lock);
    for (size_t i = 0; i < r->n; i++)
        json_decref(r->entries[i].line);
    free(r->entries);
    free(r->ledger);
    free(r->path);
    *r = (struct registry){0};
}

// ---- versions ----

int64_t registry_latest(const struct registry *r)
{
    int64_t latest = 0;
    for (size_t i = 0; i < r->n; i++)
        if (r->entries[i].version > latest)
            latest = r->entries[i].version;
    return latest;
}

int registry_next(struct registry *r, const char *sha256, struct output *folder, int64_t *version,
                  struct err *err)
{
    char latest[SHA256_HEX];
    *version = registry_latest(r);
    char *path = xasprintf("%s/%" PRId64, r->path, *version);
    checksum(path, "model.json", latest);
    free(path);
    if (strcmp(latest, sha256) == 0)
        return 0;
    if (r->missing && write_line(r->ledger, "", err)) // so that its loss will be noticed
        return -1;
    path = xasprintf("%s/%" PRId64, r->path, ++*version);
    // A folder of that number is of a training that was killed before its line.
    int rc = output_dir_open(folder, path, "model.json", err);
    free(path);
    return rc;
}

int registry_load(const struct registry *r, int64_t version, struct model *m, struct err *err)
{
    size_t i = r->n;
    while (i > 0 &&
           (r->entries[i - 1].action != LEDGER_TRAIN || r->entries[i - 1].version != version))
        i--;
    if (i == 0)
        return err_set(err, "%s: there is no version %" PRId64 " in the ledger", r->path, version);
    const char *trained = r->entries[i - 1].sha256;
    char *path = xasprintf("%s/%" PRId64 "/model.json", r->path, version);
    int rc = model_load(m, path, err);
    if (rc)
        err_set(err, "%.900s; put it back, or promote another version", err_copy(err).msg);
    else if (strcmp(m->sha256, trained) != 0)
        rc = err_set(err,
                     "%s: was altered since its training (sha256 %.12s…, not %.12s…): put it back, "
                     "or promote another version",
                     path, m->sha256, trained);
    m->version = rc ? 0 : version;
    free(path);
    return rc;
}

int registry_load_champion(const struct registry *r, struct model *m, struct err *err)
{
    int64_t version;
    return registry_champion(r, &version, err) || registry_load(r, version, m, err) ? -1 : 0;
}
