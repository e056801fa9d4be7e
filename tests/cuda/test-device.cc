/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device itself: what is right gives the right result in every order, what is wrong is caught. */
#include "tests/cuda/device/device-testing.h"
#include "tests/cuda/test-device-kernels.h"

#include <glib.h>

struct Setup {
  cudaStream_t stream, other;
  int *device, *pinned;
};

#define N 64

static Setup
setup ()
{
  CUcontext context;
  Setup s;

  upi_test_device_reset (1);
  cuDevicePrimaryCtxRetain (&context, 0);
  cuCtxSetCurrent (context);
  cudaStreamCreateWithFlags (&s.stream, cudaStreamNonBlocking);
  cudaStreamCreateWithFlags (&s.other, cudaStreamNonBlocking);
  cudaMalloc ((void **) &s.device, (3 * N + 1) * sizeof (int)); /* its end is not the page's */
  cudaHostAlloc ((void **) &s.pinned, 3 * N * sizeof (int), cudaHostAllocDefault);
  return s;
}

static void
teardown (Setup &s)
{
  cudaFree (s.device);
  cudaFreeHost (s.pinned);
  cudaStreamDestroy (s.stream);
  cudaStreamDestroy (s.other);
  g_assert_cmpuint (upi_test_device_counts ().live, ==, 0);
}

static void
copy_back (Setup &s, cudaStream_t stream)
{
  cudaMemcpyAsync (s.pinned, s.device, 3 * N * sizeof (int), cudaMemcpyDeviceToHost, stream);
}

/* Whether the reversal is right in a given order of threads. */
static bool
reverses (cudaError_t (*launch) (cudaStream_t, int *, int), unsigned seed)
{
  Setup s = setup ();
  bool right = true;

  upi_test_device_seed (seed);
  for (int i = 0; i < N; i++)
    s.pinned[i] = i;
  cudaMemcpyAsync (s.device, s.pinned, N * sizeof (int), cudaMemcpyHostToDevice, s.stream);
  cudaStreamSynchronize (s.stream);
  launch (s.stream, s.device, N);
  copy_back (s, s.stream);
  cudaStreamSynchronize (s.stream);
  for (int i = 0; i < N; i++)
    right = right && s.pinned[i] == N - 1 - i;
  teardown (s);
  return right;
}

static void
test_barrier ()
{
  for (unsigned seed = 1; seed <= 10; seed++) {
    g_assert_true (reverses (launch_reverse, seed));
    g_assert_false (reverses (launch_without_barrier, seed));
  }
}

static void
test_shuffles ()
{
  Setup s = setup ();

  launch_shuffles (s.stream, s.device);
  copy_back (s, s.stream);
  cudaStreamSynchronize (s.stream);
  for (int lane = 0; lane < 32; lane++) {
    g_assert_cmpint (s.pinned[3 * lane], ==, 31 * 32 / 2);
    g_assert_cmpint (s.pinned[3 * lane + 1], ==, MIN (lane + 1, 31));
    g_assert_cmpint (s.pinned[3 * lane + 2], ==, 5);
  }
  teardown (s);
}

/* How often the second stream saw what the first wrote, with or without an event between. */
static unsigned
seen (bool event)
{
  unsigned n = 0;

  for (unsigned seed = 1; seed <= 20; seed++) {
    Setup s = setup ();
    cudaEvent_t written;

    upi_test_device_seed (seed);
    cudaEventCreateWithFlags (&written, cudaEventDisableTiming);
    launch_fill (s.stream, s.device, N, 7);
    cudaEventRecord (written, s.stream);
    if (event)
      cudaStreamWaitEvent (s.other, written, 0);
    copy_back (s, s.other);
    cudaStreamSynchronize (s.other);
    n += s.pinned[0] == 7;
    cudaStreamSynchronize (s.stream);
    cudaEventDestroy (written);
    teardown (s);
  }
  return n;
}

static void
test_streams ()
{
  unsigned without = seen (false);

  g_assert_cmpuint (seen (true), ==, 20);
  g_assert_cmpuint (without, >, 0); /* either order happens */
  g_assert_cmpuint (without, <, 20);
}

/* Nothing happens before somebody waits, and what will be written is poison until then. */
static void
test_deferred ()
{
  Setup s = setup ();

  launch_fill (s.stream, s.device, N, 7);
  s.pinned[0] = 5;
  copy_back (s, s.stream);
  g_assert_cmpint (s.pinned[0], ==, -1);
  cudaStreamSynchronize (s.stream);
  g_assert_cmpint (s.pinned[0], ==, 7);
  g_assert_cmpint (s.pinned[N], ==, -1); /* fresh memory is poison */
  teardown (s);
}

static void
test_graph ()
{
  Setup s = setup ();
  cudaGraph_t graph;
  cudaGraphExec_t exec;

  g_assert_cmpint (cudaStreamBeginCapture (s.stream, cudaStreamCaptureModeThreadLocal), ==, cudaSuccess);
  launch_fill (s.stream, s.device, N, 7);
  copy_back (s, s.stream);
  g_assert_cmpint (cudaStreamEndCapture (s.stream, &graph), ==, cudaSuccess);
  g_assert_cmpint (cudaGraphInstantiate (&exec, graph, 0), ==, cudaSuccess);
  cudaGraphDestroy (graph);
  for (int i = 0; i < 2; i++) {
    s.pinned[0] = 0;
    cudaGraphLaunch (exec, s.stream);
    cudaStreamSynchronize (s.stream);
    g_assert_cmpint (s.pinned[0], ==, 7);
  }
  /* A wait inside a capture spoils it. */
  cudaStreamBeginCapture (s.stream, cudaStreamCaptureModeThreadLocal);
  g_assert_cmpint (cudaStreamSynchronize (s.stream), ==, cudaErrorStreamCaptureUnsupported);
  g_assert_cmpint (cudaStreamEndCapture (s.stream, &graph), ==, cudaErrorStreamCaptureInvalidated);
  cudaGraphExecDestroy (exec);
  teardown (s);
}

static void
host_access ()
{
  Setup s = setup ();

  *(volatile int *) s.device = 1;
}

static void
host_pointer ()
{
  Setup s = setup ();

  launch_fill (s.stream, s.pinned, N, 1);
}

static void
freed_memory ()
{
  Setup s = setup ();
  int *freed;

  cudaMalloc ((void **) &freed, 64);
  cudaFree (freed);
  launch_fill (s.stream, freed, 1, 1);
}

static void
beyond_end ()
{
  Setup s = setup ();

  launch_fill (s.stream, s.device, 3 * N + 2, 1);
  cudaStreamSynchronize (s.stream);
}

static void
far_beyond_end ()
{
  Setup s = setup ();

  launch_fill (s.stream, s.device, 3 * N + 4096, 1);
  cudaStreamSynchronize (s.stream);
}

static void
half_barrier ()
{
  Setup s = setup ();

  launch_half_barrier (s.stream);
  cudaStreamSynchronize (s.stream);
}

static void
half_shuffle ()
{
  Setup s = setup ();

  launch_half_shuffle (s.stream, s.device);
  cudaStreamSynchronize (s.stream);
}

static void
pageable_copy ()
{
  Setup s = setup ();
  int local = 0;

  cudaMemcpyAsync (s.device, &local, sizeof local, cudaMemcpyHostToDevice, s.stream);
}

static void
default_stream ()
{
  Setup s = setup ();

  launch_fill (nullptr, s.device, N, 1);
}

static void
no_context ()
{
  Setup s = setup ();

  cuCtxSetCurrent (nullptr);
  launch_fill (s.stream, s.device, N, 1);
}

static void
other_context ()
{
  Setup s = setup ();

  cuCtxSetCurrent ((CUcontext) upi_test_device_context (0, 0));
  copy_back (s, s.stream);
}

static void
stream_of_other_context ()
{
  Setup s = setup ();

  cuCtxSetCurrent ((CUcontext) upi_test_device_context (0, 0));
  cudaStreamSynchronize (s.stream);
}

static void
free_in_other_context ()
{
  Setup s = setup ();

  cuCtxSetCurrent ((CUcontext) upi_test_device_context (0, 0));
  cudaFree (s.device);
}

static const struct {
  const char *name;
  void (*wrong) ();
  const char *said;
} caught[] = {
  { "host-access", host_access, "*host code touched device memory*" },
  { "host-pointer", host_pointer, "*no live memory of this device*" },
  { "freed-memory", freed_memory, "*no live memory of this device*" },
  { "beyond-end", beyond_end, "*bytes behind an allocation*" },
  { "far-beyond-end", far_beyond_end, "*a kernel touched what is no live device memory*" },
  { "half-barrier", half_barrier, "*threads have returned*" },
  { "half-shuffle", half_shuffle, "*is not there*" },
  { "pageable-copy", pageable_copy, "*not pinned*" },
  { "default-stream", default_stream, "*default stream*" },
  { "no-context", no_context, "*no context is current*" },
  { "other-context", other_context, "*of a context on device 0 while another one*" },
  { "stream-of-other-context", stream_of_other_context, "*cudaStreamSynchronize of a context*" },
  { "free-in-other-context", free_in_other_context, "*cudaFree of a context*" },
};

static void
test_caught (gconstpointer data)
{
  unsigned i = GPOINTER_TO_UINT (data);

  if (g_test_subprocess ()) {
    caught[i].wrong ();
    return;
  }
  g_test_trap_subprocess (NULL, 0, (GTestSubprocessFlags) 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr (caught[i].said);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/device/barrier", test_barrier);
  g_test_add_func ("/device/shuffles", test_shuffles);
  g_test_add_func ("/device/streams", test_streams);
  g_test_add_func ("/device/deferred", test_deferred);
  g_test_add_func ("/device/graph", test_graph);
  for (unsigned i = 0; i < G_N_ELEMENTS (caught); i++) {
    g_autofree char *path = g_strdup_printf ("/device/caught/%s", caught[i].name);
    g_test_add_data_func (path, GUINT_TO_POINTER (i), test_caught);
  }
  return g_test_run ();
}
