/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* color.c: a palette and how labels find their place in it; see color.h. */
#include "gst/overlay/color.h"

/* Bright enough for dark scenes; on bright ones the dark rims around every line carry them. Neighbours differ in
 * hue. */
static const guint32 palette[] = { 0xe6194b, 0x42d4f4, 0xffe119, 0x4c7dff, 0x3cb44b, 0xf032e6, 0xf58231, 0xaaffc3,
  0xb048e0, 0xbfef45, 0xff9ebb, 0x2fb5a5, 0xff6f61, 0x9bb3ff, 0xd08a3c, 0xc9a6ff };

guint32
gst_upi_color_of_index (guint index)
{
  return palette[index % G_N_ELEMENTS (palette)];
}

guint32
gst_upi_color_of_track (guint64 track_id)
{
  return gst_upi_color_of_index ((guint) (track_id % G_N_ELEMENTS (palette)));
}

/* FNV-1a, its high bits after a multiplication that tells the words apart which stand in most pictures: person,
 * bicycle, car, motorcycle, bus, truck, dog, cat, chair, bird, traffic light, bottle, backpack all differ. */
guint32
gst_upi_color_of_label (const gchar *label)
{
  guint32 hash = 2166136261u;
  for (const guchar *byte = (const guchar *) label; *byte != '\0'; byte++)
    hash = (hash ^ *byte) * 16777619u;
  return gst_upi_color_of_index ((hash * 0xc17c31a5u) >> 28);
}

/* ITU-R BT.709 luma of the gamma-coded value: above 125 black text has the higher WCAG contrast, near enough. */
guint32
gst_upi_color_of_text_on (guint32 rgb)
{
  guint luma = (54 * ((rgb >> 16) & 0xff) + 183 * ((rgb >> 8) & 0xff) + 19 * (rgb & 0xff)) / 256;
  return luma > 125 ? 0x000000 : 0xffffff;
}
