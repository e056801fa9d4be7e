/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plugin.h: the elements of the plugin "upi"; each file that defines one includes it. */
#pragma once

#include <gst/gst.h>

GST_ELEMENT_REGISTER_DECLARE (upiencoder)
GST_ELEMENT_REGISTER_DECLARE (upidetect)
GST_ELEMENT_REGISTER_DECLARE (upiclassify)
GST_ELEMENT_REGISTER_DECLARE (upijson)
GST_ELEMENT_REGISTER_DECLARE (upicaption)
GST_ELEMENT_REGISTER_DECLARE (upioverlay)
GST_ELEMENT_REGISTER_DECLARE (upirules)
GST_ELEMENT_REGISTER_DECLARE (upirtspsrc)
GST_ELEMENT_REGISTER_DECLARE (upitrack)
