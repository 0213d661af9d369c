// progress: a bar on a terminal while a stage works, its one closing line, and wrapped text.
//
//     struct progress p;
//     progress_init(&p, "ingest", bytes_in_all)     0 where the total is not known
//     progress_set(&p, bytes_so_far)                cheap: draws at most ten times a second
//     progress_done(&p)                             wipes the bar
//     summary_print("ingest", rows, start, megabytes, "MB/s", "build/table", &err)
//
// The bar goes to stderr and only when that is a terminal. The summary is the stage's result and
// goes to stdout; `make pipeline` collects these lines into its table.
#ifndef BASE_PROGRESS_H
#define BASE_PROGRESS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct progress {
    const char *stage;
    char step[80]; // shown after the bar; "" unless the caller writes it
    uint64_t total;
    double start, next; // seconds of the monotonic clock
    bool terminal;
};

// Seconds of the monotonic clock.
double seconds_now(void);

void progress_init(struct progress *p, const char *stage, uint64_t total);
void progress_set(struct progress *p, uint64_t done);
void progress_done(struct progress *p);

// "stage  rows  seconds  rate unit  artifact", in columns of fixed width: the seconds since start,
// and the work that was done in one of them. A failed write is an error.
int summary_print(const char *stage, uint64_t rows, double start, double work, const char *unit,
                  const char *artifact, struct err *err);

// Prints text in lines of at most 80 bytes: a longer line is broken at blanks, and goes on after
// `indent` blanks.
void print_wrapped(const char *text, size_t indent);

// Flush stdout; a program whose results could not be written has failed.
int stdout_close(struct err *err);

#endif
