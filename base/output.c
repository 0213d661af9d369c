#define _GNU_SOURCE // renameat2: exchanges two folders in one step
#include "base/output.h"

#include "base/memory.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };

// Without allocation, because a failed one would end the program between two renames.
static int open_parent(const char *path)
{
    char parent[PATH_MAX];
    const char *slash = strrchr(path, '/');
    snprintf(parent, sizeof parent, "%.*s", slash ? (int)(slash - path) : 1, slash ? path : ".");
    return open(*parent ? parent : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int sync_parent(const char *path, struct err *err)
{
    int rc = 0, fd = open_parent(path);
    // Some file systems cannot sync a folder, and have nothing to wait for.
    if (fd < 0 || (fsync(fd) && errno != EINVAL && errno != ENOTSUP))
        rc = err_sys(err, "%s: cannot write its folder to disk", path);
    if (fd >= 0)
        close(fd);
    return rc;
}

// Make the missing folders above path ("a/b" also above "a/b/") and write their names to disk.
static int make_parents(const char *path, struct err *err)
{
    char *copy = xstrdup(path);
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

int lock_parent(const char *path, bool wait, struct err *err)
{
    if (make_parents(path, err))
        return -1;
    const int fd = open_parent(path);
    if (fd >= 0 && flock(fd, LOCK_EX | (wait ? 0 : LOCK_NB)) == 0)
        return fd;
    if (fd >= 0 && errno == EWOULDBLOCK)
        err_set(err, "%s: another program writes in this folder now; try again later", path);
    else
        err_sys(err, "%s: cannot lock the folder", path);
    if (fd >= 0)
        close(fd);
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

FILE *file_open(const char *path, bool secret, struct err *err)
{
    struct stat st;
    FILE *f = NULL;
    errno = 0;
    const int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st))
        err_sys(err, "%s: cannot open", path);
    else if (!S_ISREG(st.st_mode))
        err_set(err, "%s: is not a regular file", path);
    else if (secret && st.st_mode & (S_IRWXG | S_IRWXO))
        err_set(err, "%s: is a secret that others may read: chmod 600 it", path);
    else
        f = xchecked(fdopen(fd, "rb"));
    if (fd >= 0 && !f)
        close(fd);
    return f;
}

// ---- the temporary ----

static DIR *list_dir(const char *path)
{
    const int fd = open(path, DIR_FLAGS);
    return fd < 0 ? NULL : xchecked(fdopendir(fd));
}

// Ours hold no folders, and unlinkat refuses "." and "..".
int output_remove(const char *path)
{
    if (unlink(path) == 0)
        return 0;
    DIR *dir = list_dir(path);
    for (struct dirent *e; dir && (e = readdir(dir));)
        unlinkat(dirfd(dir), e->d_name, 0);
    if (dir)
        closedir(dir);
    return rmdir(path); // fails where a file stayed
}

// Another writer may rename the temporary between open and flock. A lock on a renamed file
// protects nothing, so check that the name still means the locked file.
static int lock(int fd, const char *name)
{
    struct stat held, named;
    if (flock(fd, LOCK_EX | LOCK_NB) || fstat(fd, &held))
        return -1;
    if (lstat(name, &named) == 0 && held.st_ino == named.st_ino && held.st_dev == named.st_dev)
        return 0;
    errno = EWOULDBLOCK;
    return -1;
}

// Make the temporary and lock it. mode: S_IFREG or S_IFDIR, and the permission bits. A leftover is
// removed first and not taken over, because whoever put it there might hold it open.
static int lock_temporary(struct output *o, mode_t mode, struct err *err)
{
    const int left = open(o->temporary, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (left < 0 ? errno == ENOENT
                 : lock(left, o->temporary) == 0 && output_remove(o->temporary) == 0) {
        if (!S_ISDIR(mode))
            o->fd = open(o->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode & 07777);
        else if (mkdir(o->temporary, mode & 07777) == 0)
            o->fd = open(o->temporary, DIR_FLAGS);
    }
    const int rc = o->fd < 0 ? -1 : lock(o->fd, o->temporary);
    if (rc && errno == EWOULDBLOCK)
        err_set(err, "%s: another program is writing it now (%s is locked)", o->path, o->temporary);
    else if (rc)
        err_sys(err, "%s: cannot create %s", o->path, o->temporary);
    if (left >= 0)
        close(left);
    return rc;
}

static void forget(struct output *o)
{
    if (!o->path)
        return;
    if (o->file)
        fclose(o->file); // and fd
    else if (o->fd >= 0)
        close(o->fd);
    free(o->path);
    free(o->temporary);
    *o = (struct output){.fd = -1};
}

// The temporary of a folder is next to it and not in it, so slashes at the end of the name are cut.
static int begin(struct output *o, const char *path, mode_t mode, struct err *err)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0)
        return err_set(err, "the name of the output is empty");
    *o = (struct output){.path = xasprintf("%.*s", (int)n, path),
                         .temporary = xasprintf("%.*s.tmp", (int)n, path),
                         .fd = -1};
    signal(SIGXFSZ, SIG_IGN); // beyond a file size limit write() fails then, like on a full disk
    if (make_parents(o->path, err) == 0 && lock_temporary(o, mode, err) == 0)
        return 0;
    forget(o);
    return -1;
}

// ---- files ----

int output_open(struct output *o, const char *path, mode_t mode, struct err *err)
{
    struct stat st;
    *o = (struct output){0};
    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode)) // a device or a pipe
        return err_set(err, "%s: is not a plain file, so it is not replaced by one", path);
    if (begin(o, path, S_IFREG | mode, err))
        return -1;
    o->file = xchecked(fdopen(o->fd, "w"));
    return 0;
}

// ---- folders ----

// A mistyped name must not remove somebody's files.
static int check_replaceable(const char *path, const char *marker, struct err *err)
{
    bool empty = true, marked = false, plain = true;
    struct stat st;
    DIR *dir = list_dir(path);
    if (!dir)
        return errno == ENOENT ? 0 : err_sys(err, "%s: cannot be replaced by a folder", path);
    struct dirent *e;
    for (errno = 0; (e = readdir(dir)); errno = 0) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        empty = false;
        marked = marked || (marker && strcmp(e->d_name, marker) == 0);
        plain = plain && fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                S_ISREG(st.st_mode);
    }
    int rc = errno ? err_sys(err, "%s: cannot list its files", path) : 0;
    closedir(dir);
    if (rc || empty || (marked && plain))
        return rc;
    return err_set(err,
                   "%s: holds files of others, which are not removed; name another folder, "
                   "or empty it",
                   path);
}

int output_dir_open(struct output *o, const char *path, const char *marker, struct err *err)
{
    if (begin(o, path, S_IFDIR | 0777, err))
        return -1;
    if (check_replaceable(o->path, marker, err) == 0)
        return 0;
    output_release(o);
    return -1;
}

int output_dir_create(struct output *o, const char *name, struct err *err)
{
    int fd = openat(o->fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    return fd < 0 ? err_sys(err, "%s/%s: cannot create", o->temporary, name) : fd;
}

int output_dir_close(struct output *o, int fd, struct err *err)
{
    int bad = fsync(fd);
    if (close(fd) || bad)
        return err_sys(err, "%s: cannot write to disk", o->path);
    return 0;
}

int output_dir_file(struct output *o, const char *name, const void *data, size_t n, struct err *err)
{
    int fd = output_dir_create(o, name, err);
    if (fd < 0)
        return -1;
    const int rc = write_all(fd, data, n, name, err) ? err_prefix(err, "%s", o->path) : 0;
    return output_dir_close(o, fd, err) || rc ? -1 : 0;
}

// ---- both ----

// An existing folder exchanges names with the new one. It is locked until it is gone, or another
// writer would take it for a leftover.
int output_commit(struct output *o, struct err *err)
{
    int old = -1;
    if (o->file && (fflush(o->file) || ferror(o->file)))
        return err_sys(err, "%s: cannot write", o->path);
    if (fsync(o->fd))
        return err_sys(err, "%s: cannot write to disk", o->path);
    if (!o->file && (old = open(o->path, DIR_FLAGS)) < 0 && errno != ENOENT)
        return err_sys(err, "%s: cannot open", o->path);
    if (old >= 0)
        flock(old, LOCK_EX | LOCK_NB);
    const unsigned flags = old >= 0 ? RENAME_EXCHANGE : 0;
    const bool moved = renameat2(AT_FDCWD, o->temporary, AT_FDCWD, o->path, flags) == 0;
    const int rc = moved ? sync_parent(o->path, err)
                         : err_sys(err, "%s: cannot rename %s to it", o->path, o->temporary);
    if (moved && old >= 0)
        output_remove(o->temporary);
    if (old >= 0)
        close(old);
    if (moved)
        forget(o);
    return rc;
}

void output_release(struct output *o)
{
    if (o->path)
        output_remove(o->temporary);
    forget(o);
}
