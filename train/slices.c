#include "base/memory.h"
#include "base/value.h"
#include "train/metrics.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

// The shortest decimal that reads as the same float32.
static void number_text(char text[32], double x)
{
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, 32, "%.*g", digits, x);
        if (strtof(text, NULL) == (float)x)
            return;
    }
}

// ---- bands --------------------------------------------------------------------------------------

static int read_edges(struct slicing *s, const char *at, const struct config *c,
                      const struct config_entry *entry, struct err *err)
{
    s->at[s->n++] = -INFINITY;
    for (; at; s->n++) {
        char number[32];
        int offset;
        double *edge = &s->at[s->n];
        const int bad = config_list_next(entry, &at, number, sizeof number, &offset);
        if (s->n == SLICES_MAX)
            return config_error(c, entry, offset, err, "more than %d edges", SLICES_MAX - 1);
        if (bad || value_number(number, strlen(number), edge))
            return config_error(c, entry, offset, err, "'%.40s' is not a list of numbers",
                                entry->value + offset);
        if (!(fabs(*edge) <= (double)FLT_MAX))
            return config_error(c, entry, offset, err, "no feature can reach '%s'", number);
        *edge = (double)(float)*edge; // as features are
        if (!(*edge > edge[-1]))
            return config_error(c, entry, offset, err, "the edges must rise");
    }
    for (size_t i = 0; i < s->n; i++) {
        char *name = s->names[i], from[32], to[32];
        number_text(from, s->at[i]);
        number_text(to, i + 1 < s->n ? s->at[i + 1] : 0);
        if (i == 0)
            snprintf(name, SLICE_NAME, "under %s", to);
        else if (i + 1 == s->n)
            snprintf(name, SLICE_NAME, "%s and over", from);
        else
            snprintf(name, SLICE_NAME, "%s to under %s", from, to);
    }
    return 0;
}

// ---- values -------------------------------------------------------------------------------------

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
        number_text(s->names[i], s->at[i]);
    return 0;
}

// A category's text as a name: control characters become blanks, and a long text ends at a whole
// UTF-8 character.
static void name_text(char name[SLICE_NAME], const char *text)
{
    const size_t n = value_utf8_begin(text, strnlen(text, SLICE_NAME - 1));
    for (size_t i = 0; i < n; i++)
        name[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
    name[n] = '\0';
}

// All codes of a small dictionary; of a large one the most frequent codes in the rows, and one
// slice for the others.
static void collect_codes(struct slicing *s, const struct table_column *c, struct row_range rows)
{
    const size_t all = c->dictionary_size;
    int64_t *count = xcalloc(all, sizeof *count); // -1: has a slice
    s->codes = c->data;
    s->others = all > SLICES_MAX;
    s->n = s->others ? SLICES_MAX : all;
    for (uint64_t r = rows.first; r < rows.end; r++)
        count[s->codes[r]]++;
    for (size_t i = 0; i < s->n; i++) {
        size_t best = i;
        for (size_t k = 0; k < all && s->others; k++)
            if (count[k] > count[best])
                best = k;
        count[best] = -1;
        s->at[i] = (double)best;
        name_text(s->names[i], s->others && i == s->n - 1 ? "(others)" : c->dictionary[best]);
    }
    free(count);
}

// ---- [slices] -----------------------------------------------------------------------------------

static int read_slicing(struct slicing *s, const struct examples *e, struct row_range test,
                        const struct config *c, const struct config_entry *entry, struct err *err)
{
    char source[128];
    const size_t length = strcspn(entry->value, ": \t\n");
    const char *rest = entry->value + length + strspn(entry->value + length, " \t\n");
    s->name = entry->key;
    if (!value_utf8(s->name, strlen(s->name)) || strpbrk(s->name, "\t\v\f\r"))
        return config_error(c, entry, -1, err, "its name is not UTF-8 or holds a tab");
    snprintf(source, sizeof source, "%.*s", (int)length, entry->value);
    if (length == 0 || length >= sizeof source || (*rest && *rest != ':'))
        return config_error(c, entry, 0, err,
                            "expected a feature or category, and edges after a colon: "
                            "amount: 20, 50, 100");
    const int column = table_find(&e->table, source);
    if (column >= 0 && e->table.columns[column].kind == COLUMN_CATEGORY) {
        if (*rest)
            return config_error(c, entry, (int)length, err, "a category has no edges");
        collect_codes(s, &e->table.columns[column], test);
        return 0;
    }
    for (size_t i = 0; i < e->n_inputs; i++)
        if (strcmp(e->names[i], source) == 0)
            s->x = e->x[i];
    if (!s->x)
        return config_error(c, entry, 0, err, "there is no feature and no category '%s'%s", source,
                            err_did_you_mean(source, e->names, e->n_inputs).text);
    if (*rest)
        return read_edges(s, rest + 1, c, entry, err);
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
    *list = xcalloc(c->n, sizeof **list);
    for (size_t i = 0; i < c->n; i++) {
        const struct config_entry *entry = &c->entries[i];
        if (strcmp(entry->section, "slices") != 0)
            continue;
        if (*n == SLICES_MAX)
            return config_error(c, entry, -1, err, "more than %d ways to slice", SLICES_MAX);
        if (read_slicing(&(*list)[(*n)++], e, test, c, entry, err))
            return -1;
    }
    return 0;
}

// ---- rows ---------------------------------------------------------------------------------------

static size_t slice_of(const struct slicing *s, uint64_t row)
{
    const double x = s->x ? (double)s->x[row] : (double)s->codes[row];
    size_t i = 0;
    while (i + 1 < s->n && (s->others ? s->at[i] != x : s->at[i + 1] <= x))
        i++;
    return i;
}

int8_t *slice_judged(const struct slicing *s, size_t k, struct row_range test, const int8_t *judged)
{
    int8_t *labels = xmalloc((size_t)(test.end - test.first));
    for (uint64_t r = test.first; r < test.end; r++)
        labels[r - test.first] =
            slice_of(s, r) == k ? judged[r - test.first] : (int8_t)LABEL_ELSEWHERE;
    return labels;
}

bool slice_is_small(const struct tally *t)
{
    return t->frauds < SLICE_LEAST || t->rows - t->frauds < SLICE_LEAST;
}
