// Opens a feature table and finds its columns by a plan's inputs.
#include "train/examples.h"
#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

static int find_columns(struct examples *e, const struct plan *plan, struct err *err)
{
    e->rows = e->table.rows;
    e->label = table_first(&e->table, COLUMN_LABEL);
    e->time = table_first(&e->table, COLUMN_TIME);
    e->counts_rows = schema_counts_rows(&plan->schema);
    const json_t *as_of = json_object_get(e->table.provenance, "labels_as_of"); // of an export
    if (!as_of)
        as_of = json_object_get(json_object_get(e->table.provenance, "table"), "labels_as_of");
    if (!e->time)
        return err_set(err, "%s: has no time column", e->table.path);
    const int64_t offset = e->counts_rows ? 0 : plan->schema.utc_offset;
    e->labels_as_of = json_is_integer(as_of) ? json_integer_value(as_of) + offset : INT64_MAX;
    int64_t *local = offset ? xcalloc(e->rows, sizeof *local) : NULL;
    for (uint64_t r = 0; local && r < e->rows; r++)
        local[r] = e->time[r] + offset;
    e->time = local ? local : e->time;
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

int examples_open(struct examples *e, const char *path, const struct plan *trained, struct err *err)
{
    *e = (struct examples){0};
    if (!value_utf8(path, strlen(path))) // comparisons name it in JSON
        return err_set(err, "%s: rename this table: its name is not UTF-8", path);
    if (table_open(&e->table, path, err))
        return -1;
    const json_t *plan = json_object_get(e->table.provenance, "plan");
    if (!plan)
        return err_set(err, "%s: its manifest has no plan: is it the output of features?", path);
    if (plan_from_json(&e->plan, plan, err))
        return err_prefix(err, "%s/manifest.json: plan", path);
    if (trained && plan_checksum(trained) != plan_checksum(&e->plan))
        return err_set(
            err,
            "the model was trained on other [columns] or [features] than %s has: compute "
            "these again, or promote a model of them",
            path);
    if (!trained && !table_first(&e->table, COLUMN_LABEL))
        return err_set(err, "%s: has no label column", path);
    return find_columns(e, &e->plan, err);
}

bool examples_trained(const struct examples *e, const struct model *m)
{
    const struct row_range rows = time_rows(m->train.from, m->train.until, e->time, e->rows);
    for (size_t i = 0; i < m->n_inputs; i++) {
        const struct histogram *h = &m->inputs[i].reference;
        uint64_t counts[HISTOGRAM_BINS] = {0}, n = 0, apart = 0;
        for (uint64_t r = rows.first; r < rows.end; r++)
            counts[histogram_bin(h, (double)e->x[i][r])]++;
        for (size_t b = 0; b <= h->n_edges; b++) {
            n += h->counts[b];
            apart += counts[b] > h->counts[b] ? counts[b] - h->counts[b] : h->counts[b] - counts[b];
        }
        if (1000 * apart > n)
            return false;
    }
    return true;
}

const char *examples_time(const struct examples *e, int64_t time, char text[TIME_TEXT])
{
    const int minutes = e->plan.schema.utc_offset / 60;
    if (e->counts_rows)
        snprintf(text, TIME_TEXT, "row %lld", (long long)time);
    else if (time_text(text, time), minutes) // in place of Z
        snprintf(text + strlen(text) - 1, 16, "%+03d:%02d", minutes / 60, abs(minutes % 60));
    return text;
}

struct row_range mature_rows(const struct examples *e, struct row_range rows, int64_t label_delay)
{
    if (e->labels_as_of < INT64_MAX)
        LOWER_BOUND(rows.end, rows.first, rows.end,
                    e->time[rows.end] + label_delay <= e->labels_as_of);
    return rows;
}

int examples_join(struct examples *e, const struct examples *tables, size_t n, int64_t label_delay,
                  struct err *err)
{
    struct table *parts = xcalloc(n, sizeof *parts);
    uint64_t *rows = xcalloc(n, sizeof *rows);
    int rc = 0;
    *e = tables[n - 1];
    for (size_t i = 0; i < n; i++) {
        const struct row_range all = {0, tables[i].rows};
        rows[i] = i + 1 < n ? mature_rows(&tables[i], all, label_delay).end : all.end;
        parts[i] = tables[i].table;
        if (plan_checksum(&tables[i].plan) != plan_checksum(&tables->plan))
            rc = err_set(err,
                         "%s: has other [columns] or [features] than %s: compute the features of "
                         "all tables under one description",
                         parts[i].path, parts->path);
    }
    rc = rc || table_join(&e->table, parts, n, rows, err) || find_columns(e, &e->plan, err);
    e->labels_as_of = tables[n - 1].labels_as_of;
    e->parts = tables;
    e->n_parts = n;
    free(parts);
    free(rows);
    return rc ? -1 : 0;
}

int examples_open_all(struct examples *e, char *const *paths, size_t n, const struct plan *trained,
                      const struct config *config, struct err *err)
{
    struct examples *tables = xcalloc(n, sizeof *tables);
    struct split split;
    e->parts = tables;
    for (size_t i = 0; i < n; i++)
        if (examples_open(&tables[i], paths[i], trained, err))
            return -1;
    if (split_labels(&split, config, &tables->plan.schema, err))
        return -1;
    return examples_join(e, tables, n, split.label_delay, err);
}
