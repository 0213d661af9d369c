// option: command lines, and the help that is made from the same table.
//
//     const struct program program = {
//         "ingest",
//         "[INPUT]",
//         "Read a CSV into a column table.",
//         "ingest --output build/table",
//         {{"config", "FILE", "dataset description", .text = &config},
//          {"threads", "N", "worker threads", .number = &threads, 1, 1024}}};
//     int first = option_parse(&program, argc, argv, &err);
//     if (first <= 0)
//         return option_exit(&program, first, &err);
//
// A variable's value before the call is its default, which --help shows. Where --config is given, or
// else --models, the name of that file or folder stands for "simulated" in the defaults that are left.
// An unknown option, a missing or wrong value, and too few or too many arguments are errors; nothing is
// clamped.
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define ASSAY_VERSION "0.2.0"

enum { OPTION_MAX = 32 };

struct option_spec {
    const char *name; // without the two dashes
    const char *arg;  // what the help calls its value; NULL for a flag
    const char *help;
    // Where its value goes, one of:
    bool *flag;
    const char **text; // points into argv
    const char **list; // [max + 1] the values of an option that is repeated, then NULL
    int64_t *number;   // within [min, max]
    int64_t min, max;
    int64_t *time; // seconds since 1970-01-01 UTC; its default is not shown
};

struct program {
    const char *name;
    const char *arguments; // positional: "FILE", "[FILE]" where it may be missing, "FILE..."
    const char *purpose;   // one or more sentences
    const char *example;   // one command line that works after `make pipeline`
    struct option_spec specs[OPTION_MAX + 1]; // the last one stays empty
};

// The index in argv, which is reordered, of the first positional argument, argc where there is none;
// 0 when help or version was printed; -1 on an error.
int option_parse(const struct program *program, int argc, char **argv, struct err *err);

// Prints the error. The exit code for a result <= 0 of option_parse: 0 or 2.
int option_exit(const struct program *program, int parsed, const struct err *err);

#endif
