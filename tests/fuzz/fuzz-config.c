/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Fuzzes config.json: any bytes. What is accepted must be a network: every tensor that it asks for has a shape that can
 * be counted. */
#include "core/model/model.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput (const guint8 *data, gsize size);

static void
check (const UpiConfig *config)
{
  g_autoptr (GArray) specs = upi_model_tensor_specs (config);

  for (guint i = 0; i < specs->len; i++) {
    const UpiTensorSpec *spec = &g_array_index (specs, UpiTensorSpec, i);
    guint64 count = 1;
    for (guint k = 0; k < spec->shape.rank; k++)
      if (spec->shape.dim[k] < 0 || !g_uint64_checked_mul (&count, count, MAX (spec->shape.dim[k], 1)))
        abort ();
  }
  for (guint i = 0; i < config->input.n_sizes; i++)
    if (config->input.sizes[i][0] % 32 || config->input.sizes[i][1] % 32)
      abort ();
}

int
LLVMFuzzerTestOneInput (const guint8 *data, gsize size)
{
  g_autofree gchar *text = g_strndup ((const gchar *) data, size);
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiConfig) config = upi_config_parse (text, (gssize) size, "fuzzed", &error);

  if ((config == NULL) != (error != NULL))
    abort ();
  if (config != NULL)
    check (config);
  return 0;
}
