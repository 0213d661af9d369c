// The progress bar and the closing line of a stage.
#include "base/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_init(struct progress *p, const char *stage, uint64_t total)
{
    double now = seconds_now();
    *p = (struct progress){stage, total, now, now + 0.1, isatty(STDERR_FILENO)};
}

void progress_set(struct progress *p, uint64_t done)
{
    enum { WIDTH = 30 };
    if (!p->terminal)
        return;
    double now = seconds_now();
    if (now < p->next)
        return;
    p->next = now + 0.1;
    double elapsed = now - p->start, rate = (double)done / elapsed;
    if (p->total == 0 || done > p->total) {
        fprintf(stderr, "\r%-10s %.1f M, %.1f M/s\033[K", p->stage, (double)done / 1e6, rate / 1e6);
        return;
    }
    double share = (double)done / (double)p->total;
    int full = (int)(share * WIDTH);
    fprintf(stderr, "\r%-10s [%.*s%*s] %3.0f %%  %.1f M/s  %.0f s left\033[K", p->stage, full,
            "==============================", WIDTH - full, "", 100 * share, rate / 1e6,
            done ? (double)(p->total - done) / rate : 0.0);
}

void progress_done(struct progress *p)
{
    if (p->terminal)
        fprintf(stderr, "\r\033[K");
}

int summary_print(const char *stage, uint64_t rows, double start, double work, const char *unit,
                  const char *artifact, struct err *err)
{
    const double seconds = seconds_now() - start;
    printf("%-10s %10llu %8.2f %10.1f %-7s %s\n", stage, (unsigned long long)rows, seconds,
           work / seconds, unit, artifact);
    return stdout_close(err);
}

int stdout_close(struct err *err)
{
    if (fflush(stdout) || ferror(stdout))
        return err_sys(err, "cannot write to standard output");
    return 0;
}
