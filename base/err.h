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

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct err {
    char msg[1024];
};

// Write the message and return -1, so that a caller can `return err_set(...)`. A macro, so that
// compilers and analysers know the value.
#define err_set(...) err_failed(err_write(__VA_ARGS__))
// The same with ": " and the text of errno at the end.
#define err_sys(err, fmt, ...) err_set(err, fmt ": %s", ##__VA_ARGS__, strerror(errno))
// The same with ": " and the message that is already there at the end.
#define err_prefix(err, fmt, ...) err_set(err, fmt ": %s", ##__VA_ARGS__, err_copy(err).msg)

int err_write(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline int err_failed(int ignored)
{
    (void)ignored;
    return -1;
}
static inline struct err err_copy(const struct err *err)
{
    return *err;
}

// Print "<program>: <message>" to stderr; returns 1, the exit code of failed work.
int err_report(const char *program, const struct err *err);

// ", did you mean 'x'?" with the closest known name, or "" where none is close.
struct hint {
    char text[128];
};
struct hint err_did_you_mean(const char *name, const char *const *known, size_t n);

#endif
