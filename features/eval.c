// Row-wise operations, one loop per operation over a run of events: the compiler vectorises most,
// and every value is the same IEEE double for one event as for thousands.
#include "features/eval.h"

#include "ingest/value.h"

#include <math.h>

static double hour_of(int64_t time)
{
    int64_t hour = (time - day_of(time) * SECONDS_PER_DAY) / 3600;
    return (double)hour;
}

static double weekday_of(int64_t time)
{
    int64_t day = day_of(time) + 3; // 1970-01-01 was a Thursday, 3 when Monday is 0
    return (double)((day % 7 + 7) % 7);
}

static void column(const struct block *b, const struct node *n, double *out, size_t first,
                   size_t end)
{
    const void *data = b->events->columns[n->a];
    switch (b->plan->schema.columns[n->a].kind) {
    case COLUMN_NUMBER:
        for (size_t i = first; i < end; i++)
            out[i] = ((const double *)data)[i];
        break;
    case COLUMN_TIME:
        for (size_t i = first; i < end; i++)
            out[i] = (double)((const int64_t *)data)[i];
        break;
    case COLUMN_LABEL: // -1, not known, counts as genuine so far
        for (size_t i = first; i < end; i++)
            out[i] = b->label < 0 ? data && ((const int8_t *)data)[i] == 1 : b->label;
        break;
    default: // the parser makes no node of the others
        break;
    }
}

static void is_text(const struct block *b, size_t node, double *out, size_t first, size_t end)
{
    const uint32_t *codes = b->events->columns[b->plan->nodes[node].a];
    uint32_t code = b->text_codes[node];
    for (size_t i = first; i < end; i++)
        out[i] = code != UINT32_MAX && codes[i] == code;
}

#define EACH(expression)                                                                           \
    for (size_t i = first; i < end; i++)                                                           \
        out[i] = (expression);                                                                     \
    break

static void operation(enum node_op op, const double *x, const double *y, double *out, size_t first,
                      size_t end)
{
    switch (op) {
    case NODE_ADD:
        EACH(x[i] + y[i]);
    case NODE_SUB:
        EACH(x[i] - y[i]);
    case NODE_MUL:
        EACH(x[i] * y[i]);
    case NODE_DIV:
        EACH(y[i] == 0 ? 0 : x[i] / y[i]);
    case NODE_LT:
        EACH(x[i] < y[i]);
    case NODE_LE:
        EACH(x[i] <= y[i]);
    case NODE_GT:
        EACH(x[i] > y[i]);
    case NODE_GE:
        EACH(x[i] >= y[i]);
    case NODE_EQ:
        EACH(x[i] == y[i]);
    case NODE_NE:
        EACH(x[i] != y[i]);
    case NODE_MIN:
        EACH(y[i] < x[i] || isnan(y[i]) ? y[i] : x[i]);
    case NODE_MAX:
        EACH(y[i] > x[i] || isnan(y[i]) ? y[i] : x[i]);
    case NODE_NEG:
        EACH(-x[i]);
    case NODE_LOG1P:
        EACH(log1p(x[i]));
    case NODE_ABS:
        EACH(fabs(x[i]));
    default: // leaves and windows are not computed here
        break;
    }
}

void eval_node(const struct block *b, size_t node, size_t first, size_t end)
{
    const struct node *n = &b->plan->nodes[node];
    double *out = b->values[node];
    const int64_t *time;
    switch (n->op) {
    case NODE_NUMBER:
        EACH(n->value);
    case NODE_COLUMN:
        column(b, n, out, first, end);
        break;
    case NODE_IS_TEXT:
        is_text(b, node, out, first, end);
        break;
    case NODE_HOUR:
        time = b->events->columns[b->plan->nodes[n->a].a];
        EACH(hour_of(time[i]));
    case NODE_WEEKDAY:
        time = b->events->columns[b->plan->nodes[n->a].a];
        EACH(weekday_of(time[i]));
    default:
        // of one operand, the second is the first
        operation(n->op, b->values[n->a], b->values[n->b < 0 ? n->a : n->b], out, first, end);
        break;
    }
}
