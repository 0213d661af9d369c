// The files of a version, as one folder of the registry.
#include "train/publish.h"
#include "train/onnx.h"
#include "train/registry.h"
#include "train/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int write_model(struct output_dir *folder, const struct model *m, char sha256[SHA256_HEX],
                       struct err *err)
{
    char *text = model_to_text(m);
    unsigned char *onnx = NULL;
    size_t n_onnx = 0;
    int rc = -1;
    if (!text)
        err_set(err, "%s: out of memory", folder->path);
    else if (output_dir_file(folder, "model.json", text, strlen(text), err) == 0 &&
             onnx_from_model(m, &onnx, &n_onnx, err) == 0)
        rc = output_dir_file(folder, "model.onnx", onnx, n_onnx, err);
    if (rc == 0)
        sha256_hex(sha256, text, strlen(text));
    free(onnx);
    free(text);
    return rc;
}

static int write_report(struct output_dir *folder, const char *config, const struct model *m,
                        const struct evaluation *v, const json_t *results, struct err *err)
{
    char dataset[256];
    const char *slash = strrchr(config, '/'), *name = slash ? slash + 1 : config;
    const char *dot = strrchr(name, '.');
    snprintf(dataset, sizeof dataset, "%.*s", dot ? (int)(dot - name) : (int)strlen(name), name);
    struct report_names names = {.dataset = dataset, .config = config, .model = m};
    if (registry_parse_version(strrchr(folder->path, '/') + 1, &names.version))
        return err_set(err, "%s: is no version's folder", folder->path);
    return report_write(folder, v, results, &names, err);
}

int publish(const char *registry, bool promote, const char *config, const struct model *m,
            const struct evaluation *v, const json_t *results, int64_t *version, struct err *err)
{
    struct registry r;
    struct output_dir folder = {0};
    char sha256[SHA256_HEX];
    if (registry_open(&r, registry, err))
        return -1;
    int rc = -1;
    if (registry_next(&r, &folder, err) || write_model(&folder, m, sha256, err) ||
        write_report(&folder, config, m, v, results, err) ||
        registry_add(&r, &folder, sha256, version, err))
        goto out;
    rc = promote ? registry_promote(&r, *version, LEDGER_PROMOTE, err) : 0;
out:
    output_dir_release(&folder);
    registry_release(&r);
    return rc;
}
