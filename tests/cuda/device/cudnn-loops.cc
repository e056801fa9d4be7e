/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cudnn-loops.cc: see cudnn-loops.h. */
#include "tests/cuda/device/cudnn-loops.h"

#include <cmath>

using namespace upi_device;

static float
pointwise (const ConvolutionGraph::Step &step, float x, float b)
{
  switch (step.mode) {
  case CUDNN_POINTWISE_ADD:
    return x + b;
  case CUDNN_POINTWISE_RELU_FWD:
    x = x > 0 ? x : 0;
    return step.clip > 0 && x > (float) step.clip ? (float) step.clip : x;
  case CUDNN_POINTWISE_SIGMOID_FWD:
    return 1 / (1 + std::exp (-x));
  case CUDNN_POINTWISE_GELU_FWD:
    return 0.5f * x * (1 + std::erf (x * 0.70710678f));
  }
  return x;
}

static int64_t
at (const GraphTensor &t, int64_t n, int64_t c, int64_t y, int64_t x)
{
  return (t.dim[0] > 1 ? n * t.stride[0] : 0) + c * t.stride[1] + (t.dim[2] > 1 ? y * t.stride[2] : 0)
      + (t.dim[3] > 1 ? x * t.stride[3] : 0);
}

void
upi_device::run_graph (const ConvolutionGraph &p, std::map<int64_t, char *> &memory)
{
  const GraphTensor &out = p.steps.empty () ? p.y : p.steps.back ().y;
  int64_t channels = p.x.dim[1], kh = p.w.dim[2], kw = p.w.dim[3];
  std::vector<float> window ((size_t) (channels * kh * kw)), filters ((size_t) (p.w.dim[0] * channels * kh * kw));
  char *x = memory[p.x.uid], *w = memory[p.w.uid], *y = memory[out.uid];

  for (int64_t o = 0, i = 0; o < p.w.dim[0]; o++)
    for (int64_t a = 0; a < kh; a++)
      for (int64_t b = 0; b < kw; b++)
        for (int64_t c = 0; c < channels; c++, i++) {
          float value = load (w, p.w.type, at (p.w, o, c, a, b));
          filters[(size_t) i] = p.tf32 ? tf32 (value) : value;
        }
  for (int64_t n = 0; n < out.dim[0]; n++)
    for (int64_t line = 0; line < out.dim[2]; line++)
      for (int64_t column = 0; column < out.dim[3]; column++) {
        for (int64_t a = 0, i = 0; a < kh; a++)
          for (int64_t b = 0; b < kw; b++) {
            int64_t top = line * p.stride[0] - p.pad[0] + a, left = column * p.stride[1] - p.pad[1] + b;
            bool inside = top >= 0 && top < p.x.dim[2] && left >= 0 && left < p.x.dim[3];

            for (int64_t c = 0; c < channels; c++, i++) {
              float value = inside ? load (x, p.x.type, at (p.x, n, c, top, left)) : 0;
              window[(size_t) i] = p.tf32 ? tf32 (value) : value;
            }
          }
        for (int64_t o = 0; o < out.dim[1]; o++) {
          float value = dot (window.data (), &filters[(size_t) o * window.size ()], (int64_t) window.size ());

          for (const ConvolutionGraph::Step &step : p.steps)
            value = pointwise (
                step, value, step.has_b ? load (memory[step.b.uid], step.b.type, at (step.b, n, o, line, column)) : 0);
          store (y, out.type, at (out, n, o, line, column), value);
        }
      }
}

size_t
upi_device::tensor_bytes (const GraphTensor &t)
{
  int64_t last = 0;

  for (int i = 0; i < 4; i++)
    last += (t.dim[i] - 1) * t.stride[i];
  return (size_t) (last + 1) * type_bytes (t.type);
}
