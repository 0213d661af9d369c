// Views of the examples with fewer inputs. What is done with them is evaluate.c's.
#include "train/contender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int view(struct contender *c, const char *name, const struct examples *e, struct err *err)
{
    *c = (struct contender){.name = strdup(name), .examples = *e};
    c->examples.n_inputs = 0;
    c->examples.x = calloc(e->n_inputs + 1, sizeof *c->examples.x);
    c->examples.names = calloc(e->n_inputs + 1, sizeof *c->examples.names);
    return c->name && c->examples.x && c->examples.names ? 0 : err_set(err, "out of memory");
}

static void add_input(struct contender *c, const struct examples *e, size_t i)
{
    c->examples.x[c->examples.n_inputs] = e->x[i];
    c->examples.names[c->examples.n_inputs++] = e->names[i];
}

int contender_init(struct contender *c, const struct examples *e, struct err *err)
{
    int rc = view(c, "model", e, err);
    for (size_t i = 0; i < e->n_inputs && rc == 0; i++)
        add_input(c, e, i);
    return rc;
}

void contender_release(struct contender *c)
{
    trials_release(&c->trials);
    bootstrap_release(&c->bootstrap);
    free(c->folds);
    free(c->examples.x);
    free(c->examples.names);
    free(c->name);
    *c = (struct contender){0};
}

// ---- [baselines] -----------------------------------------------------------------------------------

// The input has that name, or a onehot of that name made it: name[...].
static bool is_named(const char *input, const char *name)
{
    const size_t length = strlen(name);
    return strncmp(input, name, length) == 0 && (input[length] == '\0' || input[length] == '[');
}

static size_t add_named(struct contender *c, const struct examples *e, const char *name)
{
    const size_t before = c->examples.n_inputs;
    for (size_t i = 0; i < e->n_inputs; i++)
        if (is_named(e->names[i], name))
            add_input(c, e, i);
    return c->examples.n_inputs - before;
}

static bool has(const struct contender *c, const char *name)
{
    for (size_t i = 0; i < c->examples.n_inputs; i++)
        if (is_named(c->examples.names[i], name))
            return true;
    return false;
}

// at: where the list goes on in the entry's value; moved behind the next name and its comma.
static int read_input(struct contender *c, const struct examples *e, const struct config *config,
                      const struct config_entry *entry, const char **at, struct err *err)
{
    char name[128], hint[160];
    int offset;
    if (config_list_next(entry, at, name, sizeof name, &offset))
        return config_error(config, entry, offset, err, "a list of features is expected: a, b, c");
    if (has(c, name))
        return config_error(config, entry, offset, err, "'%s' stands here twice", name);
    if (add_named(c, e, name) == 0)
        return config_error(config, entry, offset, err, "there is no feature '%s'%s", name,
                            err_did_you_mean(hint, sizeof hint, name, e->names, e->n_inputs));
    return 0;
}

// A name becomes part of file names.
static bool good_name(const char *name)
{
    return *name && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name) &&
           strlen(name) <= 40 && strcmp(name, "constant") != 0 && strcmp(name, "model") != 0;
}

// n: how many there are with this one.
static int read_baseline(struct contender *c, size_t n, const struct examples *e,
                         const struct config *config, const struct config_entry *entry,
                         struct err *err)
{
    if (!good_name(entry->key))
        return config_error(config, entry, -1, err,
                            "a baseline's name is small letters, digits and _, 40 at most, and not "
                            "constant or model");
    if (n > BASELINES_MAX)
        return config_error(config, entry, -1, err, "more than %d baselines", BASELINES_MAX);
    int rc = view(c, entry->key, e, err);
    for (const char *at = entry->value; at && rc == 0;)
        rc = read_input(c, e, config, entry, &at, err);
    return rc;
}

int contenders_from_config(struct contender **list, size_t *n, const struct examples *e,
                           const struct config *config, struct err *err)
{
    *n = 0;
    *list = calloc(config->n + 1, sizeof **list);
    int rc = *list ? view(&(*list)[(*n)++], "constant", e, err) : err_set(err, "out of memory");
    for (size_t i = 0; i < config->n && rc == 0; i++)
        if (strcmp(config->entries[i].section, "baselines") == 0 && ++*n)
            rc = read_baseline(&(*list)[*n - 1], *n - 1, e, config, &config->entries[i], err);
    if (rc == 0)
        return 0;
    while (*n > 0)
        contender_release(&(*list)[--*n]);
    free(*list);
    *list = NULL;
    return -1;
}
