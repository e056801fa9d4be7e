/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the engine's tests share. */
#include "tests/core/engine-fixture.h"

#include "core/model/model.h"
#include "tests/tiny-config.h"

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static gchar *model_directory;

gchar *
fixture_write_model (const gchar *from, const gchar *to)
{
  g_autoptr (GString) config = g_string_new (UPI_TINY_CONFIG);
  g_autoptr (GError) error = NULL;
  gchar *directory = g_dir_make_tmp ("upi-engine-XXXXXX", &error);

  g_assert_no_error (error);
  if (from != NULL)
    g_assert_cmpuint (g_string_replace (config, from, to, 1), ==, 1);
  upi_model_write_random (directory, config->str, 11, &error);
  g_assert_no_error (error);
  return directory;
}

const gchar *
fixture_model (void)
{
  if (model_directory == NULL)
    model_directory = fixture_write_model (NULL, NULL);
  return model_directory;
}

void
fixture_remove_model (gchar *model)
{
  g_autoptr (GDir) directory = g_dir_open (model, 0, NULL);
  const gchar *name;

  while (directory != NULL && (name = g_dir_read_name (directory))) {
    g_autofree gchar *path = g_build_filename (model, name, NULL);

    g_unlink (path);
  }
  g_rmdir (model);
  g_free (model);
}

void
fixture_clear (void)
{
  g_clear_pointer (&model_directory, fixture_remove_model);
}

UpiEngine *
fixture_engine (const gchar *device, guint threads, guint batch_size, guint64 batch_timeout_us, const gchar *id)
{
  UpiEngineOptions options = { .size = sizeof (UpiEngineOptions),
    .model = fixture_model (),
    /* The same tests on another device, where a test means the ordinary one. */
    .device =
        g_str_equal (device, "cpu") && g_getenv ("UPI_TEST_DEVICE") != NULL ? g_getenv ("UPI_TEST_DEVICE") : device,
    .instance_id = id,
    .threads = threads,
    .batch_size = batch_size,
    .batch_timeout_us = batch_timeout_us };
  g_autoptr (GError) error = NULL;
  UpiEngine *engine = upi_engine_open (&options, NULL, &error);

  g_assert_no_error (error);
  return engine;
}

void
fixture_done (UpiTicket *ticket, gpointer user_data)
{
  FixtureCalls *calls = user_data;

  g_assert_true (upi_ticket_is_done (ticket));
  if (calls != NULL) {
    calls->thread = g_thread_self ();
    g_atomic_int_inc (&calls->done);
  }
}

typedef struct {
  FixtureCalls *calls;
  guint8 pixels[48 * 32 * 3];
} Frame;

static void
release_frame (gpointer data)
{
  Frame *frame = data;

  if (frame->calls != NULL)
    g_atomic_int_inc (&frame->calls->released);
  g_free (frame);
}

UpiTicket *
fixture_encode (UpiEngine *engine, guint seed, guint width, guint height, FixtureCalls *calls)
{
  Frame *frame = g_new (Frame, 1);
  UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_RGB,
    .width = 48,
    .height = 32,
    .planes = { frame->pixels },
    .strides = { 48 * 3 },
    .release = release_frame,
    .user_data = frame };
  g_autoptr (GError) error = NULL;
  UpiTicket *ticket;

  frame->calls = calls;
  for (guint i = 0; i < sizeof frame->pixels; i++)
    frame->pixels[i] = (i * (seed % 13 + 1) + i / 144 * 7 * seed) % 251;
  ticket = upi_engine_encode (engine, &image, width, height, seed, fixture_done, calls, &error);
  g_assert_no_error (error);
  return ticket;
}

UpiEncoding *
fixture_take_encoding (UpiTicket *ticket)
{
  g_autoptr (GError) error = NULL;
  UpiEncoding *encoding;

  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  encoding = upi_ticket_get_encoding (ticket);
  g_assert_nonnull (encoding);
  upi_ticket_unref (ticket);
  return encoding;
}

UpiEncoding *
fixture_encoding (UpiEngine *engine, guint seed)
{
  return fixture_take_encoding (fixture_encode (engine, seed, 64, 64, NULL));
}

UpiLabels *
fixture_labels (UpiEngine *engine, const gchar *comma_separated)
{
  g_auto (GStrv) names = g_strsplit (comma_separated, ",", -1);
  g_autoptr (GError) error = NULL;
  g_autoptr (UpiTicket) ticket =
      upi_engine_encode_labels (engine, (const gchar *const *) names, NULL, NULL, NULL, &error);
  UpiLabels *labels;

  g_assert_no_error (error);
  upi_ticket_wait (ticket, &error);
  g_assert_no_error (error);
  labels = upi_ticket_get_labels (ticket);
  g_assert_nonnull (labels);
  return labels;
}

void
fixture_expect (UpiTicket *ticket, UpiErrorCode code)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (upi_ticket_wait (ticket, &error));
  g_assert_error (error, UPI_ERROR, (gint) code);
  g_assert_null (upi_ticket_get_encoding (ticket));
  g_assert_null (upi_ticket_get_labels (ticket));
  g_assert_null (upi_ticket_get_text (ticket));
}

void
fixture_gate_init (FixtureGate *gate)
{
  memset (gate, 0, sizeof *gate);
  g_mutex_init (&gate->lock);
  g_cond_init (&gate->cond);
}

void
fixture_gate_clear (FixtureGate *gate)
{
  g_mutex_clear (&gate->lock);
  g_cond_clear (&gate->cond);
}

void
fixture_gate_pass (FixtureGate *gate)
{
  g_mutex_lock (&gate->lock);
  gate->reached = TRUE;
  g_cond_broadcast (&gate->cond);
  while (!gate->open)
    g_cond_wait (&gate->cond, &gate->lock);
  g_mutex_unlock (&gate->lock);
}

static gboolean
read_at_gate (gpointer user_data, guint8 *rgb, guint width, guint height, gsize stride, GError **error)
{
  fixture_gate_pass (user_data);
  for (guint y = 0; y < height; y++)
    memset (rgb + y * stride, 100, width * 3);
  return TRUE;
}

UpiTicket *
fixture_encode_gated (UpiEngine *engine, FixtureGate *gate)
{
  UpiImage image = { .size = sizeof (UpiImage),
    .format = UPI_PIXELS_READ,
    .width = 48,
    .height = 32,
    .read = read_at_gate,
    .user_data = gate };
  g_autoptr (GError) error = NULL;
  UpiTicket *ticket = upi_engine_encode (engine, &image, 64, 64, 0, NULL, NULL, &error);

  g_assert_no_error (error);
  return ticket;
}

void
fixture_gate_wait (FixtureGate *gate)
{
  g_mutex_lock (&gate->lock);
  while (!gate->reached)
    g_cond_wait (&gate->cond, &gate->lock);
  g_mutex_unlock (&gate->lock);
}

void
fixture_gate_open (FixtureGate *gate)
{
  g_mutex_lock (&gate->lock);
  gate->open = TRUE;
  g_cond_broadcast (&gate->cond);
  g_mutex_unlock (&gate->lock);
}

gdouble
fixture_cosine (const gfloat *a, const gfloat *b, guint n)
{
  gdouble sum = 0;

  for (guint i = 0; i < n; i++)
    sum += (gdouble) a[i] * b[i];
  return sum;
}
