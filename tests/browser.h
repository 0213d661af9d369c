// browser: Chromium without a screen, controlled over WebDriver (W3C) by Debian's chromedriver. One
// session at a time.
//
//     browser_start()                         a new profile in the server's `folder`
//     browser_open("http://127.0.0.1:1234/")
//     browser_size(390, 844, true)            width, height, dark
//     browser_type("#amount", "12")           like a person: a covered element cannot be reached
//     browser_click("#send")
//     browser_wait("document.title === 'x'")  until it is true; the test fails after WAIT_MS
//     browser_is("innerWidth === 390")        whether the expression is true
//     browser_value("document.title")         its value, to be released; _run: of a function's body
//     browser_complaints(text, size)          errors and warnings in the console since the last
//     browser_end()                           as teardown too; does nothing if none runs
//
// Nothing waits for a fixed time. Any error fails the running test.
#ifndef TESTS_BROWSER_H
#define TESTS_BROWSER_H

#include "tests/server.h"

#include <jansson.h>
#include <sys/prctl.h>

static struct {
    pid_t pid; // of chromedriver; 0: none
    int port;
    char session[128]; // "/session/ID"; empty: none
} browser;

// ---- WebDriver ----

// The "value" of the answer, to be released; takes `body`. On an error NULL, and `error` says why.
static inline json_t *browser_try(const char *method, const char *path, json_t *body, char *error,
                                  size_t size)
{
    char head[512], *data = json_dumps(body, 0);
    struct answer a;
    json_t *json = NULL;
    int n = snprintf(head, sizeof head,
                     "%s %s%s HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                     "Content-Length: %zu\r\n\r\n",
                     method, browser.session, path, strlen(data));
    int fd = dial(browser.port);
    say(fd, head, (size_t)n);
    say(fd, data, strlen(data));
    if (try_hear(fd, &a, true) == 0)
        json = json_loadb(a.text, a.n, 0, NULL);
    json_t *value = json_incref(json_object_get(json, "value"));
    if (!value || json_object_get(value, "error")) {
        snprintf(error, size, "%s %s: %.1000s", method, path, a.text ? a.text : "no answer");
        json_decref(value);
        value = NULL;
    }
    close(fd);
    free(data);
    answer_free(&a);
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

// A command of Chrome's own protocol.
static inline void browser_cdp(const char *command, json_t *parameters)
{
    json_decref(browser_do("POST", "/goog/cdp/execute",
                           json_pack("{s:s, s:o}", "cmd", command, "params", parameters)));
}

// ---- start and end ----

static inline void browser_exec(int out)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM); // if the test is killed
    dup2(out, STDOUT_FILENO);
    if (freopen("/dev/null", "w", stderr))
        execlp("chromedriver", "chromedriver", "--port=0", (char *)NULL);
    _exit(127);
}

static inline void browser_start(void)
{
    static const char words[] = "successfully on port ";
    char line[4096] = "", profile[300];
    const char *at = NULL;
    int fds[2];
    assert_int_equal(pipe(fds), 0);
    memset(&browser, 0, sizeof browser);
    browser.pid = fork();
    if (browser.pid == 0)
        browser_exec(fds[1]);
    close(fds[1]);
    FILE *f = fdopen(fds[0], "r");
    while (!at && fgets(line, sizeof line, f))
        at = strstr(line, words);
    fclose(f);
    browser.port = at ? (int)strtol(at + strlen(words), NULL, 10) : 0;
    assert_int_not_equal(browser.port, 0);
    snprintf(profile, sizeof profile, "--user-data-dir=%s/profile", folder);
    json_t *session = browser_do(
        "POST", "/session",
        json_pack("{s:{s:{s:{s:s}, s:{s:[s, s, s, s, s, s, s, s, s, s]}}}}", "capabilities",
                  "alwaysMatch", "goog:loggingPrefs", "browser", "ALL", "goog:chromeOptions",
                  "args", "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic",
                  "--no-first-run", "--disable-background-networking", "--disable-component-update",
                  "--disable-sync", "--disable-dev-shm-usage", profile));
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
    if (browser.session[0]) // ends Chromium, too
        json_decref(browser_try("DELETE", "", json_object(), error, sizeof error));
    kill(browser.pid, SIGTERM);
    waitpid(browser.pid, NULL, 0);
    browser.pid = 0;
    return 0;
}

// ---- looking ----

static inline json_t *browser_run(const char *script)
{
    return browser_do("POST", "/execute/sync", json_pack("{s:s, s:[]}", "script", script, "args"));
}

static inline json_t *browser_value(const char *expression)
{
    char script[1024];
    snprintf(script, sizeof script, "return %s", expression);
    return browser_run(script);
}

static inline bool browser_is(const char *expression)
{
    json_t *value = browser_value(expression);
    bool is = json_is_true(value);
    json_decref(value);
    return is;
}

static inline void browser_wait(const char *expression)
{
    for (int ms = 0; ms < WAIT_MS; ms += 50) {
        if (browser_is(expression))
            return;
        poll(NULL, 0, 50);
    }
    json_t *page = browser_value("document.body.innerText.slice(0, 1500)");
    fail_msg("it did not become true: %s; the page:\n%s", expression, json_string_value(page));
}

// Their number, and the first texts.
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

// ---- doing ----

static inline void browser_open(const char *url)
{
    json_decref(browser_do("POST", "/url", json_pack("{s:s}", "url", url)));
}

static inline void browser_size(int width, int height, bool dark)
{
    browser_cdp("Emulation.setDeviceMetricsOverride",
                json_pack("{s:i, s:i, s:i, s:b}", "width", width, "height", height,
                          "deviceScaleFactor", 1, "mobile", width < 600));
    browser_cdp("Emulation.setEmulatedMedia",
                json_pack("{s:[{s:s, s:s}]}", "features", "name", "prefers-color-scheme", "value",
                          dark ? "dark" : "light"));
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

// Replaces the text of the field.
static inline void browser_type(const char *selector, const char *text)
{
    browser_element(selector, "clear", json_object());
    browser_element(selector, "value", json_pack("{s:s}", "text", text));
}

#endif
