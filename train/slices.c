// Declares groups of rows and measures each. The metrics are metrics.c's.
#include "train/slices.h"
#include "ingest/value.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- what a slicing groups by ----------------------------------------------------------------------

static const struct table_column *find_category(const struct examples *e, const char *name)
{
    int c = table_find(&e->table, name);
    return c >= 0 && e->table.columns[c].kind == COLUMN_CATEGORY ? &e->table.columns[c] : NULL;
}

static int find_source(struct slicing *s, const struct examples *e, const char *name,
                       const struct config *c, const struct config_entry *entry, struct err *err)
{
    const struct table_column *category = find_category(e, name);
    char hint[160];
    if (category) {
        s->codes = category->data;
        return 0;
    }
    for (size_t i = 0; i < e->n_inputs && !s->x; i++)
        if (strcmp(e->names[i], name) == 0)
            s->x = e->x[i];
    if (s->x)
        return 0;
    return config_error(c, entry, 0, err, "there is no feature and no category '%s'%s", name,
                        err_did_you_mean(hint, sizeof hint, name, e->names, e->n_inputs));
}

// The shortest decimal that reads as the same float32.
static const char *number_text(char text[32], double x)
{
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, 32, "%.*g", digits, x);
        if (strtof(text, NULL) == (float)x)
            break;
    }
    return text;
}

// ---- bands -----------------------------------------------------------------------------------------

static int read_edges(struct slicing *s, const char *at, const struct config *c,
                      const struct config_entry *entry, struct err *err)
{
    for (; at; s->n_edges++) {
        char number[32];
        int offset;
        const int bad = config_list_next(entry, &at, number, sizeof number, &offset);
        if (s->n_edges == SLICES_MAX - 1)
            return config_error(c, entry, offset, err, "more than %d edges", SLICES_MAX - 1);
        if (bad || number_parse(number, &s->at[s->n_edges]))
            return config_error(c, entry, offset, err, "'%.40s' is not a list of numbers",
                                entry->value + offset);
        if (!(fabs(s->at[s->n_edges]) <= (double)FLT_MAX))
            return config_error(c, entry, offset, err, "'%s' is beyond what a feature can be",
                                number);
        s->at[s->n_edges] = (double)(float)s->at[s->n_edges]; // as features are
        if (s->n_edges > 0 && !(s->at[s->n_edges] > s->at[s->n_edges - 1]))
            return config_error(c, entry, offset, err, "the edges must rise");
    }
    return 0;
}

static void name_bands(struct slicing *s)
{
    s->n = s->n_edges + 1;
    for (size_t i = 0; i < s->n; i++) {
        char *name = s->slices[i].name, from[32], to[32];
        if (i == 0)
            snprintf(name, SLICE_NAME, "under %s", number_text(to, s->at[0]));
        else if (i == s->n_edges)
            snprintf(name, SLICE_NAME, "%s and over", number_text(from, s->at[i - 1]));
        else
            snprintf(name, SLICE_NAME, "%s to under %s", number_text(from, s->at[i - 1]),
                     number_text(to, s->at[i]));
    }
}

// ---- values ----------------------------------------------------------------------------------------

// The values of the rows in rising order; -1 where there are more than SLICES_MAX.
static int collect_values(struct slicing *s, struct row_range rows)
{
    for (uint64_t r = rows.first; r < rows.end; r++) {
        const double x = (double)s->x[r];
        size_t i = 0;
        while (i < s->n && s->at[i] < x)
            i++;
        if (i < s->n && s->at[i] == x)
            continue;
        if (s->n == SLICES_MAX)
            return -1;
        memmove(&s->at[i + 1], &s->at[i], (s->n++ - i) * sizeof *s->at);
        s->at[i] = x;
    }
    for (size_t i = 0; i < s->n; i++)
        number_text(s->slices[i].name, s->at[i]);
    return 0;
}

// A category's text as a name: control characters become blanks, and a long one ends at a whole
// UTF-8 character.
static void name_text(char name[SLICE_NAME], const char *text)
{
    size_t n = strlen(text) < SLICE_NAME ? strlen(text) : SLICE_NAME - 1;
    while (text[n] != '\0' && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    for (size_t i = 0; i < n; i++)
        name[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
    name[n] = '\0';
}

// All codes of a small dictionary; else the most frequent in the rows, and one slice for the others.
static int collect_codes(struct slicing *s, const struct table_column *c, struct row_range rows,
                         struct err *err)
{
    const size_t all = c->dictionary_size;
    s->others = all > SLICES_MAX;
    s->n = s->others ? SLICES_MAX : all;
    uint64_t *count = calloc(all + 1, sizeof *count);
    bool *taken = calloc(all + 1, sizeof *taken);
    for (uint64_t r = rows.first; r < rows.end && count; r++)
        count[s->codes[r]]++;
    for (size_t i = 0; i < s->n && count && taken; i++) {
        size_t best = i;
        for (size_t k = 0; k < all && s->others; k++)
            if (!taken[k] && (taken[best] || count[k] > count[best]))
                best = k;
        taken[best] = true;
        s->at[i] = (double)best;
        name_text(s->slices[i].name, s->others && i == s->n - 1 ? "(others)" : c->dictionary[best]);
    }
    const int rc = count && taken ? 0 : err_set(err, "out of memory for slices");
    free(count);
    free(taken);
    return rc;
}

// n: how many there are with this one.
static int read_slicing(struct slicing *s, size_t n, const struct examples *e,
                        struct row_range test, const struct config *c,
                        const struct config_entry *entry, struct err *err)
{
    char source[128];
    const size_t length = strcspn(entry->value, ": \t\n");
    const char *rest = entry->value + length + strspn(entry->value + length, " \t\n");
    if (n > SLICES_MAX)
        return config_error(c, entry, -1, err, "more than %d ways to slice", SLICES_MAX);
    s->name = strdup(entry->key);
    if (!s->name)
        return err_set(err, "out of memory for slices");
    if (!value_utf8(s->name, strlen(s->name)) || strpbrk(s->name, "\t\v\f\r"))
        return config_error(c, entry, -1, err, "its name is not UTF-8 or holds a tab");
    snprintf(source, sizeof source, "%.*s", (int)length, entry->value);
    if (length == 0 || length >= sizeof source || (*rest && *rest != ':'))
        return config_error(c, entry, 0, err,
                            "a feature or category is expected, and edges behind a colon: "
                            "amount: 20, 50, 100");
    if (find_source(s, e, source, c, entry, err))
        return -1;
    if (s->codes && *rest)
        return config_error(c, entry, (int)length, err, "a category has no edges");
    if (s->codes)
        return collect_codes(s, find_category(e, source), test, err);
    if (*rest) {
        int rc = read_edges(s, rest + 1, c, entry, err);
        name_bands(s);
        return rc;
    }
    if (collect_values(s, test))
        return config_error(c, entry, 0, err,
                            "'%s' has more than %d different values in the test rows: give edges, "
                            "such as %s: 20, 50, 100",
                            source, SLICES_MAX, source);
    return 0;
}

int slices_from_config(struct slicing **list, size_t *n, const struct examples *e,
                       struct row_range test, const struct config *c, struct err *err)
{
    *n = 0;
    *list = calloc(c->n + 1, sizeof **list);
    if (!*list)
        return err_set(err, "out of memory for slices");
    int rc = 0;
    for (size_t i = 0; i < c->n && rc == 0; i++)
        if (strcmp(c->entries[i].section, "slices") == 0 && ++*n)
            rc = read_slicing(&(*list)[*n - 1], *n, e, test, c, &c->entries[i], err);
    return rc; // what was read is released with the list
}

// ---- measuring -------------------------------------------------------------------------------------

static size_t slice_of(const struct slicing *s, uint64_t row)
{
    const double x = s->x ? (double)s->x[row] : (double)s->codes[row];
    size_t i = 0;
    if (s->n_edges > 0) {
        while (i < s->n_edges && x >= s->at[i])
            i++;
        return i;
    }
    while (i + (s->others ? 1 : 0) < s->n && s->at[i] != x)
        i++;
    return i;
}

int slicing_measure(struct slicing *s, struct row_range test, const double *score,
                    const int8_t *judged, double threshold, struct err *err)
{
    const size_t rows = (size_t)(test.end - test.first);
    uint8_t *slice = malloc(rows + 1);
    double *scores = malloc((rows + 1) * sizeof *scores);
    int8_t *labels = malloc(rows + 1);
    int rc = slice && scores && labels ? 0 : err_set(err, "out of memory for slices");
    for (size_t i = 0; i < rows && rc == 0; i++)
        slice[i] = (uint8_t)slice_of(s, test.first + i);
    for (size_t k = 0; k < s->n && rc == 0; k++) {
        struct slice *out = &s->slices[k];
        size_t n = 0;
        for (size_t i = 0; i < rows; i++)
            if (slice[i] == k) {
                scores[n] = score[i];
                labels[n++] = judged[i];
            }
        rc = metrics_compute(&out->metrics, scores, labels, n, threshold, err);
        const struct tally *t = &out->metrics.tally;
        out->small = t->frauds < SLICE_LEAST || t->rows - t->frauds < SLICE_LEAST;
    }
    free(slice);
    free(scores);
    free(labels);
    return rc;
}

void slicing_release(struct slicing *s)
{
    free(s->name);
    *s = (struct slicing){0};
}
