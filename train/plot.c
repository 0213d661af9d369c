// gnuplot as a child that reads and writes temporary files, so that neither side waits for the other.
#define _GNU_SOURCE // posix_spawn_file_actions_addfchdir_np
#include "train/plot.h"
#include "train/embedded.h"

#include <errno.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

EMBEDDED(train, report_gp);

enum { IN, OUT, ERR, N_STREAMS, LAST_WORDS = 600, HERE = -1 };

// What was written to a file, with a 0 behind it; NULL when out of memory.
static char *contents(FILE *f)
{
    const long size = fseek(f, 0, SEEK_END) ? -1 : ftell(f);
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);
    if (!text)
        return NULL;
    rewind(f);
    text[fread(text, 1, (size_t)size, f)] = '\0';
    return text;
}

// -d: no settings of the user's. What waitpid says of its end, or -1 with errno where it could not be run.
static int run(int folder, FILE *const streams[N_STREAMS])
{
    char *const argv[] = {"gnuplot", "-d", "-", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = -1;
    if (posix_spawn_file_actions_init(&actions))
        return -1;
    int bad = folder == HERE ? 0 : posix_spawn_file_actions_addfchdir_np(&actions, folder);
    for (int i = 0; i < N_STREAMS && !bad; i++)
        bad = posix_spawn_file_actions_adddup2(&actions, fileno(streams[i]), i);
    if (!bad)
        bad = posix_spawnp(&child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (bad) {
        errno = bad;
        return -1;
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

static int cannot_run(struct err *err)
{
    return err_sys(err, "cannot run gnuplot, which draws the report's plots (Debian's package "
                        "gnuplot-nox)");
}

static int draw(int folder, const char *variables, FILE *const streams[N_STREAMS], char **svgs,
                struct err *err)
{
    fprintf(streams[IN], "%s%.*s", variables, (int)embedded_size(train, report_gp),
            embedded(train, report_gp));
    if (fflush(streams[IN]) || fseek(streams[IN], 0, SEEK_SET))
        return err_sys(err, "cannot write the plots' script");
    const int status = run(folder, streams);
    if (status < 0)
        return cannot_run(err);
    char *words = contents(streams[ERR]);
    int rc = 0;
    if (!words || !(*svgs = contents(streams[OUT])))
        rc = err_set(err, "out of memory for plots");
    else if (status != 0) // the cause stands at the end
        rc = err_set(err, "gnuplot failed (%s %d): %s",
                     WIFSIGNALED(status) ? "killed by signal" : "exit status",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status),
                     words + (strlen(words) > LAST_WORDS ? strlen(words) - LAST_WORDS : 0));
    free(words);
    return rc;
}

static int open_streams(FILE *streams[N_STREAMS], struct err *err)
{
    bool bad = false;
    for (int i = 0; i < N_STREAMS; i++)
        bad = !(streams[i] = tmpfile()) || bad;
    return bad ? err_sys(err, "cannot make a temporary file for gnuplot") : 0;
}

static void close_streams(FILE *const streams[N_STREAMS])
{
    for (int i = 0; i < N_STREAMS; i++)
        if (streams[i])
            fclose(streams[i]);
}

int plot_check(struct err *err)
{
    FILE *streams[N_STREAMS];
    int rc = open_streams(streams, err); // an empty script
    if (rc == 0 && run(HERE, streams) < 0)
        rc = cannot_run(err);
    close_streams(streams);
    return rc;
}

char *plot_run(int folder, const char *variables, struct err *err)
{
    FILE *streams[N_STREAMS];
    char *svgs = NULL;
    int rc = open_streams(streams, err);
    if (rc == 0)
        rc = draw(folder, variables, streams, &svgs, err);
    close_streams(streams);
    if (rc == 0)
        return svgs;
    free(svgs);
    return NULL;
}

const char *plot_nth(const char *svgs, size_t n, size_t *length)
{
    static const char end[] = "</svg>";
    for (const char *at = strstr(svgs, "<svg"); at; at = strstr(at, "<svg")) {
        const char *stop = strstr(at, end);
        if (!stop)
            return NULL;
        *length = (size_t)(stop - at) + sizeof end - 1;
        if (n-- == 0)
            return at;
        at += *length;
    }
    return NULL;
}
