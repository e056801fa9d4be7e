/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* See module-device.h. */
#include "tests/cuda/module-device.h"

#include <gmodule.h>

ModuleDevice device;

void
module_device_find (void)
{
  g_autofree gchar *path = g_build_filename (g_getenv ("UPI_BACKEND_PATH"), "libupi-cuda.so", NULL);
  GModule *module = g_module_open (path, G_MODULE_BIND_LOCAL);

  g_assert_nonnull (module);
  g_module_make_resident (module);
  g_assert_true (g_module_symbol (module, "upi_test_device_reset", (gpointer *) &device.reset));
  g_assert_true (g_module_symbol (module, "upi_test_device_fail", (gpointer *) &device.fail));
  g_assert_true (g_module_symbol (module, "upi_test_device_driver", (gpointer *) &device.driver));
  g_assert_true (g_module_symbol (module, "upi_test_device_counts", (gpointer *) &device.counts));
  g_assert_true (g_module_symbol (module, "upi_test_device_context", (gpointer *) &device.context));
  g_assert_true (g_module_symbol (module, "upi_test_device_get_current", (gpointer *) &device.get_current));
  g_assert_true (g_module_symbol (module, "upi_test_device_set_current", (gpointer *) &device.set_current));
  g_assert_true (g_module_symbol (module, "upi_test_device_reset_counts", (gpointer *) &device.reset_counts));
}
