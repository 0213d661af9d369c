// settings: the [model] section.
//
//     [model]
//     l2 = 1e-4, 1e-3, 1e-2        candidates; default 1e-3
//     alerts_per_day = 100         the review budget; default 100
//     cost_fraud = 200             instead of a budget: what a fraud costs that is not caught,
//     cost_alert = 5               and what it costs to look at an alert
//
// Errors name file, line and value.
#ifndef TRAIN_SETTINGS_H
#define TRAIN_SETTINGS_H

#include "base/config.h"

#include <stdbool.h>
#include <stddef.h>

enum { MAX_CANDIDATES = 16 };

struct settings {
    double l2[MAX_CANDIDATES];
    size_t n_l2;
    int64_t alerts_per_day;
    bool by_cost; // the threshold; else by alerts_per_day
    double cost_fraud, cost_alert;
};

int settings_from_config(struct settings *s, const struct config *c, struct err *err);

#endif
