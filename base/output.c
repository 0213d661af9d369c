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
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

// What a signal handler must remove: the temporaries of this process, and for a folder its files.
enum { MAX_OPEN = 8 };
static const char *volatile open_names[MAX_OPEN];
static struct output_dir *volatile open_dirs[MAX_OPEN]; // NULL for a file

// Only async-signal-safe calls.
static void remove_temporaries(int sig)
{
    for (int i = 0; i < MAX_OPEN; i++) {
        const struct output_dir *d = open_dirs[i];
        if (!open_names[i])
            continue;
        for (int f = 0; d && f < d->n_files; f++)
            unlinkat(d->fd, d->files[f], 0);
        unlinkat(AT_FDCWD, open_names[i], d ? AT_REMOVEDIR : 0);
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

// The place of a temporary's name among the open ones, of NULL a free one; -1 where there is none.
static int find_open(const char *name)
{
    for (int i = 0; i < MAX_OPEN; i++)
        if (open_names[i] == name)
            return i;
    return -1;
}

static void remember(const char *temporary, struct output_dir *d)
{
    int i = find_open(NULL);
    open_dirs[i] = d;
    open_names[i] = temporary;
}

static void block_signals(sigset_t *old)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, old);
}

int sync_parent(const char *path, struct err *err)
{
    char *parent = strdup(path);
    if (!parent)
        return err_set(err, "%s: out of memory", path);
    char *slash = strrchr(parent, '/');
    if (slash)
        slash[slash == parent] = '\0';
    int rc = 0;
    int fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    // Some file systems cannot, and then have nothing to wait for.
    if (fd < 0 || (fsync(fd) && errno != EINVAL && errno != ENOTSUP))
        rc = err_sys(err, "%s: cannot write its folder to disk", path);
    if (fd >= 0)
        close(fd);
    free(parent);
    return rc;
}

int make_parents(const char *path, struct err *err)
{
    char *copy = strdup(path);
    if (!copy)
        return err_set(err, "%s: out of memory", path);
    int rc = 0;
    for (char *p = strchr(copy + 1, '/'); p && rc == 0; p = strchr(p + 1, '/')) {
        *p = '\0';
        if (mkdir(copy, 0777) == 0)
            rc = sync_parent(copy, err);
        else if (errno != EEXIST)
            rc = err_sys(err, "%s: cannot make the folder", copy);
        *p = '/';
    }
    free(copy);
    return rc;
}

// ---- what files and folders have in common --------------------------------------------------------

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

// The folder's name must not end in a slash: the temporary stands beside it, not in it.
static int set_names(struct output *o, const char *path, struct err *err)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    o->path = strndup(path, n);
    o->temporary = malloc(n + sizeof ".tmp");
    if (!o->path || !o->temporary)
        return err_set(err, "%s: out of memory", path);
    stpcpy(stpcpy(o->temporary, o->path), ".tmp");
    return 0;
}

// Lock fd and see that name still means it: where another writer renamed it just now, that one is
// as good as holding the lock.
static int lock(int fd, const char *name)
{
    struct stat held, named;
    if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &held))
        return -1;
    if (stat(name, &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
        return 0;
    errno = EWOULDBLOCK;
    return -1;
}

// Make the temporary, or take over a leftover, and lock it.
static int lock_temporary(struct output *o, mode_t mode, struct err *err)
{
    if (!S_ISDIR(mode))
        o->fd = open(o->temporary, O_RDWR | O_CREAT | O_CLOEXEC, mode & 07777);
    else if (mkdir(o->temporary, mode & 07777) == 0 || errno == EEXIST)
        o->fd = open(o->temporary, DIR_FLAGS);
    if (o->fd >= 0 && lock(o->fd, o->temporary) == 0)
        return 0;
    if (errno == EWOULDBLOCK)
        return err_set(err, "%s: another program is writing it now (%s is locked)", o->path,
                       o->temporary);
    return err_sys(err, "%s: cannot create %s", o->path, o->temporary);
}

static void forget(struct output *o)
{
    int i = find_open(o->temporary);
    if (i >= 0)
        open_names[i] = NULL;
    if (o->fd >= 0)
        close(o->fd);
    free(o->path);
    free(o->temporary);
    *o = (struct output){.fd = -1};
}

// mode: the type, S_IFREG or S_IFDIR, and the permission bits.
static int begin(struct output *o, const char *path, mode_t mode, struct err *err)
{
    *o = (struct output){.fd = -1};
    if (find_open(NULL) < 0)
        return err_set(err, "%s: more than %d outputs open at once", path, MAX_OPEN);
    if (set_names(o, path, err) || make_parents(o->path, err) || lock_temporary(o, mode, err)) {
        forget(o);
        return -1;
    }
    install_handlers();
    return 0;
}

// ---- files -----------------------------------------------------------------------------------------

// A device or a pipe under the name would be replaced by a file.
static int check_plain(const char *path, struct err *err)
{
    struct stat st;
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
        return err_set(err, "%s: is not a plain file, so it is not replaced by one", path);
    return 0;
}

int output_open(struct output *o, const char *path, mode_t mode, struct err *err)
{
    *o = (struct output){.fd = -1};
    if (check_plain(path, err))
        return -1;
    if (begin(o, path, S_IFREG | mode, err))
        return -1;
    remember(o->temporary, NULL);
    if (ftruncate(o->fd, 0) == 0 && fchmod(o->fd, mode) == 0)
        return 0;
    err_sys(err, "%s: cannot empty %s", o->path, o->temporary);
    output_release(o);
    return -1;
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

int output_write(struct output *o, const void *data, size_t n, struct err *err)
{
    return write_all(o->fd, data, n, o->path, err);
}

int output_commit(struct output *o, struct err *err)
{
    if (fsync(o->fd))
        return err_sys(err, "%s: cannot write to disk", o->path);
    sigset_t old;
    block_signals(&old);
    int rc;
    if (rename(o->temporary, o->path)) {
        rc = err_sys(err, "%s: cannot rename %s to it", o->path, o->temporary);
    } else {
        rc = sync_parent(o->path, err);
        forget(o);
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

void output_release(struct output *o)
{
    if (!o->path)
        return;
    sigset_t old;
    block_signals(&old);
    unlink(o->temporary);
    forget(o);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

// ---- folders ---------------------------------------------------------------------------------------

// The next entry that is not the folder itself or the one above it.
static struct dirent *next_entry(DIR *dir)
{
    struct dirent *e;
    do
        e = readdir(dir);
    while (e && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
    return e;
}

static DIR *list_dir(int at, const char *path)
{
    int fd = openat(at, path, DIR_FLAGS);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir && fd >= 0)
        close(fd);
    return dir;
}

// Remove the files of a folder; ours hold no folders.
static void empty_dir(int fd)
{
    DIR *dir = list_dir(fd, ".");
    if (!dir)
        return;
    for (struct dirent *e; (e = next_entry(dir));)
        unlinkat(fd, e->d_name, 0);
    closedir(dir);
}

// Whoever mistypes a name must not lose what stands there.
static int check_replaceable(const char *path, const char *marker, struct err *err)
{
    bool empty = true, marked = false, plain = true;
    struct stat st;
    DIR *dir = list_dir(AT_FDCWD, path);
    if (!dir)
        return errno == ENOENT ? 0 : err_sys(err, "%s: cannot rename a folder to it", path);
    for (struct dirent *e; (e = next_entry(dir)); empty = false) {
        marked = marked || (marker && strcmp(e->d_name, marker) == 0);
        plain = plain && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(st.st_mode);
    }
    closedir(dir);
    if (empty || (marked && plain))
        return 0;
    return err_set(
        err, "%s: holds files that are not ours to remove; name another folder, or empty it", path);
}

int output_dir_open(struct output_dir *d, const char *path, const char *marker, struct err *err)
{
    struct output o;
    *d = (struct output_dir){.fd = -1};
    if (begin(&o, path, S_IFDIR | 0777, err))
        return -1;
    d->path = o.path;
    d->temporary = o.temporary;
    d->fd = o.fd;
    empty_dir(d->fd);
    remember(d->temporary, d);
    if (check_replaceable(d->path, marker, err) == 0)
        return 0;
    output_dir_release(d);
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
    if (close(fd) || bad)
        return err_sys(err, "%s: cannot write to disk", d->path);
    return 0;
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
    struct output o = {d->path, d->temporary, d->fd};
    forget(&o);
    for (int i = 0; i < d->n_files; i++)
        free(d->files[i]);
    *d = (struct output_dir){.fd = -1};
}

// Where a folder stands under the name already, the two swap names, and the old one, now under the
// temporary's, is removed; locked until then, or another writer would take it for a leftover.
static int replace_dir(struct output_dir *d, struct err *err)
{
    int rc;
    int old = open(d->path, DIR_FLAGS);
    if (old >= 0)
        flock(old, LOCK_EX | LOCK_NB);
    if (renameat2(AT_FDCWD, d->temporary, AT_FDCWD, d->path, old < 0 ? 0 : RENAME_EXCHANGE)) {
        rc = err_sys(err, "%s: cannot rename %s to it", d->path, d->temporary);
    } else {
        rc = sync_parent(d->path, err);
        if (old >= 0 && rc == 0) {
            empty_dir(old);
            rmdir(d->temporary);
        }
        forget_dir(d);
    }
    if (old >= 0)
        close(old);
    return rc;
}

int output_dir_commit(struct output_dir *d, struct err *err)
{
    if (fsync(d->fd))
        return err_sys(err, "%s: cannot write to disk", d->path);
    sigset_t old;
    block_signals(&old);
    int rc = replace_dir(d, err);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc;
}

void output_dir_release(struct output_dir *d)
{
    if (!d->path)
        return;
    sigset_t old;
    block_signals(&old);
    empty_dir(d->fd);
    rmdir(d->temporary);
    forget_dir(d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}
