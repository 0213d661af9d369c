// Kinds by their names in small tables, and the printing.
#include "serve/replay_tally.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct tally_kind *find(struct tally_kind *kinds, size_t *n, size_t max, const char *name)
{
    for (size_t i = 0; i < *n; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    if (*n == max)
        return &kinds[max - 1];
    snprintf(kinds[*n].name, TALLY_NAME, "%s", *n + 1 < max ? name : "others");
    return &kinds[(*n)++];
}

struct tally_kind *tally_decision(struct replay_tally *t, const char *name)
{
    return find(t->decisions, &t->n_decisions, TALLY_DECISIONS, name);
}

// A server's text goes to a terminal: without its control characters, and not cut within a
// character.
static void show(char *out, size_t size, const char *text)
{
    size_t n = strlen(text);
    if (n >= size)
        for (n = size - 1; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
            ;
    for (size_t i = 0; i < n; i++)
        out[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? ' ' : text[i];
    out[n] = '\0';
}

void tally_error(struct replay_tally *t, const char *kind, uint64_t n, const char *text)
{
    struct tally_kind *k = find(t->errors, &t->n_errors, TALLY_ERRORS, kind);
    if (k->n == 0)
        show(k->first, sizeof k->first, text);
    k->n += n;
}

static double per_second(const struct replay_tally *t, uint64_t n)
{
    return t->seconds > 0 ? (double)n / t->seconds : 0;
}

static void print_latency(const struct replay_tally *t)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}};
    printf("latency ms    ");
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++)
        printf("  %s %.3f", quantiles[i].name,
               (double)latency_quantile(&t->latency, quantiles[i].share) * 1e-6);
    printf("\n");
}

static void print_decisions(const struct replay_tally *t)
{
    printf("decisions     ");
    for (size_t i = 0; i < t->n_decisions; i++)
        printf("  %s %" PRIu64, t->decisions[i].name, t->decisions[i].n);
    printf("%s\n", t->n_decisions ? "" : "  none");
}

void tally_print(const struct replay_tally *t)
{
    printf("transactions    %" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64 " failed; %" PRIu64
           " rows that break the schema\n",
           t->sent, t->answered, t->sent - t->answered, t->rejected);
    printf("requests        %" PRIu64 ", %" PRIu64 " sent again\n", t->requests, t->again);
    printf("seconds         %.2f: %.0f transactions/s, %.0f requests/s\n", t->seconds,
           per_second(t, t->answered), per_second(t, t->requests));
    print_latency(t);
    print_decisions(t);
    printf("labels          %" PRIu64 " posted, %" PRIu64 " new to the server, %" PRIu64
           " failed, %" PRIu64 " not yet due\n",
           t->labels, t->labels_changed, t->labels_failed, t->labels_waiting);
    for (size_t i = 0; i < t->n_errors; i++)
        printf("error           %" PRIu64 " %s: %s\n", t->errors[i].n, t->errors[i].name,
               t->errors[i].first);
}
