// Cards with a fraud are few: a sorted array is their set.
#include "train/cards.h"
#include "base/memory.h"
#include "ingest/value.h"
#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct stolen { // a card with a fraud
    uint64_t card;
    int64_t day; // of its first fraud
    bool found;  // on an earlier test day
};

struct stolen_cards {
    struct stolen *cards; // [n], sorted by card
    size_t n;
};

struct card_day {       // a card on one day
    uint64_t card, row; // its first row of the day, which orders ties
    double score;
    bool fraud;
};

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_card(const void *a, const void *b)
{
    const struct stolen *x = a, *y = b;
    return x->card != y->card ? compare(x->card, y->card) : (x->day > y->day) - (x->day < y->day);
}

static int by_card_and_row(const void *a, const void *b)
{
    const struct card_day *x = a, *y = b;
    return x->card != y->card ? compare(x->card, y->card) : compare(x->row, y->row);
}

static int by_score(const void *a, const void *b)
{
    const struct card_day *x = a, *y = b;
    return x->score != y->score ? (x->score < y->score) - (x->score > y->score)
                                : compare(x->row, y->row);
}

static struct stolen *find(const struct stolen_cards *s, uint64_t card)
{
    size_t i;
    LOWER_BOUND(i, 0, s->n, s->cards[i].card < card);
    return i < s->n && s->cards[i].card == card ? &s->cards[i] : NULL;
}

// Every card with a fraud in rows; label[i] is that of row rows.first + i.
static struct stolen_cards find_stolen(const struct examples *e, struct row_range rows,
                                       const int8_t *label)
{
    struct stolen_cards s = {0};
    size_t n = 0, capacity = 0;
    for (uint64_t r = rows.first; r < rows.end; r++)
        if (label[r - rows.first] == 1) {
            ARRAY_GROW(s.cards, n + 1, capacity);
            s.cards[n++] = (struct stolen){e->card[r], day_of(e->time[r]), false};
        }
    if (n > 0)
        qsort(s.cards, n, sizeof *s.cards, by_card);
    for (size_t i = 0; i < n; i++)
        if (s.n == 0 || s.cards[s.n - 1].card != s.cards[i].card)
            s.cards[s.n++] = s.cards[i];
    return s;
}

void cards_judge(const struct examples *e, uint64_t first, struct row_range test, int8_t *judged)
{
    memcpy(judged, e->label + test.first, (size_t)(test.end - test.first));
    if (!e->card)
        return;
    struct stolen_cards stolen =
        find_stolen(e, (struct row_range){first, test.end}, e->label + first);
    for (uint64_t r = test.first; r < test.end; r++) {
        const struct stolen *s = find(&stolen, e->card[r]);
        if (s && s->day < day_of(e->time[r]) - LABEL_DELAY_DAYS)
            judged[r - test.first] = LABEL_KNOWN_CARD;
    }
    free(stolen.cards);
}

// The judged cards of day[0..n) that were not found before: one entry per card, the highest score
// first. Returns how many there are.
static size_t rank_cards(struct card_day *day, size_t n)
{
    size_t kept = 0;
    qsort(day, n, sizeof *day, by_card_and_row);
    for (size_t i = 0; i < n; i++) {
        struct card_day *last = kept ? &day[kept - 1] : NULL;
        if (!last || last->card != day[i].card) {
            day[kept++] = day[i];
            continue;
        }
        last->score = fmax(last->score, day[i].score);
        last->fraud = last->fraud || day[i].fraud;
    }
    qsort(day, kept, sizeof *day, by_score);
    return kept;
}

// How many stolen cards the reviewers find in rows [from, to) of one day; they are marked as found.
// score and judged begin at row `first`, day has room for the rows.
static int check_day(const struct examples *e, uint64_t from, uint64_t to, uint64_t first,
                     const double *score, const int8_t *judged, struct stolen_cards *stolen,
                     struct card_day *day)
{
    size_t n = 0;
    int found = 0;
    for (uint64_t r = from; r < to; r++) {
        const size_t i = (size_t)(r - first);
        const struct stolen *s = judged[i] < 0 ? NULL : find(stolen, e->card[r]);
        if (judged[i] >= 0 && !(s && s->found))
            day[n++] = (struct card_day){e->card[r], r, score[i], judged[i] == 1};
    }
    n = rank_cards(day, n);
    for (size_t i = 0; i < n && i < CARDS_CHECKED; i++)
        if (day[i].fraud) {
            find(stolen, day[i].card)->found = true;
            found++;
        }
    return found;
}

double cards_precision(const struct examples *e, struct row_range test, const double *score,
                       const int8_t *judged, double *daily)
{
    if (!e->card || test.first == test.end)
        return NAN;
    struct stolen_cards stolen = find_stolen(e, test, judged);
    struct card_day *day = xmalloc((size_t)(test.end - test.first) * sizeof *day);
    int days = 0, hits = 0;
    for (uint64_t from = test.first, to = from; from < test.end; from = to) {
        while (to < test.end && day_of(e->time[to]) == day_of(e->time[from]))
            to++;
        const int found = check_day(e, from, to, test.first, score, judged, &stolen, day);
        if (daily)
            daily[days] = (double)found / CARDS_CHECKED;
        hits += found;
        days++;
    }
    free(stolen.cards);
    free(day);
    return (double)hits / CARDS_CHECKED / days;
}
