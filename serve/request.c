// The strict reading of a request's head, and of its body against a deadline.
#include "serve/request.h"

#include <string.h>
#include <strings.h>
#include <time.h>

// The library waits up to LIBRARY_TIMEOUT_MS for every byte that is missing from a piece, so a
// client that trickles holds a worker for BODY_SECONDS + PIECE * LIBRARY_TIMEOUT_MS and no longer.
// What arrived with the head, most bodies, costs no system call.
enum { PIECE = 8, MAX_HEADERS = 64 };

#define REFUSE(r, status, ...) reply_problem(r, status, NULL, -1, __VA_ARGS__)

static bool is_token(const char *s)
{
    static const char marks[] = "!#$%&'*+-.^_`|~";
    if (!*s)
        return false;
    for (; *s; s++) {
        bool letter = (*s >= 'a' && *s <= 'z') || (*s >= 'A' && *s <= 'Z');
        if (!letter && !(*s >= '0' && *s <= '9') && !strchr(marks, *s))
            return false;
    }
    return true;
}

static bool is_printable(const char *s)
{
    for (; *s; s++)
        if (((unsigned char)*s < 0x20 && *s != '\t') || *s == 0x7f)
            return false;
    return true;
}

// The library puts a 0 byte over the CR and one over the LF of each line that it has read, in place,
// and one over the last byte of the head. So lines that end in CRLF stand two bytes apart, and the
// last is followed by the CR of the empty line: a bare LF, or a line that the library passed over
// (a folded one, or one beyond the 64th), shows as another distance. A space before the colon was
// made 0 and then the colon too.
//
// Returns the end of the last line, which may be the end of what the library has read of a head that
// does not end in CRLF; NULL where some line before it is not whole.
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

// Parse 1 to 18 digits.
static int parse_length(const char *text, int64_t *length)
{
    size_t n = strspn(text, "0123456789");
    if (n == 0 || n > 18 || text[n] != '\0')
        return -1;
    *length = 0;
    for (size_t i = 0; i < n; i++)
        *length = *length * 10 + (text[i] - '0');
    return 0;
}

static int check_target(const struct mg_request_info *info, struct reply *r)
{
    if (!info->request_uri || info->request_uri[0] != '/')
        return REFUSE(r, 400, "the request's target must begin with '/'");
    if (strchr(info->request_uri, '%'))
        return REFUSE(r, 400, "no path here has a '%%' in it");
    return 0;
}

static int check_header(struct request *q, const struct mg_header *h, int *hosts, struct reply *r)
{
    if (!is_token(h->name) || !is_printable(h->value))
        return REFUSE(r, 400, "a header line has characters that are not allowed");
    if (strcasecmp(h->name, "Host") == 0) {
        *hosts += *h->value ? 1 : 2; // an empty one is as bad as a second one
    } else if (strcasecmp(h->name, "Content-Length") == 0) {
        if (q->length >= 0)
            return REFUSE(r, 400, "Content-Length is given twice");
        if (parse_length(h->value, &q->length))
            return REFUSE(r, 400, "Content-Length is not a number of 1 to 18 digits");
    } else if (strcasecmp(h->name, "Upgrade") == 0) {
        return REFUSE(r, 400, "no Upgrade is offered; leave the header out");
    } else if (strcasecmp(h->name, "Expect") == 0) {
        if (strcasecmp(h->value, "100-continue") != 0)
            return REFUSE(r, 417, "the only Expect is 100-continue");
        q->expects = true;
    } else if (strcasecmp(h->name, "Connection") == 0) {
        q->close = q->close || strcasecmp(h->value, "keep-alive") != 0;
    }
    return 0;
}

static int check_encoding(const struct request *q, const struct mg_request_info *info,
                          struct reply *r)
{
    for (int i = 0; i < info->num_headers; i++) {
        if (strcasecmp(info->http_headers[i].name, "Transfer-Encoding") != 0)
            continue;
        if (q->length >= 0)
            return REFUSE(r, 400, "Transfer-Encoding and Content-Length exclude each other");
        return REFUSE(r, 501, "no Transfer-Encoding is understood; send a Content-Length");
    }
    return 0;
}

int request_check(struct request *q, const struct mg_request_info *info, struct reply *r)
{
    int hosts = 0;
    *q = (struct request){.length = -1, .unread = true}; // until it is known better
    q->close = strcmp(info->http_version, "1.1") != 0;
    if (info->num_headers >= MAX_HEADERS)
        return REFUSE(r, 431, "more than %d header lines", MAX_HEADERS - 1);
    const char *end = end_of_lines(info);
    const size_t bytes = end ? (size_t)(end + 4 - info->request_method) : 0;
    if (bytes > MAX_HEAD) // and behind the end there may be no more of the library's buffer
        return REFUSE(r, 431, "the head has %zu bytes; send %d at most", bytes, MAX_HEAD);
    // Without a header line the library puts 0 bytes over all of the end, and what a bare LF ended may pass:
    // behind a head of HTTP/1.0 the connection is closed, and one of HTTP/1.1 lacks its Host.
    if (!end || end[2] != (info->num_headers ? '\r' : '\0') || end[3] != '\0')
        return REFUSE(r, 400, "every line of the head must end in CR LF, and none may be folded");
    for (int i = 0; i < info->num_headers; i++)
        if (check_header(q, &info->http_headers[i], &hosts, r))
            return -1;
    if (check_encoding(q, info, r) || check_target(info, r))
        return -1;
    // Only HTTP/1.0, as of some balancers' health checks, goes without.
    if (hosts > 1 || (hosts == 0 && strcmp(info->http_version, "1.0") != 0))
        return REFUSE(r, 400, "there must be exactly one Host header");
    // Who forgets the length of a POST still sends its body.
    q->unread = q->length > 0 || (q->length < 0 && strcmp(info->request_method, "POST") == 0);
    return 0;
}

// Seconds, some milliseconds late, at a tenth of the exact clock's price: it is read for each piece.
static double seconds_about(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int request_body(struct request *q, struct mg_connection *connection, char *body, struct reply *r)
{
    size_t length = (size_t)q->length, got = 0;
    const double deadline = seconds_about() + BODY_SECONDS;
    if (q->expects && length > 0)
        mg_write(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    while (got < length) {
        size_t piece = length - got < PIECE ? length - got : PIECE;
        int k = mg_read(connection, body + got, piece);
        got += k > 0 ? (size_t)k : 0;
        if (got < length && (k < (int)piece || seconds_about() > deadline))
            return REFUSE(r, 408, "of %zu bytes of the body %zu arrived in %d seconds", length, got,
                          BODY_SECONDS);
    }
    q->unread = false;
    return 0;
}
