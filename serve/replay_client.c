// One easy handle per call, all in one multi handle; a timer's descriptor beside their sockets,
// because curl_multi_poll counts milliseconds and a rate of thousands a second does not.
#include "serve/replay_client.h"

#include "base/progress.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

static const double first_backoff = 0.05, longest_backoff = 1;

// ---- the library ----------------------------------------------------------------------------------

int replay_client_url(const char *url, struct err *err)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *query = NULL, *fragment = NULL;
    bool good = parts && curl_url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
                curl_url_get(parts, CURLUPART_QUERY, &query, 0) != CURLUE_OK &&
                curl_url_get(parts, CURLUPART_FRAGMENT, &fragment, 0) != CURLUE_OK;
    curl_free(scheme);
    curl_free(query);
    curl_free(fragment);
    curl_url_cleanup(parts);
    return good ? 0 : err_set(err, "--url: '%s' is not an address like http://127.0.0.1:8080", url);
}

static size_t on_answer(char *data, size_t size, size_t n, void *arg)
{
    struct call *call = arg;
    if (size * n > ANSWER_LIMIT - call->answer.n)
        return 0; // which ends the transfer with an error
    reply_bytes(&call->answer, data, size * n);
    return call->answer.failed ? 0 : size * n;
}

static int set_headers(struct replay_client *c, struct err *err)
{
    char authorization[512];
    struct curl_slist *type = curl_slist_append(NULL, "Content-Type: application/json");
    struct curl_slist *expect = type ? curl_slist_append(type, "Expect:") : NULL;
    c->headers = expect ? expect : type;
    int n = snprintf(authorization, sizeof authorization, "Authorization: Bearer %s",
                     c->settings.token ? c->settings.token : "");
    if (expect && c->settings.token && n > 0 && (size_t)n < sizeof authorization)
        expect = curl_slist_append(expect, authorization);
    return expect ? 0 : err_set(err, "out of memory");
}

static int set_call(struct replay_client *c, struct call *call, struct err *err)
{
    CURL *e = call->easy = curl_easy_init();
    if (!e || curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) ||
        curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers) ||
        curl_easy_setopt(e, CURLOPT_USERAGENT, "assay-replay") ||
        curl_easy_setopt(e, CURLOPT_PROXY, "") || curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) ||
        curl_easy_setopt(e, CURLOPT_TIMEOUT, (long)ANSWER_SECONDS) ||
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_answer) ||
        curl_easy_setopt(e, CURLOPT_WRITEDATA, call) ||
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, call->why) ||
        curl_easy_setopt(e, CURLOPT_PRIVATE, call))
        return err_set(err, "out of memory for a connection");
    return 0;
}

int replay_client_open(struct replay_client *c, const struct replay_client_settings *settings,
                       struct err *err)
{
    *c = (struct replay_client){.settings = *settings,
                                .timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC),
                                .calls = calloc(settings->connections, sizeof *c->calls)};
    int rc = 0;
    if (c->timer < 0)
        rc = err_sys(err, "cannot make a timer");
    else if (curl_global_init(CURL_GLOBAL_DEFAULT) || !(c->multi = curl_multi_init()) || !c->calls)
        rc = err_set(err, "out of memory for %zu connections", settings->connections);
    else
        rc = set_headers(c, err);
    for (size_t i = 0; i < settings->connections && rc == 0; i++) {
        c->calls[i].index = i;
        rc = set_call(c, &c->calls[i], err);
    }
    if (rc == 0) {
        curl_multi_setopt(c->multi, CURLMOPT_MAXCONNECTS, (long)settings->connections);
        c->settings.token = NULL; // it is in the headers
        return 0;
    }
    replay_client_release(c);
    return -1;
}

static void call_release(struct replay_client *c, struct call *call)
{
    if (call->state == CALL_SENT)
        curl_multi_remove_handle(c->multi, call->easy);
    curl_easy_cleanup(call->easy);
    reply_release(&call->body);
    reply_release(&call->answer);
}

void replay_client_release(struct replay_client *c)
{
    for (size_t i = 0; c->calls && i < c->settings.connections; i++)
        call_release(c, &c->calls[i]);
    free(c->calls);
    curl_slist_free_all(c->headers);
    if (c->multi) {
        curl_multi_cleanup(c->multi);
        curl_global_cleanup();
    }
    if (c->timer >= 0)
        close(c->timer);
    *c = (struct replay_client){.timer = -1};
}

// ---- calls ----------------------------------------------------------------------------------------

struct call *replay_client_take(struct replay_client *c)
{
    for (size_t i = 0; i < c->settings.connections; i++)
        if (c->calls[i].state == CALL_FREE) {
            c->calls[i].state = CALL_TAKEN;
            c->taken++;
            return &c->calls[i];
        }
    return NULL;
}

void replay_client_give(struct replay_client *c, struct call *call)
{
    call->state = CALL_FREE;
    c->taken--;
}

static int begin(struct replay_client *c, struct call *call, struct err *err)
{
    reply_reset(&call->answer);
    call->why[0] = '\0';
    call->status = 0;
    if (curl_multi_add_handle(c->multi, call->easy))
        return err_set(err, "cannot begin a request");
    call->state = CALL_SENT;
    return 0;
}

int replay_client_send(struct replay_client *c, struct call *call, const char *path,
                       struct err *err)
{
    char url[2048];
    const char *base = c->settings.url;
    size_t n = strlen(base);
    while (n > 0 && base[n - 1] == '/')
        n--;
    int length = snprintf(url, sizeof url, "%.*s%s", (int)n, base, path);
    if (length < 0 || (size_t)length >= sizeof url)
        return err_set(err, "--url: longer than %zu bytes", sizeof url);
    if (call->body.failed || curl_easy_setopt(call->easy, CURLOPT_URL, url) ||
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n) ||
        curl_easy_setopt(call->easy, CURLOPT_POSTFIELDS, call->body.text))
        return err_set(err, "out of memory for a request");
    call->first = seconds_now();
    call->backoff = first_backoff;
    return begin(c, call, err);
}

// ---- answers --------------------------------------------------------------------------------------

// Whether the call is to be sent again, and when.
static bool plan_again(const struct replay_client *c, struct call *call)
{
    curl_off_t after = 0;
    const double now = seconds_now(), left = call->first + c->settings.retry - now;
    double wait = fmin(call->backoff, left);
    if (left <= 0 || (call->status != 0 && call->status != 503 && call->status != 429))
        return false;
    if (call->status != 0 &&
        curl_easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &after) == CURLE_OK &&
        (double)after > wait)
        wait = (double)after;
    call->again = now + wait;
    call->backoff = fmin(2 * call->backoff, longest_backoff);
    return wait <= left;
}

static void end(struct replay_client *c, CURL *easy, CURLcode code)
{
    struct call *call = NULL;
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &call);
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    curl_multi_remove_handle(c->multi, easy);
    call->status = code == CURLE_OK ? (int)status : 0;
    if (code != CURLE_OK && !*call->why)
        snprintf(call->why, sizeof call->why, "%s", curl_easy_strerror(code));
    call->state = plan_again(c, call) ? CALL_WAITS : CALL_ENDED;
}

static struct call *first_ended(struct replay_client *c)
{
    for (size_t i = 0; i < c->settings.connections; i++)
        if (c->calls[i].state == CALL_ENDED)
            return &c->calls[i];
    return NULL;
}

// Send again what is due, and say whether anything was; *next becomes the time of the next one if
// that is earlier.
static int send_again(struct replay_client *c, double *next, bool *sent, struct err *err)
{
    double now = seconds_now();
    *sent = false;
    for (size_t i = 0; i < c->settings.connections; i++) {
        struct call *call = &c->calls[i];
        if (call->state == CALL_WAITS && call->again <= now) {
            c->again++;
            *sent = true;
            if (begin(c, call, err))
                return -1;
        } else if (call->state == CALL_WAITS) {
            *next = fmin(*next, call->again);
        }
    }
    return 0;
}

static int perform(struct replay_client *c, struct err *err)
{
    int running, left;
    CURLMcode code = curl_multi_perform(c->multi, &running);
    if (code)
        return err_set(err, "cannot send requests: %s", curl_multi_strerror(code));
    for (CURLMsg *m; (m = curl_multi_info_read(c->multi, &left));)
        if (m->msg == CURLMSG_DONE)
            end(c, m->easy_handle, m->data.result);
    return 0;
}

// Until a socket has news or the moment comes.
static int sleep_until(struct replay_client *c, double moment, struct err *err)
{
    struct curl_waitfd timer = {.fd = c->timer, .events = CURL_WAIT_POLLIN};
    struct itimerspec when = {0};
    const bool timed = moment < INFINITY;
    if (timed) {
        double whole = floor(moment);
        when.it_value.tv_sec = (time_t)whole;
        when.it_value.tv_nsec = (long)((moment - whole) * 1e9) + 1;
        if (when.it_value.tv_nsec > 999999999)
            when.it_value.tv_nsec = 999999999;
        if (timerfd_settime(c->timer, TFD_TIMER_ABSTIME, &when, NULL))
            return err_sys(err, "cannot set a timer");
    }
    CURLMcode code = curl_multi_poll(c->multi, &timer, timed, 1000, NULL);
    return code ? err_set(err, "cannot wait for answers: %s", curl_multi_strerror(code)) : 0;
}

int replay_client_wait(struct replay_client *c, double until, struct call **ended, struct err *err)
{
    for (;;) {
        double next = until;
        if (perform(c, err))
            return -1;
        if ((*ended = first_ended(c)) || seconds_now() >= until)
            return 0;
        bool sent;
        if (send_again(c, &next, &sent, err))
            return -1;
        if (!sent && sleep_until(c, next, err)) // after a perform, which may have put calls off
            return -1;
    }
}
