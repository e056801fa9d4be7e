/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Inside the test device: one lock, memory with two views, streams as queues that run when somebody waits for them.
 *
 * Device memory is a file mapped twice. What cudaMalloc returns lies in a view that may never be touched, so that host
 * code which dereferences it dies on the spot; kernels and libraries run on the other view, where only live allocations
 * are mapped. */
#pragma once

#include "cuda-api.h"
#include "tests/cuda/device/device-testing.h"

#include <cstdarg>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace upi_device {

constexpr int max_devices = 8;

struct Operation {
  const char *name;
  std::function<void ()> run;
  CUevent_st *record = nullptr; /* completed by it, as generation `generation` */
  CUevent_st *wait = nullptr;   /* runs when that generation is complete */
  uint64_t generation = 0;
  std::function<void ()> queued = nullptr; /* called when it is put into a queue, by itself or by its graph's launch */
};

/* The lock of everything here. */
extern std::recursive_mutex lock;
using Guard = std::lock_guard<std::recursive_mutex>;

/* faults.cc */

int current_device ();
/* The device's own, or one that somebody made; dies where none is current. */
const CUctx_st *current_context ();
/* Dies unless it is current: objects are used and destroyed in the context that they were made in, by whichever
 * thread. */
void check_context (const CUctx_st *context, const char *what);
/* Counts a call; cudaSuccess, or what it must return. */
cudaError_t call (const char *name);
cublasStatus_t call_cublas (const char *name);
cudnnStatus_t call_cudnn (const char *name);
void count_made ();
void count_gone ();
UpiDeviceCounts &counts ();
bool lost (int device);
void set_lost (int device, cudaError_t error);
/* What only a bug in the code under test can do: prints and aborts. */
[[noreturn]] void die (const char *format, ...) __attribute__ ((format (printf, 1, 2)));
uint64_t draw (); /* random */
unsigned draw_below (unsigned n);
/* Whether cuDNN has one for what it is asked; whether cuBLASLt has an algorithm at all. */
bool has_engines ();
bool has_algorithms ();
int driver_version ();
int device_count ();

/* memory.cc */

/* The view on which kernels and libraries run. NULL stays NULL; dies unless [pointer, pointer + bytes) is in one live
 * allocation. */
void *executor (const void *pointer, size_t bytes, const char *what);
/* Whether a kernel may be given it. */
bool is_live_device_pointer (const void *pointer);
std::ptrdiff_t executor_shift ();
bool is_pinned (const void *pointer, size_t bytes);
void check_red_zones ();
size_t live_bytes ();

/* streams.cc */

/* Into the stream, or into the graph that it captures. */
cudaError_t enqueue (cudaStream_t stream, Operation operation);
/* Runs everything that is queued anywhere. */
void drain ();
void drop_work (int device);
void reset_hold (unsigned n);

/* fibers.cc */

void run_grid (dim3 grid, dim3 block, size_t shared_bytes, const std::function<void ()> &thread);
extern const char *running; /* the operation that executes, for messages */

}

struct CUevent_st {
  unsigned flags;
  const CUctx_st *context;
  uint64_t recorded, completed;
  double time; /* of completion, ms */
};

struct CUgraph_st {
  std::vector<upi_device::Operation> operations;
};

struct CUgraphExec_st {
  const CUctx_st *context;
  std::vector<upi_device::Operation> operations;
};

struct CUctx_st {
  int device;
};

struct CUstream_st {
  const CUctx_st *context;
  std::deque<upi_device::Operation> queue;
  std::unique_ptr<CUgraph_st> captured; /* while it captures */
  bool capture_broken;
};
