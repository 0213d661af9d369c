// The table of routes and one function for each.
#include "serve/routes.h"

#include "serve/dashboard.h"
#include "serve/feedback.h"
#include "serve/inference.h"
#include "serve/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEPT_BODY = 64 * 1024 };

// "application/json", with parameters or without.
static bool is_json(const char *type)
{
    static const char json[] = "application/json";
    size_t n = sizeof json - 1;
    return type && strncasecmp(type, json, n) == 0 && strchr(" ;\t", type[n]);
}

static int reserve_body(struct worker *w, size_t n)
{
    if (w->body && n <= w->body_size)
        return 0;
    free(w->body);
    w->body_size = n < KEPT_BODY ? KEPT_BODY : n;
    w->body = malloc(w->body_size);
    return w->body ? 0 : -1;
}

void worker_shrink(struct worker *w)
{
    reply_reset(&w->reply);
    reply_reset(&w->packet);
    if (w->body_size > KEPT_BODY) {
        free(w->body);
        w->body = NULL;
        w->body_size = 0;
    }
}

void worker_free(struct worker *w)
{
    if (!w)
        return;
    reply_release(&w->reply);
    reply_release(&w->packet);
    free(w->body);
    free(w);
}

// The body of a POST into worker->body[0..length); -1 and a problem where it is none of ours.
static int read_json(struct exchange *x)
{
    struct worker *w = x->worker;
    struct request *q = &x->request;
    if (!is_json(mg_get_header(x->connection, "Content-Type")))
        return PROBLEM(x, 415, "the Content-Type must be application/json");
    if (mg_get_header(x->connection, "Content-Encoding"))
        return PROBLEM(x, 415, "a body with a Content-Encoding is not read: send it as it is");
    if (q->length < 0)
        return PROBLEM(x, 411, "a Content-Length is needed");
    if (q->length > MAX_BODY)
        return PROBLEM(x, 413, "the body has %lld bytes; send %d at most", (long long)q->length,
                       MAX_BODY);
    if (reserve_body(w, (size_t)q->length))
        return PROBLEM(x, 503, "out of memory for a body of %lld bytes", (long long)q->length);
    return request_body(q, x->connection, w->body, &w->reply);
}

static void post_predict(struct exchange *x)
{
    if (read_json(x) == 0)
        predict(x->site->service, x->worker->body, (size_t)x->request.length, &x->worker->reply);
}

static void post_feedback(struct exchange *x)
{
    if (read_json(x) == 0)
        feedback(x->site->service, x->worker->body, (size_t)x->request.length, &x->worker->reply);
}

static void get_healthz(struct exchange *x)
{
    reply_add(&x->worker->reply, "{\"status\":\"ok\"}");
}

static void get_readyz(struct exchange *x)
{
    struct service *s = x->site->service;
    if (service_ready(s, &x->worker->reply))
        return;
    service_hold(s);
    reply_add(&x->worker->reply, "{\"status\":\"ready\",\"model\":\"%s\"}", s->champion->version);
    service_let(s);
}

static void get_metrics(struct exchange *x)
{
    struct service *s = x->site->service;
    const struct writer *w = &s->writer;
    const char *paths[COUNTERS_ROUTES] = {NULL};
    for (size_t i = 0; route_at(i); i++)
        paths[i] = route_at(i)->path;
    const bool saved = atomic_load(&w->position) == atomic_load(&w->saved_order);
    const long long newest = atomic_load(&w->newest);
    const struct champion *c = service_hold(s);
    const struct gauges g = {
        .paths = paths,
        .version = c->version,
        .sha256 = c->model.sha256,
        .loaded = (double)c->loaded,
        .threshold = c->model.threshold,
        .waiting = (double)atomic_load(&w->waiting),
        .limit = (double)w->limit,
        .database_bytes = (double)store_bytes(&s->store),
        .checkpoint = saved ? (double)time(NULL) : (double)atomic_load(&w->saved_time),
        .newest = newest > INT64_MIN ? (double)newest : NAN,
        .started = (double)s->started,
        .ready = service_ready(s, NULL) == 0,
    };
    counters_write(&s->counters, &g, &x->worker->reply);
    recent_write(&s->recent, &c->model, &x->worker->reply);
    service_let(s);
}

static void get_decisions(struct exchange *x)
{
    struct service *s = x->site->service;
    recent_write_decisions(&s->recent, &x->worker->reply);
}

static void get_model(struct exchange *x)
{
    struct service *s = x->site->service;
    service_hold(s);
    reply_bytes(&x->worker->reply, s->champion->text, strlen(s->champion->text));
    service_let(s);
}

static void post_reload(struct exchange *x)
{
    struct service *s = x->site->service;
    struct err err;
    if (service_reload(s, &err)) {
        PROBLEM(x, 409, "%s", err.msg);
        return;
    }
    service_hold(s);
    reply_add(&x->worker->reply, "{\"model\":\"%s\",\"sha256\":\"%s\"}", s->champion->version,
              s->champion->model.sha256);
    service_let(s);
}

static void get_openapi(struct exchange *x)
{
    reply_bytes(&x->worker->reply, x->site->openapi, strlen(x->site->openapi));
}

static void get_dashboard(struct exchange *x)
{
    if (!dashboard_get(x->path, &x->worker->reply))
        PROBLEM(x, 404, "there is no %s in the dashboard", x->path);
}

// ---- the Open Inference Protocol ----

// A pattern with {version} fills the second segment, which is empty else.
static const char *version_of(const struct exchange *x)
{
    return *x->segments[1] ? x->segments[1] : NULL;
}

static void get_v2(struct exchange *x)
{
    inference_server(&x->worker->reply);
}

// Who asks is answered, so it lives.
static void get_v2_live(struct exchange *x)
{
    reply_add(&x->worker->reply, "{\"live\":true}");
}

static void get_v2_ready(struct exchange *x)
{
    inference_health(x->site->service, &x->worker->reply);
}

static void get_v2_model(struct exchange *x)
{
    inference_model(x->site->service, x->segments[0], version_of(x), &x->worker->reply);
}

static void get_v2_model_ready(struct exchange *x)
{
    inference_ready(x->site->service, x->segments[0], version_of(x), &x->worker->reply);
}

static void post_v2_infer(struct exchange *x)
{
    struct worker *w = x->worker;
    if (mg_get_header(x->connection, "Inference-Header-Content-Length"))
        PROBLEM(x, 415,
                "tensors in binary are not read here: send JSON alone, without "
                "Inference-Header-Content-Length");
    else if (read_json(x) == 0)
        inference(x->site->service, x->segments[0], version_of(x), w->body,
                  (size_t)x->request.length, &w->reply);
}

// ---- the table ----

#define READ       "GET, HEAD, OPTIONS"
#define SEND       "POST, OPTIONS"
#define V2_MODEL   "/v2/models/{model}"
#define V2_VERSION V2_MODEL "/versions/{version}"

static const struct route routes[] = {
    {"/predict", SEND, post_predict, false},
    {"/feedback", SEND, post_feedback, false},
    {"/decisions", READ, get_decisions, false},
    {"/metrics", READ, get_metrics, false},
    {"/healthz", READ, get_healthz, true},
    {"/readyz", READ, get_readyz, true},
    {"/model", READ, get_model, false},
    {"/admin/reload", SEND, post_reload, false},
    {"/openapi.json", READ, get_openapi, false},
    {"/v2", READ, get_v2, false},
    {"/v2/health/live", READ, get_v2_live, true},
    {"/v2/health/ready", READ, get_v2_ready, true},
    {V2_MODEL, READ, get_v2_model, false},
    {V2_MODEL "/ready", READ, get_v2_model_ready, false},
    {V2_MODEL "/infer", SEND, post_v2_infer, false},
    {V2_VERSION, READ, get_v2_model, false},
    {V2_VERSION "/ready", READ, get_v2_model_ready, false},
    {V2_VERSION "/infer", SEND, post_v2_infer, false},
    {"/", READ, get_dashboard, true},
    {"/dashboard.css", READ, get_dashboard, true},
    {"/dashboard.js", READ, get_dashboard, true},
    {"/dashboard_charts.js", READ, get_dashboard, true},
    {"/dashboard_base.js", READ, get_dashboard, true},
    {"/dashboard_form.js", READ, get_dashboard, true},
    {"/dashboard.svg", READ, get_dashboard, true},
    {"/chart.js", READ, get_dashboard, true},
    {"/dashboard_metrics.js", READ, get_dashboard, true},
};
enum { N_ROUTES = sizeof routes / sizeof *routes };

_Static_assert((int)N_ROUTES < COUNTERS_ROUTES, "a counter for each route and one for none");

const struct route *route_at(size_t i)
{
    return i < N_ROUTES ? &routes[i] : NULL;
}

// Whether the path is of the pattern; its segments for {...} are copied in their order.
static bool matches(const char *pattern, const char *path, char segments[][SEGMENT])
{
    size_t k = 0;
    for (; *pattern && *path; pattern++, path++) {
        if (*pattern != '{') {
            if (*pattern != *path)
                return false;
            continue;
        }
        const size_t n = strcspn(path, "/");
        if (n == 0 || n >= SEGMENT || k == MAX_SEGMENTS)
            return false;
        memcpy(segments[k], path, n);
        segments[k++][n] = '\0';
        pattern = strchr(pattern, '}'); // both now stand on the last byte that is done with
        path += n - 1;
    }
    return !*pattern && !*path;
}

static const struct route *find_route(struct exchange *x)
{
    for (size_t i = 0; i < N_ROUTES; i++) {
        *x->segments[0] = *x->segments[1] = '\0'; // what a longer pattern has left there
        if (matches(routes[i].path, x->info->request_uri, x->segments))
            return &routes[i];
    }
    return NULL;
}

// Whether the list "GET, HEAD" has the method.
static bool allows(const char *list, const char *method)
{
    size_t n = strlen(method);
    for (const char *p = list; (p = strstr(p, method)); p += n)
        if ((p == list || p[-1] == ' ') && (p[n] == ',' || p[n] == '\0'))
            return true;
    return false;
}

static bool may_ask(const struct exchange *x)
{
    return !x->site->token ||
           token_fits(x->site->token, mg_get_header(x->connection, "Authorization"));
}

// Whether two names of a host are the same, ports aside.
static bool same_host(const char *a, const char *b)
{
    const size_t n = strcspn(a, ":");
    return n == strcspn(b, ":") && strncasecmp(a, b, n) == 0;
}

// A page of another site makes a browser send a POST here, with its name as Origin. Where no token is
// wanted, nothing else would stop it.
static bool is_foreign(const struct exchange *x)
{
    const char *origin = mg_get_header(x->connection, "Origin"),
               *host = mg_get_header(x->connection, "Host");
    if (!origin || strcmp(x->info->request_method, "POST") != 0)
        return false;
    const char *name = strstr(origin, "://");
    return !name || !host || !same_host(name + 3, host);
}

void route(struct exchange *x)
{
    const char *path = x->info->request_uri, *method = x->info->request_method;
    const struct route *route = find_route(x);
    x->path = route ? route->path : NULL;
    x->route = route ? (size_t)(route - routes) : COUNTERS_ROUTES - 1;
    if (!(route && route->open) && !may_ask(x)) {
        PROBLEM(x, 401, "this server wants its token: Authorization: Bearer TOKEN");
    } else if (is_foreign(x)) {
        PROBLEM(x, 403, "a page of another site may not send this");
    } else if (!route) {
        PROBLEM(x, 404, "there is no %.200s here; GET /openapi.json says what is", path);
    } else if (!allows(route->allow, method)) {
        x->allow = route->allow;
        PROBLEM(x, 405, "%s does not take %.20s; it takes %s", path, method, route->allow);
    } else if (strcmp(method, "OPTIONS") == 0) {
        x->allow = route->allow;
        x->worker->reply.status = 204;
    } else {
        route->answer(x);
    }
}
