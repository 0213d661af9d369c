// Writes the result of a comparison as drift.json, and makes page, metrics and text of it.
#include "base/memory.h"
#include "base/value.h"
#include "monitor/comparison.h"
#include "train/report.h"

#include <math.h>
#include <stdlib.h>

extern const char findings_txt[], drift_txt[], drift_prom[]; // templates, see train/report.h

static json_t *range(double value, struct interval i)
{
    return json_pack("[o, o, o]", json_number(value), json_number(i.low), json_number(i.high));
}

// null for INT64_MAX.
static json_t *when(const struct examples *e, int64_t time)
{
    char text[TIME_TEXT];
    return time < INT64_MAX ? json_string(examples_time(e, time, text)) : json_null();
}

static json_t *date(int64_t days)
{
    char text[TIME_TEXT];
    return json_string(date_text(text, days));
}

// ---- verdict ------------------------------------------------------------------------------------

static const char *bounds_from(const struct comparison *c)
{
    return c->usual ? "training" : "psi_alert";
}

// The limits of the verdict; findings.txt has a sentence for each.
static json_t *limits(const struct comparison *c, const struct performance *found)
{
    const struct period *p = &c->current;
    const struct examples *e = p->examples;
    const double expected = found->estimate.average_precision;
    const bool blind =
        expected - found->metrics.average_precision > c->ap_drop &&
        expected >
            bootstrap_interval(&found->bootstrap, NULL, METRIC(average_precision), PAIRED).high;
    const int64_t history = c->model->test.from - c->model->train.from;
    int64_t first = period_rows(p) > 0 ? e->time[0] : 0;
    const struct examples *t = e->before;
    uint64_t n = t ? time_rows(INT64_MIN, first, t->time, t->rows).end : 0;
    if (n > 0 && first - t->time[n - 1] < SECONDS_PER_DAY) // without a gap
        first = t->time[0];
    const int64_t from = period_rows(p) > 0 ? e->time[p->rows.first] : INT64_MAX;
    const bool cards = e->card && e->label && day_of(first) > day_of(from - history);
    int weeks = 0;
    for (size_t w = 0; w < p->n_weeks; w++)
        weeks += !isnan(c->falls[w]);
    return json_pack("{s:b, s:b, s:o, s:b, s:o, s:o}", bounds_from(c), true, "few_labels",
                     weeks < c->least, "estimate_blind", json_number(blind ? expected : NAN),
                     "known_rows", from < c->model->test.until, "cards_before",
                     cards ? date(day_of(first)) : json_null(), "cards_from",
                     cards ? date(day_of(from - history)) : json_null());
}

static json_t *verdict(const struct comparison *c)
{
    enum { ONCE, MOVED, INPUTS_MOVED };
    json_t *of[] = {json_array(), json_array(), json_array()};
    int inputs = 0;
    const struct performance *found = &c->now;
    const struct week *week = NULL;
    for (const struct comparison_column *k = c->columns; k < c->columns + c->n; k++) {
        const bool input = strcmp(k->kind, "input") == 0;
        inputs += input;
        if (k->over > 0)
            json_array_append_new(of[k->alarm ? MOVED + input : ONCE],
                                  json_pack("{s:s, s:f}", "name", k->name, "psi", k->moved));
    }
    for (size_t w = 0; c->performance_over > 0 && w < c->current.n_weeks; w++)
        if (c->falls[w] >= c->ap_drop) {
            week = &c->current.weeks[w];
            found = &c->weeks[w];
        }
    return json_pack("{s:b, s:b, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:[]}", "drift", c->drift,
                     "possible", weeks_counting(&c->current) >= (size_t)c->least, "inputs", inputs,
                     "inputs_moved", of[INPUTS_MOVED], "others_moved", of[MOVED], "once", of[ONCE],
                     "week", week ? date(week->from + DAYS_PER_WEEK - 1) : json_null(), "ap",
                     json_number(found->metrics.average_precision), "limits", limits(c, found),
                     "sentence", "", "notes");
}

// ---- drift.json ---------------------------------------------------------------------------------

static json_t *period_json(const struct period *p)
{
    const struct examples *e = p->examples;
    const bool any = period_rows(p) > 0;
    return json_pack("{s:s, s:I, s:o, s:o}", "table", e->table.path, "rows",
                     (json_int_t)period_rows(p), "from",
                     when(e, any ? e->time[p->rows.first] : INT64_MAX), "to",
                     when(e, any ? e->time[p->rows.end - 1] : INT64_MAX));
}

static json_t *current_json(const struct comparison *c)
{
    const struct examples *e = c->current.examples;
    const int64_t as_of = e->labels_as_of;
    json_t *j = period_json(&c->current);
    json_object_update_new(
        j, json_pack("{s:o, s:o, s:I, s:I}", "labels_as_of", when(e, as_of), "mature_until",
                     when(e, as_of < INT64_MAX ? as_of - c->label_delay : as_of), "mature_rows",
                     (json_int_t)(c->mature.end - c->mature.first), "unlabelled_rows",
                     (json_int_t)c->now.metrics.tally.unknown_labels));
    return j;
}

static json_t *week_json(const struct week *w)
{
    return json_pack("{s:o, s:o, s:I, s:b}", "from", date(w->from), "to",
                     date(w->from + DAYS_PER_WEEK - 1), "rows",
                     (json_int_t)(w->rows.end - w->rows.first), "counts", w->counts);
}

static json_t *column_json(const struct comparison *c, const struct comparison_column *k)
{
    // The members of struct drift in their order, all of them doubles.
    static const char *const measures[] = {"psi",
                                           "ks",
                                           "jensen_shannon",
                                           "wasserstein",
                                           "wasserstein_normalised",
                                           "out_of_range",
                                           "mean_reference",
                                           "mean_current"};
    json_t *before = histogram_to_json(&k->reference), *now = histogram_to_json(&k->current);
    json_t *j =
        json_pack("{s:s, s:s, s:b, s:i, s:o, s:o, s:s, s:O, s:O, s:O, s:[]}", "name", k->name,
                  "kind", k->kind, "alarm", k->alarm, "over", k->over, "moved",
                  json_number(k->alarm ? k->moved : NAN), "bound", json_number(k->bound),
                  "bound_from", isnan(k->bound) ? "none" : bounds_from(c), "edges",
                  json_object_get(before, "edges"), "reference", json_object_get(before, "counts"),
                  "current", json_object_get(now, "counts"), "weeks");
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        json_object_set_new(j, measures[i], json_number(((const double *)&k->drift)[i]));
    for (size_t w = 0; w < c->current.n_weeks; w++)
        json_array_append_new(json_object_get(j, "weeks"), json_number(k->weeks[w]));
    json_decref(before);
    json_decref(now);
    return j;
}

static json_t *week_performance(const struct comparison *c, size_t w)
{
    const struct performance *p = &c->weeks[w];
    const struct metrics *m = &p->metrics;
    if (m->tally.rows == 0)
        return json_null();
    const struct interval i =
        bootstrap_interval(&p->bootstrap, NULL, METRIC(average_precision), PAIRED);
    const double change = m->average_precision - c->reference.metrics.average_precision;
    json_t *j = week_json(&c->current.weeks[w]);
    json_object_update_new(
        j, json_pack(
               "{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:b}", "rows", (json_int_t)m->tally.rows,
               "frauds", (json_int_t)m->tally.frauds, "average_precision",
               range(m->average_precision, i), "precision", json_number(m->precision), "recall",
               json_number(m->recall), "difference", range(change, c->differences[w]), "estimate",
               json_number(p->estimate.average_precision), "alarm", c->falls[w] >= c->ap_drop));
    return j;
}

static json_t *performance_json(const struct comparison *c)
{
    const struct performance *before = &c->reference, *now = &c->now;
    const struct estimate *e = &c->estimate;
    json_t *j = json_pack("{s:o, s:n, s:n, s:{s:o, s:o, s:o}, s:[], s:{s:o, s:n}, s:b}",
                          "reference", results_metrics(&before->metrics, &before->bootstrap),
                          "current", "difference", "estimate", "average_precision",
                          json_number(e->average_precision), "precision", json_number(e->precision),
                          "recall", json_number(e->recall), "weeks", "calibration", "reference",
                          results_reliability(c->test.score, c->test.judged, period_rows(&c->test)),
                          "current", "alarm", c->performance_alarm);
    for (size_t w = 0; w < c->current.n_weeks; w++)
        json_array_append_new(json_object_get(j, "weeks"), week_performance(c, w));
    if (now->metrics.tally.rows == 0)
        return j;
    const double change = now->metrics.average_precision - before->metrics.average_precision;
    const struct interval i = bootstrap_interval(&now->bootstrap, &before->bootstrap,
                                                 METRIC(average_precision), INDEPENDENT);
    json_object_set_new(j, "current", results_metrics(&now->metrics, &now->bootstrap));
    json_object_set_new(j, "difference", json_pack("{s:o}", "average_precision", range(change, i)));
    json_object_set_new(json_object_get(j, "calibration"), "current",
                        results_reliability(c->current.score, c->current.judged,
                                            (size_t)(c->mature.end - c->mature.first)));
    return j;
}

static json_t *alerts_json(const struct comparison *c, const struct period *p)
{
    const size_t at = (size_t)(p->whole.first - p->rows.first);
    struct interval i;
    const double alerts =
        alerts_per_day(p->examples, p->whole, p->score + at, c->all_cards ? NULL : p->judged + at,
                       c->model->threshold, &i);
    return range(alerts, i);
}

json_t *comparison_json(const struct comparison *c, const char *dataset)
{
    json_t *weeks = json_array(), *columns = json_array();
    for (size_t w = 0; w < c->current.n_weeks; w++)
        json_array_append_new(weeks, week_json(&c->current.weeks[w]));
    for (size_t i = 0; i < c->n; i++)
        json_array_append_new(columns, column_json(c, &c->columns[i]));
    json_t *j = json_pack(
        "{s:s, s:i, s:{s:I, s:s}, s:s, s:o, s:{s:o, s:I, s:[i, i], s:o, s:I}, s:{s:o, s:o, s:o}, "
        "s:o, s:o, s:o, s:{s:o, s:o, s:s}, s:o, s:b, s:o}",
        "format", "assay drift", "version", 2, "model", "version", (json_int_t)c->model->version,
        "sha256", c->model->sha256, "dataset", dataset, "verdict", verdict(c), "settings",
        "psi_alert", json_number(c->psi_alert), "min_rows", (json_int_t)c->min_rows, "alarm",
        c->least, c->last, "ap_drop", json_number(c->ap_drop), "label_delay",
        (json_int_t)c->label_delay, "periods", "train", period_json(&c->train), "test",
        period_json(&c->test), "current", current_json(c), "weeks", weeks, "columns", columns,
        "threshold", json_number(c->model->threshold),
        c->features->counts_rows ? "alert_share" : "alerts_per_day", "reference",
        alerts_json(c, &c->test), "current", alerts_json(c, &c->current), "cards",
        c->all_cards ? "all" : "not blocked", "performance", performance_json(c), "counts_rows",
        c->features->counts_rows, "class", class_words(c->model->training));
    if (j)
        sentences_add(json_object_get(j, "verdict"), findings_txt, j);
    return j;
}

// ---- files --------------------------------------------------------------------------------------

// path with another ending than .json.
static char *beside(const char *path, const char *ending)
{
    const size_t n = strlen(path), json = n > 5 && strcmp(path + n - 5, ".json") == 0 ? 5 : 0;
    return xasprintf("%.*s%s", (int)(n - json), path, ending);
}

// drift.json is opened first, so that errors name it, and replaced last, when the others are there.
int comparison_write(const json_t *drift, const char *path, struct err *err)
{
    enum { FILES = 3 };
    char *names[FILES] = {xstrdup(path), beside(path, ".html"), beside(path, ".prom")};
    char *texts[FILES] = {json_dumps(drift, JSON_INDENT(1) | JSON_REAL_PRECISION(17)),
                          drift_page(drift), template_fill(drift_prom, TEMPLATE_PROMETHEUS, drift)};
    struct output o[FILES] = {0};
    int rc = 0;
    for (size_t i = 0; i < FILES && rc == 0; i++) {
        rc = output_open(&o[i], names[i], 0644, err);
        if (rc == 0 && (fprintf(o[i].file, "%s\n", texts[i]) < 0 || fflush(o[i].file)))
            rc = err_sys(err, "%s: cannot write", names[i]);
    }
    for (size_t i = FILES; i-- > 0;) {
        rc = rc == 0 ? output_commit(&o[i], err) : rc;
        output_release(&o[i]);
        free(names[i]);
        free(texts[i]);
    }
    return rc;
}

void comparison_print(const json_t *drift, const char *path)
{
    const json_t *verdict = json_object_get(drift, "verdict");
    char *page = beside(path, ".html");
    char *first =
        xasprintf("%s Open %s\n", json_string_value(json_object_get(verdict, "sentence")), page);
    print_wrapped(first, 2);
    template_print(drift_txt, drift);
    free(first);
    free(page);
}
