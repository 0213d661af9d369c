// The [columns] section to a schema, the schema to JSON and back, and the rules both must keep.
//
// It knows texts and limits but reads no data: turning fields into values is convert.c's.
#include "ingest/schema.h"

#include "ingest/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kinds[] = {"id", "time", "key", "number", "category", "label", "feature"};
enum { N_KINDS = sizeof kinds / sizeof *kinds, MAX_NAME = 63 };

const char *column_kind_name(enum column_kind kind)
{
    return kinds[kind];
}

int column_kind_parse(const char *name, enum column_kind *kind)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (strcmp(name, kinds[i]) == 0) {
            *kind = (enum column_kind)i;
            return 0;
        }
    return -1;
}

int schema_find(const struct schema *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

int schema_find_kind(const struct schema *s, enum column_kind kind)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->columns[i].kind == kind)
            return (int)i;
    return -1;
}

static void column_release(struct schema_column *c)
{
    free(c->name);
    free(c->header);
    free(c->missing);
}

void schema_release(struct schema *s)
{
    for (size_t i = 0; i < s->n; i++)
        column_release(&s->columns[i]);
    free(s->columns);
    free(s->time_format);
    *s = (struct schema){0};
}

// Takes over the strings of column, also when it fails.
static int add_column(struct schema *s, struct schema_column column, struct err *err)
{
    if (column.kind == COLUMN_NUMBER && column.min == -INFINITY)
        column.min = -SCHEMA_LIMIT;
    if (column.kind == COLUMN_NUMBER && column.max == INFINITY)
        column.max = SCHEMA_LIMIT;
    struct schema_column *grown = realloc(s->columns, (s->n + 1) * sizeof *grown);
    if (grown)
        s->columns = grown;
    if (!grown || !column.name || !column.header) {
        column_release(&column);
        return err_set(err, "out of memory");
    }
    s->columns[s->n++] = column;
    return 0;
}

// ---- rules ----------------------------------------------------------------------------------------

// A name stands in expressions and is a file's name, so it is an identifier.
static bool is_identifier(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return n > 0 && n <= MAX_NAME && s[n] == '\0' && (s[0] < '0' || s[0] > '9');
}

static int check_missing(const struct schema_column *c, struct err *err)
{
    double v;
    if (!c->missing)
        return 0;
    if (c->kind == COLUMN_ID || c->kind == COLUMN_TIME)
        return err_set(err, "a column of kind %s cannot have 'missing'", kinds[c->kind]);
    if (c->kind == COLUMN_NUMBER && value_number(c->missing, strlen(c->missing), &v))
        return err_set(err, "missing: '%s' is not a number", c->missing);
    if (c->kind == COLUMN_LABEL && strcmp(c->missing, "-1") != 0 && strcmp(c->missing, "0") != 0 &&
        strcmp(c->missing, "1") != 0)
        return err_set(err, "missing: '%s' is none of -1 (not known), 0, 1", c->missing);
    if (!value_utf8(c->missing, strlen(c->missing)))
        return err_set(err, "missing: its value is not UTF-8");
    return 0;
}

static int check_column(const struct schema_column *c, struct err *err)
{
    if (!is_identifier(c->name))
        return err_set(err, "'%s' is not a name of letters, digits and _ (at most %d)", c->name,
                       MAX_NAME);
    if (c->kind == COLUMN_FEATURE)
        return err_set(err, "a column of the input cannot be of kind feature");
    if (c->kind != COLUMN_NUMBER && (c->min > -INFINITY || c->max < INFINITY))
        return err_set(err, "only a number can have 'min' and 'max'");
    if (!(c->min <= c->max))
        return err_set(err, "min %g is greater than max %g", c->min, c->max);
    return check_missing(c, err);
}

// Column i against those before it.
static int check_unique(const struct schema *s, size_t i, struct err *err)
{
    const struct schema_column *c = &s->columns[i];
    bool one = c->kind == COLUMN_ID || c->kind == COLUMN_TIME || c->kind == COLUMN_LABEL;
    for (size_t k = 0; k < i; k++) {
        const struct schema_column *other = &s->columns[k];
        if (strcmp(c->name, other->name) == 0)
            return err_set(err, "a second column named '%s'", c->name);
        if (strcmp(c->header, other->header) == 0)
            return err_set(err, "'%s' is the header of '%s' already", c->header, other->name);
        if (one && c->kind == other->kind)
            return err_set(err, "a second column of kind %s; '%s' is one", kinds[c->kind],
                           other->name);
    }
    return 0;
}

bool schema_counts_rows(const struct schema *s)
{
    return strcmp(s->time_format, "row") == 0;
}

bool schema_times_are_numbers(const struct schema *s)
{
    return strcmp(s->time_format, "epoch") == 0 || schema_counts_rows(s);
}

// The first broken rule; *at is the column it is about, s->n where it is about the whole.
static int check(const struct schema *s, size_t *at, struct err *err)
{
    for (*at = 0; *at < s->n; ++*at) {
        const struct schema_column *c = &s->columns[*at];
        if (check_column(c, err) || check_unique(s, *at, err))
            return -1;
        bool made = c->kind == COLUMN_TIME && schema_counts_rows(s);
        if (made && (*c->header || strcmp(c->name, "time") != 0))
            return err_set(err, "with time_format = row there is no column of kind time");
        if (!made && !*c->header)
            return err_set(err, "its header is empty");
        if (!value_utf8(c->header, strlen(c->header)))
            return err_set(err, "its header is not UTF-8");
    }
    if (schema_find_kind(s, COLUMN_TIME) < 0)
        return err_set(err, "no column of kind time; without one, set time_format = row");
    return 0;
}

// ---- from the .ini --------------------------------------------------------------------------------

// The parts of a value between commas; the first may stand in double quotes.
struct cursor {
    const struct config *config;
    const struct config_entry *entry;
    size_t pos, start; // start: of the latest part
};

static void skip_spaces(struct cursor *c)
{
    c->pos += strspn(c->entry->value + c->pos, " \t");
}

static int cursor_error(const struct cursor *c, struct err *err, const char *text)
{
    return config_error(c->config, c->entry, (int)c->start, err, "%s", text);
}

// The next part, trimmed, allocated; NULL and a message on an error. The cursor stops behind the
// comma that ends it.
static char *next_part(struct cursor *c, const char *what, struct err *err)
{
    const char *value = c->entry->value;
    skip_spaces(c);
    c->start = c->pos;
    bool quoted = value[c->pos] == '"';
    c->pos += quoted;
    const char *text = value + c->pos;
    size_t n = strcspn(text, quoted ? "\"" : ",");
    c->pos += n;
    if (quoted && !value[c->pos]) {
        cursor_error(c, err, "the quote is not closed");
        return NULL;
    }
    if (quoted) {
        c->pos++;
        skip_spaces(c);
    }
    while (!quoted && n > 0 && strchr(" \t", text[n - 1]))
        n--;
    if (value[c->pos] && value[c->pos] != ',') {
        cursor_error(c, err, "a comma must follow the closing quote");
        return NULL;
    }
    c->pos += value[c->pos] == ',';
    if (n == 0) {
        config_error(c->config, c->entry, (int)c->start, err,
                     "%s is missing; write: HEADER, kind[, min=][, max=][, missing=]", what);
        return NULL;
    }
    char *part = strndup(text, n);
    if (!part)
        err_set(err, "out of memory");
    return part;
}

static int set_kind(struct cursor *c, const char *name, struct schema_column *column,
                    struct err *err)
{
    char hint[128];
    if (column_kind_parse(name, &column->kind) == 0 && column->kind != COLUMN_FEATURE)
        return 0;
    return config_error(c->config, c->entry, (int)c->start, err,
                        "'%s' is none of id, time, key, number, category, label%s", name,
                        err_did_you_mean(hint, sizeof hint, name, kinds, COLUMN_FEATURE));
}

// min=NUMBER, max=NUMBER or missing=VALUE
static int set_option(struct cursor *c, char *part, struct schema_column *column, struct err *err)
{
    static const char *const names[] = {"min", "max", "missing"};
    char *equals = strchr(part, '='), hint[128];
    if (equals)
        *equals = '\0';
    const char *value = equals ? equals + 1 : "";
    double *limit = strcmp(part, "min") == 0   ? &column->min
                    : strcmp(part, "max") == 0 ? &column->max
                                               : NULL;
    if (!limit && strcmp(part, "missing") != 0)
        return config_error(c->config, c->entry, (int)c->start, err,
                            "'%s' is none of min, max, missing%s", part,
                            err_did_you_mean(hint, sizeof hint, part, names, 3));
    if (!*value)
        return config_error(c->config, c->entry, (int)c->start, err, "'%s' needs a value: %s=...",
                            part, part);
    if (limit && value_number(value, strlen(value), limit))
        return config_error(c->config, c->entry, (int)c->start, err, "'%s' is not a number", value);
    if (!limit) {
        free(column->missing);
        column->missing = strdup(value);
        return column->missing ? 0 : err_set(err, "out of memory");
    }
    return 0;
}

static int parse_column(struct cursor *c, struct schema_column *column, struct err *err)
{
    column->header = next_part(c, "the header", err);
    char *part = column->header ? next_part(c, "the kind", err) : NULL;
    int rc = part ? set_kind(c, part, column, err) : -1;
    free(part);
    while (rc == 0 && c->entry->value[c->pos]) {
        part = next_part(c, "an option", err);
        rc = part ? set_option(c, part, column, err) : -1;
        free(part);
    }
    return rc;
}

static int columns_from_config(struct schema *s, const struct config *c, struct err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct config_entry *e = &c->entries[i];
        if (strcmp(e->section, "columns") != 0)
            continue;
        struct cursor cursor = {.config = c, .entry = e};
        struct schema_column column = {.min = -INFINITY, .max = INFINITY, .line = e->line};
        column.name = strdup(e->key);
        if (parse_column(&cursor, &column, err)) {
            column_release(&column);
            return -1;
        }
        if (add_column(s, column, err))
            return -1;
    }
    return 0;
}

static int time_format_from_config(struct schema *s, const struct config *c, struct err *err)
{
    const struct config_entry *e = config_find(c, "input", "time_format");
    struct time_format format;
    if (!e)
        return err_set(err,
                       "%s: [input] time_format is missing: a format such as %%Y-%%m-%%d "
                       "%%H:%%M:%%S, epoch, or row",
                       c->path);
    s->time_format = strdup(e->value);
    if (!s->time_format)
        return err_set(err, "out of memory");
    if (!schema_counts_rows(s) && time_format_parse(&format, e->value, err)) {
        struct err why = *err;
        return config_error(c, e, 0, err, "%s", why.msg);
    }
    return 0;
}

// The time of rows without one is their number: a column that no header stands behind.
static int add_row_time(struct schema *s, struct err *err)
{
    if (!schema_counts_rows(s) || schema_find_kind(s, COLUMN_TIME) >= 0)
        return 0;
    struct schema_column column = {strdup("time"), strdup(""), COLUMN_TIME, -INFINITY, INFINITY,
                                   NULL,           0};
    return add_column(s, column, err);
}

int schema_from_config(struct schema *s, const struct config *c, struct err *err)
{
    size_t at;
    *s = (struct schema){0};
    if (time_format_from_config(s, c, err) || columns_from_config(s, c, err) ||
        add_row_time(s, err))
        goto fail;
    if (check(s, &at, err)) {
        struct err why = *err;
        const struct config_entry *e =
            at < s->n ? config_find(c, "columns", s->columns[at].name) : NULL;
        if (e)
            config_error(c, e, 0, err, "%s", why.msg);
        else
            err_set(err, "%s: [columns]: %s", c->path, why.msg);
        goto fail;
    }
    return 0;
fail:
    schema_release(s);
    return -1;
}

// ---- JSON -----------------------------------------------------------------------------------------

static int put(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value);
}

static json_t *column_to_json(const struct schema_column *c)
{
    json_t *j = json_object();
    int bad = put(j, "name", json_string(c->name)) | put(j, "header", json_string(c->header)) |
              put(j, "kind", json_string(kinds[c->kind]));
    if (isfinite(c->min))
        bad |= put(j, "min", json_real(c->min));
    if (isfinite(c->max))
        bad |= put(j, "max", json_real(c->max));
    if (c->missing)
        bad |= put(j, "missing", json_string(c->missing));
    if (!bad)
        return j;
    json_decref(j);
    return NULL;
}

json_t *schema_to_json(const struct schema *s)
{
    json_t *columns = json_array();
    int bad = 0;
    for (size_t i = 0; i < s->n; i++)
        bad |= json_array_append_new(columns, column_to_json(&s->columns[i]));
    json_t *j = json_object();
    bad |= put(j, "time_format", json_string(s->time_format)) | put(j, "columns", columns);
    if (!bad)
        return j;
    json_decref(j);
    return NULL;
}

// The text of a member, allocated; NULL where it is not there or no string.
static char *get_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? strdup(text) : NULL;
}

static double get_number(const json_t *object, const char *key, double absent)
{
    const json_t *v = json_object_get(object, key);
    return v ? json_is_number(v) ? json_number_value(v) : (double)NAN : absent;
}

static int column_from_json(struct schema *s, const json_t *j, struct err *err)
{
    const char *kind = json_string_value(json_object_get(j, "kind"));
    struct schema_column c = {.name = get_text(j, "name"),
                              .header = get_text(j, "header"),
                              .missing = get_text(j, "missing"),
                              .min = get_number(j, "min", -INFINITY),
                              .max = get_number(j, "max", INFINITY)};
    if (!c.name || !c.header || !kind || column_kind_parse(kind, &c.kind) ||
        (json_object_get(j, "missing") && !c.missing)) {
        column_release(&c);
        return err_set(err, "column %zu lacks a name, a header or a known kind", s->n);
    }
    return add_column(s, c, err);
}

int schema_from_json(struct schema *s, const json_t *json, struct err *err)
{
    const json_t *columns = json_object_get(json, "columns"), *column;
    size_t i, at;
    struct time_format format;
    *s = (struct schema){.time_format = get_text(json, "time_format")};
    if (!s->time_format)
        return err_set(err, "schema: no time_format");
    int rc = 0;
    if (!schema_counts_rows(s))
        rc = time_format_parse(&format, s->time_format, err);
    json_array_foreach(columns, i, column) rc = rc ? rc : column_from_json(s, column, err);
    if (rc == 0 && check(s, &at, err))
        rc = at < s->n ? err_prefix(err, "column '%s'", s->columns[at].name) : -1;
    if (rc) {
        err_prefix(err, "schema");
        schema_release(s);
    }
    return rc;
}
