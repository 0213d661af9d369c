// Atomic files and folders: a locked temporary beside the target, renamed when whole.
//
// The temporary's name is the target's with ".tmp" behind it. Its flock tells a second writer from
// a leftover: a process that dies drops its locks, so what it left can be taken over without a
// guess.
#define _GNU_SOURCE // renameat2: swaps two folders in one step
#include "base/output.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// What a signal handler must remove: the open outputs of this process.
enum { MAX_OPEN = 8 };
static struct output *volatile open_files[MAX_OPEN];
static struct output_dir *volatile open_dirs[MAX_OPEN];

// Only async-signal-safe calls.
static void remove_temporaries(int sig)
{
    for (int i = 0; i < MAX_OPEN; i++) {
        if (open_files[i])
            unlink(open_files[i]->temporary);
        struct output_dir *d = open_dirs[i];
        if (!d)
            continue;
        for (int f = 0; f < d->n_files; f++)
            unlinkat(d->fd, d->files[f], 0);
        rmdir(d->temporary);
    }
    signal(sig, SIG_DFL);
    raise(sig);
}

static void install_handlers(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    signal(SIGXFSZ, SIG_IGN); // a file size limit is a failed write then, like a full disk
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old;
        // A program that handles or ignores a signal itself keeps doing so.
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL) {
            struct sigaction action = {.sa_handler = remove_temporaries};
            sigaction(signals[i], &action, NULL);
        }
    }
}

static void block_signals(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, old);
}

static void restore_signals(const sigset_t *old)
{
    pthread_sigmask(SIG_SETMASK, old, NULL);
}

static char *concat(const char *a, const char *b)
{
    char *s = malloc(strlen(a) + strlen(b) + 1);
    if (s)
        stpcpy(stpcpy(s, a), b);
    return s;
}

static int make_parents(const char *path, struct err *err)
{
    char *copy = concat(path, "");
    if (!copy)
        return err_set(err, "%s: out of memory", path);
    int rc = 0;
    for (char *p = strchr(copy + 1, '/'); p && rc == 0; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(copy, 0777) && errno != EEXIST)
            rc = err_sys(err, "%s: cannot make the folder", copy);
        *p = '/';
    }
    free(copy);
    return rc;
}

// The folder's name must not end in a slash: the temporary stands beside it, not in it.
static int set_names(const char *path, char **target, char **temporary, struct err *err)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    *target = strndup(path, n);
    *temporary = *target ? concat(*target, ".tmp") : NULL;
    if (!*temporary)
        return err_set(err, "%s: out of memory", path);
    return make_parents(*target, err);
}

static void fsync_parent(const char *path)
{
    char *copy = strdup(path);
    if (!copy)
        return;
    char *slash = strrchr(copy, '/');
    if (slash)
        slash[slash == copy] = '\0';
    int fd = open(slash ? copy : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd); // some file systems cannot, and then have nothing to wait for
        close(fd);
    }
    free(copy);
}

// Lock fd and see that name still means it: another writer may have renamed it meanwhile.
// 0: ours; 1: gone, open again; -1: error, errno is EWOULDBLOCK where another program holds it.
static int lock(int fd, const char *name)
{
    struct stat held, named;
    if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &held))
        return -1;
    if (stat(name, &named) || held.st_ino != named.st_ino || held.st_dev != named.st_dev)
        return 1;
    return 0;
}

static int lock_error(const char *path, const char *temporary, struct err *err)
{
    if (errno == EWOULDBLOCK)
        return err_set(err, "%s: another program is writing it now (%s is locked)", path,
                       temporary);
    return err_sys(err, "%s: cannot create %s", path, temporary);
}

int write_all(int fd, const void *data, size_t n, const char *name, struct err *err)
{
    const char *p = data;
    while (n > 0) {
        ssize_t k = write(fd, p, n);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return err_sys(err, "%s: cannot write", name);
        p += k;
        n -= (size_t)k;
    }
    return 0;
}

int output_open(struct output *o, const char *path, mode_t mode, struct err *err)
{
    *o = (struct output){.fd = -1};
    if (set_names(path, &o->path, &o->temporary, err))
        goto fail;
    for (int tries = 0; o->fd < 0; tries++) {
        o->fd = open(o->temporary, O_RDWR | O_CREAT | O_CLOEXEC, mode);
        int state = o->fd < 0 ? -1 : lock(o->fd, o->temporary);
        if (state < 0 || tries == 100) {
            lock_error(o->path, o->temporary, err);
            goto fail;
        }
        if (state == 1) {
            close(o->fd);
            o->fd = -1;
        }
    }
    if (ftruncate(o->fd, 0) || fchmod(o->fd, mode)) {
        err_sys(err, "%s: cannot empty %s", o->path, o->temporary);
        goto fail;
    }
    install_handlers();
    for (int i = 0; i < MAX_OPEN; i++)
        if (!open_files[i]) {
            open_files[i] = o;
            break;
        }
    return 0;
fail:
    if (o->fd >= 0)
        close(o->fd);
    free(o->path);
    free(o->temporary);
    *o = (struct output){.fd = -1};
    return -1;
}

int output_write(struct output *o, const void *data, size_t n, struct err *err)
{
    return write_all(o->fd, data, n, o->path, err);
}

static void forget_file(struct output *o)
{
    for (int i = 0; i < MAX_OPEN; i++)
        if (open_files[i] == o)
            open_files[i] = NULL;
    close(o->fd);
    free(o->path);
    free(o->temporary);
    *o = (struct output){.fd = -1};
}

int output_commit(struct output *o, struct err *err)
{
    if (fsync(o->fd))
        return err_sys(err, "%s: cannot write to disk", o->path);
    sigset_t old;
    block_signals(&old);
    int rc = 0;
    if (rename(o->temporary, o->path)) {
        rc = err_sys(err, "%s: cannot rename %s to it", o->path, o->temporary);
    } else {
        fsync_parent(o->path);
        forget_file(o);
    }
    restore_signals(&old);
    return rc;
}

void output_release(struct output *o)
{
    if (!o->path)
        return;
    sigset_t old;
    block_signals(&old);
    unlink(o->temporary);
    forget_file(o);
    restore_signals(&old);
}

// Remove the files of a folder; ours hold no folders.
static void empty_dir(int fd)
{
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = copy < 0 ? NULL : fdopendir(copy);
    if (!dir) {
        if (copy >= 0)
            close(copy);
        return;
    }
    for (struct dirent *e; (e = readdir(dir));)
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            unlinkat(fd, e->d_name, 0);
    closedir(dir);
}

static int remove_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    empty_dir(fd);
    close(fd);
    return rmdir(path);
}

int output_dir_open(struct output_dir *d, const char *path, struct err *err)
{
    memset(d, 0, sizeof *d);
    d->fd = -1;
    if (set_names(path, &d->path, &d->temporary, err))
        goto fail;
    for (int tries = 0; d->fd < 0; tries++) {
        int made = mkdir(d->temporary, 0777);
        if (made == 0 || errno == EEXIST)
            d->fd = open(d->temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int state = d->fd < 0 ? (errno == ENOENT ? 1 : -1) : lock(d->fd, d->temporary);
        if (state < 0 || tries == 100) {
            lock_error(d->path, d->temporary, err);
            goto fail;
        }
        if (state == 1 && d->fd >= 0) {
            close(d->fd);
            d->fd = -1;
        }
    }
    empty_dir(d->fd);
    install_handlers();
    for (int i = 0; i < MAX_OPEN; i++)
        if (!open_dirs[i]) {
            open_dirs[i] = d;
            break;
        }
    return 0;
fail:
    if (d->fd >= 0)
        close(d->fd);
    free(d->path);
    free(d->temporary);
    memset(d, 0, sizeof *d);
    d->fd = -1;
    return -1;
}

int output_dir_create(struct output_dir *d, const char *name, struct err *err)
{
    if (d->n_files == OUTPUT_MAX_FILES)
        return err_set(err, "%s: more than %d files in one folder", d->path, OUTPUT_MAX_FILES);
    char *copy = strdup(name);
    if (!copy)
        return err_set(err, "%s: out of memory", d->path);
    int fd = openat(d->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0) {
        free(copy);
        return err_sys(err, "%s/%s: cannot create", d->temporary, name);
    }
    d->files[d->n_files++] = copy;
    return fd;
}

int output_dir_close(struct output_dir *d, int fd, struct err *err)
{
    int bad = fsync(fd);
    if (bad)
        err_sys(err, "%s: cannot write to disk", d->path);
    return close(fd) || bad ? -1 : 0;
}

int output_dir_file(struct output_dir *d, const char *name, const void *data, size_t n,
                    struct err *err)
{
    int fd = output_dir_create(d, name, err);
    if (fd < 0)
        return -1;
    if (write_all(fd, data, n, name, err)) {
        close(fd);
        return err_prefix(err, "%s", d->path);
    }
    return output_dir_close(d, fd, err);
}

static void forget_dir(struct output_dir *d)
{
    for (int i = 0; i < MAX_OPEN; i++)
        if (open_dirs[i] == d)
            open_dirs[i] = NULL;
    close(d->fd);
    for (int i = 0; i < d->n_files; i++)
        free(d->files[i]);
    free(d->path);
    free(d->temporary);
    memset(d, 0, sizeof *d);
    d->fd = -1;
}

// Where a folder stands under the name already, the two swap names and the old one, now under the
// temporary's, is removed.
static int take_name(const struct output_dir *d, struct err *err)
{
    if (rename(d->temporary, d->path) == 0)
        return 0;
    if (errno != ENOTEMPTY && errno != EEXIST)
        return err_sys(err, "%s: cannot rename %s to it", d->path, d->temporary);
    if (renameat2(AT_FDCWD, d->temporary, AT_FDCWD, d->path, RENAME_EXCHANGE))
        return err_sys(err, "%s: cannot swap it with %s", d->path, d->temporary);
    if (remove_dir(d->temporary))
        return err_sys(err, "%s: cannot remove the replaced folder", d->temporary);
    return 0;
}

int output_dir_commit(struct output_dir *d, struct err *err)
{
    if (fsync(d->fd))
        return err_sys(err, "%s: cannot write to disk", d->path);
    sigset_t old;
    block_signals(&old);
    int rc = take_name(d, err);
    if (rc == 0) {
        fsync_parent(d->path);
        forget_dir(d);
    }
    restore_signals(&old);
    return rc;
}

void output_dir_release(struct output_dir *d)
{
    if (!d->path)
        return;
    sigset_t old;
    block_signals(&old);
    remove_dir(d->temporary);
    forget_dir(d);
    restore_signals(&old);
}
