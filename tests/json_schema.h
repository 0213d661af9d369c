// json_schema: does a value fit a schema of an OpenAPI 3.1 document? As much of JSON Schema 2020-12 as
// serve/openapi.json uses; a keyword that is not known here fails the test, so none is passed over.
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
    char name[64];
    json_t *at = document;
    if (!ref)
        return object;
    assert_true(ref[0] == '#');
    for (const char *p = ref + 1; *p;) {
        size_t n = strcspn(++p, "/");
        snprintf(name, sizeof name, "%.*s", (int)n, p);
        at = json_object_get(at, name);
        p += n;
    }
    if (!at)
        fail_msg("%s is nowhere", ref);
    return at;
}

static inline bool schema_fits(json_t *document, json_t *schema, json_t *v);

static inline bool schema_type_fits(const char *type, json_t *v)
{
    const double x = json_number_value(v);
    if (strcmp(type, "integer") == 0)
        return json_is_integer(v) || (json_is_real(v) && floor(x) == x);
    return (strcmp(type, "object") == 0 && json_is_object(v)) ||
           (strcmp(type, "array") == 0 && json_is_array(v)) ||
           (strcmp(type, "string") == 0 && json_is_string(v)) ||
           (strcmp(type, "number") == 0 && json_is_number(v)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(v)) ||
           (strcmp(type, "null") == 0 && json_is_null(v));
}

static inline bool schema_types_fit(json_t *types, json_t *v)
{
    size_t i;
    json_t *type;
    if (json_is_string(types))
        return schema_type_fits(json_string_value(types), v);
    json_array_foreach(types, i, type)
    {
        if (schema_type_fits(json_string_value(type), v))
            return true;
    }
    return false;
}

static inline bool schema_pattern_fits(const char *pattern, json_t *v)
{
    regex_t regex;
    if (!json_is_string(v))
        return true;
    assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    const bool fits = regexec(&regex, json_string_value(v), 0, NULL, 0) == 0;
    regfree(&regex);
    return fits;
}

// An object's members: those that are named, and what else may be there.
static inline bool schema_members_fit(json_t *document, json_t *schema, json_t *v)
{
    json_t *properties = json_object_get(schema, "properties");
    json_t *others = json_object_get(schema, "additionalProperties");
    const char *name;
    json_t *x;
    json_object_foreach(v, name, x)
    {
        json_t *property = json_object_get(properties, name);
        if (!property)
            property = others;
        if (json_is_false(property) ||
            (json_is_object(property) && !schema_fits(document, property, x)))
            return false;
    }
    return true;
}

static inline bool schema_has_all(json_t *required, json_t *v)
{
    size_t i;
    json_t *name;
    json_array_foreach(required, i, name)
    {
        if (json_is_object(v) && !json_object_get(v, json_string_value(name)))
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

static inline bool schema_is_among(json_t *list, json_t *v)
{
    size_t i;
    json_t *x;
    json_array_foreach(list, i, x)
    {
        if (json_equal(x, v))
            return true;
    }
    return false;
}

static inline bool schema_fits_one(json_t *document, json_t *list, json_t *v)
{
    size_t i, n = 0;
    json_t *schema;
    json_array_foreach(list, i, schema)
    {
        n += schema_fits(document, schema, v);
    }
    return n == 1;
}

static inline bool schema_count_fits(const char *keyword, size_t limit, json_t *v)
{
    if (strcmp(keyword, "minLength") == 0)
        return !json_is_string(v) || json_string_length(v) >= limit;
    if (strcmp(keyword, "minItems") == 0)
        return !json_is_array(v) || json_array_size(v) >= limit;
    return !json_is_array(v) || json_array_size(v) <= limit; // maxItems
}

static inline bool schema_limit_fits(const char *keyword, double limit, json_t *v)
{
    const double x = json_number_value(v);
    if (!json_is_number(v))
        return true;
    return strcmp(keyword, "minimum") == 0   ? x >= limit
           : strcmp(keyword, "maximum") == 0 ? x <= limit
                                             : x > limit; // exclusiveMinimum
}

static inline bool schema_is_any(const char *keyword, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], keyword) == 0)
            return true;
    return false;
}

static inline bool schema_keyword_fits(json_t *document, json_t *schema, const char *keyword,
                                       json_t *argument, json_t *v)
{
    static const char *const notes[] = {"description", "examples", "default", "format"};
    static const char *const counts[] = {"minLength", "minItems", "maxItems"};
    static const char *const limits[] = {"minimum", "maximum", "exclusiveMinimum"};
    if (strcmp(keyword, "type") == 0)
        return schema_types_fit(argument, v);
    if (strcmp(keyword, "enum") == 0)
        return schema_is_among(argument, v);
    if (strcmp(keyword, "const") == 0)
        return json_equal(argument, v);
    if (strcmp(keyword, "pattern") == 0)
        return schema_pattern_fits(json_string_value(argument), v);
    if (strcmp(keyword, "required") == 0)
        return schema_has_all(argument, v);
    if (strcmp(keyword, "properties") == 0 || strcmp(keyword, "additionalProperties") == 0)
        return schema_members_fit(document, schema, v);
    if (strcmp(keyword, "items") == 0)
        return schema_items_fit(document, argument, v);
    if (strcmp(keyword, "oneOf") == 0)
        return schema_fits_one(document, argument, v);
    if (schema_is_any(keyword, counts, 3))
        return schema_count_fits(keyword, (size_t)json_integer_value(argument), v);
    if (schema_is_any(keyword, limits, 3))
        return schema_limit_fits(keyword, json_number_value(argument), v);
    if (!schema_is_any(keyword, notes, 4))
        fail_msg("the schema's keyword %s is not known to this test", keyword);
    return true;
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
