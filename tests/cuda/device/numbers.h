/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers for the stand-ins of libraries: any element type to float and back, dot products. */
#pragma once

#include "cuda-api.h"
#include "cuda_bf16.h"
#include "cuda_fp16.h"

#include <cmath>
#include <vector>

namespace upi_device {

enum class Type { f32, f16, bf16 };

static inline size_t
type_bytes (Type type)
{
  return type == Type::f32 ? 4 : 2;
}

static inline float
load (const void *base, Type type, int64_t i)
{
  switch (type) {
  case Type::f16:
    return __half2float (((const __half *) base)[i]);
  case Type::bf16:
    return __bfloat162float (((const __nv_bfloat16 *) base)[i]);
  default:
    return ((const float *) base)[i];
  }
}

static inline void
store (void *base, Type type, int64_t i, float value)
{
  switch (type) {
  case Type::f16:
    ((__half *) base)[i] = __float2half_rn (value);
    break;
  case Type::bf16:
    ((__nv_bfloat16 *) base)[i] = __float2bfloat16_rn (value);
    break;
  default:
    ((float *) base)[i] = value;
  }
}

/* 10 bits of the fraction, as tensor cores see float32. */
static inline float
tf32 (float value)
{
  uint32_t bits;

  std::memcpy (&bits, &value, sizeof bits);
  if ((bits & 0x7f800000) != 0x7f800000)
    bits = (bits + 0xfff + (bits >> 13 & 1)) & ~0x1fffu;
  std::memcpy (&value, &bits, sizeof bits);
  return value;
}

/* Eight sums side by side, then their sum. */
static inline float
dot (const float *a, const float *b, int64_t n)
{
  float sums[8] = { 0 }, sum = 0;
  int64_t i = 0;

  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; j++)
      sums[j] += a[i + j] * b[i + j];
  for (; i < n; i++)
    sum += a[i] * b[i];
  for (float s : sums)
    sum += s;
  return sum;
}

}
