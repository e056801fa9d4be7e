/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* oneDNN 2.6 to 3.x: convolution (a linear layer is a 1×1 convolution) with bias, residual and activation, NHWC,
 * weights packed once.
 *
 * Built without oneDNN, upi_dnn_conv_new() gives none and the backend's own kernels do all. oneDNN runs on OpenMP:
 * everything here asks for one thread, so that no team is ever made; threads of a frame are the backend's own.
 */
#pragma once

#include "core/backends/cpu/kernels/kernels.h"

G_BEGIN_DECLS

typedef struct _UpiDnnLocal UpiDnnLocal;

typedef struct {
  const UpiTensor *x, *w;
  const gfloat *bias; /* [O] or NULL */
  const UpiTensor *y, *residual;
  const UpiConv *conv;
} UpiDnnConv;

gboolean upi_dnn_available (void);
/* A result of NULL where the library has nothing better than its reference implementation, or does not take these
 * strides. FALSE and an error where there is no memory. */
gboolean upi_dnn_conv_new (const UpiDnnConv *spec, UpiDnn **result, GError **error);
void upi_dnn_free (UpiDnn *dnn);
gsize upi_dnn_scratch (const UpiDnn *dnn);
const gchar *upi_dnn_implementation (const UpiDnn *dnn);

/* A context's memory objects. */
UpiDnnLocal *upi_dnn_local_new (const UpiDnn *dnn, GError **error);
void upi_dnn_local_free (UpiDnnLocal *local);
gboolean upi_dnn_run (UpiDnnLocal *local, const void *x, void *y, const void *residual, void *scratch, GError **error);

/* OpenMP's thread count of the calling thread: set to one around runs, put back afterwards. */
gint upi_dnn_single_thread_begin (void);
void upi_dnn_single_thread_end (gint before);

/* C = A · B, n × n, row-major, on one thread: the rate that networks are measured against. */
gboolean upi_dnn_sgemm (gint n, const gfloat *a, const gfloat *b, gfloat *c);

G_END_DECLS
