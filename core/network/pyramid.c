/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PicoDet's pyramid (2111.00902, CSP-PAN): C3, C4, C5 as maps of one width, each joined with the coarser one, then with
 * the finer one; a fourth map at stride 64. It stands where a pixel encoder does.
 */
#include "core/network/parts.h"

#define WIDTH UPI_PYRAMID_WIDTH
#define KERNEL 5

static void
merge_tensors (GArray *specs, const gchar *name, gint i)
{
  upi_tensor_separable (specs, 2 * WIDTH, 2 * WIDTH, KERNEL, "pyramid.%s.%d.first", name, i);
  upi_tensor_separable (specs, 2 * WIDTH, WIDTH, KERNEL, "pyramid.%s.%d.second", name, i);
}

void
upi_pyramid_tensors (GArray *specs, const UpiConfig *c)
{
  if (c->pixel_encoder.kind != UPI_PIXEL_ENCODER_PYRAMID)
    return;
  for (gint i = 0; i < 3; i++)
    upi_tensor_conv (specs, c->backbone.channels[1 + i], WIDTH, 1, "pyramid.lateral.%d", i);
  for (gint i = 0; i < 2; i++) {
    merge_tensors (specs, "down", i);
    merge_tensors (specs, "up", i);
    upi_tensor_separable (specs, WIDTH, WIDTH, KERNEL, "pyramid.stride.%d", i);
  }
  upi_tensor_separable (specs, WIDTH, WIDTH, KERNEL, "pyramid.beyond_before");
  upi_tensor_separable (specs, WIDTH, WIDTH, KERNEL, "pyramid.beyond_after");
}

/* a and c [B,H,W,96] → [B,H,W,96] */
static UpiValue
merge (UpiBuild *b, UpiValue a, UpiValue c, const gchar *name, gint i)
{
  UpiValue x = upi_concat (b->program, (const UpiValue[]){ a, c }, 2, 3);

  x = upi_separable_of (b, x, 1, "pyramid.%s.%d.first", name, i);
  return upi_separable_of (b, x, 1, "pyramid.%s.%d.second", name, i);
}

/* Every cell four times: as large as `like`, which is twice as large. */
static UpiValue
doubled (UpiBuild *b, UpiValue x, UpiValue like)
{
  UpiShape s = upi_program_shape (b->program, like);

  return upi_resize_nearest (b->program, x, s.dim[1], s.dim[2]);
}

void
upi_pyramid (UpiBuild *b, const UpiValue maps[4], UpiValue levels[4])
{
  UpiValue p[3], q4;

  upi_program_part (b->program, "pyramid (5.3)");
  for (gint i = 0; i < 3; i++)
    p[i] = upi_conv_of (b, maps[1 + i], &(UpiConvOf){ .act = UPI_ACT_HARD_SWISH }, "pyramid.lateral.%d", i);
  q4 = merge (b, doubled (b, p[2], p[1]), p[1], "down", 0);
  levels[0] = merge (b, doubled (b, q4, p[0]), p[0], "down", 1);                                    /* 8 */
  levels[1] = merge (b, upi_separable_of (b, levels[0], 2, "pyramid.stride.%d", 0), q4, "up", 0);   /* 16 */
  levels[2] = merge (b, upi_separable_of (b, levels[1], 2, "pyramid.stride.%d", 1), p[2], "up", 1); /* 32 */
  levels[3] = upi_add (b->program, upi_separable_of (b, p[2], 2, "pyramid.beyond_before"),          /* 64 */
      upi_separable_of (b, levels[2], 2, "pyramid.beyond_after"));
}
