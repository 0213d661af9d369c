// Opens a feature table and finds its columns by the plan that made it.
#include "train/examples.h"
#include "base/memory.h"

#include <stdlib.h>

// The first column of a kind; NULL where there is none.
static const void *first(const struct table *t, enum column_kind kind)
{
    const int c = table_find_kind(t, kind);
    return c < 0 ? NULL : t->columns[c].data;
}

static int find_columns(struct examples *e, struct err *err)
{
    e->rows = e->table.rows;
    e->label = first(&e->table, COLUMN_LABEL);
    e->time = first(&e->table, COLUMN_TIME);
    e->card = first(&e->table, COLUMN_KEY);
    if (!e->label || !e->time)
        return err_set(err, "%s: has no %s column, which training needs", e->table.path,
                       column_kind_name(e->label ? COLUMN_TIME : COLUMN_LABEL));
    e->n_inputs = e->plan.n_inputs;
    e->x = xcalloc(e->n_inputs, sizeof *e->x);
    e->names = xcalloc(e->n_inputs, sizeof *e->names);
    for (size_t i = 0; i < e->n_inputs; i++) {
        e->names[i] = e->plan.inputs[i].name;
        e->x[i] = table_data(&e->table, e->names[i], COLUMN_FEATURE, err);
        if (!e->x[i])
            return -1;
    }
    return 0;
}

int examples_open(struct examples *e, const char *path, struct err *err)
{
    *e = (struct examples){0};
    if (table_open(&e->table, path, err))
        return -1;
    const json_t *plan = json_object_get(e->table.provenance, "plan");
    int rc;
    if (!plan)
        rc = err_set(err, "%s: its manifest has no plan: is it the output of features?", path);
    else if (plan_from_json(&e->plan, plan, err))
        rc = err_prefix(err, "%s/manifest.json: plan", path);
    else
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
