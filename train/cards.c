// Which test rows count, and card precision. Cards with a fraud are few: a sorted array is their set.
#include "train/cards.h"
#include "ingest/value.h"
#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct compromised { // a card with a fraud
    uint64_t card;
    int64_t day; // of its first one
    int found;   // on a test day that is over
};

struct candidate {      // a card on one day
    uint64_t card, row; // its first row of the day, to order ties
    double score;
    int fraud;
};

static int by_card_and_day(const void *a, const void *b)
{
    const struct compromised *x = a, *y = b;
    if (x->card != y->card)
        return x->card < y->card ? -1 : 1;
    return (x->day > y->day) - (x->day < y->day);
}

static int by_card_and_row(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->card != y->card)
        return x->card < y->card ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static int by_score(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

struct compromised_cards {
    struct compromised *cards; // by card
    size_t n;
};

static struct compromised *find_card(const struct compromised_cards *c, uint64_t card)
{
    size_t from = 0, to = c->n;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (c->cards[middle].card == card)
            return &c->cards[middle];
        if (c->cards[middle].card < card)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

// Every card with a fraud in rows; label[i] is that of row rows.first + i.
static int find_compromised(const struct card_rows *h, struct row_range rows, const int8_t *label,
                            struct compromised_cards *c, struct err *err)
{
    size_t frauds = 0, kept = 0, n = (size_t)(rows.end - rows.first);
    for (size_t i = 0; i < n; i++)
        frauds += label[i] == 1;
    c->n = 0;
    c->cards = malloc((frauds + 1) * sizeof *c->cards);
    if (!c->cards)
        return err_set(err, "out of memory for %zu frauds", frauds);
    for (size_t i = 0; i < n; i++) {
        uint64_t r = rows.first + i;
        if (label[i] == 1)
            c->cards[c->n++] = (struct compromised){h->card[r], day_of(h->time[r]), 0};
    }
    qsort(c->cards, c->n, sizeof *c->cards, by_card_and_day);
    for (size_t i = 0; i < c->n; i++)
        if (kept == 0 || c->cards[kept - 1].card != c->cards[i].card)
            c->cards[kept++] = c->cards[i];
    c->n = kept;
    return 0;
}

int cards_judge(const struct card_rows *h, int8_t *judged, struct err *err)
{
    const struct row_range test = h->test, all = {h->first, test.end};
    struct compromised_cards compromised;
    memcpy(judged, h->label + test.first, (size_t)(test.end - test.first));
    if (!h->card)
        return 0;
    if (find_compromised(h, all, h->label + h->first, &compromised, err))
        return -1;
    for (uint64_t r = test.first; r < test.end; r++) {
        const struct compromised *c = find_card(&compromised, h->card[r]);
        if (c && c->day < day_of(h->time[r]) - LABEL_DELAY_DAYS)
            judged[r - test.first] = LABEL_KNOWN_CARD;
    }
    free(compromised.cards);
    return 0;
}

// The candidates of rows [from, to), all of one day: one per card, highest score first. judged
// and score begin at row test.first.
static size_t candidates_of_day(const struct card_rows *h, const double *score,
                                const int8_t *judged, uint64_t from, uint64_t to,
                                const struct compromised_cards *compromised, struct candidate *out)
{
    size_t n = 0, kept = 0;
    for (uint64_t r = from; r < to; r++) {
        size_t i = (size_t)(r - h->test.first);
        if (judged[i] < 0)
            continue;
        const struct compromised *c = find_card(compromised, h->card[r]);
        if (!c || !c->found)
            out[n++] = (struct candidate){h->card[r], r, score[i], judged[i]};
    }
    qsort(out, n, sizeof *out, by_card_and_row);
    for (size_t i = 0; i < n; i++) {
        struct candidate *last = kept ? &out[kept - 1] : NULL;
        if (!last || last->card != out[i].card) {
            out[kept++] = out[i];
            continue;
        }
        last->score = fmax(last->score, out[i].score);
        last->fraud = last->fraud || out[i].fraud;
    }
    qsort(out, kept, sizeof *out, by_score);
    return kept;
}

// Checks the highest candidates of a day; returns how many were compromised, and marks them.
static int check_cards(const struct candidate *day, size_t n, struct compromised_cards *compromised)
{
    int hits = 0;
    for (size_t i = 0; i < n && i < CARDS_CHECKED; i++)
        if (day[i].fraud) {
            find_card(compromised, day[i].card)->found = 1;
            hits++;
        }
    return hits;
}

// room: for the candidates of any day
static double mean_precision(const struct card_rows *h, const double *score, const int8_t *judged,
                             struct compromised_cards *compromised, struct candidate *room,
                             double *daily)
{
    int days = 0, hits = 0;
    for (uint64_t from = h->test.first, to = from; from < h->test.end; from = to) {
        while (to < h->test.end && day_of(h->time[to]) == day_of(h->time[from]))
            to++;
        size_t n = candidates_of_day(h, score, judged, from, to, compromised, room);
        int found = check_cards(room, n, compromised);
        if (daily)
            daily[days] = (double)found / CARDS_CHECKED;
        hits += found;
        days++;
    }
    return (double)hits / CARDS_CHECKED / days;
}

int cards_precision(double *precision, double *daily, const struct card_rows *h,
                    const double *score, const int8_t *judged, struct err *err)
{
    const size_t n = (size_t)(h->test.end - h->test.first);
    struct compromised_cards compromised;
    *precision = NAN;
    if (!h->card || n == 0)
        return 0;
    if (find_compromised(h, h->test, judged, &compromised, err))
        return -1;
    struct candidate *room = malloc(n * sizeof *room);
    if (room)
        *precision = mean_precision(h, score, judged, &compromised, room, daily);
    free(compromised.cards);
    free(room);
    return room ? 0 : err_set(err, "out of memory for the cards of %zu rows", n);
}
