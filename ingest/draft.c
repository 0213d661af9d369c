#include "ingest/profile.h"

#include "base/memory.h"
#include "base/template.h"
#include "base/value.h"

#include <ctype.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>

extern const char draft_txt[], profile_txt[];

enum { MAX_INPUTS = 900, HINGES = 5 }; // a table has 960 columns at most

struct draft {
    struct profile p;
    struct profile_column *label, *time, *amount; // NULL: none
    char *given, *values;         // the label that the user names, and its positive values
    const char *positive, *other; // values of the label, separated by '|'; the value that is not
    double rate, rejects;         // shares of rows: positive; that break the schema
    int ids, delay, parts;        // delay: days until a label is known; parts: 1 a year, 2 a month
    int inputs, curved, hinges;   // without hinges; numbers that may have some; for each
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
static const char own_names[] = "^(and|or|not|if|all|past|id|label|time(_hour|_weekday)?)$";
static const char id_words[] =
    "^$|^unnamed|[a-z]id$|" WORD("id|uuid|guid|nr|no|num|number|key|index|idx|ref|iban|hash");
static const char key_names[] =
    "^(cc|card|account|acct|customer|client|user|merchant|terminal|device|email|ip|phone)[^a-z]*$";
static const char time_words[] =
    WORD("time|timestamp|date|datetime|epoch|ts|dt|created") "|time$|timestamp|dt$";
static const char event_words[] = "trans|event|incident|purchase|order|time|created";
static const char other_times[] = "birth|dob|expir|until|last|end";
static const char step_words[] = WORD("step|hours?");
static const char money_words[] = "amount|amt|value|price|total|sum|cost|charge";

static bool matches(const char *text, const char *pattern)
{
    regex_t r;
    const bool found = regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB | REG_ICASE) == 0 &&
                       regexec(&r, text, 0, NULL, 0) == 0;
    regfree(&r);
    return found;
}

// The column of a header or of "#3"; NULL where there is none, or more than one.
static struct profile_column *find_column(const struct profile *p, const char *header)
{
    const size_t number = *header == '#' ? strtoul(header + 1, NULL, 10) : 0;
    struct profile_column *found = NULL;
    for (struct profile_column *c = p->columns; c < p->columns + p->n; c++)
        if (*header && strcmp(c->header, header) == 0) {
            if (found)
                return NULL;
            found = c;
        }
    return !found && number > 0 && number <= p->n ? &p->columns[number - 1] : found;
}

// Letters, digits and _ of the header; no word of the language, and no name of a column before it.
static void make_name(const struct profile *p, struct profile_column *g)
{
    const bool kind = !g->out && (g->kind <= COLUMN_TIME || g->kind == COLUMN_LABEL);
    const char *header = kind ? column_kinds[g->kind] : g->header;
    size_t n = 0;
    if (isdigit((unsigned char)*header))
        g->name[n++] = 'x';
    for (; *header && n < 40; header++)
        if (isalnum((unsigned char)*header) || (n > 0 && g->name[n - 1] != '_'))
            g->name[n++] = isalnum((unsigned char)*header) ? *header : '_';
    n -= n > 0 && g->name[n - 1] == '_';
    g->name[n] = '\0';
    bool again = n == 0 || (!kind && matches(g->name, own_names));
    for (const struct profile_column *c = p->columns; c < p->columns + p->n && !again; c++)
        again = c != g && strcmp(c->name, g->name) == 0;
    if (again)
        snprintf(g->name + n, sizeof g->name - n, "%s_%td", n ? "" : "column", g - p->columns + 1);
}

// ---- the label ----------------------------------------------------------------------------------

static int set_label(struct draft *d, const char *text, struct err *err)
{
    const struct profile *p = &d->p;
    static const char *headers[CSV_MAX_FIELDS];
    char *header = d->given = xstrdup(text), *values = strrchr(header, '=');
    for (size_t c = 0; c < p->n; c++) {
        snprintf(p->columns[c].name, sizeof p->columns[c].name, "#%zu", c + 1);
        headers[c] = p->header ? p->columns[c].header : p->columns[c].name;
    }
    d->label = find_column(p, header);
    if (!d->label && values) { // COLUMN=VALUE|VALUE
        *values = '\0';
        d->positive = values + 1;
        d->label = find_column(p, header);
    }
    if (!d->label)
        return err_set(err, "%s: it has no column '%s', or more than one%s", p->file, header,
                       err_did_you_mean(header, headers, p->n).text);
    const struct profile_column *c = d->label;
    if (c->distinct == 0 || (c->classes != 2 && !d->positive))
        return err_set(
            err, "%s: a label has two values, and column '%s' has %zu (%s): pass another one%s%s%s",
            p->file, header, c->distinct, c->frequent, c->distinct < 2 ? "" : ", or LABEL='",
            c->distinct < 2 ? "" : header,
            c->distinct < 2 ? "" : "=VALUE|VALUE' with the positive values");
    return 0;
}

// Guess the label from names and places of the columns with two values.
static int guess_label(struct draft *d, struct err *err)
{
    const struct profile *p = &d->p;
    const struct profile_column *other = NULL;
    int most = -1;
    for (struct profile_column *c = p->columns; c < p->columns + p->n; c++) {
        const int score = 8 * matches(c->header, label_names) +
                          2 * matches(c->header, label_words) + 2 * (c == p->columns + p->n - 1) +
                          (c == p->columns);
        if (c->classes != 2 || score < most)
            continue;
        other = score > most ? NULL : d->label;
        most = score;
        d->label = c;
    }
    if (!d->label)
        return err_set(err,
                       "%s: no column has two values, so none is the label; to take other values "
                       "as the positive ones, pass LABEL='COLUMN=VALUE|VALUE'",
                       p->file);
    if (other)
        return err_set(err,
                       "%s: which column is the label, '%s' (#%td), '%s' (#%td) or another? Pass "
                       "LABEL=COLUMN, or its number, as in LABEL='#%td'",
                       p->file, other->header, other - p->columns + 1, d->label->header,
                       d->label - p->columns + 1, d->label - p->columns + 1);
    return 0;
}

// All values of a column, which stay in the profile: their rows, positives, and later rows whose value
// less than 1 % of the first 70 % have.
static struct profile_value sum_values(struct profile *p, const struct profile_column *c)
{
    struct profile_value all = {0};
    profile_values(p, c);
    for (const struct profile_value *v = p->values; v < p->values + p->n_values; v++) {
        all.rows += v->missing ? 0 : v->rows;
        all.positives += v->missing ? 0 : v->positives;
        all.later += !v->missing && v->rows - v->later < 0.007 * (double)p->n_sample ? v->later : 0;
    }
    return all;
}

// The rarer value is positive; of two with 40 % or more, the one that says yes.
static int choose_positive(struct draft *d, struct err *err)
{
    struct profile *p = &d->p;
    const struct profile_value *top = d->label->top;
    const bool first = matches(top[0].text, yes) && 0.66 * top[0].rows < top[1].rows;
    d->other = d->positive ? NULL : top[first].text;
    d->positive = d->positive ? d->positive : top[!first].text;
    profile_label(p, d->label, d->positive);
    const struct profile_value all = sum_values(p, d->label);
    const double step = (double)p->step, others = all.rows - all.positives;
    d->rate = all.positives / (double)all.rows;
    d->values = xstrdup(d->positive);
    char *value = d->other ? NULL : strtok(d->values, "|"); // that no row has, perhaps
    for (size_t i = 0; value && i < p->n_values;) {
        const bool found = strcmp(p->values[i].text, value) == 0;
        value = found ? strtok(NULL, "|") : value;
        i = found ? 0 : i + 1;
    }
    if (value || others == 0)
        return err_set(err,
                       "%s: %s row has %s=%s; the values of the column are %s ('|' separates two)",
                       p->file, value ? "no" : "every", d->label->header,
                       value ? value : d->positive, d->label->frequent);
    return step * fmin(all.positives, others) >= 10
               ? 0
               : err_set(err,
                         "%s: %s=%s is in %.0f of %.0f rows: training and test need 10 with "
                         "it, and 10 without it",
                         p->file, d->label->header, d->positive, step * all.positives,
                         step * all.rows);
}

// ---- time and split -----------------------------------------------------------------------------

// May the column be the time? Sets the format and unit of numbers. Whatever they are called, they are
// times if they rise from 1990 or later to 2040 at most.
static bool is_time(struct profile_column *c)
{
    const bool named = matches(c->header, time_words);
    const double second = c->min > 3e11 ? 1000 : 1;
    if (c->look != LOOK_NUMBER || !c->whole || c->distinct < 24 || c->min < 0)
        return c->look == LOOK_TIME;
    snprintf(c->format, sizeof c->format, second > 1 ? "epoch_ms" : "epoch");
    if (named
            ? c->min > 3e8 * second && c->max < 4e9 * second
            : c->rising && c->min >= 631152000 * second && c->max < 2208988800 * second &&
                  c->max - c->min >= 86400 * second &&
                  !(*c->header && (matches(c->header, id_words) || matches(c->header, key_names))))
        return true;
    c->unit = c->rising && c->max < 1e5 && matches(c->header, step_words) ? "1h" : NULL;
    return c->unit || (named && c->rising && c->max > 86400 && c->max < 4e9);
}

static void choose_time(struct draft *d)
{
    int most = 0;
    for (struct profile_column *c = d->p.columns; c < d->p.columns + d->p.n; c++) {
        const int score =
            1 + 2 * matches(c->header, event_words) + (c->look == LOOK_TIME) + c->rising;
        d->parts |= matches(c->header, WORD("year|yr")) + 2 * matches(c->header, WORD("month"));
        if (!is_time(c) || c == d->label || score <= most ||
            100 * (c->missing + c->bad) > d->p.n_sample || matches(c->header, other_times))
            continue;
        most = score;
        d->time = c;
    }
}

static int64_t day_at(const struct profile_column *c, double time)
{
    const double unit = c->unit ? 3600 : strcmp(c->format, "epoch_ms") == 0 ? 1e-3 : 1;
    return day_of((int64_t)(time * unit));
}

// The first 70 % of the rows train: whole days, where there are two weeks of them. A time is of no
// use if a class is missing on one side.
static void choose_split(struct draft *d)
{
    struct profile *p = &d->p;
    struct profile_column *c = d->time;
    double rows[2] = {0}, positives[2] = {0}, all = 0, middle = 0;
    char from[TIME_TEXT], to[TIME_TEXT];
    profile_values(p, c);
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
            c->out = "nearly all rows before or after 70 % of it have one class";
            d->time = NULL;
            return;
        }
    profile_split(p, c, middle);
    const int64_t first = day_at(c, c->min), cut = day_at(c, middle), last = day_at(c, c->max);
    d->delay = last - first >= 40 && last - cut >= 12 ? 7 : 0;
    const bool days = last - first >= 13 && last - cut > d->delay;
    snprintf(d->train, sizeof d->train, days ? "%s .. %s" : "0%% .. 70%%", date_text(from, first),
             date_text(to, cut));
    snprintf(d->test, sizeof d->test, days ? "%s .. %s" : "70%% .. 100%%",
             date_text(from, cut + 1 + d->delay), date_text(to, last));
}

// ---- the other columns --------------------------------------------------------------------------

// Sets the kind of a column; returns why the column is left out, or NULL.
static const char *judge(struct draft *d, struct profile_column *c)
{
    const size_t rows = d->p.n_sample - d->p.header, filled = rows - c->missing;
    const double gone = (double)(c->missing + c->bad) / (double)rows;
    const bool text = c->look == LOOK_TEXT, id = matches(c->header, id_words);
    const bool key = text ? c->common < .5 : c->whole && (id || matches(c->header, key_names));
    c->kind = c->look == LOOK_NUMBER ? COLUMN_NUMBER : COLUMN_CATEGORY;
    if (c->distinct == 0)
        return "it is empty";
    const struct profile_value all = sum_values(&d->p, c);
    if (c->missing > 0 && all.rows >= 10 && all.positives >= .98 * all.rows)
        return "filled only where the label is positive";
    if (c->look == LOOK_TIME)
        return c->out                   ? c->out
               : gone > .01 && !d->time ? xasprintf("%.2g %% of its values are missing", 100 * gone)
                                        : "a time that is not the row's";
    if (c->distinct == 1 && filled == rows)
        return "the same value in every row";
    if (c->distinct == rows && (text || (c->whole && id))) {
        c->kind = id ? COLUMN_ID : COLUMN_CATEGORY;
        return id && d->ids++ == 0 ? NULL : "another value in every row";
    }
    if (key && c->distinct >= 50 && 2 * c->distinct <= filled && d->time) {
        c->kind = COLUMN_KEY;
        return NULL;
    }
    if (d->time && d->time->rising && !text && c->rising && c->distinct > 20)
        return "it only rises, as the time does";
    if (text && c->common < .1)
        return "texts that are nearly all rare, or longer than 60 bytes";
    if (text && all.later >= 0.15 * 0.3 * (double)d->p.n_sample) // train would warn
        return "of the later rows, 15 % or more have values that are rare before";
    if ((!text || d->p.n_values <= 100) && profile_auc(&d->p) > .98)
        return "it alone ranks the label with an AUC above .98: does it give it away?";
    return NULL;
}

static void guess(struct draft *d, struct profile_column *c)
{
    const double rows = (double)(d->p.n_sample - d->p.header);
    if (c == d->label || c == d->time) {
        // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): without a time, c is the label
        c->kind = c == d->label ? COLUMN_LABEL : COLUMN_TIME;
        d->rejects += c == d->time ? (double)(c->missing + c->bad) / rows : 0;
        return;
    }
    c->out = judge(d, c);
    if (c->out)
        return;
    const int most = c->kind == COLUMN_CATEGORY ? 33 : c->kind == COLUMN_KEY ? 5 : 2;
    d->inputs += (int)c->distinct < most ? (int)c->distinct + 1 : most;
    if (d->inputs > MAX_INPUTS) {
        c->out = "there are inputs enough";
    } else if (c->kind == COLUMN_NUMBER) {
        d->curved += c->distinct > 3;
        d->rejects += (double)c->bad / rows;
        if (!d->amount ||
            (matches(c->header, money_words) && !matches(d->amount->header, money_words)))
            d->amount = c;
    }
}

// ---- the texts ----------------------------------------------------------------------------------

// An item of a list in the .ini, in quotes where it has a comma.
static json_t *item(const char *before, const char *text)
{
    const char *quote = strchr(text, ',') ? "\"" : "";
    return json_sprintf("%s%s%s%s", quote, before, text, quote);
}

static json_t *column_json(const struct draft *d, const struct profile_column *c)
{
    const bool number = c->kind == COLUMN_NUMBER, label = c->kind == COLUMN_LABEL;
    const bool category = c->kind == COLUMN_CATEGORY, key = c->kind == COLUMN_KEY;
    const bool plain = d->p.header && *c->header && *c->header != '#' && strlen(c->header) < 90 &&
                       !strpbrk(c->header, "\";\n") && find_column(&d->p, c->header);
    const char *missing = label                              ? "-1"
                          : !number                          ? "none"
                          : 100 * c->missing < d->p.n_sample ? "median"
                                                             : "flag";
    char from[TIME_TEXT], to[TIME_TEXT];
    return json_pack(
        "{ss*, ss, so, ss, ss*, ss*, ss*, sI, sb, so*, sb, sb, sb, sb, ss, sI, sI, ss, sb, sb, sf, "
        "sf, sf, ss, ss}",
        "out", c->out, "name", c->name, "header",
        plain ? item("", c->header) : json_sprintf("#%td", c - d->p.columns + 1), "kind",
        column_kinds[c->kind], "missing",
        c->missing > 0 && (number || category || key || label) ? missing : NULL, "strip",
        number && *c->strip ? c->strip : NULL, "twice", number && !c->out ? c->twice : NULL, "bad",
        (json_int_t)(c == d->time        ? c->bad + c->missing
                     : number && !c->out ? c->bad
                                         : 0),
        "point", c->twice && strchr(c->twice, *d->p.marks), "positive",
        label ? item("positive=", d->positive) : NULL, "category", category, "number", number,
        "curved", c->distinct > 3 && d->hinges > 0, "key", key && !c->out, "title",
        *c->header ? c->header : c->name, "n_missing", (json_int_t)c->missing, "distinct",
        (json_int_t)c->distinct, "frequent", c->frequent, "is_time",
        c == d->time || c->look == LOOK_TIME, "is_number",
        c->look == LOOK_NUMBER && c->distinct > 2, "min", c->min, "median", c->median, "max",
        c->max, "from", date_text(from, day_at(c, c->min)), "to", date_text(to, day_at(c, c->max)));
}

// The name of the positive rows: their value, or the label's header where the value means yes.
static json_t *class_of(const struct draft *d)
{
    const char *header = d->label->header;
    const char *text = !matches(d->positive, yes) ? d->positive
                       : matches(header, "fraud") ? "fraud"
                                                  : header;
    if (!matches(text, class_words) || matches(text, no_class))
        return json_string("positive");
    json_t *class = json_stringn(text, strcspn(text, "?"));
    for (char *c = (char *)json_string_value(class); *c; c++)
        *c = *c == '_' ? ' ' : (char)tolower((unsigned char)*c);
    return class;
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
    for (size_t c = 0; c < p->n; c++)
        if (json_array_append_new(columns, column_json(d, &p->columns[c])))
            return NULL;
    for (size_t i = 0; i < p->n_na; i++)
        snprintf(na + strlen(na), sizeof na - strlen(na), "%s%s", i ? ", " : "", p->na[i]);
    return json_pack(
        "{ss, ss*, sb, sb, ss*, sf, sI, sI, ss*, ss*, ss*, ss*, sI, sI, sI, sI, sI, sI," // the file
        "ss*, ss*, sb, sb, sb, ss, ss, si, sO*," // its times
        "sO, ss, so*, so, sf, sf, sb, si, si, ss*, so}",
        "file", p->file, "delimiter", p->delimiter == ',' ? NULL : marks[(int)p->delimiter],
        "header", p->header, "utf16", p->utf16, "fault", p->fault, "share", 100 * d->rejects,
        "names", (json_int_t)(p->header ? 0 : p->n_names), "skip", (json_int_t)p->skip, "decimal",
        p->marks[0] == '.' ? NULL : marks[(int)p->marks[0]], "thousands", marks[(int)p->marks[1]],
        "encoding", p->encoding, "na", p->n_na ? na : NULL, "not_utf8", (json_int_t)p->not_utf8,
        "not_utf8_line", (json_int_t)p->not_utf8_line, "rows", (json_int_t)p->rows, "bad_rows",
        (json_int_t)p->bad_rows, "bad_line", (json_int_t)p->bad_line, "sampled",
        (json_int_t)(p->step > 1 ? p->n_sample - p->header : 0),

        "format", d->time ? d->time->format : NULL, "unit", d->time ? d->time->unit : NULL,
        "either", d->time && d->time->either, "hour", d->time && strpbrk(d->time->format, "HIe"),
        "parts", d->parts == 3, "train", d->train, "test", d->test, "delay", d->delay, "clock",
        d->time ? json_array_get(columns, (size_t)(d->time - p->columns)) : NULL,

        "label", json_array_get(columns, (size_t)(d->label - p->columns)), "positive", d->positive,
        "other", d->other ? item("positive=", d->other) : NULL, "class", class_of(d), "rate",
        100 * d->rate, "rejects", d->rejects > 0.0005 ? fmin(1, 2 * d->rejects) : 0., "many",
        p->rows > 100000, "hinges", d->hinges, "ids", d->ids, "amount",
        d->amount ? d->amount->name : NULL, "list", columns);
}

int draft_make(const char *file, const char *label, FILE *ini, FILE *table, struct err *err)
{
    static struct draft d;
    struct profile *p = &d.p;
    d = (struct draft){.train = "0% .. 75%", .test = "75% .. 100%"};
    if (strcmp(file, "-") == 0)
        return err_set(err, "a draft reads its file more than once, so standard input will not do");
    if (profile_read(p, file, err) ||
        (label && *label ? set_label(&d, label, err) : guess_label(&d, err)) ||
        choose_positive(&d, err))
        return -1;
    d.rejects = (double)(p->bad_rows + p->not_utf8) / (double)(p->rows + p->bad_rows);
    choose_time(&d);
    if (d.time)
        choose_split(&d);
    const struct profile_column *out = NULL;
    for (struct profile_column *c = p->columns; c < p->columns + p->n; c++) {
        guess(&d, c);
        make_name(p, c);
        out = c->out ? c : out;
    }
    if (!d.time && d.inputs == 0)
        return err_set(err,
                       "%s: no column is left for the features, which take numbers, categories and "
                       "keys: '%s' is left out (%s), and so are the others",
                       file, out ? out->header : "", out ? out->out : "there is only the label");
    d.hinges = (int)fmax(0, fmin(HINGES, (MAX_INPUTS - d.inputs) / fmax(1, d.curved)));
    json_t *json = draft_json(&d);
    if (!json)
        return err_set(err, "%s: a header or label is neither UTF-8 nor windows-1252", file);
    for (int i = 0; i < 2; i++) {
        char *text = template_fill(i ? profile_txt : draft_txt, TEMPLATE_PLAIN, json);
        fputs(text, i ? table : ini);
        free(text);
    }
    json_decref(json);
    return 0;
}
