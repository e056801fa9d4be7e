/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzzes the safetensors reader: any bytes as a file. What opens must be readable to its last byte, and add up to the
 * file. */
#include "core/model/safetensors.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiSafetensors) file = upi_safetensors_parse (bytes, "fuzzed", &error);

  if ((file == NULL) != (error != NULL))
    abort ();
  for (guint i = 0; file != NULL && i < upi_safetensors_count (file); i++) {
    const UpiSafetensor *t = upi_safetensors_nth (file, i);
    g_autofree gfloat *values = upi_safetensor_read (t, NULL);
    g_autofree gint32 *integers = upi_safetensor_read_i32 (t, NULL);

    if (upi_safetensors_find (file, t->name) != t || t->count > size || (values != NULL && integers != NULL))
      abort ();
    for (gsize k = 0; values != NULL && k < t->count; k++)
      if (!isfinite (values[k]))
        abort ();
    upi_safetensor_view (t, NULL);
  }
  return 0;
}
