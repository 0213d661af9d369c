// Selection, threshold, folds. The fits are trial.c's, the rows cut.c's, the numbers metrics.c's.
#include "train/evaluate.h"
#include "base/parallel.h"
#include "train/threshold.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- validation ------------------------------------------------------------------------------------

// What the steps below share.
struct work {
    struct contender *c; // the one that is evaluated
    const struct examples *e;
    const struct split *split;
    const struct settings *settings;
};

static bool holds(const struct examples *e, struct row_range rows, int8_t label)
{
    for (uint64_t r = rows.first; r < rows.end; r++)
        if (e->label[r] == label)
            return true;
    return false;
}

// The validation cuts of a fold that count; cuts holds split.folds.
static size_t validation_cuts(const struct work *w, int64_t fold, struct cut *cuts)
{
    size_t n = 0;
    for (int64_t k = 0; k < w->split->folds; k++) {
        struct cut *c = &cuts[n];
        n += cut_validation(c, w->split, fold, k, w->e->time, w->e->rows) &&
             holds(w->e, c->train, 0) && holds(w->e, c->train, 1) && holds(w->e, c->test, 1);
    }
    return n;
}

static int mean_average_precision(const struct work *w, const struct cut *cuts, size_t n, double l2,
                                  double *mean, struct err *err)
{
    double sum = 0, judged = 0;
    for (size_t k = 0; k < n; k++) {
        const struct trial *t = trials_get(&w->c->trials, &cuts[k], l2, err);
        if (!t)
            return -1;
        if (isnan(t->average_precision)) // all its frauds are on cards that are known
            continue;
        sum += t->average_precision;
        judged++;
    }
    *mean = judged > 0 ? sum / judged : NAN;
    return 0;
}

static int choose_l2(const struct work *w, const struct cut *cuts, size_t n, struct err *err)
{
    struct contender *c = w->c;
    size_t best = 0;
    for (size_t i = 0; i < w->settings->n_l2; i++) {
        double l2 = w->settings->l2[i], *mean = c->validation;
        if (mean_average_precision(w, cuts, n, l2, &mean[i], err))
            return -1;
        bool larger = l2 > w->settings->l2[best], unknown = isnan(mean[i]);
        if (unknown ? larger : mean[i] > mean[best] || (mean[i] == mean[best] && larger))
            best = i;
    }
    c->l2 = w->settings->l2[best];
    return 0;
}

// ---- threshold -------------------------------------------------------------------------------------

static int threshold_from_training(const struct work *w, struct fold *f, struct err *err)
{
    const struct trial *t = f->trial;
    const struct row_range rows = t->cut.train;
    double *score = scores_new(w->e, &t->model, rows, w->c->trials.threads, err);
    if (!score)
        return -1;
    int rc = threshold_choose(&f->threshold, score, w->e->label + rows.first,
                              (size_t)(rows.end - rows.first), t->cut.train_days, w->settings, err);
    free(score);
    f->threshold_from = "training";
    return rc;
}

// The test rows of several trials, one after the other.
struct pool {
    double *score;
    int8_t *judged;
    size_t n;
    double days;
};

static void pool_add(struct pool *p, const struct trial *t)
{
    const size_t n = (size_t)(t->cut.test.end - t->cut.test.first);
    memcpy(p->score + p->n, t->score, n * sizeof *t->score);
    memcpy(p->judged + p->n, t->judged, n * sizeof *t->judged);
    p->n += n;
    p->days += t->cut.test_days;
}

// A budget needs a row that can be an alert, costs need a fraud that can be missed.
static bool can_choose(const struct pool *p, const struct settings *s)
{
    for (size_t i = 0; i < p->n; i++)
        if (s->by_cost ? p->judged[i] == 1 : p->judged[i] != LABEL_KNOWN_CARD)
            return true;
    return false;
}

static int threshold_from_validation(const struct work *w, struct fold *f, const struct cut *cuts,
                                     size_t n_cuts, struct err *err)
{
    size_t room = 1;
    for (size_t k = 0; k < n_cuts; k++)
        room += (size_t)(cuts[k].test.end - cuts[k].test.first);
    struct pool p = {.score = malloc(room * sizeof *p.score), .judged = malloc(room)};
    int rc = p.score && p.judged ? 0 : err_set(err, "out of memory for %zu scores", room);
    for (size_t k = 0; k < n_cuts && rc == 0; k++) {
        const struct trial *t = trials_get(&w->c->trials, &cuts[k], w->c->l2, err);
        if (t)
            pool_add(&p, t);
        rc = t ? 0 : -1;
    }
    f->threshold_from = "validation";
    if (rc == 0)
        rc = can_choose(&p, w->settings)
                 ? threshold_choose(&f->threshold, p.score, p.judged, p.n, p.days, w->settings, err)
                 : threshold_from_training(w, f, err);
    free(p.score);
    free(p.judged);
    return rc;
}

// ---- folds -----------------------------------------------------------------------------------------

static int measure(const struct work *w, struct fold *f, struct err *err)
{
    const struct trial *t = f->trial;
    const struct card_rows rows = card_rows_of(w->e, &t->cut);
    const size_t n = (size_t)(t->cut.test.end - t->cut.test.first);
    if (metrics_compute(&f->metrics, t->score, t->judged, n, f->threshold, err))
        return -1;
    if (f->metrics.tally.rows == 0)
        return err_set(
            err,
            "[split] test: none of the %zu rows of %s can be judged: their labels are not "
            "known, or their cards are known to be compromised",
            n, t->cut.test_text);
    return cards_precision(&f->metrics.card_precision_at_100, NULL, &rows, t->score, t->judged,
                           err);
}

static int run_fold(const struct work *w, int64_t k, struct cut *cuts, struct err *err)
{
    struct fold *f = &w->c->folds[k];
    struct cut cut;
    if (cut_fold(&cut, w->split, k, w->e->time, w->e->rows, err))
        return -1;
    size_t n = validation_cuts(w, k, cuts);
    f->trial = trials_get(&w->c->trials, &cut, w->c->l2, err);
    if (!f->trial || (n > 0 ? threshold_from_validation(w, f, cuts, n, err)
                            : threshold_from_training(w, f, err)))
        return -1;
    return measure(w, f, err);
}

// A fold that the data does not reach is reported before any work is done.
static int check_folds(const struct split *split, const struct examples *e, struct err *err)
{
    struct cut cut;
    for (int64_t k = 0; k < split->folds; k++)
        if (cut_fold(&cut, split, k, e->time, e->rows, err))
            return -1;
    return 0;
}

static int evaluate(struct contender *c, const struct split *split, const struct settings *settings,
                    unsigned threads, struct err *err)
{
    const struct work w = {c, &c->examples, split, settings};
    struct cut *cuts = calloc((size_t)split->folds, sizeof *cuts);
    c->trials = (struct trials){.examples = &c->examples, .threads = threads};
    c->folds = calloc((size_t)split->folds, sizeof *c->folds);
    int rc = c->folds && cuts ? choose_l2(&w, cuts, validation_cuts(&w, 0, cuts), err)
                              : err_set(err, "out of memory for folds");
    for (int64_t k = 0; k < split->folds && rc == 0; k++)
        rc = run_fold(&w, k, cuts, err);
    free(cuts);
    if (rc)
        return strcmp(c->name, "model") == 0 ? -1 : err_prefix(err, "baseline %s", c->name);
    const struct fold *f = &c->folds[0];
    const struct card_rows rows = card_rows_of(w.e, &f->trial->cut);
    return bootstrap_run(&c->bootstrap, &rows, f->trial->score, f->trial->judged, f->threshold,
                         err);
}

// The contenders are evaluated side by side: much of an evaluation (sorting, judging, drawing) runs on
// one thread.
struct race {
    struct evaluation *v;
    const struct split *split;
    const struct settings *settings;
    unsigned lanes, threads; // threads in all, at least one in each lane
};

static int run_lane(void *arg, unsigned lane, struct err *err)
{
    const struct race *r = arg;
    const unsigned threads = r->threads / r->lanes + (lane < r->threads % r->lanes);
    for (size_t i = lane; i < 1 + r->v->n_baselines; i += r->lanes) {
        struct contender *c = i ? &r->v->baselines[i - 1] : &r->v->model;
        if (evaluate(c, r->split, r->settings, threads, err))
            return -1;
    }
    return 0;
}

static int evaluate_all(struct evaluation *v, const struct split *split,
                        const struct settings *settings, unsigned threads, struct err *err)
{
    const unsigned contenders = (unsigned)v->n_baselines + 1;
    struct race r = {v, split, settings, threads < contenders ? threads : contenders, threads};
    return parallel_run(r.lanes, run_lane, &r, err);
}

int evaluation_run(struct evaluation *v, const struct examples *e, const struct split *split,
                   const struct settings *settings, const struct config *config, unsigned threads,
                   struct err *err)
{
    const struct row_range test = split_rows(&split->test, 0, e->time, e->rows);
    *v = (struct evaluation){.n_folds = (size_t)split->folds};
    if (check_folds(split, e, err) ||
        slices_from_config(&v->slicings, &v->n_slicings, e, test, config, err) ||
        contender_init(&v->model, e, err) ||
        contenders_from_config(&v->baselines, &v->n_baselines, e, config, err) ||
        evaluate_all(v, split, settings, threads, err))
        goto fail;
    const struct fold *f = &v->model.folds[0];
    for (size_t i = 0; i < v->n_slicings; i++)
        if (slicing_measure(&v->slicings[i], test, f->trial->score, f->trial->judged, f->threshold,
                            err))
            goto fail;
    return 0;
fail:
    evaluation_release(v);
    return -1;
}

void evaluation_release(struct evaluation *v)
{
    contender_release(&v->model);
    for (size_t i = 0; i < v->n_baselines; i++)
        contender_release(&v->baselines[i]);
    free(v->baselines);
    for (size_t i = 0; i < v->n_slicings; i++)
        slicing_release(&v->slicings[i]);
    free(v->slicings);
    *v = (struct evaluation){0};
}

int evaluation_false_positives(const struct evaluation *v, const struct contender *c,
                               int64_t *count, struct err *err)
{
    const uint64_t wanted = v->model.folds[0].metrics.tally.true_positives;
    const struct trial *t = c->folds[0].trial;
    struct ranking k;
    *count = -1;
    if (wanted == 0)
        return 0;
    if (ranking_make(&k, t->score, t->judged, (size_t)(t->cut.test.end - t->cut.test.first), err))
        return -1;
    size_t i = 0;
    while (i + 1 < k.n && k.frauds[i] < wanted)
        i++;
    *count = (int64_t)k.genuine[i];
    ranking_release(&k);
    return 0;
}
