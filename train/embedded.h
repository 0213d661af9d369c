// embedded: files that the linker puts into a library unchanged (Makefile, %.embedded.o), such as
// templates, pages and scripts. The linker names their bytes after folder and file, each '.' as '_'.
//
//     EMBEDDED(train, card_md);             at file scope: train/card.md
//     embedded(train, card_md)              its bytes, without a 0 behind them
//     embedded_size(train, card_md)         their number
#ifndef TRAIN_EMBEDDED_H
#define TRAIN_EMBEDDED_H

#include <stddef.h>
#include <stdint.h>

#define EMBEDDED(folder, name)                                                                     \
    extern const char _binary_##folder##_##name##_start[], _binary_##folder##_##name##_end[]
#define embedded(folder, name)     _binary_##folder##_##name##_start
#define embedded_end(folder, name) _binary_##folder##_##name##_end
#define embedded_size(folder, name)                                                                \
    ((size_t)((uintptr_t)embedded_end(folder, name) - (uintptr_t)embedded(folder, name)))

#endif
