/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A frame into the network's input in one pass, on the processor, by its vector units: scaled, converted, normalised,
 * turned. */
#pragma once

#include "core/backends/backend.h"
#include "core/processor.h"

G_BEGIN_DECLS

/* Row buffers of one context; not thread-safe. */
typedef struct _UpiConverter UpiConverter;

/* isa: one that this machine has. */
UpiConverter *upi_converter_new (UpiIsa isa);
void upi_converter_free (UpiConverter *converter);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiConverter, upi_converter_free)

/* out: [H, W, 3] of the frame's input: the picture and its border. UPI_ERROR_MEMORY */
gboolean upi_converter_run (UpiConverter *converter, const UpiFrame *frame, gfloat *out, GError **error);

G_END_DECLS
