// getopt_long driven by a table, and help printed from it.
#define _GNU_SOURCE // getopt_long
#include "base/option.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 32, HELP = 1000, VERSION };

static void print_default(const struct option_spec *s)
{
    if (s->kind == OPTION_INT)
        printf(" (default %" PRId64 ")", *(const int64_t *)s->value);
    if (s->kind == OPTION_STRING && *(const char *const *)s->value)
        printf(" (default %s)", *(const char *const *)s->value);
}

static void print_help(const struct program *p)
{
    printf("usage: %s [OPTIONS]%s%s\n\n%s\n\noptions:\n", p->name, *p->arguments ? " " : "",
           p->arguments, p->purpose);
    for (size_t i = 0; i < p->n_specs; i++) {
        const struct option_spec *s = &p->specs[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", s->name, s->arg ? " " : "", s->arg ? s->arg : "");
        printf("  %-22s %s", left, s->help);
        print_default(s);
        putchar('\n');
    }
    printf("  %-22s %s\n  %-22s %s\n\nexample:\n  %s\n", "--help", "show this text", "--version",
           "show the version", p->example);
}

static int set_int(const struct option_spec *s, const char *text, struct err *err)
{
    char *end;
    errno = 0;
    intmax_t v = strtoimax(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        return err_set(err, "--%s: '%s' is not a whole number", s->name, text);
    if (errno == ERANGE || v < s->min || v > s->max)
        return err_set(err, "--%s: %s is not within %" PRId64 " .. %" PRId64, s->name, text, s->min,
                       s->max);
    *(int64_t *)s->value = v;
    return 0;
}

static int set_value(const struct option_spec *s, const char *text, struct err *err)
{
    if (s->kind == OPTION_INT)
        return set_int(s, text, err);
    const char **texts = s->value;
    int64_t n = 0;
    if (s->kind == OPTION_FLAG) {
        *(bool *)s->value = true;
        return 0;
    }
    while (s->kind == OPTION_LIST && texts[n])
        n++;
    if (s->kind == OPTION_LIST && n == s->max)
        return err_set(err, "--%s: is given more than %" PRId64 " times", s->name, s->max);
    texts[n] = text;
    return 0;
}

// Name the word that getopt refused, and the nearest known option.
static int unknown_option(const struct program *p, const char *word, struct err *err)
{
    const char *names[MAX_OPTIONS + 2];
    size_t n = 0;
    for (; n < p->n_specs; n++)
        names[n] = p->specs[n].name;
    names[n++] = "help";
    names[n++] = "version";
    char name[64], hint[128];
    snprintf(name, sizeof name, "%s", word + strspn(word, "-"));
    name[strcspn(name, "=")] = '\0';
    for (size_t i = 0; i < p->n_specs; i++)
        if (strcmp(name, p->specs[i].name) == 0 && !p->specs[i].arg)
            return err_set(err, "--%s takes no value", name);
    return err_set(err, "unknown option %s%s (see --help)", word,
                   err_did_you_mean(hint, sizeof hint, name, names, n));
}

static int check_arguments(const struct program *p, int argc, char **argv, struct err *err)
{
    int n = argc - optind;
    if (n < p->min_args)
        return err_set(err, "missing argument: usage: %s [OPTIONS] %s", p->name, p->arguments);
    if (n > p->max_args)
        return err_set(err, "unexpected argument '%s': usage: %s [OPTIONS]%s%s",
                       argv[optind + p->max_args], p->name, *p->arguments ? " " : "", p->arguments);
    return optind;
}

int option_parse(const struct program *p, int argc, char **argv, struct err *err)
{
    struct option longs[MAX_OPTIONS + 3] = {{0}};
    if (p->n_specs > MAX_OPTIONS)
        return err_set(err, "%s has more than %d options", p->name, MAX_OPTIONS);
    size_t n = 0;
    for (; n < p->n_specs; n++)
        longs[n] = (struct option){p->specs[n].name, p->specs[n].arg ? required_argument : 0, NULL,
                                   (int)n};
    longs[n] = (struct option){"help", no_argument, NULL, HELP};
    longs[n + 1] = (struct option){"version", no_argument, NULL, VERSION};
    opterr = 0;
    optind = 0; // resets getopt, for a process that parses twice
    for (int c; (c = getopt_long(argc, argv, ":", longs, NULL)) != -1;) {
        if (c == '?' && isgraph(optopt)) // a single dash; ours are numbers below and above
            return err_set(err, "unknown option -%c: options begin with -- (see --help)", optopt);
        if (c == '?')
            return unknown_option(p, argv[optind - 1], err);
        if (c == ':')
            return err_set(err, "%s needs a value", argv[optind - 1]);
        if (c == HELP || c == VERSION) {
            if (c == HELP)
                print_help(p);
            else
                printf("%s %s\n", p->name, ASSAY_VERSION);
            return 0;
        }
        if (set_value(&p->specs[c], optarg, err))
            return -1;
    }
    return check_arguments(p, argc, argv, err);
}

int option_exit(const struct program *p, int parsed, const struct err *err)
{
    if (parsed == 0)
        return fflush(stdout) || ferror(stdout) ? 1 : 0;
    err_report(p->name, err);
    return 2;
}
