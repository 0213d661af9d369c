// asking: a small service is asked for decisions, and its answers are read as JSON.
#ifndef TESTS_ASKING_H
#define TESTS_ASKING_H

#include "tests/small_fixture.h"

#define BASE "\"id\":\"T1\",\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"596\""

static inline const json_t *ask_bytes(struct fixture *f, const char *body, size_t n)
{
    predict(&f->small.service, body, n, &f->reply);
    return take_answer(f);
}

static inline const json_t *ask(struct fixture *f, const char *body)
{
    return ask_bytes(f, body, strlen(body));
}

static inline double number(const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    assert_true(json_is_number(v));
    return json_number_value(v);
}

static inline const char *text(const json_t *object, const char *name)
{
    const char *s = json_string_value(json_object_get(object, name));
    assert_non_null(s);
    return s;
}

#endif
