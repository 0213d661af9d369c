// openapi: the schema of a transaction, held against what predict takes, for other datasets than the sample.
#include "serve/openapi.h"

#include "tests/json_schema.h"
#include "tests/small_service.h"

struct small_document {
    struct small_service small;
    json_t *document;
    json_t *transaction; // its schema
};

static void small_document_read(struct small_document *d, const char *time_format)
{
    struct err err = {""};
    if (small_service_make(&d->small, &err))
        fail_msg("%s", err.msg);
    struct schema *schema = &d->small.service.first->model.plan.schema;
    free(schema->time_format);
    schema->time_format = strdup(time_format);
    char *text = openapi_text(&d->small.service, &err);
    assert_non_null(text);
    d->document = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    d->transaction = json_object_get(
        json_object_get(json_object_get(d->document, "components"), "schemas"), "Transaction");
    assert_non_null(d->transaction);
    free(text);
}

static void small_document_release(struct small_document *d)
{
    json_decref(d->document);
    small_service_remove(&d->small);
}

static bool fits_text(const struct small_document *d, const char *text)
{
    json_t *v = json_loads(text, 0, NULL);
    assert_non_null(v);
    const bool fits = schema_fits(d->document, d->transaction, v);
    json_decref(v);
    return fits;
}

// Whether predict takes it.
static bool is_taken(struct small_document *d, const char *text)
{
    struct reply reply = {0};
    predict(&d->small.service, text, strlen(text), &reply);
    const int status = reply.status;
    reply_release(&reply);
    return status == 200;
}

// Text that the schema takes is taken, and what it refuses is refused.
static void the_schema_takes_what_the_server_takes(void **state)
{
    (void)state;
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
    struct small_document d;
    small_document_read(&d, "%Y-%m-%d %H:%M:%S");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const bool fits = fits_text(&d, texts[i]), taken = is_taken(&d, texts[i]);
        if (fits != taken || fits != (i < 4))
            fail_msg("%s: fits %d, taken %d", texts[i], fits, taken);
    }
    json_t *properties = json_object_get(d.transaction, "properties");
    json_t *age = json_object_get(properties, "age");
    assert_true(json_number_value(json_object_get(age, "default")) == 40);
    json_t *known = json_pack("[s, s]", "web", "shop");
    assert_true(
        json_equal(json_object_get(json_object_get(properties, "channel"), "examples"), known));
    json_decref(known);
    small_document_release(&d);
}

static void where_times_are_numbers_the_example_has_one(void **state)
{
    (void)state;
    static const char *const formats[] = {"epoch", "row"};
    for (size_t i = 0; i < 2; i++) {
        struct small_document d;
        small_document_read(&d, formats[i]);
        json_t *example = json_array_get(json_object_get(d.transaction, "examples"), 0);
        assert_true(json_is_integer(json_object_get(example, "time")));
        char *text = json_dumps(example, 0);
        assert_true(fits_text(&d, text) && is_taken(&d, text));
        assert_false(fits_text(&d, "{\"id\":1," BASE ",\"amount\":1}"));
        assert_false(is_taken(&d, "{\"id\":1," BASE ",\"amount\":1}"));
        free(text);
        small_document_release(&d);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_takes_what_the_server_takes),
        cmocka_unit_test(where_times_are_numbers_the_example_has_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
