/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* scan-plugins.c: writes the registry that element tests read. It is built as they are, so that it can load a plugin
 * built with a sanitizer, which GStreamer's own scanner cannot; and the tests need not look at every plugin of the
 * system. */
#include <gst/gst.h>

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  GstElementFactory *factory = gst_element_factory_find ("upiencoder");
  if (factory == NULL) {
    g_printerr ("the plugin upi was not found or cannot be loaded\n");
    return 1;
  }
  gst_object_unref (factory);
  return 0;
}
