/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The error domain. */
#include "core/upi.h"

/* As G_DEFINE_QUARK makes it, but without its race: workers and callers ask for it at once. */
GQuark
upi_error_quark (void)
{
  static gsize quark;

  if (g_once_init_enter (&quark))
    g_once_init_leave (&quark, g_quark_from_static_string ("upi-error-quark"));
  return (GQuark) quark;
}
