/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What regions look like, for trackers: colours and textures (C2) of a box's upper and lower half. No part of the
 * network reads it. Halves tell people apart by what they wear above and below; a mask in place of the box tells no
 * more. */
#include "core/memory.h"
#include "core/network/parts.h"

#define SIDE 4 /* a half is read at 4 × 4 points, each at the middle of its cell */
#define POINTS (SIDE * SIDE)

/* Of every query and item, in half sides of its box over the number of points. (transfer full) (nullable): no memory,
 * which is the program's error then */
static gfloat *
offsets_of (gint queries, gint top)
{
  gfloat *offsets = UPI_MEMORY_NEW (gfloat, (gsize) queries * POINTS * 2, "points of looks", NULL);

  for (gint i = 0; offsets != NULL && i < queries * POINTS; i++) {
    const gint point = i % POINTS;

    offsets[2 * i] = POINTS * (2 * (point % SIDE + 0.5f) / SIDE - 1);
    offsets[2 * i + 1] = POINTS * ((gfloat) top + (point / SIDE + 0.5f) / SIDE);
  }
  return offsets;
}

UpiValue
upi_looks (UpiBuild *b, UpiValue c2, UpiValue box)
{
  UpiProgram *p = b->program;
  const UpiShape s = upi_program_shape (p, c2); /* [B,H/4,W/4,c] */
  const gint n = upi_program_shape (p, box).dim[1];
  /* attention that attends to all points of a half alike */
  const UpiDeformable points = {
    .heads = 1, .points = POINTS, .levels = 1, .level = { { .height = s.dim[1], .width = s.dim[2] } }
  };
  UpiValue tokens, offsets, weights, halves[2];

  upi_program_part (p, "looks");
  tokens = upi_as_tokens (b, c2);
  weights = upi_program_constant (p, UPI_MEMORY_NEW0 (gfloat, (gsize) b->batch * n * POINTS, "weights of looks", NULL),
      UPI_SHAPE3 (b->batch, n, POINTS));
  for (gint i = 0; i < 2; i++) {
    offsets = upi_program_constant (p, offsets_of (b->batch * n, i - 1), UPI_SHAPE3 (b->batch, n, 2 * POINTS));
    halves[i] = upi_l2_norm (p, upi_deformable_attention (p, tokens, offsets, weights, box, &points)); /* [B,N,c] */
  }
  return upi_l2_norm (p, upi_concat (p, halves, 2, 2)); /* [B,N,2c] */
}
