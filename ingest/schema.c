#include "ingest/schema.h"

#include "base/memory.h"
#include "base/value.h"

#include <iconv.h>
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
    return strncmp(s->time_format, "epoch", 5) == 0 || schema_counts_rows(s);
}

int schema_time(const struct schema *s, const char *text, size_t n, int64_t *seconds)
{
    double v;
    if (s->unit > 1)
        return value_number(text, n, &v) ? -1 : value_seconds(v * (double)s->unit, seconds);
    if (value_time(s->time_format, text, n, seconds))
        return -1;
    if (s->utc_offset && !schema_times_are_numbers(s) && !strstr(s->time_format, "%z"))
        *seconds -= s->utc_offset;
    return 0;
}

bool column_fits_missing(const struct schema_column *c)
{
    return c->kind == COLUMN_NUMBER && c->missing &&
           (strcmp(c->missing, "median") == 0 || strcmp(c->missing, "mean") == 0 ||
            strcmp(c->missing, "flag") == 0);
}

bool schema_is_positive(const char *positive, const char *text)
{
    const size_t n = strlen(text);
    for (const char *p = positive, *next; p; p = next ? next + 1 : NULL) {
        next = strchr(p, '|');
        if (strncmp(p, text, n) == 0 && (p[n] == '|' || p[n] == '\0'))
            return true;
    }
    return false;
}

void schema_release(struct schema *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->columns[i].name);
        free(s->columns[i].header);
        free(s->columns[i].missing);
        free(s->columns[i].strip);
        free(s->columns[i].positive);
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
    if (c->kind == COLUMN_NUMBER && !column_fits_missing(c) &&
        value_number(c->missing, strlen(c->missing), &v))
        return err_set(err, "missing: '%s' is not a number, nor median, mean or flag", c->missing);
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
        const bool texts = (c->kind == COLUMN_KEY && other->kind == COLUMN_CATEGORY) ||
                           (c->kind == COLUMN_CATEGORY && other->kind == COLUMN_KEY);
        if (strcmp(c->header, other->header) == 0 && !texts)
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
    if ((c->strip && !number) || (c->positive && c->kind != COLUMN_LABEL))
        return err_set(err, "only a %s can have '%s'", c->strip ? "number" : "label",
                       c->strip ? "strip" : "positive");
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
    s->columns[s->n] = (struct schema_column){xstrdup(name), xstrdup(header), .min = -INFINITY,
                                              .max = INFINITY, .fill = NAN};
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

// min=NUMBER, max=NUMBER, missing=VALUE, strip=BYTES or positive=TEXTS
static int set_option(struct schema_column *column, char *part, struct err *err)
{
    static const char *const names[] = {"min", "max", "missing", "strip", "positive"};
    enum { N = sizeof names / sizeof *names };
    char *value = part + strcspn(part, "=");
    double *limits[] = {&column->min, &column->max};
    char **texts[] = {&column->missing, &column->strip, &column->positive};
    size_t i = 0;
    if (*value)
        *value++ = '\0';
    while (i < N && strcmp(part, names[i]) != 0)
        i++;
    if (i == N)
        return err_set(err, "'%s' is none of min, max, missing, strip, positive%s", part,
                       err_did_you_mean(part, names, N).text);
    if (!*value)
        return err_set(err, "'%s' needs a value: %s=...", part, part);
    if (i < 2 && value_number(value, strlen(value), limits[i]))
        return err_set(err, "'%s' is not a number", value);
    if (i >= 2) {
        free(*texts[i - 2]);
        *texts[i - 2] = xstrdup(value);
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
                         "[, max=][, missing=][, strip=][, positive=]",
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

static int times_from_config(struct schema *s, const struct config *c, struct err *err)
{
    const struct config_entry *e = config_find(c, "input", "time_format");
    const struct config_entry *unit = config_find(c, "input", "unit");
    const struct config_entry *offset = config_find(c, "input", "utc_offset");
    char day[32];
    int64_t west = 0;
    if (!e)
        return err_set(err,
                       "%s: [input] time_format is missing: epoch, epoch_ms, row, or a format "
                       "such as %s",
                       c->path, "%Y-%m-%d %H:%M:%S");
    s->time_format = xstrdup(e->value);
    if (time_format_check(e->value, err))
        return config_error(c, e, 0, err, "%s", err_copy(err).msg);
    if (unit && (config_duration(c, "input", "unit", &s->unit, err) || s->unit == 0 ||
                 strcmp(e->value, "epoch") != 0))
        return config_error(c, unit, 0, err,
                            "it goes with time_format = epoch, and is a length like 1h or 1d");
    if (!offset)
        return 0;
    snprintf(day, sizeof day, "1970-01-01%.8s", offset->value); // is that far from UTC
    if (strlen(offset->value) > 8 || value_time("%Y-%m-%d%z", day, strlen(day), &west) ||
        schema_counts_rows(s))
        return config_error(c, offset, 0, err,
                            "it is the distance of local time from UTC, like +01:00%s",
                            schema_counts_rows(s) ? ", and rows have no time" : "");
    s->utc_offset = (int32_t)-west;
    return 0;
}

int schema_from_config(struct schema *s, const struct config *c, struct err *err)
{
    *s = (struct schema){.unit = 1};
    if (times_from_config(s, c, err))
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
        json_array_append_new(
            columns, json_pack("{ss, ss, ss, so*, so*, ss*, so*}", "name", c->name, "header",
                               c->header, "kind", column_kinds[c->kind], "min",
                               isfinite(c->min) ? json_real(c->min) : NULL, "max",
                               isfinite(c->max) ? json_real(c->max) : NULL, "missing", c->missing,
                               "fill", isfinite(c->fill) ? json_real(c->fill) : NULL));
    return json_pack("{ss, so*, so*, so}", "time_format", s->time_format, "unit",
                     s->unit > 1 ? json_integer(s->unit) : NULL, "utc_offset",
                     s->utc_offset ? json_integer(s->utc_offset) : NULL, "columns", columns);
}

static int column_from_json(struct schema *s, json_t *json, struct err *err)
{
    json_error_t why;
    const char *name, *header, *kind, *missing = NULL;
    double min = -INFINITY, max = INFINITY, fill = NAN;
    if (json_unpack_ex(json, &why, 0, "{ss, ss, ss, s?F, s?F, s?s, s?F}", "name", &name, "header",
                       &header, "kind", &kind, "min", &min, "max", &max, "missing", &missing,
                       "fill", &fill))
        return err_set(err, "column %zu: %s", s->n, why.text);
    struct schema_column *c = add_column(s, name, header);
    c->min = min;
    c->max = max;
    c->fill = fill;
    c->missing = missing ? xstrdup(missing) : NULL;
    return set_kind(c, kind, err) || complete_column(s, err) ? -1 : 0;
}

int schema_from_json(struct schema *s, const json_t *json, struct err *err)
{
    const char *format = json_string_value(json_object_get(json, "time_format"));
    const json_t *columns = json_object_get(json, "columns");
    int unit = 1, utc_offset = 0;
    *s = (struct schema){.time_format = xstrdup(format ? format : "")};
    int rc = json_is_array(columns) ? time_format_check(s->time_format, err)
                                    : err_set(err, "columns: is not an array");
    if (rc == 0 &&
        (json_unpack((json_t *)json, "{s?i, s?i}", "unit", &unit, "utc_offset", &utc_offset) ||
         unit < 1 || abs(utc_offset) >= SECONDS_PER_DAY))
        rc = err_set(err, "unit or utc_offset: is not a number of seconds");
    s->unit = unit;
    s->utc_offset = utc_offset;
    for (size_t i = 0; i < json_array_size(columns) && rc == 0; i++)
        rc = column_from_json(s, json_array_get(columns, i), err);
    return rc || complete(s, err) ? err_prefix(err, "schema") : 0;
}

// ---- datasets ----

// One character, of which none is in refused, or its name: in an .ini a tab is blank and a semicolon
// begins a comment.
static int read_character(const struct config *c, const char *key, const char *refused, char *to,
                          struct err *err)
{
    static const struct {
        const char *name, byte;
    } named[] = {{"tab", '\t'}, {"semicolon", ';'}, {"comma", ','}, {"point", '.'}, {"space", ' '}};
    const struct config_entry *e = config_find(c, "input", key);
    if (!e)
        return 0;
    *to = *e->value && e->value[1] ? '\0' : *e->value;
    for (size_t i = 0; i < sizeof named / sizeof *named; i++)
        if (strcmp(e->value, named[i].name) == 0)
            *to = named[i].byte;
    if (*to > 0 && *to < 127 && !strchr(refused, *to))
        return 0;
    return config_error(c, e, 0, err,
                        "'%s' is not one character that can stand there; write tab, comma, point, "
                        "space or semicolon (; begins a comment)",
                        e->value);
}

// Read how values are written in the CSV.
static int read_dialect(struct dataset *d, struct err *err)
{
    const struct config *c = &d->config;
    const struct config_entry *header = config_find(c, "input", "header");
    const struct config_entry *encoding = config_find(c, "input", "encoding");
    const struct config_entry *na = config_find(c, "input", "na");
    char item[128];
    int offset = 0;
    if (read_character(c, "delimiter", "\" ", &d->delimiter, err) ||
        read_character(c, "decimal", "0123456789+-eE\" ", &d->decimal, err) ||
        read_character(c, "thousands", "0123456789+-eE\"", &d->thousands, err) ||
        config_int(c, "input", "skip", 0, 1000000, &d->skip, err))
        return -1;
    if (d->decimal == d->thousands)
        return config_error(c, config_find(c, "input", "thousands"), 0, err,
                            "it is the decimal mark; write decimal = comma or point");
    if (header && strcmp(header->value, "none") != 0)
        return config_error(c, header, 0, err, "'%s' is not none", header->value);
    d->no_header = header;
    d->encoding = encoding ? encoding->value : NULL;
    const iconv_t known = encoding ? iconv_open("UTF-8", encoding->value) : NULL;
    if (known == (iconv_t)-1) // NOLINT(performance-no-int-to-ptr): iconv's own
        return config_error(c, encoding, 0, err,
                            "'%s' is no encoding that iconv knows; iconv -l lists them",
                            encoding->value);
    if (known)
        iconv_close(known);
    for (const char *at = na ? na->value : NULL; at;) {
        if (config_list_next(na, &at, item, sizeof item, &offset))
            return config_error(c, na, offset, err, "a text is empty, or its quotes are wrong");
        d->na = xreallocarray(d->na, d->n_na + 1, sizeof *d->na);
        d->na[d->n_na++] = xstrdup(item);
    }
    return 0;
}

int dataset_load(struct dataset *d, const char *config, const char *input, struct err *err)
{
    *d =
        (struct dataset){.file = input, .max_reject_rate = 0.001, .delimiter = ',', .decimal = '.'};
    if (config_load(&d->config, config, err) ||
        config_number(&d->config, "input", "max_reject_rate", 0, 1, &d->max_reject_rate, err) ||
        read_dialect(d, err) || schema_from_config(&d->schema, &d->config, err))
        return -1;
    const struct config_entry *file = config_find(&d->config, "input", "file");
    if (file && !input)
        d->file = file->value;
    return d->file ? 0 : err_set(err, "%s: [input] file is missing, and no INPUT is given", config);
}
