/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* rules-picture.h: rules drawn on a frame. */
#pragma once

#include <cairo.h>

#include "gst/rules/rules.h"

G_BEGIN_DECLS

/* @surface: the frame, CAIRO_FORMAT_RGB24: a grid in tenths, zones with their corners, lines with an arrow forward,
 * what else there is in a corner. */
void rules_picture_draw (cairo_surface_t *surface, const Rules *rules);

G_END_DECLS
