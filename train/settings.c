// The [model] section.
#include "train/settings.h"

static int parse_candidates(struct settings *s, const struct config *c,
                            const struct config_entry *e, struct err *err)
{
    s->n_l2 = 0;
    for (const char *at = e->value; at;) {
        char number[32];
        int offset;
        const int bad = config_list_next(e, &at, number, sizeof number, &offset);
        double *l2 = &s->l2[s->n_l2];
        if (s->n_l2 == MAX_CANDIDATES)
            return config_error(c, e, offset, err, "more than %d candidates", MAX_CANDIDATES);
        if (bad || number_parse(number, l2) || *l2 < 0)
            return config_error(c, e, offset, err, "'%.40s' is not a list of numbers >= 0",
                                e->value + offset);
        s->n_l2++;
    }
    return 0;
}

// Both costs or none, and no budget beside them.
static int parse_costs(struct settings *s, const struct config *c, struct err *err)
{
    const struct config_entry *fraud = config_find(c, "model", "cost_fraud");
    const struct config_entry *alert = config_find(c, "model", "cost_alert");
    s->by_cost = fraud && alert;
    if (!fraud && !alert)
        return 0;
    if (!s->by_cost)
        return config_error(c, fraud ? fraud : alert, -1, err,
                            "cost_fraud and cost_alert go together");
    if (config_find(c, "model", "alerts_per_day"))
        return config_error(c, fraud, -1, err,
                            "a threshold by cost has no budget: leave out alerts_per_day, or both "
                            "costs");
    if (config_number(c, "model", "cost_fraud", 1e-9, 1e15, &s->cost_fraud, err) ||
        config_number(c, "model", "cost_alert", 1e-9, 1e15, &s->cost_alert, err))
        return -1;
    return 0;
}

int settings_from_config(struct settings *s, const struct config *c, struct err *err)
{
    static const char *const known[] = {"l2", "alerts_per_day", "cost_fraud", "cost_alert"};
    *s = (struct settings){.l2 = {1e-3}, .n_l2 = 1, .alerts_per_day = 100};
    if (config_check_keys(c, "model", known, sizeof known / sizeof *known, err) ||
        config_int(c, "model", "alerts_per_day", 1, 1000000000, &s->alerts_per_day, err) ||
        parse_costs(s, c, err))
        return -1;
    const struct config_entry *e = config_find(c, "model", "l2");
    return e ? parse_candidates(s, c, e, err) : 0;
}
