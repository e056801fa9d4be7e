/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests ask of the test device besides CUDA's API: faults, seeds, counts. Resolved in the module by name, or
 * linked. */
#pragma once

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UPI_DEVICE_EXPORT __attribute__ ((visibility ("default")))

typedef enum {
  UPI_FAULT_CALL,  /* the call returns an error and does nothing */
  UPI_FAULT_STICKY /* as an illegal address on the device: this and every later call on it fail */
} UpiDeviceFault;

typedef struct {
  uint64_t calls;          /* that return a status, since the last reset */
  uint64_t allocations;    /* device and pinned memory, handles, streams, events, graphs: made */
  uint64_t live;           /* the same, not yet destroyed */
  uint64_t live_bytes;     /* of device and pinned memory */
  uint64_t graph_launches; /* since the last reset */
  uint64_t launches; /* kernels, copies and library calls put into a stream one by one, not by a graph or its capture */
  uint64_t device_syncs; /* calls that wait for all streams: cudaFree, cudaFreeHost */
  uint64_t interleaved;  /* times the device turned to another stream while the last one had more to do */
  uint64_t executed;     /* operations that ran */
  uint64_t to_device, to_host, on_device; /* bytes that copies moved, since the last reset */
} UpiDeviceCounts;

/* As if the process had just started: `devices` GPUs, no fault, default seed. Nothing may be alive. */
UPI_DEVICE_EXPORT void upi_test_device_reset (int devices);
/* The order of streams, blocks and threads is drawn from it. */
UPI_DEVICE_EXPORT void upi_test_device_seed (uint64_t seed);
/* The nth call from now on fails (1: the next); 0: none does. */
UPI_DEVICE_EXPORT void upi_test_device_fail (uint64_t nth, UpiDeviceFault fault);
/* The name of the call that failed last, NULL if none did. */
UPI_DEVICE_EXPORT const char *upi_test_device_failed_call (void);
/* Calls that wait do so until n graphs have been launched from now on: so work of several threads lies in the queues at
 * once. */
UPI_DEVICE_EXPORT void upi_test_device_hold (unsigned n);
/* A device whose cuDNN has no engine for what it is asked (2: whose cuBLASLt has no algorithm either), whose driver is
 * too old (0: as it should be). */
UPI_DEVICE_EXPORT void upi_test_device_without_engines (int without);
UPI_DEVICE_EXPORT void upi_test_device_driver (int version);
/* Its compute capability, 75 by default. */
UPI_DEVICE_EXPORT void upi_test_device_capability (int capability);
/* A context on the device that is not its own, as another library would make it: a CUcontext. The n-th is always the
 * same. */
UPI_DEVICE_EXPORT void *upi_test_device_context (int device, unsigned n);
/* The context that is current on the calling thread; NULL: none. */
UPI_DEVICE_EXPORT void *upi_test_device_get_current (void);
UPI_DEVICE_EXPORT void upi_test_device_set_current (void *context);
UPI_DEVICE_EXPORT UpiDeviceCounts upi_test_device_counts (void);
UPI_DEVICE_EXPORT void upi_test_device_reset_counts (void);

#ifdef __cplusplus
}
#endif
