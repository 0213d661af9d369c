// Cards with a fraud are few: a sorted array is their set.
#include "train/cards.h"
#include "base/memory.h"
#include "ingest/value.h"
#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct card {
    uint64_t card, row; // its first row, which orders ties
    double score;       // the highest of its rows
    bool fraud;         // of one of its rows
    bool found;         // on an earlier test day
};

struct cards {
    struct card *list; // [n]
    size_t n;
};

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_card(const void *a, const void *b)
{
    const struct card *x = a, *y = b;
    return x->card != y->card ? compare(x->card, y->card) : compare(x->row, y->row);
}

static int by_score(const void *a, const void *b)
{
    const struct card *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score)
                                : compare(x->row, y->row);
}

// The rows of a card become one, in the order of cards.
static void merge(struct cards *c)
{
    size_t rows = c->n;
    c->n = 0;
    if (rows > 0)
        qsort(c->list, rows, sizeof *c->list, by_card);
    for (size_t i = 0; i < rows; i++) {
        struct card *last = c->n > 0 ? &c->list[c->n - 1] : NULL;
        if (last && last->card == c->list[i].card) {
            last->score = fmax(last->score, c->list[i].score);
            last->fraud = last->fraud || c->list[i].fraud;
        } else {
            c->list[c->n++] = c->list[i];
        }
    }
}

// The cards with a fraud in rows; label[i] is that of row rows.first + i.
static struct cards stolen_cards(const struct examples *e, struct row_range rows,
                                 const int8_t *label)
{
    struct cards c = {0};
    size_t capacity = 0;
    for (uint64_t r = rows.first; r < rows.end; r++)
        if (label[r - rows.first] == 1) {
            ARRAY_GROW(c.list, c.n + 1, capacity);
            c.list[c.n++] = (struct card){.card = e->card[r], .row = r, .fraud = true};
        }
    merge(&c);
    return c;
}

static struct card *find(const struct cards *c, uint64_t card)
{
    size_t i;
    LOWER_BOUND(i, 0, c->n, c->list[i].card < card);
    return i < c->n && c->list[i].card == card ? &c->list[i] : NULL;
}

void cards_judge(const struct examples *e, uint64_t first, struct row_range test, int8_t *judged)
{
    memcpy(judged, e->label + test.first, (size_t)(test.end - test.first));
    if (!e->card)
        return;
    struct cards stolen = stolen_cards(e, (struct row_range){first, test.end}, e->label + first);
    for (uint64_t r = test.first; r < test.end; r++) {
        const struct card *c = find(&stolen, e->card[r]);
        if (c && day_of(e->time[c->row]) < day_of(e->time[r]) - LABEL_DELAY_DAYS)
            judged[r - test.first] = LABEL_KNOWN_CARD;
    }
    free(stolen.list);
}

// How many stolen cards the reviewers find in rows [from, to) of one day; they are marked as found.
// score and judged begin at row `first`; day has room for the rows.
static int check_day(const struct examples *e, uint64_t from, uint64_t to, uint64_t first,
                     const double *score, const int8_t *judged, struct cards *stolen,
                     struct cards *day)
{
    int found = 0;
    day->n = 0;
    for (uint64_t r = from; r < to; r++) {
        const size_t i = (size_t)(r - first);
        const struct card *c = judged[i] < 0 ? NULL : find(stolen, e->card[r]);
        if (judged[i] >= 0 && !(c && c->found))
            day->list[day->n++] = (struct card){e->card[r], r, score[i], judged[i] == 1, false};
    }
    merge(day);
    qsort(day->list, day->n, sizeof *day->list, by_score);
    for (size_t i = 0; i < day->n && i < CARDS_CHECKED; i++)
        if (day->list[i].fraud) {
            find(stolen, day->list[i].card)->found = true;
            found++;
        }
    return found;
}

double cards_precision(const struct examples *e, struct row_range test, const double *score,
                       const int8_t *judged, double *daily)
{
    if (!e->card || test.first == test.end)
        return NAN;
    struct cards stolen = stolen_cards(e, test, judged);
    struct cards day = {xmalloc((size_t)(test.end - test.first) * sizeof *day.list), 0};
    int days = 0, hits = 0;
    for (uint64_t from = test.first, to = from; from < test.end; from = to) {
        while (to < test.end && day_of(e->time[to]) == day_of(e->time[from]))
            to++;
        const int found = check_day(e, from, to, test.first, score, judged, &stolen, &day);
        if (daily)
            daily[days] = (double)found / CARDS_CHECKED;
        hits += found;
        days++;
    }
    free(stolen.list);
    free(day.list);
    return (double)hits / CARDS_CHECKED / days;
}
