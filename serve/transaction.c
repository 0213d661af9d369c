#include "serve/transaction.h"

#include "base/memory.h"
#include "base/value.h"

#include <math.h>

// The value that is being read; index is -1 outside an array.
struct place {
    const struct service *service;
    struct reply *reply;
    int64_t now; // service_now
    struct store_row *row;
    const struct schema_column *column;
    long index;
};

// A 422 that names the column.
#define REFUSE(p, ...) reply_problem((p)->reply, 422, (p)->column->name, (p)->index, __VA_ARGS__)

int body_parse(struct body *b, const char *text, size_t n, size_t width, const char *what,
               struct reply *r)
{
    json_t *document = json_from_body(text, n, width, r);
    if (!document)
        return -1;
    *b = (struct body){document, 1, json_is_array(document)};
    if (b->array)
        b->n = json_array_size(document);
    if (!b->array && !json_is_object(document))
        reply_problem(r, 400, NULL, -1, "the body must be a %s, {\"id\": ...}, or an array of them",
                      what);
    else if (b->n == 0)
        reply_problem(r, 400, NULL, -1, "the array holds no %s", what);
    else if (b->n > MAX_ROWS)
        reply_problem(r, 413, NULL, -1, "the array holds %zu elements; send %d at most", b->n,
                      MAX_ROWS);
    else
        return 0;
    return -1;
}

json_t *body_element(const struct body *b, size_t i)
{
    return b->array ? json_array_get(b->document, i) : b->document;
}

long body_index(const struct body *b, size_t i)
{
    return b->array ? (long)i : -1;
}

void body_mark(const struct body *b, size_t i, struct reply *r)
{
    if (b->array)
        reply_text(r, i == 0 ? "[" : i < b->n ? "," : "]");
}

static int refuse_type(const struct place *p, const json_t *v, const char *wanted)
{
    return REFUSE(p, "'%s' must be %s, not %s", p->column->name, wanted,
                  json_type_words(json_typeof(v)));
}

// An integer is the same key as its decimal text. NULL for other types.
static const char *key_text(const json_t *v, char digits[24], size_t *n)
{
    if (json_is_string(v)) {
        *n = json_string_length(v);
        return json_string_value(v);
    }
    if (!json_is_integer(v))
        return NULL;
    *n = (size_t)snprintf(digits, 24, "%lld", (long long)json_integer_value(v));
    return digits;
}

static int put_number(const struct place *p, const json_t *v, double *to)
{
    const struct schema_column *c = p->column;
    const double x = json_number_value(v);
    if (!json_is_number(v))
        return refuse_type(p, v, "a number");
    if (x < c->min)
        return REFUSE(p, "'%s' is %.15g, less than %.15g", c->name, x, c->min);
    if (x > c->max)
        return REFUSE(p, "'%s' is %.15g, more than %.15g", c->name, x, c->max);
    *to = x + 0.0; // -0 becomes 0, as in the database
    return 0;
}

static int put_time(const struct place *p, const json_t *v, int64_t *to)
{
    const char *name = p->column->name, *text = json_string_value(v);
    const bool number = schema_times_are_numbers(&p->service->plan->schema);
    const double x = json_number_value(v);
    if (!json_is_number(v) && (number || !text))
        return refuse_type(p, v, number ? "a number" : "a time like \"2018-10-01T08:15:00Z\"");
    if (text && (json_string_length(v) <= strlen("2018-10-01") || // a day does not place it
                 value_moment(text, json_string_length(v), to)))
        return REFUSE(p, "'%s' is \"%.40s\", not a time like 2018-10-01T08:15:00Z", name, text);
    if (!text && value_seconds(x, to))
        return REFUSE(p, "'%s' is %.17g, not seconds in the years 1 to 9999", name, x);
    const int64_t ahead = *to - p->now;
    if (schema_counts_rows(&p->service->plan->schema) || ahead <= SECONDS_PER_DAY)
        return 0;
    return REFUSE(p,
                  "'%s' is %lld days %lld h in the future, more than a day; were it counted, "
                  "earlier ones of the same keys would be refused",
                  name, (long long)(ahead / SECONDS_PER_DAY),
                  (long long)(ahead % SECONDS_PER_DAY / 3600));
}

static int put_value(const struct place *p, const json_t *v)
{
    const struct schema_column *c = p->column;
    const size_t at = (size_t)(c - p->service->plan->schema.columns);
    void *to = &p->row->values[at];
    char digits[24];
    size_t n = 0;
    const char *text = key_text(v, digits, &n);
    const bool absent = !v || json_is_null(v) || (text && n == 0); // "" is no value, as in a CSV
    if (c->kind == COLUMN_LABEL)
        return v ? REFUSE(p, "'%s' is what the model is asked for; leave it out", c->name) : 0;
    if (absent && c->kind == COLUMN_TIME && schema_counts_rows(&p->service->plan->schema)) {
        *(int64_t *)to = NEXT_ROW;
        return 0;
    }
    if (absent && !c->missing)
        return REFUSE(p, "'%s' (%s) is missing", c->name, column_kinds[c->kind]);
    if (absent && column_fits_missing(c)) {
        *(double *)to = NAN;
        return 0;
    }
    if (absent) {
        text = c->missing;
        n = strlen(text);
    }
    switch (c->kind) {
    case COLUMN_ID:
    case COLUMN_KEY:
        if (!text)
            return refuse_type(p, v, "a string or an integer");
        *(uint64_t *)to = pseudonym_hash(&p->service->pseudonym, c->name, text, n);
        return 0;
    case COLUMN_CATEGORY:
        if (!absent && !json_is_string(v))
            return refuse_type(p, v, "a string");
        p->row->texts[at] = text;
        *(uint32_t *)to = dictionary_find(&p->service->dictionaries[at], text);
        return 0;
    case COLUMN_TIME:
        return put_time(p, v, to);
    default:
        if (!absent)
            return put_number(p, v, to);
        value_number(text, n, to); // the schema has checked its missing value
        return 0;
    }
}

static int refuse_name(const struct place *p, const char *name)
{
    const struct schema *schema = &p->service->plan->schema;
    const char **known = xcalloc(schema->n, sizeof *known);
    char shown[65];
    for (size_t c = 0; c < schema->n; c++)
        known[c] = schema->columns[c].name;
    snprintf(shown, sizeof shown, "%s", name);
    const struct hint hint = err_did_you_mean(shown, known, schema->n);
    free(known);
    const bool no_id = strcmp(name, "id") == 0 && schema_find_kind(schema, COLUMN_ID) < 0;
    return reply_problem(p->reply, 400, shown, p->index, "unknown field '%s'%s", shown,
                         no_id ? ": [columns] has none; /feedback takes the answer's 'order'"
                               : hint.text);
}

static int put_transaction(struct place *p, json_t *object)
{
    const struct schema *schema = &p->service->plan->schema;
    const char *name;
    json_t *v;
    if (!json_is_object(object))
        return reply_problem(p->reply, 422, NULL, p->index,
                             "element %ld is not a transaction, {\"id\": ...}", p->index);
    json_object_foreach(object, name, v)
    { // a mistyped name must not count as an absent field
        if (schema_find(schema, name) < 0)
            return refuse_name(p, name);
    }
    for (p->column = schema->columns; p->column < schema->columns + schema->n; p->column++)
        if (put_value(p, json_object_get(object, p->column->name)))
            return -1;
    return 0;
}

int transactions_read(struct service *s, const struct body *b, struct store_row *rows,
                      struct reply *r)
{
    struct place p = {.service = s, .reply = r, .now = service_now(s)};
    for (size_t i = 0; i < b->n; i++) {
        p.row = &rows[i];
        p.index = body_index(b, i);
        if (put_transaction(&p, body_element(b, i)))
            return -1;
    }
    return 0;
}

int transaction_pseudonym(const struct schema *schema, const struct pseudonym *key,
                          const json_t *id, uint64_t *pseudonym)
{
    char number[24];
    size_t n = 0;
    const char *text = key_text(id, number, &n);
    const int column = schema_find_kind(schema, COLUMN_ID);
    if (n == 0 || column < 0)
        return -1;
    *pseudonym = pseudonym_hash(key, schema->columns[column].name, text, n);
    return 0;
}
