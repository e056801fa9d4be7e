/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* From an image's format to components in planes, and the border where a caller's description of an image is checked:
 * see image.h. */
#include "core/backends/frames/image.h"

#define MAX_SIDE 32768 /* of a source image */
#define MAX_STEP 64    /* bytes from sample to sample */
#define MAX_SUBSAMPLING 4

/* Of the formats with a name; by UpiPixelFormat. */
static const struct {
  gboolean yuv;
  UpiComponent components[3];
} named[] = {
  [UPI_PIXELS_RGB] = { FALSE, { { 0, 0, 3, 0, 0 }, { 0, 1, 3, 0, 0 }, { 0, 2, 3, 0, 0 } } },
  [UPI_PIXELS_BGR] = { FALSE, { { 0, 2, 3, 0, 0 }, { 0, 1, 3, 0, 0 }, { 0, 0, 3, 0, 0 } } },
  [UPI_PIXELS_RGBX] = { FALSE, { { 0, 0, 4, 0, 0 }, { 0, 1, 4, 0, 0 }, { 0, 2, 4, 0, 0 } } },
  [UPI_PIXELS_BGRX] = { FALSE, { { 0, 2, 4, 0, 0 }, { 0, 1, 4, 0, 0 }, { 0, 0, 4, 0, 0 } } },
  [UPI_PIXELS_I420] = { TRUE, { { 0, 0, 1, 0, 0 }, { 1, 0, 1, 1, 1 }, { 2, 0, 1, 1, 1 } } },
  [UPI_PIXELS_NV12] = { TRUE, { { 0, 0, 1, 0, 0 }, { 1, 0, 2, 1, 1 }, { 1, 1, 2, 1, 1 } } },
};

static gboolean
has_name (const UpiImage *image)
{
  return (guint) image->format < G_N_ELEMENTS (named);
}

void
upi_image_pixels (const UpiImage *image, UpiPixels *pixels)
{
  *pixels = (UpiPixels){ .full_range = image->full_range, .n_components = 3, .sample_bytes = 1 };
  if (has_name (image)) {
    pixels->yuv = named[image->format].yuv;
    pixels->full_range |= !pixels->yuv;
    for (guint i = 0; i < 3; i++)
      pixels->components[i] = named[image->format].components[i];
    return;
  }
  pixels->yuv = image->format == UPI_PIXELS_YUV_COMPONENTS;
  pixels->n_components = image->n_components;
  for (guint i = 0; i < 3; i++)
    pixels->components[i] = image->components[i];
  if (image->depth > 8) {
    pixels->sample_bytes = 2;
    pixels->sample_shift = image->shift + image->depth - 8;
  }
}

guint
upi_component_samples (guint pixels, guint shift)
{
  return (pixels + (1u << shift) - 1) >> shift;
}

static gboolean
wrong (GError **error, guint component, const gchar *what, guint found, guint least, guint most)
{
  g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "component %u of the image has %s %u, expected %u to %u",
      component, what, found, least, most);
  return FALSE;
}

/* The description alone. */
static gboolean
check_components (const UpiImage *image, GError **error)
{
  guint bytes = image->depth > 8 ? 2 : 1;

  if (image->n_components != 3 && (image->n_components != 1 || image->format != UPI_PIXELS_YUV_COMPONENTS)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "the image has %u components, expected 3, or 1 of YUV",
        image->n_components);
    return FALSE;
  }
  if ((image->depth != 0 && image->depth < 8) || image->depth > 16 || image->shift > 16 - MAX (image->depth, 8)
      || (bytes == 1 && image->shift > 0)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "the image has samples of %u bits above %u unused ones, expected 8 to 16 bits, and unused ones beside them in "
        "two bytes",
        image->depth, image->shift);
    return FALSE;
  }
  for (guint i = 0; i < image->n_components; i++) {
    const UpiComponent *c = &image->components[i];

    if (c->plane > 3)
      return wrong (error, i, "plane", c->plane, 0, 3);
    if (c->step < bytes || c->step > MAX_STEP || c->step % bytes != 0)
      return wrong (error, i, "a step of", c->step, bytes, MAX_STEP);
    if (c->first > MAX_STEP || c->first % bytes != 0)
      return wrong (error, i, "its first byte at", c->first, 0, MAX_STEP);
    if (c->width_shift > MAX_SUBSAMPLING || c->height_shift > MAX_SUBSAMPLING)
      return wrong (error, i, "a subsampling shift of", MAX (c->width_shift, c->height_shift), 0, MAX_SUBSAMPLING);
    for (guint j = 0; j < i; j++)
      if (image->components[j].plane == c->plane && image->components[j].height_shift != c->height_shift)
        return wrong (error, i, "a height_shift that differs in its plane:", c->height_shift,
            image->components[j].height_shift, image->components[j].height_shift);
  }
  return TRUE;
}

static gboolean
check_planes (const UpiImage *image, GError **error)
{
  UpiPixels pixels;

  upi_image_pixels (image, &pixels);
  for (guint i = 0; i < pixels.n_components; i++) {
    const UpiComponent *c = &pixels.components[i];
    gssize n = upi_component_samples (image->width, c->width_shift), stride = image->strides[c->plane];
    gssize bytes =
        has_name (image) ? n * c->step : c->first + (n - 1) * (gssize) c->step + (gssize) pixels.sample_bytes;
    const guint8 *data = image->planes[c->plane];

    if (data == NULL || ABS (stride) < bytes) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
          "plane %u of the image has %s and a stride of %" G_GSSIZE_FORMAT " bytes, expected %" G_GSSIZE_FORMAT
          " or more",
          c->plane, data != NULL ? "data" : "no data", stride, bytes);
      return FALSE;
    }
    if (image->on_device && pixels.sample_bytes == 2 && (GPOINTER_TO_SIZE (data) % 2 != 0 || stride % 2 != 0)) {
      g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
          "plane %u of the image has samples of two bytes at an odd address of the device", c->plane);
      return FALSE;
    }
  }
  return TRUE;
}

gboolean
upi_image_check (const UpiImage *image, const UpiBackend *backend, const gchar *device, GError **error)
{
  gboolean components = image->format == UPI_PIXELS_RGB_COMPONENTS || image->format == UPI_PIXELS_YUV_COMPONENTS;

  if (!has_name (image) && !components && image->format != UPI_PIXELS_READ) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "pixel format %d is not known", image->format);
    return FALSE;
  }
  if (image->width < 1 || image->height < 1 || image->width > MAX_SIDE || image->height > MAX_SIDE) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "the image is %u × %u, expected 1 to %d a side", image->width,
        image->height, MAX_SIDE);
    return FALSE;
  }
  if (image->format == UPI_PIXELS_READ && image->read == NULL) {
    g_set_error_literal (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "an image of format READ needs its read function");
    return FALSE;
  }
  if (image->on_device && (!backend->has_device || image->format == UPI_PIXELS_READ || image->prepare != NULL)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "an engine on %s cannot read an image of format %d in a GPU's memory", device, image->format);
    return FALSE;
  }
  if ((guint) image->orientation > UPI_ORIENTATION_UR_LL) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT, "orientation %d is not known", image->orientation);
    return FALSE;
  }
  if (!(image->kr >= 0 && image->kb >= 0 && image->kr + image->kb < 1)) {
    g_set_error (error, UPI_ERROR, UPI_ERROR_ARGUMENT,
        "the YUV matrix has kr %g and kb %g, expected 0 or more and less than 1 together", (gdouble) image->kr,
        (gdouble) image->kb);
    return FALSE;
  }
  return image->format == UPI_PIXELS_READ
      || ((!components || check_components (image, error)) && (image->prepare != NULL || check_planes (image, error)));
}

void
upi_image_read_failed (GError **error, GError *cause)
{
  if (cause != NULL && cause->domain == UPI_ERROR) {
    g_propagate_error (error, cause);
    return;
  }
  g_set_error (error, UPI_ERROR, UPI_ERROR_INPUT, "the frame could not be read: %s",
      cause != NULL ? cause->message : "no reason given");
  g_clear_error (&cause);
}

gboolean
upi_image_prepare (UpiImage *image, GError **error)
{
  UpiImagePrepare prepare = g_steal_pointer (&image->prepare);
  GError *cause = NULL;

  if (prepare == NULL)
    return TRUE;
  if (!prepare (image, &cause)) {
    upi_image_read_failed (error, cause);
    return FALSE;
  }
  return image->format == UPI_PIXELS_READ || check_planes (image, error);
}
