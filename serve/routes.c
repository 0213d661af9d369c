// The table of routes and one function for each.
#include "serve/routes.h"

#include "serve/dashboard.h"
#include "serve/predict.h"

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

static void get_healthz(struct exchange *x)
{
    reply_add(&x->worker->reply, "{\"status\":\"ok\"}");
}

static void get_readyz(struct exchange *x)
{
    struct service *s = x->site->service;
    service_hold(s);
    const bool ready = service_ready(s);
    if (ready)
        reply_add(&x->worker->reply, "{\"status\":\"ready\",\"model\":\"%s\"}", s->version);
    service_let(s);
    if (!ready)
        PROBLEM(x, 503, "memory ran out while counting; the server must be started again");
}

static void get_model(struct exchange *x)
{
    struct service *s = x->site->service;
    service_hold(s);
    reply_bytes(&x->worker->reply, s->model_text, strlen(s->model_text));
    service_let(s);
}

static void post_reload(struct exchange *x)
{
    struct service *s = x->site->service;
    struct err err;
    if (service_reload(s, &err)) {
        PROBLEM(x, 409, "%s; the model that was there goes on", err.msg);
        return;
    }
    service_hold(s);
    reply_add(&x->worker->reply, "{\"model\":\"%s\",\"sha256\":\"%s\"}", s->version,
              s->model.sha256);
    service_let(s);
}

static void get_dashboard(struct exchange *x)
{
    if (!dashboard_get(x->path, &x->worker->reply))
        PROBLEM(x, 404, "there is no %s in the dashboard", x->path);
}

static const struct route {
    const char *path, *allow;
    void (*answer)(struct exchange *x);
    bool open; // asks for no token
} routes[] = {
    {"/predict", "POST, OPTIONS", post_predict, false},
    {"/healthz", "GET, HEAD, OPTIONS", get_healthz, true},
    {"/readyz", "GET, HEAD, OPTIONS", get_readyz, true},
    {"/model", "GET, HEAD, OPTIONS", get_model, false},
    {"/admin/reload", "POST, OPTIONS", post_reload, false},
    {"/", "GET, HEAD, OPTIONS", get_dashboard, true},
    {"/dashboard.css", "GET, HEAD, OPTIONS", get_dashboard, true},
    {"/dashboard.js", "GET, HEAD, OPTIONS", get_dashboard, true},
    {"/dashboard_charts.js", "GET, HEAD, OPTIONS", get_dashboard, true},
    {"/dashboard_base.js", "GET, HEAD, OPTIONS", get_dashboard, true},
    {"/dashboard_form.js", "GET, HEAD, OPTIONS", get_dashboard, true},
    {"/dashboard_metrics.js", "GET, HEAD, OPTIONS", get_dashboard, true},
    {"/dashboard.svg", "GET, HEAD, OPTIONS", get_dashboard, true},
    {"/chart.js", "GET, HEAD, OPTIONS", get_dashboard, true},
};
enum { N_ROUTES = sizeof routes / sizeof *routes };

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

void route(struct exchange *x)
{
    const char *path = x->info->request_uri, *method = x->info->request_method;
    const struct route *route = NULL;
    for (size_t i = 0; i < N_ROUTES && !route; i++)
        if (strcmp(routes[i].path, path) == 0)
            route = &routes[i];
    x->path = route ? route->path : NULL;
    if (!(route && route->open) && !may_ask(x)) {
        PROBLEM(x, 401, "this server wants its token: Authorization: Bearer TOKEN");
    } else if (!route) {
        PROBLEM(x, 404, "there is no %.200s here; GET /model, POST /predict", path);
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
