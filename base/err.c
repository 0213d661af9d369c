#include "base/err.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

int err_write(struct err *err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    va_end(ap);
    return -1;
}

int err_report(const char *program, const struct err *err)
{
    fprintf(stderr, "%s: %s\n", program, err->msg);
    return 1;
}

enum { NAME_MAX_LEN = 63 };

// The optimal string alignment distance: the fewest insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
static unsigned distance(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
        return NAME_MAX_LEN;
    unsigned char d[NAME_MAX_LEN + 1][NAME_MAX_LEN + 1]; // 4 KB: a server's stacks are small
    for (size_t i = 0; i <= n; i++)
        d[i][0] = (unsigned char)i;
    for (size_t j = 0; j <= m; j++)
        d[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= n; i++)
        for (size_t j = 1; j <= m; j++) {
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            best = d[i - 1][j] < best ? d[i - 1][j] + 1 : best;
            best = d[i][j - 1] < best ? d[i][j - 1] + 1 : best;
            best = swapped && d[i - 2][j - 2] < best ? d[i - 2][j - 2] + 1 : best;
            d[i][j] = (unsigned char)best;
        }
    return d[n][m];
}

struct hint err_did_you_mean(const char *name, const char *const *known, size_t n)
{
    struct hint hint = {""};
    size_t best = strlen(name) / 3 + (strlen(name) < 3) + 1; // a third of the name is still close
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(name, known[i]);
        if (d < best) {
            best = d;
            snprintf(hint.text, sizeof hint.text, ", did you mean '%s'?", known[i]);
        }
    }
    return hint;
}
