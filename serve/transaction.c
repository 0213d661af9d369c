// Checks and reads transactions; does not run them. The body is scanned for depth and bytes of 0
// before jansson sees it, because jansson recurses and worker threads have small stacks.
#include "serve/transaction.h"

#include "ingest/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What a value belongs to, for messages; index is -1 outside an array.
struct place {
    const struct service *service;
    struct transactions *t;
    struct reply *reply;
    size_t column, event;
    long index;
};

static const struct schema_column *column_of(const struct place *p)
{
    return &p->service->model.plan.schema.columns[p->column];
}

#define REFUSE(p, status, ...)                                                                     \
    (reply_problem((p)->reply, status, column_of(p)->name, (p)->index, __VA_ARGS__), -1)

// ---- the body as bytes ----

static int check_bytes(const char *body, size_t n, struct reply *r)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < n; i++) {
        char c = body[i];
        if (c == '\0') {
            reply_problem(r, 400, NULL, -1, "the body has a byte of 0 at offset %zu", i);
            return -1;
        }
        if (quoted && c == '\\' && i + 1 < n && body[i + 1] != '\0')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{'))
            depth++;
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
        if (depth > MAX_JSON_DEPTH) {
            reply_problem(r, 400, NULL, -1, "the JSON is nested deeper than %d levels",
                          MAX_JSON_DEPTH);
            return -1;
        }
    }
    return 0;
}

static json_t *parse_json(const char *body, size_t n, struct reply *r)
{
    json_error_t e;
    if (check_bytes(body, n, r))
        return NULL;
    json_t *document = json_loadb(body, n, JSON_REJECT_DUPLICATES, &e);
    if (!document)
        reply_problem(r, 400, NULL, -1, "the body is not JSON: line %d, column %d: %s", e.line,
                      e.column, e.text);
    else if (!json_is_object(document) && !json_is_array(document))
        reply_problem(r, 400, NULL, -1,
                      "the body must be a transaction, {\"id\": ...}, or an array of them");
    else if (json_is_array(document) && json_array_size(document) == 0)
        reply_problem(r, 400, NULL, -1, "the array holds no transaction");
    else if (json_array_size(document) > MAX_TRANSACTIONS)
        reply_problem(r, 413, NULL, -1, "the array holds %zu transactions; send %d at most",
                      json_array_size(document), MAX_TRANSACTIONS);
    else
        return document;
    json_decref(document);
    return NULL;
}

// ---- one value ----

static int refuse_type(const struct place *p, const json_t *v, const char *wanted)
{
    static const char *const names[] = {"an object", "an array", "a string", "an integer",
                                        "a number",  "true",     "false",    "null"};
    return REFUSE(p, 422, "'%s' must be %s, not %s", column_of(p)->name, wanted,
                  names[json_typeof(v)]);
}

static int put_text(const struct place *p, const char *text, size_t n)
{
    const struct schema_column *c = column_of(p);
    void *column = p->t->columns[p->column];
    if (c->kind == COLUMN_KEY) {
        ((uint64_t *)column)[p->event] = pseudonym_hash(&p->service->pseudonym, c->name, text, n);
    } else if (c->kind == COLUMN_CATEGORY) {
        ((uint32_t *)column)[p->event] =
            dictionary_find(&p->service->dictionaries[p->column], text, n);
    } else if (value_number(text, n, &((double *)column)[p->event])) {
        return REFUSE(p, 422, "'%s': its missing value '%s' is not a number", c->name, text);
    }
    return 0;
}

// An integer key is the same as its decimal text.
static int put_key(const struct place *p, const json_t *v)
{
    char text[24];
    if (json_is_string(v))
        return put_text(p, json_string_value(v), json_string_length(v));
    if (!json_is_integer(v))
        return refuse_type(p, v, "a string or an integer");
    int n = snprintf(text, sizeof text, "%lld", (long long)json_integer_value(v));
    return put_text(p, text, (size_t)n);
}

static int put_category(const struct place *p, const json_t *v)
{
    if (!json_is_string(v))
        return refuse_type(p, v, "a string");
    return put_text(p, json_string_value(v), json_string_length(v));
}

static int put_number(const struct place *p, const json_t *v)
{
    const struct schema_column *c = column_of(p);
    if (!json_is_number(v))
        return refuse_type(p, v, "a number");
    double x = json_number_value(v);
    if (x < c->min)
        return REFUSE(p, 422, "'%s' is %.17g, less than %.17g", c->name, x, c->min);
    if (x > c->max)
        return REFUSE(p, 422, "'%s' is %.17g, more than %.17g", c->name, x, c->max);
    ((double *)p->t->columns[p->column])[p->event] = x;
    return 0;
}

static int parse_time_text(const char *text, size_t n, int64_t *seconds)
{
    static const char *const formats[] = {"%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z",
                                          "%Y-%m-%d %H:%M:%S"};
    struct err err;
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct time_format f;
        if (time_format_parse(&f, formats[i], &err) == 0 && value_time(&f, text, n, seconds) == 0)
            return 0;
    }
    return -1;
}

static int put_time(const struct place *p, const json_t *v)
{
    // Years 1 to 9999, as in a table; also keeps t - window away from overflow.
    static const double first = -62135596800.0, last = 253402300799.0;
    const char *format = p->service->model.plan.schema.time_format;
    bool number = strcmp(format, "epoch") == 0 || strcmp(format, "row") == 0;
    int64_t *time = &((int64_t *)p->t->columns[p->column])[p->event];
    if (json_is_string(v) && !number) {
        if (parse_time_text(json_string_value(v), json_string_length(v), time))
            return REFUSE(p, 422,
                          "'%s' is \"%.40s\", not a time in whole seconds like "
                          "2018-10-01T08:15:00Z",
                          column_of(p)->name, json_string_value(v));
        return 0;
    }
    if (!json_is_number(v))
        return refuse_type(p, v, number ? "a number" : "a time like \"2018-10-01T08:15:00Z\"");
    double x = json_number_value(v);
    if (!(x >= first && x <= last) || floor(x) != x)
        return REFUSE(p, 422, "'%s' is %.17g, not a whole number of seconds in the years 1 to 9999",
                      column_of(p)->name, x);
    *time = (int64_t)x;
    return 0;
}

static int put_id(const struct place *p, const json_t *v)
{
    if (!json_is_string(v) && !json_is_integer(v))
        return refuse_type(p, v, "a string or an integer");
    return 0; // it stays in the document, see transactions_id
}

static int put_missing(const struct place *p)
{
    const struct schema_column *c = column_of(p);
    if (!c->missing)
        return REFUSE(p, 422, "'%s' (%s) is missing", c->name, column_kind_name(c->kind));
    return put_text(p, c->missing, strlen(c->missing));
}

// As in a CSV an empty text is no value.
static bool is_absent(const json_t *v)
{
    return !v || json_is_null(v) || (json_is_string(v) && json_string_length(v) == 0);
}

static int put_value(const struct place *p, const json_t *v)
{
    enum column_kind kind = column_of(p)->kind;
    if (kind == COLUMN_LABEL)
        return v ? REFUSE(p, 422, "'%s' is what the model is asked for; leave it out",
                          column_of(p)->name)
                 : 0;
    if (is_absent(v))
        return put_missing(p);
    switch (kind) {
    case COLUMN_ID:
        return put_id(p, v);
    case COLUMN_TIME:
        return put_time(p, v);
    case COLUMN_KEY:
        return put_key(p, v);
    case COLUMN_CATEGORY:
        return put_category(p, v);
    default:
        return put_number(p, v);
    }
}

// ---- one transaction ----

// Any field that is no column refuses the transaction: a mistyped name must not pass as absent.
static int check_names(const struct place *p, json_t *object)
{
    const struct service *s = p->service;
    const char *name;
    size_t length;
    json_t *v;
    json_object_keylen_foreach(object, name, length, v)
    {
        if (strlen(name) == length && schema_find(&s->model.plan.schema, name) >= 0)
            continue;
        char hint[128], shown[65];
        snprintf(shown, sizeof shown, "%s", name);
        reply_problem(p->reply, 400, shown, p->index, "unknown field '%s'%s", shown,
                      err_did_you_mean(hint, sizeof hint, shown, s->names, s->n_names));
        return -1;
    }
    return 0;
}

static int put_transaction(struct place *p, json_t *object)
{
    if (!json_is_object(object)) {
        reply_problem(p->reply, 422, NULL, p->index, "element %ld is not a transaction, %s",
                      p->index, "{\"id\": ...}");
        return -1;
    }
    if (check_names(p, object))
        return -1;
    const struct schema *schema = &p->service->model.plan.schema;
    for (p->column = 0; p->column < schema->n; p->column++)
        if (put_value(p, json_object_get(object, schema->columns[p->column].name)))
            return -1;
    return 0;
}

// ---- the block ----

static bool has_values(enum column_kind kind)
{
    return kind != COLUMN_ID && kind != COLUMN_LABEL;
}

static void drop_columns(struct transactions *t)
{
    for (size_t c = 0; t->columns && c < t->n_columns; c++)
        free(t->columns[c]);
    free(t->columns);
    t->columns = NULL;
    t->capacity = 0;
}

static int reserve(struct transactions *t, const struct schema *schema, size_t n)
{
    if (n <= t->capacity)
        return 0;
    drop_columns(t);
    t->n_columns = schema->n;
    t->columns = calloc(schema->n, sizeof *t->columns);
    bool bad = !t->columns;
    for (size_t c = 0; c < schema->n && !bad; c++)
        if (has_values(schema->columns[c].kind))
            bad = !(t->columns[c] = calloc(n, column_size(schema->columns[c].kind)));
    if (bad) {
        drop_columns(t);
        return -1;
    }
    t->capacity = n;
    return 0;
}

static json_t *object_of(const struct transactions *t, size_t event)
{
    return t->array ? json_array_get(t->document, event) : t->document;
}

int transactions_parse(struct transactions *t, const struct service *s, const char *body, size_t n,
                       struct reply *r)
{
    transactions_clear(t);
    t->document = parse_json(body, n, r);
    if (!t->document)
        return -1;
    t->array = json_is_array(t->document);
    size_t count = t->array ? json_array_size(t->document) : 1;
    if (reserve(t, &s->model.plan.schema, count)) {
        reply_problem(r, 503, NULL, -1, "out of memory for %zu transactions", count);
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct place p = {s, t, r, 0, i, t->array ? (long)i : -1};
        if (put_transaction(&p, object_of(t, i)))
            return -1;
    }
    t->n = count;
    return 0;
}

const json_t *transactions_id(const struct transactions *t, const struct service *s, size_t event)
{
    const struct schema *schema = &s->model.plan.schema;
    int column = schema_find_kind(schema, COLUMN_ID);
    return column < 0 ? NULL : json_object_get(object_of(t, event), schema->columns[column].name);
}

void transactions_clear(struct transactions *t)
{
    json_decref(t->document);
    t->document = NULL;
    t->n = 0;
}

void transactions_release(struct transactions *t)
{
    transactions_clear(t);
    drop_columns(t);
    *t = (struct transactions){0};
}
