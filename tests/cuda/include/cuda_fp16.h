/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* 16-bit floats for the test device: storage and conversion, rounding to nearest even as the GPU does. */
#pragma once

#include <cstdint>
#include <cstring>

struct __half {
  std::uint16_t bits;
};

static inline float
__half2float (__half h)
{
  std::uint32_t sign = (std::uint32_t) (h.bits & 0x8000) << 16, exponent = h.bits >> 10 & 31, fraction = h.bits & 1023,
                bits;
  float value;

  if (exponent == 0) { /* zero or subnormal */
    value = (float) fraction * (1.0f / 16777216.0f);
    return sign ? -value : value;
  }
  bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | fraction << 13;
  std::memcpy (&value, &bits, sizeof value);
  return value;
}

static inline __half
__float2half_rn (float value)
{
  std::uint32_t bits, sign, half;

  std::memcpy (&bits, &value, sizeof bits);
  sign = bits >> 16 & 0x8000;
  bits &= 0x7fffffff;
  if (bits > 0x7f800000)
    return { (std::uint16_t) 0x7fff };
  if (bits >= 0x477ff000) /* rounds to infinity */
    return { (std::uint16_t) (sign | 0x7c00) };
  if (bits < 0x38800000) { /* subnormal: the unit is 2^-24 */
    float magnitude;

    std::memcpy (&magnitude, &bits, sizeof magnitude);
    half = (std::uint32_t) (std::int32_t) __builtin_rintf (magnitude * 16777216.0f);
    return { (std::uint16_t) (sign | half) };
  }
  half = (bits - 0x38000000) >> 13;
  bits &= 0x1fff;
  half += bits > 0x1000 || (bits == 0x1000 && (half & 1));
  return { (std::uint16_t) (sign | half) };
}
