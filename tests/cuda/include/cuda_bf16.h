/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bfloat16 for the test device: storage and conversion, rounding to nearest even as the GPU does. */
#pragma once

#include <cstdint>
#include <cstring>

struct __nv_bfloat16 {
  std::uint16_t bits;
};

static inline float
__bfloat162float (__nv_bfloat16 b)
{
  std::uint32_t bits = (std::uint32_t) b.bits << 16;
  float value;

  std::memcpy (&value, &bits, sizeof value);
  return value;
}

static inline __nv_bfloat16
__float2bfloat16_rn (float value)
{
  std::uint32_t bits;

  std::memcpy (&bits, &value, sizeof bits);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return { (std::uint16_t) 0x7fff };
  return { (std::uint16_t) ((bits + 0x7fff + (bits >> 16 & 1)) >> 16) };
}
