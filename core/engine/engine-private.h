/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The inside of an engine: one queue, several workers, and what they share (model, plans, encodings' memory, text
 * cache).
 *
 * Who holds whom: an engine owns its workers and one reference of its queue; a ticket holds the queue, never the
 * engine, so that the last unref can cancel what waits; an encoding in a user's hands holds the engine. Locks are taken
 * in the order engine (plans, pool, cache) → queue; no callback runs under a lock.
 */
#pragma once

#include "core/backends/frames/convert.h"
#include "core/backends/frames/reader.h"
#include "core/model/model.h"
#include "core/backends/backend.h"
#include "core/text/steering.h"
#include "core/text/tokenizer.h"
#include "core/upi.h"

G_BEGIN_DECLS

#define UPI_ENGINE_MAX_BATCH 64

typedef struct _UpiWorker UpiWorker;

/* sized.c: structs with a size. */

/* Bytes of a struct up to its last field of the first version of upi.h: a program's cannot have less. */
#define UPI_SIZED_FIRST(Type, last) (G_STRUCT_OFFSET (Type, last) + sizeof (((Type *) NULL)->last))
/* Copies what a caller filled, of whatever version of the header, into @known bytes at @to; fields that it lacks become
 * 0. FALSE: it is smaller than @first, then @to is all 0, or it asks for what this version does not know. */
gboolean upi_sized_read (gpointer to, gsize known, gconstpointer from, gsize first, const gchar *name, GError **error);
/* The other way, into a struct of the caller's; FALSE: it is smaller than @first, and nothing was written. */
gboolean upi_sized_write (gpointer to, gsize first, gconstpointer from, gsize known);

/* queue.c */

/* Counters that outlive the engine with its last ticket; all atomic. */
typedef struct {
  gsize encoded, failed, cancelled, captions, caption_tokens, text_hits, text_misses;
  gsize convert_us, infer_us, caption_us;
  gsize image_runs;
  gsize still;
} UpiCounters;

typedef struct {
  gint ref_count;
  UpiEngine *engine; /* NULL once its last user has gone; under the registry's lock */
  GMutex lock;
  GCond changed;  /* for the workers */
  GCond finished; /* for those who wait for a ticket: a ticket's own lock could not outlive it */
  GQueue waiting; /* UpiTicket.link, each with a reference */
  guint n_passed; /* tickets that went before the list that waits */
  GQueue streams; /* UpiStream.link, of those that are not freed */
  guint n_workers;
  gboolean on_device; /* the workers share one device, which likes batches; otherwise a processor each */
  guint batch_size;
  guint64 batch_timeout_us;
  gboolean forming; /* one worker waits for a batch of forming_width × forming_height to fill */
  guint forming_width, forming_height;
  guint64 turn;    /* counts what workers took of frames, from 1 on */
  guint holds;     /* workers take nothing while > 0; only tests hold */
  gint closed;     /* atomic reads, written under the lock */
  GError *failure; /* why it closed, if not for its engine's end; never changed once it is there */
  UpiCounters counters;
} UpiQueue;

UpiQueue *upi_queue_new (guint batch_size, guint64 batch_timeout_us);
UpiQueue *upi_queue_ref (UpiQueue *queue);
void upi_queue_unref (UpiQueue *queue);
/* Takes a reference of the ticket; a closed queue cancels it. */
void upi_queue_push (UpiQueue *queue, UpiTicket *ticket);
/* Blocks for work: fills tickets with one ticket, or a batch of frames of one size; 0: the queue is closed. (transfer
 * full) */
guint upi_queue_take (UpiQueue *queue, UpiTicket *tickets[UPI_ENGINE_MAX_BATCH]);
/* Cancels what waits and wakes the workers; nothing can be pushed any more. */
void upi_queue_close (UpiQueue *queue);
/* The same because the device was lost: what waits, and whatever comes afterwards, fails with that error. */
void upi_queue_fail (UpiQueue *queue, const GError *error);
gboolean upi_queue_is_closed (UpiQueue *queue);
/* What a request of a closed queue fails with: the device's error, else UPI_ERROR_CANCELLED with that text. (transfer
 * full) */
GError *upi_queue_closing_error (UpiQueue *queue, const gchar *text);
/* A worker has run a batch of n texts of a list: how many are encoded. */
guint upi_queue_count_texts (UpiQueue *queue, UpiTicket *ticket, guint n);
/* And is done with it. TRUE: the last one that runs, nothing of the ticket waits any more; @error is then the list's
 * first error. */
gboolean upi_queue_end_part (UpiQueue *queue, UpiTicket *ticket, guint64 time_us, GError **error);
/* Removes a ticket that still waits. (transfer full of the queue's reference on TRUE); FALSE also when workers still
 * run batches of it: the last of them ends it */
gboolean upi_queue_remove (UpiQueue *queue, UpiTicket *ticket);

/* stream.c, batch.c */

/* The last frame of a stream that was encoded, or is about to be: what the next ones are compared with. An atomic rc
 * box. */
typedef struct {
  UpiTicket *ticket; /* whose encoding it becomes */
  guint width, height;
  gfloat blocks[]; /* its small input (still.h) */
} UpiReference;

struct _UpiStream {
  gint ref_count; /* of the memory: its user's, and one a ticket */
  UpiEngine *engine;
  GList link; /* in queue->streams */
  /* under the queue's lock */
  guint running;           /* its tickets that have not ended */
  guint64 turn;            /* when a worker last took a frame of it; 0: never */
  guint generation;        /* nothing of one is compared with, or shown for, a frame of another */
  guint64 next;            /* the number of the next frame, from 1 on */
  guint64 shown;           /* the newest frame whose result was shown */
  gfloat threshold;        /* of static pictures; 0: every frame is encoded */
  guint64 max_age;         /* of their encoding, in units of pts */
  UpiReference *reference; /* nullable */
  gboolean freed;
  guint width, height; /* of its last frame's input; 0: none yet */
  gboolean expected;   /* a batch may wait for its next frame */
};

UpiStream *upi_stream_hold (UpiStream *stream);
void upi_stream_drop (UpiStream *stream);
/* The queue's lock is held: a ticket of the stream's is about to be queued: its number, and the ticket that waits and
 * gives up its place for it;
 * NULL: there is none. */
UpiTicket *upi_stream_take_ticket (UpiStream *stream, UpiQueue *queue, UpiTicket *ticket);
/* Of static pictures, now. */
gfloat upi_stream_get_threshold (UpiTicket *ticket);
/* On a worker. What the ticket's frame is compared with: NULL: nothing, it is to be encoded. (transfer full) */
UpiReference *upi_stream_get_reference (UpiTicket *ticket);
/* Its frame is about to be encoded, and later ones are compared with it. @blocks: upi_still_blocks() floats */
void upi_stream_set_reference (UpiTicket *ticket, const gfloat *blocks);
void upi_reference_unref (UpiReference *reference);
/* The ticket's frame looks like the reference's. TRUE: it has that one's encoding, or is to end with that one's ticket,
 * whose worker will see to it;
 * FALSE: that one failed. @ends: (out): it is to be finished now */
gboolean upi_stream_join (UpiTicket *ticket, UpiReference *reference, gboolean *ends);
/* The frame of the ticket, which has ended, is nothing to compare with if it failed. (transfer full) (nullable)
 * (element-type UpiTicket): those that are to end like it */
GPtrArray *upi_stream_leave (UpiTicket *ticket);

/* The frames of n that one run takes: all of a full batch, otherwise 1, 2, 4, … */
guint upi_batch_plan_size (guint n, guint batch_size);
/* The rest: the queue's lock is held. */
gboolean upi_batch_has_frame (const UpiTicket *ticket, guint width, guint height);
/* Waits until a batch of the first one's size is full, nobody else is expected to send a frame of it, its first frame
 * has waited long enough, the engine closes, or nothing of it is left. */
void upi_batch_fill (UpiQueue *queue, const UpiTicket *first);
/* What the calling worker runs now: fills tickets, which stay in the queue, and says how many. */
guint upi_batch_choose (UpiQueue *queue, guint width, guint height, UpiTicket **tickets);

/* ticket.c */

typedef enum { UPI_TICKET_ENCODE, UPI_TICKET_LABELS, UPI_TICKET_CAPTION } UpiTicketKind;

/* What a task does with its tickets on a worker: n is 1, or a batch of frames. (transfer full) of the tickets */
typedef void (*UpiRunFunc) (UpiWorker *worker, UpiTicket **tickets, guint n);

/* A list that workers serve part by part: first prepared by one of them, a turn at a time, then by any number of
 * them. */
typedef struct {
  gboolean is_begun, is_prepared; /* while it does not wait */
  guint n;                        /* parts, once it is prepared */
  guint n_taken, n_running;       /* of them; under the queue's lock, as the rest */
  guint n_done;                   /* texts */
  GError *error;
} UpiParts;

/* What the task of a list keeps (tasks/text-batches.h). */
typedef struct _UpiTexts UpiTexts;

struct _UpiTicket {
  gint ref_count;
  UpiTicketKind kind; /* how the queue treats it */
  UpiRunFunc run;
  UpiQueue *queue;
  UpiStream *stream; /* its memory is held; NULL: of none */
  gboolean latest;   /* its stream wants each result as soon as it can be had */
  /* of its frame in the stream, from 1 on; this and the next under the queue's lock until it is queued */
  guint64 number;
  guint generation;
  UpiTicketFunc done_func;
  gpointer user_data;
  gint cancelled;      /* atomic */
  gint64 submitted;    /* monotonic, microseconds */
  gboolean has_waited; /* for a batch to fill: what is left of it does not wait again; under the queue's lock */
  GList link;          /* in queue->waiting while is_waiting; both under the queue's lock */
  gboolean is_waiting;

  /* under the queue's lock */
  gint done;                /* atomic reads; the result is there */
  gboolean has_called_back; /* and the callback has returned */
  GThread *finisher;        /* who runs the callback */
  GError *error;

  /* what was asked */
  UpiImage image;                      /* ENCODE; release is NULL once it was called */
  guint width, height;                 /* ENCODE: the network's input */
  guint picture_width, picture_height; /* of it the picture's, from the top left */
  guint64 pts;
  GPtrArray *followers; /* nullable: frames that look like this one, which is being encoded; under the queue's lock */
  gboolean has_left;    /* its encoding, if any, is there, and nobody follows any more; under the queue's lock */
  UpiLabels *pending;   /* LABELS: filled batch by batch */
  UpiTexts *texts;      /* LABELS: and the model's own labels, where these are compared with them */
  void (*texts_free) (UpiTexts *texts);
  UpiParts parts;
  UpiProgressFunc progress;
  UpiEncoding *source; /* CAPTION: its memory is held, its user count not */
  UpiCaptionOptions caption;
  UpiPartialFunc partial;

  /* what came of it */
  UpiEncoding *encoding; /* its memory is held, the engine is not */
  gboolean is_static;    /* it is an earlier frame's */
  UpiLabels *labels;
  UpiCaption *said;
  guint64 convert_us, infer_us;
};

UpiTicket *upi_ticket_new (UpiTicketKind kind, UpiRunFunc run, UpiQueue *queue, UpiTicketFunc done, gpointer user_data);
gboolean upi_ticket_is_cancelled (UpiTicket *ticket);
/* Called once right after an image's pixels were read. */
void upi_ticket_release_image (UpiTicket *ticket);
/* Ends the ticket: NULL for success. Runs the callback; no lock is held. (transfer full) of both */
void upi_ticket_finish (UpiTicket *ticket, GError *error);

/* encoding.c, encoding-pool.c */

typedef enum {
  UPI_PART_BOXES,
  UPI_PART_FOREGROUND,
  UPI_PART_REGIONS,
  UPI_PART_SPE,
  UPI_PART_MASK_FEATURES,
  UPI_PART_MASK_EMBED,
  UPI_PART_LOOKS,
  UPI_PART_KEYS /* then one pair (keys, values) a decoder layer, then the class evidence of models that have it */
} UpiPart;

/* Where the parts of one input size's encoding lie: in the host's block, or in memory of the device for those that stay
 * there. */
typedef struct {
  guint width, height; /* of the network's input */
  guint n_parts;
  gchar **names; /* the image program's outputs */
  gsize *offsets, *bytes;
  gboolean *resident; /* on the device */
  gsize block_bytes, resident_bytes;
  guint n_regions, d_mask, image_tokens;
  guint evidence; /* the part that is [n_regions, n_classes]; 0: there is none */
  guint n_classes;
} UpiLayout;

/* Whom to tell when nothing is left in a CUDA context that was lent: an atomic rc box. */
typedef struct {
  GDestroyNotify free;
  gpointer data;
} UpiContextOwner;

void upi_context_owner_release (UpiContextOwner *owner);

typedef struct {
  gint ref_count; /* the engine's, and one for each encoding */
  GMutex lock;
  GPtrArray *layouts; /* UpiLayout, kept for the pool's life */
  GHashTable *spare;  /* UpiLayout → GPtrArray of UpiBlock */
  const UpiBackend *backend;
  UpiContextOwner *owner; /* of the context that the memory is in; NULL: it is nobody's */
  gint alive;             /* atomic */
  guint peak, last_peak;  /* most that were alive at a time, since the count of moves began and the one before */
  guint moves;
} UpiEncodingPool;

/* The memory of an encoding. */
typedef struct {
  guint8 *host;
  guint8 *device;  /* NULL where the backend has no memory of its own */
  guint8 *fetched; /* the host's copy of the device's mask features, from their first use on */
} UpiBlock;

struct _UpiEncoding {
  gint ref_count; /* of the memory: one for all users, one for its ticket, one for each caption that waits or runs */
  gint user_count;
  UpiEngine *engine; /* referenced once while user_count > 0 */
  UpiEncodingPool *pool;
  const UpiLayout *layout;
  UpiBlock *block;
  GMutex fetching; /* of is_fetched, and what it says of block->fetched */
  gboolean is_fetched;
  guint64 pts;
  guint source_width, source_height;
  UpiOrientation orientation; /* of the network's input, from the source */
  gfloat across, down; /* the picture's share of the input's sides, from the top left: 1 unless it is letterboxed */
};

/* owner: (transfer none) (nullable) */
UpiEncodingPool *upi_pool_new (const UpiBackend *backend, UpiContextOwner *owner);
void upi_pool_unref (UpiEncodingPool *pool);
/* The layout for an input size: made from the image plan on first use. */
const UpiLayout *upi_pool_layout (UpiEncodingPool *pool, UpiEngine *engine, UpiPlan *plan, guint width, guint height);
/* A block of that layout: a spare one, or a new one; NULL and the error. */
UpiBlock *upi_pool_take (UpiEncodingPool *pool, const UpiLayout *layout, GError **error);
void upi_pool_give_back (UpiEncodingPool *pool, const UpiLayout *layout, UpiBlock *block);
/* Blocks that wait for the next frame. */
guint upi_pool_spare (UpiEncodingPool *pool);
/* Holds memory only: a user comes with upi_encoding_publish(). */
UpiEncoding *upi_encoding_new (UpiEngine *engine, const UpiLayout *layout, GError **error);
/* A user more, for whom the caller has a reference of the engine, which this takes. */
UpiEncoding *upi_encoding_publish (UpiEncoding *encoding);
UpiEncoding *upi_encoding_hold (UpiEncoding *encoding);
void upi_encoding_drop (UpiEncoding *encoding);
/* A part that is in the host's memory. */
const gfloat *upi_encoding_part (const UpiEncoding *encoding, guint part);
/* Any part's memory as the backend has it, for a context to bind. */
void *upi_encoding_memory (const UpiEncoding *encoding, guint part);
/* The mask features, brought to the host on first use; NULL and the device's error. */
const gfloat *upi_encoding_mask_features (UpiEncoding *encoding, GError **error);

/* plans.c */

typedef enum { UPI_PLAN_IMAGE, UPI_PLAN_TEXT, UPI_PLAN_CAPTION, UPI_N_PLAN_KINDS } UpiPlanKind;

typedef struct {
  UpiPlanKind kind;
  guint a, b, c; /* IMAGE: batch, width, height; TEXT: batch, tokens; CAPTION: image tokens, capacity, batch */
} UpiPlanKey;

/* A plan and who uses it: the table, and each worker's context. */
typedef struct {
  gint ref_count;
  UpiPlanKey key;
  UpiPlan *plan; /* NULL while it is built */
  GError *error;
  gboolean ready; /* built or failed; under the table's lock */
  gint evicted;   /* atomic: workers let go of it */
  guint64 used;   /* when it was last asked for, in requests */
} UpiSharedPlan;

typedef struct {
  GMutex lock;
  GCond changed;
  GPtrArray *plans; /* UpiSharedPlan */
  guint max_plans[UPI_N_PLAN_KINDS];
  guint64 clock;
} UpiPlans;

/* batch_size: of the engine, which runs batches of fewer frames too */
void upi_plans_init (UpiPlans *plans, guint batch_size);
void upi_plans_clear (UpiPlans *plans);
/* Builds the plan on first use, once however many ask. (transfer full) */
UpiSharedPlan *upi_plans_get (UpiPlans *plans, UpiEngine *engine, UpiPlanKey key, GError **error);
void upi_shared_plan_unref (UpiSharedPlan *plan);

/* worker.c */

struct _UpiWorker {
  UpiEngine *engine;
  GThread *thread;
  gboolean ready;      /* has started; under the queue's lock, told by its condition */
  GPtrArray *contexts; /* WorkerContext: one for each plan this worker has run */
  UpiFrameReader *frames;
  UpiConverter *converter; /* with small: to compare frames where the backend shows nobody its input */
  gfloat *small;           /* [H, W, 3] */
  gsize small_bytes;
  gfloat *blocks; /* of the frame that is compared */
  gsize block_bytes;
  guint8 *key_value_cache; /* memory of the backend's for the texts of captions */
  gsize key_value_cache_bytes;
};

gpointer upi_worker_main (gpointer worker);
/* This worker's context of a plan. (transfer none): valid until the worker's next call */
UpiContext *upi_worker_context (UpiWorker *worker, UpiPlanKey key, GError **error);
/* Runs the context, as the engine does it. */
gboolean upi_worker_infer (UpiWorker *worker, UpiContext *context, GError **error);
gboolean upi_worker_run (UpiWorker *worker, UpiContext *context, GError **error);
/* Others of a lost device are told before the one who noticed: its callback may well ask again. */
void upi_worker_check_device (UpiWorker *worker, const GError *error);
/* Memory of at least that size for kept values, the same until the worker's next call. */
guint8 *upi_worker_key_value_cache (UpiWorker *worker, gsize bytes, GError **error);

/* text-cache.c: embeddings of texts. */

typedef struct {
  GMutex lock;
  GHashTable *entries; /* text → Entry */
  GQueue recent;       /* the latest first */
  guint capacity, width;
} UpiTextCache;

void upi_text_cache_init (UpiTextCache *cache, guint capacity, guint width);
void upi_text_cache_clear (UpiTextCache *cache);
gboolean upi_text_cache_get (UpiTextCache *cache, const gchar *text, gfloat *embedding);
void upi_text_cache_put (UpiTextCache *cache, const gchar *text, const gfloat *embedding);
guint upi_text_cache_length (UpiTextCache *cache);

/* fit.c */

/* FALSE and UPI_ERROR_MEMORY: the model is open, and there is no room to run it with any input size. */
gboolean upi_engine_expect_memory (UpiEngine *engine, GError **error);

/* device.c */

/* "auto", "cpu", "cuda:1", "ref" → backend; the device's name for users ("cpu", "cuda:0") goes to resolved. */
const UpiBackend *upi_device_open (const gchar *device, gpointer cuda_context, gchar **resolved, GError **error);
gchar *upi_device_describe (const UpiBackend *backend, const gchar *resolved);
/* Workers that keep it busy. */
guint upi_device_workers (const UpiBackend *backend);

/* engine.c */

/* Runs one context of a worker. */
typedef gboolean (*UpiInferFunc) (UpiWorker *worker, UpiContext *context, GError **error);

struct _UpiEngine {
  gint ref_count; /* reaches 0 under the registry's lock only */
  gchar *key;
  UpiEngineInfo info;
  gchar *name, *path, *device, *device_name;
  guint64 batch_timeout_us;
  UpiModel *model;
  const UpiConfig *config;
  UpiTokenizer *tokenizer;
  const UpiBackend *backend;
  UpiQueue *queue;
  UpiPlans plans;
  UpiEncodingPool *pool;
  UpiTextCache cache;
  gfloat
      *own_labels;  /* [n, width] atomic, set once: embeddings of the model's own labels, where it has class evidence */
  UpiLabels *known; /* atomic, set once: the model's own labels, where captions answer to regions */
  UpiGrounding *grounding; /* NULL: they do not */
  UpiSteering *steering;
  GPtrArray *workers;  /* UpiWorker */
  gsize context_bytes; /* atomic: arenas of all contexts */
  UpiInferFunc infer;  /* atomic: upi_worker_run(); tests put one that fails in its place */
};

/* Waits until engines whose last user left from a worker's callback are gone: they are freed by a thread of their
 * own. */
void upi_engine_wait_reaped (void);
/* Marks the calling thread: an engine whose last user leaves from a worker is freed by a thread of its own. */
void upi_engine_enter_worker (void);
/* After a request failed: if the engine's device has been lost, all engines on it fail what they have and what
 * comes. */
void upi_engine_check_device (UpiEngine *engine);
/* A reference of the queue's engine, NULL when its last user has gone. */
UpiEngine *upi_engine_of_queue (UpiQueue *queue);

G_END_DECLS
