/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plugin.c: the plugin "upi": registers its elements. */
#include "gst/plugin.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  gboolean ok = TRUE;

  ok &= GST_ELEMENT_REGISTER (upiencoder, plugin);
  ok &= GST_ELEMENT_REGISTER (upidetect, plugin);
  ok &= GST_ELEMENT_REGISTER (upiclassify, plugin);
  ok &= GST_ELEMENT_REGISTER (upijson, plugin);
  ok &= GST_ELEMENT_REGISTER (upicaption, plugin);
  ok &= GST_ELEMENT_REGISTER (upioverlay, plugin);
  ok &= GST_ELEMENT_REGISTER (upirules, plugin);
  ok &= GST_ELEMENT_REGISTER (upirtspsrc, plugin);
  ok &= GST_ELEMENT_REGISTER (upitrack, plugin);
  return ok;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, upi,
    "Uni-Perceiver v2: detection, instance segmentation and captions from one encoding a frame", plugin_init,
    PACKAGE_VERSION, "LGPL", "upi", "https://arxiv.org/abs/2211.09808")
