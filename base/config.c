// Feeds inih line by line, so that every entry knows its line and column and no line is cut.
#define _GNU_SOURCE // memrchr
#include "base/config.h"

#include "base/memory.h"
#include "base/output.h"
#include "base/value.h"

#include <fnmatch.h>
#include <ini.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <xxhash.h>

// Every section that some stage reads, followed by its keys; those without hold names of the user's.
static const char *const sections[][14] = {
    {"input", "file", "time_format", "max_reject_rate", "delimiter", "unit", "utc_offset", "header",
     "skip", "na", "decimal", "thousands", "encoding"},
    {"columns"},
    {"features"},
    {"split", "train", "test", "folds", "label_delay", "blocked", "shuffle"},
    {"model", "l2", "alerts_per_day", "alert_share", "cost_fraud", "cost_alert", "outside"},
    {"baselines"},
    {"slices"},
    {"card", "intended_use", "data", "limits", "risks", "on_failure", "contact", "licence",
     "class"},
    {"retrain", "metric", "alarm", "new_frauds", "every", "cool_down", "train", "test", "margin",
     "alert_rate_least", "alert_rate_most", "calibration_most"},
    {"monitor", "psi_alert", "min_rows", "alarm", "ap_drop"},
};
enum { N_SECTIONS = sizeof sections / sizeof *sections, MAX_LINE = 198 };

struct reader {
    FILE *file;
    struct config *config;
    struct err *err;
    int line;
    bool failed;
    char raw[256]; // the current line
};

// Set "path:line: message"; 0, which inih takes as an error.
#define FAIL(r, fmt, ...)                                                                          \
    ((r)->failed =                                                                                 \
         err_set((r)->err, "%s:%d: " fmt, (r)->config->path, (r)->line, ##__VA_ARGS__) != 0,       \
     0)

// key: NULL before the first one.
static int check_names(struct reader *r, const char *section, const char *key)
{
    const char *names[N_SECTIONS] = {NULL}; // for cppcheck
    const char *const *keys = NULL;
    size_t k = 0;
    for (size_t i = 0; i < N_SECTIONS; i++) {
        names[i] = sections[i][0];
        keys = strcmp(section, names[i]) == 0 ? sections[i] + 1 : keys;
    }
    if (!keys)
        return FAIL(r, "unknown section [%s]%s", section,
                    err_did_you_mean(section, names, N_SECTIONS).text);
    while (key && keys[k] && strcmp(key, keys[k]) != 0)
        k++;
    if (!key || !*keys || keys[k])
        return 1;
    return FAIL(r, "unknown key '%s' in [%s]%s", key, section, err_did_you_mean(key, keys, k).text);
}

// Replaces inih's fgets: counts lines, refuses one that inih would cut, and checks sections, which
// inih reports only with their first key.
static char *read_line(char *buf, int size, void *stream)
{
    struct reader *r = stream;
    char section[64], end;
    int good = 1;
    memset(r->raw, '\n', sizeof r->raw); // so that the last 0 is the one that fgets adds
    if (r->failed || !fgets(r->raw, sizeof r->raw, r->file))
        return NULL;
    r->line++;
    if (memrchr(r->raw, '\0', sizeof r->raw) != strchr(r->raw, '\0'))
        good = FAIL(r, "a 0 byte; is it UTF-16? Only UTF-8 and ASCII are read");
    else if (strcspn(r->raw, "\n") > MAX_LINE)
        good = FAIL(r, "the line is longer than %d bytes; continue in the next line, indented",
                    MAX_LINE);
    else if (sscanf(r->raw, " [%63[^]\n]%c", section, &end) == 2 && end == ']')
        good = check_names(r, section, NULL);
    snprintf(buf, (size_t)size, "%s", r->raw); // inih's line has room for MAX_LINE bytes
    return good ? buf : NULL;
}

static int handle(void *user, const char *section, const char *key, const char *value)
{
    struct reader *r = user;
    struct config *c = r->config;
    struct config_entry *last = c->n ? &c->entries[c->n - 1] : NULL;
    const struct config_entry *before = config_find(c, section, key);
    const char *equals = strpbrk(r->raw, "=:");
    const char *at = equals && *value ? strstr(equals, value) : NULL;
    if (!*section)
        return FAIL(r, "'%s' is in no [section]", key);
    if (!check_names(r, section, key))
        return 0;
    if (before && before == last && strchr(" \t", r->raw[0])) { // indented: the value continues
        char *longer = xasprintf("%s %s", last->value, value);
        free(last->value);
        last->value = longer;
        last->column = 0; // an offset within the value names no column now
        return 1;
    }
    if (before)
        return FAIL(r, "'%s' is in [%s] already, at line %d", key, section, before->line);
    c->entries = xreallocarray(c->entries, c->n + 1, sizeof *c->entries);
    c->entries[c->n++] = (struct config_entry){xstrdup(section), xstrdup(key), xstrdup(value),
                                               r->line, at ? (int)(at - r->raw) + 1 : 1};
    return 1;
}

int config_load(struct config *c, const char *path, struct err *err)
{
    if (fnmatch("*.csv", path, 0) == 0)
        return err_set(err, "%s: that is a CSV; make draft INPUT=%s writes its description", path,
                       path);
    *c = (struct config){.path = xstrdup(path)};
    struct reader r = {.config = c, .err = err, .file = file_open(path, false, err)};
    if (!r.file)
        return -1;
    int line = ini_parse_stream(read_line, &r, handle, &r), rc = r.failed ? -1 : 0;
    if (rc == 0 && ferror(r.file))
        rc = err_sys(err, "%s: cannot read", path);
    else if (rc == 0 && line != 0)
        rc = err_set(err, "%s:%d: neither '[section]' nor 'key = value'", path, line);
    fclose(r.file);
    return rc;
}

const struct config_entry *config_find(const struct config *c, const char *section, const char *key)
{
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->entries[i].section, section) == 0 && strcmp(c->entries[i].key, key) == 0)
            return &c->entries[i];
    return NULL;
}

int config_error(const struct config *c, const struct config_entry *e, int offset, struct err *err,
                 const char *fmt, ...)
{
    char text[512], where[32] = "";
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (offset < 0)
        return err_set(err, "%s:%d: [%s] %s: %s", c->path, e->line, e->section, e->key, text);
    if (e->column > 0)
        snprintf(where, sizeof where, ":%d", e->column + offset);
    return err_set(err, "%s:%d%s: [%s] %s: %s\n  %s\n  %*s", c->path, e->line, where, e->section,
                   e->key, text, e->value, offset + 1, "^");
}

const char *duration_parse(const char *text, int64_t *seconds)
{
    static const char units[] = "smhd";
    static const int64_t unit_seconds[] = {1, 60, 3600, 86400};
    const char *at = text + strspn(text, "0123456789"), *unit = *at ? strchr(units, *at) : NULL;
    if (at == text || at - text > 10 || !unit)
        return NULL;
    *seconds = strtoll(text, NULL, 10) * unit_seconds[unit - units];
    return *seconds <= 36500 * unit_seconds[3] ? at + 1 : NULL;
}

int config_duration(const struct config *c, const char *section, const char *key, int64_t *seconds,
                    struct err *err)
{
    const struct config_entry *e = config_find(c, section, key);
    const char *end = e ? duration_parse(e->value, seconds) : "";
    if (end && *end == '\0')
        return 0;
    return config_error(c, e, 0, err, "'%.60s' is not a length of time, like 12h or 7d", e->value);
}

int config_list_next(const struct config_entry *e, const char **at, char *item, size_t size,
                     int *offset)
{
    const char *start = *at + strspn(*at, " \t");
    const bool quoted = *start == '"';
    start += quoted;
    size_t n = strcspn(start, quoted ? "\"" : ",");
    const char *next = start + n;
    while (!quoted && n > 0 && strchr(" \t", start[n - 1]))
        n--;
    const bool bad = n == 0 || n >= size || (quoted && !*next);
    next += quoted && *next ? 1 + strspn(next + 1, " \t") : 0;
    snprintf(item, size, "%.*s", (int)n, start);
    *offset = (int)(start - e->value);
    *at = *next == ',' ? next + 1 : NULL;
    return bad || (*next && *next != ',') ? -1 : 0;
}

int config_number(const struct config *c, const char *section, const char *key, double min,
                  double max, double *value, struct err *err)
{
    const struct config_entry *e = config_find(c, section, key);
    double v;
    if (!e)
        return 0;
    if (value_number(e->value, strlen(e->value), &v))
        return config_error(c, e, 0, err, "'%s' is not a number", e->value);
    if (v < min || v > max)
        return config_error(c, e, 0, err, "%s is not within %g .. %g", e->value, min, max);
    *value = v;
    return 0;
}

int config_int(const struct config *c, const char *section, const char *key, int64_t min,
               int64_t max, int64_t *value, struct err *err)
{
    double v = (double)*value;
    if (config_number(c, section, key, (double)min, (double)max, &v, err))
        return -1;
    if (v != floor(v)) {
        const struct config_entry *e = config_find(c, section, key);
        return config_error(c, e, 0, err, "'%s' is not a whole number", e->value);
    }
    *value = (int64_t)v;
    return 0;
}

char *config_name(const struct config *c)
{
    const char *slash = strrchr(c->path, '/'), *name = slash ? slash + 1 : c->path;
    const char *dot = strrchr(name, '.');
    return xasprintf("%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
}

// The hash of each string is the seed of the next one's.
uint64_t config_checksum(const struct config *c, const char *const *names)
{
    uint64_t h = 0;
    for (; *names; names++) {
        h = XXH3_64bits_withSeed(*names, strlen(*names), h);
        for (size_t i = 0; i < c->n; i++) {
            const struct config_entry *e = &c->entries[i];
            if (strcmp(e->section, *names) != 0)
                continue;
            h = XXH3_64bits_withSeed(e->key, strlen(e->key), h);
            h = XXH3_64bits_withSeed(e->value, strlen(e->value), h);
        }
    }
    return h;
}
