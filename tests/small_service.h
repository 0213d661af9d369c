// A service on a small model made by hand, for the tests and fuzzers of serve/. Its folder holds
// what service_load reads: a registry with version 1 as its champion, an empty state, a key.
#ifndef TESTS_SMALL_SERVICE_H
#define TESTS_SMALL_SERVICE_H

#include "base/memory.h"
#include "serve/service.h"
#include "tests/release.h"
#include "train/registry.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

// The median of age was 40.
static const char small_ini[] =
    "[input]\nfile = none.csv\ntime_format = %Y-%m-%d %H:%M:%S\n[columns]\nid = ID, id\n"
    "time = TIME, time\ncustomer = CUSTOMER, key\namount = AMOUNT, number, min=0, max=10000\n"
    "age = AGE, number, missing=median\nchannel = CHANNEL, category, missing=web\n"
    "label = FRAUD, label\n[split]\nlabel_delay = 1h\n[features]\namount = amount\n"
    "_lost = sum(customer, label * amount, 7d, delay=1h)\n"
    "night = (hour(time) <= 6) + _lost / 100\ncount_1d = count(customer, 1d)\n"
    "mean_7d = mean(customer, amount, 7d)\nage = age\n"
    "channel = onehot(channel, \"web\", \"shop\", *, \"phone\")\n";

// amount, night, count_1d, mean_7d, age, channel[web], channel[shop], channel[*]
enum { SMALL_INPUTS = 8 };
static const double small_mean[SMALL_INPUTS] = {50, 0.25, 2, 45, 40, 0.5, 0.25, 0.25};
static const double small_scale[SMALL_INPUTS] = {30, 0.5, 3, 25, 12, 0.5, 0.4, 0.4};
static const double small_weight[SMALL_INPUTS] = {0.9, 0.7, -0.3, 0.2, 0.1, -0.4, 0.6, 0.05};
static const double small_min[SMALL_INPUTS] = {0, -1e15, 0, 0, -1e15, 0, 0, 0};
static const double small_max[SMALL_INPUTS] = {1000, 1e15, 1e9, 1e9, 120, 1, 1, 1};
static const double small_intercept = -1.25, small_threshold = 0.5;

// The definition, written out once more.
static inline double small_margin(const double x[SMALL_INPUTS])
{
    double margin = small_intercept;
    for (int i = 0; i < SMALL_INPUTS; i++)
        margin += small_weight[i] *
                  (fmin(fmax((double)(float)x[i], small_min[i]), small_max[i]) - small_mean[i]) /
                  small_scale[i];
    return margin;
}

struct small_service {
    char folder[96], models[128], state[128], key[128], database[128];
    struct service_files files;
    struct service service;
};

static inline int small_write(const char *path, const void *data, size_t n, mode_t mode)
{
    struct err err;
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
    int bad = fd < 0 || write_all(fd, data, n, path, &err);
    return fd >= 0 && close(fd) ? -1 : bad;
}

static inline int small_model(struct model *m, const char *folder, struct err *err)
{
    double values[] = {0, 1, 2, 3};
    char path[128];
    struct config config;
    snprintf(path, sizeof path, "%s/small.ini", folder);
    *m = (struct model){
        .inputs = xcalloc(SMALL_INPUTS, sizeof *m->inputs),
        .n_inputs = SMALL_INPUTS,
        .intercept = small_intercept,
        .threshold = small_threshold,
        .l2 = 1e-3,
        .training =
            json_pack("{s:s, s:s, s:i, s:i, s:s, s:i, s:i, s:i, s:i}", "train", "0% .. 60%", "test",
                      "60% .. 100%", "rows", 4, "frauds", 1, "threshold_from", "validation",
                      "train_from", 0, "train_until", 6, "test_from", 6, "test_until", 10),
        .provenance = json_pack("{s:s, s:s, s:s}", "data_xxh3", "0123456789abcdef", "config_xxh3",
                                "0123456789abcdef", "program", "test")};
    if (small_write(path, small_ini, sizeof small_ini - 1, 0644) || config_load(&config, path, err))
        return -1;
    int rc = plan_from_config(&m->plan, &config, err);
    config_release(&config);
    if (rc == 0) {
        m->plan.schema.columns[schema_find(&m->plan.schema, "age")].fill = 40;
        rc = plan_refit(&m->plan, err);
    }
    for (size_t i = 0; i < SMALL_INPUTS && rc == 0; i++) {
        m->inputs[i] = (struct model_input){.name = m->plan.inputs[i].name,
                                            .mean = small_mean[i],
                                            .scale = small_scale[i],
                                            .weight = small_weight[i],
                                            .min = small_min[i],
                                            .max = small_max[i]};
        histogram_fit(&m->inputs[i].reference, values, 4);
    }
    histogram_fit(&m->score_reference, values, 4);
    return rc;
}

// A registry with the model as its next version and champion.
static inline int small_registry(const char *models, const char *text, struct err *err)
{
    struct registry registry;
    struct output folder = {0};
    char sha256[SHA256_HEX];
    struct ledger_entry e = {.sha256 = sha256, .reason = "a test"};
    sha256_hex(sha256, text, strlen(text));
    if (registry_open(&registry, models, err))
        return -1;
    int bad = registry_next(&registry, sha256, &folder, &e.version, err) ||
              output_dir_file(&folder, "model.json", text, strlen(text), err) ||
              registry_record(&registry, &e, &folder, err);
    e.action = LEDGER_PROMOTE;
    bad = bad || registry_record(&registry, &e, NULL, err);
    output_release(&folder);
    registry_release(&registry);
    return bad ? -1 : 0;
}

static inline int small_artifacts(const struct small_service *s, const struct model *m,
                                  struct err *err)
{
    struct state state;
    struct pseudonym pseudonym;
    char *text = model_to_text(m);
    int rc = small_write(s->key, "0123456789abcdef", 16, 0600) ||
             small_registry(s->models, text, err) || pseudonym_load(&pseudonym, s->key, true, err);
    free(text);
    state_init(&state, &m->plan, 1);
    state.key_fingerprint = pseudonym_fingerprint(&pseudonym);
    const int fd = open(s->state, O_RDWR | O_CREAT | O_TRUNC, 0644);
    rc = rc || snapshot_save(&state, fd, s->state, err);
    close(fd);
    state_release(&state);
    return rc;
}

static inline int small_service_make(struct small_service *s, struct err *err)
{
    const char *tmp = getenv("TMPDIR");
    struct model model;
    memset(s, 0, sizeof *s);
    snprintf(s->folder, sizeof s->folder, "%.80s/assay-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(s->folder))
        return err_sys(err, "%s: cannot make the folder", s->folder);
    snprintf(s->models, sizeof s->models, "%s/models", s->folder);
    snprintf(s->state, sizeof s->state, "%s/state.bin", s->folder);
    snprintf(s->key, sizeof s->key, "%s/key", s->folder);
    snprintf(s->database, sizeof s->database, "%s/assay.db", s->folder);
    s->files = (struct service_files){.models = s->models,
                                      .state = s->state,
                                      .key = s->key,
                                      .database = s->database,
                                      .queue = 100};
    int rc = small_model(&model, s->folder, err) || small_artifacts(s, &model, err);
    model_release(&model);
    return rc ? -1 : service_load(&s->service, &s->files, err);
}

static inline void small_service_remove(struct small_service *s)
{
    char command[128];
    service_release(&s->service);
    snprintf(command, sizeof command, "rm -rf '%s'", s->folder);
    if (system(command)) // NOLINT(cert-env33-c): a folder of ours
        perror(command);
}

#endif
