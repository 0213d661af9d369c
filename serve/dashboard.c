// The table of files.
#include "serve/dashboard.h"

#include "train/embedded.h"

#include <string.h>

EMBEDDED(web, dashboard_html);
EMBEDDED(web, style_css);
EMBEDDED(web, page_js);
EMBEDDED(web, chart_js);
EMBEDDED(web, form_js);
EMBEDDED(web, dashboard_js);
EMBEDDED(web, chart_min_js);
EMBEDDED(web, icon_svg);

// Chart.js draws on canvas and sets sizes through the object model, so it needs no exception.
static const char head[] = "Content-Security-Policy: default-src 'none'; script-src 'self'; "
                           "style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
                           "form-action 'none'; frame-ancestors 'none'\r\n"
                           "X-Content-Type-Options: nosniff\r\n"
                           "Referrer-Policy: no-referrer\r\n";

#define SCRIPT "text/javascript; charset=utf-8"
#define FILE_AT(file, type, name)                                                                  \
    {                                                                                              \
        file, type, embedded(web, name), embedded_end(web, name)                                   \
    }

static const struct file {
    const char *name, *type, *start, *end;
} files[] = {
    FILE_AT("", "text/html; charset=utf-8", dashboard_html),
    FILE_AT("style.css", "text/css; charset=utf-8", style_css),
    FILE_AT("page.js", SCRIPT, page_js),
    FILE_AT("chart.js", SCRIPT, chart_js),
    FILE_AT("form.js", SCRIPT, form_js),
    FILE_AT("dashboard.js", SCRIPT, dashboard_js),
    FILE_AT("chart.min.js", SCRIPT, chart_min_js),
    FILE_AT("icon.svg", "image/svg+xml", icon_svg),
};

bool dashboard_get(const char *name, struct reply *r)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(files[i].name, name) == 0) {
            r->type = files[i].type;
            r->head = head;
            r->lent = files[i].start;
            r->n = (size_t)(files[i].end - files[i].start);
            return true;
        }
    return false;
}
