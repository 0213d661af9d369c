// err: how every function below main says what went wrong.
//
// A fallible function takes a caller-owned `struct err *` last, returns 0 or -1, and on -1 has
// written one message there: what could not be done, to which file, line and column, what the
// value was, and what to do. Lower case, no full stop. Only main prints it.
//
//     struct err err;
//     if (table_open(&t, path, &err))
//         return err_report("train", &err);
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stddef.h>

struct err {
    char msg[1024];
};

// What a failed function returns. The three below are macros around it, so that compilers and
// analysers know the value too.
static inline int err_failed(int ignored)
{
    (void)ignored;
    return -1;
}

// Write the message; -1, so that a caller can `return err_set(...)`.
#define err_set(...) err_failed(err_write(__VA_ARGS__))
int err_write(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// The same with ": " and the text of errno behind it.
#define err_sys(...) err_failed(err_write_errno(__VA_ARGS__))
int err_write_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Put "<text>: " before the message that is already there; -1.
#define err_prefix(...) err_failed(err_write_before(__VA_ARGS__))
int err_write_before(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Print "<program>: <message>" to stderr; returns 1, the exit code of failed work.
int err_report(const char *program, const struct err *err);

// The known name closest to a mistyped one (optimal string alignment distance, at most a third of
// its length, at least 1), or NULL where none is close. The result points into known.
const char *err_nearest(const char *name, const char *const *known, size_t n);

// The words ", did you mean 'x'?" for a message, in buf; empty where nothing is close.
const char *err_did_you_mean(char *buf, size_t size, const char *name, const char *const *known,
                             size_t n);

#endif
