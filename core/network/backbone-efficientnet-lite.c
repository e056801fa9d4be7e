/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* EfficientNet-Lite0: inverted residuals, C2..C5 the ends of four stages. */
#include "core/network/inverted-residuals.h"
#include "core/network/parts.h"

static const UpiResidualStage stages[] = {
  { 1, 3, 1, 1, 16, UPI_TAP_NONE, 0 },  /* stride 2 */
  { 2, 3, 2, 6, 24, UPI_TAP_END, 0 },   /* 4: C2 */
  { 2, 5, 2, 6, 40, UPI_TAP_END, 1 },   /* 8: C3 */
  { 3, 3, 2, 6, 80, UPI_TAP_NONE, 0 },  /* 16 */
  { 3, 5, 1, 6, 112, UPI_TAP_END, 2 },  /* 16: C4 */
  { 4, 5, 2, 6, 192, UPI_TAP_NONE, 0 }, /* 32 */
  { 1, 3, 1, 6, 320, UPI_TAP_END, 3 },  /* 32: C5 */
};

void
upi_efficientnet_lite_tensors (GArray *specs, const UpiBackboneSizes *sizes, const gchar *name)
{
  upi_inverted_residuals_tensors (specs, name, stages, G_N_ELEMENTS (stages));
}

void
upi_efficientnet_lite (UpiBuild *b, UpiValue image, const UpiBackboneSizes *sizes, const gchar *name, UpiValue maps[4])
{
  upi_inverted_residuals (b, image, name, stages, G_N_ELEMENTS (stages), maps);
}
