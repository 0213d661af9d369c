// Field by field into a block's column buffers, whole blocks to the table.
//
// What a text means is value.c's and pseudonym.c's; here are the schema's limits and reasons.
#include "ingest/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct convert_column {
    const struct schema_column *schema;
    size_t missing_n;
    char below[64], above[64], not_time[96]; // reasons that hold a limit or a format
    void *values;                            // [values_size], of the kind's type
    struct dictionary dictionary;
};

int convert_open(struct convert *c, const char *name, const struct schema *schema,
                 const struct pseudonym *pseudonym, struct table_writer *writer,
                 struct rejects *rejects, struct err *err)
{
    *c = (struct convert){name, schema, pseudonym, writer, rejects, .columns = NULL};
    c->columns = calloc(schema->n, sizeof *c->columns);
    c->order = calloc(schema->n, sizeof *c->order);
    c->categories = calloc(schema->n, sizeof *c->categories);
    if (!c->columns || !c->order || !c->categories)
        goto memory;
    for (size_t i = 0; i < schema->n; i++) {
        struct convert_column *col = &c->columns[i];
        const struct schema_column *s = &schema->columns[i];
        col->schema = s;
        col->missing_n = s->missing ? strlen(s->missing) : 0;
        snprintf(col->below, sizeof col->below, "below %.17g", s->min);
        snprintf(col->above, sizeof col->above, "above %.17g", s->max);
        snprintf(col->not_time, sizeof col->not_time, "not a time of the form %s",
                 schema->time_format);
        col->values = malloc((CSV_BLOCK_ROWS)*column_size(s->kind));
        if (!col->values)
            goto memory;
        if (s->kind == COLUMN_TIME && !*s->header)
            c->row_numbers = col->values;
    }
    return 0;
memory:
    convert_release(c);
    return err_set(err, "out of memory");
}

void convert_release(struct convert *c)
{
    for (size_t i = 0; c->columns && i < c->schema->n; i++) {
        free(c->columns[i].values);
        dictionary_release(&c->columns[i].dictionary);
    }
    free(c->columns);
    free(c->order);
    free(c->categories);
    free(c->wanted);
    *c = (struct convert){0};
}

// ---- the header -----------------------------------------------------------------------------------

static const char *field_text(const struct csv_block *b, const struct csv_row *row, size_t i)
{
    return b->text + b->fields[row->first + i].at;
}

// The field with that header; it must be there, once.
static int find_header(const struct convert *c, const struct csv_block *b,
                       const struct schema_column *s, size_t *field, struct err *err)
{
    const struct csv_row *row = &b->rows[0];
    size_t found = 0;
    for (size_t i = 0; i < row->columns; i++)
        if (strcmp(field_text(b, row, i), s->header) == 0) {
            *field = i;
            found++;
        }
    if (found == 1)
        return 0;
    if (found > 1)
        return err_set(err, "%s:%llu: %zu columns have the header '%s'", c->name,
                       (unsigned long long)row->line, found, s->header);
    char hint[128];
    const char *headers[CSV_MAX_FIELDS];
    for (size_t i = 0; i < row->columns; i++)
        headers[i] = field_text(b, row, i);
    return err_set(err, "%s:%llu: no column has the header '%s' that [columns] %s names%s", c->name,
                   (unsigned long long)row->line, s->header, s->name,
                   err_did_you_mean(hint, sizeof hint, s->header, headers, row->columns));
}

int convert_header(struct convert *c, const struct csv_block *header, struct err *err)
{
    if (header->n_rows == 0)
        return err_set(err, "%s: it is empty: not even a header", c->name);
    c->n_wanted = header->rows[0].columns;
    c->wanted = calloc(c->n_wanted, sizeof *c->wanted);
    size_t *column_of = calloc(c->n_wanted, sizeof *column_of); // schema column + 1 by field, or 0
    int rc = -1;
    if (!c->wanted || !column_of) {
        err_set(err, "%s: out of memory", c->name);
        goto out;
    }
    for (size_t i = 0; i < c->schema->n; i++) {
        size_t field = 0;
        if (c->columns[i].values == c->row_numbers)
            continue; // no field stands behind it
        if (find_header(c, header, c->columns[i].schema, &field, err))
            goto out;
        column_of[field] = i + 1;
    }
    for (size_t f = 0; f < c->n_wanted; f++)
        if (column_of[f]) {
            size_t i = column_of[f] - 1;
            c->wanted[f] = true;
            if (c->schema->columns[i].kind == COLUMN_CATEGORY)
                c->categories[c->n_categories++] = c->n_order;
            c->order[c->n_order++] = i;
        }
    rc = 0;
out:
    free(column_of);
    return rc;
}

// ---- values ---------------------------------------------------------------------------------------

// Each sets values[r] of its column and returns NULL, or the reason why it cannot.
static const char *set_number(struct convert_column *col, size_t r, const char *text, size_t n,
                              bool missing)
{
    double v;
    if (value_number(text, n, &v))
        return "not a number";
    if (!missing && v < col->schema->min)
        return col->below;
    if (!missing && v > col->schema->max)
        return col->above;
    ((double *)col->values)[r] = v;
    return NULL;
}

static const char *set_label(struct convert_column *col, size_t r, const char *text, size_t n,
                             bool missing)
{
    int8_t v = n == 1 && (*text == '0' || *text == '1') ? (int8_t)(*text - '0') : -1;
    if (v < 0 && !missing)
        return "neither 0 nor 1";
    ((int8_t *)col->values)[r] = v;
    return NULL;
}

static const char *set_value(struct convert *c, struct convert_column *col, size_t r,
                             const char *text, size_t n)
{
    bool missing = n == 0;
    if (missing && !col->schema->missing)
        return "missing";
    if (missing) {
        text = col->schema->missing;
        n = col->missing_n;
    }
    switch (col->schema->kind) {
    case COLUMN_ID:
    case COLUMN_KEY:
        ((uint64_t *)col->values)[r] =
            c->pseudonym ? pseudonym_hash(c->pseudonym, col->schema->name, text, n) : 0;
        return NULL;
    case COLUMN_TIME:
        return value_time(c->schema->time_format, text, n, (int64_t *)col->values + r) ? col->not_time
                                                                                : NULL;
    case COLUMN_NUMBER:
        return set_number(col, r, text, n, missing);
    case COLUMN_CATEGORY: // its code follows when the whole row is good
        return value_utf8(text, n) ? NULL : "not UTF-8";
    case COLUMN_LABEL:
        return set_label(col, r, text, n, missing);
    case COLUMN_FEATURE:
        break;
    }
    return "of no kind that a CSV has";
}

static void refuse(const struct csv_block *b, const struct csv_row *row,
                   const struct schema_column *s, const struct csv_field *field, const char *reason,
                   struct reject *why)
{
    bool secret = !s || s->kind == COLUMN_ID || s->kind == COLUMN_KEY;
    *why = (struct reject){.line = row->line,
                           .column = s ? s->name : "",
                           .reason = reason,
                           .value = secret ? NULL : b->text + field->at,
                           .value_n = secret ? 0 : field->n,
                           .row = b->raw ? b->raw + row->raw : NULL,
                           .row_n = row->raw_n};
}

bool convert_row(struct convert *c, const struct csv_block *b, const struct csv_row *row, size_t r,
                 struct reject *why)
{
    if (row->columns != c->n_wanted) {
        snprintf(c->ragged, sizeof c->ragged, "%u fields where the header has %zu",
                 (unsigned)row->columns, c->n_wanted);
        refuse(b, row, NULL, NULL, c->ragged, why);
        return false;
    }
    const struct csv_field *fields = b->fields + row->first;
    for (size_t i = 0; i < c->n_order; i++) {
        struct convert_column *col = &c->columns[c->order[i]];
        const char *reason = set_value(c, col, r, b->text + fields[i].at, fields[i].n);
        if (reason) {
            refuse(b, row, col->schema, &fields[i], reason, why);
            return false;
        }
    }
    return true;
}

const void *convert_values(const struct convert *c, size_t column)
{
    return c->columns[column].values;
}

// What only good rows have: codes, so that the dictionary holds no text of a rejected row, and the
// row's number.
static int complete_row(struct convert *c, const struct csv_block *b, const struct csv_row *row,
                        size_t r, struct err *err)
{
    for (size_t i = 0; i < c->n_categories; i++) {
        struct convert_column *col = &c->columns[c->order[c->categories[i]]];
        const struct csv_field *field = &b->fields[row->first + c->categories[i]];
        bool missing = field->n == 0;
        if (dictionary_code(&col->dictionary, missing ? col->schema->missing : b->text + field->at,
                            missing ? col->missing_n : field->n, (uint32_t *)col->values + r, err))
            return err_prefix(err, "%s:%llu: %s", c->name, (unsigned long long)row->line,
                              col->schema->name);
    }
    if (c->row_numbers)
        c->row_numbers[r] = (int64_t)c->seen;
    return 0;
}

int convert_block(struct convert *c, const struct csv_block *b, struct err *err)
{
    size_t taken = 0;
    for (size_t i = 0; i < b->n_rows; i++, c->seen++) {
        struct reject why;
        bool good = convert_row(c, b, &b->rows[i], taken, &why);
        if (good ? complete_row(c, b, &b->rows[i], taken, err) : rejects_add(c->rejects, &why, err))
            return -1;
        taken += good;
    }
    c->rows += taken;
    for (size_t i = 0; i < c->schema->n; i++)
        if (table_writer_append(c->writer, i, c->columns[i].values, taken, err))
            return -1;
    return 0;
}

void convert_finish(struct convert *c)
{
    for (size_t i = 0; i < c->schema->n; i++) {
        const struct dictionary *d = &c->columns[i].dictionary;
        if (c->schema->columns[i].kind == COLUMN_CATEGORY)
            table_writer_dictionary(c->writer, i, d->texts, d->n);
    }
}
