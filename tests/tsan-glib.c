/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Tells the thread sanitizer of the synchronisation that happens inside GLib and GStreamer, which are not built with
 * it: GLib's mutexes are futexes of its own, so without this every hand-over looks like a race. Preloaded by CI for the
 * suite "threads"; nothing else.
 *
 * Each wrapper calls the real function and reports acquire or release on the address of the object that carries the
 * order.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <glib-object.h>

void __tsan_acquire (void *address);
void __tsan_release (void *address);

#define REAL(name)                                                                                                     \
  static __typeof__ (&name) real;                                                                                      \
  if (!__atomic_load_n (&real, __ATOMIC_ACQUIRE))                                                                      \
    __atomic_store_n (&real, (__typeof__ (&name)) dlsym (RTLD_NEXT, #name), __ATOMIC_RELEASE);

#define LOCK(name, type)                                                                                               \
  __attribute__ ((visibility ("default"))) void name (type *lock)                                                      \
  {                                                                                                                    \
    REAL (name)                                                                                                        \
    real (lock);                                                                                                       \
    __tsan_acquire (lock);                                                                                             \
  }
#define UNLOCK(name, type)                                                                                             \
  __attribute__ ((visibility ("default"))) void name (type *lock)                                                      \
  {                                                                                                                    \
    REAL (name)                                                                                                        \
    __tsan_release (lock);                                                                                             \
    real (lock);                                                                                                       \
  }
#define TRYLOCK(name, type)                                                                                            \
  __attribute__ ((visibility ("default"))) gboolean name (type *lock)                                                  \
  {                                                                                                                    \
    REAL (name)                                                                                                        \
    gboolean taken = real (lock);                                                                                      \
    if (taken)                                                                                                         \
      __tsan_acquire (lock);                                                                                           \
    return taken;                                                                                                      \
  }

/* GLib makes some of these macros around inline code; the functions are what libraries call. */
#undef g_mutex_lock
#undef g_mutex_unlock
#undef g_mutex_trylock
LOCK (g_mutex_lock, GMutex)
UNLOCK (g_mutex_unlock, GMutex)
TRYLOCK (g_mutex_trylock, GMutex)
LOCK (g_rec_mutex_lock, GRecMutex)
UNLOCK (g_rec_mutex_unlock, GRecMutex)
TRYLOCK (g_rec_mutex_trylock, GRecMutex)
LOCK (g_rw_lock_writer_lock, GRWLock)
UNLOCK (g_rw_lock_writer_unlock, GRWLock)
LOCK (g_rw_lock_reader_lock, GRWLock)
UNLOCK (g_rw_lock_reader_unlock, GRWLock)

__attribute__ ((visibility ("default"))) void
g_cond_wait (GCond *cond, GMutex *mutex)
{
  REAL (g_cond_wait)
  __tsan_release (mutex);
  real (cond, mutex);
  __tsan_acquire (mutex);
}

__attribute__ ((visibility ("default"))) gboolean
g_cond_wait_until (GCond *cond, GMutex *mutex, gint64 end_time)
{
  REAL (g_cond_wait_until)
  __tsan_release (mutex);
  gboolean signalled = real (cond, mutex, end_time);
  __tsan_acquire (mutex);
  return signalled;
}

#undef g_once_init_enter
#undef g_once_init_leave
__attribute__ ((visibility ("default"))) gboolean
g_once_init_enter (volatile void *location)
{
  REAL (g_once_init_enter)
  gboolean first = real (location);
  if (!first)
    __tsan_acquire ((void *) location);
  return first;
}

__attribute__ ((visibility ("default"))) void
g_once_init_leave (volatile void *location, gsize result)
{
  REAL (g_once_init_leave)
  __tsan_release ((void *) location);
  real (location, result);
}

/* The last unref finalizes what earlier owners wrote. */
#define REFERENCE(unref, pointer)                                                                                      \
  __attribute__ ((visibility ("default"))) void unref (pointer object)                                                 \
  {                                                                                                                    \
    REAL (unref)                                                                                                       \
    __tsan_release (object);                                                                                           \
    __tsan_acquire (object);                                                                                           \
    real (object);                                                                                                     \
  }
REFERENCE (g_object_unref, gpointer)
void gst_object_unref (gpointer object);
REFERENCE (gst_object_unref, gpointer)

/* What GstMiniObject begins with. */
typedef struct {
  GType type;
  gint refcount;
} MiniObject;

/* Buffers go from thread to thread (tee, queue), and an owner may let go between another's acquire and its unref, which
 * then is the last: so all but the last reference are taken back here, each after its release. */
__attribute__ ((visibility ("default"))) void
gst_mini_object_unref (MiniObject *object)
{
  REAL (gst_mini_object_unref)
  gint count = __atomic_load_n (&object->refcount, __ATOMIC_ACQUIRE);

  while (count > 1) {
    __tsan_release (object);
    if (__atomic_compare_exchange_n (&object->refcount, &count, count - 1, FALSE, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
      return;
  }
  __tsan_acquire (object);
  real (object);
}

gboolean gst_mini_object_is_writable (const MiniObject *object);
gpointer gst_mini_object_copy (const MiniObject *object);

/* As GStreamer's, whose own unref would not be the one above. */
__attribute__ ((visibility ("default"))) gpointer
gst_mini_object_make_writable (MiniObject *object)
{
  gpointer copy;

  if (gst_mini_object_is_writable (object)) {
    __tsan_acquire (object);
    return object;
  }
  copy = gst_mini_object_copy (object);
  gst_mini_object_unref (object);
  return copy;
}

/* As of mini objects: another owner may let go after an acquire that comes before the last release, so it comes with
 * the clearing. */
static _Thread_local GDestroyNotify clear_box;

static void
acquire_and_clear (gpointer box)
{
  GDestroyNotify clear = clear_box; /* which may let go of other boxes */

  __tsan_acquire (box);
  clear (box);
}

__attribute__ ((visibility ("default"))) void
g_atomic_rc_box_release_full (gpointer box, GDestroyNotify clear)
{
  REAL (g_atomic_rc_box_release_full)
  __tsan_release (box);
  clear_box = clear;
  real (box, clear != NULL ? acquire_and_clear : NULL);
}

#define PUSH(name)                                                                                                     \
  __attribute__ ((visibility ("default"))) void name (GAsyncQueue *queue, gpointer data)                               \
  {                                                                                                                    \
    REAL (name)                                                                                                        \
    __tsan_release (queue);                                                                                            \
    real (queue, data);                                                                                                \
  }
#define POP(name)                                                                                                      \
  __attribute__ ((visibility ("default"))) gpointer name (GAsyncQueue *queue)                                          \
  {                                                                                                                    \
    REAL (name)                                                                                                        \
    gpointer data = real (queue);                                                                                      \
    __tsan_acquire (queue);                                                                                            \
    return data;                                                                                                       \
  }
PUSH (g_async_queue_push)
PUSH (g_async_queue_push_unlocked)
POP (g_async_queue_pop)
POP (g_async_queue_try_pop)

__attribute__ ((visibility ("default"))) gpointer
g_async_queue_timeout_pop (GAsyncQueue *queue, guint64 timeout)
{
  REAL (g_async_queue_timeout_pop)
  gpointer data = real (queue, timeout);
  __tsan_acquire (queue);
  return data;
}
