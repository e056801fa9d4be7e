/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Conversions of 16-bit floats, and the check that weights are finite. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* float16 bits ↔ float32, to nearest even. */
gfloat upi_half_to_float (guint16 half);
guint16 upi_float_to_half (gfloat value);
/* count little-endian 16-bit numbers at from, of any alignment. */
void upi_convert_f16 (gfloat *to, const guint8 *from, gsize count);
void upi_convert_bf16 (gfloat *to, const guint8 *from, gsize count);
/* Index of the first NaN or infinity, count if there is none. */
gsize upi_first_not_finite (const gfloat *values, gsize count);

G_END_DECLS
