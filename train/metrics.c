// Metrics of scores against labels. Ranking metrics come from one sorted pass over the distinct
// scores, which the curves use too (report.c).
#include "train/metrics.h"
#include "train/sort.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

// ---- ranking ---------------------------------------------------------------------------------------

// A score and a label in one key: the bits of numbers >= 0 are in their order, and leave the sign's
// bit free for the label.
static uint64_t pack(double score, int8_t label)
{
    uint64_t bits;
    score += 0.0; // −0 becomes 0
    memcpy(&bits, &score, sizeof bits);
    return bits << 1 | (label == 1);
}

static double unpack(uint64_t key)
{
    uint64_t bits = key >> 1;
    double score;
    memcpy(&score, &bits, sizeof score);
    return score;
}

// keys[0..n) ascending become the ranking's points, the highest score first.
static void gather(struct ranking *k, const uint64_t *keys, size_t n)
{
    uint64_t frauds = 0, genuine = 0;
    for (size_t i = n; i-- > 0;) {
        frauds += keys[i] & 1;
        genuine += !(keys[i] & 1);
        if (i > 0 && keys[i] >> 1 == keys[i - 1] >> 1)
            continue;
        k->score[k->n] = unpack(keys[i]);
        k->frauds[k->n] = frauds;
        k->genuine[k->n++] = genuine;
    }
}

int ranking_make(struct ranking *k, const double *score, const int8_t *label, size_t n,
                 struct err *err)
{
    *k = (struct ranking){0};
    uint64_t *keys = malloc((n + 1) * sizeof *keys);
    size_t known = 0;
    for (size_t i = 0; i < n && keys; i++)
        if (label[i] >= 0)
            keys[known++] = pack(score[i], label[i]);
    k->score = malloc((known + 1) * sizeof *k->score);
    k->frauds = malloc((known + 1) * sizeof *k->frauds);
    k->genuine = malloc((known + 1) * sizeof *k->genuine);
    if (!keys || !k->score || !k->frauds || !k->genuine || sort_keys(keys, known)) {
        free(keys);
        ranking_release(k);
        return err_set(err, "out of memory to rank %zu scores", n);
    }
    gather(k, keys, known);
    free(keys);
    return 0;
}

void ranking_release(struct ranking *k)
{
    free(k->score);
    free(k->frauds);
    free(k->genuine);
    *k = (struct ranking){0};
}

static double total(const uint64_t *cumulated, size_t n)
{
    return n ? (double)cumulated[n - 1] : 0;
}

// a / b, without a meaning where b is 0
static double ratio(double a, double b)
{
    return b > 0 ? a / b : NAN;
}

// The area under the curve by trapezoids, which counts ties half (Fawcett 2006).
double ranking_roc_auc(const struct ranking *k)
{
    double twice = 0, frauds = 0, genuine = 0;
    for (size_t i = 0; i < k->n; i++) {
        double f = (double)k->frauds[i], g = (double)k->genuine[i];
        twice += (g - genuine) * (f + frauds);
        frauds = f;
        genuine = g;
    }
    return ratio(twice / 2, frauds * genuine);
}

double ranking_average_precision(const struct ranking *k)
{
    double sum = 0, before = 0;
    for (size_t i = 0; i < k->n; i++) {
        double f = (double)k->frauds[i], g = (double)k->genuine[i];
        sum += (f - before) * (f / (f + g));
        before = f;
    }
    return ratio(sum, total(k->frauds, k->n));
}

// ---- card precision --------------------------------------------------------------------------------

enum { SECONDS_A_DAY = 86400 };

static int64_t day_of(int64_t time)
{
    return time / SECONDS_A_DAY - (time % SECONDS_A_DAY < 0);
}

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

// Every card with a fraud between the start of training and the end of the test.
static int find_compromised(const struct card_history *h, struct compromised_cards *c,
                            struct err *err)
{
    size_t frauds = 0;
    for (uint64_t r = h->first; r < h->test.end; r++)
        frauds += h->label[r] == 1;
    c->n = 0;
    c->cards = malloc((frauds + 1) * sizeof *c->cards);
    if (!c->cards)
        return err_set(err, "out of memory for %zu frauds", frauds);
    for (uint64_t r = h->first; r < h->test.end; r++)
        if (h->label[r] == 1)
            c->cards[c->n++] = (struct compromised){h->card[r], day_of(h->time[r]), 0};
    qsort(c->cards, c->n, sizeof *c->cards, by_card_and_day);
    size_t kept = 0;
    for (size_t i = 0; i < c->n; i++)
        if (kept == 0 || c->cards[kept - 1].card != c->cards[i].card)
            c->cards[kept++] = c->cards[i];
    c->n = kept;
    return 0;
}

// Labels of the test rows, but -1 for cards that are known to be compromised on the row's day.
static int8_t *labels_without_known(const struct card_history *h, const struct compromised_cards *k)
{
    int8_t *label = calloc((size_t)(h->test.end - h->test.first), sizeof *label);
    for (uint64_t r = h->test.first; r < h->test.end && label; r++) {
        const struct compromised *c = find_card(k, h->card[r]);
        bool known = c && c->day < day_of(h->time[r]) - LABEL_DELAY_DAYS;
        label[r - h->test.first] = known ? -1 : h->label[r];
    }
    return label;
}

// The candidates of rows [from, to), all of one day: one per card, highest score first. label and
// score begin at row test.first.
static size_t candidates_of_day(const struct card_history *h, const double *score,
                                const int8_t *label, uint64_t from, uint64_t to,
                                const struct compromised_cards *compromised, struct candidate *out)
{
    size_t n = 0, kept = 0;
    for (uint64_t r = from; r < to; r++) {
        size_t i = (size_t)(r - h->test.first);
        if (label[i] < 0)
            continue;
        const struct compromised *c = find_card(compromised, h->card[r]);
        if (!c || !c->found)
            out[n++] = (struct candidate){h->card[r], r, score[i], label[i]};
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
static double card_precision(const struct card_history *h, const double *score, const int8_t *label,
                             struct compromised_cards *compromised, struct candidate *room)
{
    int days = 0, hits = 0;
    for (uint64_t from = h->test.first, to = from; from < h->test.end; from = to) {
        while (to < h->test.end && day_of(h->time[to]) == day_of(h->time[from]))
            to++;
        size_t n = candidates_of_day(h, score, label, from, to, compromised, room);
        hits += check_cards(room, n, compromised);
        days++;
    }
    return (double)hits / CARDS_CHECKED / days;
}

static int rank_cards(struct card_metrics *m, const double *score, const int8_t *label, size_t n,
                      struct err *err)
{
    struct ranking k;
    if (ranking_make(&k, score, label, n, err))
        return -1;
    m->frauds = k.n ? k.frauds[k.n - 1] : 0;
    m->rows = m->frauds + (k.n ? k.genuine[k.n - 1] : 0);
    m->roc_auc = ranking_roc_auc(&k);
    m->average_precision = ranking_average_precision(&k);
    ranking_release(&k);
    return 0;
}

int card_metrics_compute(struct card_metrics *m, const struct card_history *h, const double *score,
                         struct err *err)
{
    const size_t n = (size_t)(h->test.end - h->test.first);
    struct compromised_cards compromised;
    *m = (struct card_metrics){0, 0, NAN, NAN, NAN};
    if (!h->card || n == 0)
        return 0;
    if (find_compromised(h, &compromised, err))
        return -1;
    int8_t *label = labels_without_known(h, &compromised);
    struct candidate *room = malloc(n * sizeof *room);
    int rc = label && room ? rank_cards(m, score, label, n, err)
                           : err_set(err, "out of memory for the cards of %zu rows", n);
    if (rc == 0)
        m->precision_at_100 = card_precision(h, score, label, &compromised, room);
    free(compromised.cards);
    free(label);
    free(room);
    return rc;
}

// ---- all of them -----------------------------------------------------------------------------------

static double log_loss_of(double score, int8_t label)
{
    double p = fmin(fmax(score, DBL_EPSILON), 1 - DBL_EPSILON);
    return label == 1 ? -log(p) : -log1p(-p);
}

static void count_row(struct metrics *m, double score, int8_t label)
{
    bool alert = score >= m->threshold, fraud = label == 1;
    m->rows++;
    m->frauds += fraud;
    m->true_positives += alert && fraud;
    m->false_positives += alert && !fraud;
    m->false_negatives += !alert && fraud;
    m->true_negatives += !alert && !fraud;
    m->log_loss += log_loss_of(score, label);
    m->brier += (score - fraud) * (score - fraud);
}

int metrics_compute(struct metrics *m, const struct card_history *h, const double *score,
                    double threshold, struct err *err)
{
    const size_t n = (size_t)(h->test.end - h->test.first);
    const int8_t *label = h->label + h->test.first;
    struct ranking k;
    *m = (struct metrics){.threshold = threshold};
    if (ranking_make(&k, score, label, n, err))
        return -1;
    m->roc_auc = ranking_roc_auc(&k);
    m->average_precision = ranking_average_precision(&k);
    ranking_release(&k);
    for (size_t i = 0; i < n; i++) {
        if (label[i] >= 0)
            count_row(m, score[i], label[i]);
        else
            m->unknown_labels++;
    }
    double tp = (double)m->true_positives,
           wrong = (double)(m->false_positives + m->false_negatives);
    m->log_loss = ratio(m->log_loss, (double)m->rows);
    m->brier = ratio(m->brier, (double)m->rows);
    m->precision = ratio(tp, tp + (double)m->false_positives);
    m->recall = ratio(tp, tp + (double)m->false_negatives);
    m->f1 = ratio(2 * tp, 2 * tp + wrong);
    return card_metrics_compute(&m->cards, h, score, err);
}

static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static json_t *count(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *confusion(const struct metrics *m)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "true_positives", count(m->true_positives),
                     "false_positives", count(m->false_positives), "false_negatives",
                     count(m->false_negatives), "true_negatives", count(m->true_negatives));
}

static json_t *without_known_cards(const struct card_metrics *m)
{
    return json_pack("{s:o, s:o, s:o, s:o}", "rows", count(m->rows), "frauds", count(m->frauds),
                     "roc_auc", number(m->roc_auc), "average_precision",
                     number(m->average_precision));
}

json_t *metrics_to_json(const struct metrics *m)
{
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "rows",
        count(m->rows), "frauds", count(m->frauds), "unknown_labels", count(m->unknown_labels),
        "roc_auc", number(m->roc_auc), "average_precision", number(m->average_precision),
        "card_precision_at_100", number(m->cards.precision_at_100), "log_loss", number(m->log_loss),
        "brier", number(m->brier), "threshold", number(m->threshold), "precision",
        number(m->precision), "recall", number(m->recall), "f1", number(m->f1), "confusion",
        confusion(m), "without_known_cards", without_known_cards(&m->cards));
}
