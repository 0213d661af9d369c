// The table of files.
#include "serve/dashboard.h"

#include "train/embedded.h"

#include <string.h>

EMBEDDED(serve, dashboard_html);
EMBEDDED(serve, dashboard_css);
EMBEDDED(serve, dashboard_js);
EMBEDDED(serve, dashboard_charts_js);
EMBEDDED(serve, dashboard_base_js);
EMBEDDED(serve, dashboard_form_js);
EMBEDDED(serve, dashboard_metrics_js);
EMBEDDED(serve, dashboard_svg);
EMBEDDED(serve, chart_js);

// Chart.js draws on canvas and sets sizes through the object model, so it needs no exception.
static const char head[] = "Content-Security-Policy: default-src 'none'; script-src 'self'; "
                           "style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
                           "form-action 'none'; frame-ancestors 'none'\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "Referrer-Policy: no-referrer\r\n";

#define FILE_AT(path, type, name)                                                                  \
    {                                                                                              \
        path, type, embedded(serve, name), embedded_end(serve, name)                               \
    }

static const struct file {
    const char *path, *type, *start, *end;
} files[] = {
    FILE_AT("/", "text/html; charset=utf-8", dashboard_html),
    FILE_AT("/dashboard.css", "text/css; charset=utf-8", dashboard_css),
    FILE_AT("/dashboard.js", "text/javascript; charset=utf-8", dashboard_js),
    FILE_AT("/dashboard_charts.js", "text/javascript; charset=utf-8", dashboard_charts_js),
    FILE_AT("/dashboard_base.js", "text/javascript; charset=utf-8", dashboard_base_js),
    FILE_AT("/dashboard_form.js", "text/javascript; charset=utf-8", dashboard_form_js),
    FILE_AT("/dashboard_metrics.js", "text/javascript; charset=utf-8", dashboard_metrics_js),
    FILE_AT("/dashboard.svg", "image/svg+xml", dashboard_svg),
    FILE_AT("/chart.js", "text/javascript; charset=utf-8", chart_js),
};

bool dashboard_get(const char *path, struct reply *r)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].path, path) == 0) {
            r->type = files[i].type;
            r->head = head;
            r->lent = files[i].start;
            r->n = (size_t)(files[i].end - files[i].start);
            return true;
        }
    return false;
}
