// Opens a feature table and finds its columns by the plan that made it.
#include "train/examples.h"
#include "base/memory.h"

#include <stdlib.h>

static const void *only(const struct table *t, enum column_kind kind, struct err *err)
{
    int c = table_find_kind(t, kind);
    if (c >= 0)
        return t->columns[c].data;
    err_set(err, "%s: has no %s column, which training needs", t->path, column_kind_name(kind));
    return NULL;
}

static int find_columns(struct examples *e, struct err *err)
{
    const struct schema *s = &e->plan.schema;
    e->rows = e->table.rows;
    e->n_inputs = e->plan.n_inputs;
    e->x = xcalloc(e->n_inputs + 1, sizeof *e->x);
    e->names = xcalloc(e->n_inputs + 1, sizeof *e->names);
    for (size_t i = 0; i < e->n_inputs; i++) {
        e->names[i] = e->plan.inputs[i].name;
        e->x[i] = table_data(&e->table, e->names[i], COLUMN_FEATURE, err);
        if (!e->x[i])
            return -1;
    }
    e->label = only(&e->table, COLUMN_LABEL, err);
    e->time = e->label ? only(&e->table, COLUMN_TIME, err) : NULL;
    if (!e->time)
        return -1;
    size_t c = 0;
    while (c < s->n && s->columns[c].kind != COLUMN_KEY)
        c++;
    if (c == s->n)
        return 0;
    e->card = table_data(&e->table, s->columns[c].name, COLUMN_KEY, err);
    return e->card ? 0 : -1;
}

int examples_open(struct examples *e, const char *path, struct err *err)
{
    *e = (struct examples){0};
    if (table_open(&e->table, path, err))
        return -1;
    const json_t *plan = json_object_get(e->table.provenance, "plan");
    int rc = 0;
    if (!plan)
        rc = err_set(err, "%s: its manifest has no plan: is it the output of features?", path);
    else if (plan_from_json(&e->plan, plan, err))
        rc = err_prefix(err, "%s/manifest.json: plan", path);
    if (rc == 0)
        rc = find_columns(e, err);
    if (rc)
        examples_release(e);
    return rc;
}

void examples_release(struct examples *e)
{
    free(e->x);
    free(e->names);
    plan_release(&e->plan);
    table_release(&e->table);
    *e = (struct examples){0};
}
