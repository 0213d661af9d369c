// option: command lines, and the help that is made from the same table.
//
//     const struct option_spec specs[] = {
//         {"config", "FILE", OPTION_STRING, &config, "dataset description", 0, 0},
//         {"threads", "N", OPTION_INT, &threads, "worker threads", 1, 1024},
//     };
//     const struct program program = {"ingest", "[INPUT]", "Read a CSV into a column table.",
//                                     "ingest --output build/table", specs, 2, 0, 1};
//     int first = option_parse(&program, argc, argv, &err);
//     if (first <= 0)
//         return option_exit(&program, first, &err);
//
// A variable's value before the call is its default and is shown by --help. An unknown option, a
// missing or wrong value, and too few or too many arguments are errors; nothing is clamped.
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include "base/err.h"

#include <stdint.h>

#define ASSAY_VERSION "0.1.0"

enum option_kind {
    OPTION_FLAG,   // bool *
    OPTION_STRING, // const char **, points into argv
    OPTION_INT,    // int64_t *, within [min, max]
    OPTION_LIST,   // const char *[max + 1]: the values of an option that is repeated, then NULL
};

struct option_spec {
    const char *name; // without the two dashes
    const char *arg;  // what the help calls its value; NULL for a flag
    enum option_kind kind;
    void *value;
    const char *help;
    int64_t min, max; // OPTION_INT; max: OPTION_LIST, too
};

struct program {
    const char *name;
    const char *arguments; // what the help calls the positional arguments, may be ""
    const char *purpose;   // one or more sentences
    const char *example;   // one command line that works after `make pipeline`
    const struct option_spec *specs;
    size_t n_specs;
    int min_args, max_args; // positional
};

// The index in argv of the first positional argument (argc without any; argv is reordered), 0 when
// help or version was printed, -1 on an error.
int option_parse(const struct program *program, int argc, char **argv, struct err *err);

// Prints the error. The exit code for a result <= 0 of option_parse: 0 or 2.
int option_exit(const struct program *program, int parsed, const struct err *err);

#endif
