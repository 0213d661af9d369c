// Reading, checking and extending the ledger. Which actions are allowed is registry.c's.
#include "train/ledger.h"
#include "base/output.h"
#include "ingest/value.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *const actions[] = {"train", "promote", "rollback"};

const char *ledger_action_name(enum ledger_action action)
{
    return actions[action];
}

static int parse_action(const char *name, enum ledger_action *action)
{
    for (size_t i = 0; i < sizeof actions / sizeof *actions; i++)
        if (strcmp(name, actions[i]) == 0) {
            *action = (enum ledger_action)i;
            return 0;
        }
    return -1;
}

static bool is_sha256(const char *text)
{
    return strlen(text) == SHA256_HEX - 1 && strspn(text, "0123456789abcdef") == SHA256_HEX - 1;
}

// One line, without its end, into e; previous becomes what it says the line before hashes to.
static int parse_line(struct ledger_entry *e, char previous[SHA256_HEX], const char *line, size_t n,
                      struct err *err)
{
    json_error_t why;
    const char *when, *action, *sha256, *before;
    json_int_t version;
    json_t *j = json_loadb(line, n, JSON_REJECT_DUPLICATES, &why);
    if (!j)
        return err_set(err, "is not JSON: %s", why.text);
    int rc = 0;
    if (json_unpack_ex(j, &why, JSON_STRICT, "{s:s, s:s, s:I, s:s, s:s}", "time", &when, "action",
                       &action, "version", &version, "sha256", &sha256, "previous", &before))
        rc = err_set(err, "%s", why.text);
    else if (value_moment(when, strlen(when), &e->time))
        rc = err_set(err, "'%.40s' is not a time", when);
    else if (parse_action(action, &e->action))
        rc = err_set(err, "'%.40s' is not an action", action);
    else if (version < 1 || !is_sha256(sha256) || !is_sha256(before))
        rc = err_set(err, "its version or a hash is malformed");
    if (rc == 0) {
        e->version = version;
        memcpy(e->sha256, sha256, SHA256_HEX);
        memcpy(previous, before, SHA256_HEX);
    }
    json_decref(j);
    return rc;
}

static int extend(struct ledger *l, const struct ledger_entry *e, const char *head, struct err *err)
{
    struct ledger_entry *grown = realloc(l->entries, (l->n + 1) * sizeof *grown);
    if (!grown)
        return err_set(err, "out of memory");
    l->entries = grown;
    l->entries[l->n++] = *e;
    memcpy(l->head, head, SHA256_HEX);
    return 0;
}

static int add_line(struct ledger *l, const char *line, size_t n, struct err *err)
{
    struct ledger_entry e;
    char previous[SHA256_HEX], head[SHA256_HEX];
    if (parse_line(&e, previous, line, n, err))
        return -1;
    if (strcmp(previous, l->head) != 0)
        return err_set(err, "does not follow the line before it: one of them was altered, or lines "
                            "between them were removed");
    sha256_hex(head, line, n);
    return extend(l, &e, head, err);
}

static int read_lines(struct ledger *l, FILE *f, const char *path, struct err *err)
{
    char *line = NULL;
    size_t size = 0;
    int rc = 0;
    for (ssize_t n; rc == 0 && (n = getline(&line, &size, f)) > 0;) {
        l->torn = line[n - 1] != '\n';
        if (!l->torn && (rc = add_line(l, line, (size_t)n - 1, err)))
            err_prefix(err, "%s:%zu", path, l->n + 1);
    }
    if (rc == 0 && ferror(f))
        rc = err_sys(err, "%s: cannot read", path);
    free(line);
    return rc;
}

static void path_of(char *path, size_t size, const char *registry)
{
    snprintf(path, size, "%s/ledger.jsonl", registry);
}

int ledger_read(struct ledger *l, const char *registry, struct err *err)
{
    char path[4096];
    path_of(path, sizeof path, registry);
    *l = (struct ledger){0};
    memset(l->head, '0', SHA256_HEX - 1);
    FILE *f = fopen(path, "rb");
    if (!f)
        return errno == ENOENT ? 0 : err_sys(err, "%s: cannot open", path);
    int rc = read_lines(l, f, path, err);
    fclose(f);
    if (rc)
        ledger_release(l);
    return rc;
}

int ledger_check_end(const struct ledger *l, const char *registry, struct err *err)
{
    if (!l->torn)
        return 0;
    return err_set(err,
                   "%s/ledger.jsonl:%zu: the last line is not complete, as a crash leaves it: "
                   "remove that line and try again",
                   registry, l->n + 1);
}

void ledger_release(struct ledger *l)
{
    free(l->entries);
    *l = (struct ledger){0};
}

// The entry's line in buf, with its end; returns its length.
static size_t format_line(char *buf, size_t size, const struct ledger_entry *e, const char *head)
{
    char when[TIME_TEXT];
    int n = snprintf(buf, size,
                     "{\"time\":\"%s\",\"action\":\"%s\",\"version\":%lld,\"sha256\":\"%s\","
                     "\"previous\":\"%s\"}\n",
                     time_text(when, e->time), ledger_action_name(e->action), (long long)e->version,
                     e->sha256, head);
    return (size_t)n;
}

int ledger_append(struct ledger *l, const char *registry, enum ledger_action action,
                  int64_t version, const char *sha256, struct err *err)
{
    char path[4096], line[512], head[SHA256_HEX];
    path_of(path, sizeof path, registry);
    if (ledger_check_end(l, registry, err))
        return -1;
    struct ledger_entry e = {.time = (int64_t)time(NULL), .action = action, .version = version};
    snprintf(e.sha256, sizeof e.sha256, "%s", sha256);
    size_t n = format_line(line, sizeof line, &e, l->head);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0)
        return err_sys(err, "%s: cannot open", path);
    off_t before = lseek(fd, 0, SEEK_END);
    int rc = write_all(fd, line, n, path, err);
    if (rc == 0 && fsync(fd))
        rc = err_sys(err, "%s: cannot write to disk", path);
    if (rc == 0 && before == 0) // a new file: its name too
        rc = sync_parent(path, err);
    if (rc && before >= 0 && ftruncate(fd, before))
        err_prefix(err, "%s: half a line could not be taken back", path);
    close(fd);
    if (rc)
        return -1;
    sha256_hex(head, line, n - 1);
    return extend(l, &e, head, err);
}
