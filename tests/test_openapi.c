// openapi: the document against the table of routes, against what predict takes for a dataset with
// all kinds of columns, and against the answers of a running server (tests/openapi/check.py).
#include "base/option.h" // ASSAY_VERSION
#include "serve/http.h"
#include "tests/small_service.h"

#include "tests/server.h"

TEST_CASE(every_answer_of_a_server_is_as_documented)
{
    if (run("/usr/bin/python3 tests/openapi/check.py http://127.0.0.1:%d", shared.port))
        fail_msg("%s", log_text());
}

static struct small_service small;
static json_t *document; // of the small service

static json_t *member(json_t *object, const char *path)
{
    char name[64];
    for (; *path && object; path += strcspn(path, " "), path += *path == ' ') {
        snprintf(name, sizeof name, "%.*s", (int)strcspn(path, " "), path);
        object = json_object_get(object, name);
    }
    return object;
}

static void make(const char *time_format)
{
    struct err err = {""};
    if (small_service_make(&small, &err))
        fail_msg("%s", err.msg);
    struct schema *schema = &small.service.first->model.plan.schema;
    free(schema->time_format);
    schema->time_format = strdup(time_format);
    char *text = openapi_text(&small.service);
    document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(document);
    free(text);
}

static void release(void)
{
    json_decref(document);
    small_service_remove(&small);
}

TEST_CASE(every_route_is_documented_with_its_methods_and_security)
{
    static const char *const methods[][2] = {
        {"get", "GET"}, {"post", "POST"}, {"put", "PUT"}, {"delete", "DELETE"}};
    const struct route *route;
    size_t n = 0;
    make("%Y-%m-%d %H:%M:%S");
    assert_string_equal(json_string_value(member(document, "info version")), ASSAY_VERSION);
    for (size_t i = 0; (route = route_at(i)); i++) {
        json_t *item = json_object_get(member(document, "paths"), route->path);
        if (!item && strncmp(route->path, "/web/", 5) == 0)
            continue; // a file of the dashboard is no part of the interface
        n++;
        for (size_t m = 0; m < 4; m++) {
            json_t *operation = json_object_get(item, methods[m][0]);
            const json_t *security = member(operation, "security");
            const bool open = security && json_array_size(security) == 0;
            const bool has_401 = member(operation, "responses 401") != NULL;
            if ((operation != NULL) != (strstr(route->allow, methods[m][1]) != NULL) ||
                (operation && (open != route->open || has_401 == route->open)))
                fail_msg("%s %s", methods[m][0], route->path);
        }
    }
    assert_int_equal(n, json_object_size(member(document, "paths")));
    release();
}

// The schema takes the texts that predict takes: as '0' and '1' for each.
static void check_texts(const char *const *texts, size_t n, const char *taken)
{
    struct reply reply = {0};
    assert_int_equal(json_dump_file(document, scratch_path("document"), 0), 0);
    char all[4096] = "";
    for (size_t i = 0; i < n; i++)
        strcat(strcat(all, texts[i]), "\n");
    scratch_text("texts", all);
    assert_int_equal(
        run("/usr/bin/python3 tests/openapi/check.py %s/document %s/texts", folder, folder), 0);
    assert_string_equal(log_text(), taken);
    for (size_t i = 0; i < n; i++) {
        predict(&small.service, texts[i], strlen(texts[i]), &reply);
        if ((reply.status == 200) != (taken[i] == '1'))
            fail_msg("%s: %s", texts[i], reply.text);
    }
    reply_release(&reply);
}

TEST_CASE(the_schema_takes_what_the_server_takes)
{
#define BASE "\"time\":\"2018-10-01T08:15:00Z\",\"customer\":\"5\""
    static const char *const texts[] = {
        "{\"id\":1," BASE ",\"amount\":1}",
        "{\"id\":\"2\"," BASE ",\"amount\":1,\"age\":null,\"channel\":null}",
        "{\"id\":3," BASE ",\"amount\":1,\"age\":41.5,\"channel\":\"other\"}",
        "{\"id\":4,\"time\":1538381700,\"customer\":5,\"amount\":10000}",
        "{\"id\":5," BASE "}",
        "{\"id\":5," BASE ",\"amount\":10001}",
        "{\"id\":5," BASE ",\"amount\":-1}",
        "{\"id\":5," BASE ",\"amount\":null}",
        "{\"id\":5," BASE ",\"amount\":\"1\"}",
        "{\"id\":5," BASE ",\"amount\":1,\"age\":1e16}",
        "{\"id\":5," BASE ",\"amount\":1,\"label\":1}",
        "{\"id\":5," BASE ",\"amount\":1,\"channel\":7}",
        "{\"id\":5," BASE ",\"amount\":1,\"other\":7}",
        "{\"id\":\"\",\"time\":1538381700,\"customer\":5,\"amount\":1}",
        "{\"id\":1.5,\"time\":1538381700,\"customer\":5,\"amount\":1}",
        "{\"id\":1,\"time\":1538381700,\"customer\":\"\",\"amount\":1}",
    };
    make("%Y-%m-%d %H:%M:%S");
    check_texts(texts, 16, "1111000000000000");
    json_t *properties = member(document, "components schemas Transaction properties");
    assert_true(json_number_value(member(properties, "age default")) == 40);
    json_t *known = json_pack("[s, s]", "web", "shop");
    assert_true(json_equal(member(properties, "channel examples"), known));
    json_decref(known);
    release();
}

TEST_CASE(where_times_are_numbers_the_example_has_one)
{
    static const char *const formats[] = {"epoch", "row"};
    for (size_t i = 0; i < 2; i++) {
        make(formats[i]);
        json_t *examples = member(document, "components schemas Transaction examples");
        char *example = json_dumps(json_array_get(examples, 0), 0);
        assert_true(json_is_integer(member(json_array_get(examples, 0), "time")));
        check_texts((const char *[]){example, "{\"id\":1," BASE ",\"amount\":1}"}, 2, "10");
        free(example);
        release();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_of_a_server_is_as_documented),
        cmocka_unit_test(every_route_is_documented_with_its_methods_and_security),
        cmocka_unit_test(the_schema_takes_what_the_server_takes),
        cmocka_unit_test(where_times_are_numbers_the_example_has_one),
    };
    return cmocka_run_group_tests(tests, server_artifacts, server_remove);
}
