/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * onednn-guard.h: the library is C++ behind a C interface that lets exceptions through; they end here. */
#pragma once

#ifdef __cplusplus
extern "C" {
#endif

/* What @call returned, which is not negative; -1 where it was left by an exception (no memory). */
__attribute__ ((visibility ("hidden"))) int upi_dnn_guard (int (*call) (void *data), void *data);

#ifdef __cplusplus
}
#endif
