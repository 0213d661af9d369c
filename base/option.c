#define _GNU_SOURCE // getopt_long
#include "base/option.h"

#include "base/memory.h"
#include "base/progress.h"
#include "base/value.h"

#include <ctype.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

enum { HELP = 1000, VERSION };

static void print_help(const struct program *p)
{
    printf("usage: %s [OPTIONS]%s%s\n\n", p->name, *p->arguments ? " " : "", p->arguments);
    print_wrapped(p->purpose, 0);
    puts("\noptions:");
    for (const struct option_spec *s = p->specs; s->name; s++) {
        char preset[128] = "", line[512];
        if (s->number)
            snprintf(preset, sizeof preset, " (default %" PRId64 ")", *s->number);
        if (s->text && *s->text)
            snprintf(preset, sizeof preset, " (default %s)", *s->text);
        snprintf(line, sizeof line, "  --%s %-*s %s%s", s->name, 19 - (int)strlen(s->name),
                 s->arg ? s->arg : "", s->help, preset);
        print_wrapped(line, 25);
    }
    printf("  %-22s %s\n  %-22s %s\n\nexample:\n  %s\n", "--help", "show this text", "--version",
           "show the version", p->example);
}

static int set_number(const struct option_spec *s, const char *text, struct err *err)
{
    char *end;
    errno = 0;
    intmax_t v = strtoimax(text, &end, 10);
    if (*text == '\0' || *end != '\0')
        return err_set(err, "--%s: '%s' is not a whole number", s->name, text);
    if (errno == ERANGE || v < s->min || v > s->max)
        return err_set(err, "--%s: %s is not within %" PRId64 " .. %" PRId64, s->name, text, s->min,
                       s->max);
    *s->number = v;
    return 0;
}

static int set_value(const struct option_spec *s, const char *text, struct err *err)
{
    int64_t n = 0;
    if (s->number)
        return set_number(s, text, err);
    if (s->time && value_moment(text, strlen(text), s->time))
        return err_set(err, "--%s: '%s' is neither 2026-11-22 nor 2026-11-22T10:00:00Z", s->name,
                       text);
    if (s->flag)
        *s->flag = true;
    if (s->text)
        *s->text = text;
    while (s->list && s->list[n])
        n++;
    if (s->list && n == s->max)
        return err_set(err, "--%s: is given more than %" PRId64 " times", s->name, s->max);
    if (s->list)
        s->list[n] = text;
    return 0;
}

// Name the word that getopt refused, and the nearest known option.
static int unknown_option(const struct program *p, const char *word, struct err *err)
{
    const char *names[OPTION_MAX + 2] = {"help", "version"};
    size_t n = 2;
    char name[64];
    snprintf(name, sizeof name, "%s", word + strspn(word, "-"));
    name[strcspn(name, "=")] = '\0';
    for (const struct option_spec *s = p->specs; s->name; s++) {
        names[n++] = s->name;
        if (strcmp(name, s->name) == 0 && !s->arg)
            return err_set(err, "--%s takes no value", name);
    }
    return err_set(err, "unknown option %s%s (see --help)", word,
                   err_did_you_mean(name, names, n).text);
}

static int check_arguments(const struct program *p, int argc, char **argv, struct err *err)
{
    int given = argc - optind, least = 0, most = 0;
    for (const char *word = p->arguments; *word; word += strspn(word, " ")) {
        least += *word != '[';
        most = strstr(word, "...") ? argc : most + 1;
        word += strcspn(word, " ");
    }
    if (given < least)
        return err_set(err, "missing argument: usage: %s [OPTIONS] %s", p->name, p->arguments);
    if (given > most)
        return err_set(err, "unexpected argument '%s': usage: %s [OPTIONS]%s%s",
                       argv[optind + most], p->name, *p->arguments ? " " : "", p->arguments);
    return optind;
}

// Defaults name the simulated dataset. They follow another one that --config names, or --models.
static void follow_dataset(const struct program *p, const bool *given)
{
    static const char preset[] = "simulated";
    const char *path = "";
    for (const struct option_spec *s = p->specs; s->name; s++)
        if (given[s - p->specs] &&
            (strcmp(s->name, "config") == 0 || (!*path && strcmp(s->name, "models") == 0)))
            path = *s->text;
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    const int n = (int)(dot > name ? dot - name : (long)strlen(name));
    for (const struct option_spec *s = p->specs; s->name && n > 0; s++) {
        const char *at =
            s->text && *s->text && !given[s - p->specs] ? strstr(*s->text, preset) : NULL;
        if (at)
            *s->text = xasprintf("%.*s%.*s%s", (int)(at - *s->text), *s->text, n, name,
                                 at + sizeof preset - 1);
    }
}

int option_parse(const struct program *p, int argc, char **argv, struct err *err)
{
    struct option longs[OPTION_MAX + 3] = {{0}};
    bool given[OPTION_MAX] = {false};
    int n = 0;
    for (const struct option_spec *s = p->specs; s->name; s++, n++)
        longs[n] = (struct option){s->name, s->arg ? required_argument : no_argument, NULL, n};
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
        given[c] = true;
    }
    follow_dataset(p, given);
    return check_arguments(p, argc, argv, err);
}

int option_exit(const struct program *p, int parsed, const struct err *err)
{
    if (parsed == 0)
        return fflush(stdout) || ferror(stdout) ? 1 : 0;
    err_report(p->name, err);
    return 2;
}
