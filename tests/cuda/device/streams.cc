/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The test device's streams, events and graphs: nothing runs before somebody waits, and then in a random order that the
 * API allows. */
#include "tests/cuda/device/device.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>

namespace upi_device {

/* Never destroyed: an engine may still be freed by a thread of its own while the process ends. */
static std::vector<CUstream_st *> &streams = *new std::vector<CUstream_st *>;
static std::vector<CUevent_st *> &events = *new std::vector<CUevent_st *>;

struct Hold {
  unsigned wanted, launched;
  std::condition_variable_any changed;
};
static Hold &hold = *new Hold ();

const char *running;

void
reset_hold (unsigned n)
{
  Guard guard (lock);

  hold.wanted = n;
  hold.launched = 0;
  hold.changed.notify_all ();
}

static double
now ()
{
  return std::chrono::duration<double, std::milli> (std::chrono::steady_clock::now ().time_since_epoch ()).count ();
}

static bool
runnable (const CUstream_st *stream)
{
  if (stream->queue.empty ())
    return false;
  const Operation &next = stream->queue.front ();
  return !next.wait || next.wait->completed >= next.generation;
}

/* Runs one operation of a stream drawn at random; false if none can run. */
static bool
step ()
{
  static const CUstream_st *last;
  std::vector<CUstream_st *> candidates;
  CUstream_st *stream;

  for (CUstream_st *s : streams)
    if (runnable (s))
      candidates.push_back (s);
  if (candidates.empty ())
    return false;
  stream = candidates[draw_below ((unsigned) candidates.size ())];
  if (last != stream && std::find (candidates.begin (), candidates.end (), last) != candidates.end ())
    counts ().interleaved++;
  last = stream;
  Operation operation = std::move (stream->queue.front ());
  stream->queue.pop_front ();
  if (operation.run) {
    running = operation.name;
    operation.run ();
    running = nullptr;
    counts ().executed++;
  }
  if (operation.record) {
    operation.record->completed = operation.generation;
    operation.record->time = now ();
  }
  return true;
}

/* Runs until `done`. */
template <typename Done>
static void
run_until (Done done)
{
  std::unique_lock<std::recursive_mutex> held (lock);

  hold.changed.wait (held, [] { return hold.launched >= hold.wanted; });
  while (!done ())
    if (!step ())
      die ("streams wait for each other, or for an event that nobody records");
}

void
drain ()
{
  Guard guard (lock);

  while (step ())
    ;
}

/* A lost device forgets what it had to do. */
void
drop_work (int device)
{
  for (CUstream_st *s : streams)
    if (s->context->device == device)
      s->queue.clear ();
  for (CUevent_st *e : events)
    if (e->context->device == device)
      e->completed = e->recorded;
}

static bool
alive (cudaStream_t stream)
{
  return std::find (streams.begin (), streams.end (), stream) != streams.end ();
}

static void
check (cudaStream_t stream, const char *what)
{
  if (!stream)
    die ("%s in the default stream, which waits for all others", what);
  if (!alive (stream))
    die ("%s in a stream that does not exist", what);
  check_context (stream->context, what);
}

cudaError_t
enqueue (cudaStream_t stream, Operation operation)
{
  check (stream, operation.name);
  if (stream->captured) {
    stream->captured->operations.push_back (std::move (operation));
    return cudaSuccess;
  }
  if (operation.run)
    counts ().launches++;
  if (operation.queued)
    operation.queued ();
  stream->queue.push_back (std::move (operation));
  return cudaSuccess;
}

/* What must not be called while a stream captures. */
static cudaError_t
refuse_capture (cudaStream_t stream)
{
  if (!stream->captured)
    return cudaSuccess;
  stream->capture_broken = true;
  return cudaErrorStreamCaptureUnsupported;
}

}

using namespace upi_device;

cudaError_t
cudaStreamCreateWithFlags (cudaStream_t *stream, unsigned int flags)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaStreamCreateWithFlags");

  *stream = nullptr;
  if (error != cudaSuccess)
    return error;
  if (flags != cudaStreamNonBlocking)
    die ("a stream that waits for the default stream");
  *stream = new CUstream_st{ current_context (), {}, nullptr, false };
  streams.push_back (*stream);
  count_made ();
  return cudaSuccess;
}

cudaError_t
cudaStreamDestroy (cudaStream_t stream)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaStreamDestroy");

  check (stream, "cudaStreamDestroy");
  drain ();
  streams.erase (std::find (streams.begin (), streams.end (), stream));
  delete stream;
  count_gone ();
  return error;
}

cudaError_t
cudaStreamSynchronize (cudaStream_t stream)
{
  cudaError_t error;
  {
    Guard guard (lock);

    error = call ("cudaStreamSynchronize");
    check (stream, "cudaStreamSynchronize");
    if (error == cudaSuccess)
      error = refuse_capture (stream);
    if (error != cudaSuccess)
      return error;
  }
  run_until ([=] { return stream->queue.empty (); });
  return lost (current_device ()) ? call ("cudaStreamSynchronize") : cudaSuccess;
}

cudaError_t
cudaStreamWaitEvent (cudaStream_t stream, cudaEvent_t event, unsigned int flags)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaStreamWaitEvent");

  if (error != cudaSuccess)
    return error;
  if (flags != 0)
    die ("cudaStreamWaitEvent with flags %u", flags);
  if (event->recorded == 0)
    die ("cudaStreamWaitEvent for an event that was never recorded: no wait at all");
  return enqueue (stream, { "wait", nullptr, nullptr, event, event->recorded });
}

cudaError_t
cudaEventCreateWithFlags (cudaEvent_t *event, unsigned int flags)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaEventCreateWithFlags");

  *event = nullptr;
  if (error != cudaSuccess)
    return error;
  *event = new CUevent_st{ flags, current_context (), 0, 0, 0 };
  events.push_back (*event);
  count_made ();
  return cudaSuccess;
}

cudaError_t
cudaEventDestroy (cudaEvent_t event)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaEventDestroy");

  check_context (event->context, "cudaEventDestroy");
  drain ();
  events.erase (std::find (events.begin (), events.end (), event));
  delete event;
  count_gone ();
  return error;
}

cudaError_t
cudaEventRecord (cudaEvent_t event, cudaStream_t stream)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaEventRecord");

  if (error != cudaSuccess)
    return error;
  check (stream, "cudaEventRecord");
  check_context (event->context, "cudaEventRecord");
  if (stream->captured)
    die ("cudaEventRecord in a capture: nothing here needs it");
  return enqueue (stream, { "record", nullptr, event, nullptr, ++event->recorded });
}

cudaError_t
cudaEventSynchronize (cudaEvent_t event)
{
  cudaError_t error = call ("cudaEventSynchronize");

  if (error != cudaSuccess)
    return error;
  check_context (event->context, "cudaEventSynchronize");
  run_until ([=] { return event->completed >= event->recorded; });
  return lost (current_device ()) ? call ("cudaEventSynchronize") : cudaSuccess;
}

cudaError_t
cudaEventElapsedTime (float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaEventElapsedTime");

  if (error != cudaSuccess)
    return error;
  if ((start->flags | end->flags) & cudaEventDisableTiming)
    return cudaErrorInvalidResourceHandle;
  if (start->recorded == 0 || end->recorded == 0)
    return cudaErrorInvalidResourceHandle;
  if (start->completed < start->recorded || end->completed < end->recorded)
    return cudaErrorNotReady;
  *milliseconds = (float) (end->time - start->time);
  return cudaSuccess;
}

cudaError_t
cudaStreamBeginCapture (cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaStreamBeginCapture");

  if (error != cudaSuccess)
    return error;
  check (stream, "cudaStreamBeginCapture");
  if (mode != cudaStreamCaptureModeThreadLocal || stream->captured)
    die ("cudaStreamBeginCapture twice, or in a mode that stops other threads");
  stream->captured = std::make_unique<CUgraph_st> ();
  stream->capture_broken = false;
  return cudaSuccess;
}

cudaError_t
cudaStreamEndCapture (cudaStream_t stream, cudaGraph_t *graph)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaStreamEndCapture");

  check (stream, "cudaStreamEndCapture");
  *graph = nullptr;
  if (!stream->captured)
    return error != cudaSuccess ? error : cudaErrorInvalidValue;
  if (error == cudaSuccess && stream->capture_broken)
    error = cudaErrorStreamCaptureInvalidated;
  if (error == cudaSuccess) {
    *graph = stream->captured.release ();
    count_made ();
  }
  stream->captured.reset ();
  return error;
}

cudaError_t
cudaGraphInstantiate (cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long flags)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaGraphInstantiate");

  *exec = nullptr;
  if (error != cudaSuccess)
    return error;
  if (flags != 0 || graph->operations.empty ())
    die ("cudaGraphInstantiate of %zu operations, flags %llu", graph->operations.size (), flags);
  *exec = new CUgraphExec_st{ current_context (), graph->operations };
  count_made ();
  return cudaSuccess;
}

cudaError_t
cudaGraphLaunch (cudaGraphExec_t exec, cudaStream_t stream)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaGraphLaunch");

  if (error != cudaSuccess)
    return error;
  check (stream, "cudaGraphLaunch");
  check_context (exec->context, "cudaGraphLaunch");
  if (stream->captured)
    die ("cudaGraphLaunch in a capture");
  for (const Operation &operation : exec->operations) {
    if (operation.queued)
      operation.queued ();
    stream->queue.push_back (operation);
  }
  counts ().graph_launches++;
  hold.launched++;
  hold.changed.notify_all ();
  return cudaSuccess;
}

cudaError_t
cudaGraphDestroy (cudaGraph_t graph)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaGraphDestroy");

  delete graph;
  count_gone ();
  return error;
}

cudaError_t
cudaGraphExecDestroy (cudaGraphExec_t exec)
{
  Guard guard (lock);
  cudaError_t error = call ("cudaGraphExecDestroy");

  check_context (exec->context, "cudaGraphExecDestroy");
  drain ();
  delete exec;
  count_gone ();
  return error;
}
