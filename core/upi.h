/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upi.h: the public header of libupi, the inference core of Uni-Perceiver v2 (arXiv 2211.09808).
 *
 * A frame is encoded once (upi_engine_encode); detection, segmentation, classification, captioning and retrieval read
 * that encoding. Nothing here knows GStreamer. All functions may be called from any thread; objects are
 * reference-counted; errors are UPI_ERROR.
 *
 * A program goes on with every later version of the library. Structs that a caller fills begin with their size, which
 * it sets to what sizeof gave when it was compiled: `{ .size = sizeof (UpiImage), … }`; new fields come at their ends,
 * and 0 there means what was before they came. Structs in arrays (UpiObject) and those with data behind them (UpiMask)
 * have room in reserve and keep their size for ever; the other ones are made by the library alone and grow at their
 * ends. Reserved fields are 0.
 */
#pragma once

#include <gio/gio.h>
#include <glib.h>

G_BEGIN_DECLS

#ifndef UPI_API
#define UPI_API __attribute__ ((visibility ("default")))
#endif

/* Errors. */

#define UPI_ERROR (upi_error_quark ())
/**
 * upi_error_quark: the domain UPI_ERROR of all errors of this library.
 * Returns: the quark; the same for the life of the process
 */
UPI_API GQuark upi_error_quark (void);

/**
 * UpiErrorCode:
 * @UPI_ERROR_MODEL: a model's file is missing, truncated, of another version, or its tensors do not fit its config
 * @UPI_ERROR_DEVICE: the device does not exist, lacks something, or failed for good
 * @UPI_ERROR_MEMORY: memory of the host or the device ran out
 * @UPI_ERROR_ARGUMENT: a value a caller gave is out of range or unreadable (labels, sizes, options)
 * @UPI_ERROR_INPUT: this image could not be read or converted; others may be
 * @UPI_ERROR_CANCELLED: the ticket was cancelled, or its engine closed
 * @UPI_ERROR_FAILED: inference failed on this request
 */
typedef enum {
  UPI_ERROR_MODEL,
  UPI_ERROR_DEVICE,
  UPI_ERROR_MEMORY,
  UPI_ERROR_ARGUMENT,
  UPI_ERROR_INPUT,
  UPI_ERROR_CANCELLED,
  UPI_ERROR_FAILED
} UpiErrorCode;

/* Engine. */

typedef struct _UpiEngine UpiEngine;

/**
 * UpiEngineOptions: zero-initialise, then set @size; NULL and 0 mean the default.
 * @size: sizeof (UpiEngineOptions)
 * @model: name (searched in $UPI_MODEL_PATH, the user's data directory, the installed models) or directory; default
 * "nano"
 * @device: "auto", "cpu", "cuda", "cuda:1"; default "auto"
 * @instance_id: engines of equal model, device and id are one
 * @threads: workers; 0 = one a core
 * @threads_per_frame: threads that share one frame; 0 = 1
 * @batch_size: frames a run; 0 = 1
 * @batch_timeout_us: how long a partial batch waits, microseconds
 * @cuda_context: (nullable): the CUcontext in which an engine on cuda works, as GStreamer makes them; NULL: the
 * device's own. Engines in different
 *   contexts are different ones
 * @cuda_context_free: (nullable): called once with @cuda_context_data when nothing of an engine is left in the context,
 * before
 *   upi_engine_open() returns if it opened none there
 * @cuda_context_data: for @cuda_context_free
 */
typedef struct {
  gsize size;
  const gchar *model;
  const gchar *device;
  const gchar *instance_id;
  guint threads;
  guint threads_per_frame;
  guint batch_size;
  guint64 batch_timeout_us;
  gpointer cuda_context;
  GDestroyNotify cuda_context_free;
  gpointer cuda_context_data;
} UpiEngineOptions;

/**
 * UpiEngineInfo: what is fixed for an engine's life; owned by the engine.
 * @model_name: the name in its config.json
 * @model_path: its directory
 * @device: the device in use: "cpu", "cuda:0"
 * @device_name: the processor's name and the instruction set in use
 * @workers: threads that run the network
 * @threads_per_frame: threads that share one frame
 * @batch_size: frames that one run may take
 * @n_sizes: how many @sizes
 * @sizes: (array length=n_sizes): width, height pairs the model was trained for; the first is the default, any may be
 * asked for
 * @labels: (array zero-terminated=1): the model's own class list
 * @threshold: the model card's detection threshold
 * @width: width of embeddings (D)
 * @max_regions: objects that a frame can have: the proposals of its encoding
 * @max_caption_tokens: the longest caption
 * @caption_candidates: how many candidates grounded captions have unless they are asked for others; 0: the model has no
 * grounded captions
 * @independent_scores: whether it can say of each sentence alone how probably it is true (UPI_SCORES_INDEPENDENT,
 * upi_engine_classify_regions())
 */
typedef struct {
  const gchar *model_name;
  const gchar *model_path;
  const gchar *device;
  const gchar *device_name;
  guint workers;
  guint threads_per_frame;
  guint batch_size;
  guint n_sizes;
  const guint (*sizes)[2];
  const gchar *const *labels;
  gfloat threshold;
  guint width;
  guint max_regions;
  guint max_caption_tokens;
  guint caption_candidates;
  gboolean independent_scores;
} UpiEngineInfo;

/**
 * upi_engine_open: opens or joins the engine of (model, device, instance id). Blocks while the model loads, once
 * however many ask.
 * @options: (nullable): NULL: all defaults. With a wrong size nothing of it is read, and its context is not freed
 * either
 * Returns: (transfer full) (nullable): NULL and @error
 */
UPI_API UpiEngine *upi_engine_open (const UpiEngineOptions *options, GCancellable *cancellable, GError **error);
/**
 * upi_engine_ref: one user more. From any thread.
 * Returns: (transfer full): @engine
 */
UPI_API UpiEngine *upi_engine_ref (UpiEngine *engine);
/**
 * upi_engine_unref: one user less. The last one waits for running inferences (at most one a worker), cancels what is
 * queued, frees model and workers; from a worker's callback it does not wait, a thread of its own does.
 * @engine: (transfer full)
 */
UPI_API void upi_engine_unref (UpiEngine *engine);
/**
 * upi_engine_info: what the engine is.
 * Returns: (transfer none): the engine's, as long as it lives
 */
UPI_API const UpiEngineInfo *upi_engine_info (const UpiEngine *engine);
/**
 * upi_engine_options_conflict: whether the engine was already open with other options than these.
 * @options: what upi_engine_open() was asked for
 * Returns: (transfer full) (nullable): a sentence for a warning; NULL: they agree
 */
UPI_API gchar *upi_engine_options_conflict (const UpiEngine *engine, const UpiEngineOptions *options);
/**
 * upi_engine_nearest_size: the trained input size whose aspect, or the one that the model says it is for, is nearest to
 * the display aspect (smallest area among equals). Sizes of more than 1.5 times the default's pixels find what is far
 * off at a price: they are for whoever asks for them.
 * @display_width, @display_height: of a picture, in pixels that are square
 * @width, @height: (out): of the network's input
 */
UPI_API void upi_engine_nearest_size (
    const UpiEngine *engine, guint display_width, guint display_height, guint *width, guint *height);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiEngine, upi_engine_unref)

/* Tickets. */

/* A request to the engine: completes, fails with a GError or is cancelled; never neither. */
typedef struct _UpiTicket UpiTicket;
typedef struct _UpiEncoding UpiEncoding;
typedef struct _UpiLabels UpiLabels;

/* Called once, from a worker (or from upi_ticket_cancel), no lock held, when the ticket is done. */
typedef void (*UpiTicketFunc) (UpiTicket *ticket, gpointer user_data);

/**
 * upi_ticket_ref: one reference more. From any thread.
 * Returns: (transfer full): @ticket
 */
UPI_API UpiTicket *upi_ticket_ref (UpiTicket *ticket);
/**
 * upi_ticket_unref: one reference less; a ticket that nobody holds goes on all the same.
 * @ticket: (transfer full)
 */
UPI_API void upi_ticket_unref (UpiTicket *ticket);
/**
 * upi_ticket_is_done: never blocks.
 * Returns: whether it completed, failed or was cancelled: its result, or its error, is there
 */
UPI_API gboolean upi_ticket_is_done (UpiTicket *ticket);
/**
 * upi_ticket_wait: blocks until the ticket is done and its callback has returned (within the callback: not at all).
 * Returns: FALSE and the ticket's error (a copy) if it failed or was cancelled
 */
UPI_API gboolean upi_ticket_wait (UpiTicket *ticket, GError **error);
/**
 * upi_ticket_cancel: not yet started: done at once with UPI_ERROR_CANCELLED. Running: stops at the next step
 * (captions), between two batches (labels) or when the frame is done. Done: nothing happens.
 */
UPI_API void upi_ticket_cancel (UpiTicket *ticket);
/**
 * upi_ticket_get_encoding: the result of a frame's ticket that is done.
 * Returns: (transfer full) (nullable): NULL if it failed, is of another kind, or nobody uses its engine any more
 */
UPI_API UpiEncoding *upi_ticket_get_encoding (UpiTicket *ticket);
/**
 * upi_ticket_get_labels: the result of a label list's ticket that is done.
 * Returns: (transfer full) (nullable): NULL if it failed or is of another kind
 */
UPI_API UpiLabels *upi_ticket_get_labels (UpiTicket *ticket);
/**
 * upi_ticket_get_text: the text of a caption's ticket that is done.
 * Returns: (transfer full) (nullable): UTF-8; NULL if it failed or is of another kind
 */
UPI_API gchar *upi_ticket_get_text (UpiTicket *ticket);
/**
 * upi_ticket_get_times: time that workers spent on it, in microseconds; 0 before it is done.
 * @convert_us: (out) (optional): conversion to the network's input
 * @infer_us: (out) (optional): inference
 */
UPI_API void upi_ticket_get_times (UpiTicket *ticket, guint64 *convert_us, guint64 *infer_us);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiTicket, upi_ticket_unref)

/* Images. */

/**
 * UpiPixelFormat: how an image's pixels lie in memory.
 * @UPI_PIXELS_RGB: 3 bytes, R first
 * @UPI_PIXELS_BGR: 3 bytes, B first
 * @UPI_PIXELS_RGBX: 4 bytes, R first, the last ignored
 * @UPI_PIXELS_BGRX: 4 bytes, B first, the last ignored
 * @UPI_PIXELS_I420: planes of Y, U, V, chroma (w+1)/2 × (h+1)/2
 * @UPI_PIXELS_NV12: planes of Y and of interleaved U, V, chroma (w+1)/2 × (h+1)/2
 * @UPI_PIXELS_READ: UpiImage.read scales and converts into the network's size itself
 * @UPI_PIXELS_RGB_COMPONENTS: any other layout: UpiImage.components tells where R, G and B lie
 * @UPI_PIXELS_YUV_COMPONENTS: the same for Y, U and V, or Y alone
 */
typedef enum {
  UPI_PIXELS_RGB,
  UPI_PIXELS_BGR,
  UPI_PIXELS_RGBX,
  UPI_PIXELS_BGRX,
  UPI_PIXELS_I420,
  UPI_PIXELS_NV12,
  UPI_PIXELS_READ,
  UPI_PIXELS_RGB_COMPONENTS,
  UPI_PIXELS_YUV_COMPONENTS
} UpiPixelFormat;

/**
 * UpiComponent: where the samples of one component lie.
 * @plane: of UpiImage.planes
 * @first: bytes from a row's begin to its first sample
 * @step: bytes from one sample to the next
 * @width_shift, @height_shift: subsampling: ⌈width / 2^shift⌉ samples a row, ⌈height / 2^shift⌉ rows
 */
typedef struct {
  guint plane;
  guint first, step;
  guint width_shift, height_shift;
} UpiComponent;

/**
 * UpiOrientation: how a picture is turned to be upright; the values of GStreamer's GstVideoOrientationMethod.
 * @UPI_ORIENTATION_IDENTITY: it is upright
 * @UPI_ORIENTATION_90R: a quarter clockwise
 * @UPI_ORIENTATION_180: half a turn
 * @UPI_ORIENTATION_90L: a quarter counter-clockwise
 * @UPI_ORIENTATION_HORIZ: left and right change places
 * @UPI_ORIENTATION_VERT: top and bottom change places
 * @UPI_ORIENTATION_UL_LR: mirrored along the diagonal from upper left to lower right
 * @UPI_ORIENTATION_UR_LL: mirrored along the diagonal from upper right to lower left
 */
typedef enum {
  UPI_ORIENTATION_IDENTITY,
  UPI_ORIENTATION_90R,
  UPI_ORIENTATION_180,
  UPI_ORIENTATION_90L,
  UPI_ORIENTATION_HORIZ,
  UPI_ORIENTATION_VERT,
  UPI_ORIENTATION_UL_LR,
  UPI_ORIENTATION_UR_LL
} UpiOrientation;

/**
 * upi_orientation_is_transposed: whether a picture that is turned so has its width and height exchanged.
 */
UPI_API gboolean upi_orientation_is_transposed (UpiOrientation orientation);

/* Fills @rgb (@width × @height, 3 bytes a pixel, @stride bytes a row). From a worker thread. */
typedef gboolean (*UpiImageRead) (
    gpointer user_data, guint8 *rgb, guint width, guint height, gsize stride, GError **error);

typedef struct _UpiImage UpiImage;

/* Makes the pixels of @image, a copy of the engine's, and sets its planes and strides; they stay until it is released.
 * From a worker thread. */
typedef gboolean (*UpiImagePrepare) (UpiImage *image, GError **error);

/**
 * UpiImage: pixels that the engine reads in place, once. One picture gives one input, however it lies in memory.
 * @size: sizeof (UpiImage)
 * @format: how the pixels lie
 * @width, @height: in pixels
 * @planes: the first byte of each plane's first row; unused ones are NULL
 * @strides: bytes from row to row; negative: bottom-up
 * @kr, @kb: YUV matrix (BT.709: 0.2126, 0.0722; 0 = BT.601: 0.299, 0.114); ignored for RGB
 * @full_range: luma is 0..255 instead of 16..235; of components, also R, G and B, which in the other formats always are
 * @on_device: the planes are addresses of the engine's device, in its context, complete for every stream; an engine on
 * cuda reads them there
 * @read: UPI_PIXELS_READ: makes the pixels
 * @release: called exactly once, right after the pixels were read, or when the ticket ends without; from any thread;
 * may be NULL
 * @user_data: of @read, @release and @prepare
 * @n_components: of UPI_PIXELS_…_COMPONENTS: 3, or 1 for grey; those of one plane have one @height_shift
 * @components: R, G, B, or Y, U, V
 * @depth: bits of a sample, 8 to 16; 0 means 8. More than 8 take two bytes, in the machine's order; the upper 8 of them
 * count, as they do where
 *   such a picture becomes one of 8 bits
 * @shift: unused bits below them
 * @prepare: (nullable): called once, before the pixels are read
 * @orientation: the network sees the picture turned like this; boxes and masks lie on the image as it is
 * @pixel_width, @pixel_height: how a pixel's width is to its height where they are shown; 0: they are square. Models
 * that keep a picture's aspect keep that of its display
 */
struct _UpiImage {
  gsize size;
  UpiPixelFormat format;
  guint width, height;
  const guint8 *planes[4];
  gssize strides[4];
  gfloat kr, kb;
  gboolean full_range;
  gboolean on_device;
  UpiImageRead read;
  GDestroyNotify release;
  gpointer user_data;
  guint n_components;
  UpiComponent components[3];
  guint depth, shift;
  UpiImagePrepare prepare;
  UpiOrientation orientation;
  guint pixel_width, pixel_height;
};

/**
 * upi_engine_encode: queues one frame for the image side (paper 4.1 and the image rows of the general decoder, 4.3).
 * @image: copied; its planes stay valid until release is called
 * @width, @height: the network's input size: multiples of 32 (0: nearest trained size to the image's display aspect)
 * @pts: carried through, any unit
 * @done: (nullable)
 * Never blocks. Bounded by the callers: each keeps a bounded number of tickets in flight.
 * Returns: (transfer full): NULL and @error if the arguments are wrong (release has then been called, but for an image
 * whose size is too small
 *   to have one)
 */
UPI_API UpiTicket *upi_engine_encode (UpiEngine *engine, const UpiImage *image, guint width, guint height, guint64 pts,
    UpiTicketFunc done, gpointer user_data, GError **error);

/* Streams. */

/* One camera or file among those that share an engine. Whoever sends many frames makes one: batches then wait for
 * frames of other streams only, never for the next one of their own, the workers are shared out fairly, what is shown
 * never goes back, and a picture that stays as it was keeps its encoding. */
typedef struct _UpiStream UpiStream;

/**
 * upi_stream_new: a stream of @engine, which it holds.
 * Returns: (transfer full): for one user; to be freed with upi_stream_free()
 */
UPI_API UpiStream *upi_stream_new (UpiEngine *engine);
/**
 * upi_stream_free: lets go of the stream and its engine; tickets that are under way go on, and no batch waits for it
 * any more.
 */
UPI_API void upi_stream_free (UpiStream *stream);
/**
 * upi_stream_share: frames of this stream, 1 or more, that may be under way before one of them only waits for another.
 * It changes with the number of streams that have frames under way.
 */
UPI_API guint upi_stream_share (UpiStream *stream);
/**
 * upi_stream_may_encode: fairness: whether a frame is worth sending with @latest set: the stream has nothing under way,
 * or no more than its share, or a frame that nobody has begun, whose place in the queue this one will take.
 * @is_late: the machine cannot keep up: one frame at a time
 */
UPI_API gboolean upi_stream_may_encode (UpiStream *stream, gboolean is_late);
/**
 * upi_stream_set_static: a frame whose small input (what the network sees of it) differs from that of the stream's last
 * encoded one by no more than @threshold anywhere costs that comparison and keeps the encoding. What is compared is the
 * largest mean difference of a tile of 16 × 16 pixels of the network's input, after the change of brightness of the
 * whole picture. From any thread, for frames that come.
 * @threshold: 0 to 1 of the range of levels; 0: every frame is encoded
 * @max_age: an encoding that is older is never kept; in units of the frames' pts, or nanoseconds for those whose pts is
 * G_MAXUINT64
 */
UPI_API void upi_stream_set_static (UpiStream *stream, gfloat threshold, guint64 max_age);
/**
 * upi_stream_new_generation: what was sent so far belongs to another scene: no frame that comes keeps an encoding of
 * it.
 */
UPI_API void upi_stream_new_generation (UpiStream *stream);
/**
 * upi_ticket_show: freshness: to be asked before a result is shown; workers end in any order.
 * @ticket: of a frame, done
 * Returns: FALSE: the result of a later frame of its stream was shown before, this one is to be dropped
 */
UPI_API gboolean upi_ticket_show (UpiTicket *ticket);
/**
 * upi_ticket_is_static: whether a frame's ticket that is done has the encoding of an earlier frame, since its picture
 * is the same (upi_stream_set_static()); upi_encoding_pts() says whose.
 */
UPI_API gboolean upi_ticket_is_static (UpiTicket *ticket);
/**
 * upi_stream_encode: upi_engine_encode() for a frame of @stream.
 * @latest: the result is wanted as soon as it can be had: no batch has a second frame of the stream in it (where
 * batches gain nothing, on
 *   processors, none has in any case), and a frame of @stream that nobody has begun gives its place in the queue to
 *   this one and ends with UPI_ERROR_CANCELLED
 * Returns: (transfer full) (nullable): NULL and @error as upi_engine_encode()
 */
UPI_API UpiTicket *upi_stream_encode (UpiStream *stream, const UpiImage *image, guint width, guint height, guint64 pts,
    gboolean latest, UpiTicketFunc done, gpointer user_data, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiStream, upi_stream_free)

/* Encodings. */

/* UpiEncoding: what one frame became; immutable, bound to PTS and source size; may outlive the engine's other users (it
 * holds a reference). */

/**
 * upi_encoding_ref: one user more. From any thread.
 * Returns: (transfer full): @encoding
 */
UPI_API UpiEncoding *upi_encoding_ref (UpiEncoding *encoding);
/**
 * upi_encoding_unref: one user less; the last one's memory goes back to the engine's pool.
 * @encoding: (transfer full)
 */
UPI_API void upi_encoding_unref (UpiEncoding *encoding);
/**
 * upi_encoding_pts: which frame it is.
 * Returns: the @pts that upi_engine_encode() was given
 */
UPI_API guint64 upi_encoding_pts (const UpiEncoding *encoding);
/**
 * upi_encoding_source_size: the size of the image that was encoded, in pixels, before it was turned.
 * @width, @height: (out) (optional)
 */
UPI_API void upi_encoding_source_size (const UpiEncoding *encoding, guint *width, guint *height);
/**
 * upi_encoding_engine: the engine that made it, and that alone reads it.
 * Returns: (transfer none): as long as the encoding lives
 */
UPI_API UpiEngine *upi_encoding_engine (const UpiEncoding *encoding);
/**
 * upi_encoding_bytes: what it weighs, for accounting.
 * Returns: bytes, those in a device's memory too
 */
UPI_API gsize upi_encoding_bytes (const UpiEncoding *encoding);
/**
 * upi_encoding_region: what a region is, as the network sees it: the vector that labels are compared with (paper 4.3).
 * @region: as UpiObject.region names it
 * @width: (out): of the vector
 * Returns: (array length=width) (transfer none) (nullable): of length 1, as long as the encoding lives; NULL: there is
 * no such region
 */
UPI_API const gfloat *upi_encoding_region (const UpiEncoding *encoding, guint region, guint *width);
/**
 * upi_encoding_looks: what a region looks like: colours and textures (the backbone's first map) of its box's upper and
 * lower half. It tells two objects of one label apart, which the vector of upi_encoding_region() does less, and says
 * nothing of what they are.
 * @region: as UpiObject.region names it
 * @width: (out): of the vector
 * Returns: (array length=width) (transfer none) (nullable): of length 1, as long as the encoding lives; NULL: there is
 * no such region
 */
UPI_API const gfloat *upi_encoding_looks (const UpiEncoding *encoding, guint region, guint *width);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiEncoding, upi_encoding_unref)

/* Labels, detection, segmentation. */

/**
 * upi_engine_encode_labels: queues a class list: any words (paper 4.2). Embeddings are cached by (model, string).
 * @labels: (array zero-terminated=1): at least one, each non-empty UTF-8
 * @thresholds: (nullable): one a label; NaN or NULL: the caller's threshold at upi_engine_detect
 */
UPI_API UpiTicket *upi_engine_encode_labels (UpiEngine *engine, const gchar *const *labels, const gfloat *thresholds,
    UpiTicketFunc done, gpointer user_data, GError **error);
/* From a worker, no lock held: @done of @total labels are encoded. Workers share a list: an older number may come after
 * a newer one. */
typedef void (*UpiProgressFunc) (guint done, guint total, gpointer user_data);

/**
 * upi_engine_encode_labels_with_progress: upi_engine_encode_labels() for a list that may be long: it is encoded in
 * batches, behind frames and captions, and cancelled between two of them.
 * @progress: (nullable): called after each batch, with @user_data as @done is
 */
UPI_API UpiTicket *upi_engine_encode_labels_with_progress (UpiEngine *engine, const gchar *const *labels,
    const gfloat *thresholds, UpiProgressFunc progress, UpiTicketFunc done, gpointer user_data, GError **error);
/**
 * upi_labels_ref: one reference more. From any thread; a list is immutable and needs no engine.
 * Returns: (transfer full): @labels
 */
UPI_API UpiLabels *upi_labels_ref (UpiLabels *labels);
/**
 * upi_labels_unref: one reference less.
 * @labels: (transfer full)
 */
UPI_API void upi_labels_unref (UpiLabels *labels);
/**
 * upi_labels_count: how many labels the list has.
 * Returns: 1 or more
 */
UPI_API guint upi_labels_count (const UpiLabels *labels);
/**
 * upi_labels_name: a label as it was given.
 * Returns: (transfer none) (nullable): UTF-8, as long as the list lives; NULL: there is no label @index
 */
UPI_API const gchar *upi_labels_name (const UpiLabels *labels, guint index);
/**
 * upi_labels_threshold: from which score on regions show a label.
 * Returns: its own threshold, 0..1, or @threshold where it was given none
 */
UPI_API gfloat upi_labels_threshold (const UpiLabels *labels, guint index, gfloat threshold);

/**
 * upi_engine_cut_labels: the text encoder takes only so many tokens (a token is a word or a part of one); what a longer
 * label says after them does not count.
 * @first: (out) (optional): index of the first label that is cut
 * @max_tokens: (out) (optional): of a label
 *
 * Returns: the number of @labels that are cut
 */
UPI_API guint upi_engine_cut_labels (UpiEngine *engine, const UpiLabels *labels, guint *first, guint *max_tokens);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiLabels, upi_labels_unref)

/**
 * UpiMask: 8-bit instance mask at the network's mask resolution, cropped to its box; 0..255 is probability.
 * Reference-counted.
 * @x, @y, @width, @height: where the mask's grid lies, in 0..1 of the frame (outer edges of its cells)
 * @columns, @rows: cells of the grid
 * @data: @rows × @columns probabilities, 0 to 255
 * Its size is fixed for ever.
 */
typedef struct {
  gint ref_count; /* private */
  gfloat x, y, width, height;
  guint columns, rows;
  gpointer reserved[4];
  guint8 data[];
} UpiMask;
/**
 * upi_mask_new: a mask of zeros; where it lies is the caller's to set.
 * @columns, @rows: cells
 * Returns: (transfer full) (nullable): NULL: no memory
 */
UPI_API UpiMask *upi_mask_new (guint columns, guint rows);
/**
 * upi_mask_ref: one reference more. From any thread.
 * Returns: (transfer full): @mask
 */
UPI_API UpiMask *upi_mask_ref (UpiMask *mask);
/**
 * upi_mask_unref: one reference less.
 * @mask: (transfer full)
 */
UPI_API void upi_mask_unref (UpiMask *mask);

/**
 * UpiObjectFlags:
 * @UPI_OBJECT_NONE: its score is at or above the threshold
 * @UPI_OBJECT_CANDIDATE: its score is between UpiDetectOptions.candidate_threshold and the threshold: for a tracker,
 * not to be shown
 */
typedef enum { UPI_OBJECT_NONE = 0, UPI_OBJECT_CANDIDATE = 1 << 0 } UpiObjectFlags;

/**
 * UpiObject: one region.
 * @label: index into the labels
 * @score: 0..1
 * @x, @y, @width, @height: box, top-left corner and size, in 0..1 of the frame, clipped to it
 * @mask: (nullable)
 * @region: which of the encoding's proposals
 * @flags: bits of #UpiObjectFlags
 * Its size is fixed for ever: it comes in arrays.
 */
typedef struct {
  guint label;
  gfloat score;
  gfloat x, y, width, height;
  UpiMask *mask;
  guint region;
  guint flags;
  gpointer reserved[8];
} UpiObject;

/**
 * UpiDetectOptions: which objects are wanted.
 * @size: sizeof (UpiDetectOptions)
 * @threshold: the least score, 0..1, of labels without one of their own
 * @iou_threshold: of greedy non-maximum suppression within a label; 1 or more: none
 * @max_objects: the best so many
 * @masks: whether each gets its mask
 * @all_pairs: every (region, label) pair above the threshold competes (for average precision), those of the model's own
 * labels that lie behind another of them lowered as its config's tasks.detection.rivalry says; otherwise one class a
 * region
 * @candidate_threshold: > 0: what scores lower than its threshold, but not than this, comes behind the objects, without
 * masks
 * @cross_label_iou: the same between two different labels of the model's own list, of which a thing has one; where one
 * of the two is not in that list it hides nothing ("a man in red" is a person too). 0, or 1 or more: none
 */
typedef struct {
  gsize size;
  gfloat threshold;
  gfloat iou_threshold;
  guint max_objects;
  gboolean masks;
  gboolean all_pairs;
  guint reserved; /* no padding at the end: a later field would read what happened to be there */
  gfloat candidate_threshold;
  gfloat cross_label_iou;
} UpiDetectOptions;

/**
 * UpiDetections: immutable.
 * @labels: (transfer none): the list that was asked for
 * @n_objects: how many @objects
 * @objects: (array length=n_objects): the best first
 */
typedef struct {
  gint ref_count; /* private */
  UpiLabels *labels;
  guint n_objects;
  UpiObject *objects; /* best first; candidates behind the others, the same */
} UpiDetections;
/**
 * upi_engine_detect: the regions that show one of the labels. In the caller's thread (cheap: one small matrix product,
 * masks of kept objects only).
 * @encoding: of this engine
 * @labels: of the same model
 * @options: thresholds 0..1 and 0 or more
 * Returns: (transfer full) (nullable): best first; NULL and @error: UPI_ERROR_ARGUMENT, UPI_ERROR_MEMORY, or the
 * device's
 */
UPI_API UpiDetections *upi_engine_detect (
    UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, const UpiDetectOptions *options, GError **error);
/**
 * upi_detections_ref: one reference more. From any thread.
 * Returns: (transfer full): @detections
 */
UPI_API UpiDetections *upi_detections_ref (UpiDetections *detections);
/**
 * upi_detections_unref: one reference less; masks have their own.
 * @detections: (transfer full)
 */
UPI_API void upi_detections_unref (UpiDetections *detections);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiDetections, upi_detections_unref)

/* Classification. */

/**
 * upi_engine_classify: probability of each label for the whole frame, by softmax over the list. In the caller's thread.
 * Where the model says so (`tasks.classification.seen` of its config), a label that is one of its own, or near one,
 * also answers to what the regions show of it.
 * @probabilities: (out caller-allocates): upi_labels_count() entries, which add up to 1
 * Returns: FALSE and @error: UPI_ERROR_ARGUMENT: encoding or labels are of another engine or model
 */
UPI_API gboolean upi_engine_classify (
    UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels, gfloat *probabilities, GError **error);

/**
 * UpiScores: what the probability of a label among others says.
 * @UPI_SCORES_SOFTMAX: one of the labels is true, and they add up to 1
 * @UPI_SCORES_INDEPENDENT: each label is true or not, whatever the others are: what a threshold can be held against.
 *   Only models that were calibrated (UpiEngineInfo.independent_scores) have them. A label that is one of the model's
 *   own, or near one, is judged by the region that shows it best, where the model has numbers for that
 */
typedef enum { UPI_SCORES_SOFTMAX, UPI_SCORES_INDEPENDENT } UpiScores;

/**
 * UpiClassifyOptions: how labels are compared.
 * @size: sizeof (UpiClassifyOptions)
 * @scores: what a probability says
 */
typedef struct {
  gsize size;
  UpiScores scores;
  guint reserved;
} UpiClassifyOptions;

/**
 * upi_engine_classify_with_options: upi_engine_classify() with a choice of scores.
 * @options: (nullable): NULL: softmax
 * @probabilities: (out caller-allocates): upi_labels_count() entries
 * Returns: FALSE and @error: UPI_ERROR_ARGUMENT if the model was not calibrated and independent scores are asked for
 */
UPI_API gboolean upi_engine_classify_with_options (UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels,
    const UpiClassifyOptions *options, gfloat *probabilities, GError **error);
/**
 * upi_engine_classify_regions: how probably each label is true of single regions, independent of the other labels
 * (UPI_SCORES_INDEPENDENT).
 * @regions: (array length=n_regions): which, as UpiObject.region and UpiCaptionWord.objects name them
 * @probabilities: (out caller-allocates): upi_labels_count() entries for each region, one region after the other
 * Returns: FALSE and @error: UPI_ERROR_ARGUMENT if the model was not calibrated, or there is no such region
 */
UPI_API gboolean upi_engine_classify_regions (UpiEngine *engine, UpiEncoding *encoding, UpiLabels *labels,
    const guint *regions, guint n_regions, gfloat *probabilities, GError **error);

/* Retrieval. */

/**
 * upi_engine_embed: the frame's L2-normalised <SPE> embedding, for retrieval: its product with upi_labels_embedding()
 * is a cosine.
 * @embedding: (out caller-allocates): UpiEngineInfo.width floats
 * Returns: FALSE and @error: UPI_ERROR_ARGUMENT: the encoding is of another engine
 */
UPI_API gboolean upi_engine_embed (UpiEngine *engine, UpiEncoding *encoding, gfloat *embedding, GError **error);
/**
 * upi_labels_embedding: a label's embedding, L2-normalised.
 * @embedding: (out caller-allocates): @width floats
 * @width: UpiEngineInfo.width of the model that encoded it
 * Returns: FALSE: there is no label @index, or the width is another
 */
UPI_API gboolean upi_labels_embedding (const UpiLabels *labels, guint index, gfloat *embedding, guint width);

/* Captions. */

#define UPI_MAX_BEAM_SIZE 16
#define UPI_MAX_LENGTH_PENALTY 10
#define UPI_MAX_CANDIDATES 32

/**
 * UpiCaptionOptions: how a caption is made.
 * @size: sizeof (UpiCaptionOptions)
 * @max_tokens: 0: the model's limit
 * @beam_size: 0 and 1: greedy; up to UPI_MAX_BEAM_SIZE
 * @length_penalty: score / length^penalty; 0 to UPI_MAX_LENGTH_PENALTY; used with a beam
 * @grounded: answers to the regions, where the model can (UpiEngineInfo.caption_candidates); then without a beam
 * @candidates: of a grounded caption, up to UPI_MAX_CANDIDATES; 0: as many as the model's config says
 */
typedef struct {
  gsize size;
  guint max_tokens;
  guint beam_size;
  gfloat length_penalty;
  guint reserved;
  gboolean grounded;
  guint candidates;
} UpiCaptionOptions;

/**
 * UpiCaptionWord: a word, or several ("hot dog"), that speaks of what regions can show.
 * @first, @bytes: where it lies in the text
 * @n_objects: how many @objects
 * @objects: (array length=n_objects): for each thing that the word needs (a skateboarder: a person and a skateboard)
 * the region that shows it
 *   best, however well: @label is an index into UpiEngineInfo.labels, @mask is NULL
 * Its size is fixed for ever.
 */
typedef struct {
  guint first, bytes;
  guint n_objects;
  UpiObject *objects;
  gpointer reserved[4];
} UpiCaptionWord;

/**
 * UpiCaptionText: one text that a frame may be described with. What is not computed is NaN.
 * @text: UTF-8
 * @likelihood: mean of ln P over its tokens
 * @support: what the regions take from it, at most 0: the sum over what its words need
 * @cosine: with the frame's <SPE>
 * @score: what it is ranked by
 * @n_words: how many @words
 * @words: (array length=n_words): those that speak of what regions can show, from left to right
 * Its size is fixed for ever.
 */
typedef struct {
  gchar *text;
  gdouble likelihood, support, cosine, score;
  guint n_words;
  UpiCaptionWord *words; /* from left to right */
  gpointer reserved[4];
} UpiCaptionText;

/**
 * UpiCaption: immutable.
 * @grounded: FALSE: it was not asked for, or the model cannot; then there is one text, without words
 * @n_texts: how many @texts
 * @texts: (array length=n_texts): distinct, at least one, the caption first, then other candidates from better to worse
 */
typedef struct {
  gint ref_count; /* private */
  gboolean grounded;
  guint n_texts;
  UpiCaptionText *texts;
} UpiCaption;
/**
 * upi_caption_ref: one reference more. From any thread.
 * Returns: (transfer full): @caption
 */
UPI_API UpiCaption *upi_caption_ref (UpiCaption *caption);
/**
 * upi_caption_unref: one reference less.
 * @caption: (transfer full)
 */
UPI_API void upi_caption_unref (UpiCaption *caption);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (UpiCaption, upi_caption_unref)
/**
 * upi_ticket_get_caption: the result of a caption's ticket that is done, with all that is known of it.
 * Returns: (transfer full) (nullable): NULL if it failed or is of another kind
 */
UPI_API UpiCaption *upi_ticket_get_caption (UpiTicket *ticket);

/* The text so far (a partial caption; of grounded ones the first candidate's, another one may win), from a worker, no
 * lock held. */
typedef void (*UpiPartialFunc) (const gchar *text, gpointer user_data);

/**
 * upi_engine_caption: queues the caption of an encoding (paper 4.3: P(x, y) over the vocabulary, one token at a time).
 * The result is upi_ticket_get_text(), with all that is known of it upi_ticket_get_caption().
 * @options: (nullable): NULL: all defaults
 * @partial, @done: (nullable): both get @user_data
 * Returns: (transfer full) (nullable): NULL and @error: UPI_ERROR_ARGUMENT: an option is out of its range, or the
 * encoding is of another engine
 */
UPI_API UpiTicket *upi_engine_caption (UpiEngine *engine, UpiEncoding *encoding, const UpiCaptionOptions *options,
    UpiPartialFunc partial, UpiTicketFunc done, gpointer user_data, GError **error);

/* Measuring. */

/**
 * UpiEngineStats: totals since the engine was opened, and what it holds now.
 * @size: sizeof (UpiEngineStats), set by the caller
 * @encoded, @failed, @cancelled: frames
 * @captions: captions that were made
 * @caption_tokens: their tokens, those of beams and candidates too
 * @text_cache_hits, @text_cache_misses: strings whose embedding was there, and was not
 * @queue_length: tickets that wait
 * @workers: threads that run the network
 * @convert_us, @infer_us, @caption_us: microseconds of the workers: conversion of frames, inference, captions
 * @model_bytes: weights, mapped once
 * @context_bytes: arenas of all contexts
 * @encodings_alive: in use
 * @encodings_pooled: memory of encodings that waits for the next frame
 * @image_runs: of the image side; @encoded / @image_runs frames were in a batch
 * @still: frames that kept an earlier one's encoding
 */
typedef struct {
  gsize size;
  guint64 encoded, failed, cancelled, captions, caption_tokens, text_cache_hits, text_cache_misses;
  guint queue_length, workers;
  guint64 convert_us, infer_us, caption_us;
  gsize model_bytes, context_bytes;
  guint encodings_alive, encodings_pooled;
  guint64 image_runs;
  guint64 still;
} UpiEngineStats;
/**
 * upi_engine_get_stats: what the engine has done since it was opened, and what it holds. From any thread.
 * @stats: (inout): its size set; what it has room for is filled, what this version of the library does not count is 0
 */
UPI_API void upi_engine_get_stats (UpiEngine *engine, UpiEngineStats *stats);

/**
 * upi_version: of the library that runs, which may be newer than this header.
 * Returns: (transfer none): "0.1.0"
 */
UPI_API const gchar *upi_version (void);

G_END_DECLS
