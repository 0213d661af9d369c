#include "monitor/performance.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

void performance_measure(struct performance *p, const struct examples *e, struct row_range rows,
                         const double *score, const int8_t *judged, double threshold)
{
    p->metrics = metrics_with_cards(e, rows, score, judged, threshold);
    p->estimate = estimate_make(score, judged, (size_t)(rows.end - rows.first), threshold);
    bootstrap_run(&p->bootstrap, e, rows, score, judged, threshold);
}

struct estimate estimate_make(const double *score, const int8_t *judged, size_t n, double threshold)
{
    double *p = xmalloc(n * sizeof *p), alerts = 0, caught = 0, frauds = 0, sum = 0;
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        if (judged[i] == LABEL_KNOWN_CARD)
            continue;
        p[rows++] = score[i];
        alerts += score[i] >= threshold;
        caught += score[i] >= threshold ? score[i] : 0;
    }
    sort_doubles(p, rows);
    for (size_t i = rows; i > 0;) {
        const size_t above = i;
        const double at = p[i - 1];
        while (i > 0 && p[i - 1] == at)
            i--;
        const double here = at * (double)(above - i);
        frauds += here;
        sum += here * frauds / (double)(rows - i);
    }
    free(p);
    // 0 / 0 is NAN.
    return (struct estimate){sum / frauds, caught / alerts, caught / frauds};
}

double alerts_per_day(const struct examples *e, struct row_range rows, const double *score,
                      const int8_t *judged, double threshold, struct interval *interval)
{
    struct bootstrap b;
    double alerts = 0;
    const size_t n = (size_t)(rows.end - rows.first);
    int8_t *counted = xmalloc(n); // as if every label were known
    for (size_t i = 0; i < n; i++) {
        counted[i] = judged && judged[i] == LABEL_KNOWN_CARD ? LABEL_KNOWN_CARD : 0;
        alerts += counted[i] == 0 && score[i] >= threshold;
    }
    bootstrap_run(&b, e, rows, score, counted, threshold);
    *interval = bootstrap_interval(&b, NULL, BOOTSTRAP_ALERTS, PAIRED);
    free(b.values);
    free(counted);
    return b.unit ? alerts / (double)b.units * (*b.unit == 'h' ? 24 : 1) : NAN;
}
