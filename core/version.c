/* The library's version and error domain. */
#include "core/upi.h"

G_DEFINE_QUARK (upi - error - quark, upi_error)

const gchar *
upi_version (void)
{
  return "0.1.0";
}
