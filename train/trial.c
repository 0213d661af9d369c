// Fits and scores. Which cuts and which l2 are tried is decided in evaluate.c.
#include "train/trial.h"
#include "base/parallel.h"
#include "train/logreg.h"
#include "train/metrics.h"

#include <stdlib.h>
#include <string.h>

// ---- scores ----------------------------------------------------------------------------------------

struct scoring {
    const struct examples *examples;
    const struct model *model;
    struct row_range rows;
    unsigned threads;
    float *x; // [threads][n_inputs]: the row that a thread scores
    double *score;
};

// A thread's share of the rows. Every score depends on its own row alone.
static int score_share(void *arg, unsigned thread, struct err *err)
{
    const struct scoring *s = arg;
    const size_t d = s->model->n_inputs;
    const uint64_t n = s->rows.end - s->rows.first;
    float *x = s->x + thread * d;
    for (uint64_t r = n * thread / s->threads; r < n * (thread + 1) / s->threads; r++) {
        for (size_t i = 0; i < d; i++)
            x[i] = s->examples->x[i][s->rows.first + r];
        s->score[r] = model_probability(model_margin(s->model, x));
    }
    (void)err;
    return 0;
}

double *scores_new(const struct examples *e, const struct model *m, struct row_range rows,
                   unsigned threads, struct err *err)
{
    size_t n = (size_t)(rows.end - rows.first);
    struct scoring s = {.examples = e, .model = m, .rows = rows, .threads = threads};
    s.x = calloc(threads * m->n_inputs + 1, sizeof *s.x);
    s.score = malloc((n + 1) * sizeof *s.score);
    if (s.x && s.score) {
        parallel_run(threads, score_share, &s, err);
    } else {
        err_set(err, "out of memory for %zu scores", n);
        free(s.score);
        s.score = NULL;
    }
    free(s.x);
    return s.score;
}

// ---- one trial -------------------------------------------------------------------------------------

static int take_weights(struct trial *t, struct logreg *fit, struct err *err)
{
    struct model *m = &t->model;
    m->n_inputs = fit->data.n_inputs;
    m->inputs = calloc(m->n_inputs + 1, sizeof *m->inputs);
    if (!m->inputs)
        return err_set(err, "out of memory for %zu weights", m->n_inputs);
    for (size_t i = 0; i < m->n_inputs; i++) {
        m->inputs[i].mean = fit->mean[i];
        m->inputs[i].scale = fit->scale[i];
        m->inputs[i].weight = fit->w[i];
    }
    m->intercept = fit->w[m->n_inputs];
    t->standard_error = fit->standard_error; // taken over
    fit->standard_error = NULL;
    return 0;
}

// The optimum of a week, or of another l2, is a good place to look for the next one from.
static void start_from(struct logreg *s, const struct model *m)
{
    for (size_t i = 0; i < m->n_inputs; i++)
        s->w[i] = m->inputs[i].weight;
    s->w[m->n_inputs] = m->intercept;
}

static int fit(struct trial *t, const struct trial *before, const struct examples *e,
               unsigned threads, struct err *err)
{
    const struct logreg_data data = {e->x, e->names, e->n_inputs, e->label, t->cut.train};
    struct logreg s;
    if (logreg_init(&s, &data, threads, err))
        return -1;
    if (before)
        start_from(&s, &before->model);
    int rc = logreg_fit(&s, t->l2, err);
    if (rc == 0)
        rc = take_weights(t, &s, err);
    t->rows = s.known;
    t->frauds = s.frauds;
    logreg_release(&s);
    return rc;
}

struct card_rows card_rows_of(const struct examples *e, const struct cut *cut)
{
    return (struct card_rows){e->card, e->time, e->label, cut->train.first, cut->test};
}

static bool same(struct row_range a, struct row_range b)
{
    return a.first == b.first && a.end == b.end;
}

// Trials of the same test rows are judged alike.
static const struct trial *judged_before(const struct trial *list, const struct cut *cut)
{
    for (const struct trial *t = list; t; t = t->next)
        if (same(t->cut.train, cut->train) && same(t->cut.test, cut->test))
            return t;
    return NULL;
}

static int judge(struct trial *t, const struct trial *list, const struct examples *e,
                 struct err *err)
{
    const struct trial *before = judged_before(list, &t->cut);
    const struct card_rows rows = card_rows_of(e, &t->cut);
    const size_t n = (size_t)(t->cut.test.end - t->cut.test.first);
    struct ranking ranking;
    t->judged = malloc(n + 1);
    if (!t->judged)
        return err_set(err, "out of memory for %zu labels", n);
    if (before)
        memcpy(t->judged, before->judged, n);
    else if (cards_judge(&rows, t->judged, err))
        return -1;
    if (ranking_make(&ranking, t->score, t->judged, n, err))
        return -1;
    t->average_precision = ranking_average_precision(&ranking);
    ranking_release(&ranking);
    return 0;
}

static int run(struct trial *t, const struct trial *before, const struct examples *e,
               unsigned threads, struct err *err)
{
    if (fit(t, before, e, threads, err))
        return err_prefix(err, "training on %s", t->cut.train_text);
    t->score = scores_new(e, &t->model, t->cut.test, threads, err);
    return t->score ? judge(t, before, e, err) : -1;
}

static void trial_free(struct trial *t)
{
    model_release(&t->model);
    free(t->standard_error);
    free(t->score);
    free(t->judged);
    free(t);
}

// ---- all of them -----------------------------------------------------------------------------------

struct trial *trials_get(struct trials *trials, const struct cut *cut, double l2, struct err *err)
{
    for (struct trial *t = trials->list; t; t = t->next)
        if (same(t->cut.train, cut->train) && same(t->cut.test, cut->test) && t->l2 == l2)
            return t;
    struct trial *t = calloc(1, sizeof *t);
    if (!t) {
        err_set(err, "out of memory for a trial");
        return NULL;
    }
    t->cut = *cut;
    t->l2 = l2;
    if (run(t, trials->list, trials->examples, trials->threads, err)) {
        trial_free(t);
        return NULL;
    }
    t->next = trials->list;
    trials->list = t;
    return t;
}

void trials_release(struct trials *trials)
{
    while (trials->list) {
        struct trial *t = trials->list;
        trials->list = t->next;
        trial_free(t);
    }
}
