// CivetWeb gives connections and threads. Everything about a request is decided in the
// begin_request callback, so none of the library's own handlers (files, CGI, forms, CORS) is ever
// reached. An answer is one mg_write: head and body in two would wait for each other.
#include "serve/http.h"

#include "base/value.h"
#include "train/report.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <sodium.h>
#include <sys/resource.h>
#include <time.h>

// HEAD_SECONDS also bounds an idle connection. A client may read slowly while enough workers are free.
enum {
    DRAIN_MS = 5000,
    HEAD_SECONDS = 2,
    ANSWER_SECONDS = 10,
    CONNECTION_SECONDS = 10,
    HEALTH_THREADS = 16
};

static atomic_uint_least64_t next_id; // counts up from a random number

// Memory that a worker thread keeps from request to request.
static _Thread_local struct reply reply, packet;

static _Thread_local bool refused; // the library has refused a request of this connection

// A page may load from this server only, and run no inline script or style. Chart.js draws on canvas
// and sets sizes through the object model, so it needs no exception.
static const char page_head[] =
    "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "Referrer-Policy: no-referrer\r\n";

static void add_head(const struct request *q, bool close)
{
    const struct reply *r = q->reply;
    const time_t now = time(NULL);
    struct tm tm;
    char date[40];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    reply_add(&packet,
              "HTTP/1.1 %d %s\r\nDate: %s\r\nX-Request-Id: %s\r\nCache-Control: no-store\r\n"
              "Connection: %s\r\n",
              r->status, reply_statuses[reply_status(r->status)].phrase, date, q->id,
              close ? "close" : "keep-alive");
    if (r->status != 204)
        reply_add(&packet, "Content-Type: %s\r\nContent-Length: %zu\r\n", r->type, r->n);
    if (r->status == 401)
        reply_text(&packet, "WWW-Authenticate: Bearer realm=\"assay\"\r\n");
    if (r->status == 503)
        reply_text(&packet, "Retry-After: 1\r\n");
    if (r->status == 200 && q->route && q->route->type)
        reply_text(&packet, page_head);
    if (r->status == 204 || r->status == 405)
        reply_add(&packet, "Allow: %s\r\n", q->route->allow);
    reply_text(&packet, "\r\n");
}

static void send_reply(const struct request *q)
{
    const struct reply *r = q->reply;
    const char *method = q->info->request_method;
    // An idle connection holds a worker, so none is kept when all workers are taken.
    const bool close = q->close || q->unread || atomic_load(&q->server->stopping) || q->health ||
                       atomic_load(&q->service->counters.connections) >= q->server->threads ||
                       patience.left < SCARCE_SECONDS;
    reply_reset(&packet);
    add_head(q, close);
    if (r->status != 204 && !(method && strcmp(method, "HEAD") == 0))
        reply_bytes(&packet, r->text, r->n);
    patience_for(ANSWER_SECONDS, false);
    const bool whole = mg_write(q->connection, packet.text, packet.n) == (int)packet.n;
    if (!whole)
        atomic_fetch_add(&q->service->counters.cut, 1);
    if (!whole || close)
        mg_disable_connection_keep_alive(q->connection);
}

static void log_request(const struct request *q, double seconds)
{
    char line[512], now[TIME_TEXT];
    const int n = snprintf(line, sizeof line,
                           "{\"time\":\"%s\",\"id\":\"%s\",\"method\":\"%s\",\"path\":\"%s\","
                           "\"status\":%d,\"bytes\":%zu,\"seconds\":%.6f}\n",
                           time_text(now, (int64_t)time(NULL)), q->id,
                           q->route ? q->info->request_method : "-",
                           q->route ? q->route->path : "-", q->reply->status, q->reply->n, seconds);
    fwrite(line, 1, (size_t)n, stderr); // one write, since stderr has no buffer
}

static void answer(const struct request *q)
{
    struct counters *c = &q->service->counters;
    const int status = q->reply->status;
    send_reply(q);
    const double seconds = seconds_now() - q->start;
    const size_t at = q->route ? (size_t)(q->route - routes) : COUNTERS_ROUTES - 1;
    atomic_fetch_add(&c->http[at][reply_status(status)], 1);
    if (status == 200 && q->route && strcmp(q->route->path, "/predict") == 0 && !*q->query)
        counters_observe(&c->predict, counters_seconds, seconds);
    if (q->server->access_log && !q->health) // probes would flood it
        log_request(q, seconds);
    patience_for(HEAD_SECONDS, true);
    reply_reset(&reply);
    reply_reset(&packet);
}

static const struct listener *listener_of(const struct mg_connection *connection)
{
    return mg_get_user_data(mg_get_context(connection));
}

// id: what the client calls its request; NULL: nothing.
static struct request begin(struct mg_connection *connection, const char *id)
{
    struct http *s = listener_of(connection)->server;
    struct request q = {.server = s,
                        .service = s->service,
                        .reply = &reply,
                        .connection = connection,
                        .info = mg_get_request_info(connection),
                        .health = listener_of(connection)->health,
                        .start = seconds_now(),
                        .length = -1,
                        .unread = true};
    reply_reset(&reply);
    const size_t n = id ? strspn(id, ALPHANUMERIC "._-") : 0;
    if (n > 0 && n < REQUEST_ID && id[n + strspn(id + n, " ")] == '\0')
        memcpy(q.id, id, n);
    else
        snprintf(q.id, sizeof q.id, "%016" PRIx64, (uint64_t)atomic_fetch_add(&next_id, 1));
    return q;
}

// The status that is returned tells the library that the request was answered.
static int begin_request(struct mg_connection *connection)
{
    struct request q = begin(connection, mg_get_header(connection, "X-Request-Id"));
    atomic_int *in_flight = &q.service->counters.in_flight;
    atomic_fetch_add(in_flight, 1);
    if (request_check(&q) == 0) {
        if (atomic_load(&q.server->stopping))
            PROBLEM(&q, 503, "the server is stopping");
        else
            route(&q);
    }
    const int status = q.reply->status;
    answer(&q);
    atomic_fetch_sub(in_flight, 1);
    return status;
}

// Requests that the library itself refuses. Its own words for 400 ("Malformed message", "Bad
// request") say too little.
static int http_error(struct mg_connection *connection, int status, const char *message)
{
    struct request q = begin(connection, NULL);
    refused = true;
    if (status == 400 && !q.info->request_method)
        PROBLEM(&q, patience_remaining() > 0 ? 400 : 408,
                "no head of HTTP/1.1 came whole within %d seconds and 64 KiB, or it has a control "
                "character (a tab is one)",
                HEAD_SECONDS);
    else if (status == 400 && mg_get_header(connection, "Transfer-Encoding"))
        PROBLEM(&q, 501, NO_TRANSFER_ENCODING);
    else
        PROBLEM(&q, status, "%s",
                status == 400
                    ? "the request line, such as its method, or a header line is not valid HTTP/1.1"
                : status == 411 ? "a Content-Length in digits is needed"
                : message       ? message
                                : "the request was refused");
    answer(&q);
    return 0;
}

static void add_connection(const struct mg_connection *connection, int n)
{
    const struct http *s = listener_of(connection)->server;
    const int before = atomic_fetch_add(&s->service->counters.connections, n);
    atomic_store(&patience_scarce, 2 * (before + n) >= s->threads);
}

static int count_connection(const struct mg_connection *connection, void **data)
{
    (void)data;
    refused = false;
    patience.left = CONNECTION_SECONDS;
    patience_for(HEAD_SECONDS, true);
    add_connection(connection, 1);
    return 0;
}

// The library drops a request whose target is not a path without answering it, so answer it here, just
// before its connection is closed.
static void answer_last(const struct mg_connection *connection)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    if (info->request_uri && !info->local_uri_raw && !refused)
        begin_request((struct mg_connection *)connection);
}

static void forget_connection(const struct mg_connection *connection)
{
    add_connection(connection, -1);
}

static void end_thread(const struct mg_context *context, int type, void *data)
{
    (void)context, (void)type, (void)data;
    reply_release(&reply);
    reply_release(&packet);
}

static int check_host(const struct http *s, struct err *err)
{
    struct in_addr address;
    for (const char **name = s->allowed; name && *name; name++)
        if (host_name(*name) == 0 || (*name)[host_name(*name)] || strchr(*name, '*'))
            return err_set(err, "--allow-host %s: give a name without port or wildcard", *name);
    if (inet_pton(AF_INET, s->host, &address) != 1)
        return err_set(err, "--host %s: is not an IPv4 address", s->host);
    if (!*s->token && ntohl(address.s_addr) >> 24 != 127)
        return err_set(err,
                       "--host %s: without --token-file the server listens on loopback only "
                       "(127.0.0.1)",
                       s->host);
    return 0;
}

// The library's timeouts are longer than those of patience.c. It reads more of a head (64 KiB) than
// is accepted, so that its sender gets 431; the library itself would call it malformed.
static int start_library(struct http *s, struct listener *l, int64_t *number, int64_t n_threads,
                         struct err *err)
{
    char ports[64], threads[16], why[256] = "";
    const char *options[] = {
        "listening_ports", ports, "listen_backlog", "1024", "num_threads", threads,
        "max_request_size", "65536", "request_timeout_ms", "60000", "keep_alive_timeout_ms",
        "60000", "enable_keep_alive", "yes", "tcp_nodelay", "1", "decode_url", "no",
        "enable_directory_listing", "no",
        // Empty, so that the library answers no preflight by itself.
        "access_control_allow_origin", "", "access_control_allow_methods", "", NULL};
    const struct mg_callbacks callbacks = {.begin_request = begin_request,
                                           .http_error = http_error,
                                           .init_connection = count_connection,
                                           .connection_close = answer_last,
                                           .connection_closed = forget_connection,
                                           .exit_thread = end_thread};
    struct mg_init_data init = {&callbacks, l, options};
    struct mg_error_data error = {.text = why, .text_buffer_size = sizeof why};
    struct mg_server_port port;
    *l = (struct listener){.server = s, .health = number == &s->health_port};
    snprintf(ports, sizeof ports, "%s:%d", s->host, (int)*number);
    snprintf(threads, sizeof threads, "%d", (int)n_threads);
    l->context = mg_start2(&init, &error);
    if (!l->context)
        return err_set(err, "%s: cannot listen, is the port in use? Give another --%s (%s)", ports,
                       l->health ? "health-port" : "port", why);
    if (mg_get_server_ports(l->context, 1, &port) == 1)
        *number = port.port;
    return 0;
}

int http_start(struct http *s, struct err *err)
{
    uint64_t first;
    struct rlimit files;
    if (check_host(s, err))
        return -1;
    // A connection takes a descriptor, and the usual limit is below the number of threads.
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    randombytes_buf(&first, sizeof first);
    atomic_store(&next_id, first);
    s->openapi = openapi_text(s->service);
    s->report = report_page(NULL);
    if (s->health_port >= 0 &&
        start_library(s, &s->listeners[0], &s->health_port, HEALTH_THREADS, err))
        return -1;
    return start_library(s, &s->listeners[1], &s->port, s->threads, err);
}

// mg_stop cuts answers off that are being written, so wait until none is; new requests get 503
// meanwhile. The time is bounded, because a client may read its answer slowly.
void http_stop(struct http *s)
{
    atomic_store(&s->stopping, true);
    for (int ms = 0; ms < DRAIN_MS && atomic_load(&s->service->counters.in_flight) > 0; ms++)
        nanosleep(&(struct timespec){0, 1000 * 1000}, NULL);
    for (size_t i = 2; i-- > 0;)
        if (s->listeners[i].context)
            mg_stop(s->listeners[i].context);
    free(s->openapi);
    free(s->report);
}
