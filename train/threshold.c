// Two ways to a threshold. Which scores it is chosen on is evaluate.c's.
#include "train/threshold.h"
#include "train/metrics.h"
#include "train/sort.h"

#include <math.h>
#include <stdlib.h>

static int by_budget(double *threshold, const double *score, const int8_t *judged, size_t n,
                     double alerts, struct err *err)
{
    double *sorted = malloc((n + 1) * sizeof *sorted);
    size_t kept = 0;
    for (size_t i = 0; i < n && sorted; i++)
        if (judged[i] != LABEL_KNOWN_CARD)
            sorted[kept++] = score[i];
    if (!sorted || sort_doubles(sorted, kept)) {
        free(sorted);
        return err_set(err, "out of memory to sort %zu scores", n);
    }
    alerts = fmax(1, round(alerts));
    if (kept > 0) {
        size_t at = alerts < (double)kept ? kept - (size_t)alerts : 0;
        const double tied = sorted[at];
        if (at > 0 && sorted[at - 1] == tied) // all of them or none
            while (at < kept && sorted[at] == tied)
                at++;
        *threshold = at < kept ? sorted[at] : fmin(1, nextafter(tied, 2));
    }
    free(sorted);
    return 0;
}

static int by_cost(double *threshold, const double *score, const int8_t *judged, size_t n,
                   const struct settings *s, struct err *err)
{
    struct ranking k;
    if (ranking_make(&k, score, judged, n, err))
        return -1;
    double frauds = ranking_frauds(&k), lowest = s->cost_fraud * frauds;
    if (k.n > 0)
        *threshold = fmin(1, nextafter(k.score[0], 2));
    for (size_t i = 0; i < k.n; i++) {
        double caught = (double)k.frauds[i], alerts = caught + (double)k.genuine[i];
        double cost = s->cost_fraud * (frauds - caught) + s->cost_alert * alerts;
        if (cost < lowest) {
            lowest = cost;
            *threshold = k.score[i];
        }
    }
    ranking_release(&k);
    return 0;
}

int threshold_choose(double *threshold, const double *score, const int8_t *judged, size_t n,
                     double days, const struct settings *s, struct err *err)
{
    *threshold = 1;
    return s->by_cost
               ? by_cost(threshold, score, judged, n, s, err)
               : by_budget(threshold, score, judged, n, (double)s->alerts_per_day * days, err);
}
