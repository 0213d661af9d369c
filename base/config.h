// config: an .ini file as a list of entries that know their line and column.
//
// Read with inih. A value continues in the next line if that is indented. A line of more than 198
// bytes (inih would cut it), an unknown section or key, a repeated key, and a key outside a section
// are errors: the first stage refuses what only a later one would read.
//
//     struct config c;
//     config_load(&c, "datasets/simulated.ini", &err)
//     const struct config_entry *e = config_find(&c, "input", "file");
//     return config_error(&c, e, offset, &err, "'%s' is not a date", e->value);
//
// Ownership: the config owns its entries, and lives as long as its program.
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include "base/err.h"

#include <stdint.h>

struct config_entry {
    char *section, *key, *value;
    int line;   // 1-based
    int column; // 1-based, of the value's first byte; 0 where the value has several lines
};

struct config {
    char *path;
    struct config_entry *entries; // in the order of the file
    size_t n;
};

int config_load(struct config *c, const char *path, struct err *err);

// NULL where there is none.
const struct config_entry *config_find(const struct config *c, const char *section,
                                       const char *key);

// Set "path:line: [section] key: message"; returns -1. offset: the 0-based byte of the value where
// the mistake is: the message then has the column and shows the value with a caret; -1: neither.
int config_error(const struct config *c, const struct config_entry *e, int offset, struct err *err,
                 const char *fmt, ...) __attribute__((format(printf, 5, 6)));

// The next item of a comma-separated list. *at starts at the value, moves past the item and its
// comma, and is NULL after the last item. item: a copy without its blanks or double quotes;
// *offset: its place in the value. -1 where it is empty, has size bytes or more, or its quote is
// not closed or not followed by a comma.
int config_list_next(const struct config_entry *e, const char **at, char *item, size_t size,
                     int *offset);

// Optional values: without the key *value keeps its default; outside [min, max] is an error.
int config_number(const struct config *c, const char *section, const char *key, double min,
                  double max, double *value, struct err *err);
int config_int(const struct config *c, const char *section, const char *key, int64_t min,
               int64_t max, int64_t *value, struct err *err);
int config_duration(const struct config *c, const char *section, const char *key, int64_t *seconds,
                    struct err *err);

// Reads a length of time like 30s, 15m, 12h or 7d, 36500d at most; returns what follows it, or
// NULL where the text does not begin with one.
const char *duration_parse(const char *text, int64_t *seconds);

// The dataset's name: that of the file, without folder and ending; to be freed.
char *config_name(const struct config *c);
// XXH3 of the entries of the named sections, ended by NULL. Comments and layout do not change it.
uint64_t config_checksum(const struct config *c, const char *const *sections);

#endif
