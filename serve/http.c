// The one way out: every answer is a head and a body in a single mg_write.
//
// CivetWeb gives connections and threads; everything about a request is decided in the begin_request
// callback, so none of the library's own handlers (files, CGI, forms, CORS) is ever reached.
#include "serve/http.h"

#include "base/progress.h"
#include "serve/access.h"
#include "serve/openapi.h"
#include "serve/routes.h"

#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { DRAIN_MS = 5000 };

struct server {
    struct mg_context *context;
    struct site site;
    int threads;
    bool access_log;
    atomic_bool stopping;
};

// ---- the way out ----

// Made once a second by each worker.
static const char *date_now(struct worker *w)
{
    struct tm tm;
    time_t now = time(NULL);
    if (now != w->date_second && gmtime_r(&now, &tm)) {
        w->date_second = now;
        strftime(w->date, sizeof w->date, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    }
    return w->date;
}

static struct server *server_of(const struct exchange *x)
{
    return mg_get_user_data(mg_get_context(x->connection));
}

static bool must_close(const struct exchange *x)
{
    struct server *s = server_of(x);
    // A worker that is held by an idle connection is missing elsewhere when all are taken.
    return x->request.close || x->request.unread || atomic_load(&s->stopping) ||
           atomic_load(&s->site.service->counters.connections) >= s->threads;
}

static void add_line(struct reply *packet, const char *name, const char *value)
{
    reply_text(packet, name);
    reply_text(packet, ": ");
    reply_text(packet, value);
    reply_text(packet, "\r\n");
}

static void add_number(struct reply *packet, const char *name, long long value)
{
    reply_text(packet, name);
    reply_text(packet, ": ");
    reply_integer(packet, value);
    reply_text(packet, "\r\n");
}

static void send_reply(const struct exchange *x, const struct reply *r)
{
    struct reply *packet = &x->worker->packet;
    bool close = must_close(x);
    const char *method = x->info->request_method;
    reply_reset(packet);
    reply_text(packet, "HTTP/1.1 ");
    reply_integer(packet, r->status);
    reply_text(packet, " ");
    reply_text(packet, reply_statuses[reply_status(r->status)].phrase);
    reply_text(packet, "\r\n");
    add_line(packet, "Date", date_now(x->worker));
    add_line(packet, "X-Request-Id", x->id);
    if (r->status != 204) {
        add_line(packet, "Content-Type", r->type);
        add_number(packet, "Content-Length", (long long)r->n);
    }
    if (r->status == 401)
        add_line(packet, "WWW-Authenticate", "Bearer realm=\"assay\"");
    if (r->retry_after > 0)
        add_number(packet, "Retry-After", r->retry_after);
    if (r->head)
        reply_text(packet, r->head);
    if (x->allow)
        add_line(packet, "Allow", x->allow);
    add_line(packet, "Cache-Control", "no-store");
    add_line(packet, "Connection", close ? "close" : "keep-alive");
    reply_text(packet, "\r\n");
    if (r->status != 204 && !(method && strcmp(method, "HEAD") == 0))
        reply_bytes(packet, r->lent ? r->lent : r->text, r->n);
    if (close)
        mg_disable_connection_keep_alive(x->connection);
    mg_write(x->connection, packet->text, packet->n);
}

// A method that stands in the log as it is; NULL for others.
static const char *known_method(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (method && strcmp(method, known[i]) == 0)
            return known[i];
    return NULL;
}

// Counted and, if wanted, logged.
static void account(const struct exchange *x, int status, double seconds)
{
    struct counters *c = &x->site->service->counters;
    counters_http(c, x->route, status);
    if (status == 200 && x->path && strcmp(x->path, "/predict") == 0)
        counters_predict(c, seconds);
    if (server_of(x)->access_log)
        access_log(&(struct access){x->id, x->path ? known_method(x->info->request_method) : NULL,
                                    x->path, status, x->worker->reply.n, seconds});
}

// ---- callbacks of the library ----

// head: false where the library refused it, and its headers may be none of this request.
static struct exchange exchange_of(struct mg_connection *connection, bool head)
{
    struct server *s = mg_get_user_data(mg_get_context(connection));
    struct exchange x = {.site = &s->site,
                         .worker = mg_get_thread_pointer(connection),
                         .connection = connection,
                         .info = mg_get_request_info(connection),
                         .start = seconds_now(),
                         .route = COUNTERS_ROUTES - 1,
                         .request = {.unread = true}};
    access_id(x.id, head ? mg_get_header(connection, "X-Request-Id") : NULL);
    return x;
}

// Returning a status tells the library that the request was answered.
static int begin_request(struct mg_connection *connection)
{
    struct exchange x = exchange_of(connection, true);
    if (!x.worker) {
        mg_disable_connection_keep_alive(connection);
        return 500;
    }
    struct reply *r = &x.worker->reply;
    struct counters *c = &x.site->service->counters;
    reply_reset(r);
    atomic_fetch_add(&c->in_flight, 1);
    if (request_check(&x.request, x.info, r) == 0) {
        if (atomic_load(&server_of(&x)->stopping))
            PROBLEM(&x, 503, "the server is stopping");
        else
            route(&x);
    }
    int status = r->status;
    send_reply(&x, r);
    account(&x, status, seconds_now() - x.start);
    atomic_fetch_sub(&c->in_flight, 1);
    worker_shrink(x.worker);
    return status;
}

// Whether the library knew no such method. Where it gave up at the method it has read no header line, and
// what stands there may be any bytes.
static bool is_unknown_method(const struct mg_request_info *info)
{
    const char *method = info->request_method;
    const size_t n = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");
    return info->num_headers == 0 && n > 0 && method[n] == '\0' && !known_method(method);
}

// What the library itself refuses. Of what it says "Malformed message" and "Bad request" are too little;
// without a method there was no head that could be read.
static int http_error(struct mg_connection *connection, int status, const char *message)
{
    struct exchange x = exchange_of(connection, false);
    if (!x.worker)
        return 0;
    if (status == 400 && !x.info->request_method)
        PROBLEM(&x, 400, "no head of HTTP/1.1 came whole within %d seconds and %d KiB",
                LIBRARY_TIMEOUT_MS / 1000, LIBRARY_HEAD / 1024);
    else if (status == 400 && is_unknown_method(x.info))
        PROBLEM(&x, 501, "the method %.20s is not known here", x.info->request_method);
    else if (status == 400)
        PROBLEM(&x, 400,
                "the request line or a header line is not one of HTTP/1.1 that is taken here");
    else if (status == 411)
        PROBLEM(&x, 411, "a Content-Length in digits is needed");
    else
        PROBLEM(&x, status, "%s", message ? message : reply_statuses[reply_status(status)].phrase);
    send_reply(&x, &x.worker->reply);
    account(&x, x.worker->reply.status, 0);
    return 0;
}

static int count_connection(const struct mg_connection *connection, void **data)
{
    struct server *s = mg_get_user_data(mg_get_context(connection));
    (void)data;
    atomic_fetch_add(&s->site.service->counters.connections, 1);
    return 0;
}

static void forget_connection(const struct mg_connection *connection)
{
    struct server *s = mg_get_user_data(mg_get_context(connection));
    atomic_fetch_sub(&s->site.service->counters.connections, 1);
}

static void *start_thread(const struct mg_context *context, int type)
{
    enum { WORKER = 1 };
    (void)context;
    return type == WORKER ? calloc(1, sizeof(struct worker)) : NULL;
}

static void end_thread(const struct mg_context *context, int type, void *pointer)
{
    (void)context;
    (void)type;
    worker_free(pointer);
}

// ---- start and stop ----

static int check_host(const char *host, bool token, struct err *err)
{
    struct in_addr address;
    if (inet_pton(AF_INET, host, &address) != 1)
        return err_set(err, "--host %s: is no IPv4 address", host);
    if (!token && ntohl(address.s_addr) >> 24 != 127)
        return err_set(err,
                       "--host %s: without --token-file the server listens on loopback only "
                       "(127.0.0.1)",
                       host);
    return 0;
}

// A connection takes a descriptor, and the usual limit is below the number of threads.
static void raise_descriptors(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files); // in vain where it is not allowed
    }
}

static struct mg_context *start_library(struct server *s, const struct server_settings *settings,
                                        struct err *err)
{
    char ports[64], threads[16], timeout[16], head[16], why[256] = "";
    const char *options[] = {
        "listening_ports", ports, "listen_backlog", "1024", "num_threads", threads,
        "max_request_size", head, "request_timeout_ms", timeout, "keep_alive_timeout_ms", timeout,
        "enable_keep_alive", "yes", "tcp_nodelay", "1", "decode_url", "no",
        "enable_directory_listing", "no",
        // Empty: the library answers no preflight by itself.
        "access_control_allow_origin", "", "access_control_allow_methods", "", NULL};
    const struct mg_callbacks callbacks = {.begin_request = begin_request,
                                           .http_error = http_error,
                                           .init_connection = count_connection,
                                           .connection_closed = forget_connection,
                                           .init_thread = start_thread,
                                           .exit_thread = end_thread};
    struct mg_init_data init = {&callbacks, s, options};
    struct mg_error_data error = {.text = why, .text_buffer_size = sizeof why};
    raise_descriptors();
    snprintf(ports, sizeof ports, "%s:%d", settings->host, settings->port);
    snprintf(threads, sizeof threads, "%d", settings->threads);
    snprintf(timeout, sizeof timeout, "%d", LIBRARY_TIMEOUT_MS);
    snprintf(head, sizeof head, "%d", LIBRARY_HEAD);
    struct mg_context *context = mg_start2(&init, &error);
    if (!context)
        err_set(err, "%s: cannot listen, is the port in use? Give another --port (%s)", ports, why);
    return context;
}

struct server *server_start(struct service *service, const struct server_settings *settings,
                            struct err *err)
{
    if (check_host(settings->host, settings->token, err))
        return NULL;
    struct server *s = calloc(1, sizeof *s);
    if (!s) {
        err_set(err, "out of memory");
        return NULL;
    }
    s->site = (struct site){service, settings->token, openapi_text(service, err)};
    s->threads = settings->threads;
    s->access_log = settings->access_log;
    s->context = s->site.openapi ? start_library(s, settings, err) : NULL;
    if (s->context)
        return s;
    free(s->site.openapi);
    free(s);
    return NULL;
}

int server_port(const struct server *s)
{
    struct mg_server_port port = {0};
    return mg_get_server_ports(s->context, 1, &port) == 1 ? port.port : -1;
}

// mg_stop cuts the answers that are being written, so wait until none is. Requests that come
// meanwhile are told to go away; the time is bounded because a client may read its answer slowly.
void server_stop(struct server *s)
{
    const struct timespec tick = {0, 1000 * 1000};
    atomic_store(&s->stopping, true);
    for (int ms = 0; ms < DRAIN_MS && atomic_load(&s->site.service->counters.in_flight) > 0; ms++)
        nanosleep(&tick, NULL);
    mg_stop(s->context);
    free(s->site.openapi);
    free(s);
}
