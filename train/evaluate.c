// Settings, folds, candidates, fits, the choice of l2 and threshold, and the results of every fold.
#include "train/evaluate.h"
#include "base/memory.h"
#include "base/parallel.h"
#include "base/value.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

// ---- [model] ------------------------------------------------------------------------------------

static int parse_l2(struct settings *s, const struct config *c, const struct config_entry *e,
                    struct err *err)
{
    s->n_l2 = 0;
    for (const char *at = e->value; at;) {
        char number[32];
        int offset;
        const int bad = config_list_next(e, &at, number, sizeof number, &offset);
        double *l2 = &s->l2[s->n_l2];
        if (s->n_l2 == L2_MAX)
            return config_error(c, e, offset, err, "more than %d values", L2_MAX);
        if (bad || value_number(number, strlen(number), l2) || *l2 < 0)
            return config_error(c, e, offset, err, "'%.40s' is not a list of numbers >= 0",
                                e->value + offset);
        s->n_l2++;
    }
    return 0;
}

// "1%" or "0.01".
static int parse_share(struct settings *s, const struct config *c, const struct config_entry *e,
                       struct err *err)
{
    const size_t n = strlen(e->value), percent = n > 0 && e->value[n - 1] == '%';
    const int bad = value_number(e->value, n - percent, &s->alert_share);
    s->alert_share /= percent ? 100 : 1;
    return bad || !(s->alert_share > 0 && s->alert_share < 1)
               ? config_error(c, e, 0, err, "'%.40s' is no share of the rows, such as 1%% or 0.01",
                              e->value)
               : 0;
}

// The threshold's rule: alerts a day, alerts as a share of the rows, or both costs.
static int parse_budget(struct settings *s, const struct config *c, bool counts_rows,
                        struct err *err)
{
    const struct config_entry *fraud = config_find(c, "model", "cost_fraud");
    const struct config_entry *alert = config_find(c, "model", "cost_alert");
    const struct config_entry *daily = config_find(c, "model", "alerts_per_day");
    const struct config_entry *share = config_find(c, "model", "alert_share");
    const struct config_entry *cost = fraud ? fraud : alert;
    s->by_cost = fraud && alert;
    s->alert_share = counts_rows && !cost ? 0.01 : 0;
    if (cost && !s->by_cost)
        return config_error(c, cost, -1, err, "cost_fraud and cost_alert go together");
    if (daily && counts_rows)
        return config_error(c, daily, -1, err,
                            "with time_format = row there are no days: write alert_share = 1%%, "
                            "the share of the rows that are alerts");
    if (!!cost + !!share + !!daily > 1)
        return config_error(c, cost ? cost : share, -1, err,
                            "there is one rule for the threshold: leave one in of alerts_per_day, "
                            "alert_share, and both costs");
    if (share && parse_share(s, c, share, err))
        return -1;
    return config_number(c, "model", "cost_fraud", 1e-9, 1e15, &s->cost_fraud, err) ||
           config_number(c, "model", "cost_alert", 1e-9, 1e15, &s->cost_alert, err);
}

double settings_budget(const struct settings *s, double days, double rows)
{
    const double budget =
        s->alert_share > 0 ? s->alert_share * rows : (double)s->alerts_per_day * days;
    return s->by_cost ? 0 : budget;
}

static int settings_from_config(struct settings *s, const struct config *c, bool counts_rows,
                                struct err *err)
{
    const struct config_entry *outside = config_find(c, "model", "outside");
    *s = (struct settings){.l2 = {1e-3}, .n_l2 = 1, .alerts_per_day = 100};
    if (config_int(c, "model", "alerts_per_day", 1, 1000000000, &s->alerts_per_day, err) ||
        parse_budget(s, c, counts_rows, err))
        return -1;
    s->review_outside = outside && strcmp(outside->value, "review") == 0;
    if (outside && !s->review_outside && strcmp(outside->value, "score") != 0)
        return config_error(c, outside, 0, err, "'%.40s' is neither score nor review",
                            outside->value);
    const struct config_entry *e = config_find(c, "model", "l2");
    return e ? parse_l2(s, c, e, err) : 0;
}

// ---- folds --------------------------------------------------------------------------------------

enum { WEEK = 7 };

// Days from the first row to the last, at least a second, so that a rate per day is a number. A share
// may have no rows.
static void measure(struct part *p, const struct examples *e)
{
    p->n = (size_t)(p->rows.end - p->rows.first);
    if (p->n > 0)
        p->times = (struct period_times){e->time[p->rows.first], e->time[p->rows.end - 1] + 1};
    p->days = e->counts_rows
                  ? NAN
                  : fmax(1, (double)(p->times.until - p->times.from - 1)) / SECONDS_PER_DAY;
}

static struct part moved_part(struct split_part s, int64_t days, const struct examples *e)
{
    const int64_t from = (int64_t)s.from + days, to = (int64_t)s.to + days;
    if (!s.percent)
        s = split_days(from, to);
    struct part p = {.rows = split_rows(&s, 0, e->time, e->rows)};
    measure(&p, e);
    memcpy(p.text, s.text, sizeof p.text);
    if (!s.percent) {
        p.days = (double)(to - from);
        p.times = (struct period_times){from * SECONDS_PER_DAY, to * SECONDS_PER_DAY};
    }
    return p;
}

static struct fold moved(const struct split *s, int64_t days, const struct examples *e)
{
    return (struct fold){.train = moved_part(s->train, days, e),
                         .test = moved_part(s->test, days, e)};
}

static struct fold last_quarter(const struct fold *of, const struct examples *e)
{
    struct fold f = {.train = {.rows = of->train.rows, .text = "first three quarters of train"},
                     .test = {.rows = of->train.rows, .text = "last quarter of train"}};
    f.train.rows.end -= of->train.n / 4;
    f.test.rows.first = f.train.rows.end;
    measure(&f.train, e);
    measure(&f.test, e);
    return f;
}

int8_t *fold_judge(const struct fold *f, const struct part *of, const struct examples *e,
                   int64_t label_delay)
{
    return cards_judge(e, of->rows, 0, f->test.times.from - f->train.times.from, label_delay);
}

static bool holds(const struct examples *e, const struct part *p, int8_t label)
{
    return memchr(e->label + p->rows.first, label, p->n);
}

// The validation of fold k: with shares one fold, else as many as there are folds, where the rows
// reach back to them. If they reach back to none, two weeks of training have a last quarter, too.
static void validate(struct fold *fold, int64_t k, const struct split *s, const struct examples *e)
{
    const int64_t back = WEEK * (int64_t)ceil((s->test.to - s->train.from) / WEEK);
    const bool reach = day_of(e->time[0]) <= (int64_t)s->train.from + WEEK * k - back;
    const bool quarter = s->last_quarter || (!reach && s->train.to - s->train.from >= 2. * WEEK);
    fold->validation = xcalloc((size_t)s->folds, sizeof *fold->validation);
    for (int64_t i = 0; i < s->folds; i++) {
        const int64_t days = WEEK * (k - i) - back, first = (int64_t)s->train.from + days;
        if (quarter ? i > 0 : day_of(e->time[0]) > first)
            break;
        struct fold f = quarter ? last_quarter(fold, e) : moved(s, days, e);
        if (!holds(e, &f.train, 0) || !holds(e, &f.train, 1) || !holds(e, &f.test, 1))
            continue;
        f.judged = fold_judge(&f, &f.test, e, s->label_delay);
        fold->validation[fold->n_validation++] = f;
    }
}

// A part whose known labels are all alike cannot train or measure.
static int check_classes(const struct part *p, const char *key, const struct examples *e,
                         struct err *err)
{
    const bool ones = holds(e, p, 1);
    if (ones && holds(e, p, 0))
        return 0;
    return err_set(err, "[split] %s = %s: all of its %zu rows have label %d%s, so %s", key, p->text,
                   p->n, ones, holds(e, p, LABEL_UNKNOWN) ? " or none" : "",
                   !memchr(e->label, 1, e->rows)
                       ? "there is nothing to learn: does positive= in [columns] match any value?"
                   : json_object_get(e->table.provenance, "shuffle")
                       ? "it cannot tell how good a model is: choose a larger part"
                   : e->counts_rows
                       ? "the file is sorted or too small: write shuffle = 1 in [split], "
                         "which draws rows of both labels into each part"
                       : "it cannot tell how good a model is: choose other days");
}

static int check_fold(const struct fold *f, int64_t k, const struct split *s,
                      const struct examples *e, struct err *err)
{
    if (f->train.n == 0 || (k == 0 && f->test.n == 0))
        return err_set(err, "there are no rows in [split] %s = %s: choose days that the data has",
                       f->train.n ? "test" : "train", f->train.n ? f->test.text : f->train.text);
    if (k > 0 && day_of(e->time[e->rows - 1]) < (int64_t)s->test.to - 1 + WEEK * k)
        return err_set(err,
                       "fold %lld would test on %s, and the data ends before: set [split] folds to "
                       "%lld or less",
                       (long long)k + 1, f->test.text, (long long)k);
    if (e->counts_rows) // training on days of one class is an error of the fit
        return check_classes(&f->train, "train", e, err) || check_classes(&f->test, "test", e, err);
    if (check_classes(&f->test, "test", e, err))
        fprintf(stderr, "train: %s\n", err->msg);
    return 0;
}

static int make_folds(struct evaluation *v, const struct split *split, const struct examples *e,
                      struct err *err)
{
    v->n_folds = (size_t)split->folds;
    v->folds = xcalloc(v->n_folds, sizeof *v->folds);
    for (int64_t k = 0; k < split->folds; k++) {
        struct fold *f = &v->folds[k];
        *f = moved(split, WEEK * k, e);
        if (check_fold(f, k, split, e, err))
            return -1;
        f->judged = fold_judge(f, &f->test, e, split->label_delay);
        validate(f, k, split, e);
    }
    return 0;
}

// ---- candidates ---------------------------------------------------------------------------------

static void candidate_init(struct candidate *c, const char *name, const struct examples *e)
{
    *c = (struct candidate){.name = name, .examples = *e};
    c->examples.n_inputs = 0;
    c->examples.x = xcalloc(e->n_inputs, sizeof *c->examples.x);
    c->examples.names = xcalloc(e->n_inputs, sizeof *c->examples.names);
}

// The input has that name, or a onehot of that name made it: name[...].
static bool is_named(const char *input, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(input, name, length) == 0 && (input[length] == '\0' || input[length] == '[');
}

static int read_inputs(struct candidate *c, const struct examples *e, const struct config *config,
                       const struct config_entry *entry, struct err *err)
{
    for (const char *at = entry->value; at;) {
        char name[128];
        int offset;
        const size_t before = c->examples.n_inputs;
        if (config_list_next(entry, &at, name, sizeof name, &offset))
            return config_error(config, entry, offset, err, "expected a list of features: a, b, c");
        for (size_t i = 0; i < before; i++)
            if (is_named(c->examples.names[i], name))
                return config_error(config, entry, offset, err, "'%s' is in the list twice", name);
        for (size_t i = 0; i < e->n_inputs; i++)
            if (is_named(e->names[i], name)) {
                c->examples.x[c->examples.n_inputs] = e->x[i];
                c->examples.names[c->examples.n_inputs++] = e->names[i];
            }
        if (c->examples.n_inputs == before)
            return config_error(config, entry, offset, err, "there is no feature '%s'%s", name,
                                err_did_you_mean(name, e->names, e->n_inputs).text);
    }
    return 0;
}

static int read_baselines(struct evaluation *v, const struct examples *e,
                          const struct config *config, struct err *err)
{
    v->baselines = xcalloc(config->n + 1, sizeof *v->baselines);
    candidate_init(&v->baselines[v->n_baselines++], "constant", e);
    for (size_t i = 0; i < config->n; i++) {
        const struct config_entry *entry = &config->entries[i];
        const char *name = entry->key;
        if (strcmp(entry->section, "baselines") != 0)
            continue;
        if (!schema_is_name(name) || strcmp(name, "constant") == 0 || strcmp(name, "model") == 0)
            return config_error(config, entry, -1, err,
                                "a baseline's name has letters, digits and _, at most 63, no digit "
                                "first, and is not constant or model");
        if (v->n_baselines > BASELINES_MAX)
            return config_error(config, entry, -1, err, "more than %d baselines", BASELINES_MAX);
        struct candidate *c = &v->baselines[v->n_baselines++];
        candidate_init(c, name, e);
        if (read_inputs(c, e, config, entry, err))
            return -1;
    }
    return 0;
}

// ---- fits ---------------------------------------------------------------------------------------

double *scores_new(const struct examples *e, const struct model *m, struct row_range rows)
{
    double *score = xmalloc((size_t)(rows.end - rows.first) * sizeof *score);
    float *x = xmalloc(m->n_inputs * sizeof *x);
    for (uint64_t r = rows.first; r < rows.end; r++) {
        for (size_t i = 0; i < m->n_inputs; i++)
            x[i] = e->x[i][r];
        score[r - rows.first] = model_probability(model_margin(m, x));
    }
    free(x);
    return score;
}

static int fit_weights(struct fit *f, const struct candidate *c, struct err *err)
{
    struct logreg *s = &f->logreg;
    struct model *m = &f->model;
    if (logreg_init(s, &c->examples, f->fold->train.rows, c->threads, err))
        return -1;
    if (f->next) // the fit before: the optimum of another week or of another l2 is near
        memcpy(s->w, f->next->logreg.w, s->k * sizeof *s->w);
    if (logreg_fit(s, f->l2, err))
        return -1;
    free(s->sums); // fits are kept, and this is large where there are many inputs
    m->n_inputs = c->examples.n_inputs;
    m->inputs = xcalloc(m->n_inputs, sizeof *m->inputs);
    for (size_t i = 0; i < s->k; i++) {
        s->w[i] = round_digits(s->w[i]);
        s->standard_error[i] = round_digits(s->standard_error[i]);
    }
    for (size_t i = 0; i < m->n_inputs; i++)
        m->inputs[i] = (struct model_input){
            c->examples.names[i], s->mean[i], s->scale[i], s->w[i], s->min[i], s->max[i], {0}};
    m->intercept = s->w[m->n_inputs];
    return 0;
}

// The fit of these rows and this l2, made where there is none yet; NULL and a message otherwise.
static struct fit *fit_of(struct candidate *c, const struct fold *fold, double l2, struct err *err)
{
    for (struct fit *f = c->fits; f; f = f->next)
        if (memcmp(&f->fold->train.rows, &fold->train.rows, sizeof fold->train.rows) == 0 &&
            memcmp(&f->fold->test.rows, &fold->test.rows, sizeof fold->test.rows) == 0 &&
            f->l2 == l2)
            return f;
    struct fit *f = xmalloc(sizeof *f);
    *f = (struct fit){.fold = fold, .l2 = l2, .next = c->fits};
    c->fits = f;
    if (fit_weights(f, c, err)) {
        err_prefix(err, "training on %s", fold->train.text);
        return NULL;
    }
    f->score = scores_new(&c->examples, &f->model, fold->test.rows);
    return f;
}

// ---- l2 and threshold ---------------------------------------------------------------------------

// The next step begins. Candidates take theirs at the same time.
static void step(struct evaluation *v, const struct candidate *c, const char *what)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    snprintf(v->progress.step, sizeof v->progress.step, "%u of %u: %.12s, %s", v->steps + 1,
             (unsigned)v->progress.total, c->name, what);
    progress_set(&v->progress, v->steps++);
    pthread_mutex_unlock(&lock);
}

static int choose_l2(struct candidate *c, struct evaluation *v, struct err *err)
{
    const struct settings *s = &v->settings;
    const struct fold *fold = &v->folds[0];
    size_t best = 0;
    for (size_t i = 0; i < s->n_l2; i++) {
        step(v, c, "choose l2");
        double sum = 0, n = 0, *mean = c->validation;
        for (size_t k = 0; k < fold->n_validation; k++) {
            const struct fold *on = &fold->validation[k];
            const struct fit *f = fit_of(c, on, s->l2[i], err);
            if (!f)
                return -1;
            const double value = // NAN: all its frauds are on known cards
                metrics_compute(f->score, on->judged, on->test.n, 1).average_precision;
            sum += isnan(value) ? 0 : value;
            n += !isnan(value);
        }
        mean[i] = n > 0 ? sum / n : NAN;
        const bool larger = s->l2[i] > s->l2[best];
        if (isnan(mean[i]) ? larger : mean[i] > mean[best] || (mean[i] == mean[best] && larger))
            best = i;
    }
    c->l2 = s->l2[best];
    return 0;
}

// Chooses on all validation rows together where one of them can decide (a budget needs a row that can
// be an alert, costs need a fraud), else on the training rows.
static int choose_threshold(struct fold_result *r, struct candidate *c, const struct fold *fold,
                            const struct settings *s, struct err *err)
{
    size_t n = 0, room = fold->train.n, open = 0;
    double days = 0;
    bool decides = false;
    for (size_t k = 0; k < fold->n_validation; k++) {
        if (!fit_of(c, &fold->validation[k], c->l2, err))
            return -1;
        room += fold->validation[k].test.n;
    }
    double *score = xmalloc(room * sizeof *score);
    int8_t *judged = xmalloc(room);
    for (size_t k = 0; k < fold->n_validation; k++) {
        const struct fold *from = &fold->validation[k];
        // After a change, a model of the first three quarters scores unlike the one that will decide.
        const struct fit *f = s->retraining ? r->fit : fit_of(c, from, c->l2, err);
        double *own = s->retraining ? scores_new(&c->examples, &f->model, from->test.rows) : NULL;
        for (size_t i = 0; i < from->test.n; i++, n++) {
            score[n] = own ? own[i] : f->score[i];
            judged[n] = from->judged[i];
            decides = decides || (s->by_cost ? judged[n] == 1 : judged[n] != LABEL_KNOWN_CARD);
            open += judged[n] != LABEL_KNOWN_CARD;
        }
        days += from->test.days;
        free(own);
    }
    r->threshold_from = decides ? "validation" : "training";
    if (!decides) {
        free(score);
        score = scores_new(&c->examples, &r->fit->model, fold->train.rows);
        n = open = fold->train.n;
        memcpy(judged, c->examples.label + fold->train.rows.first, n);
        days = fold->train.days;
    }
    r->threshold = threshold_choose(score, judged, n, settings_budget(s, days, (double)open),
                                    s->cost_fraud, s->cost_alert);
    free(score);
    free(judged);
    return 0;
}

// ---- results ------------------------------------------------------------------------------------

static int run_fold(struct fold_result *r, struct candidate *c, const struct fold *fold,
                    const struct settings *s, struct err *err)
{
    r->fit = fit_of(c, fold, c->l2, err);
    if (!r->fit || choose_threshold(r, c, fold, s, err))
        return -1;
    r->metrics = metrics_with_cards(&c->examples, fold->test.rows, r->fit->score, fold->judged,
                                    r->threshold);
    if (r->metrics.tally.rows == 0)
        return err_set(err,
                       "[split] test: none of the %zu rows of %s can be judged: their labels are "
                       "not known, or their cards are known to be compromised",
                       fold->test.n, fold->test.text);
    return 0;
}

static int run_candidate(struct evaluation *v, struct candidate *c, struct err *err)
{
    const struct fold *fold = &v->folds[0];
    c->threads = v->threads;
    c->results = xcalloc(v->n_folds, sizeof *c->results);
    int rc = choose_l2(c, v, err);
    for (size_t k = 0; k < v->n_folds && rc == 0; k++) {
        step(v, c, "test");
        rc = run_fold(&c->results[k], c, &v->folds[k], &v->settings, err);
    }
    if (rc)
        return c == &v->model ? -1 : err_prefix(err, "baseline %s", c->name);
    step(v, c, "intervals");
    bootstrap_run(&c->bootstrap, &c->examples, fold->test.rows, c->results[0].fit->score,
                  fold->judged, c->results[0].threshold);
    return 0;
}

// The candidates are evaluated in parallel lanes, because much of an evaluation (sorting, judging,
// drawing) runs on one thread.
static int run_lane(void *arg, unsigned lane, struct err *err)
{
    struct evaluation *v = arg;
    for (size_t i = lane; i <= v->n_baselines; i += v->lanes)
        if (run_candidate(v, i ? &v->baselines[i - 1] : &v->model, err))
            return -1;
    return 0;
}

int evaluation_run(struct evaluation *v, struct examples *e, const struct config *config,
                   const struct split *split, unsigned threads, struct err *err)
{
    const struct split *s = &v->split;
    *v = (struct evaluation){0};
    if (split)
        v->split = *split;
    if ((!split && split_from_config(&v->split, config, err)) ||
        split_labels(&v->split, config, &e->plan.schema, err) ||
        (s->blocked && !(e->card = table_data(&e->table, s->blocked, COLUMN_KEY, err))))
        return -1;
    v->model = (struct candidate){.name = "model", .examples = *e};
    if (settings_from_config(&v->settings, config, e->counts_rows, err) ||
        make_folds(v, s, e, err) ||
        slices_from_config(&v->slicings, &v->n_slicings, e, v->folds[0].test.rows, config, err) ||
        read_baselines(v, e, config, err))
        return -1;
    v->settings.retraining = split != NULL;
    const unsigned n = (unsigned)v->n_baselines + 1;
    v->lanes = threads < n ? threads : n;
    v->threads = threads / v->lanes;
    progress_init(&v->progress, "train", n * (v->settings.n_l2 + v->n_folds + 1));
    const int rc = parallel_run(v->lanes, run_lane, v, err);
    progress_done(&v->progress);
    return rc;
}

int64_t evaluation_false_positives(const struct evaluation *v, const struct candidate *c)
{
    const double wanted = v->model.results[0].metrics.tally.true_positives;
    const struct fold *fold = &v->folds[0];
    struct ranking k;
    if (wanted == 0)
        return -1;
    ranking_make(&k, c->results[0].fit->score, fold->judged, fold->test.n);
    size_t i;
    LOWER_BOUND(i, 0, k.n - 1, (double)k.frauds[i] < wanted);
    const int64_t count = (int64_t)k.genuine[i];
    ranking_release(&k);
    return count;
}
