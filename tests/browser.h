// browser: Chromium without a screen, told what to do over WebDriver (W3C) by Debian's chromedriver,
// which is of the same source and version as the browser. One session at a time.
//
//     browser_start()                         a new profile in `folder`; tests/server.h comes first
//     browser_open("http://127.0.0.1:1234/")
//     browser_size(390, 844, true)            width, height, dark
//     browser_type("#amount", "12")           as a person would: what is covered cannot be reached
//     browser_click("#send")
//     browser_wait("document.title === 'x'")  until the expression is true; the test fails after WAIT_S
//     browser_number("innerWidth")            the value of an expression; also _is, and _text (to be freed)
//     browser_complaints(text, size)          errors and warnings of the console since the last call
//     browser_shoot("name")                   the whole page into build/screenshots/name.png
//     browser_end()                           as teardown too; does nothing where none runs
//
// Nothing waits for a fixed time. Any error fails the running test.
#ifndef TESTS_BROWSER_H
#define TESTS_BROWSER_H

#include "tests/server.h"

#include <sodium.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { WAIT_S = 60 };

static struct {
    pid_t pid; // of chromedriver; 0: none
    int port;
    char session[128]; // "/session/ID"; empty: none
} browser;

// ---- WebDriver ----

static inline bool browser_hear(int fd, char **text)
{
    size_t n = 0, size = 1 << 16, head = 0, length = 0;
    *text = calloc(1, size);
    while (*text && !(head && n >= head + length)) {
        struct pollfd p = {fd, POLLIN, 0};
        if (n + 1 == size && (*text = realloc(*text, size *= 2)) == NULL)
            return false;
        ssize_t k = poll(&p, 1, WAIT_S * 1000) == 1 ? recv(fd, *text + n, size - n - 1, 0) : 0;
        if (k <= 0)
            return false;
        (*text)[n += (size_t)k] = '\0';
        const char *end = head ? NULL : strstr(*text, "\r\n\r\n");
        const char *field = end ? strcasestr(*text, "\r\nContent-Length:") : NULL;
        if (field) {
            head = (size_t)(end - *text) + 4;
            length = strtoul(field + strlen("\r\nContent-Length:"), NULL, 10);
        }
    }
    if (*text)
        memmove(*text, *text + head, length + 1);
    return *text != NULL;
}

// The "value" of the answer, to be released; takes `body`. NULL where there is none, `error` says why.
static inline json_t *browser_try(const char *method, const char *path, json_t *body, char *error,
                                  size_t size)
{
    char head[512], *text = NULL, *data = body ? json_dumps(body, 0) : NULL;
    snprintf(head, sizeof head,
             "%s %s%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
             "Content-Length: %zu\r\n\r\n",
             method, browser.session, path, data ? strlen(data) : 0);
    int fd = dial(browser.port);
    say(fd, head, strlen(head));
    say(fd, data ? data : "", data ? strlen(data) : 0);
    json_t *json = browser_hear(fd, &text) ? json_loads(text, 0, NULL) : NULL;
    json_t *value = json_incref(json_object_get(json, "value"));
    const char *why = json_string_value(json_object_get(value, "error"));
    if (!value || why) {
        const char *more = json_string_value(json_object_get(value, "message"));
        snprintf(error, size, "%s %s: %s %.1000s", method, path, why ? why : "no answer",
                 more ? more : "");
        json_decref(value);
        value = NULL;
    }
    close(fd);
    free(text);
    free(data);
    json_decref(body);
    json_decref(json);
    return value;
}

static inline json_t *browser_do(const char *method, const char *path, json_t *body)
{
    char error[1200];
    json_t *value = browser_try(method, path, body, error, sizeof error);
    if (!value)
        fail_msg("browser: %s", error);
    return value;
}

// Of Chrome's own protocol.
static inline json_t *browser_cdp(const char *command, json_t *parameters)
{
    return browser_do("POST", "/goog/cdp/execute",
                      json_pack("{s:s, s:o}", "cmd", command, "params", parameters));
}

// ---- start and end ----

static inline void browser_exec(int out)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM); // a test that is killed leaves nothing behind
    dup2(out, STDOUT_FILENO);
    if (!freopen("/dev/null", "w", stderr))
        _exit(127);
    execlp("chromedriver", "chromedriver", "--port=0", (char *)NULL);
    _exit(127);
}

// chromedriver tells its port in a line of its own.
static inline void browser_port(int fd)
{
    char text[4096] = "";
    size_t n = 0;
    struct pollfd p = {fd, POLLIN, 0};
    const char *at = NULL;
    while (!at && n + 1 < sizeof text && poll(&p, 1, WAIT_S * 1000) == 1) {
        ssize_t k = read(fd, text + n, 1);
        if (k <= 0)
            break;
        text[++n] = '\0';
        at = text[n - 1] == '\n' ? strstr(text, "successfully on port ") : NULL;
    }
    browser.port = at ? (int)strtol(at + strlen("successfully on port "), NULL, 10) : 0;
    if (browser.port == 0)
        fail_msg("chromedriver did not start: '%s'", text);
}

static inline void browser_start(void)
{
    int fds[2];
    char profile[300];
    assert_int_equal(pipe(fds), 0);
    browser.session[0] = '\0';
    browser.pid = fork();
    assert_true(browser.pid >= 0);
    if (browser.pid == 0)
        browser_exec(fds[1]);
    close(fds[1]);
    browser_port(fds[0]);
    close(fds[0]);
    snprintf(profile, sizeof profile, "--user-data-dir=%s/profile", folder);
    json_t *session =
        browser_do("POST", "/session",
                   json_pack("{s:{s:{s:{s:s}, s:{s:[s, s, s, s, s]}}}}", "capabilities",
                             "alwaysMatch", "goog:loggingPrefs", "browser", "ALL",
                             "goog:chromeOptions", "args", "--headless=new", "--no-sandbox",
                             "--disable-dev-shm-usage", "--hide-scrollbars", profile));
    snprintf(browser.session, sizeof browser.session, "/session/%s",
             json_string_value(json_object_get(session, "sessionId")));
    json_decref(session);
}

static inline int browser_end(void **state)
{
    char error[1200];
    (void)state;
    if (browser.pid <= 0)
        return 0;
    if (browser.session[0]) // ends the browser itself
        json_decref(browser_try("DELETE", "", NULL, error, sizeof error));
    kill(browser.pid, SIGTERM);
    waitpid(browser.pid, NULL, 0);
    memset(&browser, 0, sizeof browser);
    return run("rm -rf '%s/profile'", folder);
}

// ---- looking ----

static inline json_t *browser_value(const char *expression)
{
    char script[4096];
    int n = snprintf(script, sizeof script, "return %s", expression);
    assert_true(n > 0 && (size_t)n < sizeof script);
    return browser_do("POST", "/execute/sync", json_pack("{s:s, s:[]}", "script", script, "args"));
}

static inline double browser_number(const char *expression)
{
    json_t *value = browser_value(expression);
    if (!json_is_number(value))
        fail_msg("not a number: %s", expression);
    double x = json_number_value(value);
    json_decref(value);
    return x;
}

static inline bool browser_is(const char *expression)
{
    json_t *value = browser_value(expression);
    bool is = json_is_true(value);
    json_decref(value);
    return is;
}

static inline char *browser_text(const char *expression)
{
    json_t *value = browser_value(expression);
    char *text = json_is_string(value) ? strdup(json_string_value(value)) : NULL;
    if (!text)
        fail_msg("not a text: %s", expression);
    json_decref(value);
    return text;
}

static inline void browser_wait(const char *expression)
{
    for (int ms = 0; ms < WAIT_S * 1000; ms += 50) {
        if (browser_is(expression))
            return;
        poll(NULL, 0, 50);
    }
    char *page = browser_text("document.body.innerText.slice(0, 1500)");
    fail_msg("in %d s it did not become true: %s; the page:\n%s", WAIT_S, expression, page);
}

// How many, and their texts.
static inline size_t browser_complaints(char *text, size_t size)
{
    size_t i, n = 0, length = 0;
    json_t *entry, *log = browser_do("POST", "/se/log", json_pack("{s:s}", "type", "browser"));
    text[0] = '\0';
    json_array_foreach(log, i, entry)
    {
        const char *level = json_string_value(json_object_get(entry, "level"));
        if (strcmp(level, "SEVERE") != 0 && strcmp(level, "WARNING") != 0)
            continue;
        n++;
        if (length + 1 < size)
            length += (size_t)snprintf(text + length, size - length, "%s\n",
                                       json_string_value(json_object_get(entry, "message")));
    }
    json_decref(log);
    return n;
}

static inline void browser_shoot(const char *name)
{
    char path[300];
    size_t n = 0;
    json_t *shot = browser_cdp("Page.captureScreenshot", json_pack("{s:s, s:b}", "format", "png",
                                                                   "captureBeyondViewport", 1));
    const char *text = json_string_value(json_object_get(shot, "data"));
    assert_non_null(text);
    unsigned char *png = malloc(strlen(text));
    assert_non_null(png);
    assert_int_equal(sodium_base642bin(png, strlen(text), text, strlen(text), NULL, &n, NULL,
                                       sodium_base64_VARIANT_ORIGINAL),
                     0);
    mkdir("build/screenshots", 0777);
    snprintf(path, sizeof path, "build/screenshots/%s.png", name);
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(png, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    free(png);
    json_decref(shot);
}

// ---- doing ----

static inline void browser_open(const char *url)
{
    json_decref(browser_do("POST", "/url", json_pack("{s:s}", "url", url)));
}

static inline void browser_size(int width, int height, bool dark)
{
    json_decref(browser_cdp("Emulation.setDeviceMetricsOverride",
                            json_pack("{s:i, s:i, s:i, s:b}", "width", width, "height", height,
                                      "deviceScaleFactor", 1, "mobile", width < 600)));
    json_decref(browser_cdp("Emulation.setEmulatedMedia",
                            json_pack("{s:[{s:s, s:s}]}", "features", "name",
                                      "prefers-color-scheme", "value", dark ? "dark" : "light")));
}

static inline void browser_element(const char *selector, const char *action, json_t *body)
{
    char path[256];
    json_t *element = browser_do(
        "POST", "/element", json_pack("{s:s, s:s}", "using", "css selector", "value", selector));
    void *id = json_object_iter(element);
    snprintf(path, sizeof path, "/element/%s/%s", json_string_value(json_object_iter_value(id)),
             action);
    json_decref(element);
    json_decref(browser_do("POST", path, body));
}

static inline void browser_click(const char *selector)
{
    browser_element(selector, "click", json_object());
}

// In place of what stands there.
static inline void browser_type(const char *selector, const char *text)
{
    browser_element(selector, "clear", json_object());
    browser_element(selector, "value", json_pack("{s:s}", "text", text));
}

#endif
