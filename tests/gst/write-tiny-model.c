/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* write-tiny-model.c: writes the small random model that element tests run, into the directory given; "tiny",
 * "no-labels", "grounded" or "calibrated". */
#include "core/model/model.h"

#include <string.h>

#include "tests/tiny-config.h"

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GString) config = g_string_new (UPI_TINY_CONFIG);

  if (argc != 3) {
    g_printerr ("usage: %s DIRECTORY tiny|no-labels|grounded|calibrated|letterbox\n", argv[0]);
    return 2;
  }
  if (strcmp (argv[2], "no-labels") == 0)
    g_string_replace (config, "\"labels\": [\"cat\", \"dog\", \"person\"]", "\"labels\": []", 1);
  if (strcmp (argv[2], "grounded") == 0)
    g_string_assign (config, UPI_TINY_GROUNDED_CONFIG);
  if (strcmp (argv[2], "calibrated") == 0)
    g_string_assign (config, UPI_TINY_MOBILENET_CONFIG_WITH (UPI_TINY_CALIBRATION));
  if (strcmp (argv[2], "letterbox") == 0)
    g_string_assign (config, UPI_TINY_LETTERBOX_CONFIG (""));
  if (!upi_model_write_random (argv[1], config->str, 7, &error)) {
    g_printerr ("%s\n", error->message);
    return 1;
  }
  return 0;
}
