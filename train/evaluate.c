// Selection, threshold, folds. The fits are trial.c's, the rows cut.c's, the numbers metrics.c's.
#include "train/evaluate.h"
#include "train/sort.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// ---- settings --------------------------------------------------------------------------------------

static int parse_candidates(struct settings *s, const struct config *c,
                            const struct config_entry *e, struct err *err)
{
    s->n_l2 = 0;
    for (const char *at = e->value; at;) {
        char number[32];
        const char *start = at + strspn(at, " \t");
        size_t n = strcspn(start, ", \t");
        int offset = (int)(start - e->value);
        const char *next = start + n + strspn(start + n, " \t");
        double *l2 = &s->l2[s->n_l2];
        if (s->n_l2 == MAX_CANDIDATES)
            return config_error(c, e, offset, err, "more than %d candidates", MAX_CANDIDATES);
        snprintf(number, sizeof number, "%.*s", (int)n, start);
        if (n >= sizeof number || number_parse(number, l2) || *l2 < 0 || (*next && *next != ','))
            return config_error(c, e, offset, err, "'%.40s' is not a list of numbers >= 0", start);
        s->n_l2++;
        at = *next ? next + 1 : NULL;
    }
    return 0;
}

int settings_from_config(struct settings *s, const struct config *c, struct err *err)
{
    static const char *const known[] = {"l2", "alerts_per_day"};
    *s = (struct settings){.l2 = {1e-3}, .n_l2 = 1, .alerts_per_day = 100};
    if (config_check_keys(c, "model", known, sizeof known / sizeof *known, err) ||
        config_int(c, "model", "alerts_per_day", 1, 1000000000, &s->alerts_per_day, err))
        return -1;
    const struct config_entry *e = config_find(c, "model", "l2");
    return e ? parse_candidates(s, c, e, err) : 0;
}

// ---- validation ------------------------------------------------------------------------------------

// What the steps below share.
struct work {
    struct evaluation *v;
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
        const struct trial *t = trials_get(&w->v->trials, &cuts[k], l2, err);
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
    struct evaluation *v = w->v;
    size_t best = 0;
    for (size_t i = 0; i < w->settings->n_l2; i++) {
        double l2 = w->settings->l2[i], *mean = v->validation;
        if (mean_average_precision(w, cuts, n, l2, &mean[i], err))
            return -1;
        bool larger = l2 > w->settings->l2[best], unknown = isnan(mean[i]);
        if (unknown ? larger : mean[i] > mean[best] || (mean[i] == mean[best] && larger))
            best = i;
    }
    v->l2 = w->settings->l2[best];
    return 0;
}

// ---- threshold -------------------------------------------------------------------------------------

// The score at rank alerts_per_day · days of n; they are sorted in place.
static int threshold_of(double *score, size_t n, int64_t alerts_per_day, double days,
                        double *threshold, struct err *err)
{
    if (sort_doubles(score, n))
        return err_set(err, "out of memory to sort %zu scores", n);
    double alerts = fmax(1, round((double)alerts_per_day * days));
    *threshold = score[alerts < (double)n ? n - (size_t)alerts : 0];
    return 0;
}

static int threshold_from_training(const struct work *w, struct fold *f, struct err *err)
{
    const struct trial *t = f->trial;
    double *score = scores_new(w->e, &t->model, t->cut.train, w->v->trials.threads, err);
    if (!score)
        return -1;
    int rc = threshold_of(score, (size_t)(t->cut.train.end - t->cut.train.first),
                          w->settings->alerts_per_day, t->cut.train_days, &f->threshold, err);
    free(score);
    f->threshold_from = "training";
    return rc;
}

// Scores of the rows that somebody could be alerted to: those of known cards are blocked anyway.
static size_t copy_scores(const struct trial *t, double *out)
{
    const size_t rows = (size_t)(t->cut.test.end - t->cut.test.first);
    size_t n = 0;
    for (size_t i = 0; i < rows; i++)
        if (t->judged[i] != LABEL_KNOWN_CARD)
            out[n++] = t->score[i];
    return n;
}

static int threshold_from_validation(const struct work *w, struct fold *f, const struct cut *cuts,
                                     size_t n_cuts, struct err *err)
{
    size_t room = 0, n = 0;
    double days = 0;
    for (size_t k = 0; k < n_cuts; k++) {
        room += (size_t)(cuts[k].test.end - cuts[k].test.first);
        days += cuts[k].test_days;
    }
    double *score = malloc(room * sizeof *score);
    if (!score)
        return err_set(err, "out of memory for %zu scores", room);
    int rc = 0;
    for (size_t k = 0; k < n_cuts && rc == 0; k++) {
        const struct trial *t = trials_get(&w->v->trials, &cuts[k], w->v->l2, err);
        if (t)
            n += copy_scores(t, score + n);
        rc = t ? 0 : -1;
    }
    f->threshold_from = "validation";
    if (rc == 0)
        rc = n > 0 ? threshold_of(score, n, w->settings->alerts_per_day, days, &f->threshold, err)
                   : threshold_from_training(w, f, err);
    free(score);
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
    if (f->metrics.rows == 0)
        return err_set(
            err,
            "[split] test: none of the %zu rows of %s can be judged: their labels are not "
            "known, or their cards are known to be compromised",
            n, t->cut.test_text);
    return cards_precision(&f->metrics.card_precision_at_100, &rows, t->score, t->judged, err);
}

static int run_fold(const struct work *w, int64_t k, struct cut *cuts, struct err *err)
{
    struct fold *f = &w->v->folds[k];
    struct cut cut;
    if (cut_fold(&cut, w->split, k, w->e->time, w->e->rows, err))
        return -1;
    size_t n = validation_cuts(w, k, cuts);
    f->trial = trials_get(&w->v->trials, &cut, w->v->l2, err);
    if (!f->trial || (n > 0 ? threshold_from_validation(w, f, cuts, n, err)
                            : threshold_from_training(w, f, err)))
        return -1;
    return measure(w, f, err);
}

// A fold that the data does not reach is reported before any work is done.
static int check_folds(const struct work *w, struct err *err)
{
    struct cut cut;
    for (int64_t k = 0; k < w->split->folds; k++)
        if (cut_fold(&cut, w->split, k, w->e->time, w->e->rows, err))
            return -1;
    return 0;
}

int evaluation_run(struct evaluation *v, const struct examples *e, const struct split *split,
                   const struct settings *settings, unsigned threads, struct err *err)
{
    const struct work w = {v, e, split, settings};
    *v = (struct evaluation){.trials = {.examples = e, .threads = threads}};
    v->n_folds = (size_t)split->folds;
    v->folds = calloc(v->n_folds, sizeof *v->folds);
    struct cut *cuts = calloc(v->n_folds, sizeof *cuts);
    int rc = -1;
    if (!v->folds || !cuts)
        err_set(err, "out of memory for folds");
    else
        rc = check_folds(&w, err);
    if (rc == 0)
        rc = choose_l2(&w, cuts, validation_cuts(&w, 0, cuts), err);
    for (int64_t k = 0; k < split->folds && rc == 0; k++)
        rc = run_fold(&w, k, cuts, err);
    free(cuts);
    if (rc)
        evaluation_release(v);
    return rc;
}

void evaluation_release(struct evaluation *v)
{
    trials_release(&v->trials);
    free(v->folds);
    *v = (struct evaluation){0};
}
