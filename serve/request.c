// CivetWeb parses leniently. This file refuses everything that two programs in a row could read
// differently (request smuggling), before anything is done with a request. Upgrade is ignored, so
// that clients that offer HTTP/2 get their answer in HTTP/1.1.
#include "serve/http.h"

#include "base/memory.h"

#include <sodium.h>
#include <strings.h>

enum { BODY_SECONDS = 2, MAX_HEADERS = 64, MAX_HEAD = 16 * 1024 };

// True if text is one or more of the allowed bytes and nothing else.
static bool consists_of(const char *text, const char *allowed)
{
    return *text && text[strspn(text, allowed)] == '\0';
}

static bool is_printable(const char *s)
{
    while (*s == '\t' || ((unsigned char)*s >= 0x20 && *s != 0x7f))
        s++;
    return *s == '\0';
}

// The library overwrites, in place, CR and LF of each line that it reads with 0, and the last byte
// of the head. So a line that ends in CR LF is followed by the next at a distance of two bytes;
// another distance shows a bare LF, or a line that the library skipped (a folded one, or one beyond
// the 64th). It overwrites a space before a colon, too.
//
// Return the end of the last line, which may be the end of what was read where the head does not
// end in CR LF; NULL where a line before it is not whole.
static const char *end_of_lines(const struct mg_request_info *info)
{
    const char *end = info->http_version + strlen(info->http_version);
    for (int i = 0; i < info->num_headers; i++) {
        const struct mg_header *h = &info->http_headers[i];
        const char *colon = h->name + strlen(h->name);
        if (h->name != end + 2 || (h->value > colon + 1 && colon[1] == '\0'))
            return NULL;
        end = h->value + strlen(h->value);
    }
    return end;
}

static int check_lines(struct request *q)
{
    const struct mg_request_info *info = q->info;
    if (info->num_headers >= MAX_HEADERS)
        return PROBLEM(q, 431, "more than %d header lines", MAX_HEADERS - 1);
    const char *end = end_of_lines(info);
    const size_t bytes = end ? (size_t)(end + 4 - info->request_method) : 0;
    if (bytes > MAX_HEAD) // the library's buffer may end there, so check it before reading end[3]
        return PROBLEM(q, 431, "the head has %zu bytes; send %d at most", bytes, MAX_HEAD);
    // Without a header line the library overwrites the whole end with 0, so a bare LF may pass: a
    // connection of HTTP/1.0 is closed then, and a head of HTTP/1.1 lacks its Host.
    if (!end || end[2] != (info->num_headers ? '\r' : '\0') || end[3] != '\0')
        return PROBLEM(q, 400, "every line of the head must end in CR LF, and none may be folded");
    return 0;
}

size_t host_name(const char *host)
{
    size_t n = strspn(host, ALPHANUMERIC "-._~!$&'()*+,;=");
    if (*host == '[') {
        n = 1 + strspn(host + 1, "0123456789ABCDEFabcdef:.");
        n = host[n] == ']' ? n + 1 : 0;
    }
    const char *port = host + n + (host[n] == ':');
    return port[strspn(port, "0123456789")] == '\0' ? n : 0;
}

static int check_header(struct request *q, const char *name, const char *value)
{
    // Blanks at the end of a value are no part of it. The library has skipped those before it.
    for (char *end = strchr(value, '\0'); end > value && end[-1] == ' ';)
        *--end = '\0';
    if (!consists_of(name, ALPHANUMERIC "!#$%&'*+-.^_`|~") || !is_printable(value))
        return PROBLEM(q, 400, "a header line has characters that are not allowed");
    if (strcasecmp(name, "Host") == 0) {
        if (host_name(value) == 0 || q->host)
            return PROBLEM(q, 400, "there must be exactly one Host header, NAME or NAME:PORT");
        q->host = value;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        if (q->length >= 0)
            return PROBLEM(q, 400, "Content-Length is given twice");
        if (!consists_of(value, "0123456789") || strlen(value) > 18)
            return PROBLEM(q, 400, "Content-Length is not a number of 1 to 18 digits");
        q->length = strtoll(value, NULL, 10);
    } else if (strcasecmp(name, "Expect") == 0) {
        if (strcasecmp(value, "100-continue") != 0)
            return PROBLEM(q, 417, "the only Expect is 100-continue");
    } else if (strcasecmp(name, "Connection") == 0) {
        q->close = q->close || strcasecmp(value, "keep-alive") != 0;
    }
    return 0;
}

// A target in absolute form is what clients send to proxies. Its host counts then, not the header
// (RFC 9112, section 3.2.2).
static int check_target(struct request *q)
{
    static const char scheme[] = "http://";
    const char *target = q->info->request_uri;
    if (strncasecmp(target, scheme, sizeof scheme - 1) == 0) {
        target += sizeof scheme - 1;
        const size_t n = strcspn(target, "/");
        snprintf(q->authority, sizeof q->authority, "%.*s", (int)n, target);
        q->host = n < sizeof q->authority ? q->authority : "";
        target += n;
    }
    char *query = strchr(target, '?'); // the library cuts it off where the target is a path
    if (query)
        *query = '\0';
    q->query = query ? query + 1 : q->info->query_string ? q->info->query_string : "";
    q->path = target;
    if (*target == '/' && !strchr(target, '%') && (!q->host || host_name(q->host) > 0))
        return 0;
    return PROBLEM(q, 400, "the request's target must be a path without %%, or http://HOST/PATH");
}

int request_check(struct request *q)
{
    const struct mg_request_info *info = q->info;
    // The library closes after a target that is no path.
    q->close = strcmp(info->http_version, "1.1") != 0 || !info->local_uri_raw;
    if (check_lines(q))
        return -1;
    for (int i = 0; i < info->num_headers; i++)
        if (check_header(q, info->http_headers[i].name, info->http_headers[i].value))
            return -1;
    if (mg_get_header(q->connection, "Transfer-Encoding")) {
        if (q->length >= 0)
            return PROBLEM(q, 400, "Transfer-Encoding and Content-Length exclude each other");
        return PROBLEM(q, 501, NO_TRANSFER_ENCODING);
    }
    // Some load balancers check health in HTTP/1.0, without a Host.
    if (!q->host && strcmp(info->http_version, "1.0") != 0)
        return PROBLEM(q, 400, "there must be exactly one Host header");
    if (check_target(q))
        return -1;
    // A client that forgets the length of a POST still sends its body.
    q->unread = q->length > 0 || (q->length < 0 && strcmp(info->request_method, "POST") == 0);
    return 0;
}

char *request_body(struct request *q)
{
    const size_t length = (size_t)q->length;
    char *body = xmalloc(length);
    patience_for(BODY_SECONDS, false);
    const bool told = !mg_get_header(q->connection, "Expect") || length == 0 ||
                      mg_write(q->connection, "HTTP/1.1 100 Continue\r\n\r\n", 25) == 25;
    const int got = told ? mg_read(q->connection, body, length) : 0;
    if (got != (int)length) {
        PROBLEM(q, 408, "of %zu bytes of the body %d arrived in %d seconds", length,
                got > 0 ? got : 0, BODY_SECONDS);
        free(body);
        return NULL;
    }
    q->unread = false;
    return body;
}

int token_read(char token[TOKEN_TEXT], const char *path, struct err *err)
{
    FILE *f = file_open(path, true, err);
    if (!f)
        return -1;
    memset(token, 0, TOKEN_TEXT);
    const size_t size = fread(token, 1, TOKEN_TEXT - 1, f), n = strcspn(token, "\r\n");
    fclose(f);
    const size_t line_break = strspn(token + n, "\r\n");
    memset(token + n, 0, line_break);
    if (n >= 16 && n <= 256 && n + line_break == size && consists_of(token, ALPHANUMERIC "-._~+/="))
        return 0;
    sodium_memzero(token, TOKEN_TEXT);
    return err_set(err,
                   "%s: a token is 16 to 256 letters, digits or -._~+/= on one line: head -c "
                   "24 /dev/urandom | base64",
                   path);
}

// The time depends on the length of what was sent, not on how much of it is right.
bool token_fits(const char *token, const char *header)
{
    static const char scheme[] = "Bearer ";
    if (!header || strncasecmp(header, scheme, sizeof scheme - 1) != 0)
        return false;
    header += sizeof scheme - 1;
    header += strspn(header, " ");
    const size_t n = strlen(token);
    return strlen(header) == n && sodium_memcmp(header, token, n) == 0;
}
