// output: artifacts that are complete or absent.
//
// An output is written to a temporary beside its target, with ".tmp" behind the name, and gets the
// target's name only in _commit, when everything is on disk: write, flush, fsync, rename, fsync the
// folder. Until then the old artifact stays, and no reader can see half of a new one. The temporary
// is locked while it is written, so a second program that wants to write the same artifact is
// refused. A killed process leaves its temporary behind unlocked, and the next writer removes it.
//
//     struct output o;                        struct output d;
//     output_open(&o, path, 0644, &err)       output_dir_open(&d, path, "manifest.json", &err)
//     fputs(text, o.file)                     int fd = output_dir_create(&d, "amount.npy", &err)
//                                             ... write ..., output_dir_close(&d, fd, &err)
//     output_commit(&o, &err)                 output_commit(&d, &err)
//     output_release(&o)                      output_release(&d)
//
// Errors: 0 or -1 with a message that names the target. A structure that was zeroed or whose _open
// failed may be released. Ownership: the structures own copies of the path.
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct output {
    char *path; // the target; NULL when not open
    char *temporary;
    bool is_folder;
    int fd;        // of the temporary file or folder
    FILE *file;    // to write to a file, on fd; NULL for a folder. Errors are those of the commit
    int old;       // of the folder that is being replaced, or -1
    bool replaced; // the target is the new one
};

// mode: permission bits, 0644 for most. Missing parent folders are made.
int output_open(struct output *o, const char *path, mode_t mode, struct err *err);
// An existing folder of that name is replaced only if it is empty, or if it holds plain files alone
// and one of them is called marker (NULL: only an empty one). Any other is refused here.
int output_dir_open(struct output *o, const char *path, const char *marker, struct err *err);
// A new file in the folder, open for reading and writing; returns its descriptor or -1.
int output_dir_create(struct output *o, const char *name, struct err *err);
// fsync and close one of its files.
int output_dir_close(struct output *o, int fd, struct err *err);
// Create, write and close a file.
int output_dir_file(struct output *o, const char *name, const void *data, size_t n,
                    struct err *err);

// Replaces an existing artifact of that name in one step.
int output_commit(struct output *o, struct err *err);
// The same in two steps, for folders only: output_release between them brings the old one back.
int output_replace(struct output *o, struct err *err);
void output_settle(struct output *o);
// Without a commit before, the old artifact stays and the temporary is removed.
void output_release(struct output *o);

// fsync the folder that holds path: a name that was made or removed there is on disk then.
int sync_parent(const char *path, struct err *err);
// Open a file that is read whole; NULL and a message where it is none: a pipe could keep its reader
// waiting for ever; errno is 0 then. secret: it must be its owner's alone.
FILE *file_open(const char *path, bool secret, struct err *err);
// Make the folder that holds path, and those above it, and lock it; the descriptor of the lock, to
// be closed, or -1. wait: for a program that holds the lock, which is an error otherwise.
int lock_parent(const char *path, bool wait, struct err *err);
// Write all of data to fd, in as many calls as it takes. name is for the message.
int write_all(int fd, const void *data, size_t n, const char *name, struct err *err);

#endif
