// json_schema: does a value fit a schema of an OpenAPI 3.1 document? As much of JSON Schema 2020-12
// as serve/openapi.json uses; an unknown keyword fails the test, so none is passed over.
#ifndef TESTS_JSON_SCHEMA_H
#define TESTS_JSON_SCHEMA_H

#include <jansson.h>
#include <math.h>
#include <regex.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

// "#/components/schemas/X" in the document, or the object itself where it is no reference.
static inline json_t *schema_follow(json_t *document, json_t *object)
{
    const char *ref = json_string_value(json_object_get(object, "$ref"));
    json_t *at = document;
    if (!ref)
        return object;
    for (const char *p = ref + 1; *p; p += strcspn(p, "/")) {
        char name[64];
        p++;
        snprintf(name, sizeof name, "%.*s", (int)strcspn(p, "/"), p);
        at = json_object_get(at, name);
    }
    if (!at)
        fail_msg("%s is nowhere", ref);
    return at;
}

static inline bool schema_fits(json_t *document, json_t *schema, json_t *v);

static inline bool schema_type_fits(json_t *types, json_t *v)
{
    size_t i;
    json_t *t;
    json_array_foreach(types, i, t)
    {
        if (schema_type_fits(t, v))
            return true;
    }
    const char *type = json_is_string(types) ? json_string_value(types) : "";
    const double x = json_number_value(v);
    return (strcmp(type, "integer") == 0 && json_is_number(v) && floor(x) == x) ||
           (strcmp(type, "object") == 0 && json_is_object(v)) ||
           (strcmp(type, "array") == 0 && json_is_array(v)) ||
           (strcmp(type, "string") == 0 && json_is_string(v)) ||
           (strcmp(type, "number") == 0 && json_is_number(v)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(v)) ||
           (strcmp(type, "null") == 0 && json_is_null(v));
}

static inline bool schema_pattern_fits(const char *pattern, json_t *v)
{
    regex_t regex;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    const bool fits = regexec(&regex, json_string_value(v), 0, NULL, 0) == 0;
    regfree(&regex);
    return fits;
}

// How many of the array's elements are: what `required` names as members of v (v an object), schemas
// that v fits, or values that equal v; how: the keyword.
static inline size_t schema_count(json_t *document, const char *how, json_t *array, json_t *v)
{
    size_t i, n = 0;
    json_t *x;
    json_array_foreach(array, i, x)
    {
        n += strcmp(how, "required") == 0 ? json_object_get(v, json_string_value(x)) != NULL
             : strcmp(how, "oneOf") == 0  ? schema_fits(document, x, v)
                                          : json_equal(x, v);
    }
    return n;
}

// An object's members: those that are named, and others where these are allowed.
static inline bool schema_members_fit(json_t *document, json_t *schema, json_t *v)
{
    json_t *properties = json_object_get(schema, "properties"), *x;
    const char *name;
    json_object_foreach(v, name, x)
    {
        json_t *property = json_object_get(properties, name);
        if (!property)
            property = json_object_get(schema, "additionalProperties");
        if (json_is_false(property) ||
            (json_is_object(property) && !schema_fits(document, property, x)))
            return false;
    }
    return true;
}

static inline bool schema_items_fit(json_t *document, json_t *items, json_t *v)
{
    size_t i;
    json_t *x;
    json_array_foreach(v, i, x)
    {
        if (!schema_fits(document, items, x))
            return false;
    }
    return true;
}

static inline bool schema_keyword_fits(json_t *document, json_t *schema, const char *keyword,
                                       json_t *argument, json_t *v)
{
    const double limit = json_number_value(argument), x = json_number_value(v);
    const bool array = json_is_array(v), number = json_is_number(v), string = json_is_string(v);
#define IS(name) (strcmp(keyword, name) == 0)
    if (IS("description") || IS("examples") || IS("default") || IS("format"))
        return true;
    if (IS("type"))
        return schema_type_fits(argument, v);
    if (IS("const"))
        return json_equal(argument, v);
    if (IS("enum"))
        return schema_count(document, keyword, argument, v) > 0;
    if (IS("oneOf"))
        return schema_count(document, keyword, argument, v) == 1;
    if (IS("required"))
        return !json_is_object(v) ||
               schema_count(document, keyword, argument, v) == json_array_size(argument);
    if (IS("properties") || IS("additionalProperties"))
        return schema_members_fit(document, schema, v);
    if (IS("items"))
        return schema_items_fit(document, argument, v);
    if (IS("pattern"))
        return !string || schema_pattern_fits(json_string_value(argument), v);
    if (IS("minLength"))
        return !string || (double)json_string_length(v) >= limit;
    if (IS("minItems"))
        return !array || (double)json_array_size(v) >= limit;
    if (IS("maxItems"))
        return !array || (double)json_array_size(v) <= limit;
    if (IS("minimum"))
        return !number || x >= limit;
    if (IS("maximum"))
        return !number || x <= limit;
    if (IS("exclusiveMinimum"))
        return !number || x > limit;
#undef IS
    fail_msg("the schema's keyword %s is not known to this test", keyword);
    return false;
}

static inline bool schema_fits(json_t *document, json_t *schema, json_t *v)
{
    const char *keyword;
    json_t *argument, *s = schema_follow(document, schema);
    assert_true(json_is_object(s));
    json_object_foreach(s, keyword, argument)
    {
        if (!schema_keyword_fits(document, s, keyword, argument, v))
            return false;
    }
    return true;
}

#endif
