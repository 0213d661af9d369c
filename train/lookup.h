// lookup: numbers and texts of metrics.json (train/results.h), for those who show them.
//
// What is missing is NAN, "-" or NULL. Everything is borrowed from the object.
#ifndef TRAIN_LOOKUP_H
#define TRAIN_LOOKUP_H

#include <jansson.h>
#include <math.h>
#include <stddef.h>

static inline double value_of(const json_t *j)
{
    return json_is_number(j) ? json_number_value(j) : NAN;
}

static inline double value(const json_t *object, const char *key)
{
    return value_of(json_object_get(object, key));
}

static inline const char *text(const json_t *object, const char *key)
{
    const char *t = json_string_value(json_object_get(object, key));
    return t ? t : "-";
}

static inline const json_t *get(const json_t *object, const char *a, const char *b)
{
    return json_object_get(json_object_get(object, a), b);
}

// NULL behind the last.
static inline const json_t *item(const json_t *object, const char *key, size_t i)
{
    return json_array_get(json_object_get(object, key), i);
}

#endif
