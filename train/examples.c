// Opens a feature table and finds its columns by a plan's inputs.
#include "train/examples.h"
#include "base/memory.h"

#include <stdlib.h>

// The first column of a kind; NULL where there is none.
static const void *first(const struct table *t, enum column_kind kind)
{
    const int c = table_find_kind(t, kind);
    return c < 0 ? NULL : t->columns[c].data;
}

static int find_columns(struct examples *e, const struct plan *plan, struct err *err)
{
    e->rows = e->table.rows;
    e->label = first(&e->table, COLUMN_LABEL);
    e->time = first(&e->table, COLUMN_TIME);
    const json_t *as_of = json_object_get(e->table.provenance, "labels_as_of");
    e->labels_as_of = json_is_integer(as_of) ? json_integer_value(as_of) : INT64_MAX;
    if (!e->time)
        return err_set(err, "%s: has no time column", e->table.path);
    e->n_inputs = plan->n_inputs;
    e->x = xcalloc(e->n_inputs, sizeof *e->x);
    e->names = xcalloc(e->n_inputs, sizeof *e->names);
    for (size_t i = 0; i < e->n_inputs; i++) {
        e->names[i] = plan->inputs[i].name;
        e->x[i] = table_data(&e->table, e->names[i], COLUMN_FEATURE, err);
        if (!e->x[i])
            return -1;
    }
    return 0;
}

static int open_plan(struct examples *e, struct err *err)
{
    const json_t *plan = json_object_get(e->table.provenance, "plan");
    if (!plan)
        return err_set(err, "%s: its manifest has no plan: is it the output of features?",
                       e->table.path);
    if (plan_from_json(&e->plan, plan, err))
        return err_prefix(err, "%s/manifest.json: plan", e->table.path);
    return 0;
}

int examples_open(struct examples *e, const char *path, const struct plan *trained, struct err *err)
{
    *e = (struct examples){0};
    if (table_open(&e->table, path, err) || open_plan(e, err))
        return -1;
    if (trained && plan_checksum(trained) != plan_checksum(&e->plan))
        return err_set(
            err,
            "the model was trained on other [columns] or [features] than %s has: compute "
            "these again, or promote a model of them",
            path);
    if (!trained && table_find_kind(&e->table, COLUMN_LABEL) < 0)
        return err_set(err, "%s: has no label column", path);
    return find_columns(e, &e->plan, err);
}

struct row_range mature_rows(const struct examples *e, struct row_range rows, int64_t label_delay)
{
    if (e->labels_as_of < INT64_MAX)
        LOWER_BOUND(rows.end, rows.first, rows.end,
                    e->time[rows.end] + label_delay <= e->labels_as_of);
    return rows;
}

// ---- several tables -----------------------------------------------------------------------------

// Codes of one table's dictionary become those of all.
static int recode(uint32_t *codes, uint64_t rows, const struct table_column *c,
                  struct dictionary *all, struct err *err)
{
    uint32_t *code = xcalloc(c->dictionary_size, sizeof *code);
    int rc = 0;
    for (size_t k = 0; k < c->dictionary_size && rc == 0; k++)
        rc = dictionary_code(all, c->dictionary[k], &code[k], err);
    for (uint64_t r = 0; r < rows && rc == 0; r++)
        codes[r] = code[codes[r]];
    free(code);
    return rc;
}

// c: in, a column of the last table; out, the joined one. rows[n]: how many of each table.
static int join_column(struct table_column *c, const struct examples *tables, const uint64_t *rows,
                       size_t n, uint64_t all, struct err *err)
{
    struct dictionary texts = {0};
    const size_t size = column_size(c->kind);
    char *data = xmalloc(all * size), *end = data;
    for (size_t i = 0; i < n; end += rows[i++] * size) {
        const struct table *t = &tables[i].table;
        const void *from = table_data(t, c->name, c->kind, err);
        if (!from)
            return -1;
        memcpy(end, from, rows[i] * size);
        if (c->kind == COLUMN_CATEGORY && recode((uint32_t *)(void *)end, rows[i],
                                                 &t->columns[table_find(t, c->name)], &texts, err))
            return err_prefix(err, "%s: %s", t->path, c->name);
    }
    free(texts.sorted);
    c->data = data;
    c->dictionary = texts.texts;
    c->dictionary_size = texts.n;
    return 0;
}

int examples_join(struct examples *e, const struct examples *tables, size_t n, int64_t label_delay,
                  struct err *err)
{
    const struct examples *last = &tables[n - 1];
    struct table *to = &e->table;
    uint64_t *rows = xcalloc(n, sizeof *rows);
    int rc = 0;
    *e = *last;
    to->columns = xcalloc(last->table.n, sizeof *to->columns);
    to->rows = to->n = 0;
    for (size_t i = 0; i < n; i++) {
        const struct row_range all = {0, tables[i].rows};
        rows[i] = i + 1 < n ? mature_rows(&tables[i], all, label_delay).end : all.end;
        to->rows += rows[i];
        if (i > 0 && all.end > 0 && tables[i - 1].rows > 0 &&
            tables[i].time[0] <= tables[i - 1].time[tables[i - 1].rows - 1])
            rc = err_set(err,
                         "%s: begins before %s has ended: give tables that do not overlap, the "
                         "oldest first",
                         tables[i].table.path, tables[i - 1].table.path);
    }
    for (size_t c = 0; c < last->table.n && rc == 0; c++) {
        to->columns[to->n] = last->table.columns[c];
        if (to->columns[to->n].kind != COLUMN_NUMBER)
            rc = join_column(&to->columns[to->n++], tables, rows, n, to->rows, err);
    }
    free(rows);
    return rc ? -1 : find_columns(e, &e->plan, err);
}
