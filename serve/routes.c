// The table of routes, and one function for each.
#include "base/memory.h"
#include "base/option.h" // ASSAY_VERSION
#include "serve/http.h"

#include <strings.h>

// The body of a POST, to be freed; NULL, with the problem in the reply, where it is not accepted.
static char *read_json(struct request *q)
{
    static const char json[] = "application/json";
    const size_t n = sizeof json - 1;
    const char *type = mg_get_header(q->connection, "Content-Type"); // may have parameters
    if (q->route->post == inference &&
        mg_get_header(q->connection, "Inference-Header-Content-Length"))
        PROBLEM(q, 415,
                "binary tensors are not read here: send JSON alone, without "
                "Inference-Header-Content-Length");
    else if (!type || strncasecmp(type, json, n) != 0 || !strchr(" ;\t", type[n]))
        PROBLEM(q, 415, "the Content-Type must be application/json");
    else if (mg_get_header(q->connection, "Content-Encoding"))
        PROBLEM(q, 415, "a body with a Content-Encoding is not read: send it as it is");
    else if (q->length < 0)
        PROBLEM(q, 411, "a Content-Length is needed");
    else if (q->length > MAX_BODY)
        PROBLEM(q, 413, "the body has %lld bytes; send %d at most", (long long)q->length, MAX_BODY);
    else
        return request_body(q);
    return NULL;
}

static void post_predict(struct request *q, const char *body, size_t n)
{
    predict(q->service, body, n, !*q->query, q->reply);
}

static void post_feedback(struct request *q, const char *body, size_t n)
{
    feedback(q->service, body, n, q->reply);
}

// True if the query is the route's `asked`, with a value.
static bool asks(const struct request *q)
{
    const char *asked = q->route->asked;
    return asked && strncmp(q->query, asked, strlen(asked)) == 0 && !strchr(q->query, '&');
}

static void get_decisions(struct request *q)
{
    if (asks(q)) {
        const char *value = q->query + strlen(q->route->asked);
        const size_t n = strlen(value);
        char *id = xmalloc(n + 1); // decoded, it is not longer
        record(q->service, id, (size_t)mg_url_decode(value, (int)n, id, (int)n + 1, 1), q->reply);
        free(id);
        return;
    }
    recent_write_decisions(&q->service->recent, *q->query, q->reply);
}

static void get_readyz(struct request *q)
{
    if (service_ready(q->service, q->reply))
        return;
    reply_add(q->reply, "{\"status\":\"ready\",\"model\":\"%s\"}",
              service_hold(q->service)->version);
    service_let(q->service);
}

static void get_model(struct request *q)
{
    reply_text(q->reply, service_hold(q->service)->text);
    service_let(q->service);
}

// The version's folder may have been changed since its model was loaded. Clients are told no path.
static void get_model_file(struct request *q)
{
    const char *name = strrchr(q->path, '/') + 1;
    char *path =
        xasprintf("%s/%s/%s", q->service->files->models, service_hold(q->service)->version, name);
    size_t n = 0;
    struct err why;
    service_let(q->service);
    char *text = file_read(path, &n, &why);
    if (text)
        reply_bytes(q->reply, text, n);
    else
        PROBLEM(q, 404, "%s of the model that decides is gone from the registry, or unreadable",
                name);
    free(text);
    free(path);
}

static void post_reload(struct request *q)
{
    struct err err = {""};
    const int rc = service_reload(q->service, &err);
    if (rc) {
        PROBLEM(q, rc == RELOAD_LATER ? 503 : 409, "%s", err.msg);
        return;
    }
    const struct champion *c = service_hold(q->service);
    reply_add(q->reply, "{\"model\":\"%s\",\"sha256\":\"%s\"}", c->version, c->model.sha256);
    service_let(q->service);
}

static void get_loop(struct request *q)
{
    service_hold(q->service);
    reply_text(q->reply, q->service->loop);
    service_let(q->service);
}

static void get_openapi(struct request *q)
{
    reply_text(q->reply, q->server->openapi);
}

extern const char dashboard_html[], shell_html[], style_css[], icon_svg[], page_js[], chart_js[];
extern const char form_js[], dashboard_js[], report_js[], card_js[], docs_js[], chart_min_js[];

static void get_report(struct request *q)
{
    reply_text(q->reply, q->server->report);
}

static void get_v2_ready(struct request *q)
{
    if (service_ready(q->service, q->reply) == 0)
        reply_text(q->reply, "{\"ready\":true}");
}

#define READ        "GET, HEAD, OPTIONS"
#define SEND        "POST, OPTIONS"
#define METRICS     "text/plain; version=0.0.4; charset=utf-8"
#define PART(media) .type = media "; charset=utf-8", .open = true
#define PAGE        PART("text/html")
#define SCRIPT      PART("text/javascript")
#define V2_MODEL    "/v2/models/{model}"
#define V2_VERSION  V2_MODEL "/versions/{version}"

const struct route routes[COUNTERS_ROUTES] = {
    {"/predict", SEND, .post = post_predict, .query = "store=false"},
    {"/feedback", SEND, .post = post_feedback},
    {"/decisions", READ, .answer = get_decisions, .query = "decision=review", .asked = "id="},
    {"/metrics", READ, .answer = get_metrics, .health = true, .type = METRICS},
    {"/healthz", READ, .text = "{\"status\":\"ok\"}", .open = true, .health = true},
    {"/readyz", READ, .answer = get_readyz, .open = true, .health = true},
    {"/model", READ, .answer = get_model},
    {"/model/metrics.json", READ, .answer = get_model_file},
    {"/model/card.md", READ, .answer = get_model_file, .type = "text/markdown; charset=utf-8"},
    {"/loop", READ, .answer = get_loop},
    {"/admin/reload", SEND, .answer = post_reload},
    {"/openapi.json", READ, .answer = get_openapi},
    {"/v2", READ,
     .text = "{\"name\":\"assay\",\"version\":\"" ASSAY_VERSION "\",\"extensions\":[]}"},
    {"/v2/health/live", READ, .text = "{\"live\":true}", .open = true, .health = true},
    {"/v2/health/ready", READ, .answer = get_v2_ready, .open = true, .health = true},
    {V2_MODEL, READ, .answer = inference_model},
    {V2_MODEL "/ready", READ, .answer = inference_ready},
    {V2_MODEL "/infer", SEND, .post = inference},
    {V2_VERSION, READ, .answer = inference_model},
    {V2_VERSION "/ready", READ, .answer = inference_ready},
    {V2_VERSION "/infer", SEND, .post = inference},
    // These contain nothing of the service, so they need no token.
    {"/", READ, .text = dashboard_html, PAGE},
    {"/report", READ, .answer = get_report, PAGE},
    {"/card", READ, .text = shell_html, PAGE},
    {"/docs", READ, .text = shell_html, PAGE},
    {"/web/style.css", READ, .text = style_css, PART("text/css")},
    {"/web/page.js", READ, .text = page_js, SCRIPT},
    {"/web/chart.js", READ, .text = chart_js, SCRIPT},
    {"/web/form.js", READ, .text = form_js, SCRIPT},
    {"/web/dashboard.js", READ, .text = dashboard_js, SCRIPT},
    {"/web/report.js", READ, .text = report_js, SCRIPT},
    {"/web/card.js", READ, .text = card_js, SCRIPT},
    {"/web/docs.js", READ, .text = docs_js, SCRIPT},
    {"/web/chart.min.js", READ, .text = chart_min_js, SCRIPT},
    {"/web/icon.svg", READ, .text = icon_svg, PART("image/svg+xml")},
    {0},
};

static bool matches(const char *pattern, const char *path)
{
    while (*pattern) {
        const bool any = *pattern == '{';
        const size_t n = any ? strcspn(path, "/") : 1;
        if (n == 0 || n >= SEGMENT || (!any && *pattern != *path))
            return false;
        pattern = any ? strchr(pattern, '}') + 1 : pattern + 1;
        path += n;
    }
    return !*path;
}

static const struct route *find_route(const struct request *q)
{
    for (const struct route *r = routes; r->path; r++)
        if ((r->health || !q->health) && matches(r->path, q->path))
            return r;
    return NULL;
}

// DNS rebinding: a page can make its own host name resolve to this machine. Its requests then reach
// this server with that name in Host, and the page may read the answers.
static bool is_rebound(const struct request *q)
{
    if (!q->host || *q->server->token)
        return false;
    const size_t n = host_name(q->host);
    for (const char **known = q->server->allowed; known && *known; known++)
        if (host_name(*known) == n && strncasecmp(*known, q->host, n) == 0)
            return false;
    // Browsers take digits and dots for an address, never for a name.
    return strncmp(q->host, "127.", 4) != 0 || strspn(q->host, "0123456789.") < n;
}

// True if a page of another site makes the browser send this POST: the browser names the site in
// Origin. Without a token nothing else would stop it.
static bool is_foreign(const struct request *q)
{
    const char *origin = mg_get_header(q->connection, "Origin"),
               *scheme = mg_get_header(q->connection, "X-Forwarded-Proto"); // of nginx, for TLS
    char own[2 * SEGMENT];
    if (!origin || strcmp(q->info->request_method, "POST") != 0)
        return false;
    snprintf(own, sizeof own, "%s://%s", scheme ? scheme : "http", q->host ? q->host : "");
    return strcasecmp(origin, own) != 0;
}

void route(struct request *q)
{
    const char *path = q->path, *method = q->info->request_method;
    const struct route *r = q->route = find_route(q);
    char *body = NULL;
    if (is_rebound(q)) {
        PROBLEM(q, 403,
                "the Host %.200s is neither loopback nor named by --allow-host NAME; without a "
                "token no other is served",
                q->host);
    } else if (!(r && r->open) && *q->server->token &&
               !token_fits(q->server->token, mg_get_header(q->connection, "Authorization"))) {
        PROBLEM(q, 401, "this server needs its token: Authorization: Bearer TOKEN");
    } else if (is_foreign(q)) {
        PROBLEM(q, 403, "a page of another site may not send this");
    } else if (!r) {
        PROBLEM(q, 404, "there is no %.200s %s", path,
                q->health ? "on this port, which is for /healthz, /readyz, /v2/health and /metrics"
                          : "here; GET /openapi.json lists all paths");
    } else if (!strstr(r->allow, method)) { // no method's name is part of another's
        PROBLEM(q, 405, "%s does not take %.20s; it takes %s", path, method, r->allow);
    } else if (strcmp(method, "OPTIONS") == 0) {
        q->reply->status = 204;
    } else if (r->query && *q->query && strcmp(q->query, r->query) != 0 && !asks(q)) {
        PROBLEM(q, 400, "%s takes no query, or ?%s%s%s", path, r->query, r->asked ? ", or ?" : "",
                r->asked ? r->asked : "");
    } else if (r->text) {
        reply_text(q->reply, r->text);
    } else if (r->answer) {
        r->answer(q);
    } else if ((body = read_json(q))) {
        r->post(q, body, (size_t)q->length);
    }
    free(body);
    if (r && r->type && q->reply->status == 200)
        q->reply->type = r->type;
}
