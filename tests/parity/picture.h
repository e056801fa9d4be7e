/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Pictures of every layout that a frame can have, filled with numbers. */
#pragma once

#include "core/upi.h"

G_BEGIN_DECLS

typedef struct {
  UpiImage image;
  guint8 *data[3];
} Picture;

/* Beside the formats with a name. */
enum {
  LAYOUT_WORDS = UPI_PIXELS_NV12 + 1, /* 4:2:0 of 10 bits, with garbage above them */
  LAYOUT_NV21_WORDS,                  /* 12 bits above 4 */
  LAYOUT_GBR,
  LAYOUT_LIMITED_ARGB,
  LAYOUT_GREY,
  N_LAYOUTS
};

/* Neighbouring bytes differ, so that one that is read in place of another shows. (transfer full) */
guint8 *picture_numbers (gsize count, guint32 seed);
/* padding: bytes behind each row; negative: rows from the bottom up. */
void picture_init (Picture *picture, guint layout, guint width, guint height, gint padding, guint32 seed);
void picture_clear (Picture *picture);

G_END_DECLS
