/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device in the module that an engine loads: its calls for tests, by name. */
#pragma once

#include "tests/cuda/device/device-testing.h"

typedef struct {
  void (*reset) (int devices);
  void (*fail) (uint64_t nth, UpiDeviceFault fault);
  void (*driver) (int version);
  UpiDeviceCounts (*counts) (void);
  void (*reset_counts) (void);
  void *(*context) (int device, unsigned n);
  void *(*get_current) (void);
  void (*set_current) (void *context);
} ModuleDevice;

extern ModuleDevice device;

/* Fills it, from UPI_BACKEND_PATH. */
void module_device_find (void);
