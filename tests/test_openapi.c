// openapi: the document of a running server, held against its routes and its answers.
#include "serve/openapi.h"

#include "base/option.h" // ASSAY_VERSION
#include "serve/http.h"
#include "tests/json_schema.h"
#include "tests/server.h"

static json_t *document; // as the shared server answers it

static int setup(void **state)
{
    struct answer a;
    if (server_artifacts(state))
        return -1;
    ask(&a, GET("/openapi.json"));
    document = a.status == 200 ? json_loadb(a.text, a.n, JSON_REJECT_DUPLICATES, NULL) : NULL;
    answer_free(&a);
    return document ? 0 : -1;
}

static int teardown(void **state)
{
    json_decref(document);
    return server_remove(state);
}

// ---- ways through the document ----

static json_t *look(const json_t *object, const char *name)
{
    return schema_follow(document, json_object_get(object, name));
}

static const struct route *route_of(const char *path)
{
    const struct route *route;
    for (size_t i = 0; (route = route_at(i)); i++)
        if (strcmp(route->path, path) == 0)
            return route;
    return NULL;
}

static const char *capitals(const char *method)
{
    return strcmp(method, "get") == 0 ? "GET" : strcmp(method, "post") == 0 ? "POST" : "";
}

typedef void visit_operation(const char *path, const char *method, json_t *operation);

// Every GET and POST of the document.
static void walk(visit_operation *visit)
{
    const char *path, *method;
    json_t *item, *operation;
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        json_object_foreach(item, method, operation)
        {
            if (*capitals(method))
                visit(path, capitals(method), operation);
        }
    }
}

// The path with the documented example for each {...}.
static const char *filled(const char *path)
{
    static char text[256];
    json_t *item = json_object_get(json_object_get(document, "paths"), path), *p;
    size_t i;
    snprintf(text, sizeof text, "%s", path);
    json_array_foreach(json_object_get(item, "parameters"), i, p)
    {
        char name[64], rest[256];
        json_t *parameter = schema_follow(document, p);
        snprintf(name, sizeof name, "{%s}", json_string_value(look(parameter, "name")));
        char *at = strstr(text, name);
        if (strcmp(json_string_value(look(parameter, "in")), "path") != 0)
            continue;
        assert_non_null(at);
        snprintf(rest, sizeof rest, "%s", at + strlen(name));
        snprintf(at, sizeof text - (size_t)(at - text), "%s%s",
                 json_string_value(look(parameter, "example")), rest);
    }
    assert_null(strchr(text, '{'));
    return text;
}

// header: a line of the head, each with its CR LF, or "".
static void send_request(struct answer *a, const char *path, const char *method, const char *header,
                         const char *body)
{
    char request[4096];
    int n = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\n%s", method,
                     filled(path), header);
    if (strcmp(method, "POST") == 0)
        n += snprintf(request + n, sizeof request - (size_t)n, "Content-Length: %zu\r\n",
                      strlen(body));
    snprintf(request + n, sizeof request - (size_t)n, "\r\n%s", body);
    ask(a, request);
}

#define JSON_TYPE "Content-Type: application/json\r\n"

// ---- an answer against its operation ----

static void check_headers(json_t *response, const struct answer *a, const char *path)
{
    const char *name;
    json_t *header;
    char line[64];
    json_object_foreach(look(response, "headers"), name, header)
    {
        snprintf(line, sizeof line, "\r\n%s: ", name);
        if (!strstr(a->head, line) && strcmp(name, "Retry-After") != 0)
            fail_msg("%s: no header %s in %s", path, name, a->head);
    }
}

// The response has its media type, and its text fits the schema there.
static void check_content(json_t *response, const struct answer *a, const char *path)
{
    char type[64] = "";
    const char *at = strstr(a->head, "Content-Type: ");
    json_t *content = look(response, "content");
    if (!content) {
        assert_int_equal(a->n, 0);
        return;
    }
    assert_non_null(at);
    sscanf(at, "Content-Type: %63[^;\r]", type);
    json_t *media = look(content, type);
    if (!media)
        fail_msg("%s: %s is not documented", path, type);
    if (!strstr(type, "json"))
        return;
    json_t *v = answer_json(a);
    if (!schema_fits(document, look(media, "schema"), v))
        fail_msg("%s: does not fit its schema: %s", path, a->text);
    json_decref(v);
}

static void check_answer(const char *path, json_t *operation, const struct answer *a)
{
    char status[8];
    snprintf(status, sizeof status, "%d", a->status);
    json_t *response = look(look(operation, "responses"), status);
    if (!response)
        fail_msg("%s: %s is not documented: %s", path, status, a->head);
    check_headers(response, a, path);
    check_content(response, a, path);
}

// ---- tests ----

static void it_is_openapi_3_1_of_this_version(void **state)
{
    (void)state;
    json_t *version = look(look(document, "info"), "version");
    assert_string_equal(json_string_value(look(document, "openapi")), "3.1.0");
    assert_string_equal(json_string_value(version), ASSAY_VERSION);
}

static void every_route_is_in_it_with_its_methods_and_security(void **state)
{
    static const char *const methods[] = {"get", "post", "put", "delete"};
    const struct route *route;
    (void)state;
    for (size_t i = 0; (route = route_at(i)); i++) {
        json_t *item = json_object_get(json_object_get(document, "paths"), route->path);
        if (!item && strncmp(route->path, "/web/", 5) == 0)
            continue; // a file of the dashboard is no part of the interface
        for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
            json_t *operation = json_object_get(item, methods[m]);
            json_t *security = json_object_get(operation, "security");
            const bool takes = *capitals(methods[m]) && strstr(route->allow, capitals(methods[m]));
            const bool open = security && json_array_size(security) == 0;
            const bool has_401 = json_object_get(look(operation, "responses"), "401") != NULL;
            if ((operation != NULL) != takes ||
                (operation && (open != route->open || has_401 == route->open)))
                fail_msg("%s %s", methods[m], route->path);
        }
    }
}

static void every_path_in_it_is_a_route(void **state)
{
    const char *path;
    json_t *item;
    (void)state;
    json_object_foreach(json_object_get(document, "paths"), path, item)
    {
        if (!route_of(path))
            fail_msg("%s is no route", path);
    }
}

static void answer_simple(const char *path, const char *method, json_t *operation)
{
    struct answer a;
    if (look(operation, "requestBody"))
        return; // the next test's
    send_request(&a, path, method, "", "");
    if (a.status >= 300)
        fail_msg("%s %s: %d %s", method, path, a.status, a.text);
    check_answer(path, operation, &a);
    answer_free(&a);
}

static void requests_without_a_body_are_answered_as_documented(void **state)
{
    (void)state;
    walk(answer_simple);
}

static void answer_examples(const char *path, const char *method, json_t *operation)
{
    const char *name;
    json_t *example, *body = look(operation, "requestBody");
    json_t *media = look(look(body, "content"), "application/json");
    assert_true(!body || json_object_size(look(media, "examples")) > 0);
    json_object_foreach(look(media, "examples"), name, example)
    {
        struct answer a;
        char *text = json_dumps(look(schema_follow(document, example), "value"), 0);
        send_request(&a, path, method, JSON_TYPE, text);
        if (a.status != 200)
            fail_msg("%s: %d for the example %s: %s", path, a.status, text, a.text);
        check_answer(path, operation, &a);
        answer_free(&a);
        free(text);
    }
}

static void the_examples_of_requests_are_taken_and_answered_as_documented(void **state)
{
    (void)state;
    walk(answer_examples);
}

static void answer_mistakes(const char *path, const char *method, json_t *operation)
{
    static const struct {
        const char *header, *body;
        int status;
        bool any; // also for operations without a body
    } mistakes[] = {
        {JSON_TYPE, "{", 400, false},        {"Content-Type: text/plain\r\n", "{}", 415, false},
        {JSON_TYPE, "{}", 422, false},       {"Expect: cake\r\n", "", 417, true},
        {"Upgrade: h2c\r\n", "", 400, true},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        struct answer a;
        if (!mistakes[i].any && !look(operation, "requestBody"))
            continue;
        send_request(&a, path, method, mistakes[i].header, mistakes[i].body);
        if (a.status != mistakes[i].status)
            fail_msg("%s: %d for %s%s", path, a.status, mistakes[i].header, mistakes[i].body);
        check_answer(path, operation, &a);
        answer_free(&a);
    }
}

static void mistakes_are_answered_with_documented_problems(void **state)
{
    (void)state;
    walk(answer_mistakes);
}

// Every schema with an example beside it, wherever in the document.
static size_t check_examples(json_t *v)
{
    const char *name;
    size_t i, n = 0;
    json_t *x;
    json_t *schema = json_object_get(v, "schema"), *one = json_object_get(v, "example");
    if (json_is_object(schema) && one) {
        n++;
        if (!schema_fits(document, schema, one))
            fail_msg("example: %s", json_dumps(one, JSON_ENCODE_ANY));
    }
    if (json_is_object(schema) && json_is_object(json_object_get(v, "examples"))) {
        json_object_foreach(json_object_get(v, "examples"), name, x)
        {
            n++;
            if (!schema_fits(document, schema, look(schema_follow(document, x), "value")))
                fail_msg("example: %s", name);
        }
    }
    json_object_foreach(v, name, x)
    {
        n += check_examples(x);
    }
    json_array_foreach(v, i, x)
    {
        n += check_examples(x);
    }
    return n;
}

static void all_examples_fit_the_schemas_beside_them(void **state)
{
    (void)state;
    assert_true(check_examples(document) > 30);
}

static void the_transaction_has_the_columns_of_the_dataset(void **state)
{
    (void)state;
    json_t *t = look(look(look(document, "components"), "schemas"), "Transaction");
    json_t *amount = look(look(t, "properties"), "amount");
    json_t *required = json_pack("[s, s, s, s, s]", "id", "time", "customer", "terminal", "amount");
    assert_true(json_equal(look(t, "required"), required));
    assert_true(json_number_value(look(amount, "minimum")) == 0);
    assert_null(look(look(t, "properties"), "label"));
    assert_true(schema_fits(document, t, json_array_get(look(t, "examples"), 0)));
    json_decref(required);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_openapi_3_1_of_this_version),
        cmocka_unit_test(every_route_is_in_it_with_its_methods_and_security),
        cmocka_unit_test(every_path_in_it_is_a_route),
        cmocka_unit_test(requests_without_a_body_are_answered_as_documented),
        cmocka_unit_test(the_examples_of_requests_are_taken_and_answered_as_documented),
        cmocka_unit_test(mistakes_are_answered_with_documented_problems),
        cmocka_unit_test(all_examples_fit_the_schemas_beside_them),
        cmocka_unit_test(the_transaction_has_the_columns_of_the_dataset),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
