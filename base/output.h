// output: artifacts that are complete or absent.
//
// An output is written under its target's name with ".tmp" added, and takes the target's name
// only in _commit, when everything is on disk (fsync, rename, fsync the folder). Until then readers
// see the old artifact. The temporary is locked, so a second writer of the same artifact is refused;
// a killed process leaves its temporary unlocked, and the next writer removes it.
//
//     struct output o;                        struct output d;
//     output_open(&o, path, 0644, &err)       output_dir_open(&d, path, "manifest.json", &err)
//     fputs(text, o.file)                     int fd = output_dir_create(&d, "amount.npy", &err)
//                                             ... write ..., output_dir_close(&d, fd, &err)
//     output_commit(&o, &err)                 output_commit(&d, &err)
//     output_release(&o)                      output_release(&d)
//
// Errors name the target. Release after an error, too; a zeroed output may be released.
#ifndef BASE_OUTPUT_H
#define BASE_OUTPUT_H

#include "base/err.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct output {
    char *path; // the target; NULL when not open
    char *temporary;
    int fd;     // of the temporary file or folder
    FILE *file; // to write to a file, on fd; NULL for a folder. Errors are those of the commit
};

// mode: permission bits, 0644 for most. Missing parent folders are made.
int output_open(struct output *o, const char *path, mode_t mode, struct err *err);
// An existing folder is replaced only if it is empty, or holds plain files alone, one of them called
// marker (NULL: only an empty one). Any other is refused here.
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
// Without a commit before, the old artifact stays and the temporary is removed.
void output_release(struct output *o);
// Remove a file, or a folder with its files; -1 where something stayed.
int output_remove(const char *path);

// fsync the folder that holds path, after a name was made or removed there.
int sync_parent(const char *path, struct err *err);
// Open a regular file; NULL, a message and errno 0 where it is none, since a pipe could keep its
// reader waiting for ever. secret: it must be its owner's alone.
FILE *file_open(const char *path, bool secret, struct err *err);
// Make the folder that holds path, and those above it, and lock it. Returns the descriptor of the
// lock, to be closed, or -1. wait: for another program to release it, instead of an error.
int lock_parent(const char *path, bool wait, struct err *err);
// Write all of data to fd, in as many calls as it takes. name is for the message.
int write_all(int fd, const void *data, size_t n, const char *name, struct err *err);

#endif
