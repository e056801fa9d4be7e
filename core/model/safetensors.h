/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The safetensors container: 8 bytes little-endian header length, a JSON header, then the tensors' bytes.
 * Memory-mapped, untrusted.
 *
 * Opening checks all that the header says against the file (lengths, offsets, gaps and overlaps, shapes, sizes) before
 * anything is allocated by it; reading converts one tensor and refuses numbers that are not finite.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define UPI_SAFETENSORS_MAX_RANK 8

typedef enum { UPI_TENSOR_F32, UPI_TENSOR_F16, UPI_TENSOR_BF16, UPI_TENSOR_I32, UPI_TENSOR_I64 } UpiTensorType;
extern const gchar *const upi_tensor_type_names[]; /* "F32" ... */

/* One tensor of a file; data lies in the mapping, little-endian, not aligned. */
typedef struct {
  const gchar *file; /* for errors */
  const gchar *name;
  UpiTensorType type;
  guint rank;
  guint64 dim[UPI_SAFETENSORS_MAX_RANK];
  gsize count; /* elements */
  const guint8 *data;
  gboolean mapped; /* data lies in a mapped file, not on the heap */
} UpiSafetensor;

typedef struct _UpiSafetensors UpiSafetensors;

/* Maps the file. UPI_ERROR_MODEL names it, the tensor, what was found and what was expected. */
UpiSafetensors *upi_safetensors_open (const gchar *path, GError **error);
/* The same from memory; file is what errors call it. */
UpiSafetensors *upi_safetensors_parse (GBytes *bytes, const gchar *file, GError **error);
void upi_safetensors_free (UpiSafetensors *file);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiSafetensors, upi_safetensors_free)

guint upi_safetensors_count (const UpiSafetensors *file);
const UpiSafetensor *upi_safetensors_nth (const UpiSafetensors *file, guint index); /* in the order of their offsets */
const UpiSafetensor *upi_safetensors_find (const UpiSafetensors *file, const gchar *name); /* NULL if there is none */

/* count floats converted from any floating type, or NULL and an error if one is NaN or infinite. (transfer full),
 * g_free. The mapping's pages are given back to the system afterwards, so that a tensor is in memory once. */
gfloat *upi_safetensor_read (const UpiSafetensor *tensor, GError **error);
/* Whether it is used where it lies: float32, aligned. */
gboolean upi_safetensor_is_ready (const UpiSafetensor *tensor);
/* The tensor where it lies in the mapping, checked as above; NULL without an error if it must be converted or is not
 * aligned. */
const gfloat *upi_safetensor_view (const UpiSafetensor *tensor, GError **error);
/* count integers that fit 32 bits. (transfer full), g_free */
gint32 *upi_safetensor_read_i32 (const UpiSafetensor *tensor, GError **error);

/* Writes a file of float32 (or, with half, float16) and int32 tensors: tests and random models. Shapes and data of n
 * tensors; the header is padded so that the data is aligned. */
typedef struct {
  const gchar *name;
  UpiTensorType type; /* F32, F16 (data is float32 and is rounded), I32 */
  guint rank;
  guint64 dim[UPI_SAFETENSORS_MAX_RANK];
  const void *data;
} UpiSafetensorOut;
gboolean upi_safetensors_write (const gchar *path, const UpiSafetensorOut *tensors, guint n_tensors, GError **error);

G_END_DECLS
