// err: how every function below main reports a failure.
//
// A function that can fail takes a caller-owned `struct err *` last, returns 0 or -1, and on -1 has
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

// The three below return -1, so a caller can `return err_set(...)`. They are macros so that
// compilers and analysers know the value.
static inline int err_failed(int ignored)
{
    (void)ignored;
    return -1;
}

#define err_set(...) err_failed(err_write(__VA_ARGS__))
int err_write(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Appends ": " and the text of errno.
#define err_sys(...) err_failed(err_write_errno(__VA_ARGS__))
int err_write_errno(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Puts "<text>: " before the message that is already there.
#define err_prefix(...) err_failed(err_write_before(__VA_ARGS__))
int err_write_before(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Print "<program>: <message>" to stderr; returns 1, the exit code of failed work.
int err_report(const char *program, const struct err *err);

// For a message about an unknown name: ", did you mean 'x'?" with the closest known name (optimal
// string alignment distance of at most a third of the name's length, at least 1), or "" where none
// is close. buf holds the text and is returned.
const char *err_did_you_mean(char *buf, size_t size, const char *name, const char *const *known,
                             size_t n);

#endif
