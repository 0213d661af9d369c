// embedded: files of this folder that the linker puts into the program as they are (Makefile, rule
// for %.embedded.o): the report's template and plots, the model card's template.
#ifndef TRAIN_EMBEDDED_H
#define TRAIN_EMBEDDED_H

#include <stddef.h>
#include <stdint.h>

#define EMBEDDED(name)                                                                             \
    extern const char _binary_train_##name##_start[], _binary_train_##name##_end[]
EMBEDDED(report_gp);
EMBEDDED(report_html);
EMBEDDED(card_md);

// The bytes of name, without a 0 behind them, and how many they are.
#define embedded(name) _binary_train_##name##_start
#define embedded_size(name)                                                                        \
    ((size_t)((uintptr_t)_binary_train_##name##_end - (uintptr_t)_binary_train_##name##_start))

#endif
