/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * onednn-guard.cc: the only C++ of the core; see onednn-guard.h. */
#include "core/backends/cpu/onednn-guard.h"

int
upi_dnn_guard (int (*call) (void *data), void *data)
{
  try {
    return call (data);
  } catch (...) {
    return -1;
  }
}
