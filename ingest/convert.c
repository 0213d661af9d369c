#define _DEFAULT_SOURCE // madvise
#include "ingest/convert.h"

#include "base/memory.h"
#include "base/option.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ID_SLOTS = 1 << 22 };
#define REPEATED (UINT64_C(1) << 63)

// ---- the header ----

static const char other_delimiter[] =
    "; write delimiter = semicolon, tab or | in [input] if it has another one";

// Find the field whose header the column names; there must be exactly one. #3 is the third.
static int find_field(const struct convert *c, struct convert_column *col, struct err *err)
{
    const struct config *config = &c->dataset->config;
    const struct csv_block *b = &c->blocks[0];
    const struct config_entry *e = config_find(config, "columns", col->schema->name);
    const char *headers[CSV_MAX_FIELDS], *wanted = col->schema->header;
    struct hint hint = {""};
    char *more = NULL;
    const size_t number = *wanted == '#' ? strtoul(wanted + 1, &more, 10) : 0;
    size_t found = 0;
    for (size_t i = 0; i < c->n_fields && !c->dataset->no_header; i++) {
        headers[i] = b->text + b->fields[i].at;
        if (strcmp(headers[i], wanted) == 0) {
            col->field = i;
            found++;
        }
    }
    if (found == 0 && number > 0 && number <= c->n_fields && !*more) {
        col->field = number - 1;
        found = 1;
    }
    if (found == 1)
        return 0;
    if (found > 0)
        snprintf(hint.text, sizeof hint.text, "; write #%zu for the last one", col->field + 1);
    else if (c->dataset->no_header)
        snprintf(hint.text, sizeof hint.text, "; with header = none they are #1, #2, ...");
    else if (c->n_fields == 1)
        snprintf(hint.text, sizeof hint.text, "%s", other_delimiter);
    else
        hint = err_did_you_mean(wanted, headers, c->n_fields);
    return err_set(err, "%s:%" PRIu64 ": %s the header '%s' that [columns] %s names in %s:%d%s",
                   c->csv.name, b->rows[0].line,
                   found > 0 ? "more than one column has" : "no column has", wanted,
                   col->schema->name, config->path, e->line, hint.text);
}

// Read the header or, without one, the first row.
static int read_header(struct convert *c, struct err *err)
{
    const struct csv_block *b = &c->blocks[0];
    if (csv_next(&c->csv, &c->blocks[0], 1, err))
        return -1;
    if (b->n_rows == 0)
        return err_set(err, "%s: it is empty: not even a header", c->csv.name);
    if (b->rows[0].fault)
        return err_set(err, "%s:%" PRIu64 ": the first row has a fault: %s%s", c->csv.name,
                       b->rows[0].line, b->rows[0].fault, other_delimiter);
    c->n_fields = b->rows[0].n;
    if (strcmp(b->text + b->fields[0].at, "sep=") == 0 && c->n_fields == 2)
        return read_header(c, err); // Excel's line with the delimiter
    if (c->dataset->no_header)
        csv_again(&c->csv);
    return 0;
}

int convert_open(struct convert *c, const struct dataset *dataset,
                 const struct pseudonym *pseudonym, struct err *err)
{
    const struct schema *schema = &dataset->schema;
    static const struct schema_column whole_row = {.name = "", .kind = COLUMN_FEATURE};
    *c = (struct convert){dataset, schema, pseudonym, xcalloc(schema->n + 1, sizeof *c->columns),
                          .faults = xcalloc(schema->n + 1, sizeof *c->faults)};
    c->columns[schema->n].schema = &whole_row;
    if (csv_open(&c->csv, dataset->file, dataset->delimiter, dataset->encoding, err))
        return -1;
    c->csv.skip = dataset->skip;
    if (read_header(c, err))
        return -1;
    for (size_t i = 0; i < schema->n; i++) {
        struct convert_column *col = &c->columns[i];
        col->schema = &schema->columns[i];
        col->field = SIZE_MAX;
        col->values = xmalloc(CSV_BLOCK_ROWS * column_size(col->schema->kind));
        if (*col->schema->header && find_field(c, col, err))
            return -1;
    }
    return 0;
}

// ---- values ----

static bool is_secret(const struct schema_column *s)
{
    return s->kind == COLUMN_ID || s->kind == COLUMN_KEY;
}

bool convert_missing(const struct convert *c, const struct schema_column *s, const char *text)
{
    bool missing = !*text;
    for (size_t i = 0; i < c->dataset->n_na && !missing && !is_secret(s); i++)
        missing = strcmp(text, c->dataset->na[i]) == 0;
    return missing;
}

// 1, 0, or -1 where it is neither.
static int8_t label_of(const struct schema_column *s, const char *text, size_t n)
{
    double v;
    if (s->positive)
        return schema_is_positive(s->positive, text);
    if (value_number(text, n, &v) == 0)
        return v == 0 || v == 1 ? (int8_t)v : -1;
    return strcasecmp(text, "true") == 0 ? 1 : strcasecmp(text, "false") == 0 ? 0 : -1;
}

static void note_label(struct convert_column *col, const char *text, int8_t label)
{
    const size_t used = strlen(col->others);
    col->positive = label == 1;
    if (!strstr(col->others, text) && used + strlen(text) + 3 < sizeof col->others)
        snprintf(col->others + used, sizeof col->others - used, "%s%s", used ? ", " : "", text);
}

// Set values[r] of the column; NULL, or why the text cannot be taken.
static const char *set_value(const struct convert *c, struct convert_column *col, size_t r,
                             const char *text, size_t n)
{
    const struct schema_column *s = col->schema;
    const bool missing = n == 0 || (c->dataset->n_na > 0 && convert_missing(c, s, text));
    if (missing && !s->missing)
        return "missing";
    if (missing) {
        text = s->missing;
        n = strlen(text);
    }
    double *number = (double *)col->values + r;
    int8_t *label = (int8_t *)col->values + r;
    switch (s->kind) {
    case COLUMN_ID:
    case COLUMN_KEY:
        ((uint64_t *)col->values)[r] =
            c->pseudonym ? pseudonym_hash(c->pseudonym, s->name, text, n) : 0;
        return NULL;
    case COLUMN_TIME:
        if (schema_time(c->schema, text, n, (int64_t *)col->values + r) == 0)
            return NULL;
        snprintf(col->reason, sizeof col->reason, "not a time of the form %s",
                 c->schema->time_format);
        return col->reason;
    case COLUMN_NUMBER:
        if (missing) // median, mean and flag are no numbers
            *number = value_number(text, n, number) ? NAN : *number;
        else if (value_number_as(text, n, c->dataset->decimal, c->dataset->thousands, s->strip,
                                 number))
            return "not a number";
        if (missing || (*number >= s->min && *number <= s->max))
            return NULL;
        snprintf(col->reason, sizeof col->reason, "%s %.17g", *number < s->min ? "below" : "above",
                 *number < s->min ? s->min : s->max);
        return col->reason;
    case COLUMN_LABEL:
        *label = missing ? (int8_t)(*text == '-' ? -1 : *text - '0') : label_of(s, text, n);
        if (s->positive && !col->positive && !missing)
            note_label(col, text, *label);
        return missing || *label >= 0 ? NULL : "neither 0 nor 1";
    default: // a category, whose code follows when the whole row is good
        snprintf(col->reason, sizeof col->reason, "not %s",
                 c->dataset->encoding ? c->dataset->encoding : "UTF-8");
        return value_utf8(text, n) ? NULL : col->reason;
    }
}

static void add_fault(struct convert *c, struct convert_column *col, uint64_t line,
                      const char *reason, const char *value)
{
    const char *quote = value && *value ? "\"" : "";
    c->faults[c->n_faults++] = (struct reject){line, col->schema->name, reason, value};
    if (col->faults++ > 0)
        return;
    col->first_line = line;
    snprintf(col->first, sizeof col->first, "%s%s%s%.60s%s", reason, *quote ? ": " : "", quote,
             value ? value : "", quote);
    for (char *p = col->first; *p; p++) // it goes to a terminal
        *p = (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p;
}

bool convert_row(struct convert *c, const struct csv_block *b, const struct csv_row *row, size_t r)
{
    struct convert_column *const whole = &c->columns[c->schema->n];
    const bool blank_end = row->n > 1 && b->fields[row->first + row->n - 1].n == 0;
    c->n_faults = 0;
    if (c->seen++ == 0) // each row ends in a delimiter, and the header does not
        c->blank_end = blank_end && row->n == c->n_fields + 1;
    const size_t n = c->n_fields + c->blank_end;
    if (row->fault || row->n != n || blank_end < c->blank_end) {
        snprintf(whole->reason, sizeof whole->reason, "%zu field%s where the %s has %zu", row->n,
                 row->n == 1 ? "" : "s",
                 c->dataset->no_header || c->blank_end ? "first row" : "header", n);
        add_fault(c, whole, row->line,
                  row->fault    ? row->fault
                  : row->n == n ? "a text in a field that has no header"
                                : whole->reason,
                  NULL);
        return false;
    }
    for (struct convert_column *col = c->columns; col < whole; col++) {
        if (col->field == SIZE_MAX) {
            ((int64_t *)col->values)[r] = (int64_t)c->seen - 1;
            continue;
        }
        const struct csv_field *f = &b->fields[row->first + col->field];
        const char *text = b->text + f->at, *reason = set_value(c, col, r, text, f->n);
        if (reason)
            add_fault(c, col, row->line, reason, is_secret(col->schema) ? NULL : text);
    }
    c->rows += c->n_faults == 0;
    return c->n_faults == 0;
}

// ---- rejects ----

// Advice on how to get rows with the fault accepted: [kind][is it missing?]
static const char *const advice[COLUMN_FEATURE + 1][2] = {
    [COLUMN_TIME] = {"write the form that it has as time_format in [input]", NULL},
    [COLUMN_KEY] = {NULL, "write missing=none at the column"},
    [COLUMN_NUMBER] = {"write na, decimal or thousands in [input], or strip=$ at the column",
                       "write missing=median at the column"},
    [COLUMN_CATEGORY] = {"write encoding = windows-1252 in [input], or the one that it has",
                         "write missing=none at the column"},
    [COLUMN_LABEL] = {"write positive=VALUE at the column, with the value to predict",
                      "write missing=-1 at the column"}};

int convert_check(const struct convert *c, struct err *err)
{
    const double max_rejects = c->dataset->max_reject_rate;
    const uint64_t n = convert_broken(c);
    const struct convert_column *most = c->columns;
    for (const struct convert_column *col = c->columns; col <= c->columns + c->schema->n; col++)
        most = col->faults > most->faults ? col : most;
    const char *words = advice[most->schema->kind][strncmp(most->first, "missing", 7) == 0];
    if (strncmp(most->first, "above", 5) == 0 || strncmp(most->first, "below", 5) == 0)
        words = "write another min= or max= at the column";
    err_set(err,
            "%s: %s%" PRIu64 " of %" PRIu64 " rows (%.3g %%) break the schema, allowed are "
            "%.3g %%; most often, in %" PRIu64 " row%s, first in line %" PRIu64 ": %s%s%s%s%s",
            c->csv.name, c->rows ? "" : "no row is left: ", n, c->seen,
            100.0 * (double)n / (double)c->seen, 100.0 * max_rejects, most->faults,
            most->faults == 1 ? "" : "s", most->first_line, most->schema->name,
            *most->schema->name ? ": " : "", most->first, words ? "; " : "", words ? words : "");
    return c->rows > 0 && (double)n <= max_rejects * (double)c->seen ? 0 : -1;
}

static void add_rejects(struct convert *c)
{
    FILE *file = c->rejects.file;
    for (const struct reject *r = c->faults; r < c->faults + c->n_faults; r++) {
        fprintf(file, "%" PRIu64 ",%s,", r->line, r->column);
        csv_fwrite(file, r->reason, strlen(r->reason));
        putc(',', file);
        if (r->value)
            csv_fwrite(file, r->value, strlen(r->value));
        putc('\n', file);
    }
}

// ---- the table ----

static int open_table(struct convert *c, const char *path, struct err *err)
{
    const struct schema *s = c->schema;
    struct table_column *columns = xcalloc(s->n, sizeof *columns);
    for (size_t i = 0; i < s->n; i++)
        columns[i] = (struct table_column){.name = s->columns[i].name, .kind = s->columns[i].kind};
    int rc = table_writer_open(&c->writer, path, columns, s->n, err);
    free(columns);
    c->ids = xcalloc(CSV_BLOCK_ROWS, sizeof *c->ids);
    c->ids_fd = rc ? -1 : output_dir_create(&c->writer.dir, "ids", err);
    if (c->ids_fd >= 0 && unlinkat(c->writer.dir.fd, "ids", 0))
        return err_sys(err, "%s: cannot remove a temporary file", c->writer.dir.path);
    return c->ids_fd < 0 ? -1 : 0;
}

// Called for rows that were taken only, so that dictionaries hold no text of a rejected row.
static int set_codes(struct convert *c, const struct csv_block *b, const struct csv_row *row,
                     size_t r, struct err *err)
{
    for (size_t i = 0; i < c->schema->n; i++) {
        struct convert_column *col = &c->columns[i];
        if (col->schema->kind != COLUMN_CATEGORY)
            continue;
        const struct csv_field *f = &b->fields[row->first + col->field];
        const char *text = b->text + f->at;
        text = convert_missing(c, col->schema, text) ? col->schema->missing : text;
        if (dictionary_code(&col->dictionary, text, (uint32_t *)col->values + r, err))
            return err_prefix(err, "%s:%" PRIu64 ": %s", c->csv.name, row->line, col->schema->name);
    }
    return 0;
}

static int convert_block(struct convert *c, const struct csv_block *b, struct err *err)
{
    const int id = schema_find_kind(c->schema, COLUMN_ID);
    size_t taken = 0;
    for (size_t i = 0; i < b->n_rows; i++) {
        if (!convert_row(c, b, &b->rows[i], taken)) {
            add_rejects(c);
            continue;
        }
        if (set_codes(c, b, &b->rows[i], taken, err))
            return -1;
        if (id >= 0)
            c->ids[taken] =
                (struct id_line){((const uint64_t *)c->columns[id].values)[taken], b->rows[i].line};
        taken++;
    }
    if (id >= 0 && write_all(c->ids_fd, c->ids, taken * sizeof *c->ids, c->writer.dir.path, err))
        return -1;
    for (size_t i = 0; i < c->schema->n; i++)
        if (table_writer_append(&c->writer, i, c->columns[i].values, taken, err))
            return -1;
    return 0;
}

static int run_half(void *arg, unsigned half, struct err *err)
{
    struct convert *c = arg;
    return half == 0 ? convert_block(c, &c->blocks[c->current], err)
                     : csv_next(&c->csv, &c->blocks[!c->current], CSV_BLOCK_ROWS, err);
}

// One thread reads the next block while another converts this one; they meet after each block, so
// the result is that of one thread.
static int convert_rows(struct convert *c, struct err *err)
{
    struct progress progress;
    progress_init(&progress, "ingest", c->csv.size);
    int rc = csv_next(&c->csv, &c->blocks[0], CSV_BLOCK_ROWS, err);
    for (; rc == 0 && c->blocks[c->current].n_rows > 0; c->current = !c->current) {
        rc = parallel_run(2, run_half, c, err);
        progress_set(&progress, c->csv.bytes);
    }
    progress_done(&progress);
    if (rc == 0 && c->seen == 0)
        rc = err_set(err, "%s: no rows after the header", c->csv.name);
    return rc;
}

// ---- repeated ids ----

// Visit the entries in order, and drop the pages before them from memory; the file keeps them.
static struct id_line *visit(struct id_line *ids, uint64_t i)
{
    enum { STRIDE = 65536 };
    if (i > 0 && i % STRIDE == 0)
        madvise(ids + i - STRIDE, STRIDE * sizeof *ids, MADV_DONTNEED);
    return &ids[i];
}

// Mark the rows whose id came before, and return their number. Ids are compared in parts, so that the
// set of one part has a fixed size: pseudonyms are spread evenly over the parts.
static uint64_t mark_repeated(struct id_line *ids, uint64_t n)
{
    const uint64_t parts = n / (ID_SLOTS / 2) + 1;
    uint64_t *seen = xcalloc(ID_SLOTS, sizeof *seen), marked = 0;
    for (uint64_t part = 0; part < parts; part++) {
        for (uint64_t row = 0; row < n; row++) {
            struct id_line *i = visit(ids, row);
            size_t at = i->id % ID_SLOTS;
            if (i->id / ID_SLOTS % parts != part)
                continue;
            while (seen[at] && seen[at] != i->id)
                at = (at + 1) % ID_SLOTS;
            i->line |= seen[at] ? REPEATED : 0;
            marked += seen[at] != 0;
            seen[at] = i->id;
        }
        memset(seen, 0, ID_SLOTS * sizeof *seen);
    }
    free(seen);
    return marked;
}

static bool is_first(void *ids, uint64_t row)
{
    return !(visit(ids, row)->line & REPEATED);
}

static int drop_repeated(struct convert *c, struct err *err)
{
    const int id = schema_find_kind(c->schema, COLUMN_ID);
    const size_t n = c->rows, size = n * sizeof *c->ids;
    if (id < 0 || n == 0)
        return 0;
    struct id_line *ids = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, c->ids_fd, 0);
    if (ids == MAP_FAILED)
        return err_sys(err, "%s: cannot map the ids", c->writer.dir.path);
    c->repeated = mark_repeated(ids, n);
    c->rows -= c->repeated;
    for (size_t i = 0; i < n && c->repeated > 0; i++)
        if (!is_first(ids, i)) {
            c->n_faults = 1;
            c->faults[0] = (struct reject){ids[i].line & ~REPEATED, c->schema->columns[id].name,
                                           "repeated", NULL};
            add_rejects(c);
        }
    c->writer.keep = c->repeated ? is_first : NULL;
    c->writer.keep_arg = ids;
    return 0;
}

static int finish_table(struct convert *c, struct err *err)
{
    static const char *const sections[] = {"input", "columns", NULL};
    char input[17], settings[17], key[17];
    json_t *provenance =
        json_pack("{ss, sI, ss, ss, ss, ss, so, sI, sI}", "input", c->csv.name, "input_bytes",
                  (json_int_t)c->csv.bytes, "input_xxh3",
                  checksum_text(input, XXH3_64bits_digest(c->csv.hash)), "config_xxh3",
                  checksum_text(settings, config_checksum(&c->dataset->config, sections)),
                  "key_fingerprint", checksum_text(key, pseudonym_fingerprint(c->pseudonym)),
                  "program", "assay " ASSAY_VERSION, "schema", schema_to_json(c->schema),
                  "rejected", (json_int_t)convert_broken(c), "repeated", (json_int_t)c->repeated);
    if (!provenance)
        return err_set(err, "%s: its name is not UTF-8", c->csv.name);
    for (size_t i = 0; i < c->schema->n; i++)
        table_writer_dictionary(&c->writer, i, &c->columns[i].dictionary);
    return table_writer_finish(&c->writer, provenance, err);
}

// Where too few rows are good, only the rejects are written.
static int commit(struct convert *c, const char *rejects, struct err *err)
{
    struct err share;
    const bool enough = convert_check(c, &share) == 0;
    if ((enough && finish_table(c, err)) || output_commit(&c->rejects, err))
        return -1;
    if (enough)
        return output_commit(&c->writer.dir, err);
    return err_set(err, "%.800s; all are in %.200s", share.msg, rejects);
}

int convert_table(struct convert *c, const char *table, const char *rejects, struct err *err)
{
    int rc = open_table(c, table, err) || output_open(&c->rejects, rejects, 0600, err);
    if (rc == 0) {
        fputs("line,column,reason,value\n", c->rejects.file);
        rc = convert_rows(c, err) || drop_repeated(c, err) || commit(c, rejects, err);
    }
    output_release(&c->rejects);
    table_writer_release(&c->writer);
    return rc ? -1 : 0;
}
