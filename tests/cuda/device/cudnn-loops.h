/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device's convolution with what stands behind it, as cuDNN's graphs say it, in plain loops. */
#pragma once

#include <map>

#include "tests/cuda/device/device.h"
#include "tests/cuda/device/numbers.h"

namespace upi_device {

struct GraphTensor {
  int64_t uid, dim[4], stride[4];
  Type type;
  bool is_virtual;
};

/* A graph, read once. */
struct ConvolutionGraph {
  GraphTensor x, w, y; /* y: of the convolution */
  int64_t pad[2], stride[2];
  bool tf32;
  struct Step {
    cudnnPointwiseMode_t mode;
    double clip;
    GraphTensor b, y;
    bool has_b;
  };
  std::vector<Step> steps;
};

/* @memory: by the tensors' unique ids */
void run_graph (const ConvolutionGraph &graph, std::map<int64_t, char *> &memory);

/* From its first to behind its last number. */
size_t tensor_bytes (const GraphTensor &t);

}
