#include "ingest/profile.h"

#include "base/memory.h"
#include "base/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLE_ROWS = 200000, SAMPLE_BYTES = 1 << 28, FIRST_ROWS = 1000, SLOTS = 1 << 19 };

// Texts that mean a missing value; those after the first SURE only in columns of numbers and times.
static const char *const missing_texts[] = {
    "NA",  "N/A",  "n/a",  "#N/A", "NaN", "nan", "NULL", "null", "?",       "\\N",
    "NaT", "Null", "None", "none", "na",  "-",   "--",   ".",    "missing", "unknown"};
enum { SURE = 11, ALL = sizeof missing_texts / sizeof *missing_texts };
static const char signs[] = "$%()\u20ac\u00a3\u00a5"; // at numbers; the last have several bytes

static bool is_one(const char *text, const char *const *list, size_t n)
{
    size_t i = 0;
    while (i < n && strcmp(text, list[i]) != 0)
        i++;
    return !*text || i < n;
}

// ---- the sample ---------------------------------------------------------------------------------

// Its texts, each of which ends with a 0.
static char *row_texts(const struct csv_block *b, const struct csv_row *row)
{
    const struct csv_field *f = &b->fields[row->first], *end = f + row->n;
    char *texts = xmalloc(end[-1].at + end[-1].n + 2 - f->at), *to = texts; // at most
    for (; f < end; to += f++->n + 1)
        memcpy(to, b->text + f->at, f->n + 1);
    return texts;
}

// The first pass, without a sample, counts rows and bytes; the second one takes every step-th row.
static int read_rows(struct profile *p, struct csv *c, struct csv_block *b, struct err *err)
{
    int rc = csv_open(c, p->file, p->delimiter, p->encoding, err);
    p->rows = p->bad_rows = p->not_utf8 = 0;
    while (rc == 0 && (rc = csv_next(c, b, CSV_BLOCK_ROWS, err)) == 0 && b->n_rows > 0)
        for (const struct csv_row *row = b->rows; row < b->rows + b->n_rows; row++) {
            if (row->n != p->n) {
                p->bad_line = p->rows && !p->bad_rows ? row->line : p->bad_line;
                p->fault = p->rows && !p->bad_rows ? row->fault : p->fault;
                p->n_names = p->rows == 0 && row->n + 1 >= p->n ? row->n : p->n_names;
                p->bad_rows += p->rows > 0;
                if (p->rows == 0 && row->n + 1 == p->n) {
                    free(p->names);
                    p->names = row_texts(b, row);
                }
                continue;
            }
            p->skip = p->rows ? p->skip : row->line - 1;
            // Decoding makes rows longer, so one that was whole may become many that are not.
            if (p->sample && p->rows % p->step == 0 && p->n_sample < SAMPLE_ROWS)
                p->sample[p->n_sample++] = row_texts(b, row);
            p->rows++;
            const struct csv_field *f = &b->fields[row->first], *last = f + row->n - 1;
            const size_t bytes = last->at + last->n - f->at;
            p->bytes += bytes;
            if (!value_utf8(b->text + f->at, bytes) && p->not_utf8++ == 0)
                p->not_utf8_line = row->line;
        }
    return rc == 0 && p->rows < 2 ? err_set(err, "%s: it has one row only", p->file) : rc;
}

// Take the next text of each row of the sample: the different ones, and which of them the row has.
static void take_texts(const struct profile *p, struct profile_column *c)
{
    static uint32_t slots[SLOTS]; // a hash table of code + 1; 0 is free
    size_t texts_size = 0;
    memset(slots, 0, sizeof slots);
    c->codes = xcalloc(p->n_sample, sizeof *c->codes);
    for (size_t r = 0; r < p->n_sample; r++) {
        const char *text = p->sample[r];
        const size_t n = strlen(text);
        size_t slot = XXH3_64bits(text, n) % SLOTS;
        while (slots[slot] && strcmp(c->texts[slots[slot] - 1], text) != 0)
            slot = (slot + 1) % SLOTS;
        if (!slots[slot]) {
            ARRAY_GROW(c->texts, c->n_texts + 1, texts_size);
            c->texts[c->n_texts++] = text;
            slots[slot] = (uint32_t)c->n_texts;
        }
        c->codes[r] = slots[slot] - 1;
        p->sample[r] += n + 1;
    }
}

// ---- values -------------------------------------------------------------------------------------

static bool to_number(const char *marks, const char *strip, const char *text, double *number)
{
    return value_number_as(text, strlen(text), marks[0], marks[1], strip, number) == 0 &&
           fabs(*number) <= 1e15;
}

static bool to_value(const struct profile *p, const struct profile_column *c, const char *text,
                     double *number)
{
    int64_t seconds = 0;
    if (c->look != LOOK_TIME)
        return c->look == LOOK_NUMBER && to_number(p->marks, c->strip, text, number);
    const int rc = value_time(c->format, text, strlen(text), &seconds);
    *number = (double)seconds;
    return rc == 0;
}

// Fill p->values in the order of the texts' first rows.
static void count_values(struct profile *p, const struct profile_column *c)
{
    p->n_values = c->n_texts;
    for (size_t i = 0; i < c->n_texts; i++) {
        struct profile_value *v = &p->values[i];
        *v = (struct profile_value){c->texts[i], is_one(c->texts[i], p->na, p->n_na), .number = 0};
        v->good = !v->missing && to_value(p, c, v->text, &v->number);
    }
    for (size_t r = p->header; r < p->n_sample; r++) {
        struct profile_value *v = &p->values[c->codes[r]];
        v->rows += p->answers[r] >= 0;
        v->positives += p->answers[r] > 0;
        v->later += p->answers[r] >= 0 && p->later[r];
    }
}

static int by_number(const void *a, const void *b)
{
    const struct profile_value *x = a, *y = b;
    return x->good != y->good ? y->good - x->good : ORDER(x->number, y->number);
}

static int by_rows(const void *a, const void *b)
{
    const struct profile_value *x = a, *y = b;
    return ORDER(y->rows, x->rows);
}

void profile_values(struct profile *p, const struct profile_column *c)
{
    count_values(p, c);
    for (struct profile_value *v = p->values; v < p->values + p->n_values; v++)
        v->number = v->good ? v->number : (v->positives + 0.5) / (v->rows + 1);
    qsort(p->values, p->n_values, sizeof *p->values, by_number);
}

void profile_label(struct profile *p, const struct profile_column *c, const char *positive)
{
    for (size_t r = p->header; r < p->n_sample; r++) {
        const char *text = c->texts[c->codes[r]];
        p->answers[r] = is_one(text, p->na, p->n_na) ? -1 : schema_is_positive(positive, text);
    }
}

void profile_split(struct profile *p, const struct profile_column *c, double last)
{
    count_values(p, c);
    for (size_t r = p->header; r < p->n_sample; r++)
        p->later[r] = p->values[c->codes[r]].number > last;
}

double profile_auc(const struct profile *p)
{
    double right = 0, positives = 0, negatives = 0;
    const struct profile_value *v = p->values, *end = v + p->n_values;
    for (; v < end && v->good == p->values->good; v++) {
        const double others = v->rows - v->positives;
        right += v->positives * (negatives + others / 2);
        positives += v->positives;
        negatives += others;
    }
    right /= positives * negatives;
    return isfinite(right) ? fmax(right, 1 - right) : 0.5;
}

// ---- columns ------------------------------------------------------------------------------------

// The format of most rows, and how many have it. Of two that fit equally the first is taken: the month
// first with '/', else the day.
static size_t find_format(const struct profile *p, struct profile_column *c)
{
    static const char *const days[] = {"%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%m/%d/%Y",  "%d/%m/%Y",
                                       "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%m/%d/%y",  "%d/%m/%y",
                                       "%d-%m-%y", "%m-%d-%y", "%d.%m.%y", "%d %b %Y",  "%d-%b-%Y",
                                       "%d/%b/%Y", "%d-%b-%y", "%b %d %Y", "%b %d, %Y", "%Y%m%d"};
    static const char *const clocks[] = {
        " %H:%M:%S",    " %H:%M",    "T%H:%M:%S%z", "T%H:%M:%S",    "T%H:%M",        "",
        " %I:%M:%S %p", " %I:%M %p", " %H:%M:%S%z", " %H:%M:%S %z", " %H:%M:%S UTC", " %H.%M.%S",
        ":%H:%M:%S %z", "%H%M%S"};
    enum { DAYS = sizeof days / sizeof *days, CLOCKS = sizeof clocks / sizeof *clocks, FEW = 20 };
    size_t best = 0;
    int64_t seconds;
    for (size_t f = 0; f < DAYS * CLOCKS; f++) {
        char format[sizeof c->format];
        size_t rows = 0;
        snprintf(format, sizeof format, "%s%s", days[f / CLOCKS], clocks[f % CLOCKS]);
        for (size_t i = 0; i < p->n_values && (rows > 0 || i < FEW); i++) {
            const struct profile_value *v = &p->values[i];
            rows += value_time(format, v->text, strlen(v->text), &seconds) ? 0 : v->rows;
        }
        c->either = rows == best ? rows > 0 : c->either && rows < best;
        if (rows > best)
            memcpy(c->format, format, sizeof format);
        best = rows > best ? rows : best;
    }
    return best;
}

// Numbers and times are what 98 % of the texts are that do not mean a missing value.
static void find_look(struct profile *p, struct profile_column *c)
{
    size_t filled = 0, numbers = 0;
    double number, other, least = INFINITY;
    bool both = true; // all are also numbers with the marks swapped
    for (const struct profile_value *v = p->values; v < p->values + p->n_values; v++) {
        if (v->rows == 0 || is_one(v->text, missing_texts, ALL))
            continue;
        const bool good = to_number(p->marks, signs, v->text, &number);
        both =
            both && (!good || to_number(p->marks[0] == '.' ? ",." : ".,", signs, v->text, &other));
        c->twice = both && good && number != other ? v->text : c->twice;
        filled += v->rows;
        numbers += good ? v->rows : 0;
        least = good ? fmin(least, number) : least;
    }
    c->twice = both ? c->twice : NULL;
    c->look = filled == 0 ? LOOK_EMPTY : 50 * numbers >= 49 * filled ? LOOK_NUMBER : LOOK_TEXT;
    if (filled > 0 && (c->look == LOOK_TEXT || least >= 19000101) && // may be %Y%m%d
        50 * find_format(p, c) >= 49 * filled)
        c->look = LOOK_TIME;
    for (size_t i = 0; i < p->n_values; i++) {
        const char *text = p->values[i].rows ? p->values[i].text : "";
        if (p->n_na < sizeof p->na / sizeof *p->na && !is_one(text, p->na, p->n_na) &&
            is_one(text, missing_texts, c->look > LOOK_TEXT ? ALL : SURE))
            p->na[p->n_na++] = text;
        for (const char *s = signs; c->look == LOOK_NUMBER && i < FIRST_ROWS && *s; s++)
            if (strchr(text, *s) && !strchr(c->strip, *s) && strlen(c->strip) + 1 < sizeof c->strip)
                c->strip[strlen(c->strip)] = *s;
    }
}

static void measure(struct profile *p, struct profile_column *c)
{
    const double rows = (double)(p->n_sample - p->header);
    double last = -INFINITY;
    size_t filled = 0, used = 0;
    count_values(p, c);
    c->rising = c->whole = true;
    for (size_t r = p->header; r < p->n_sample; r++) {
        const struct profile_value *v = &p->values[c->codes[r]];
        c->rising = c->rising && (!v->good || v->number >= last);
        last = v->good ? v->number : last;
    }
    qsort(p->values, p->n_values, sizeof *p->values, by_rows);
    for (const struct profile_value *v = p->values; v < p->values + p->n_values && v->rows; v++) {
        if (v->missing) {
            c->missing += v->rows;
            continue;
        }
        if (c->distinct < 2)
            c->top[c->distinct] = *v;
        c->classes += v->rows >= 3 || v->rows >= 0.001 * rows;
        c->common += v->rows >= 0.01 * rows && strlen(v->text) <= 60 ? v->rows / rows : 0;
        c->bad += v->good ? 0 : v->rows;
        c->whole = c->whole && (!v->good || floor(v->number) == v->number);
        filled += v->good ? v->rows : 0;
        if (c->distinct++ < 3 && used < sizeof c->frequent)
            used += (size_t)snprintf(c->frequent + used, sizeof c->frequent - used, "%s%.*s %.*f%%",
                                     used ? ", " : "",
                                     (int)value_utf8_begin(v->text, strnlen(v->text, 20)), v->text,
                                     v->rows < 0.1 * rows, 100 * v->rows / rows);
    }
    qsort(p->values, p->n_values, sizeof *p->values, by_number);
    c->min = filled ? p->values[0].number : 0;
    for (size_t i = 0, seen = 0; i < p->n_values && p->values[i].good; i++) {
        c->median = 2 * seen < filled ? p->values[i].number : c->median;
        c->max = p->values[i].number;
        seen += p->values[i].rows;
    }
}

// ---- the dialect --------------------------------------------------------------------------------

// The marks of decimals and thousands with which most of the first texts are numbers. The first ones
// are preferred: those of a comma in files with semicolons.
static void find_marks(struct profile *p)
{
    static const char marks[][2] = {".", ".,", ",", ",.", ".", ".,", ". ", ", ", ".'"};
    const char *best = marks[0];
    size_t most = 0;
    double number;
    for (size_t m = p->delimiter == ';' ? 2 : 0; m < sizeof marks / sizeof *marks; m++) {
        size_t numbers = 0;
        p->marks = marks[m];
        for (const struct profile_column *c = p->columns; c < p->columns + p->n; c++)
            for (size_t i = 0; i < c->n_texts && i < FIRST_ROWS; i++)
                numbers += c->texts[i][strspn(c->texts[i], "-0123456789")] &&
                           to_number(p->marks, signs, c->texts[i], &number);
        best = numbers > most ? p->marks : best;
        most = numbers > most ? numbers : most;
    }
    p->marks = best;
}

// The delimiter that splits nearly all of the first rows into the most fields. A comma may also be a
// decimal mark, and makes at most one field more then.
static int find_delimiter(struct profile *p, struct csv *c, struct csv_block *b, struct err *err)
{
    double most = 0;
    for (const char *d = ";\t|,"; *d; d++, c++) {
        size_t rows[CSV_MAX_FIELDS + 1] = {0}, n = 0;
        if (csv_open(c, p->file, *d, NULL, err) || csv_next(c, b, FIRST_ROWS, err))
            return -1;
        for (size_t r = 0; r < b->n_rows; r++)
            n = ++rows[b->rows[r].n] > rows[n] ? b->rows[r].n : n;
        const double fields = (double)n - (*d == ',' ? 1.5 : 0);
        if (n > 1 && fields > most && 10 * rows[n] > 8 * b->n_rows) {
            most = fields;
            p->delimiter = *d;
            p->n = n;
        }
    }
    const char *why = b->n_rows == 0 ? "it is empty" : b->rows[0].fault;
    return p->n ? 0
                : err_set(err, "%s: no delimiter (, ; | tab) gives most rows the same fields: %s",
                          p->file, why ? why : "only CSV files are read, plain, .gz or .zst");
}

// The first row names the columns if it has no numbers where the others have, and no texts that come
// again. A row before it that has one field less names them where it does not: all but the last one, if
// that is empty, as after a comma at the end of each row, else all but the first.
static void find_header(struct profile *p)
{
    size_t names = 0, values = 0;
    double number;
    p->header = true;
    for (struct profile_column *c = p->columns; c < p->columns + p->n; c++) {
        count_values(p, c);
        find_look(p, c);
        const bool again =
            c->look == LOOK_TEXT ? p->values[0].rows > 0 : to_value(p, c, c->texts[0], &number);
        *(again ? &values : &names) += *c->texts[0] && c->look != LOOK_EMPTY;
    }
    p->header = names > values;
    p->rows -= p->header;
    const char *name = p->header ? NULL : p->names;
    const bool front = p->columns[p->n - 1].look != LOOK_EMPTY;
    for (size_t c = 0; c < p->n; c++) {
        const bool named = name && c >= front && c < p->n - !front;
        p->columns[c].header = p->header ? p->columns[c].texts[0] : named ? name : "";
        name += named ? strlen(name) + 1 : 0;
    }
}

int profile_read(struct profile *p, const char *file, struct err *err)
{
    static struct csv csv[6]; // four delimiters, then the sample; they live as long as the program
    static struct csv_block block;
    *p = (struct profile){.file = file};
    if (find_delimiter(p, csv, &block, err) || read_rows(p, &csv[4], &block, err))
        return -1;
    // A few rows that are not UTF-8 are rejected: all others would be read as something else.
    if (1000 * p->not_utf8 > p->rows || (p->not_utf8 && p->not_utf8_line <= p->skip + 1))
        p->encoding = "windows-1252";
    p->step = 1 + (p->rows - 1) / SAMPLE_ROWS + p->bytes / SAMPLE_BYTES;
    p->sample = xcalloc(SAMPLE_ROWS, sizeof *p->sample);
    if (read_rows(p, &csv[5], &block, err))
        return -1;
    p->utf16 = csv[5].unit == 2;
    p->answers = xcalloc(p->n_sample, sizeof *p->answers);
    p->later = xcalloc(p->n_sample, sizeof *p->later);
    p->columns = xcalloc(p->n, sizeof *p->columns);
    p->values = xcalloc(p->n_sample, sizeof *p->values);
    for (size_t c = 0; c < p->n; c++)
        take_texts(p, &p->columns[c]);
    find_marks(p);
    find_header(p);
    for (size_t c = 0; c < p->n; c++)
        measure(p, &p->columns[c]);
    return 0;
}
