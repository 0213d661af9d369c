#include "ingest/profile.h"

#include "base/memory.h"
#include "base/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { SAMPLE_ROWS = 200000, SAMPLE_BYTES = 1 << 28, FIRST_ROWS = 1000, SEED = 42 };

// Texts that mean a missing value; those behind SURE only among numbers and times.
static const char *const missing_texts[] = {
    "NA",  "N/A",  "n/a",  "#N/A", "NaN", "nan", "NULL", "null", "?",       "\\N",
    "NaT", "Null", "None", "none", "na",  "-",   "--",   ".",    "missing", "unknown"};
enum { SURE = 11, ALL = sizeof missing_texts / sizeof *missing_texts };
static const char signs[] = "$%\u20ac\u00a3\u00a5"; // at numbers; the last ones have several bytes

static bool is_one(const char *text, const char *const *list, size_t n)
{
    size_t i = 0;
    while (i < n && (*text != *list[i] || strcmp(text, list[i]) != 0))
        i++;
    return !*text || i < n;
}

// ---- the sample ---------------------------------------------------------------------------------

// The rows with the lowest priorities, and the first.
static void sample_row(struct profile *p, const struct csv_block *b, const struct csv_row *row)
{
    const struct csv_field *f = &b->fields[row->first], *end = f + row->n;
    const size_t size = sizeof **p->sample + end[-1].at + end[-1].n + 1 - f->at; // at most
    const uint64_t priority = p->rows ? XXH3_64bits_withSeed(&p->rows, sizeof p->rows, SEED) : 0;
    while (p->n_sample == SAMPLE_ROWS || (p->n_sample > 1 && p->bytes + size > SAMPLE_BYTES)) {
        size_t kept = 0;
        p->limit -= p->limit / 8;
        for (size_t r = 0; r < p->n_sample; r++)
            if (p->sample[r]->priority <= p->limit) {
                p->sample[kept++] = p->sample[r];
            } else {
                p->bytes -= p->sample[r]->size;
                free(p->sample[r]);
            }
        p->n_sample = kept;
    }
    if (priority > p->limit)
        return;
    struct sample_row *kept = p->sample[p->n_sample++] = xmalloc(size);
    *kept = (struct sample_row){priority, size};
    p->bytes += size;
    for (char *to = kept->texts; f < end; to += f++->n + 1) {
        memcpy(to, b->text + f->at, f->n + 1);
        p->encoding = value_utf8(to, f->n) ? p->encoding : "windows-1252";
    }
}

// The code of a text, which is added if it is new.
static uint32_t code_of(struct profile_column *c, const char *text)
{
    const size_t n = c->n_texts;
    if (2 * n >= c->n_slots) {
        c->n_slots = c->n_slots ? 4 * c->n_slots : 16;
        free(c->slots);
        c->slots = xcalloc(c->n_slots, sizeof *c->slots);
        c->n_texts = 0;
        for (size_t i = 0; i < n; i++)
            code_of(c, c->texts[i]);
    }
    size_t at = XXH3_64bits(text, strlen(text)) % c->n_slots;
    while (c->slots[at] && strcmp(c->texts[c->slots[at] - 1], text) != 0)
        at = (at + 1) % c->n_slots;
    if (!c->slots[at]) {
        ARRAY_GROW(c->texts, c->n_texts + 1, c->texts_size);
        c->texts[c->n_texts++] = text;
        c->slots[at] = (uint32_t)c->n_texts;
    }
    return c->slots[at] - 1;
}

// Some columns at a time: their tables should stay in the cache.
static void find_texts(struct profile *p)
{
    const char **at = xcalloc(p->n_sample, sizeof *at);
    size_t most = 0;
    for (size_t from = 0, to; from < p->n; from = to) {
        to = from + 32 < p->n ? from + 32 : p->n;
        for (size_t c = from; c < to; c++)
            p->columns[c].codes = xcalloc(p->n_sample, sizeof(uint32_t));
        for (size_t r = 0; r < p->n_sample; r++) {
            const char *text = from ? at[r] : p->sample[r]->texts;
            for (size_t c = from; c < to; c++, text += strlen(text) + 1)
                p->columns[c].codes[r] = code_of(&p->columns[c], text);
            at[r] = text;
        }
        for (size_t c = from; c < to; c++) {
            most = p->columns[c].n_texts > most ? p->columns[c].n_texts : most;
            free(p->columns[c].slots);
        }
    }
    p->values = xcalloc(most, sizeof *p->values);
    free(at);
}

// ---- values -------------------------------------------------------------------------------------

static bool to_number(const struct profile *p, const char *strip, const char *text, double *number)
{
    return value_number_as(text, strlen(text), p->decimal, p->thousands, strip, number) == 0 &&
           fabs(*number) <= 1e15;
}

static bool to_value(const struct profile *p, const struct profile_column *c, const char *text,
                     double *number)
{
    int64_t seconds = 0;
    if (c->look != LOOK_TIME)
        return c->look == LOOK_NUMBER && to_number(p, c->strip, text, number);
    const int rc = value_time(c->format, text, strlen(text), &seconds);
    *number = (double)seconds;
    return rc == 0;
}

static bool is_positive(const char *positive, const char *text)
{
    const size_t n = strlen(text);
    for (size_t m; *positive; positive += m + (positive[m] == '|')) {
        m = strcspn(positive, "|");
        if (m == n && memcmp(positive, text, n) == 0)
            return true;
    }
    return false;
}

// In the order of their first rows.
static void count_values(struct profile *p, size_t column, size_t first_row)
{
    const struct profile_column *c = &p->columns[column];
    p->n_values = c->n_texts;
    for (size_t i = 0; i < c->n_texts; i++) {
        struct profile_value *v = &p->values[i];
        *v = (struct profile_value){c->texts[i], is_one(c->texts[i], p->na, p->n_na), .number = 0};
        v->good = !v->missing && to_value(p, c, v->text, &v->number);
    }
    for (size_t r = first_row; r < p->n_sample; r++) {
        p->values[c->codes[r]].rows += !p->answers || p->answers[r] >= 0;
        p->values[c->codes[r]].positives += p->answers && p->answers[r] == 1;
    }
}

void profile_label(struct profile *p, size_t column, const char *positive)
{
    p->answers = xreallocarray(p->answers, p->n_sample, sizeof *p->answers);
    for (size_t r = 0; r < p->n_sample; r++) {
        const char *text = p->columns[column].texts[p->columns[column].codes[r]];
        p->answers[r] = is_one(text, p->na, p->n_na) ? -1 : is_positive(positive, text);
    }
}

static int by_number(const void *a, const void *b)
{
    const struct profile_value *x = a, *y = b;
    return x->good != y->good ? y->good - x->good
                              : (x->number > y->number) - (x->number < y->number);
}

static int by_rows(const void *a, const void *b)
{
    const struct profile_value *x = a, *y = b;
    return (x->rows < y->rows) - (x->rows > y->rows);
}

void profile_values(struct profile *p, size_t column)
{
    count_values(p, column, p->header);
    qsort(p->values, p->n_values, sizeof *p->values, by_number);
}

double profile_auc(struct profile *p)
{
    double right = 0, positives = 0, all = 0;
    const struct profile_value *v = p->values, *end = v + p->n_values;
    if (v->text && !v->good) { // texts rank by their rates
        for (size_t i = 0; i < p->n_values; i++) {
            p->values[i].good = true;
            p->values[i].number = (v[i].positives + 0.5) / (v[i].rows + 1);
        }
        qsort(p->values, p->n_values, sizeof *p->values, by_number);
    }
    while (v < end && v->good) {
        const double number = v->number;
        double yes = 0, n = 0;
        for (; v < end && v->good && v->number == number; v++) {
            yes += v->positives;
            n += v->rows;
        }
        right += yes * (all - positives + (n - yes) / 2);
        positives += yes;
        all += n;
    }
    right /= positives * (all - positives);
    return isfinite(right) ? fmax(right, 1 - right) : 0.5;
}

// ---- columns ------------------------------------------------------------------------------------

static size_t rows_of_format(const struct profile *p, const char *format, size_t n)
{
    size_t rows = 0;
    int64_t seconds;
    for (const struct profile_value *v = p->values; v < p->values + n; v++)
        rows += value_time(format, v->text, strlen(v->text), &seconds) ? 0 : v->rows;
    return rows;
}

// The format that most rows have, and how many.
static size_t find_format(const struct profile *p, struct profile_column *c)
{
    // Of two that fit equally, the first: the month first behind '/', else the day.
    static const char days[] = "%Y-%m-%d|%Y/%m/%d|%Y.%m.%d|%m/%d/%Y|%d/%m/%Y|%d-%m-%Y|%m-%d-%Y|"
                               "%d.%m.%Y|%m/%d/%y|%d/%m/%y|%d-%m-%y|%m-%d-%y|%d.%m.%y|%d %b %Y|"
                               "%d-%b-%Y|%d/%b/%Y|%d-%b-%y|%b %d %Y|%b %d, %Y|%Y%m%d";
    static const char clocks[] = "| %H:%M:%S| %H:%M|T%H:%M:%S%z|T%H:%M:%S|T%H:%M| %I:%M:%S %p|"
                                 " %I:%M %p| %H:%M:%S%z| %H:%M:%S %z| %H:%M:%S UTC| %H.%M.%S|"
                                 ":%H:%M:%S %z|%H%M%S";
    const size_t few = p->n_values < 20 ? p->n_values : 20;
    size_t best = 0;
    for (const char *d = days, *dn; *d; d = dn + (*dn == '|')) {
        dn = d + strcspn(d, "|");
        for (const char *t = clocks, *tn = ""; tn; t = tn ? tn + 1 : "") {
            char format[sizeof c->format];
            tn = strchr(t, '|');
            snprintf(format, sizeof format, "%.*s%.*s", (int)(dn - d), d,
                     (int)(tn ? tn - t : (ptrdiff_t)strlen(t)), t);
            const size_t rows =
                rows_of_format(p, format, few) ? rows_of_format(p, format, p->n_values) : 0;
            if (rows > best)
                memcpy(c->format, format, sizeof format);
            c->either = rows > best ? false : c->either || (rows > 0 && rows == best);
            best = rows > best ? rows : best;
        }
    }
    return best;
}

// A column of numbers or times has other texts only where they mean a missing value.
static void find_look(struct profile *p, struct profile_column *c)
{
    size_t filled = 0, numbers = 0, different = 0, others = 0;
    double number, least = INFINITY;
    for (const struct profile_value *v = p->values; v < p->values + p->n_values; v++) {
        if (v->rows == 0 || is_one(v->text, missing_texts, ALL))
            continue;
        const bool good = to_number(p, signs, v->text, &number);
        filled += v->rows;
        numbers += good ? v->rows : 0;
        different += good;
        others += !good;
        least = good ? fmin(least, number) : least;
    }
    const bool words = 10 * numbers > 8 * filled && different > 20 && others <= 3;
    c->look = filled == 0                            ? LOOK_EMPTY
              : words || 50 * numbers >= 49 * filled ? LOOK_NUMBER
                                                     : LOOK_TEXT;
    if (filled > 0 && (c->look == LOOK_TEXT || least >= 19000101) &&
        50 * find_format(p, c) >= 49 * filled)
        c->look = LOOK_TIME;
    for (size_t i = 0; i < p->n_values; i++) {
        const char *text = p->values[i].rows ? p->values[i].text : "";
        const bool other = c->look == LOOK_NUMBER && words && !to_number(p, signs, text, &number);
        if (p->n_na < sizeof p->na / sizeof *p->na && !is_one(text, p->na, p->n_na) &&
            (other || is_one(text, missing_texts, c->look > LOOK_TEXT ? ALL : SURE)))
            p->na[p->n_na++] = text;
        for (const char *s = signs; c->look == LOOK_NUMBER && i < FIRST_ROWS && *s; s++)
            if (strchr(text, *s) && !strchr(c->strip, *s) && strlen(c->strip) + 1 < sizeof c->strip)
                c->strip[strlen(c->strip)] = *s;
    }
}

static void measure(struct profile *p, size_t column)
{
    struct profile_column *c = &p->columns[column];
    double last = -INFINITY;
    size_t filled = 0, used = 0;
    count_values(p, column, p->header);
    c->rising = c->whole = true;
    for (size_t r = p->header; r < p->n_sample; r++) {
        const struct profile_value *v = &p->values[c->codes[r]];
        c->rising = c->rising && (!v->good || v->number >= last);
        last = v->good ? v->number : last;
    }
    qsort(p->values, p->n_values, sizeof *p->values, by_rows);
    for (const struct profile_value *v = p->values; v < p->values + p->n_values && v->rows; v++) {
        c->missing += v->missing ? v->rows : 0;
        c->common +=
            v->missing || v->rows * 100 < p->n_sample ? 0 : (double)v->rows / (double)p->n_sample;
        c->bad += v->missing || v->good ? 0 : v->rows;
        c->whole = c->whole && (!v->good || floor(v->number) == v->number);
        filled += v->good ? v->rows : 0;
        if (!v->missing && c->distinct++ < 3 && used < sizeof c->frequent)
            used += (size_t)snprintf(
                c->frequent + used, sizeof c->frequent - used, "%s%.20s %.*f%%", used ? ", " : "",
                v->text, v->rows * 10 < p->n_sample, 100. * v->rows / (double)p->n_sample);
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

// The marks of decimals and thousands with which most columns hold numbers.
static void find_marks(struct profile *p)
{
    static const char marks[] = ".\0.,,\0,., . .'"; // pairs, those before others preferred
    size_t columns[7] = {0}, best = 0;
    double number;
    for (size_t c = 0; c < p->n; c++) {
        const struct profile_column *col = &p->columns[c];
        for (size_t m = 0, good = 0, filled = 0; m < 7; m++, good = filled = 0) {
            p->decimal = marks[2 * m];
            p->thousands = marks[2 * m + 1];
            for (size_t i = 1; i < col->n_texts && i < FIRST_ROWS; i++)
                if (!is_one(col->texts[i], missing_texts, ALL)) {
                    filled++;
                    good += to_number(p, signs, col->texts[i], &number);
                }
            columns[m] += filled > 0 && 10 * good >= 9 * filled;
            best = columns[m] > columns[best] ? m : best;
        }
    }
    for (size_t m = 7; m-- > 0;)
        best = columns[m] >= columns[best] ? m : best;
    p->decimal = marks[2 * best];
    p->thousands = marks[2 * best + 1];
}

// The delimiter that splits nearly all of the first rows into the most fields. A comma may also be a
// decimal mark, and makes at most one field more then.
static int find_delimiter(struct profile *p, struct csv_block *b, struct err *err)
{
    static const char delimiters[] = ";\t|,";
    double most = 0;
    p->delimiter = ',';
    for (size_t d = 0; d < 4; d++) {
        if (csv_open(&p->csv[d], p->file, delimiters[d], err))
            return -1;
        if (csv_next(&p->csv[d], b, FIRST_ROWS, err) && b->n_rows == 0)
            continue;
        size_t same = 0, n = b->n_rows ? b->rows[b->n_rows / 2].n : 0;
        for (size_t r = 0; r < b->n_rows; r++)
            same += b->rows[r].n == n;
        const double fields = (double)n - (d == 3 ? 1.5 : 0);
        if (10 * same > 8 * b->n_rows && fields > most && n > 1) {
            most = fields;
            p->delimiter = delimiters[d];
            p->n = n;
        }
    }
    p->n = p->n ? p->n : 1;
    return 0;
}

static int read_sample(struct profile *p, struct csv_block *b, struct csv *c, struct err *err)
{
    int rc =
        csv_open(c, p->file, p->delimiter, err) || (p->encoding && csv_decode(c, p->encoding, err));
    const char *fault = NULL;
    p->limit = UINT64_MAX;
    p->rows = p->n_sample = p->bytes = 0;
    while (rc == 0 && (rc = csv_next(c, b, CSV_BLOCK_ROWS, err)) == 0 && b->n_rows > 0)
        for (const struct csv_row *row = b->rows; row < b->rows + b->n_rows; row++) {
            fault = row->fault ? row->fault : fault;
            if (row->n != p->n)
                continue;
            p->skip = p->rows ? p->skip : row->line - 1;
            sample_row(p, b, row);
            p->rows++;
        }
    if (rc == 0 && p->rows < 2)
        return err_set(err, "%s: it has no rows%s%s", p->file, fault ? ": " : "",
                       fault ? fault : "");
    return rc;
}

int profile_read(struct profile *p, const char *file, struct err *err)
{
    static struct csv_block block;
    size_t names = 0, values = 0;
    double number;
    *p = (struct profile){.file = file};
    p->sample = xcalloc(SAMPLE_ROWS, sizeof(void *));
    if (find_delimiter(p, &block, err) || read_sample(p, &block, &p->csv[4], err) ||
        (p->encoding && read_sample(p, &block, &p->csv[5], err)))
        return -1;
    p->columns = xcalloc(p->n, sizeof *p->columns);
    find_texts(p);
    find_marks(p);
    // The first row names the columns if it has no numbers where the others have, and no texts that
    // come again.
    for (size_t c = 0; c < p->n; c++) {
        struct profile_column *col = &p->columns[c];
        count_values(p, c, 1);
        find_look(p, col);
        const bool again = col->look == LOOK_TEXT ? p->values[0].rows > 0
                                                  : to_value(p, col, col->texts[0], &number);
        *(again ? &values : &names) += *col->texts[0] && col->look != LOOK_EMPTY;
    }
    p->header = names > values;
    p->rows -= p->header;
    for (size_t c = 0; c < p->n; c++) {
        p->columns[c].header = p->header ? p->columns[c].texts[0] : "";
        measure(p, c);
    }
    return 0;
}
