#include "ingest/draft.h"

#include "base/memory.h"
#include "base/template.h"
#include "base/value.h"
#include "ingest/profile.h"
#include "ingest/schema.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>

extern const char draft_txt[], profile_txt[];

enum { MAX_INPUTS = 900, HINGES = 5, NONE = -1 }; // a table has 960 columns at most

struct guess { // about a column
    enum column_kind kind;
    const char *out; // why it is left out, or NULL
    char name[64];
};

struct draft {
    struct profile p;
    struct guess *guesses;            // [p.n]
    int label, time, amount, blocked; // columns
    char *given;                      // the label that the user names
    const char *positive, *other; // values of the label, separated by '|'; the value that is not
    double rate, rejects;         // shares of rows: positive; that break the schema
    const char *format, *unit;
    int ids, delay;             // delay: days until a label is known
    int inputs, curved, hinges; // without hinges; numbers that may have some; for each
    char train[64], test[64];
};

// ---- headers ------------------------------------------------------------------------------------

#define WORD(words) "(^|[^a-z])(" words ")([^a-z]|$)"
static const char label_names[] = "^(is[ _]?)?(label|target|y|class|fraud|churn(ed)?|exited)[ ?]*$";
static const char label_words[] = "fraud|churn|target|label|outcome|class|default|status|response|"
                                  "result|attrition|surviv|subscri|convert|click|risk|diagnosis";
static const char yes[] = "^(1|1\\.0|true|yes|y|t)$";
static const char class_words[] = "^[a-z][a-z0-9_ -]+[?]?$"; // that may be the name of a class,
static const char no_class[] = "^(true|yes|false|no|class|label|target)[?]?$"; // but for these
static const char id_words[] =
    "^$|^unnamed|[a-z]id$|" WORD("id|uuid|guid|nr|no|num|number|key|index|idx|ref|iban|hash");
static const char key_names[] =
    "^(cc|card|account|acct|customer|client|user|merchant|terminal|device|email|ip|phone)[^a-z]*$";
static const char owner_words[] = "card|cc|customer|client|account|acct|user|orig";
static const char time_words[] =
    WORD("time|timestamp|date|datetime|epoch|ts|dt|created") "|time$|timestamp|dt$";
static const char event_words[] = "trans|event|incident|purchase|order|time|created";
static const char other_times[] = "birth|dob|expir|until|last|end";
static const char step_words[] = WORD("step|hours?");
static const char money_words[] = "amount|amt|value|price|total|sum|cost|charge";

static bool matches(const char *text, const char *pattern)
{
    regex_t r;
    if (regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB | REG_ICASE))
        return false;
    const bool found = regexec(&r, text, 0, NULL, 0) == 0;
    regfree(&r);
    return found;
}

// The column of a header or of "#3"; NONE where there is none.
static int find_column(const struct profile *p, const char *header)
{
    const size_t number = *header == '#' ? strtoul(header + 1, NULL, 10) : 0;
    for (size_t c = 0; c < p->n; c++)
        if (*header && strcmp(p->columns[c].header, header) == 0)
            return (int)c;
    return number > 0 && number <= p->n ? (int)number - 1 : NONE;
}

// Letters, digits and _ of the header; no word of the language, and no name of a column before it.
static void make_name(struct draft *d, size_t column)
{
    struct guess *g = &d->guesses[column];
    const char *header = d->p.columns[column].header;
    size_t n = 0;
    const bool kind = !g->out && (g->kind <= COLUMN_TIME || g->kind == COLUMN_LABEL);
    if (kind)
        header = column_kinds[g->kind];
    if (isdigit((unsigned char)*header))
        g->name[n++] = 'x';
    for (; *header && n < 40; header++)
        if (isalnum((unsigned char)*header) || (n > 0 && g->name[n - 1] != '_'))
            g->name[n++] = isalnum((unsigned char)*header) ? *header : '_';
    n -= n > 0 && g->name[n - 1] == '_';
    g->name[n] = '\0';
    bool again = n == 0 || matches(g->name, "^(and|or|not|if|all|past)$") ||
                 (!kind && matches(g->name, "^(id|label|time(_hour|_weekday)?)$"));
    for (size_t c = 0; c < d->p.n && !again; c++)
        again = c != column && strcmp(d->guesses[c].name, g->name) == 0;
    if (again)
        snprintf(g->name + n, sizeof g->name - n, "%s_%zu", n ? "" : "column", column + 1);
}

// ---- the label ----------------------------------------------------------------------------------

static int set_label(struct draft *d, const char *text, struct err *err)
{
    const struct profile *p = &d->p;
    static const char *headers[CSV_MAX_FIELDS];
    char *header = d->given = xstrdup(text), *values = strrchr(header, '=');
    for (size_t c = 0; c < p->n; c++)
        headers[c] = p->columns[c].header;
    d->label = find_column(p, header);
    if (d->label == NONE && values) { // COLUMN=VALUE|VALUE
        *values = '\0';
        d->positive = values + 1;
        d->label = find_column(p, header);
    }
    if (d->label == NONE)
        return err_set(err, "%s: it has no column '%s'%s", p->file, header,
                       err_did_you_mean(header, headers, p->n).text);
    const struct profile_column *c = &p->columns[d->label];
    if (c->classes < 2)
        return err_set(err, "%s: column '%s' has one value only (%s), and a label has two", p->file,
                       header, c->frequent);
    if (c->classes != 2 && !d->positive)
        return err_set(err,
                       "%s: column '%s' has %zu different values (%s), and a label has two: say "
                       "which are positive, as in LABEL='%s=VALUE|VALUE'",
                       p->file, header, c->classes, c->frequent, header);
    return 0;
}

// By its name and place, among the columns with two values.
static int guess_label(struct draft *d, struct err *err)
{
    const struct profile *p = &d->p;
    int most = NONE, other = NONE;
    for (size_t c = 0; c < p->n; c++) {
        const char *header = p->columns[c].header;
        const int score = 8 * matches(header, label_names) + 2 * matches(header, label_words) +
                          2 * (c == p->n - 1) + (c == 0);
        if (p->columns[c].classes != 2 || score < most)
            continue;
        other = score > most ? NONE : d->label;
        most = score;
        d->label = (int)c;
    }
    if (d->label == NONE)
        return err_set(err,
                       "%s: no column has two values, so none is the label; to take other values "
                       "as the positive ones, pass LABEL='COLUMN=VALUE|VALUE'",
                       p->file);
    if (other != NONE)
        return err_set(err,
                       "%s: which column is the label, '%s', '%s' or another? Pass LABEL=COLUMN",
                       p->file, p->columns[other].header, p->columns[d->label].header);
    return 0;
}

// The rarer value is positive; of two with 40 % or more, the one that says yes.
static int choose_positive(struct draft *d, struct err *err)
{
    struct profile *p = &d->p;
    const struct profile_column *c = &p->columns[d->label];
    const struct profile_value *top = c->top;
    const bool first = matches(top[0].text, yes) && 0.66 * top[0].rows < top[1].rows;
    const char *rarer = top[!first].text;
    d->other = d->positive ? NULL : top[first].text;
    if (!d->positive && strchr(rarer, '|'))
        return err_set(err,
                       "%s: '%s' of column '%s' cannot be written as its positive value, as '|' "
                       "separates values: pass LABEL='%s=VALUE' with the other one",
                       p->file, rarer, c->header, c->header);
    d->positive = d->positive ? d->positive : rarer;
    d->rate = profile_label(p, (size_t)d->label, d->positive);
    if (d->rate > 0 && d->rate < 1)
        return 0;
    return err_set(err, "%s: %s row has %s=%s; the values of the column are %s ('|' separates two)",
                   p->file, d->rate > 0 ? "every" : "no", c->header, d->positive, c->frequent);
}

// ---- time and split -----------------------------------------------------------------------------

// The format of a column that may be the time, and its unit; else NULL. Whatever it is called, it is
// one if it rises from 1990 or later to 2040 at most.
static const char *time_format(const struct profile_column *c, const char **unit)
{
    const bool named = matches(c->header, time_words);
    const double second = c->min > 3e11 ? 1000 : 1;
    *unit = NULL;
    if (c->look == LOOK_TIME)
        return c->format;
    if (c->look != LOOK_NUMBER || !c->whole || c->distinct < 24 || c->min < 0)
        return NULL;
    if (named
            ? c->min > 3e8 * second && c->max < 4e9 * second
            : c->rising && c->min >= 631152000 * second && c->max < 2208988800 * second &&
                  c->max - c->min >= 86400 * second &&
                  !(*c->header && (matches(c->header, id_words) || matches(c->header, key_names))))
        return second > 1 ? "epoch_ms" : "epoch";
    *unit = c->rising && c->max < 1e5 && matches(c->header, step_words) ? "1h" : NULL;
    return *unit || (named && c->rising && c->max > 86400 && c->max < 4e9) ? "epoch" : NULL;
}

static void choose_time(struct draft *d)
{
    int most = 0;
    for (size_t c = 0; c < d->p.n; c++) {
        const struct profile_column *col = &d->p.columns[c];
        const char *unit, *format = time_format(col, &unit);
        const int score =
            1 + 2 * matches(col->header, event_words) + (col->look == LOOK_TIME) + col->rising;
        if (!format || (int)c == d->label || score <= most ||
            100 * (col->missing + col->bad) > d->p.n_sample || matches(col->header, other_times))
            continue;
        most = score;
        d->time = (int)c;
        d->format = format;
        d->unit = unit;
    }
}

static int64_t day_at(const struct draft *d, double time)
{
    const double unit = d->unit ? 3600 : strcmp(d->format, "epoch_ms") == 0 ? 1e-3 : 1;
    return day_of((int64_t)(time * unit));
}

// The first 70 % of the rows train: whole days, where there are two weeks of them. A time is of no
// use if a class is missing on one side.
static void choose_split(struct draft *d)
{
    struct profile *p = &d->p;
    const struct profile_column *c = &p->columns[d->time];
    double rows[2] = {0}, positives[2] = {0}, all = 0, middle = 0;
    char from[TIME_TEXT], to[TIME_TEXT];
    profile_values(p, (size_t)d->time);
    for (size_t i = 0; i < p->n_values; i++)
        all += p->values[i].rows;
    for (size_t i = 0; i < p->n_values; i++) {
        const bool later = rows[0] >= 0.7 * all;
        middle = later ? middle : p->values[i].number;
        rows[later] += p->values[i].rows;
        positives[later] += p->values[i].positives;
    }
    for (int k = 0; k < 2; k++)
        if (positives[k] < 5 || rows[k] - positives[k] < 5) {
            d->guesses[d->time].out = "nearly all rows before or after 70 % of it have one class";
            d->time = NONE;
            d->format = d->unit = NULL;
            return;
        }
    profile_split(p, (size_t)d->time, middle);
    const int64_t first = day_at(d, c->min), cut = day_at(d, middle), last = day_at(d, c->max);
    d->delay = last - first >= 40 && last - cut >= 12 ? 7 : 0;
    const bool days = last - first >= 13 && last - cut > d->delay;
    snprintf(d->train, sizeof d->train, days ? "%s .. %s" : "0%% .. 70%%", date_text(from, first),
             date_text(to, cut));
    snprintf(d->test, sizeof d->test, days ? "%s .. %s" : "70%% .. 100%%",
             date_text(from, cut + 1 + d->delay), date_text(to, last));
}

// ---- the other columns --------------------------------------------------------------------------

// Is the column filled only where the label is positive? Leaves its values in the profile.
static bool follows_label(struct profile *p, size_t column)
{
    double filled = 0, positives = 0;
    profile_values(p, column);
    for (size_t i = 0; i < p->n_values; i++) {
        filled += p->values[i].missing ? 0 : p->values[i].rows;
        positives += p->values[i].missing ? 0 : p->values[i].positives;
    }
    return p->columns[column].missing > 0 && filled >= 10 && positives >= .98 * filled;
}

// Do 15 % of the later rows have values that less than 1 % of the earlier ones have? Train would warn.
static bool drifts(const struct profile *p)
{
    double earlier = 0, later = 0, rare = 0;
    for (const struct profile_value *v = p->values; v < p->values + p->n_values; v++) {
        earlier += v->rows - v->later;
        later += v->later;
    }
    for (const struct profile_value *v = p->values; v < p->values + p->n_values; v++)
        rare += !v->missing && v->rows - v->later < 0.01 * earlier ? v->later : 0;
    return rare > .15 * later;
}

// Sets the kind of a column; returns why the column is left out, or NULL.
static const char *judge(struct draft *d, size_t column)
{
    const struct profile_column *c = &d->p.columns[column];
    struct guess *g = &d->guesses[column];
    const size_t rows = d->p.n_sample - d->p.header, filled = rows - c->missing;
    const bool text = c->look == LOOK_TEXT, id = matches(c->header, id_words);
    const bool identifies =
        text ? c->common < .5 : c->whole && (id || matches(c->header, key_names));
    g->kind = c->look == LOOK_NUMBER ? COLUMN_NUMBER : COLUMN_CATEGORY;
    if (c->distinct == 0)
        return "it is empty";
    if (follows_label(&d->p, column))
        return "filled only where the label is positive";
    if (c->look == LOOK_TIME)
        return g->out ? g->out : "a time besides the row's";
    if (c->distinct == 1 && filled == rows)
        return "the same value in every row";
    if (c->distinct == rows && (text || (c->whole && id))) {
        g->kind = id ? COLUMN_ID : COLUMN_CATEGORY;
        return id && d->ids++ == 0 ? NULL : "another value in every row";
    }
    if (identifies && c->distinct >= 50 && 2 * c->distinct <= filled && d->time != NONE) {
        g->kind = COLUMN_KEY;
        return NULL;
    }
    if (d->time != NONE && d->p.columns[d->time].rising && !text && c->rising && c->distinct > 20)
        return "it only rises, as the time does";
    if (text && c->common < .1)
        return "texts that are nearly all rare, or longer than 60 bytes";
    if (text && drifts(&d->p))
        return "of the later rows, 15 % or more have values that are rare before";
    if ((!text || d->p.n_values <= 100) && profile_auc(&d->p) > .98)
        return "it alone ranks the label with an AUC above .98: does it give it away?";
    return NULL;
}

static void guess(struct draft *d, size_t column)
{
    const struct profile_column *c = &d->p.columns[column];
    struct guess *g = &d->guesses[column];
    if ((int)column == d->label || (int)column == d->time) {
        g->kind = (int)column == d->label ? COLUMN_LABEL : COLUMN_TIME;
        if (g->kind == COLUMN_TIME)
            d->rejects += (double)(c->missing + c->bad) / (double)(d->p.n_sample - d->p.header);
        return;
    }
    g->out = judge(d, column);
    if (g->out)
        return;
    const int most = g->kind == COLUMN_CATEGORY ? 33 : g->kind == COLUMN_KEY ? 5 : 2;
    d->inputs += (int)c->distinct < most ? (int)c->distinct + 1 : most;
    if (d->inputs > MAX_INPUTS) {
        g->out = "there are inputs enough";
    } else if (g->kind == COLUMN_KEY && d->rate < 0.05 && matches(c->header, owner_words) &&
               (matches(d->p.columns[d->label].header, "fraud") || matches(d->positive, "fraud"))) {
        d->blocked = (int)column;
    } else if (g->kind == COLUMN_NUMBER) {
        const char *before = d->amount == NONE ? NULL : d->p.columns[d->amount].header;
        d->curved += c->distinct > 3;
        d->rejects += (double)c->bad / (double)(d->p.n_sample - d->p.header);
        if (!before || (matches(c->header, money_words) && !matches(before, money_words)))
            d->amount = (int)column;
    }
}

// ---- the texts ----------------------------------------------------------------------------------

// An item of a list in the .ini, in quotes where it has a comma.
static json_t *item(const char *before, const char *text)
{
    const char *quote = strchr(text, ',') ? "\"" : "";
    return json_sprintf("%s%s%s%s", quote, before, text, quote);
}

// For the table.
static json_t *shortened(const char *text, size_t most)
{
    return json_stringn(text, value_utf8_begin(text, strnlen(text, most)));
}

static json_t *values_of(const struct profile_column *c)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    if (c->look == LOOK_TIME)
        return json_sprintf("%s .. %s", date_text(from, day_of((int64_t)c->min)),
                            date_text(to, day_of((int64_t)c->max)));
    if (c->look == LOOK_NUMBER && c->distinct > 2)
        return json_sprintf("%.6g .. %.6g, median %.6g", c->min, c->max, c->median);
    return shortened(c->frequent, 34);
}

static bool is_once(const struct profile *p, const char *header)
{
    size_t n = 0;
    for (size_t c = 0; c < p->n; c++)
        n += strcmp(p->columns[c].header, header) == 0;
    return n == 1;
}

static json_t *column_json(const struct draft *d, size_t column)
{
    const struct profile_column *c = &d->p.columns[column];
    const struct guess *g = &d->guesses[column];
    const bool number = g->kind == COLUMN_NUMBER, label = g->kind == COLUMN_LABEL;
    const bool category = g->kind == COLUMN_CATEGORY, key = g->kind == COLUMN_KEY;
    const bool plain = d->p.header && *c->header && *c->header != '#' && strlen(c->header) < 90 &&
                       !strpbrk(c->header, "\";\n") && is_once(&d->p, c->header);
    const bool few = number && 100 * c->missing < d->p.n_sample;
    const char *missing = label ? "-1" : few ? "median" : number ? "flag" : "none";
    const char *feature = category                           ? "onehot(%1$s)"
                          : c->distinct > 3 && d->hinges > 0 ? "hinges(%1$s, %2$d)"
                                                             : "%1$s";
    return json_pack(
        "{ss*, ss, so, ss, ss*, ss*, so*, so*, sb, so, sI, sI, so}", "out", g->out, "name", g->name,
        "header", plain ? item("", c->header) : json_sprintf("#%zu", column + 1), "kind",
        column_kinds[g->kind], "missing",
        c->missing > 0 && (number || category || key || label) ? missing : NULL, "strip",
        number && *c->strip ? c->strip : NULL, "positive",
        label ? item("positive=", d->positive) : NULL, "feature",
        number || category ? json_sprintf(feature, g->name, d->hinges) : NULL, "key",
        key && !g->out, "title", shortened(*c->header ? c->header : g->name, 20), "n_missing",
        (json_int_t)c->missing, "distinct", (json_int_t)c->distinct, "values", values_of(c));
}

// What the positive rows are called: as their value says, or the label's header where it is yes.
static json_t *class_of(const struct draft *d)
{
    const char *header = d->p.columns[d->label].header;
    const char *text = matches(d->positive, yes) ? header : d->positive;
    char name[64];
    text = text == header && matches(text, "fraud") ? "fraud" : text;
    if (!matches(text, class_words) || matches(text, no_class))
        text = "positive";
    snprintf(name, sizeof name, "%.*s", (int)strcspn(text, "?"), text);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? ' ' : (char)tolower((unsigned char)*c);
    return json_string(name);
}

// Is there a column with such a header?
static bool has(const struct profile *p, const char *pattern)
{
    size_t c = 0;
    while (c < p->n && !matches(p->columns[c].header, pattern))
        c++;
    return c < p->n;
}

// For draft.txt and profile.txt; NULL where a text is not UTF-8.
static json_t *draft_json(const struct draft *d)
{
    static const char *const marks[128] = {
        ['\t'] = "tab",      [' '] = "space", [','] = "comma", ['.'] = ".",
        [';'] = "semicolon", ['\''] = "'",    ['|'] = "|"};
    const struct profile *p = &d->p;
    json_t *columns = json_array();
    char na[512] = "";
    int out = 0, flags = 0;
    for (size_t c = 0; c < p->n; c++) {
        if (json_array_append_new(columns, column_json(d, c)))
            return NULL;
        const char *missing =
            json_string_value(json_object_get(json_array_get(columns, c), "missing"));
        out += d->guesses[c].out != NULL;
        flags += missing && strcmp(missing, "flag") == 0;
    }
    for (size_t i = 0; i < p->n_na; i++)
        snprintf(na + strlen(na), sizeof na - strlen(na), "%s%s", i ? ", " : "", p->na[i]);
    json_t *dialect = json_pack(
        "{ss, ss*, sb, sI, ss*, ss*, ss*, ss*}", "file", p->file, "delimiter",
        p->delimiter == ',' ? NULL : marks[(int)p->delimiter], "header", p->header, "skip",
        (json_int_t)p->skip, "decimal", p->decimal == '.' ? NULL : marks[(int)p->decimal],
        "thousands", marks[(int)p->thousands], "encoding", p->encoding, "na", p->n_na ? na : NULL);
    json_t *time = json_pack("{ss*, ss*, sb, sb, ss, ss, si}", "format", d->format, "unit", d->unit,
                             "either", d->format && p->columns[d->time].either, "hour",
                             d->format && strpbrk(d->format, "HIe"), "train", d->train, "test",
                             d->test, "delay", d->delay);
    json_t *json = json_pack(
        "{si, sb, so*, sb, sI, sI, sI, sI, sI, sI, si, sO, sO*, si, ss, so, sf, sf, sb, si, ss*, "
        "ss, so}",
        "ids", d->ids, "names", p->names && !p->header, "other",
        d->other ? item("positive=", d->other) : NULL, "parts",
        has(p, WORD("year|yr")) && has(p, WORD("month")), "not_utf8", (json_int_t)p->not_utf8,
        "not_utf8_line", (json_int_t)p->not_utf8_line, "rows", (json_int_t)p->rows, "bad_rows",
        (json_int_t)p->bad_rows, "bad_line", (json_int_t)p->bad_line, "flags", flags, "sampled",
        (json_int_t)(p->step > 1 ? p->n_sample - p->header : 0), "label",
        json_array_get(columns, (size_t)d->label), "clock",
        d->format ? json_array_get(columns, (size_t)d->time) : NULL, "n_out", out, "positive",
        d->positive, "class", class_of(d), "rate", 100 * d->rate, "rejects",
        d->rejects > 0.0005 ? 2 * d->rejects : 0., "many", p->rows > 100000, "hinges", d->hinges,
        "amount", d->amount == NONE ? NULL : d->guesses[d->amount].name, "blocked",
        d->blocked == NONE ? "none" : d->guesses[d->blocked].name, "list", columns);
    return json_object_update_new(json, dialect) || json_object_update_new(json, time) ? NULL
                                                                                       : json;
}

int draft_make(const char *file, const char *label, FILE *ini, FILE *table, struct err *err)
{
    static struct draft d;
    struct profile *p = &d.p;
    d = (struct draft){.train = "0% .. 75%", .test = "75% .. 100%"};
    d.label = d.time = d.amount = d.blocked = NONE;
    if (strcmp(file, "-") == 0)
        return err_set(err, "a draft reads its file more than once, so standard input will not do");
    if (profile_read(p, file, err))
        return -1;
    d.guesses = xcalloc(p->n, sizeof *d.guesses);
    if (label && *label ? set_label(&d, label, err) : guess_label(&d, err))
        return -1;
    if (choose_positive(&d, err))
        return -1;
    d.rejects = (double)p->bad_rows / (double)(p->rows + p->bad_rows) +
                (double)p->not_utf8 / (double)p->n_sample;
    choose_time(&d);
    if (d.time != NONE)
        choose_split(&d);
    for (size_t c = 0; c < p->n; c++)
        guess(&d, c);
    for (size_t c = 0; c < p->n; c++)
        make_name(&d, c);
    d.hinges = d.curved ? (MAX_INPUTS - d.inputs) / d.curved : 0;
    d.hinges = d.hinges < 0 ? 0 : d.hinges > HINGES ? HINGES : d.hinges;
    json_t *json = draft_json(&d);
    if (!json)
        return err_set(
            err, "%s: a header or a value of the label is neither UTF-8 nor windows-1252", p->file);
    for (int i = 0; i < 2; i++) {
        char *text = template_fill(i ? profile_txt : draft_txt, TEMPLATE_PLAIN, json);
        fputs(text, i ? table : ini);
        free(text);
    }
    json_decref(json);
    return 0;
}
