// Moves the days of [split] over the rows.
#include "train/folds.h"
#include "base/memory.h"
#include "ingest/value.h"
#include "train/cards.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { WEEK = 7 };

static void part_text(char text[64], const struct split_part *part, int64_t days)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    if (part->percent)
        snprintf(text, 64, "%s", part->text);
    else
        snprintf(text, 64, "%.29s .. %.29s", date_text(from, (int64_t)part->from + days),
                 date_text(to, (int64_t)part->to + days - 1));
}

// At least a second, so that a rate per day is a number.
static double span(const struct examples *e, struct row_range r)
{
    int64_t seconds = r.first < r.end ? e->time[r.end - 1] - e->time[r.first] : 0;
    return (double)(seconds > 0 ? seconds : 1) / SECONDS_PER_DAY;
}

static struct fold moved(const struct split *s, int64_t days, const struct examples *e)
{
    struct fold f = {.train = split_rows(&s->train, days, e->time, e->rows),
                     .test = split_rows(&s->test, days, e->time, e->rows)};
    f.train_days = s->train.percent ? span(e, f.train) : s->train.to - s->train.from;
    f.test_days = s->test.percent ? span(e, f.test) : s->test.to - s->test.from;
    part_text(f.train_text, &s->train, days);
    part_text(f.test_text, &s->test, days);
    return f;
}

// ---- validation ------------------------------------------------------------------------------------

static struct fold last_quarter(const struct split *s, const struct examples *e)
{
    struct fold f = moved(s, 0, e);
    f.test = f.train;
    f.train.end -= (f.train.end - f.train.first) / 4;
    f.test.first = f.train.end;
    f.train_days = span(e, f.train);
    f.test_days = span(e, f.test);
    snprintf(f.train_text, sizeof f.train_text, "first three quarters of train");
    snprintf(f.test_text, sizeof f.test_text, "last quarter of train");
    return f;
}

static bool holds(const struct examples *e, struct row_range rows, int8_t label)
{
    for (uint64_t r = rows.first; r < rows.end; r++)
        if (e->label[r] == label)
            return true;
    return false;
}

static void judge(struct fold *f, const struct examples *e)
{
    f->judged = xmalloc((size_t)(f->test.end - f->test.first));
    cards_judge(e, f->train.first, f->test, f->judged);
}

// The validation of fold k: one fold at most with shares, else as many as there are folds.
static void validate(struct fold *fold, int64_t k, const struct split *s, const struct examples *e)
{
    const int64_t most = s->train.percent ? 1 : s->folds;
    const int64_t back = WEEK * (int64_t)ceil((s->test.to - s->train.from) / WEEK);
    fold->validation = xcalloc((size_t)most, sizeof *fold->validation);
    for (int64_t i = 0; i < most; i++) {
        const int64_t days = WEEK * (k - i) - back;
        struct fold *f = &fold->validation[fold->n_validation];
        if (!s->train.percent &&
            e->time[0] >= (int64_t)(s->train.from + (double)days + 1) * SECONDS_PER_DAY)
            break; // the rows begin later
        *f = s->train.percent ? last_quarter(s, e) : moved(s, days, e);
        if (holds(e, f->train, 0) && holds(e, f->train, 1) && holds(e, f->test, 1)) {
            judge(f, e);
            fold->n_validation++;
        }
    }
}

// ---- all folds -------------------------------------------------------------------------------------

static int check(const struct fold *f, int64_t k, const struct split *s, const struct examples *e,
                 struct err *err)
{
    const bool no_train = f->train.first == f->train.end;
    if (no_train || (k == 0 && f->test.first == f->test.end))
        return err_set(err, "there are no rows in [split] %s = %s: choose days that the data has",
                       no_train ? "train" : "test", no_train ? f->train_text : f->test_text);
    const double last_day = s->test.to - 1 + (double)(WEEK * k);
    if (k > 0 && e->time[e->rows - 1] < (int64_t)last_day * SECONDS_PER_DAY)
        return err_set(err,
                       "fold %lld would test on %s, and the data ends before: set [split] folds to "
                       "%lld or less",
                       (long long)k + 1, f->test_text, (long long)k);
    return 0;
}

struct fold *folds_new(const struct split *split, const struct examples *e, struct err *err)
{
    struct fold *folds = xcalloc((size_t)split->folds, sizeof *folds);
    int rc = 0;
    for (int64_t k = 0; k < split->folds && rc == 0; k++) {
        folds[k] = moved(split, WEEK * k, e);
        rc = check(&folds[k], k, split, e, err);
    }
    if (rc) {
        free(folds);
        return NULL;
    }
    for (int64_t k = 0; k < split->folds; k++) {
        judge(&folds[k], e);
        validate(&folds[k], k, split, e);
    }
    return folds;
}

void folds_free(struct fold *folds, size_t n)
{
    for (size_t k = 0; k < n && folds; k++) {
        folds_free(folds[k].validation, folds[k].n_validation);
        free(folds[k].judged);
    }
    free(folds);
}
