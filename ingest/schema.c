#include "ingest/schema.h"

#include "base/memory.h"
#include "base/value.h"

#include <math.h>
#include <stdlib.h>

const char *const column_kinds[] = {"id", "time", "key", "number", "category", "label", "feature"};
enum { N_KINDS = sizeof column_kinds / sizeof *column_kinds, MAX_NAME = 63 };

int column_kind_parse(const char *name, enum column_kind *kind)
{
    for (size_t i = 0; i < N_KINDS; i++)
        if (strcmp(name, column_kinds[i]) == 0) {
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

bool schema_counts_rows(const struct schema *s)
{
    return strcmp(s->time_format, "row") == 0;
}

bool schema_times_are_numbers(const struct schema *s)
{
    return strcmp(s->time_format, "epoch") == 0 || schema_counts_rows(s);
}

void schema_release(struct schema *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->columns[i].name);
        free(s->columns[i].header);
        free(s->columns[i].missing);
    }
    free(s->columns);
    free(s->time_format);
    *s = (struct schema){0};
}

// ---- rules ----

bool schema_is_name(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return n > 0 && n <= MAX_NAME && s[n] == '\0' && (s[0] < '0' || s[0] > '9');
}

static int check_missing(const struct schema_column *c, struct err *err)
{
    double v;
    if (c->kind == COLUMN_ID || c->kind == COLUMN_TIME)
        return err_set(err, "a column of kind %s cannot have 'missing'", column_kinds[c->kind]);
    if (c->kind == COLUMN_NUMBER && value_number(c->missing, strlen(c->missing), &v))
        return err_set(err, "missing: '%s' is not a number", c->missing);
    if (c->kind == COLUMN_LABEL && strcmp(c->missing, "-1") != 0 && strcmp(c->missing, "0") != 0 &&
        strcmp(c->missing, "1") != 0)
        return err_set(err, "missing: '%s' is none of -1 (not known), 0, 1", c->missing);
    return 0;
}

// Check the latest column against those before it.
static int check_unique(const struct schema *s, struct err *err)
{
    const struct schema_column *c = &s->columns[s->n - 1];
    const bool only = c->kind == COLUMN_ID || c->kind == COLUMN_TIME || c->kind == COLUMN_LABEL;
    for (const struct schema_column *other = s->columns; other < c; other++) {
        if (strcmp(c->name, other->name) == 0)
            return err_set(err, "a second column named '%s'", c->name);
        if (strcmp(c->header, other->header) == 0)
            return err_set(err, "'%s' is the header of '%s' already", c->header, other->name);
        if (only && c->kind == other->kind)
            return err_set(err, "a second column of kind %s; '%s' is one", column_kinds[c->kind],
                           other->name);
    }
    return 0;
}

// Set the limits that the latest column lacks, and check it.
static int complete_column(struct schema *s, struct err *err)
{
    struct schema_column *c = &s->columns[s->n - 1];
    const bool number = c->kind == COLUMN_NUMBER;
    if (!schema_is_name(c->name))
        return err_set(err, "'%s' is not a name of letters, digits and _ (at most %d)", c->name,
                       MAX_NAME);
    if (c->kind == COLUMN_TIME && schema_counts_rows(s) && *c->header)
        return err_set(err, "with time_format = row there is no column of kind time");
    if (!number && (c->min > -INFINITY || c->max < INFINITY))
        return err_set(err, "only a number can have 'min' and 'max'");
    if (!(c->min <= c->max))
        return err_set(err, "min %g is greater than max %g", c->min, c->max);
    if (number && c->min == -INFINITY)
        c->min = -SCHEMA_LIMIT;
    if (number && c->max == INFINITY)
        c->max = SCHEMA_LIMIT;
    return (c->missing && check_missing(c, err)) || check_unique(s, err) ? -1 : 0;
}

// Append a column, whose kind is to be set.
static struct schema_column *add_column(struct schema *s, const char *name, const char *header)
{
    s->columns = xreallocarray(s->columns, s->n + 1, sizeof *s->columns);
    s->columns[s->n] =
        (struct schema_column){xstrdup(name), xstrdup(header), .min = -INFINITY, .max = INFINITY};
    return &s->columns[s->n++];
}

static int set_kind(struct schema_column *column, const char *name, struct err *err)
{
    if (column_kind_parse(name, &column->kind) == 0 && column->kind != COLUMN_FEATURE)
        return 0;
    return err_set(err, "'%s' is none of id, time, key, number, category, label%s", name,
                   err_did_you_mean(name, column_kinds, COLUMN_FEATURE).text);
}

// Check that there is a time, or add the row numbers as one.
static int complete(struct schema *s, struct err *err)
{
    if (schema_find_kind(s, COLUMN_TIME) >= 0)
        return 0;
    if (!schema_counts_rows(s))
        return err_set(err, "no column of kind time; without one, set time_format = row");
    add_column(s, "time", "")->kind = COLUMN_TIME;
    return complete_column(s, err);
}

// ---- from the .ini ----

// min=NUMBER, max=NUMBER or missing=VALUE
static int set_option(struct schema_column *column, char *part, struct err *err)
{
    static const char *const names[] = {"min", "max", "missing"};
    char *value = part + strcspn(part, "=");
    double *limits[] = {&column->min, &column->max};
    size_t i = 0;
    if (*value)
        *value++ = '\0';
    while (i < 3 && strcmp(part, names[i]) != 0)
        i++;
    if (i == 3)
        return err_set(err, "'%s' is none of min, max, missing%s", part,
                       err_did_you_mean(part, names, 3).text);
    if (!*value)
        return err_set(err, "'%s' needs a value: %s=...", part, part);
    if (i < 2 && value_number(value, strlen(value), limits[i]))
        return err_set(err, "'%s' is not a number", value);
    if (i == 2) {
        free(column->missing);
        column->missing = xstrdup(value);
    }
    return 0;
}

// HEADER, kind and options
static int column_from_config(struct schema *s, const struct config *c,
                              const struct config_entry *e, struct err *err)
{
    static const char *const parts[] = {"the header", "the kind", "an option"};
    const char *at = e->value;
    char item[512];
    int offset = 0, rc = 0;
    for (size_t n = 0; rc == 0 && (at || n < 2); n++)
        if (!at || config_list_next(e, &at, item, sizeof item, &offset))
            rc = err_set(err,
                         "%s is missing, or its quotes are wrong; write: HEADER, kind[, min=]"
                         "[, max=][, missing=]",
                         parts[n < 2 ? n : 2]);
        else if (n == 0)
            add_column(s, e->key, item);
        else
            rc = n == 1 ? set_kind(&s->columns[s->n - 1], item, err)
                        : set_option(&s->columns[s->n - 1], item, err);
    if (rc == 0 && !value_utf8(e->value, strlen(e->value)))
        rc = err_set(err, "it is not UTF-8");
    if (rc == 0) {
        offset = 0;
        rc = complete_column(s, err);
    }
    return rc ? config_error(c, e, offset, err, "%s", err_copy(err).msg) : 0;
}

static int time_format_from_config(struct schema *s, const struct config *c, struct err *err)
{
    const struct config_entry *e = config_find(c, "input", "time_format");
    if (!e)
        return err_set(err,
                       "%s: [input] time_format is missing: epoch, row, or a format such as %s",
                       c->path, "%Y-%m-%d %H:%M:%S");
    s->time_format = xstrdup(e->value);
    if (time_format_check(e->value, err))
        return config_error(c, e, 0, err, "%s", err_copy(err).msg);
    return 0;
}

int schema_from_config(struct schema *s, const struct config *c, struct err *err)
{
    *s = (struct schema){0};
    if (time_format_from_config(s, c, err))
        return -1;
    for (size_t i = 0; i < c->n; i++)
        if (strcmp(c->entries[i].section, "columns") == 0 &&
            column_from_config(s, c, &c->entries[i], err))
            return -1;
    return complete(s, err) ? err_prefix(err, "%s: [columns]", c->path) : 0;
}

// ---- JSON ----

json_t *schema_to_json(const struct schema *s)
{
    json_t *columns = json_array();
    for (const struct schema_column *c = s->columns; c < s->columns + s->n; c++)
        json_array_append_new(columns, json_pack("{ss, ss, ss, so*, so*, ss*}", "name", c->name,
                                                 "header", c->header, "kind", column_kinds[c->kind],
                                                 "min", isfinite(c->min) ? json_real(c->min) : NULL,
                                                 "max", isfinite(c->max) ? json_real(c->max) : NULL,
                                                 "missing", c->missing));
    return json_pack("{ss, so}", "time_format", s->time_format, "columns", columns);
}

static int column_from_json(struct schema *s, json_t *json, struct err *err)
{
    json_error_t why;
    const char *name, *header, *kind, *missing = NULL;
    double min = -INFINITY, max = INFINITY;
    if (json_unpack_ex(json, &why, 0, "{ss, ss, ss, s?F, s?F, s?s}", "name", &name, "header",
                       &header, "kind", &kind, "min", &min, "max", &max, "missing", &missing))
        return err_set(err, "column %zu: %s", s->n, why.text);
    struct schema_column *c = add_column(s, name, header);
    c->min = min;
    c->max = max;
    c->missing = missing ? xstrdup(missing) : NULL;
    return set_kind(c, kind, err) || complete_column(s, err) ? -1 : 0;
}

int schema_from_json(struct schema *s, const json_t *json, struct err *err)
{
    const char *format = json_string_value(json_object_get(json, "time_format"));
    const json_t *columns = json_object_get(json, "columns");
    *s = (struct schema){.time_format = xstrdup(format ? format : "")};
    int rc = json_is_array(columns) ? time_format_check(s->time_format, err)
                                    : err_set(err, "columns: is not an array");
    for (size_t i = 0; i < json_array_size(columns) && rc == 0; i++)
        rc = column_from_json(s, json_array_get(columns, i), err);
    return rc || complete(s, err) ? err_prefix(err, "schema") : 0;
}

// ---- datasets ----

static int read_delimiter(struct dataset *d, struct err *err)
{
    const struct config_entry *e = config_find(&d->config, "input", "delimiter");
    const char *text = e ? e->value : ",";
    // In an .ini a tab is blank and a semicolon begins a comment, so they have names.
    if (strcmp(text, "tab") == 0)
        text = "\t";
    else if (strcmp(text, "semicolon") == 0)
        text = ";";
    else if (strlen(text) != 1 || strchr("\" ", *text) || (unsigned char)*text > 126)
        return config_error(&d->config, e, 0, err,
                            "'%s' is neither one character nor tab or semicolon", text);
    d->delimiter = *text;
    return 0;
}

int dataset_load(struct dataset *d, const char *config, const char *input, struct err *err)
{
    *d = (struct dataset){.file = input, .max_reject_rate = 0.001};
    if (config_load(&d->config, config, err) ||
        config_number(&d->config, "input", "max_reject_rate", 0, 1, &d->max_reject_rate, err) ||
        read_delimiter(d, err) || schema_from_config(&d->schema, &d->config, err))
        return -1;
    const struct config_entry *file = config_find(&d->config, "input", "file");
    if (file && !input)
        d->file = file->value;
    return d->file ? 0 : err_set(err, "%s: [input] file is missing, and no INPUT is given", config);
}
