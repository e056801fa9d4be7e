/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The library's version: the project's, as meson knows it. */
#include "core/upi.h"

const gchar *
upi_version (void)
{
  return UPI_VERSION;
}
