// Any bytes as a number, a time and UTF-8: numbers must have strtod's bits.
#include "base/value.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

// The promise of value_number: the text has the characters of a decimal number, and strtod agrees
// that they are one, to their end.
static int strtod_alone(const char *text, size_t n, double *value)
{
    char *end;
    if (n == 0 || strspn(text, "0123456789+-.eE") != n)
        return -1;
    *value = strtod(text, &end);
    return end == text + n && isfinite(*value) ? 0 : -1;
}

static void check_time(const char *text, size_t n)
{
    static const char *const formats[] = {"epoch", "epoch_ms", "%Y-%m-%dT%H:%M:%S%z",
                                          "%d.%m.%Y %H:%M:%S.%f", "%b %d, %y %I:%M %p"};
    struct err err;
    int64_t t;
    for (int i = 0; i < 5; i++)
        if (time_format_check(formats[i], &err) ||
            (value_time(formats[i], text, n, &t) == 0 && (t < -62135700000 || t > 253402400000)))
            abort();
    if (time_format_check(text, &err) == 0)
        value_time(text, text, n, &t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    double value = 0, expected = 0;
    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    int rc = value_number(text, size, &value);
    uint64_t bits, expected_bits;
    int expected_rc = strtod_alone(text, size, &expected);
    memcpy(&bits, &value, sizeof bits);
    memcpy(&expected_bits, &expected, sizeof expected_bits);
    if (rc != expected_rc || (rc == 0 && bits != expected_bits))
        abort();
    // Plain numbers are plain in every writing with a decimal point.
    const char marks[] = ".,' ", thousands = marks[size % 4], *strip = size % 3 ? "$%" : NULL;
    if (rc == 0 && (value_number_as(text, size, '.', thousands, strip, &expected) ||
                    value != expected || signbit(value) != signbit(expected)))
        abort();
    if (value_number_as(text, size, ',', thousands, strip, &value) == 0 && !isfinite(value))
        abort();
    check_time(text, size);
    value_utf8(text, size);
    free(text);
    return 0;
}
