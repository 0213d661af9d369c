// onnx: a model as an ONNX file, so that other runtimes can score with it.
//
//     features [rows, n_inputs] → Sub → Div → MatMul → Add → Sigmoid → probability [rows, 1]
//     probability → GreaterOrEqual(threshold) → Cast → decision [rows, 1], int64: 1 is "review"
//
// All numbers are doubles: the margin then differs from model_margin by no more than the order of a
// sum, and decisions agree. opset 13, ir_version 8 (ONNX 1.10 on). The file holds the arithmetic
// only; how features come from transactions stays in model.json. Their names, in the order of the
// columns, are the metadata property "inputs", a JSON array. The same model gives the same bytes.
#ifndef TRAIN_ONNX_H
#define TRAIN_ONNX_H

#include "train/model.h"

// The file's *n bytes, to be freed by the caller.
unsigned char *onnx_from_model(const struct model *m, size_t *n);

#endif
