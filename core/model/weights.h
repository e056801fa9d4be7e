/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The binding table: every tensor a config asks for, by name and shape, found in the model's files; and what is made of
 * them at open.
 *
 * upi_weights_open() only maps and compares. Folds (conditional-moe.c, text-encoder.c ...) then take tensors out and
 * put what runs in; upi_weights_load() converts the rest. After that the table is immutable and read from any thread.
 */
#pragma once

#include "core/model/model.h"
#include "core/program/tensor.h"

G_BEGIN_DECLS

/* In a spec's shape: the file's own size, the same wherever it stands (the candidates of captioning). */
#define UPI_ANY_SIZE 0

typedef struct _UpiWeights UpiWeights;

typedef struct {
  const gchar *name;
  UpiDType dtype;
  UpiShape shape;
  const void *data; /* float or gint32, contiguous */
} UpiWeight;

/* Maps all *.safetensors of the directory and holds them against the specs (UpiTensorSpec). One error lists all that is
 * missing, misshapen or unused. */
UpiWeights *upi_weights_open (const gchar *directory, const GArray *specs, GError **error);
void upi_weights_free (UpiWeights *weights);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiWeights, upi_weights_free)

/* What upi_weights_load() would take for a tensor: 0 where it lies in the mapping as it is. */
gsize upi_weights_load_bytes (const UpiWeights *weights, const gchar *name);

/* Takes a float tensor out of the table. (transfer full), g_free; NULL and an error if a number is not finite. */
gfloat *
upi_weights_take (UpiWeights *weights, UpiShape *shape, GError **error, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* Puts one in. data: (transfer full) */
void upi_weights_put (UpiWeights *weights, gfloat *data, UpiShape shape, const gchar *format, ...) G_GNUC_PRINTF (4, 5);
/* Converts what the files hold and nobody took. */
gboolean upi_weights_load (UpiWeights *weights, GError **error);

/* Must be there: names come from the same code as the specs. */
const UpiWeight *upi_weights_get (const UpiWeights *weights, const gchar *name);
gsize upi_weights_bytes (const UpiWeights *weights); /* of the loaded tensors */

G_END_DECLS
