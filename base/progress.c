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
    *p = (struct progress){stage, "", total, now, now + 0.1, isatty(STDERR_FILENO)};
}

void progress_set(struct progress *p, uint64_t done)
{
    enum { WIDTH = 12 };
    const double now = p->terminal ? seconds_now() : 0;
    if (now < p->next)
        return;
    p->next = now + 0.1;
    const double share = (double)done / (double)p->total, left = (now - p->start) * (1 / share - 1);
    if (p->total == 0 || done > p->total)
        fprintf(stderr, "\r%-10s %.1f M\033[K", p->stage, (double)done / 1e6);
    else
        fprintf(stderr, "\r%-10s [%-*.*s] %3.0f %%  %.0f s left  %.35s\033[K", p->stage, WIDTH,
                (int)(share * WIDTH), "============", 100 * share, done ? left : 0, p->step);
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
    printf("%-8s %10llu %8.2f %8.1f %-6s %s\n", stage, (unsigned long long)rows, seconds,
           work / seconds, unit, artifact);
    return stdout_close(err);
}

void print_wrapped(const char *text, size_t indent)
{
    for (size_t before = 0; *text;) {
        const size_t line = strcspn(text, "\n");
        size_t n = before + line > 80 ? 80 - before : line;
        while (n > 0 && n < line && text[n] != ' ')
            n--;
        n = n > 0 ? n : line; // it has no blank
        printf("%*s%.*s\n", (int)before, "", (int)n, text);
        before = n < line ? indent : 0;
        text += n + (text[n] != '\0');
    }
}

int stdout_close(struct err *err)
{
    if (fflush(stdout) || ferror(stdout))
        return err_sys(err, "cannot write to standard output");
    return 0;
}
