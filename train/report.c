#include "train/report.h"
#include "base/memory.h"

#include <stdlib.h>

// The Makefile embeds the files of these names.
extern const char page_html[];
extern const char report_html[], report_js[], drift_html[], drift_js[];
extern const char style_css[], page_js[], chart_js[], chart_min_js[];

// ---- sentences ----------------------------------------------------------------------------------

void sentences_add(json_t *to, const char *template, const json_t *results)
{
    char *text = template_fill(template, TEMPLATE_PLAIN, results), *rest;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *blank = strchr(line, ' ');
        *blank = '\0';
        if (json_array_append_new(json_object_get(to, line), json_string(blank + 1)))
            json_object_set_new(to, line, json_string(blank + 1));
    }
    free(text);
}

json_t *class_words(const json_t *named)
{
    static const char *const words[][3] = {{"name", "fraud", "%s"},
                                           {"what", "fraud", "of class %s"},
                                           {"one", "fraud", "row of class %s"},
                                           {"many", "frauds", "rows of class %s"},
                                           {"capital", "Frauds", "Rows of class %s"},
                                           {"short", "frauds", "%s"},
                                           {"other", "genuine", "other"},
                                           {"row", "transaction", "row"}};
    const char *name = json_string_value(json_object_get(named, "class"));
    const bool is_fraud = !name || strcmp(name, "fraud") == 0;
    json_t *j = json_pack("{s:b}", "is_fraud", is_fraud);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        json_object_set_new(j, words[i][0], json_sprintf(words[i][is_fraud ? 1 : 2], name));
    return j;
}

// ---- pages --------------------------------------------------------------------------------------

// name.js is the script's path on a server.
static char *page(const char *name, const char *body, const char *script, const json_t *data)
{
    char *json = json_dumps(data, JSON_COMPACT | JSON_REAL_PRECISION(17)); // NULL: NULL
    json_t *parts =
        json_pack("{s:s, s:s, s:s, s:s*, s:s, s:s, s:s, s:s}", "name", name, "body", body, "script",
                  script, "data", json, "style_css", style_css, "chart_min_js", chart_min_js,
                  "page_js", page_js, "chart_js", chart_js);
    char *text = template_fill(page_html, TEMPLATE_PAGE, parts);
    json_decref(parts);
    free(json);
    return text;
}

char *report_page(const json_t *results)
{
    return page("report", report_html, report_js, results);
}

char *drift_page(const json_t *drift)
{
    return page("drift", drift_html, drift_js, drift);
}
