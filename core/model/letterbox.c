/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Sizes of pictures in the network's input; see letterbox.h. */
#include "core/model/letterbox.h"

/* a · b / c to the nearest whole number, halves up; at least 1. */
static guint
scaled (guint a, guint b, guint c)
{
  return (guint) MAX ((2 * (guint64) a * b + c) / (2 * (guint64) c), 1);
}

/* The short side as the config has it, unless the long one were beyond its bound then. */
static void
by_short_side (const UpiConfig *config, guint image_width, guint image_height, guint *width, guint *height)
{
  guint least = MIN (image_width, image_height), most = MAX (image_width, image_height);
  guint short_side = config->input.short_side, long_side = config->input.long_side;
  gboolean bounded = (guint64) most * short_side > (guint64) long_side * least;
  guint small = bounded ? scaled (least, long_side, most) : short_side,
        large = bounded ? long_side : scaled (most, short_side, least);

  *width = image_width < image_height ? small : large;
  *height = image_width < image_height ? large : small;
}

static guint
whole (guint side, guint multiple)
{
  return (side + multiple - 1) / multiple * multiple;
}

void
upi_letterbox_input (const UpiConfig *config, guint image_width, guint image_height, guint *width, guint *height)
{
  by_short_side (config, MAX (image_width, 1), MAX (image_height, 1), width, height);
  *width = whole (*width, config->input.multiple);
  *height = whole (*height, config->input.multiple);
}

void
upi_letterbox_picture (const UpiConfig *config, guint image_width, guint image_height, guint width, guint height,
    guint *picture_width, guint *picture_height)
{
  *picture_width = width;
  *picture_height = height;
  if (!config->input.letterbox)
    return;
  image_width = MAX (image_width, 1);
  image_height = MAX (image_height, 1);
  if (config->input.short_side > 0) {
    guint across, down;

    by_short_side (config, image_width, image_height, &across, &down);
    if (whole (across, config->input.multiple) == width && whole (down, config->input.multiple) == height) {
      *picture_width = across;
      *picture_height = down;
      return;
    }
  }
  /* an input of another size: as large as it fits */
  if ((guint64) width * image_height <= (guint64) height * image_width)
    *picture_height = MIN (scaled (image_height, width, image_width), height);
  else
    *picture_width = MIN (scaled (image_width, height, image_height), width);
}
