/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An image as its description says: which components it has, where their samples lie, and whether the memory can hold
 * them. */
#pragma once

#include "core/backends/backend.h"
#include "core/upi.h"

G_BEGIN_DECLS

/* Every format but UPI_PIXELS_READ as components. A sample is its 8 bits above the shift. */
typedef struct {
  gboolean yuv, full_range;
  guint n_components;
  UpiComponent components[3];
  guint sample_bytes, sample_shift;
} UpiPixels;

void upi_image_pixels (const UpiImage *image, UpiPixels *pixels);
/* Samples of a component along a side of that many pixels. */
guint upi_component_samples (guint pixels, guint shift);
/* FALSE and UPI_ERROR_ARGUMENT: what cannot be read as it is described. device: the backend's name for users, for the
 * message. */
gboolean upi_image_check (const UpiImage *image, const UpiBackend *backend, const gchar *device, GError **error);
/* On a worker: lets the image make its pixels, where it does that late. FALSE and UPI_ERROR_INPUT or an error of
 * ours. */
gboolean upi_image_prepare (UpiImage *image, GError **error);
/* The error of a function of the caller's as one of ours. cause: (transfer full) (nullable) */
void upi_image_read_failed (GError **error, GError *cause);

G_END_DECLS
