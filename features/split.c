#include "features/split.h"

#include "base/memory.h"
#include "base/value.h"

#include <math.h>
#include <stdio.h>

enum { MAX_FOLDS = 52, END_TEXT = 24 };

// One end of a part: "2018-07-25" as a day, or "60%" as a share.
static int parse_end(const char *text, bool percent, double *value)
{
    const size_t n = strlen(text);
    int64_t seconds = 0;
    if (!percent) {
        int rc = value_time("%Y-%m-%d", text, n, &seconds);
        *value = (double)day_of(seconds);
        return rc;
    }
    if (text[n - 1] != '%' || value_number(text, n - 1, value) || *value < 0 || *value > 100)
        return -1;
    *value /= 100;
    return 0;
}

static int parse_part(struct split_part *part, const struct config *c, const char *key,
                      struct err *err)
{
    const struct config_entry *e = config_find(c, "split", key);
    char from[END_TEXT], to[END_TEXT], more;
    int at = 0;
    if (!e)
        return err_set(err,
                       "%s: [split] has no %s, such as %s = 2018-07-25 .. 2018-07-31 or "
                       "0%% .. 60%%",
                       c->path, key, key);
    if (sscanf(e->value, "%23s .. %n%23s %c", from, &at, to, &more) != 2)
        return config_error(c, e, 0, err, "'%s' is not FROM .. TO, with spaces around the dots",
                            e->value);
    part->percent = strchr(e->value, '%');
    const char *kind = part->percent ? "a percentage, like 60%" : "a date, like 2018-07-25";
    if (parse_end(from, part->percent, &part->from))
        return config_error(c, e, 0, err, "'%s' is not %s", from, kind);
    if (parse_end(to, part->percent, &part->to))
        return config_error(c, e, at, err, "'%s' is not %s", to, kind);
    if (!part->percent)
        part->to++; // the last day is included
    if (part->from >= part->to)
        return config_error(c, e, at, err, "'%s' ends before it begins", e->value);
    snprintf(part->text, sizeof part->text, "%s .. %s", from, to);
    return 0;
}

int split_from_config(struct split *s, const struct config *c, struct err *err)
{
    s->folds = 1;
    if (parse_part(&s->train, c, "train", err) || parse_part(&s->test, c, "test", err) ||
        config_int(c, "split", "folds", 1, MAX_FOLDS, &s->folds, err))
        return -1;
    const struct config_entry *test = config_find(c, "split", "test");
    if (s->train.percent != s->test.percent)
        return config_error(c, test, 0, err, "train and test must both be days or both percent");
    if (s->test.from < s->train.to)
        return config_error(c, test, 0, err, "begins before train (%s) has ended", s->train.text);
    if (s->train.percent && s->folds > 1)
        return config_error(c, config_find(c, "split", "folds"), 0, err,
                            "folds move by weeks, so train and test must be days");
    s->last_quarter = s->train.percent;
    return 0;
}

int split_labels(struct split *s, const struct config *c, const struct schema *schema,
                 struct err *err)
{
    const struct config_entry *e = config_find(c, "split", "blocked");
    const struct config_entry *delay = config_find(c, "split", "label_delay");
    char keys[256] = "";
    size_t n = 0;
    s->blocked = NULL;
    const bool clock = !schema_counts_rows(schema);
    s->label_delay = clock ? LABEL_DELAY : 0;
    s->label_delay_text = delay ? delay->value : clock ? "7d" : "0d";
    for (size_t i = 0; i < schema->n; i++) {
        const char *name = schema->columns[i].name;
        if (schema->columns[i].kind != COLUMN_KEY || !clock)
            continue;
        snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%s%.60s", n ? ", " : "", name);
        n++;
        if (!e || strcmp(e->value, name) == 0)
            s->blocked = name;
    }
    if (!e && n > 1)
        return err_set(err,
                       "%s: [split] does not say which key is blocked once a fraud of it is known: "
                       "add blocked = KEY, one of %s, or blocked = none",
                       c->path, keys);
    if (e && !s->blocked && strcmp(e->value, "none") != 0)
        return config_error(
            c, e, 0, err,
            "'%.60s' is neither a key (%s) nor none; --config FILE says whose settings are read",
            e->value, clock ? keys : "row numbers have no day to block one from");
    return config_duration(c, "split", "label_delay", &s->label_delay, err);
}

int split_shuffle(const struct split *s, int64_t *seed, const struct config *c,
                  const struct plan *p, struct err *err)
{
    const struct config_entry *e = config_find(c, "split", "shuffle");
    *seed = -1;
    if (!e)
        return 0;
    if (config_int(c, "split", "shuffle", 0, INT64_C(1) << 53, seed, err)) // exact as a double
        return -1;
    const char *wrong = !schema_counts_rows(&p->schema)
                            ? "these rows have times, so train on earlier and test on later ones; "
                              "shuffle is for time_format = row"
                        : p->n_tracks > 0   ? "[features] has windows, which need an order of rows"
                        : !s->train.percent ? "train and test must be in percent, like 0% .. 75%"
                                            : NULL;
    return wrong ? config_error(c, e, 0, err, "%s", wrong) : 0;
}

struct split_part split_days(int64_t from, int64_t to)
{
    struct split_part p = {.from = (double)from, .to = (double)to};
    char first[TIME_TEXT], last[TIME_TEXT];
    snprintf(p.text, sizeof p.text, "%.29s .. %.29s", date_text(first, from),
             date_text(last, to - 1));
    return p;
}

struct row_range time_rows(int64_t from, int64_t until, const int64_t *time, uint64_t rows)
{
    struct row_range r;
    LOWER_BOUND(r.first, 0, rows, time[r.first] < from);
    LOWER_BOUND(r.end, r.first, rows, time[r.end] < until);
    return r;
}

static uint64_t cut(double share, const int64_t *time, uint64_t rows)
{
    const uint64_t at = (uint64_t)llround(share * (double)rows);
    return at < rows ? time_rows(time[at], INT64_MAX, time, rows).first : rows;
}

struct row_range split_rows(const struct split_part *part, int64_t shift, const int64_t *time,
                            uint64_t rows)
{
    if (part->percent)
        return (struct row_range){cut(part->from, time, rows), cut(part->to, time, rows)};
    return time_rows((int64_t)part->from * SECONDS_PER_DAY + shift,
                     (int64_t)part->to * SECONDS_PER_DAY + shift, time, rows);
}
