/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* choices.h: the values that upijson's properties can have. */
#pragma once

#include <glib-object.h>

#include "gst/json/output.h"

G_BEGIN_DECLS

typedef enum { GST_UPI_JSON_CONTINUE, GST_UPI_JSON_STOP } GstUpiJsonOnError;
typedef enum { GST_UPI_JSON_UPI, GST_UPI_JSON_DLSTREAMER, GST_UPI_JSON_DEEPSTREAM } GstUpiJsonFormat;
typedef enum { GST_UPI_JSON_MASK_NONE, GST_UPI_JSON_MASK_RLE } GstUpiJsonMask;
typedef enum { GST_UPI_JSON_FRAMES, GST_UPI_JSON_EVENTS, GST_UPI_JSON_ALL } GstUpiJsonEmit;

#define GST_TYPE_UPI_JSON_METHOD (gst_upi_json_method_get_type ())
#define GST_TYPE_UPI_JSON_ON_ERROR (gst_upi_json_on_error_get_type ())
#define GST_TYPE_UPI_JSON_FORMAT (gst_upi_json_format_get_type ())
#define GST_TYPE_UPI_JSON_MASK (gst_upi_json_mask_get_type ())
#define GST_TYPE_UPI_JSON_EMIT (gst_upi_json_emit_get_type ())

GType gst_upi_json_method_get_type (void);
GType gst_upi_json_on_error_get_type (void);
GType gst_upi_json_format_get_type (void);
GType gst_upi_json_mask_get_type (void);
GType gst_upi_json_emit_get_type (void);

G_END_DECLS
