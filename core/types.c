/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* types.c: boxed types; see upi-types.h. */
#include "core/upi-types.h"

G_DEFINE_BOXED_TYPE (UpiEngine, upi_engine, upi_engine_ref, upi_engine_unref)
G_DEFINE_BOXED_TYPE (UpiEncoding, upi_encoding, upi_encoding_ref, upi_encoding_unref)
G_DEFINE_BOXED_TYPE (UpiLabels, upi_labels, upi_labels_ref, upi_labels_unref)
G_DEFINE_BOXED_TYPE (UpiMask, upi_mask, upi_mask_ref, upi_mask_unref)

GBytes *
upi_mask_get_bytes (UpiMask *mask)
{
  return g_bytes_new_with_free_func (
      mask->data, (gsize) mask->rows * mask->columns, (GDestroyNotify) upi_mask_unref, upi_mask_ref (mask));
}
