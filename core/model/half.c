/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* float16 and bfloat16 to float32: with F16C where the processor has it, else by shifting bits. */
#include "core/model/half.h"

#include "core/processor.h"

#include <string.h>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#define HAVE_F16C_KERNEL 1
#endif

gfloat
upi_half_to_float (guint16 half)
{
  guint32 sign = (guint32) (half & 0x8000) << 16;
  guint32 magnitude = (guint32) (half & 0x7fff) << 13; /* exponent and mantissa at float32's places */
  guint32 bits;
  gfloat value;

  if (magnitude >= (0x7c00u << 13)) {
    bits = magnitude + ((255u - 31u) << 23); /* infinity, NaN */
    memcpy (&value, &bits, 4);
  } else {
    memcpy (&value, &magnitude, 4);
    value *= 0x1p112f; /* 2^(127 - 15): rebiases normal numbers and makes subnormal ones normal */
  }
  memcpy (&bits, &value, 4);
  bits |= sign;
  memcpy (&value, &bits, 4);
  return value;
}

guint16
upi_float_to_half (gfloat value)
{
  guint32 bits, sign, kept, rest;

  memcpy (&bits, &value, 4);
  sign = (bits >> 16) & 0x8000;
  bits &= 0x7fffffff;
  if (bits >= 0x7f800000)
    return (guint16) (sign | 0x7c00 | (bits > 0x7f800000 ? 0x200 : 0));
  if (bits >= 0x477ff000) /* rounds beyond 65504 */
    return (guint16) (sign | 0x7c00);
  if (bits < 0x38800000) { /* subnormal: units of 2^-24 */
    gfloat magnitude;
    memcpy (&magnitude, &bits, 4);
    magnitude *= 0x1p24f;
    kept = (guint32) magnitude;
    if (magnitude - (gfloat) kept > 0.5f || (magnitude - (gfloat) kept == 0.5f && (kept & 1)))
      kept++;
    return (guint16) (sign | kept);
  }
  kept = (bits - (112u << 23)) >> 13;
  rest = bits & 0x1fff;
  if (rest > 0x1000 || (rest == 0x1000 && (kept & 1))) /* to nearest, ties to even */
    kept++;
  return (guint16) (sign | kept);
}

#ifdef HAVE_F16C_KERNEL
__attribute__ ((target ("avx,f16c"))) static gsize
convert_f16c (gfloat *to, const guint8 *from, gsize count)
{
  gsize i = 0;

  for (; i + 8 <= count; i += 8)
    _mm256_storeu_ps (to + i, _mm256_cvtph_ps (_mm_loadu_si128 ((const __m128i *) (from + 2 * i))));
  return i;
}
#endif

void
upi_convert_f16 (gfloat *to, const guint8 *from, gsize count)
{
  gsize i = 0;

#ifdef HAVE_F16C_KERNEL
  if (upi_processor_isa () >= UPI_ISA_AVX2)
    i = convert_f16c (to, from, count);
#endif
  for (; i < count; i++)
    to[i] = upi_half_to_float ((guint16) (from[2 * i] | from[2 * i + 1] << 8));
}

void
upi_convert_bf16 (gfloat *to, const guint8 *from, gsize count)
{
  for (gsize i = 0; i < count; i++) {
    guint32 bits = (guint32) from[2 * i] << 16 | (guint32) from[2 * i + 1] << 24;
    memcpy (to + i, &bits, 4);
  }
}

gsize
upi_first_not_finite (const gfloat *values, gsize count)
{
  /* the largest magnitude of a block, as bits: a loop that compilers make wide */
  for (gsize start = 0; start < count; start += 4096) {
    gsize end = MIN (start + 4096, count);
    guint32 worst = 0;

    for (gsize i = start; i < end; i++) {
      guint32 bits;
      memcpy (&bits, values + i, 4);
      bits &= 0x7fffffff;
      worst = MAX (worst, bits);
    }
    if (worst < 0x7f800000)
      continue;
    for (gsize i = start; i < end; i++) {
      guint32 bits;
      memcpy (&bits, values + i, 4);
      if ((bits & 0x7fffffff) >= 0x7f800000)
        return i;
    }
  }
  return count;
}
