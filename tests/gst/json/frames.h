/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* frames.h: frames that tests of upijson send. */
#pragma once

#include "tests/gst/json/lines.h"
#include "tests/gst/stream.h"

GstBuffer *frame_with (guint number, GstUpiContent *content);
