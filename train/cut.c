// Moves the cut of [split] over the rows. What is done on a cut is evaluate.c's.
#include "train/cut.h"
#include "ingest/value.h"

#include <math.h>
#include <stdio.h>

enum { WEEK = 7 };

static void part_text(char text[64], const struct split_part *part, int64_t days)
{
    char from[TIME_TEXT], to[TIME_TEXT];
    if (part->percent) {
        snprintf(text, 64, "%s", part->text);
        return;
    }
    snprintf(text, 64, "%.29s .. %.29s", date_text(from, (int64_t)part->from + days),
             date_text(to, (int64_t)part->to + days - 1));
}

// At least a second, so that a rate per day is a number.
static double span(const int64_t *time, struct row_range r)
{
    int64_t seconds = r.first < r.end ? time[r.end - 1] - time[r.first] : 0;
    return (double)(seconds > 0 ? seconds : 1) / SECONDS_PER_DAY;
}

static void move(struct cut *c, const struct split *s, int64_t days, const int64_t *time,
                 uint64_t rows)
{
    c->train = split_rows(&s->train, days, time, rows);
    c->test = split_rows(&s->test, days, time, rows);
    c->train_days = s->train.percent ? span(time, c->train) : s->train.to - s->train.from;
    c->test_days = s->test.percent ? span(time, c->test) : s->test.to - s->test.from;
    part_text(c->train_text, &s->train, days);
    part_text(c->test_text, &s->test, days);
}

static int empty(const char *name, const char *text, struct err *err)
{
    return err_set(err, "there are no rows in [split] %s = %s: choose days that the data has", name,
                   text);
}

int cut_fold(struct cut *c, const struct split *s, int64_t fold, const int64_t *time, uint64_t rows,
             struct err *err)
{
    move(c, s, WEEK * fold, time, rows);
    if (c->train.first == c->train.end)
        return empty("train", c->train_text, err);
    if (fold == 0 && c->test.first == c->test.end)
        return empty("test", c->test_text, err);
    double last_day = s->test.to - 1 + (double)(WEEK * fold);
    if (fold > 0 && time[rows - 1] < (int64_t)last_day * SECONDS_PER_DAY)
        return err_set(err,
                       "fold %lld would test on %s, and the data ends before: set [split] folds to "
                       "%lld or less",
                       (long long)fold + 1, c->test_text, (long long)fold);
    return 0;
}

// Three quarters of the training rows for fitting, the last one to validate.
static void cut_quarter(struct cut *c, const struct split *s, const int64_t *time, uint64_t rows)
{
    move(c, s, 0, time, rows);
    c->test = c->train;
    c->train.end -= (c->train.end - c->train.first) / 4;
    c->test.first = c->train.end;
    c->train_days = span(time, c->train);
    c->test_days = span(time, c->test);
    snprintf(c->train_text, sizeof c->train_text, "first three quarters of train");
    snprintf(c->test_text, sizeof c->test_text, "last quarter of train");
}

bool cut_validation(struct cut *c, const struct split *s, int64_t fold, int64_t k,
                    const int64_t *time, uint64_t rows)
{
    if (s->train.percent) {
        cut_quarter(c, s, time, rows);
        return k == 0 && c->test.first < c->test.end;
    }
    int64_t back = WEEK * (int64_t)ceil((s->test.to - s->train.from) / WEEK);
    int64_t days = WEEK * (fold - k) - back;
    move(c, s, days, time, rows);
    return rows > 0 && time[0] < (int64_t)(s->train.from + (double)days + 1) * SECONDS_PER_DAY &&
           c->train.first < c->train.end && c->test.first < c->test.end;
}
